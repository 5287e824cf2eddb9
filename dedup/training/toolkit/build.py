"""Build the network of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from dedup.encoder.onnx import Reader
from dedup.encoder.token_reader import TokenReader
from dedup.encoder.tokens import LettersAndGrams
from dedup.training.architectures.bert import read_tokens
from dedup.training.architectures.embeddings import build_embedding, read_embeddings
from dedup.training.architectures.siamese import LettersEncoder, Siamese, TokenEncoder
from dedup.training.loop import initial_tower
from dedup.training.toolkit.recipe import LETTERS, Recipe


def build(recipe: Recipe, texts: Sequence[str], classes: int, reader: Reader | None = None) -> Siamese:
    """Return the untrained network of a recipe; its vocabulary is that of ``texts``, unless it is to have a ``reader``.

    Raises:
        UsageError: the parts do not fit together.
        InputRefused: pretrained vectors or a pretrained encoder cannot be read.
    """
    seed = recipe.training.seed
    torch.manual_seed(seed)
    encoder = _letters(texts, seed) if recipe.tower_kind == LETTERS else _tokens(recipe, texts, seed, reader)
    return Siamese(encoder, recipe.head.build(encoder.size, classes))


def _letters(texts: Sequence[str], seed: int) -> LettersEncoder:
    encoder = LettersEncoder(LettersAndGrams())
    encoder.tower = initial_tower(list(texts), seed)
    return encoder


def _tokens(recipe: Recipe, texts: Sequence[str], seed: int, reader: Reader | None) -> TokenEncoder:
    embedding, size, table = None, 0, None
    if not isinstance(reader, TokenReader):
        if recipe.tower_kind == "bert":
            reader = read_tokens(Path(recipe.tower.directory), recipe.tokens.max_length)
        else:
            reader, table = read_embeddings(texts, recipe.tokens, recipe.embedding, seed)
    if recipe.tower_kind != "bert":
        embedding = build_embedding(reader, recipe.embedding, table)
        size = embedding.embedding_dim
    tower = recipe.tower.build(size)
    pooling = recipe.pooling.build(tower.size, tower.directions)
    return TokenEncoder(reader, embedding, tower, pooling)
