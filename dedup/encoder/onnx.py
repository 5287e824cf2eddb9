"""Texts to vectors: the siamese character encoder, run by ONNX Runtime.

Both texts of a pair go through the same tower. An LSTM reads the characters; the maximum and the mean of its
outputs, without padding, are projected, and the embeddings of the hashed grams are added. The sum is scaled to
length 1 and rounded to int8, so dot products are exact integers, equal on every machine. The vector of a text
of several windows is the mean of their vectors, weighted by length and scaled to length 1. The tower is trained
in ``dedup.training``; nothing here imports torch.

Encoders of other architectures read other tokens; theirs are listed in the file itself, so that one hash covers both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import cosine
from dedup.encoder.token_reader import TokenReader
from dedup.encoder.tokens import LettersAndGrams
from dedup.errors import VersionMismatch
from dedup.runtime import threads
from dedup.runtime.onnx_session import session

CODE_SCALE = 254.0
"""Factor by which a unit vector is multiplied before it is rounded and clipped to ±127, its int8 code."""

TOKENS = "tokens"
"""Metadata of an ONNX file that hold the ``TokenReader`` of its encoder; without them it reads letters and grams."""

ATTENTION = "attention_"
"""Beginning of the names of the outputs with the attention of each block, (n, heads, length, length)."""

REMEDY = "use the model that ships with neardup, or train one with `dedup train`."

_BATCH_CHARACTERS = 4_096  # the activations of a batch fit in a core's cache
_BATCH_TEXTS = 128


class Reader(Protocol):
    """Turns normal forms into the inputs of an encoder."""

    def windows(self, normal_form: str) -> list[str]:
        """Return the pieces of a text that are encoded one by one."""

    def width(self, normal_form: str) -> int:
        """Return about the number of tokens of a piece, by which batches are formed."""

    def read(self, normal_forms: Sequence[str]) -> Mapping[str, NDArray[np.int32]]:
        """Return the inputs of the encoder by their names; raises ``ValueError`` for an empty text."""


class Encoder(Protocol):
    """Anything that turns normal forms into int8 vectors whose cosine is a similarity."""

    def encode(self, normal_forms: Sequence[str]) -> NDArray[np.int8]:
        """Return the codes of ``normal_forms`` as an (n, d) int8 array, in order."""
        ...


def quantise(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round (n, d) unit vectors to int8 codes.

    Raises:
        VersionMismatch: a vector is not finite.
    """
    if not np.isfinite(vectors).all():
        raise VersionMismatch(f"The model returned a vector that is not finite; {REMEDY}")
    codes: NDArray[np.int8] = np.clip(np.rint(vectors * CODE_SCALE), -127, 127).astype(np.int8)
    return codes


def batches_by_length(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Split row numbers into batches of similar length, which need little padding."""
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

    def __init__(self, model_path: Path, dimension: int | None = None) -> None:
        """Load the tower and try it. It encodes ``threads.count()`` batches at once, each on one core.

        Raises:
            VersionMismatch: the file is not a tower, or its vectors do not have the expected ``dimension``.
        """
        self._model_path = model_path
        try:
            self._session = session(model_path)
            tokens = self._session.get_modelmeta().custom_metadata_map.get(TOKENS)
            self.reader: Reader = TokenReader.from_json(json.loads(tokens)) if tokens else LettersAndGrams()
            found = self._vectors(["a"]).shape
        except MemoryError:
            raise
        except Exception as error:  # those of ONNX Runtime have no common base class
            raise VersionMismatch(f"{model_path} is not an encoder of this version ({error}); {REMEDY}") from error
        if len(found) != 2 or dimension not in (None, found[1]):
            raise VersionMismatch(f"{model_path} makes vectors of shape {found}, not (1, {dimension}); {REMEDY}")
        self.dimension: int = found[1]

    def __reduce__(self) -> tuple[type[OnnxEncoder], tuple[Path, int]]:
        """Pickle only the path and the dimension; the copy loads the tower again."""
        return OnnxEncoder, (self._model_path, self.dimension)

    def encode(self, normal_forms: Sequence[str]) -> NDArray[np.int8]:
        """Return the codes of ``normal_forms`` as an (n, d) int8 array, in order.

        Raises:
            ValueError: a text is empty.
        """
        parts = [self.reader.windows(text) for text in normal_forms]
        texts = [part for pieces in parts for part in pieces]
        counts = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
        owners = np.repeat(np.arange(len(parts)), counts)
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        widths = np.fromiter(map(self.reader.width, texts), dtype=np.int64, count=len(texts))
        codes = np.empty((len(parts), self.dimension), dtype=np.int8)
        long = np.flatnonzero(counts != 1)
        sums = np.zeros((len(long), self.dimension), dtype=np.float32)

        def encode_batch(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            """Store the codes of texts of one window; return the rows and vectors of the others' windows."""
            vectors = self._vectors([texts[row] for row in rows])
            is_piece = counts[owners[rows]] > 1
            codes[owners[rows[~is_piece]]] = quantise(vectors[~is_piece])
            return rows[is_piece], vectors[is_piece]

        batches = batches_by_length(widths)
        for pieces, vectors in (threads.in_order if len(batches) > 1 else map)(encode_batch, batches):
            np.add.at(sums, np.searchsorted(long, owners[pieces]), vectors * lengths[pieces, None])
        codes[long] = quantise(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9))
        return codes

    def pooled(self, normal_forms: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts before they are scaled and rounded, (n, d), as the head of a network takes them.

        An encoder whose vectors always have length 1 returns those. Only the first window of a text is read.
        """
        texts = [self.reader.windows(text)[0] for text in normal_forms]
        lengths = np.fromiter(map(self.reader.width, texts), dtype=np.int64, count=len(texts))
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        name = next((one.name for one in self._session.get_outputs() if one.name == "pooled"), "vectors")
        for rows in batches_by_length(lengths):
            (vectors[rows],) = self._session.run([name], dict(self.reader.read([texts[row] for row in rows])))
        return vectors

    def attention(self, normal_form: str) -> tuple[list[str], NDArray[np.float32]] | None:
        """Return the tokens of a text and how much each attends to each other, (blocks, heads, length, length).

        None if the tower has no attention, or its file does not tell the weights. Only the first window is read.
        """
        names = [one.name for one in self._session.get_outputs() if one.name.startswith(ATTENTION)]
        if not names or not isinstance(self.reader, TokenReader):
            return None
        found = self._session.run(names, self.reader.read([normal_form]))
        return self.reader.shown(normal_form), np.concatenate(found)

    def _vectors(self, texts: list[str]) -> NDArray[np.float32]:
        (vectors,) = self._session.run(["vectors"], dict(self.reader.read(texts)))
        return np.asarray(vectors, dtype=np.float32)


def pair_similarities(encoder: Encoder, left: Sequence[str], right: Sequence[str]) -> NDArray[np.float32]:
    """Return the siamese cosine, (n,), of each pair of normal forms; each distinct text is encoded once."""
    row_of = {text: row for row, text in enumerate(dict.fromkeys([*left, *right]))}
    codes = encoder.encode(list(row_of))
    return cosine(codes[[row_of[text] for text in left]], codes[[row_of[text] for text in right]])
