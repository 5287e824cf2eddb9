"""What each part of a text does to a similarity: the part is left out, and the pair compared again.

Occlusion (Zeiler & Fergus 2014; leave-one-out as in Li, Monroe & Jurafsky 2016) needs no gradient, so it works with
every encoder in ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import OnnxEncoder, pair_similarities
from dedup.encoder.token_reader import TokenReader, characters_of, words_of
from dedup.model import Model

Compare = Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]
"""Returns the similarity, (n,), of n pairs of normal forms."""

MOST_PARTS = 200
"""So many parts of a text are left out, the first ones."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text and by how much it raises the similarity: negative if it would be higher without the piece."""

    text: str
    effect: float


def saliency(left: str, right: str, unit: str, compare: Compare) -> tuple[list[Part], list[Part]]:
    """Return the characters, or with the ``unit`` word the words, of both normal forms with their effects.

    Spaces and what leaves nothing behind have the effect 0; joined, the pieces make the text.
    """
    sides = [_pieces(left, unit), _pieces(right, unit)]
    (whole,) = compare([left], [right]).tolist()
    found: list[list[Part]] = []
    for at, pieces in enumerate(sides):
        without = [" ".join("".join(pieces[:place] + pieces[place + 1 :]).split()) for place in range(len(pieces))]
        tried = [place for place, text in enumerate(without[:MOST_PARTS]) if text and pieces[place] != " "]
        effects = np.zeros(len(pieces))
        if tried:
            texts = [without[place] for place in tried]
            pairs = (texts, [right] * len(texts)) if at == 0 else ([left] * len(texts), texts)
            effects[tried] = whole - compare(*pairs)
        found.append([Part(text, float(effect)) for text, effect in zip(pieces, effects, strict=True)])
    return found[0], found[1]


def unit_of(model: Model) -> str:
    """Return what the encoder of a model reads: ``character`` or ``word``."""
    reader = model.encoder.reader if isinstance(model.encoder, OnnxEncoder) else None
    return "word" if isinstance(reader, TokenReader) and reader.unit != "character" else "character"


def similarity_of(model: Model) -> Compare:
    """Return how much a model says that pairs are the same: by the head of a network, else by the cosine."""
    head, encoder = model.head, model.encoder
    if head is None:
        return lambda left, right: pair_similarities(encoder, left, right).astype(np.float64)
    same = sorted(model.manifest["head"]["same"])

    def compare(left: Sequence[str], right: Sequence[str]) -> NDArray[np.float64]:
        found = head.compare(left, right)
        return found if found.ndim == 1 else np.asarray(found[:, same].sum(axis=1))

    return compare


def _pieces(text: str, unit: str) -> list[str]:
    """Split a text into pieces that make it again when they are joined."""
    if unit == "character":
        return characters_of(text)
    pieces: list[str] = []
    at = 0
    for word in words_of(text):
        start = text.index(word, at)
        pieces += [text[at:start]] * (start > at) + [word]
        at = start + len(word)
    return pieces
