"""Embeddings of tokens: learnt from the pairs, or begun with pretrained word vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dedup.encoder.token_reader import FIRST, UNKNOWN, TokenReader
from dedup.errors import UsageError
from dedup.training.architectures.part_settings import choice, flag, real, text, whole
from dedup.training.architectures.word_vectors import read_word_vectors


@dataclass(frozen=True, slots=True)
class Tokens:
    """Settings of the tokens.

    ``unit`` is ``character`` or ``word`` of the normal form, ``wordpiece`` for a BERT, or ``letters-and-grams``, the
    input of the shipped encoder. ``max_length`` tokens of a text are read (``max_document_words`` of
    deep-siamese-text-similarity). The vocabulary has the tokens that occur at least ``min_count`` times, the
    ``max_vocabulary`` most frequent of them.
    """

    unit: str = choice("character", "word", "wordpiece", "letters-and-grams")
    max_length: int = whole(128, 1, 10_000)
    min_count: int = whole(1, 1, 1_000_000)
    max_vocabulary: int = whole(200_000, 1, 5_000_000)


@dataclass(frozen=True, slots=True)
class Embedding:
    """Settings of the embeddings.

    Attributes:
        size: Numbers of each embedding; that of the vectors if there are any.
        spread: Standard deviation of the numbers that learnt embeddings begin with. exp(-L1) needs small ones: it is 0
            for distant vectors, and so is its gradient.
        vectors: File of pretrained word vectors; empty for none.
        words: ``seen`` keeps the vectors of the words of the training pairs, ``all`` those of the whole file.
        unknown: The embedding of a word of the training pairs without a vector: ``random`` of its own, ``shared`` by
            all such words, ``zero``, ``mean`` of all vectors, or ``skip`` to leave the word out.
        frozen: Do not train the pretrained vectors.

    """

    size: int = whole(64, 1, 4_096)
    spread: float = real(1.0, 0.0, 100.0)
    vectors: str = text()
    words: str = choice("seen", "all")
    unknown: str = choice("random", "shared", "zero", "mean", "skip")
    frozen: bool = flag(False)


def vocabulary_of(texts: Iterable[str], settings: Tokens) -> list[str]:
    """Return the tokens of texts, the most frequent first."""
    reader = TokenReader(settings.unit, (), settings.max_length)
    counts = Counter(token for text in texts for token in reader.tokens(text)[: settings.max_length])
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [token for token, count in ranked if count >= settings.min_count][: settings.max_vocabulary]


def read_embeddings(
    texts: Iterable[str], tokens: Tokens, settings: Embedding, seed: int
) -> tuple[TokenReader, NDArray[np.float32] | None]:
    """Return the reader of the tokens of ``texts`` and, with pretrained vectors, the table of embeddings.

    Raises:
        UsageError: there are vectors, but the tokens are not words.
        InputRefused: the vectors cannot be read, or none of the words has one.
    """
    vocabulary = vocabulary_of(texts, tokens)
    if not settings.vectors:
        return TokenReader(tokens.unit, tuple(vocabulary), tokens.max_length), None
    if tokens.unit != "word":
        raise UsageError(f'embedding.vectors is set, but tokens.unit is "{tokens.unit}"; use "word" tokens.')
    wanted = frozenset(vocabulary) if settings.words == "seen" else None
    vectors, dimension = read_word_vectors(Path(settings.vectors), wanted, tokens.max_vocabulary)
    if not vectors:
        raise UsageError(f"None of the words of the pairs has a vector in {settings.vectors}; choose another file.")
    if settings.unknown in ("shared", "skip"):
        vocabulary = [word for word in vocabulary if word in vectors]
    vocabulary = list(dict.fromkeys([*vocabulary, *vectors]))[: tokens.max_vocabulary]
    reader = TokenReader(tokens.unit, tuple(vocabulary), tokens.max_length, skip_unknown=settings.unknown == "skip")
    table = np.zeros((reader.size, dimension), dtype=np.float32)
    known = np.array([vectors.get(word, np.full(dimension, np.nan)) for word in vocabulary], dtype=np.float32)
    has = ~np.isnan(known).any(axis=1)
    table[FIRST:][has] = known[has]
    table[[UNKNOWN, *(FIRST + np.flatnonzero(~has))]] = _unknown(known[has], int((~has).sum()) + 1, settings, seed)
    return reader, table


def _unknown(known: NDArray[np.float32], n: int, settings: Embedding, seed: int) -> NDArray[np.float32]:
    """Return ``n`` embeddings of words without a vector."""
    dimension = known.shape[1]
    if settings.unknown == "zero":
        return np.zeros((n, dimension), dtype=np.float32)
    if settings.unknown == "mean":
        return np.broadcast_to(known.mean(axis=0), (n, dimension))
    spread = float(known.std()) if known.size else 0.25
    return np.random.default_rng(seed).normal(0.0, spread, (n, dimension)).astype(np.float32)


def build_embedding(reader: TokenReader, settings: Embedding, table: NDArray[np.float32] | None) -> nn.Embedding:
    """Return the table of embeddings; that of padding stays 0."""
    if table is None:
        made = nn.Embedding(reader.size, settings.size, padding_idx=0)
        with torch.no_grad():
            made.weight *= settings.spread
            made.weight[UNKNOWN] = 0  # seldom trained, so better nothing than a random direction
        return made
    pretrained = nn.Embedding(len(table), table.shape[1], padding_idx=0, _weight=torch.from_numpy(table))
    pretrained.weight.requires_grad = not settings.frozen
    return pretrained
