"""The state of a training on disk, from which it continues bit for bit on a CPU.

The files are torch's, read with ``weights_only``: tensors, numbers and texts, never code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dedup.errors import InputRefused, UsageError
from dedup.evaluation.pair_set import PairSet
from dedup.training.toolkit.recipe import Recipe

_BEST = "best.pt"


class Checkpoints:
    """The checkpoints of one training; ``key`` tells it from trainings on other data or with other settings."""

    def __init__(self, folder: Path, key: Mapping[str, str]) -> None:
        self._folder, self._key = folder, dict(key)

    def save(self, step: int, state: dict[str, Any], keep: int) -> None:
        """Save the state after ``step`` and remove all but the latest ``keep``, at least this one."""
        self._write(self._folder / f"step-{step:09d}.pt", {"key": self._key, **state})
        self.prune(max(1, keep))

    def save_best(self, model: Mapping[str, Any]) -> None:
        """Save the parameters of the best model so far."""
        self._write(self._folder / _BEST, dict(model))

    def best(self) -> dict[str, Any]:
        """Return the parameters of the best model."""
        return _read(self._folder / _BEST)

    def latest(self) -> dict[str, Any] | None:
        """Return the latest state; None if there is none.

        Raises:
            UsageError: it belongs to another training.
            InputRefused: it is damaged.
        """
        found = self._steps()
        if not found:
            return None
        state = _read(found[-1])
        before = state.get("key", {})
        if differ := sorted(name for name in self._key if before.get(name) != self._key[name]):
            raise UsageError(
                f"{self._folder} holds the checkpoint of a training with other {' and '.join(differ)}; go on with the "
                "same, or begin anew with --fresh."
            )
        return state

    def prune(self, keep: int) -> None:
        """Remove all checkpoints but the latest ``keep``; with 0, the best model and the folder as well."""
        found = self._steps()
        for path in found[: len(found) - keep] if keep else [*found, self._folder / _BEST]:
            path.unlink(missing_ok=True)
        if not keep and self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _steps(self) -> list[Path]:
        return sorted(self._folder.glob("step-*.pt"))

    def _write(self, path: Path, state: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(torch.load(path, weights_only=True))
    except (OSError, RuntimeError, ValueError, LookupError, EOFError) as error:
        raise InputRefused(
            f"The checkpoint {path} is damaged ({error}); remove it, or begin anew with --fresh.", "E_CHECKPOINT"
        ) from error
    except Exception as error:  # torch raises the UnpicklingError of a module that this project does not use
        if type(error).__name__ != "UnpicklingError":
            raise
        raise InputRefused(
            f"{path} is not a checkpoint; remove it, or begin anew with --fresh.", "E_CHECKPOINT"
        ) from error


def key_of(recipe: Recipe, training: PairSet, validation: PairSet) -> dict[str, str]:
    """Return what a checkpoint depends on: the settings and the pairs."""
    settings = recipe.to_json()
    for name in ("keep_checkpoints", "checkpoint_every", "tensorboard"):  # these change no result
        del settings["training"][name]
    pairs = hashlib.sha256()
    for part in (training, validation):
        for row in zip(part.left, part.right, part.targets.tolist(), strict=True):
            pairs.update("\0".join(map(str, row)).encode() + b"\n")
    text = json.dumps(settings, sort_keys=True).encode()
    return {"settings": hashlib.sha256(text).hexdigest(), "pairs": pairs.hexdigest()}
