"""Names by sound: Chinese characters and kana in Latin letters, for comparison with names in another script.

Chinese characters are read in pinyin or in Japanese. The Japanese readings in ``data/kanji_readings.json`` are
those of characters, and of words that are not read character by character. They were counted in 19,000 names of
Japan Post and EDINET, each written in characters and in kana, after the two were aligned by
expectation-maximisation (Jiampojamarn, Kondrak and Sherif, "Applying many-to-many alignments and hidden Markov
models to letter-to-phoneme conversion", NAACL 2007).

Two Japanese names are compared in kana, sign by sign, because old registers write no small kana; Latin letters,
English words and Japan (``data/kana.json``, by hand) are read as the other name has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from itertools import accumulate

from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

from dedup.text import han
from dedup.text.legal_forms import split_legal_forms
from dedup.text.names import AS_WRITTEN, NO_WIDTHS, Parts, Reading, take_apart
from dedup.text.normalise import fold

_HIRAGANA = {code: chr(code + 0x60) for code in range(0x3041, 0x3097)}  # to katakana
_SMALL_VOWELS = {"ァ": "a", "ィ": "i", "ゥ": "u", "ェ": "e", "ォ": "o"}
_SMALL_SYLLABLES = {"ャ": "a", "ュ": "u", "ョ": "o"}
_SMALL_KANA = re.compile("[ァィゥェォッャュョ]")
_TO_LARGE = str.maketrans("ァィゥェォッャュョヮ", "アイウエオツヤユヨワ")
_TO_SMALL = str.maketrans("ヤユヨ", "ャュョ")
_MEANT_SMALL = re.compile("(?<=[キギシジチヂニヒビピミリ])[ヤユヨ]")
_MEANT_DOUBLED = re.compile("(?<=.)ツ(?=[カキクケコサシスセソタチツテトパピプペポ])")
_HEPBURN_WORD = re.compile(
    r"(?:(?:([kstp])(?=\1)|t(?=ch))?(?:[kgnhbpmr]y|sh|ch|ts|[kstnhmyrwgzjdbpf])?[aiueo]|n(?![aiueo]))+"
)
_READ_AS_THE_OTHER = re.compile(r"[a-z]+(?: & [a-z]+)*|日本")
_LONGEST_SPELT_OUT = 6
"""Length of the longest Latin word that is read letter by letter."""

_JAPANESE_FORMS = frozenset({"gk", "kk", "yk"})

_MIN_COMMON = 3
"""Number of letters in a row that two names share where a word of one ends within a word of the other."""

_MIN_COMMON_WORD = 6
"""The same where only the letters on one side of that end are shared."""


@cache
def _readings() -> Mapping[str, str]:
    data = json.loads(resources.files("dedup").joinpath("data/kanji_readings.json").read_text(encoding="utf-8"))
    return {word: reading for reading, words in data.items() for word in words.split()}


def romaji(kana: str) -> str:
    """Return kana in Latin letters, by the Hepburn system, with double consonants and without vowel marks.

    Where kana are all large, as in old registers (``シンジユク``), those usually written small count as small.
    """
    kana = kana.translate(_HIRAGANA)
    if not _SMALL_KANA.search(kana):
        kana = _MEANT_SMALL.sub(lambda match: match.group().translate(_TO_SMALL), kana)
        kana = _MEANT_DOUBLED.sub("ッ", kana)
    result, is_doubled = "", False
    for char in kana.replace("ー", ""):
        if char == "ッ":
            is_doubled = True
        elif char in _SMALL_SYLLABLES and result.endswith("i"):
            is_palatal = result.endswith(("shi", "chi", "ji"))
            result = result[:-1] + ("" if is_palatal else "y") + _SMALL_SYLLABLES[char]
        elif char in _SMALL_VOWELS and len(result) > 1:
            result = result[:-1] + _SMALL_VOWELS[char]
        else:
            letters = fold(char)
            if is_doubled:
                letters = ("t" if letters.startswith("ch") else letters[0]) + letters
                is_doubled = False
            result += letters
    return result or fold(kana)


def _of_han(run: str) -> Iterator[str]:
    """Yield the Japanese readings of the words in a run of Chinese characters."""
    readings = _readings()
    for piece in han.split(run, as_written=True):
        yield readings.get(piece) or "".join([readings.get(char) or fold(char) for char in piece])


@lru_cache(maxsize=1 << 14)
def _in_japanese(word: str) -> tuple[str, ...]:
    result: list[str] = []
    for run, script in han.runs(word):
        if script == "kana":
            result.append(romaji(run))
        elif script == "other":
            result.append(fold(run))
        else:
            result += _of_han(run)
    return tuple(result)


def _in_large_kana(letters: str) -> str:
    """Return Japanese in Hepburn letters as ``han.fold_kana`` gives its kana: ``gakkou`` as ``gatsukou``."""
    if not _HEPBURN_WORD.fullmatch(letters):
        return letters
    for pattern, replacement in _SMALL_IN_HEPBURN:
        letters = pattern.sub(replacement, letters)
    return letters


_SMALL_IN_HEPBURN = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        ("tch", "tsuch"), (r"([kstp])(?=\1)", "tsu"), ("(sh|ch)([auo])", r"\1iy\2"), ("j([auo])", r"jiy\1"),
        ("([kghbpmr])y", r"\1iy"), ("(?:^n|n(?=yu))y", "niy"),
    )
)  # fmt: skip


@lru_cache(maxsize=1 << 14)
def _in_kana(word: str) -> tuple[str, ...]:
    result: list[str] = []
    for run, script in han.runs(word):
        if script == "kana":
            result.append(han.fold_kana(run))
        elif script == "other":
            result.append(_in_large_kana(fold(run)))
        else:
            result += [_in_large_kana(reading) for reading in _of_han(run)]
    return tuple(result)


def _separate_in_kana(words: Sequence[str]) -> list[str]:
    return [piece for word in words for piece in _in_kana(word)]


def _fold_in_kana(normal_form: str) -> str:
    words, forms = split_legal_forms(normal_form)
    return " ".join([*_separate_in_kana(words), *forms])


def _separate_in_japanese(words: Sequence[str]) -> list[str]:
    return [piece for word in words for piece in ((word,) if word.isascii() else _in_japanese(word))]


def _separate_in_pinyin(words: Sequence[str]) -> list[str]:
    return [fold(word) for word in han.separate(words)]


PINYIN = Reading(_separate_in_pinyin, fold)
JAPANESE = Reading(_separate_in_japanese, lambda name: " ".join(_separate_in_japanese(name.split(" "))))


def _is_japanese(parts: Parts) -> bool:
    return parts.has_kana or not _JAPANESE_FORMS.isdisjoint(parts.whole.forms)


def are_compared_in_kana(left: Parts, right: Parts) -> bool:
    """Return whether one of two names is in kana, and neither is in Latin letters."""
    return (left.is_in_kana or right.is_in_kana) and not (left.is_latin or right.is_latin)


_IN_KANA = Reading(_separate_in_kana, _fold_in_kana)


def in_kana(normal_form: str, other: str) -> tuple[Parts, Parts]:
    """Parse two Japanese names, of which one may have no Chinese characters, as they are written in kana.

    A name has no spaces where the other has some, or in other places: words are cut where words of the other end.
    """
    left, right = _read_out(normal_form, other), _read_out(other, normal_form)
    if left.count(" ") != right.count(" ") and _joined(left) == _joined(right):
        left = right = max(left, right, key=lambda name: name.count(" "))
    ours, theirs = take_apart(left, reading=_IN_KANA), take_apart(right, reading=_IN_KANA)
    if len(ours.parts) > 1 or len(theirs.parts) > 1:
        return ours, theirs
    return _cut_alike(ours, theirs), _cut_alike(theirs, ours)


def _joined(normal_form: str) -> str:
    return "".join(_separate_in_kana(normal_form.split(" ")))


@lru_cache(maxsize=1 << 14)
def _cut_alike(parts: Parts, other: Parts) -> Parts:
    """Cut the words of a name where words of another name end in it, by the alignment of their letters."""
    words, others = parts.whole.words, other.whole.words
    if words == others:
        return parts
    text, other_text = "".join(words), "".join(others)
    ends, other_ends = _ends(words), _ends(others)
    for block in Indel.opcodes(text, other_text):
        size = block.dest_end - block.dest_start
        if block.tag == "equal" and size >= _MIN_COMMON:
            margin = int(size < _MIN_COMMON_WORD)
            shift = block.src_start - block.dest_start
            ends |= {end + shift for end in other_ends if block.dest_start + margin <= end <= block.dest_end - margin}
    cuts = sorted(ends - {0, len(text)})
    cut = tuple(text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True))
    if cut == words:
        return parts
    initials = "".join([word[0] for word in cut])
    whole = parts.whole._replace(words=cut, core=" ".join(cut), initials=initials)
    return parts._replace(whole=whole, parts=(whole,))


def _ends(words: Sequence[str]) -> set[int]:
    """Return where words end within a name."""
    return set(accumulate(map(len, words[:-1])))


@cache
def _kana_of() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return patterns of the kana, all large, that Latin letters and words may be read as."""
    data = json.loads(resources.files("dedup").joinpath("data/kana.json").read_text(encoding="utf-8"))
    letters, words = (
        {word: f"(?:{kana.replace(' ', '|')})" for word, kana in data[key].items()} for key in ("letters", "words")
    )
    return letters, words


@lru_cache(maxsize=1 << 14)
def _kana_pattern(word: str) -> re.Pattern[str] | None:
    letters, words = _kana_of()
    options = [words[word]] if word in words else []
    if word[0] in letters and len(word.replace(" & ", "")) <= _LONGEST_SPELT_OUT:
        options.append("".join([letters[letter] for letter in word.replace(" ", "")]))
    return re.compile("|".join(options)) if options else None


def _read_out(normal_form: str, other: str) -> str:
    """Replace Latin letters and words by the kana that another name has for them."""
    if not _READ_AS_THE_OTHER.search(normal_form):
        return normal_form
    kana = other.translate(_HIRAGANA).translate(_TO_LARGE).replace(" ", "")
    return " ".join(_READ_AS_THE_OTHER.sub(lambda match: _as_in(kana, match.group()), normal_form).split())


def _as_in(kana: str, word: str) -> str:
    pattern = _kana_pattern(word)
    if pattern and (found := pattern.search(kana)):
        return f" {found.group()} "
    return " & ".join([_as_in(kana, letters) for letters in word.split(" & ")]) if "&" in word else word


def by_sound(normal_form: str, other: Parts) -> Parts:
    """Parse a name with its Chinese characters and kana in Latin letters, so that it sounds most like ``other``."""
    written = take_apart(normal_form, NO_WIDTHS)  # as it is in the cache
    if written.has_kana:
        readings = (JAPANESE,) if written.has_han else (JAPANESE, AS_WRITTEN)  # as written: every sign by itself
    elif written.has_han:
        readings = (JAPANESE,) if _is_japanese(written) or _is_japanese(other) else (PINYIN, JAPANESE)
    else:
        return written
    options = [take_apart(normal_form, reading=reading) for reading in readings]
    return max(options, key=lambda parts: fuzz.ratio(parts.whole.core, other.whole.core))
