"""What a training measured: JSON Lines, learning curves and, if wished, events for TensorBoard."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dedup.errors import UsageError
from dedup.training.toolkit.learning_curves import draw_curves

METRICS = "metrics.jsonl"


class Journal:
    """One line for each evaluation, in ``metrics.jsonl``: step, epoch, losses, learning rate and measures.

    Raises:
        UsageError: events for TensorBoard are wished, but it is not installed.
    """

    def __init__(self, folder: Path, *, tensorboard: bool) -> None:
        if tensorboard and find_spec("tensorboard") is None:
            raise UsageError("training.tensorboard needs a package: pip install 'neardup[tensorboard]'")
        self._folder, self._path = folder, folder / METRICS
        self._events: Any = None
        self._tensorboard = tensorboard
        self.entries: list[dict[str, Any]] = []

    def resume(self, entries: list[dict[str, Any]]) -> None:
        """Begin with the entries of an interrupted training; later ones in the file are measured again."""
        self.entries = list(entries)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")

    def add(self, entry: dict[str, Any]) -> None:
        """Append one entry."""
        self.entries.append(entry)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if self._tensorboard:
            if self._events is None:
                from torch.utils.tensorboard import SummaryWriter

                self._events = SummaryWriter(str(self._folder / "tensorboard"))
            for name, value in {**entry, **entry["validation"]}.items():
                if isinstance(value, float):
                    self._events.add_scalar(name, value, entry["step"])

    def close(self) -> None:
        """Draw the learning curves and close the files."""
        draw_curves(self.entries, self._folder)
        if self._events is not None:
            self._events.close()
