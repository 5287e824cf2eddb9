"""The recurrent tower: LSTM (Hochreiter & Schmidhuber 1997) or GRU (Cho et al. 2014), in one or both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dedup.training.architectures.graph import Graph, Mask
from dedup.training.architectures.part_settings import choice, flag, real, whole

# torch orders the gates of an LSTM as input, forget, cell, output, and of a GRU as reset, update, new; ONNX as input,
# output, forget, cell, and as update, reset, hidden.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}


@dataclass(frozen=True, slots=True)
class Recurrent:
    """Settings of the recurrent tower.

    ``dropout`` is the share of outputs of each layer that training sets to 0.
    """

    cell: str = choice("lstm", "gru")
    hidden_size: int = whole(64, 1, 4_096)
    layers: int = whole(1, 1, 8)
    bidirectional: bool = flag(False)
    dropout: float = real(0.0, 0.0, 0.95)

    def build(self, size: int) -> RecurrentTower:
        """Return a tower for embeddings of ``size``."""
        return RecurrentTower(self, size)


class RecurrentTower(nn.Module):
    """Reads a text from left to right and, if bidirectional, from its last real token to the left."""

    def __init__(self, settings: Recurrent, size: int) -> None:
        super().__init__()
        self.settings = settings
        self.directions = 2 if settings.bidirectional else 1
        self.size = settings.hidden_size * self.directions
        make = getattr(nn, settings.cell.upper())
        sizes = [size, *[self.size] * (settings.layers - 1)]
        self.layers = nn.ModuleList(
            nn.ModuleList(make(before, settings.hidden_size, batch_first=True) for _ in range(self.directions))
            for before in sizes
        )
        self.drop = nn.Dropout(settings.dropout)

    def forward(self, embedded: Tensor, real: Tensor) -> Tensor:
        """Return the states, (n, length, size), of (n, length, embedding) inputs."""
        back = _reversal(real) if self.directions == 2 else None
        states: Tensor = embedded
        layers: Any = self.layers
        for layer in layers:
            found, _ = layer[0](states)  # padding on the right comes after all real tokens
            if back is not None:
                turned, _ = layer[1](_turned(states, back))
                found = torch.cat([found, _turned(turned, back)], dim=2)
            states = self.drop(found)
        return states

    def to_onnx(self, graph: Graph, prefix: str, embedded: str, mask: Mask) -> str:
        """Add the tower to a graph; the parameters begin with ``prefix``."""
        value = graph.node("Transpose", embedded, perm=[1, 0, 2])  # ONNX expects time as the first axis
        for layer in range(self.settings.layers):
            outputs = self._layer(graph, f"{prefix}.layers.{layer}", value, mask)
            # (time, direction, n, hidden) to (time, n, direction * hidden)
            outputs = graph.node("Transpose", outputs, perm=[0, 2, 1, 3])
            value = graph.node("Reshape", outputs, graph.numbers(0, 0, self.size))
        return graph.node("Transpose", value, perm=[1, 0, 2])

    def _layer(self, graph: Graph, prefix: str, value: str, mask: Mask) -> str:
        kind = self.settings.cell.upper()
        parts = {
            name: [self._by_gates(graph, f"{prefix}.{at}.{name}_l0") for at in range(self.directions)]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        both = [graph.node("Concat", ih, hh, axis=0) for ih, hh in zip(parts["bias_ih"], parts["bias_hh"], strict=True)]
        stacked = [
            graph.node("Concat", *(graph.node("Unsqueeze", part, graph.numbers(0)) for part in some), axis=0)
            for some in (parts["weight_ih"], parts["weight_hh"], both)
        ]
        # torch multiplies the reset gate with the hidden state after its matrix, ONNX before it unless told otherwise.
        extra = {"linear_before_reset": 1} if kind == "GRU" else {}
        direction = "bidirectional" if self.directions == 2 else "forward"
        size = self.settings.hidden_size
        return graph.node(kind, value, *stacked, mask.lengths, hidden_size=size, direction=direction, **extra)

    def _by_gates(self, graph: Graph, name: str) -> str:
        """Return a parameter with its gates in the order of ONNX."""
        order = _GATES[self.settings.cell.upper()]
        rows = np.arange(self.settings.hidden_size)
        index = np.concatenate([gate * self.settings.hidden_size + rows for gate in order]).astype(np.int64)
        return graph.node("Gather", graph.parameter(name), graph.table(index), axis=0)


def _reversal(real: Tensor) -> Tensor:
    """Return the rows, (n * length,), that reverse the real tokens of each text and leave padding where it is.

    Both directions then run without packing, which makes torch about twice as slow on a CPU.
    """
    n, length = real.shape
    places = torch.arange(length, device=real.device).expand(n, length)
    lengths = real.sum(dim=1, keepdim=True)
    turned = torch.where(places < lengths, lengths - 1 - places, places)
    return (turned + torch.arange(n, device=real.device)[:, None] * length).ravel()


class _Turn(torch.autograd.Function):
    """Reverse texts; a reversal is its own inverse, so its gradient needs no slow addition at scattered places."""

    @staticmethod
    def forward(context: Any, states: Tensor, places: Tensor) -> Tensor:  # noqa: ANN401 - of torch
        context.save_for_backward(places)
        return states.reshape(-1, states.shape[2]).index_select(0, places).view_as(states)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:  # noqa: ANN401
        (places,) = context.saved_tensors
        (given,) = gradients
        return given.reshape(-1, given.shape[2]).index_select(0, places).view_as(given), None


def _turned(states: Tensor, places: Tensor) -> Tensor:
    return _Turn.apply(states, places)  # type: ignore[no-any-return, no-untyped-call]
