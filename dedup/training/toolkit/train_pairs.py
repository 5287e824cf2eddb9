"""Train a whole network on labelled pairs, by a recipe."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist

from dedup.encoder.onnx import OnnxEncoder, pair_similarities
from dedup.errors import InputRefused, UsageError
from dedup.evaluation.classified import measure
from dedup.evaluation.pair_set import PairSet
from dedup.model import Model
from dedup.runtime.progress import Progress
from dedup.training.data.negatives import random_negatives
from dedup.training.data.splitting import entity_of_text, split
from dedup.training.toolkit.build import build
from dedup.training.toolkit.fine_tuning import MIN_OF_EACH, Tuned, scorer_for_encoder
from dedup.training.toolkit.model_directory import TRAINING, Described, check_output, write_network, write_scorer
from dedup.training.toolkit.recipe import Recipe
from dedup.training.toolkit.scorer_task import Notify, Task, rounded
from dedup.training.toolkit.trainer import Trainer


def train_network(task: Task, recipe: Recipe, progress: Progress, notify: Notify) -> dict[str, Any]:
    """Train a network, write it as a model and return a summary.

    Raises:
        UsageError: the recipe does not fit the labels, or training cannot go on.
        InputRefused: there are too few pairs to hold some back, or a file that the recipe names cannot be read.
        KeyboardInterrupt: interrupted; a checkpoint was saved.
    """
    check_output(task.output)
    task = _fitting(task, recipe, notify)
    folder = task.output / TRAINING
    if task.fresh and folder.is_dir():
        shutil.rmtree(folder)
    recipe, training, validation, crossing = divided(task.pairs, recipe)
    reader = task.init.encoder.reader if task.init is not None and isinstance(task.init.encoder, OnnxEncoder) else None
    siamese = build(recipe, training.texts(), max(2, len(training.classes)), reader)
    if task.init is not None:
        siamese.load(task.init.directory)
    notify(
        f"{len(training):,} pairs to learn from, {len(validation):,} held back, {crossing:,} left out because they "
        f"have a text of each; {siamese.count():,} parameters"
    )
    trainer = Trainer(siamese, recipe, training, validation, folder, progress, notify)
    entries = trainer.fit()
    found = trainer.predict(validation)
    measures = measure(validation, found)
    described = Described(recipe, task.command, task.sources, {"held_back": measures})
    siamese.to("cpu")
    made = write_network(task.output, siamese, task.base, validation, found, described)
    tuned = _scorer_of(made, validation, recipe.training.seed, progress, notify)
    compared = _compared(task.base, validation, measures, tuned)
    if tuned is not None:
        made = write_scorer(task.output, made, tuned.scorer, {"measures": {"held_back": measures, **compared}})
    trainer.finish()
    _warn(compared, notify)
    return {
        "pairs": len(task.pairs),
        "held back pairs": len(validation),
        "parameters": siamese.count(),
        "epochs": entries[-1]["epoch"] if entries else 0,
        "seconds": round(entries[-1]["seconds"], 1) if entries else 0.0,
        "held back": {name: rounded(one) for name, one in compared.items()},
        "model": str(made.directory),
    }


def _fitting(task: Task, recipe: Recipe, notify: Notify) -> Task:
    """Return the task with labels that the objective can learn: classes become "the same" and "different"."""
    pairs = task.pairs
    if pairs.labels == "classes" and pairs.same and recipe.objective.kind != "cross-entropy":
        alike = ", ".join(pairs.classes[at] for at in sorted(pairs.same))
        notify(f"Pairs of the class {alike} count as the same, all others as different.")
        pairs = pairs.binary()
    recipe.objective.check(recipe.head.kind, pairs.labels)
    return replace(task, pairs=pairs)


def divided(pairs: PairSet, recipe: Recipe) -> tuple[Recipe, PairSet, PairSet, int]:
    """Hold pairs back; pairs without negatives get random ones, unless the recipe has some."""
    if pairs.labels == "binary" and pairs.positive.all():
        needs_more = recipe.objective.kind != "in-batch" and not (recipe.negatives.random or recipe.negatives.hard)
        recipe = replace(recipe, negatives=replace(recipe.negatives, random=1)) if needs_more else recipe
    parts = split(pairs, recipe.training.validation_share, recipe.training.seed)
    training, validation = pairs.select(parts.training), pairs.select(parts.validation)
    if pairs.labels == "binary" and pairs.positive.all() and len(validation):
        each = max(1, recipe.negatives.random)  # as many as in training, so that the threshold suits them
        more = random_negatives(validation, each, recipe.training.seed, entity_of_text(validation))
        validation = validation.with_more([one[0] for one in more], [one[1] for one in more], 0.0)
    is_mixed = pairs.labels == "graded" or bool(len(validation) and 0 < validation.positive.sum() < len(validation))
    if not len(training) or len(validation) < 2 or not is_mixed:
        raise InputRefused(
            f"Of {len(pairs)} pairs, {len(validation)} can be held back to validate on, and they are not of both "
            "labels. Give more pairs, or raise training.validation_share; pairs that are all linked through the same "
            "texts cannot be divided.",
            "E_LABELS",
        )
    if recipe.objective.kind == "in-batch" and not training.positive.any():
        raise UsageError('objective.kind is "in-batch", which needs pairs that are the same; there are none.')
    return recipe, training, validation, parts.crossing


def _scorer_of(made: Model, validation: PairSet, seed: int, progress: Progress, notify: Notify) -> Tuned | None:
    """Fit the scorer that an index needs to the pairs that the encoder has not learnt from."""
    pairs = validation.binary()
    least = int(min(pairs.positive.sum(), (~pairs.positive).sum()))
    if least < MIN_OF_EACH:
        notify(
            f"Warning: only {least} held-back pairs have the rarer label, so the scorer of the index is that of "
            "the model it is based on; give more pairs."
        )
        return None
    return scorer_for_encoder(made, pairs, seed, progress)


def _compared(
    base: Model, validation: PairSet, own: Mapping[str, Any], tuned: Tuned | None
) -> dict[str, Mapping[str, Any]]:
    """Return the measures of the network, of its scorer, and of what it should be better than, on the same pairs."""
    left, right = validation.left, validation.right
    found: dict[str, Mapping[str, Any]] = {"network": own}
    if tuned is not None:
        found["network with scorer"] = tuned.after
    if validation.labels != "classes":
        probabilities = base.compare(left, right, pair_similarities(base.encoder, left, right))
        found["model it is based on"] = measure(validation, probabilities)
        ratios = np.asarray(cpdist(left, right, scorer=fuzz.token_sort_ratio), np.float64) / 100
        found["RapidFuzz token sort ratio"] = measure(validation, ratios)
    share = np.bincount(validation.targets.astype(np.int64)).max() / len(validation)
    if validation.labels != "graded":
        found["majority class"] = {"accuracy": float(share)}
    return found


def _warn(compared: Mapping[str, Mapping[str, Any]], notify: Notify) -> None:
    based = compared.get("model it is based on", {}).get("best_f1")
    best = max(compared[name].get("best_f1", 0.0) for name in ("network", "network with scorer") if name in compared)
    if based is not None and best <= based:
        notify(
            "Warning: on the held-back pairs the new model is no better than the one it is based on (best F1 "
            f"{best:.4f} and {based:.4f}); keep that one, or give more pairs."
        )
