"""From the states of a text's tokens to one vector; padding never counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, nn

from dedup.errors import UsageError
from dedup.training.architectures.graph import Graph, Mask
from dedup.training.architectures.part_settings import choice, whole

_LOWEST = -1e9


@dataclass(frozen=True, slots=True)
class Pooling:
    """Settings of the pooling.

    ``kind`` is ``mean``, ``max`` or ``sum`` over the tokens, ``first`` for the first state, or ``last`` for the state
    after the last real token of each direction of a recurrent tower. ``projection`` is the size of a linear layer
    after it; 0 for none.
    """

    kind: str = choice("mean", "max", "sum", "first", "last")
    projection: int = whole(0, 0, 1_040)

    def build(self, size: int, directions: int) -> PooledStates:
        """Return the pooling of states of ``size``.

        Raises:
            UsageError: the last state of a tower that is not recurrent was asked for.
        """
        if self.kind == "last" and not directions:
            raise UsageError('pooling.kind is "last", which needs a recurrent tower; use "mean" or "max".')
        return PooledStates(self, size, directions)


class PooledStates(nn.Module):
    """Pools (n, length, size) states to (n, size) vectors."""

    def __init__(self, settings: Pooling, size: int, directions: int) -> None:
        super().__init__()
        self.settings, self._states, self._directions = settings, size, directions
        self.project = nn.Linear(size, settings.projection) if settings.projection else None
        self.size = settings.projection or size

    def forward(self, states: Tensor, real: Tensor) -> Tensor:
        """Return the vectors."""
        pooled = self._pool(states, real)
        return pooled if self.project is None else self.project(pooled)

    def _pool(self, states: Tensor, real: Tensor) -> Tensor:
        kind, numbers = self.settings.kind, real.unsqueeze(2)
        if kind == "max":
            return states.masked_fill(~numbers, _LOWEST).amax(dim=1)
        if kind == "first":
            return states[:, 0]
        if kind == "last":
            rows = torch.arange(len(states), device=states.device)
            final = states[rows, real.sum(dim=1).clamp(min=1) - 1]
            if self._directions == 1:
                return final
            half = states.shape[2] // 2
            return torch.cat([final[:, :half], states[:, 0, half:]], dim=1)
        total = (states * numbers).sum(dim=1)
        return total if kind == "sum" else total / real.sum(dim=1, keepdim=True).clamp(min=1)

    def to_onnx(self, graph: Graph, prefix: str, states: str, mask: Mask) -> str:
        """Add the pooling to a graph; the parameters begin with ``prefix``."""
        pooled = self._pool_onnx(graph, states, mask)
        return pooled if self.project is None else graph.linear(f"{prefix}.project", pooled)

    def _pool_onnx(self, graph: Graph, states: str, mask: Mask) -> str:
        kind = self.settings.kind
        if kind == "max":
            flags = graph.node("Unsqueeze", mask.flags, graph.numbers(2))
            return graph.node(
                "ReduceMax", graph.node("Where", flags, states, graph.number(_LOWEST)), axes=[1], keepdims=0
            )
        first = graph.node("Gather", states, graph.index(0), axis=1)
        if kind == "first":
            return first
        if kind == "last":
            return self._last_onnx(graph, states, first, mask)
        total = graph.node("ReduceSum", graph.node("Mul", states, mask.numbers), graph.numbers(1), keepdims=0)
        if kind == "sum":
            return total
        return graph.node("Div", total, graph.node("ReduceSum", mask.numbers, graph.numbers(1), keepdims=0))

    def _last_onnx(self, graph: Graph, states: str, first: str, mask: Mask) -> str:
        at = graph.node("Sub", mask.lengths, graph.table(np.array(1, dtype=np.int32)))
        index = graph.node("Unsqueeze", graph.node("Cast", at, to=TensorProto.INT64), graph.numbers(1))  # (n, 1) int64
        final = graph.node("GatherND", states, index, batch_dims=1)
        if self._directions == 1:
            return final
        half = self._states // 2
        parts = [
            graph.node("Slice", value, graph.numbers(start), graph.numbers(start + half), graph.numbers(1))
            for value, start in ((final, 0), (first, half))
        ]
        return graph.node("Concat", *parts, axis=1)
