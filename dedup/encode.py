"""Texts to vectors: the siamese character encoder, run by ONNX Runtime.

One shared tower reads a text character by character (an LSTM, its outputs pooled by maximum and mean over
the real characters, never over padding) and adds a hashed character-trigram embedding; the sum is
projected to the unit sphere and rounded to int8. Distances between such vectors are exact integers, equal
on every machine. The tower is trained in ``dedup.training``; nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dedup.errors import VersionMismatch
from dedup.nearest import cosine
from dedup.normalise import fold

ALPHABET = " abcdefghijklmnopqrstuvwxyz0123456789&+"
"""Characters the tower tells apart, numbered from 1; number 0 is padding, the last number all others."""

UNKNOWN = len(ALPHABET) + 1
N_SYMBOLS = len(ALPHABET) + 2
N_TRIGRAM_BUCKETS = 1 << 15

CODE_SCALE = 254.0
"""A unit vector times this, rounded and clipped to ±127, is its int8 code."""

_BATCH_CHARACTERS = 16_384
_BATCH_TEXTS = 512
_SYMBOL_OF_BYTE = np.full(256, UNKNOWN, dtype=np.int32)
_SYMBOL_OF_BYTE[np.frombuffer(ALPHABET.encode("ascii"), dtype=np.uint8)] = np.arange(1, len(ALPHABET) + 1)


class Encoder(Protocol):
    """Anything that turns normal forms into int8 vectors whose cosine is a similarity."""

    def encode(self, normal_forms: Sequence[str]) -> NDArray[np.int8]:
        """Return the codes of ``normal_forms`` as an (n, d) int8 array, in order."""
        ...


def featurise(folded: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the symbols and the trigram buckets of folded texts, both (n, longest) int32.

    Symbol 0 and bucket 0 pad the shorter texts. The trigram at position i is made of the characters
    i-1, i, i+1, with a space before the first and after the last.

    Raises:
        ValueError: a text is empty.
    """
    lengths = [len(text) for text in folded]
    if min(lengths, default=1) == 0:
        raise ValueError("cannot encode an empty text; normalise() and reject empty texts first")
    width = max(lengths, default=0)
    padded = np.zeros((len(folded), width + 2), dtype=np.int64)
    padded[:, 0] = 1
    for row, (text, length) in enumerate(zip(folded, lengths, strict=True)):
        raw = np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8)
        padded[row, 1 : length + 1] = _SYMBOL_OF_BYTE[raw]
        padded[row, length + 1] = 1
    trigrams = (padded[:, :-2] * N_SYMBOLS + padded[:, 1:-1]) * N_SYMBOLS + padded[:, 2:]
    buckets = 1 + (trigrams * 2_654_435_761 >> 7) % (N_TRIGRAM_BUCKETS - 1)
    symbols = padded[:, 1:-1].astype(np.int32)
    real = np.arange(width) < np.asarray(lengths)[:, None]
    symbols *= real
    return symbols, np.where(real, buckets, 0).astype(np.int32)


def quantise(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round (n, d) unit vectors to int8 codes.

    Raises:
        VersionMismatch: a vector is not finite.
    """
    if not np.isfinite(vectors).all():
        raise VersionMismatch(
            "The model gives a vector that is not finite; use the model that ships with neardup, or train anew."
        )
    codes: NDArray[np.int8] = np.clip(np.rint(vectors * CODE_SCALE), -127, 127).astype(np.int8)
    return codes


def batches_by_length(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Split row numbers into batches of like length, so that little of a batch is padding."""
    order = np.argsort(lengths, kind="stable")
    cuts = [0]
    for position in range(len(order)):
        longest = int(lengths[order[position]])
        size = position - cuts[-1]
        if size >= _BATCH_TEXTS or size * longest >= _BATCH_CHARACTERS:
            cuts.append(position)
    cuts.append(len(order))
    return [order[start:stop] for start, stop in pairwise(cuts) if stop > start]


class OnnxEncoder:
    """The trained tower in ONNX Runtime."""

    def __init__(self, model_path: Path) -> None:
        """Load the tower; it will use every core."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(model_path), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._dimension = int(self._session.get_outputs()[0].shape[1])

    def encode(self, normal_forms: Sequence[str]) -> NDArray[np.int8]:
        """Return the codes of ``normal_forms`` as an (n, d) int8 array, in order.

        Raises:
            ValueError: a text is empty.
        """
        folded = [fold(text) for text in normal_forms]
        codes = np.empty((len(folded), self._dimension), dtype=np.int8)
        lengths = np.fromiter(map(len, folded), dtype=np.int64, count=len(folded))
        for rows in batches_by_length(lengths):
            symbols, trigrams = featurise([folded[row] for row in rows])
            (vectors,) = self._session.run(None, {"symbols": symbols, "trigrams": trigrams})
            codes[rows] = quantise(vectors)
        return codes


def pair_similarities(encoder: Encoder, left: Sequence[str], right: Sequence[str]) -> NDArray[np.float32]:
    """Return the siamese cosine, (n,), of each pair of normal forms; each distinct text is encoded once."""
    row_of = {text: row for row, text in enumerate(dict.fromkeys([*left, *right]))}
    codes = encoder.encode(list(row_of))
    return cosine(codes[[row_of[text] for text in left]], codes[[row_of[text] for text in right]])
