"""The whole network: one encoder for both texts of a pair, and a head that compares their vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, nn
from torch.nn import functional

from dedup.encoder.cosine import MAX_DIMENSION
from dedup.encoder.onnx import ATTENTION, Reader
from dedup.encoder.pair_head import HEAD
from dedup.encoder.token_reader import TokenReader
from dedup.errors import InputRefused, UsageError
from dedup.training.architectures.graph import Graph, Mask, mask_of, parameters_of
from dedup.training.architectures.heads import PairHead
from dedup.training.architectures.pooling import PooledStates
from dedup.training.export import export, read_tower
from dedup.training.network import DIMENSION, Tower

Inputs = Mapping[str, Tensor]


class TokenTower(Protocol):
    """What every tower is, besides a module of torch."""

    size: int
    directions: int

    def to_onnx(self, graph: Graph, prefix: str, embedded: str, mask: Mask) -> str:
        """Add the tower to a graph."""


class TokenEncoder(nn.Module):
    """Tokens to vectors: embeddings, a tower and pooling; a BERT has embeddings of its own."""

    def __init__(
        self, reader: TokenReader, embedding: nn.Embedding | None, tower: nn.Module, pooling: PooledStates
    ) -> None:
        super().__init__()
        self.reader = reader
        self.embedding, self.tower, self.pooling = embedding, tower, pooling
        self.size = pooling.size
        if self.size > MAX_DIMENSION:
            raise UsageError(
                f"The vectors would have {self.size} numbers, and an index takes at most {MAX_DIMENSION}; use smaller "
                "layers, or a pooling.projection."
            )

    def forward(self, inputs: Inputs) -> Tensor:
        """Return the vectors, (n, size), before they are scaled to length 1."""
        tokens = inputs["tokens"]
        real = tokens > 0
        embedded = tokens if self.embedding is None else self.embedding(tokens)
        return self.pooling(self.tower(embedded, real), real)  # type: ignore[no-any-return]

    def write(self, path: Path) -> None:
        """Write the encoder as ONNX, with its tokens.

        Outputs: ``vectors`` of length 1, ``pooled`` before that, and ``attention_0`` and so on, the weights of each
        block of attention, (n, heads, length, length).
        """
        graph = Graph(self)
        mask = mask_of(graph, "tokens")
        embedded = "tokens"
        if self.embedding is not None:
            embedded = graph.node("Gather", graph.parameter("embedding.weight"), "tokens")
        states = self.tower.to_onnx(graph, "tower", embedded, mask)  # type: ignore[operator]
        pooled = self.pooling.to_onnx(graph, "pooling", states, mask)
        graph.output("vectors", graph.node("Div", pooled, graph.norm(pooled, 1)), self.size)
        graph.output("pooled", pooled, self.size)
        for block, attention in enumerate(graph.attention):
            graph.output(f"{ATTENTION}{block}", attention, "heads", "length", "length")
        tokens = json.dumps(self.reader.to_json(), ensure_ascii=False)
        graph.write(path, {"tokens": (TensorProto.INT32, ("n", "length"))}, tokens)


class LettersEncoder(nn.Module):
    """The encoder of the shipped model, letters and hashed grams; its vectors have length 1 already."""

    size = DIMENSION

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader
        self.tower = Tower()

    def forward(self, inputs: Inputs) -> Tensor:
        """Return the vectors, (n, size)."""
        return self.tower(inputs["symbols"], inputs["grams"])  # type: ignore[no-any-return]

    def write(self, path: Path) -> None:
        """Write the encoder as ONNX, in the form of the shipped one, and take over the rounding of its gram table."""
        export(self.tower, path)
        self.tower.load_state_dict(read_tower(path))


class Siamese(nn.Module):
    """An encoder and a head."""

    def __init__(self, encoder: TokenEncoder | LettersEncoder, head: PairHead) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def encode(self, inputs: Inputs) -> Tensor:
        """Return the vectors of texts, (n, size)."""
        return self.encoder(inputs)  # type: ignore[no-any-return]

    def count(self) -> int:
        """Return the number of trained parameters."""
        return sum(one.numel() for one in self.parameters() if one.requires_grad)

    def write(self, directory: Path) -> None:
        """Write ``encoder.onnx`` and ``head.onnx``."""
        self.encoder.write(directory / "encoder.onnx")
        graph = Graph(self)
        graph.output("similarity", self.head.to_onnx(graph, "head", "left", "right"), "outputs")
        shape = (TensorProto.FLOAT, ("n", self.encoder.size))
        graph.write(directory / HEAD, {"left": shape, "right": shape})

    def load(self, directory: Path) -> None:
        """Begin with the parameters of the model in ``directory``.

        Those of the head are left as they are if that model has none, or one of another form.

        Raises:
            InputRefused: the model has another architecture.
        """
        path = directory / "encoder.onnx"
        if isinstance(self.encoder, LettersEncoder):
            self.encoder.tower.load_state_dict(read_tower(path))
        else:
            _load(self.encoder, parameters_of(path), path)
        if (directory / HEAD).exists():
            found = parameters_of(directory / HEAD)
            own = {name: value for name, value in self.state_dict().items() if name.startswith("head.")}
            if {name: value.shape for name, value in own.items()} == {name: v.shape for name, v in found.items()}:
                _load(self.head, {name.removeprefix("head."): value for name, value in found.items()}, path)


def _load(module: nn.Module, found: Mapping[str, np.ndarray[Any, Any]], path: Path) -> None:
    own = module.state_dict()
    if differ := sorted(
        name
        for name in own.keys() | found.keys()
        if name not in own or name not in found or own[name].shape != found[name].shape
    ):
        raise InputRefused(
            f"The model {path} has other parameters than this configuration ({', '.join(differ[:3])}); leave out "
            "--init, or train with the configuration in its manifest.",
            "E_MODEL",
        )
    module.load_state_dict({name: torch.from_numpy(value) for name, value in found.items()})


def unit(vectors: Tensor) -> Tensor:
    """Scale the rows of (n, size) vectors to length 1."""
    return functional.normalize(vectors, dim=1)
