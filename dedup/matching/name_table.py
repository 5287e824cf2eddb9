"""Many parsed names as arrays, from which bounds on their evidence are computed.

A name has one or more parts (``X dba Y``), and a part has tokens. A token is a word with its number of earlier
occurrences in the part, so the words that two parts share are exactly their common tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dedup.text.gazetteer import is_body, is_implied, is_narrower, is_place, known_spellings, well_known_words
from dedup.text.names import NO_WIDTHS, Name, initials_of, take_apart
from dedup.text.pairing import LONGEST_ACRONYM
from dedup.text.word_weights import WordModel

_BLOCK_SIZE = 50_000
"""Number of words described between two progress reports."""

BINS = 32
"""Number of bins in which letters and digits are counted; characters in the same bin count as equal."""

_BIN = np.array([c - 97 if 97 <= c <= 122 else 26 + (c - 48) // 2 if 48 <= c <= 57 else 31 for c in range(128)])

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WordTable:
    """The v distinct tokens of many names: arrays (v,), and pairs of words as sorted keys ``a * v + b``.

    ``spelling`` is the word (as an object, because threads share it), ``word`` the first token of the same word,
    ``letters`` its set of characters as bits (several characters may share one), ``first`` its first character.
    ``log_count`` is the logarithm of its number of occurrences.
    ``known`` are pairs of usual spellings, ``respelt`` pairs with the learnt weights ``respelt_weights``, both in
    either order; ``has_known`` and ``has_respelt`` mark the words in them.
    """

    spelling: NDArray[Any]
    word: NDArray[np.int32]
    length: NDArray[np.int32]
    letters: NDArray[np.uint64]
    first: NDArray[np.uint8]
    is_alpha: Bools
    is_place: Bools
    is_body: Bools
    is_well_known: Bools
    idf: Floats
    log_count: Floats
    alone: Floats
    exchanged: Floats
    known: Ints
    has_known: Bools
    respelt: Ints
    respelt_weights: Floats
    has_respelt: Bools

    @classmethod
    def of(
        cls,
        vocabulary: Mapping[tuple[str, int], int],
        word_model: WordModel,
        progress: Callable[[int, int], None],
    ) -> WordTable:
        """Describe the tokens of ``vocabulary``, which are numbered 0 to v-1 in the order of the mapping.

        ``progress`` is called with the number of tokens done and the total.
        """
        words = [word for word, _ in vocabulary]
        size = len(words)
        usual = chain(known_spellings(), map(str.split, word_model.corpus.short_forms))
        known, _ = _pairs(((pair, 0.0) for pair in usual), vocabulary)
        clues = (
            (words.partition("|")[::2], w)
            for (kind, words), w in word_model.weights.weights.items()
            if kind == "respelt"
        )
        respelt, respelt_weights = _pairs(clues, vocabulary)
        blocks = []
        for start in range(0, max(1, size), _BLOCK_SIZE):
            blocks.append(_describe_words(words[start : start + _BLOCK_SIZE], vocabulary, word_model))
            progress(min(start + _BLOCK_SIZE, size), size)
        return cls(
            **{name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]},
            known=known,
            has_known=_is_in(known, size),
            respelt=respelt,
            respelt_weights=respelt_weights,
            has_respelt=_is_in(respelt, size),
        )


def _describe_words(
    words: list[str], vocabulary: Mapping[tuple[str, int], int], word_model: WordModel
) -> dict[str, NDArray[Any]]:
    """Return the columns of a ``WordTable`` that describe single words."""
    size = len(words)
    weight = word_model.weights.of
    idf = np.fromiter(map(word_model.idf.of, words), np.float64, size)
    ascii_ = [as_bytes(word) for word in words]
    return {
        "spelling": np.array(words, object),
        "word": np.fromiter((vocabulary[word, 0] for word in words), np.int32, size),
        "length": np.fromiter(map(len, words), np.int32, size),
        "letters": np.fromiter(map(_letters, ascii_), np.uint64, size),
        "first": np.fromiter((spelling[0] for spelling in ascii_), np.uint8, size),
        "is_alpha": np.fromiter(map(str.isalpha, words), np.bool_, size),
        "is_place": np.fromiter(map(is_place, words), np.bool_, size),
        "is_body": np.fromiter(map(is_body, words), np.bool_, size),
        "is_well_known": np.fromiter((bool(well_known_words(word)) for word in words), np.bool_, size),
        "idf": idf,
        "log_count": word_model.idf.unseen - idf,
        "alone": np.fromiter((weight(("alone", word)) for word in words), np.float64, size),
        "exchanged": np.fromiter((weight(("exchanged", word)) for word in words), np.float64, size),
    }


def as_bytes(text: str) -> bytes:
    """Return one byte below 128 for each character; several characters outside ASCII share one."""
    return text.encode() if text.isascii() else bytes([ord(char) & 127 for char in text])


def _letters(spelling: bytes) -> int:
    bits = 0
    for char in spelling:
        bits |= 1 << (char & 63)
    return bits


def _pairs(
    weighted: Iterable[tuple[Sequence[str], float]], vocabulary: Mapping[tuple[str, int], int]
) -> tuple[Ints, Floats]:
    """Return the sorted keys of the pairs with both words in the vocabulary, and their weights."""
    size = len(vocabulary)
    found = {}
    for (left, right), weight in weighted:
        first, second = vocabulary.get((left, 0)), vocabulary.get((right, 0))
        if first is not None and second is not None:
            found[first * size + second] = found[second * size + first] = weight
    keys = sorted(found)
    return np.array(keys, np.int64), np.array([found[key] for key in keys], np.float64)


def _is_in(keys: Ints, size: int) -> Bools:
    """Return which words, (size,), occur in a pair."""
    result = np.zeros(size, np.bool_)
    result[keys // max(1, size)] = True
    return result


@dataclass(frozen=True, slots=True)
class NameTable:
    """n names with r parts and t tokens in total.

    Name i has the parts ``parts[i]`` to ``parts[i + 1]``, and part j the tokens ``starts[j]`` to ``starts[j + 1]``.

    By token (t,): ``tokens``, its row in ``words``; whether it is a number of its part; whether it is the initials
    of the part's other words or a place that pairing may leave out.

    By part (r,): the length of the core in characters; ``initials``, a row in ``words`` or -1 if no name has that
    word; ``initials_code``, a checksum of the initials that may be an acronym, and ``core_code``, one of a core that
    may be one, 0 for none; whether the core is a well-known acronym; a number for the legal forms, 0 for none;
    whether the end may be missing; whether it has numbers; the letter counts of the core, (r, ``BINS``), and their sum.

    By name (n,): the letter counts of the whole name and of its consonants, (n, ``BINS``) each, and their sums;
    whether it is in Latin letters, whether it has Chinese characters, and whether it is in kana; whether it has an
    umlaut, and whether it has two letters that may stand for one.
    """

    words: WordTable
    parts: Ints
    starts: Ints
    tokens: NDArray[np.int32]
    is_number: Bools
    is_redundant: Bools
    core_length: NDArray[np.float32]
    initials: NDArray[np.int32]
    initials_code: NDArray[np.uint32]
    core_code: NDArray[np.uint32]
    is_well_known: Bools
    forms: NDArray[np.int32]
    may_be_cut: Bools
    has_numbers: Bools
    core_letters: NDArray[np.uint8]
    core_size: NDArray[np.int32]
    letters: NDArray[np.uint8]
    size: NDArray[np.int32]
    consonants: NDArray[np.uint8]
    n_consonants: NDArray[np.int32]
    is_latin: Bools
    has_han: Bools
    is_in_kana: Bools
    has_umlaut: Bools
    may_be_written_out: Bools


@dataclass(frozen=True, slots=True)
class Block:
    """The columns of a ``NameTable`` for some names, with tokens, forms and initials as positions in lists.

    Initials of fewer than three letters are -1.
    """

    arrays: dict[str, NDArray[Any]]
    vocabulary: list[tuple[str, int]]
    forms: list[tuple[str, ...]]
    initials: list[str]


def describe(normal_forms: Sequence[str], widths: frozenset[int] = NO_WIDTHS) -> Block:
    """Parse names into the columns of a ``NameTable``; their corpus cuts names off at the lengths ``widths``."""
    names = [take_apart(normal, widths) for normal in normal_forms]
    parts = [part for name in names for part in name.parts]
    vocabulary: dict[str | tuple[str, int], int] = {}  # a bare word stands for its first token, which saves a tuple
    forms: dict[tuple[str, ...], int] = {}
    initials: dict[str, int] = {}
    tokens: list[int] = []
    for part in parts:
        tokens += [vocabulary.setdefault(token, len(vocabulary)) for token in _tokens(part.words)]
    cores = [part.core.replace(" ", "") for part in parts]
    core_letters, core_size = _count_letters(cores)
    acronyms = [core if len(core) <= LONGEST_ACRONYM else "" for core in cores]
    letters, size = _count_letters([name.whole.folded for name in names])
    consonants, n_consonants = _count_letters([name.consonants for name in names])
    cut = [may_be_cut and part == parts[-1] for _, parts, may_be_cut, *_ in names for part in parts]
    arrays = {
        "n_parts": np.array([len(name.parts) for name in names]),
        "n_tokens": np.array([len(part.words) for part in parts]),
        "tokens": np.array(tokens, np.int32),
        "is_number": np.array(_numbers(parts), np.bool_),
        "is_redundant": np.array(_redundant(parts), np.bool_),
        "core_length": np.array([len(part.core) for part in parts], np.float32),
        "forms": np.array([forms.setdefault(part.forms, len(forms)) for part in parts], np.int32),
        "initials": np.array(
            [initials.setdefault(part.initials, len(initials)) if len(part.initials) > 2 else -1 for part in parts],
            np.int32,
        ),
        "initials_code": np.array([crc32(initials_of(part).encode()) for part in parts], np.uint32),
        "core_code": np.array([crc32(acronym.encode()) for acronym in acronyms], np.uint32),
        "is_well_known": np.array([bool(well_known_words(acronym)) for acronym in acronyms], np.bool_),
        "may_be_cut": np.array(cut, np.bool_),
        "has_numbers": np.array([bool(part.numbers) for part in parts], np.bool_),
        "core_letters": core_letters,
        "core_size": core_size,
        "letters": letters,
        "size": size,
        "consonants": consonants,
        "n_consonants": n_consonants,
        "is_latin": np.array([name.is_latin for name in names], np.bool_),
        "has_han": np.array([name.has_han for name in names], np.bool_),
        "is_in_kana": np.array([name.is_in_kana for name in names], np.bool_),
        "has_umlaut": np.array([name.has_umlaut for name in names], np.bool_),
        "may_be_written_out": np.array([name.may_be_written_out for name in names], np.bool_),
    }
    listed = [(token, 0) if isinstance(token, str) else token for token in vocabulary]
    return Block(arrays, listed, list(forms), list(initials))


def _tokens(words: tuple[str, ...]) -> Iterable[str | tuple[str, int]]:
    if len(set(words)) == len(words):
        return words
    counts: Counter[str] = Counter()
    tokens: list[str | tuple[str, int]] = []
    for word in words:
        tokens.append((word, counts[word]) if counts[word] else word)
        counts[word] += 1
    return tokens


def table_of_names(
    blocks: Iterable[Block], word_model: WordModel, progress: Callable[[int, int], None] = lambda done, total: None
) -> NameTable:
    """Combine blocks of names, and describe their words.

    ``progress`` is called with the number of words described and the total.
    """
    vocabulary: dict[tuple[str, int], int] = {}
    forms: dict[tuple[str, ...], int] = {(): 0}
    initials: dict[str, int] = {}
    arrays: dict[str, list[NDArray[Any]]] = {}
    for block in blocks:
        places = [vocabulary.setdefault(token, len(vocabulary)) for token in block.vocabulary]
        numbers = [forms.setdefault(of_part, len(forms)) for of_part in block.forms]
        letters = [initials.setdefault(of_part, len(initials)) for of_part in block.initials]
        renumbered = {
            "tokens": np.array(places, np.int32)[block.arrays["tokens"]],
            "forms": np.array(numbers, np.int32)[block.arrays["forms"]],
            "initials": np.array([*letters, -1], np.int32)[block.arrays["initials"]],
        }
        for name, array in (block.arrays | renumbered).items():
            arrays.setdefault(name, []).append(array)
    whole = {name: np.concatenate(arrays.pop(name)) for name in list(arrays)}
    words = np.array([*(vocabulary.get((letters, 0), -1) for letters in initials), -1], np.int32)
    return NameTable(
        words=WordTable.of(vocabulary, word_model, progress),
        parts=_places(whole.pop("n_parts")),
        starts=_places(whole.pop("n_tokens")),
        initials=words[whole.pop("initials")],
        **whole,
    )


def _numbers(parts: list[Name]) -> list[bool]:
    """Return whether each word is a number of its name."""
    result: list[bool] = []
    for part in parts:
        if part.numbers:
            result += [word in part.numbers for word in part.words]
        else:
            result += [False] * len(part.words)
    return result


def _redundant(parts: list[Name]) -> list[bool]:
    """Return whether each word is the initials of its name's other words, or a place that pairing may leave out."""
    result: list[bool] = []
    for part in parts:
        initials = {part.initials[1:], part.initials[:-1]} if len(part.initials) > 3 else set()
        if part.core.isascii() and initials.isdisjoint(part.words):
            result += [False] * len(part.words)
        else:
            result += [
                (len(word) > 2 and word in initials) or is_implied(part.words, at) or is_narrower(part.words, at)
                for at, word in enumerate(part.words)
            ]
    return result


def _places(counts: NDArray[np.generic]) -> Ints:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _count_letters(texts: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the number of characters of n texts in each bin, (n, ``BINS``), capped at 255, and in total, (n,)."""
    encoded = [as_bytes(text) for text in texts]
    sizes = np.fromiter(map(len, encoded), np.int32, len(encoded))
    cells = np.repeat(np.arange(len(texts)) * BINS, sizes) + _BIN[np.frombuffer(b"".join(encoded), np.uint8)]
    counts = np.bincount(cells, minlength=len(texts) * BINS).reshape(-1, BINS)
    return np.minimum(counts, 255).astype(np.uint8), sizes
