"""How the words of two names pair up: equal, respelt, abbreviated, joined, or unpaired."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from rapidfuzz.distance import OSA, Indel

from dedup.text.gazetteer import (
    any_body,
    are_opposites,
    is_distinctive,
    is_implied,
    is_known_spelling,
    is_narrower,
    is_place,
    is_usual_short_form,
    well_known_words,
)
from dedup.text.names import Name, Parts
from dedup.text.transliteration import skeleton

MIN_RATIO = 0.75
"""Normalised Indel similarity from which two words may be spellings of one word."""

_MAX_EDITS = 1 - MIN_RATIO
"""Number of edits per letter, of both words together, up to which they may be."""

_MAX_WORD_PAIRS = 4_096
"""Number of unshared word pairs above which only equal words are paired, as in documents."""

MIN_LENGTH_WITH_UMLAUT = 4
"""Length of the shortest word in which ``ae``, ``oe`` and ``ue`` can stand for umlauts."""

_MIN_LENGTH_BEGUN = 4
"""Length of the shortest word that may have lost a letter or two at its end: ``Ulm`` and ``Ulmen`` are two places."""

_MIN_LENGTH_IN_HAN = 5
"""Length of the shortest word in Chinese characters that may be spelt in two ways."""

ABBREVIATION_RATIO, TYPO_RATIO, KNOWN_SPELLING_RATIO = 0.85, 0.92, 0.95
"""Minimum ratios of a word and a short form, and of long words with a typing error; ratio of usual spellings."""

MIN_LENGTH_WITH_TYPO = 6
LONGEST_ACRONYM = 6
"""Number of letters of the longest acronym."""


class Respelling(NamedTuple):
    """Two spellings of one word: how alike they are, 0 to 1, and how one may have become the other.

    ``is_usual``: a usual spelling, abbreviation, umlaut or plural. ``is_short_form``: a usual one, or one whose letters
    stand in order in the other, at least three fewer. ``is_typo``: one letter of a long word is wrong, missing, added
    or swapped with the next.
    """

    left: str
    right: str
    ratio: float
    is_short_form: bool
    is_usual: bool = False
    is_typo: bool = False


class Acronym(NamedTuple):
    """A word made of the first letters of two to six consecutive words of the other name."""

    word: str
    words: tuple[str, ...]


class Pairing(NamedTuple):
    """The words of two names: shared, respelt, and on one side only.

    ``acronyms`` are words of one name that stand for several of the other. ``is_cut`` tells that one name was probably
    truncated by a fixed-width field. The words it may have lost are left out of ``left_only`` and ``right_only``, and
    so are a word made of the initials of the others and a place that others imply or that only makes one precise.
    """

    shared: tuple[str, ...]
    respelt: tuple[Respelling, ...]
    left_only: tuple[str, ...]
    right_only: tuple[str, ...]
    is_cut: bool
    acronyms: tuple[Acronym, ...] = ()


def abbreviates(short: str, long: str) -> bool:
    """Return whether ``short`` can abbreviate ``long``: same first letter, its letters in order, no digits.

    A single letter can abbreviate any word that starts with it.
    """
    if not (0 < len(short) < len(long)) or short[0] != long[0] or not short.isalpha():
        return False
    position = 0
    for char in short:
        position = long.find(char, position) + 1
        if position == 0:
            return False
    return True


def respelling(left: str, right: str) -> Respelling | None:
    """Return how two different words can be spellings of one word, or None.

    Words with digits cannot, and neither can two places.
    """
    short, long = (left, right) if len(left) < len(right) else (right, left)
    if not (left.isalpha() and right.isalpha()):
        return None
    if not (left.isascii() and right.isascii()):
        return _respelling_in_han(left, right)
    if is_known_spelling(short, long):
        return None if is_place(left) and is_place(right) else Respelling(left, right, KNOWN_SPELLING_RATIO, True, True)
    ratio, missing = 0.0, len(long) - len(short)
    if missing <= (1 - MIN_RATIO) * (len(long) + len(short)):
        ratio = Indel.normalized_similarity(left, right, score_cutoff=MIN_RATIO)
    is_short_form = short[0] == long[0] and abbreviates(short, long)
    if not (ratio or is_short_form) or _are_known_to_differ(left, right):
        return None
    if is_short_form:
        ratio = max(ratio, ABBREVIATION_RATIO)
    is_short_form = is_short_form and missing > 2
    is_one_letter = min(len(set(left)), len(set(right))) == 1  # "aaa" and "aaaa" are different names
    is_begun = len(short) < _MIN_LENGTH_BEGUN and long.startswith(short) and not is_short_form
    if len(short) > 1 and (is_one_letter or is_begun):
        return None
    if _is_umlaut(left, right):
        return Respelling(left, right, KNOWN_SPELLING_RATIO, True, True)
    is_typo = len(short) >= MIN_LENGTH_WITH_TYPO and OSA.distance(left, right, score_cutoff=1) == 1
    if is_typo:
        ratio = max(ratio, TYPO_RATIO)
    return Respelling(left, right, ratio, is_short_form, is_typo=is_typo)


@lru_cache(maxsize=1 << 16)
def _letters(word: str) -> int:
    """Return the set of a word's characters as bits; several characters may share one."""
    bits = 0
    for char in word:
        bits |= 1 << (ord(char) & 63)
    return bits


def _are_known_to_differ(left: str, right: str) -> bool:
    """Return whether two words are two places, exclude each other, or are two well-known acronyms."""
    if (is_place(left) and is_place(right)) or are_opposites(left, right):
        return True
    return bool(well_known_words(left)) and bool(well_known_words(right))


def _respelling_in_han(left: str, right: str) -> Respelling | None:
    """Like ``respelling``, for words in Chinese characters: one other character makes another word of a short one."""
    if min(len(left), len(right)) < _MIN_LENGTH_IN_HAN or (is_place(left) and is_place(right)):
        return None
    ratio = Indel.normalized_similarity(left, right, score_cutoff=MIN_RATIO)
    return Respelling(left, right, ratio, False) if ratio else None


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _is_umlaut(left: str, right: str) -> bool:
    """Whether two words differ only in how umlauts are written in ASCII (``mueller``, ``muller``)."""
    if left[0] != right[0] or abs(len(left) - len(right)) > 2 or min(len(left), len(right)) < MIN_LENGTH_WITH_UMLAUT:
        return False
    plain = [word.replace("ae", "a").replace("oe", "o").replace("ue", "u") for word in (left, right)]
    return plain[0] == plain[1]


class _Aligner:
    """Pairs up the words of two names: positions of the words still unpaired (``free``), and the pairs found."""

    def __init__(self, left: tuple[str, ...], right: tuple[str, ...]) -> None:
        self.words = (left, right)
        self.respelt: list[Respelling] = []
        self.acronyms: list[Acronym] = []
        begin = 0
        for one, other in zip(left, right, strict=False):
            if one != other:
                break
            begin += 1
        shared, free, last = list(left[:begin]), list[int](), [begin - 1, begin - 1]
        places: dict[str, list[int]] = {}
        for j in range(len(right) - 1, begin - 1, -1):
            if (word := right[j]) in places:
                places[word].append(j)
            else:
                places[word] = [j]
        for i in range(begin, len(left)):
            word = left[i]
            if found := places.get(word):
                shared.append(word)
                last[0] = i
                if (j := found.pop()) > last[1]:
                    last[1] = j
            else:
                free.append(i)
        self.shared = shared
        self.n_equal = len(shared)  # the number of words that both names have as they are
        self.last = last  # the position of the last paired word on each side
        self.free: tuple[list[int], list[int]] = (free, sorted(chain.from_iterable(places.values())))

    def _pair(self, i: int, j: int) -> None:
        self.last = [max(self.last[0], i), max(self.last[1], j)]

    def pairing(self, *, is_cut: bool) -> Pairing:
        """Return what was found."""
        left, right = (tuple([words[i] for i in free]) for words, free in zip(self.words, self.free, strict=True))
        return Pairing(tuple(self.shared), tuple(self.respelt), left, right, is_cut, tuple(self.acronyms))

    def pair_unequal(self, *, are_of_two_alphabets: bool) -> None:
        """Pair words that are joined, transliterated, respelt or abbreviated, unless there are too many."""
        if 0 < len(self.free[0]) * len(self.free[1]) <= _MAX_WORD_PAIRS:
            self.join()
            if are_of_two_alphabets:
                self.transliterate()
            if self.free[0] and self.free[1]:
                self.respell()
                self.pair_acronyms()

    def join(self) -> None:
        """Pair a word with the two it is made of (``aerojet``, ``aero jet``), and free words with equal letters."""
        free_left, free_right = self.free
        for side, other in ((0, 1), (1, 0)):
            free, apart = self.free[side], self.words[side]
            if len(free) < 2:
                continue
            together = [self.words[other][j] for j in self.free[other]]
            for i in list(free):
                if i + 1 in free and (joined := apart[i] + apart[i + 1]) in together and i in free:
                    at = together.index(joined)
                    del together[at]
                    free.remove(i)
                    free.remove(i + 1)
                    j = self.free[other].pop(at)
                    self._pair(*((i + 1, j) if side == 0 else (j, i + 1)))
                    self.shared.append(joined)
        left, right = [self.words[0][i] for i in free_left], [self.words[1][j] for j in free_right]
        if left and "".join(left) == "".join(right):
            self._pair(free_left[-1], free_right[-1])
            self.shared += left
            free_left.clear()
            free_right.clear()

    def transliterate(self) -> None:
        """Pair words that are the same in two ways of transliteration."""
        skeletons = [skeleton(self.words[1][j]) for j in self.free[1]]
        for i in list(self.free[0]):
            word = self.words[0][i]
            if word.isalpha() and (found := skeleton(word)) in skeletons:
                at = skeletons.index(found)
                del skeletons[at]
                self.free[0].remove(i)
                j = self.free[1].pop(at)
                self._pair(i, j)
                self.respelt.append(Respelling(word, self.words[1][j], KNOWN_SPELLING_RATIO, False, True))

    def respell(self) -> None:
        """Pair words that are alike, the most alike first.

        Most pairs of words are ruled out before: each letter that only one of them has is an edit between them, and
        only usual short forms begin with another letter.
        """
        left, right = self.words
        seen = [
            [(i, words[i][0], _letters(words[i]), len(words[i]), is_usual_short_form(words[i])) for i in free]
            for words, free in zip(self.words, self.free, strict=True)
        ]
        found = [
            (-spelt.ratio, i, j, spelt)
            for i, begin, letters, size, is_usual in seen[0]
            for j, other_begin, other_letters, other_size, other_is_usual in seen[1]
            if begin == other_begin
            or (letters ^ other_letters).bit_count() <= _MAX_EDITS * (size + other_size)
            or is_usual
            or other_is_usual
            if (spelt := respelling(left[i], right[j]))
        ]
        for _, i, j, spelt in sorted(found):
            if i in self.free[0] and j in self.free[1]:
                self.free[0].remove(i)
                self.free[1].remove(j)
                self._pair(i, j)
                self.respelt.append(spelt)

    def pair_acronyms(self) -> None:
        """Pair a word with consecutive words of the other name that begin with its letters.

        Two letters count only beside a word that both names have.
        """
        for side, other in ((0, 1), (1, 0)):
            if len(self.free[other]) < 2:
                continue
            for i in list(self.free[side]):
                word = self.words[side][i]
                if not 2 <= len(word) <= LONGEST_ACRONYM or not word.isalpha() or (len(word) == 2 and not self.n_equal):
                    continue
                start = self._start_of(word, other)
                if start is None:
                    continue
                expansion = self.free[other][start : start + len(word)]
                self.free[side].remove(i)
                del self.free[other][start : start + len(word)]
                self._pair(*((i, expansion[-1]) if side == 0 else (expansion[-1], i)))
                self.acronyms.append(Acronym(word, tuple(self.words[other][j] for j in expansion)))

    def _start_of(self, initials: str, side: int) -> int | None:
        """Return the index, among the free words of a side, of the first of consecutive ones with these initials."""
        free, words, size = self.free[side], self.words[side], len(initials)
        for start in range(len(free) - size + 1):
            run = free[start : start + size]
            if run[-1] - run[0] == size - 1 and all(words[j][0] == char for j, char in zip(run, initials, strict=True)):
                return start
        return None

    def drop_initials(self, initials: tuple[str, str]) -> None:
        """Remove a word made of the initials of the other name, or of the rest of its own name."""
        for side, other in ((0, 1), (1, 0)):
            dropped = (initials[other], initials[side][1:], initials[side][:-1])
            for i in list(self.free[side]):
                word = self.words[side][i]
                if len(word) > 2 and word in dropped:
                    self.free[side].remove(i)

    def drop_implied_places(self) -> None:
        """Remove a place that its own name implies (``浙江 余姚``).

        Beside a distinctive word of both names, a district says nothing new, either (``长沙 岳麓 中加 学校``), unless
        the other name has another place.
        """
        for words, free in zip(self.words, self.free, strict=True):
            free[:] = [i for i in free if not is_implied(words, i)]
        for side, other in ((0, 1), (1, 0)):
            words, free = self.words[side], self.free[side]
            narrower = [i for i in free if is_narrower(words, i) and i - 1 not in free]
            has_other_place = any(is_place(self.words[other][j]) for j in self.free[other])
            if narrower and not has_other_place and any(map(is_distinctive, self.shared)):
                free[:] = [i for i in free if i not in narrower]

    def drop_cut_words(self, may_be_cut: tuple[bool, bool]) -> bool:
        """Remove the words that a truncated name may have lost; return whether there are any.

        The last word of such a name is paired with a word that it begins.
        """
        for side, other in ((0, 1), (1, 0)):
            free, rest = self.free[side], self.free[other]
            if not may_be_cut[side] or not rest or len(free) > 1:
                continue
            if free:
                at = len(self.words[side]) - 1
                longer = [j for j in rest if self.words[other][j].startswith(self.words[side][at])]
                if free != [at] or not longer or _has_digit(self.words[other][longer[0]]):
                    continue
                free.clear()
                rest.remove(longer[0])
                self._pair(*((at, longer[0]) if side == 0 else (longer[0], at)))
            elif self.last[other] < 0 or rest[0] < self.last[other]:
                continue
            if rest and rest[0] > self.last[other]:
                missing = [self.words[other][j] for j in rest]
                if any_body(missing) or any(map(_has_digit, missing)):
                    continue
                rest.clear()
            return True
        return False


def pair_between(left: tuple[str, ...], right: tuple[str, ...], *, are_of_two_alphabets: bool) -> Pairing:
    """Pair up the words of two long texts that stand between the same equal words."""
    aligner = _Aligner(left, right)
    aligner.pair_unequal(are_of_two_alphabets=are_of_two_alphabets)
    return aligner.pairing(is_cut=False)


def pair_up(left: Name, right: Name, may_be_cut: tuple[bool, bool], *, are_of_two_alphabets: bool = False) -> Pairing:
    """Pair up the core words of two names.

    ``may_be_cut`` tells, for each side, whether its end may be missing; ``are_of_two_alphabets`` whether one of them is
    a transliteration.
    """
    aligner = _Aligner(left.words, right.words)
    is_cut = False
    aligner.pair_unequal(are_of_two_alphabets=are_of_two_alphabets)
    if aligner.free[0] or aligner.free[1]:
        aligner.drop_initials((left.initials, right.initials))
        if not (left.folded.isascii() or right.folded.isascii()):
            aligner.drop_implied_places()
        is_cut = any(may_be_cut) and aligner.drop_cut_words(may_be_cut)
    return aligner.pairing(is_cut=is_cut)


def pair_parts(left: Parts, right: Parts, first: Name, second: Name) -> Pairing:
    """Pair up the part ``first`` of one name with the part ``second`` of the other."""
    ends = (left.may_be_cut and first == left.parts[-1], right.may_be_cut and second == right.parts[-1])
    return pair_up(first, second, ends, are_of_two_alphabets=left.is_latin != right.is_latin)
