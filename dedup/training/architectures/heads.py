"""From the vectors of two texts to their similarity, or to the log-odds of classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dedup.training.architectures.graph import Graph
from dedup.training.architectures.part_settings import choice

CLASSES = ("concat", "cosine-linear")
"""Heads that return the log-odds of classes, (n, classes); the others return a similarity, (n,)."""

_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Head:
    """Settings of the head, where a and b are the two vectors.

    Attributes:
        kind: ``cosine``; ``scaled-distance``, 1 - |a-b| / (|a| + |b|); ``exp-l1``, exp(-L1(a, b));
            ``difference``, a linear layer on 1 - |a-b| and a sigmoid; ``concat``, a linear layer on a, b and
            |a-b|; ``cosine-linear``, a linear layer on the cosine.

    """

    kind: str = choice("cosine", "scaled-distance", "exp-l1", "difference", "concat", "cosine-linear")

    def build(self, size: int, classes: int) -> PairHead:
        """Return the head for vectors of ``size`` and that many ``classes``."""
        return PairHead(self, size, classes)


class PairHead(nn.Module):
    """Compares the rows of two (n, size) tensors."""

    def __init__(self, settings: Head, size: int, classes: int) -> None:
        super().__init__()
        self.kind = settings.kind
        inputs = {"difference": size, "concat": 3 * size, "cosine-linear": 1}.get(self.kind)
        outputs = 1 if self.kind == "difference" else classes
        self.linear = nn.Linear(inputs, outputs) if inputs else None
        if self.kind == "cosine-linear":
            with torch.no_grad():  # the cosine is positive at first, and a negative slope would take long to turn
                self.linear.weight.copy_(torch.linspace(-1, 1, classes).unsqueeze(1))  # type: ignore[union-attr]

    @property
    def is_classifier(self) -> bool:
        """Whether this returns log-odds of classes."""
        return self.kind in CLASSES

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return similarities (n,), or the log-odds of classes (n, classes)."""
        compare: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "cosine": functional.cosine_similarity,
            "scaled-distance": lambda a, b: 1 - _length(a - b) / (_length(a) + _length(b)),
            "exp-l1": lambda a, b: torch.exp(-(a - b).abs().sum(dim=1)),
            "difference": lambda a, b: self._linear(1 - (a - b).abs()).squeeze(1).sigmoid(),
            "concat": lambda a, b: self._linear(torch.cat([a, b, (a - b).abs()], dim=1)),
            "cosine-linear": lambda a, b: self._linear(functional.cosine_similarity(a, b).unsqueeze(1)),
        }
        return compare[self.kind](a, b)

    def _linear(self, value: Tensor) -> Tensor:
        assert self.linear is not None
        return self.linear(value)  # type: ignore[no-any-return]

    def to_onnx(self, graph: Graph, prefix: str, a: str, b: str) -> str:
        """Add the head to a graph: similarities (n, 1), or probabilities of classes (n, classes)."""
        apart = graph.node("Abs", graph.node("Sub", a, b))
        if self.kind == "exp-l1":
            return graph.node("Exp", graph.node("Neg", graph.node("ReduceSum", apart, graph.numbers(1), keepdims=1)))
        if self.kind == "scaled-distance":
            both = graph.node("Add", graph.norm(a, 1), graph.norm(b, 1))
            return graph.node("Sub", graph.number(1.0), graph.node("Div", graph.norm(apart, 1), both))
        if self.kind == "difference":
            near = graph.node("Sub", graph.number(1.0), apart)
            return graph.node("Sigmoid", graph.linear(f"{prefix}.linear", near))
        if self.kind == "concat":
            joined = graph.node("Concat", a, b, apart, axis=1)
            return graph.node("Softmax", graph.linear(f"{prefix}.linear", joined), axis=1)
        product = graph.node("ReduceSum", graph.node("Mul", a, b), graph.numbers(1), keepdims=1)
        cosine = graph.node("Div", product, graph.node("Mul", graph.norm(a, 1), graph.norm(b, 1)))
        if self.kind == "cosine":
            return cosine
        return graph.node("Softmax", graph.linear(f"{prefix}.linear", cosine), axis=1)


def _length(value: Tensor) -> Tensor:
    """Return the Euclidean length of each row; its gradient at 0 is 0, unlike that of ``norm``."""
    return (value.square().sum(dim=1) + _TINY).sqrt()
