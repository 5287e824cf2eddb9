"""Generated variants and near misses of a name, seeded.

``variant`` returns another spelling of the same name; ``sibling`` returns a different name that looks similar (a
number, place or distinctive word replaced). Both work on normal forms.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from dedup.encoder.tokens import in_letters
from dedup.text.gazetteer import abbreviations
from dedup.text.legal_forms import spellings, split_legal_forms

_KEYBOARD = {
    "q": "wa", "w": "qeas", "e": "wrsd", "r": "etdf", "t": "ryfg", "y": "tugh", "u": "yihj", "i": "uojk",
    "o": "ipkl", "p": "ol", "a": "qwsz", "s": "awedxz", "d": "serfcx", "f": "drtgvc", "g": "ftyhbv",
    "h": "gyujnb", "j": "huikmn", "k": "jiolm", "l": "kop", "z": "asx", "x": "zsdc", "c": "xdfv",
    "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip
_CONFUSED = [
    ("rn", "m"), ("m", "rn"), ("cl", "d"), ("0", "o"), ("o", "0"), ("1", "l"), ("l", "1"), ("vv", "w"),
    ("ph", "f"), ("f", "ph"), ("ck", "k"), ("k", "c"), ("c", "k"), ("ie", "ei"), ("ei", "ie"), ("y", "i"),
    ("i", "y"), ("z", "s"), ("s", "z"), ("ee", "ea"), ("ou", "u"), ("ae", "a"), ("oe", "o"), ("ue", "u"),
    ("tt", "t"), ("ll", "l"), ("ss", "s"), ("nn", "n"), ("x", "ks"), ("qu", "kw"), ("sch", "sh"), ("th", "t"),
]  # fmt: skip
_TRANSLITERATED = [
    ("sh", "sch"), ("sch", "sh"), ("ch", "tsch"), ("ch", "c"), ("kh", "h"), ("h", "kh"), ("kh", "ch"), ("ts", "c"),
    ("c", "ts"), ("ts", "tz"), ("y", "j"), ("j", "y"), ("i", "y"), ("iy", "y"), ("y", "iy"), ("yu", "iu"),
    ("ya", "ia"), ("ya", "ja"), ("v", "w"), ("w", "v"), ("zh", "j"), ("z", "zh"), ("ou", "u"), ("u", "ou"),
    ("oo", "u"), ("gh", "g"), ("g", "gh"), ("q", "k"), ("k", "q"), ("k", "kh"), ("e", "a"), ("a", "e"), ("o", "u"),
    ("u", "o"), ("ee", "i"), ("i", "ee"), ("e", "i"), ("ai", "ay"), ("ei", "ey"), ("al ", "el "), ("el ", "al "),
    ("dh", "d"), ("th", "t"), ("aa", "a"), ("a", "aa"), ("eo", "o"), ("eu", "u"), ("r", "l"), ("l", "r"), ("b", "p"),
    ("p", "b"), ("d", "t"), ("f", "v"), ("ng", "n"), ("mb", "nb"),
]  # fmt: skip
_VOWELS = "aeiou"
_AS_CONSONANT = str.maketrans({"o": "w", "u": "w", "i": "y", "e": "", "a": "", "p": "b", "v": "f", "g": "j", "c": "k"})

ABBREVIATIONS = abbreviations()
_EXPANSIONS = {short: long for long, shorts in ABBREVIATIONS.items() for short in shorts if len(short) > 2}
_FORM_SWAPS = [
    ("inc", "incorporated"), ("inc", ""), ("corp", "corporation"), ("corp", ""), ("co", "company"), ("co", ""),
    ("llc", "limited liability company"), ("llc", ""), ("ltd", "limited"), ("ltd", ""), ("gmbh", ""), ("ag", ""),
    ("gmbh", "gesellschaft mit beschrankter haftung"), ("ag", "aktiengesellschaft"), ("sa", ""), ("pvt ltd", "private limited"),
    ("sa", "societe anonyme"), ("ab", "aktiebolag"), ("ab", ""), ("bv", ""), ("nv", ""), ("spa", ""), ("srl", ""),
    ("pc", ""), ("plc", ""), ("pllc", ""), ("lp", ""), ("llp", ""), ("co ltd", "company limited"), ("oy", ""), ("as", ""),
]  # fmt: skip
_PLACES = (
    "dallas", "austin", "houston", "boston", "chicago", "denver", "seattle", "atlanta", "miami", "ohio", "iowa", "texas",
    "delaware", "nevada", "oregon", "virginia", "florida", "georgia", "kansas", "maine", "london", "paris", "berlin",
    "hamburg", "munich", "tokyo", "osaka", "delhi", "mumbai", "north", "south", "east", "west", "northern", "southern",
    "eastern", "western", "upper", "lower", "first", "second", "third", "fourth", "fifth", "one", "two", "three", "four",
    "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x",
)  # fmt: skip

Edit = Callable[[list[str], random.Random], list[str]]


def _random_word(words: Sequence[str], rng: random.Random) -> int:
    """Return the index of a random word, weighted by length."""
    return rng.choices(range(len(words)), weights=[len(word) for word in words])[0]


def misspelt(word: str, rng: random.Random) -> str:
    """Return a word with a typing error: a neighbouring key, a letter dropped, added or swapped, or letters confused."""
    at = rng.randrange(len(word))
    kind = rng.randrange(5)
    if kind == 0:
        near = _KEYBOARD.get(word[at], "e")
        return word[:at] + rng.choice(near) + word[at + 1 :]
    if kind == 1 and len(word) > 2:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + rng.choice((word[at], rng.choice("aeiorstnl"))) + word[at:]
    if kind == 3 and at + 1 < len(word):
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    found = [(old, new) for old, new in _CONFUSED if old in word]
    if not found:
        return word
    old, new = rng.choice(found)
    return word.replace(old, new, 1)


def _typo(words: list[str], rng: random.Random) -> list[str]:
    at = _random_word(words, rng)
    word = words[at]
    if len(word) < 4 or not (word.isascii() and word.isalpha()):  # "101" and "102" are different names
        return words
    return [*words[:at], misspelt(words[at], rng), *words[at + 1 :]]


def _abbreviate(words: list[str], rng: random.Random) -> list[str]:
    result = [rng.choice(ABBREVIATIONS[w]) if w in ABBREVIATIONS and rng.random() < 0.7 else w for w in words]
    if result != words:
        return result
    at = _random_word(words, rng)
    if len(words[at]) < 7 or not words[at].isascii():
        return words
    return [*words[:at], words[at][: rng.randint(3, 5)], *words[at + 1 :]]


def _expand(words: list[str], rng: random.Random) -> list[str]:
    return [_EXPANSIONS.get(word, word) for word in words]


def _change_form(words: list[str], rng: random.Random) -> list[str]:
    core, forms = split_legal_forms(" ".join(words))
    if not forms:
        return [*core, *rng.choice(_FORM_SWAPS[:12])[0].split()]
    options = [new for old, new in _FORM_SWAPS if old == forms[-1]]
    form = rng.choice(options or ["", *_of_script(spellings(forms[-1]), words)]).split()
    return [*form, *core] if form and rng.random() < 0.08 else [*core, *form]


def _of_script(forms: Sequence[str], words: list[str]) -> list[str]:
    """Return the spellings of a form that are in ASCII, or not, as the words are."""
    is_ascii = "".join(words).isascii()
    return [form for form in forms if form.isascii() == is_ascii]


def _drop_word(words: list[str], rng: random.Random) -> list[str]:
    at = rng.randrange(1, len(words)) if len(words) > 2 else len(words)
    # Without a place or a number it may be a different name.
    if any(word in _PLACES or not word.isalpha() for word in words[at : at + 1]):
        return words
    return [*words[:at], *words[at + 1 :]]


def _swap_words(words: list[str], rng: random.Random) -> list[str]:
    if len(words) < 3:
        return words[::-1]
    at = rng.randrange(len(words) - 1)
    return [*words[:at], words[at + 1], words[at], *words[at + 2 :]]


def _join_words(words: list[str], rng: random.Random) -> list[str]:
    if len(words) < 2:
        return words
    at = rng.randrange(len(words) - 1)
    return [*words[:at], words[at] + words[at + 1], *words[at + 2 :]]


def _split_word(words: list[str], rng: random.Random) -> list[str]:
    at = _random_word(words, rng)
    if len(words[at]) < 6:
        return words
    cut = rng.randint(2, len(words[at]) - 2)
    return [*words[:at], words[at][:cut], words[at][cut:], *words[at + 1 :]]


def _cut(words: list[str], rng: random.Random) -> list[str]:
    """Truncate as fixed-width fields do (35 characters in the H-1B files, 30 in securities lists)."""
    text = " ".join(words)
    width = rng.choice((24, 28, 30, 35, 35, 35))
    return text[:width].split() if len(text) > width else words


def _transliterate(words: list[str], rng: random.Random) -> list[str]:
    """Respell as another romanisation of a foreign script would."""
    text = " ".join(words)
    for old, new in rng.sample(_TRANSLITERATED, 12):
        if old in text and rng.random() < 0.5:
            text = text.replace(old, new, rng.choice((1, 9)))
    return text.split()


def _without_vowels(words: list[str], rng: random.Random) -> list[str]:
    """Write as transliterated Arabic or Hebrew: few vowels, and some consonants replaced."""
    return [word[0] + "".join(_consonant(char, rng) for char in word[1:]) if word.isalpha() else word for word in words]


def _consonant(char: str, rng: random.Random) -> str:
    long_vowel = char in _VOWELS and rng.random() < 0.3
    return char if long_vowel or rng.random() < 0.2 else char.translate(_AS_CONSONANT)


def _initial(words: list[str], rng: random.Random) -> list[str]:
    """Shorten one word to its first letter, as is common for first names."""
    at = rng.randrange(len(words))
    if len(words) < 2 or not words[at].isalpha():
        return words
    return [*words[:at], words[at][0], *words[at + 1 :]]


def _trade_name_tail(words: list[str], rng: random.Random) -> list[str]:
    return [*words, rng.choice(("dba", "aka", "dba " + words[0]))]


def _ampersand(words: list[str], rng: random.Random) -> list[str]:
    exchange = {"and": "&", "&": "and", "the": ""}
    result = [exchange.get(word, word) for word in words]
    return [w for w in result if w] if result != words else ["the", *words]


_EDITS: list[tuple[Edit, float]] = [
    (_typo, 4.0), (_abbreviate, 3.0), (_expand, 1.0), (_change_form, 3.0), (_drop_word, 1.0), (_swap_words, 1.0),
    (_join_words, 1.2), (_split_word, 0.8), (_cut, 1.0), (_trade_name_tail, 0.3), (_ampersand, 0.7),
]  # fmt: skip
_LOSING_EDITS: list[tuple[Edit, float]] = [(_transliterate, 0.8), (_without_vowels, 0.3), (_initial, 0.4)]
"""Edits that lose too much to be sure it is the same name: the encoder should find it, the scorer not accept it."""


def variant(normal_form: str, rng: random.Random, *, is_sure: bool = False) -> str:
    """Return another spelling of ``normal_form``, by one to three edits; never empty.

    ``is_sure`` excludes edits that lose what distinguishes names (vowels, all letters but the first). Half of the names
    of another script are edited in Latin letters.
    """
    words = (normal_form if rng.random() < 0.5 else in_letters(normal_form)).split()
    edits, weights = zip(*(_EDITS if is_sure else _EDITS + _LOSING_EDITS), strict=True)
    for edit in rng.choices(edits, weights=weights, k=rng.choice((1, 1, 1, 2, 2, 3))):
        words = " ".join(edit(words, rng)).split() or words
    return " ".join(words)


def sibling(normal_form: str, rng: random.Random, vocabulary: Sequence[str]) -> str | None:
    """Return a different name that looks like ``normal_form``, or None if no safe replacement exists.

    Replaces a number or ordinal with another, a place with another place, or else a distinctive word with a word of
    ``vocabulary``.
    """
    words = normal_form.split()
    numbered = [i for i, word in enumerate(words) if word.isdigit()]
    placed = [i for i, word in enumerate(words) if i and word in _PLACES]
    if numbered:
        at = rng.choice(numbered)
        step = rng.choice((1, 1, 2, 10)) if rng.random() < 0.5 else rng.randint(1, 500)
        words[at] = str(int(words[at][:15]) + step)
    elif placed:
        at = rng.choice(placed)
        group = _PLACES.index(words[at]) // 10
        words[at] = rng.choice([p for p in _PLACES if p != words[at] and _PLACES.index(p) // 10 == group])
    else:
        core, _ = split_legal_forms(normal_form)
        if len(core) < 2:
            return None
        at = rng.randrange(len(core))
        new = rng.choice(vocabulary)
        if len(core[at]) < 4 or core[at] in ABBREVIATIONS or new[:2] == core[at][:2]:
            return None
        if core[at] not in words:  # part of a longer word in a script without spaces
            return None
        words[words.index(core[at])] = new
    return " ".join(words)
