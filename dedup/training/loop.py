"""Train the siamese tower with in-batch negatives and mined hard negatives; resumable."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dedup.encoder.onnx import OnnxEncoder
from dedup.encoder.tokens import N_BUCKETS, symbols_and_grams
from dedup.training.architectures.objectives import in_batch_loss
from dedup.training.data.sampling import Batch, Sampler
from dedup.training.export import export
from dedup.training.network import DIMENSION, Tower

Read = Callable[[Sequence[str]], tuple[NDArray[np.int32], NDArray[np.int32]]]
"""Turns texts into the symbols and grams that a tower takes."""

LONGEST = 96
"""Characters of a text used in training; at run time all are used, in windows of 128."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """Everything besides the data that determines the trained encoder."""

    steps: int = 8_000
    batch_size: int = 512
    learning_rate: float = 2e-3
    temperature: float = 0.08
    refresh_every: int = 2_000
    seed: int = 20_261_121


def initial_tower(texts: list[str], seed: int) -> Tower:
    """Return an untrained tower whose gram table is a random projection scaled by inverse document frequency.

    Document frequencies are counted in ``texts``. Before training, the bag of grams thus approximates TF-IDF cosine.
    """
    torch.manual_seed(seed)
    tower = Tower()
    frequencies = np.ones(N_BUCKETS)
    for start in range(0, len(texts), 1_000):
        _, grams = symbols_and_grams([text[:LONGEST] for text in texts[start : start + 1_000]])
        pairs = np.unique(np.arange(len(grams))[:, None] * N_BUCKETS + grams)
        frequencies += np.bincount(pairs % N_BUCKETS, minlength=N_BUCKETS)
    idf = np.maximum(np.log((len(texts) + 1) / frequencies), 0.5)
    scale = torch.from_numpy(idf / idf.mean() / DIMENSION**0.5).float()
    with torch.no_grad():
        tower.gram.weight.normal_(0, 1).mul_(scale.unsqueeze(1))
        tower.gram.weight[0] = 0
    return tower


def embed(tower: nn.Module, texts: list[str], read: Read = symbols_and_grams) -> Tensor:
    """Return the (n, d) unit vectors of texts, in order and with gradients; each text is read as one window."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    order = np.argsort(lengths, kind="stable")
    parts = []
    for rows in np.array_split(order, max(1, len(order) // 256)):
        symbols, grams = read([texts[row] for row in rows])
        parts.append(tower(torch.from_numpy(symbols).long(), torch.from_numpy(grams).long()))
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.from_numpy(order)] = torch.arange(len(order))
    return torch.cat(parts)[back]


def _step(tower: Tower, optimiser: torch.optim.Optimizer, batch: Batch, temperature: float) -> float:
    vectors = embed(tower, [text[:LONGEST] for text in batch.left + batch.right])
    left, right = vectors[: len(batch.left)], vectors[len(batch.left) :]
    loss = in_batch_loss(left, right, torch.from_numpy(batch.same), temperature)
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
    progress: Callable[[int, float], None],
) -> Tower:
    """Train ``tower`` and return it; resume from ``checkpoint`` if that file has the same settings.

    Every ``refresh_every`` steps the hard negatives are mined again with the current tower and a checkpoint is
    saved, so an interrupted training gives the same result. ``progress`` is called with each step and its loss.
    """
    optimiser = torch.optim.AdamW(tower.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps, pct_start=0.08
    )
    first = _resume(tower, optimiser, schedule, settings, checkpoint)
    for step in range(first, settings.steps):
        if step % settings.refresh_every == 0:
            _save(tower, optimiser, schedule, settings, checkpoint, step)
            sampler.set_codes(_codes(tower, sampler.anchors, checkpoint.with_suffix(".onnx")), step)
        loss = _step(tower, optimiser, sampler.batch(settings.batch_size, step), settings.temperature)
        schedule.step()
        progress(step + 1, loss)
    return tower


def _codes(tower: Tower, texts: list[str], path: Path) -> NDArray[np.int8]:
    """Encode texts with ONNX Runtime, through a temporary file at ``path``."""
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
