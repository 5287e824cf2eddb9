"""What training minimises; ``docs/training.md`` says of each what it needs and when not to use it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dedup.errors import UsageError
from dedup.training.architectures.heads import CLASSES
from dedup.training.architectures.part_settings import choice, real

_NEVER = 1e-6
_LIKE_PROBABILITIES = ("scaled-distance", "exp-l1", "difference")
_HEADS = {
    "contrastive": ("cosine", *_LIKE_PROBABILITIES),
    "cosine-embedding": ("cosine",),
    "bce": _LIKE_PROBABILITIES,
    "mse": ("cosine", *_LIKE_PROBABILITIES),
    "mae": ("cosine", *_LIKE_PROBABILITIES),
    "cross-entropy": CLASSES,
    "in-batch": ("cosine",),
}
"""The heads with which each objective works."""
_MARGIN = ("contrastive", "cosine-embedding")


@dataclass(frozen=True, slots=True)
class Objective:
    """Settings of the objective.

    ``margin`` is the distance (``contrastive``) or cosine (``cosine-embedding``) beyond which different texts are far
    enough apart; ``temperature`` that of ``in-batch``.
    """

    kind: str = choice("contrastive", "cosine-embedding", "bce", "mse", "mae", "cross-entropy", "in-batch")
    margin: float = real(1.0, -1.0, 10.0)
    temperature: float = real(0.08, 0.001, 10.0)

    def check(self, head: str, labels: str) -> None:
        """Refuse what does not go together: the kind of the head and of the labels (binary, classes or graded).

        Raises:
            UsageError: with the kinds that do.
        """
        if head not in _HEADS[self.kind]:
            raise UsageError(
                f'objective.kind is "{self.kind}", which does not work with head.kind = "{head}"; use a head of '
                f"{', '.join(_HEADS[self.kind])}."
            )
        if labels == "classes" and self.kind != "cross-entropy":
            raise UsageError(
                f'The labels are classes, which objective.kind = "{self.kind}" cannot learn; use "cross-entropy" with '
                'the head "concat" or "cosine-linear", or name the classes that count as the same with --same.'
            )
        if labels == "graded" and self.kind not in ("mse", "mae", "bce"):
            raise UsageError(
                f'The labels are graded, which objective.kind = "{self.kind}" cannot learn; use "mse", "mae" or "bce".'
            )

    def unused(self) -> list[str]:
        """Return the settings that have no effect on this kind."""
        return [
            *(["margin"] if self.kind not in _MARGIN else []),
            *(["temperature"] if self.kind != "in-batch" else []),
        ]

    def losses(self, found: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each pair, (n,), given what the head found and the targets.

        ``targets`` (n,) are 0 to 1, or numbers of classes for ``cross-entropy``. For ``in-batch`` see
        ``in_batch_loss``.
        """
        if self.kind == "contrastive":
            distance = 1 - found
            return targets * distance.square() + (1 - targets) * (self.margin - distance).clamp(min=0).square()
        if self.kind == "cosine-embedding":
            return targets * (1 - found) + (1 - targets) * (found - self.margin).clamp(min=0)
        if self.kind == "bce":
            return functional.binary_cross_entropy(found.clamp(_NEVER, 1 - _NEVER), targets, reduction="none")
        if self.kind == "mse":
            return (found - targets).square()
        if self.kind == "mae":
            return (found - targets).abs()
        return functional.cross_entropy(found, targets.long(), reduction="none")


def in_batch_loss(left: Tensor, right: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Return the symmetric InfoNCE loss with in-batch negatives (van den Oord 2018; Henderson 2017), a scalar.

    ``left`` (n, d) and ``right`` (m, d), m >= n, have unit rows; rows i of both are the same entity. ``same`` (n, m)
    bool marks further pairs of the same entity, which do not count as negatives.
    """
    n = len(left)
    logits = left @ right.T / temperature
    blocked = same.clone()
    own = torch.arange(n, device=left.device)
    blocked[own, own] = False
    logits = logits.masked_fill(blocked, -1e4)
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits[:, :n].T, own)) / 2
