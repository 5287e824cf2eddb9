"""Training of the siamese tower: in-batch negatives, mined neighbourhoods, resumable."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from dedup.encode import N_TRIGRAM_BUCKETS, OnnxEncoder, featurise
from dedup.normalise import fold
from dedup.training.export import export
from dedup.training.network import DIMENSION, Tower
from dedup.training.sampling import Batch, Sampler

LONGEST = 64
"""Characters read in training; at run time a text is read whole."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """Everything that decides what comes out, besides the data."""

    steps: int = 1_400
    batch_size: int = 640
    learning_rate: float = 2e-3
    temperature: float = 0.06
    refresh_every: int = 500
    seed: int = 20_261_121


def contrastive_loss(left: Tensor, right: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE with in-batch negatives (van den Oord 2018; Henderson 2017).

    ``left`` (n, d) and ``right`` (m, d), m >= n, unit rows, row i of both one entity; ``same`` (n, m) bool
    marks further pairs of one entity, which do not count as negatives. Returns a scalar.
    """
    n = len(left)
    logits = left @ right.T / temperature
    blocked = same.clone()
    blocked[torch.arange(n), torch.arange(n)] = False
    logits = logits.masked_fill(blocked, -1e4)
    target = torch.arange(n)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits[:, :n].T, target)) / 2


def initial_tower(names: list[str], seed: int) -> Tower:
    """Return an untrained tower whose trigram table is a random projection scaled by rarity.

    Before any training the trigram part is thus an approximation of TF-IDF cosine.
    """
    torch.manual_seed(seed)
    tower = Tower()
    counts: Counter[int] = Counter()
    for start in range(0, len(names), 1_000):
        _, buckets = featurise([fold(name)[:LONGEST] for name in names[start : start + 1_000]])
        for row in buckets:
            counts.update(set(row.tolist()))
    seen = torch.ones(N_TRIGRAM_BUCKETS)
    for bucket, count in counts.items():
        seen[bucket] += count
    rarity = torch.log((len(names) + 1) / seen).clamp(min=0.5)
    with torch.no_grad():
        tower.trigram.weight.normal_(0, 1).mul_((rarity / rarity.mean() / DIMENSION**0.5).unsqueeze(1))
        tower.trigram.weight[0] = 0
    return tower


def embed(tower: Tower, texts: list[str], longest: int | None = None) -> Tensor:
    """Return (n, d) unit vectors of normal forms, in order; batches of like length, gradients kept."""
    folded = [fold(text)[:longest] for text in texts]
    lengths = np.fromiter(map(len, folded), dtype=np.int64, count=len(folded))
    order = np.argsort(lengths, kind="stable")
    parts = []
    for rows in np.array_split(order, max(1, len(order) // 256)):
        symbols, buckets = featurise([folded[row] for row in rows])
        parts.append(tower(torch.from_numpy(symbols).long(), torch.from_numpy(buckets).long()))
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.from_numpy(order)] = torch.arange(len(order))
    return torch.cat(parts)[back]


def _step(tower: Tower, optimiser: torch.optim.Optimizer, batch: Batch, temperature: float) -> float:
    vectors = embed(tower, batch.left + batch.right, LONGEST)
    left, right = vectors[: len(batch.left)], vectors[len(batch.left) :]
    loss = contrastive_loss(left, right, torch.from_numpy(batch.same), temperature)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def train_encoder(
    tower: Tower,
    sampler: Sampler,
    settings: EncoderSettings,
    checkpoint: Path,
    on_progress: Callable[[int, float, Tower], None],
) -> Tower:
    """Train ``tower`` and return it; resumes from ``checkpoint`` if that file is of the same settings.

    The neighbourhoods of the hard negatives are found anew every ``refresh_every`` steps.
    ``on_progress`` is called with the step, its loss and the tower.
    """
    optimiser = torch.optim.AdamW(tower.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps, pct_start=0.08
    )
    first = _resume(tower, optimiser, schedule, settings, checkpoint)
    for step in range(first, settings.steps):
        if step and (step % settings.refresh_every == 0 or step == first):
            sampler.set_codes(_codes(tower, sampler.anchors, checkpoint.with_suffix(".onnx")))
        loss = _step(tower, optimiser, sampler.batch(settings.batch_size), settings.temperature)
        schedule.step()
        on_progress(step + 1, loss, tower)
        if (step + 1) % 500 == 0:
            _save(tower, optimiser, schedule, settings, checkpoint, step + 1)
    return tower


def _codes(tower: Tower, texts: list[str], path: Path) -> NDArray[np.int8]:
    """Return the codes of normal forms by ONNX Runtime, over a passing file at ``path``."""
    export(tower, path)
    try:
        return OnnxEncoder(path).encode(texts)
    finally:
        path.unlink()


def _key(settings: EncoderSettings) -> str:
    return json.dumps({name: getattr(settings, name) for name in settings.__slots__}, sort_keys=True)


def _save(
    tower: Tower,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    settings: EncoderSettings,
    path: Path,
    step: int,
) -> None:
    temporary = path.with_suffix(f".{time.time_ns()}.tmp")
    state = {"settings": _key(settings), "step": step, "tower": tower.state_dict()}
    torch.save({**state, "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}, temporary)
    temporary.replace(path)


def _resume(
    tower: Tower,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    settings: EncoderSettings,
    path: Path,
) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    if state["settings"] != _key(settings):
        return 0
    tower.load_state_dict(state["tower"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    return int(state["step"])
