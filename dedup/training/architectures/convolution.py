"""The convolutional tower: filters over windows of tokens (Kim 2014)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dedup.errors import UsageError
from dedup.training.architectures.graph import Graph, Mask
from dedup.training.architectures.part_settings import real, whole_list


@dataclass(frozen=True, slots=True)
class Convolution:
    """Settings of the convolutional tower: ``filters`` of each of the ``widths`` in tokens."""

    filters: tuple[int, ...] = whole_list(50, 50, 50, least=1, most=4_096)
    widths: tuple[int, ...] = whole_list(2, 3, 4, least=1, most=64)
    dropout: float = real(0.0, 0.0, 0.95)

    def __post_init__(self) -> None:
        if len(self.filters) != len(self.widths):
            raise UsageError(
                f"tower.filters has {len(self.filters)} numbers and tower.widths {len(self.widths)}; give one number "
                "of filters for each width."
            )

    def build(self, size: int) -> ConvolutionTower:
        """Return a tower for embeddings of ``size``."""
        return ConvolutionTower(self, size)


class ConvolutionTower(nn.Module):
    """Rectified filters at each real token; windows that reach beyond the text see zeros there."""

    directions = 0

    def __init__(self, settings: Convolution, size: int) -> None:
        super().__init__()
        self.settings = settings
        self.size = sum(settings.filters)
        self.filters = nn.ModuleList(
            nn.Conv1d(size, n, width) for n, width in zip(settings.filters, settings.widths, strict=True)
        )
        self.drop = nn.Dropout(settings.dropout)

    def forward(self, embedded: Tensor, real: Tensor) -> Tensor:
        """Return the states, (n, length, size), of (n, length, embedding) inputs."""
        channels = (embedded * real.unsqueeze(2)).transpose(1, 2)
        found = [
            torch.relu(convolve(nn.functional.pad(channels, (0, width - 1))))
            for convolve, width in zip(self.filters, self.settings.widths, strict=True)
        ]
        return self.drop(torch.cat(found, dim=1).transpose(1, 2))  # type: ignore[no-any-return]

    def to_onnx(self, graph: Graph, prefix: str, embedded: str, mask: Mask) -> str:
        """Add the tower to a graph; the parameters begin with ``prefix``."""
        channels = graph.node("Transpose", graph.node("Mul", embedded, mask.numbers), perm=[0, 2, 1])
        found = []
        for at, width in enumerate(self.settings.widths):
            name = f"{prefix}.filters.{at}"
            parameters = graph.parameter(f"{name}.weight"), graph.parameter(f"{name}.bias")
            convolved = graph.node("Conv", channels, *parameters, kernel_shape=[width], pads=[0, width - 1])
            found.append(graph.node("Relu", convolved))
        return graph.node("Transpose", graph.node("Concat", *found, axis=1), perm=[0, 2, 1])
