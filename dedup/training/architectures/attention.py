"""The tower of stacked multihead self-attention (Vaswani et al. 2017), without positions as in multihead-siamese-nets.

``attend`` serves the blocks of a BERT as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dedup.errors import UsageError
from dedup.training.architectures.graph import Graph, Mask
from dedup.training.architectures.part_settings import flag, real, whole

_HIDDEN = -1e9
"""Added to the attention to padding before the softmax."""


@dataclass(frozen=True, slots=True)
class Attention:
    """Settings of the attention tower.

    ``residual`` adds the input of each block's attention to its output, ``layer_norm`` scales that sum to mean 0 and
    variance 1.
    """

    blocks: int = whole(2, 1, 24)
    heads: int = whole(8, 1, 64)
    residual: bool = flag(False)
    layer_norm: bool = flag(False)
    dropout: float = real(0.0, 0.0, 0.95)

    def build(self, size: int) -> AttentionTower:
        """Return a tower for embeddings of ``size``.

        Raises:
            UsageError: the size cannot be divided among the heads.
        """
        if size % self.heads:
            raise UsageError(f"embedding.size is {size}, which cannot be divided among tower.heads = {self.heads}.")
        return AttentionTower(self, size)


def attend(query: Tensor, key: Tensor, value: Tensor, real: Tensor, heads: int) -> Tensor:
    """Return scaled dot-product attention in ``heads`` parts, (n, length, size)."""
    n, length, size = query.shape
    found: Tensor = weights(query, key, real, heads) @ _split(value, heads)
    return found.transpose(1, 2).reshape(n, length, size)


def weights(query: Tensor, key: Tensor, real: Tensor, heads: int) -> Tensor:
    """Return how much each token attends to each other in each head, (n, heads, length, length); rows add up to 1."""
    products = _split(query, heads) @ _split(key, heads).transpose(2, 3) / (query.shape[2] // heads) ** 0.5
    found: Tensor = (products + (~real)[:, None, None, :] * _HIDDEN).softmax(dim=3)
    return found


def _split(value: Tensor, heads: int) -> Tensor:
    n, length, size = value.shape
    return value.view(n, length, heads, size // heads).transpose(1, 2)


def attend_onnx(graph: Graph, parts: Mapping[str, str], mask: Mask, heads: int, size: int) -> str:
    """Add ``attend`` to a graph; ``parts`` are query, key and value by name."""
    shape = graph.numbers(0, 0, heads, size // heads)
    order = {"query": [0, 2, 1, 3], "key": [0, 2, 3, 1], "value": [0, 2, 1, 3]}
    split = {
        name: graph.node("Transpose", graph.node("Reshape", part, shape), perm=order[name])
        for name, part in parts.items()
    }
    products = graph.node("MatMul", split["query"], split["key"])
    products = graph.node("Div", products, graph.number((size // heads) ** 0.5))
    padding = graph.node("Sub", graph.number(1.0), graph.node("Transpose", mask.numbers, perm=[0, 2, 1]))
    hidden = graph.node("Unsqueeze", graph.node("Mul", padding, graph.number(_HIDDEN)), graph.numbers(1))
    attention = graph.node("Softmax", graph.node("Add", products, hidden), axis=3)
    graph.attention.append(attention)
    found = graph.node("Transpose", graph.node("MatMul", attention, split["value"]), perm=[0, 2, 1, 3])
    return graph.node("Reshape", found, graph.numbers(0, 0, size))


class _Block(nn.Module):
    def __init__(self, settings: Attention, size: int) -> None:
        super().__init__()
        self.settings = settings
        self.query, self.key, self.value = nn.Linear(size, size), nn.Linear(size, size), nn.Linear(size, size)
        self.merge = nn.Linear(size, size)
        self.feed = nn.Linear(size, size)
        self.drop = nn.Dropout(settings.dropout)
        self.norm = nn.LayerNorm(size) if settings.layer_norm else None

    def forward(self, states: Tensor, real: Tensor) -> Tensor:
        parts = self.query(states), self.key(states), self.value(states)
        found = self.merge(self.drop(attend(*parts, real, self.settings.heads)))
        found = found + states if self.settings.residual else found
        found = self.norm(found) if self.norm is not None else found
        return torch.relu(self.feed(found))

    def to_onnx(self, graph: Graph, prefix: str, states: str, mask: Mask) -> str:
        parts = {name: graph.linear(f"{prefix}.{name}", states) for name in ("query", "key", "value")}
        size = self.query.in_features
        found = graph.linear(f"{prefix}.merge", attend_onnx(graph, parts, mask, self.settings.heads, size))
        found = graph.node("Add", found, states) if self.settings.residual else found
        if self.norm is not None:
            scale = graph.parameter(f"{prefix}.norm.weight"), graph.parameter(f"{prefix}.norm.bias")
            found = graph.node("LayerNormalization", found, *scale, axis=-1, epsilon=self.norm.eps)
        return graph.node("Relu", graph.linear(f"{prefix}.feed", found))


class AttentionTower(nn.Module):
    """Blocks of attention, each followed by a rectified layer."""

    directions = 0

    def __init__(self, settings: Attention, size: int) -> None:
        super().__init__()
        self.size = size
        self.blocks = nn.ModuleList(_Block(settings, size) for _ in range(settings.blocks))

    def forward(self, embedded: Tensor, real: Tensor) -> Tensor:
        """Return the states, (n, length, size), of (n, length, size) inputs."""
        for block in self.blocks:
            embedded = block(embedded, real)
        return embedded

    def to_onnx(self, graph: Graph, prefix: str, embedded: str, mask: Mask) -> str:
        """Add the tower to a graph; the parameters begin with ``prefix``."""
        for at, block in enumerate(self.blocks):
            assert isinstance(block, _Block)
            embedded = block.to_onnx(graph, f"{prefix}.blocks.{at}", embedded, mask)
        return embedded
