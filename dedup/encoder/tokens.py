"""The input of the encoder: the characters of a text, and a bag of hashed grams.

The characters are those of the text in Latin letters: Japanese names by their readings (``sound.JAPANESE``), all others
folded (``normalise.fold``). The grams share one table:

- trigrams: three consecutive folded characters, with a space before the first and after the last;
- words: each folded word;
- initials: the first letters of a text of three to ten words, with and without small words. They are hashed like
  a word, so ``mit`` and ``massachusetts institute of technology`` have a gram in common;
- Chinese characters: each, and each two that follow one another. Most words have homophones, which their letters
  do not tell apart.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dedup.text import han
from dedup.text.normalise import fold
from dedup.text.sound import JAPANESE

ALPHABET = " abcdefghijklmnopqrstuvwxyz0123456789&+"
"""Characters that the encoder distinguishes, numbered from 1; 0 is padding, and the last number is any other."""

UNKNOWN = len(ALPHABET) + 1
N_SYMBOLS = len(ALPHABET) + 2
N_BUCKETS = 48 << 10

WINDOW = 128
"""Length of the longest piece of a text, in characters of its normal form, that is encoded at once."""

_SYMBOL_OF_BYTE = np.full(256, UNKNOWN, dtype=np.int32)
_SYMBOL_OF_BYTE[np.frombuffer(ALPHABET.encode("ascii"), dtype=np.uint8)] = np.arange(1, len(ALPHABET) + 1)
_SMALL_WORDS = frozenset({"of", "the", "and", "&", "for", "in", "de", "la", "le", "du", "des", "del", "da", "do", "di"})
_SMALL_WORDS |= {"et", "e", "y", "und", "fur", "van", "der", "el", "al"}
_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)  # 2**64 divided by the golden ratio (Knuth, TAOCP 3, 6.4)
_HASHED = np.arange(N_SYMBOLS**3, dtype=np.uint64) * _MULTIPLIER >> np.uint64(32)
_BUCKET_OF_TRIGRAM = (_HASHED % np.uint64(N_BUCKETS - 1) + np.uint64(1)).astype(np.int32)


_JAPANESE_FORM = re.compile("株式|有限会社|合同会社|合資会社|社団法人|財団法人|医療法人|学校法人|福祉法人|組合")


def in_letters(normal_form: str) -> str:
    """Return a normal form in Latin letters, a Japanese one by its reading; never empty for a non-empty text.

    A text is Japanese if it has kana, or a Japanese legal form in Chinese characters.
    """
    return normal_form if normal_form.isascii() else _transliterated(normal_form)


@lru_cache(maxsize=1 << 16)
def _transliterated(normal_form: str) -> str:
    if han.has_kana(normal_form) or _JAPANESE_FORM.search(normal_form):
        return " ".join(JAPANESE.fold(normal_form).split()) or fold(normal_form)
    return fold(normal_form)


def _han_grams(normal_form: str) -> list[str]:
    """Return the Chinese characters of a text, unified, and each two that follow one another."""
    if normal_form.isascii():
        return []
    grams: list[str] = []
    for word in normal_form.split(" "):
        for run, script in han.runs(word):
            if script == "han":
                grams += run
                grams += map("".join, pairwise(run))
    return grams


def windows(normal_form: str) -> list[str]:
    """Split a text into pieces of at most 128 characters, between words where possible."""
    return [normal_form] if len(normal_form) <= WINDOW else textwrap.wrap(normal_form, WINDOW)


@lru_cache(maxsize=1 << 18)
def _bucket(word: str) -> int:
    return 1 + crc32(word.encode()) % (N_BUCKETS - 1)


def initials(folded: str) -> list[str]:
    """Return the initials of a folded text of three to ten words: of all words, and without the small words."""
    words = folded.split()
    if not 3 <= len(words) <= 10:
        return []
    every = "".join([word[0] for word in words])
    large = "".join([word[0] for word in words if word not in _SMALL_WORDS])
    return [every, large] if 1 < len(large) < len(every) else [every]


def symbols_and_grams(normal_forms: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the symbols, (n, longest text), and the buckets of the grams, (n, most grams), of n texts; both int32.

    Shorter texts are padded with 0. Grams are in no particular order.

    Raises:
        ValueError: a text is empty.
    """
    folded = [in_letters(text) for text in normal_forms]
    lengths = np.fromiter(map(len, folded), dtype=np.int64, count=len(folded))
    if not lengths.all():
        raise ValueError("cannot encode an empty text; normalise() and reject empty texts first")
    width = int(lengths.max(initial=0))
    real = np.arange(width) < lengths[:, None]
    padded = np.zeros((len(folded), width + 2), dtype=np.int32)
    padded[:, 0] = 1
    padded[:, 1:-1][real] = _SYMBOL_OF_BYTE[np.frombuffer("".join(folded).encode("ascii", "replace"), dtype=np.uint8)]
    symbols = padded[:, 1:-1].copy()
    padded[np.arange(len(folded)), lengths + 1] = 1
    trigrams = (padded[:, :-2] * N_SYMBOLS + padded[:, 1:-1]) * N_SYMBOLS + padded[:, 2:]
    whole = [
        list(map(_bucket, (*text.split(), *initials(text), *_han_grams(normal))))
        for text, normal in zip(folded, normal_forms, strict=True)
    ]
    counts = np.fromiter(map(len, whole), dtype=np.int64, count=len(whole))
    most = int(counts.max(initial=0))
    grams = np.zeros((len(folded), width + most), dtype=np.int32)
    grams[:, :width] = _BUCKET_OF_TRIGRAM[trigrams] * real
    grams[:, width:][np.arange(most) < counts[:, None]] = list(chain.from_iterable(whole))
    return symbols, grams


class LettersAndGrams:
    """The reader of the shipped encoder, as ``token_reader.TokenReader`` is of others."""

    @staticmethod
    def windows(normal_form: str) -> list[str]:
        """Return the pieces of a text that are encoded one by one."""
        return windows(normal_form)

    @staticmethod
    def width(normal_form: str) -> int:
        """Return the number of letters of a text, by which batches are formed."""
        return len(in_letters(normal_form))

    @staticmethod
    def read(normal_forms: Sequence[str]) -> dict[str, NDArray[np.int32]]:
        """Return the inputs of the encoder by their names."""
        symbols, grams = symbols_and_grams(normal_forms)
        return {"symbols": symbols, "grams": grams}
