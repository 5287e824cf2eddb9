"""What is to be trained, and the simplest such task: fit the scorer of a model that exists. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dedup.errors import InputRefused
from dedup.evaluation.pair_set import PairSet
from dedup.model import Model
from dedup.runtime.progress import Progress
from dedup.training.toolkit.fine_tuning import tune_scorer
from dedup.training.toolkit.model_directory import check_output, write_scorer

_NAMES = (
    "best_f1",
    "auc",
    "accuracy",
    "best_accuracy",
    "class_accuracy",
    "macro_f1",
    "spearman",
    "pearson",
    "f1",
    "log_loss",
)

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be trained, besides the recipe.

    Attributes:
        pairs: The labelled pairs.
        output: Directory for the model.
        base: The model whose scorer and words are begun with, and that is compared with.
        init: The model whose encoder is begun with; None to begin from nothing.
        command: The command, for the manifest.
        sources: What the pairs are, for the manifest.
        fresh: Forget the checkpoints of an interrupted training.
        generated: How many of the pairs, the last ones, were generated, so that their labels are nobody's.

    """

    pairs: PairSet
    output: Path
    base: Model
    init: Model | None
    command: str
    sources: Mapping[str, str]
    fresh: bool = False
    generated: int = 0


def fine_tune(task: Task, seed: int, progress: Progress, notify: Notify) -> dict[str, Any]:
    """Fit the scorer of ``task.base`` to the labels and write the model; return a summary.

    Raises:
        InputRefused: the labels do not make it better on held-back entities (code ``E_NOT_BETTER``), or are too few.
            Nothing was written.
    """
    check_output(task.output)
    task.pairs.check_same()
    tuned = tune_scorer(task.base, task.pairs.binary(), seed, progress)
    gain = tuned.after["best_f1"] - tuned.before["best_f1"]
    if tuned.strength is None:
        raise InputRefused(
            f"These labels do not make the model better: on held-back entities its best F1 is "
            f"{tuned.before['best_f1']:.4f}, that of the best fine-tuned scorer {tuned.after['best_f1']:.4f}. Keep the "
            "model as it is; give more labels, or train an encoder with --preset.",
            "E_NOT_BETTER",
        )
    measures = {"model before": tuned.before, "fine-tuned": tuned.after}
    training = {"tuned": "scorer", "strength": tuned.strength, "seed": seed}
    described = {
        "command": task.command,
        "sources": dict(task.sources),
        "measures": {"held_back": measures},
        "training": training,
    }
    made = write_scorer(task.output, task.base, tuned.scorer, described)
    return {
        "pairs": len(task.pairs),
        "tuned": "scorer",
        "held back": {name: rounded(found) for name, found in measures.items()},
        "gain in best F1": f"{gain:+.4f}",
        "model": str(made.directory),
    }


def rounded(found: Mapping[str, Any]) -> dict[str, float]:
    """Return the measures that a summary shows, with four decimal places."""
    return {name.replace("_", " "): round(float(found[name]), 4) for name in _NAMES if name in found}
