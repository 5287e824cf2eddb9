"""Train a whole network on labelled pairs, by a recipe."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

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
from dedup.training.toolkit.fine_tuning import MIN_OF_EACH, Tuned, scorer_for_encoder, taught_scorer
from dedup.training.toolkit.model_directory import TRAINING, Described, check_output, write_network, write_scorer
from dedup.training.toolkit.recipe import Recipe
from dedup.training.toolkit.scorer_task import Notify, Task, rounded
from dedup.training.toolkit.trainer import Trainer

_MADE = (
    "Note: {which}, so these measures say how well the model knows such pairs, not your duplicates; measure it on "
    "pairs that people labelled, with `dedup evaluate`. The scorer of the index was taught by the model it is based on."
)
_FEW = (
    "Note: Only {least} held-back pairs have the rarer label, too few to fit the scorer of the index to, so it was "
    "taught by the model it is based on. Give more pairs for one of its own."
)
_NO_CLASS = (
    "Note: None of the classes {names} counts as the same, so the scorer of the index was taught by the model it is "
    "based on. Name those that do with --same."
)


class Divided(NamedTuple):
    """The pairs to learn from and those held back; ``made`` says why the labels of the latter are nobody's, if so."""

    recipe: Recipe
    training: PairSet
    validation: PairSet
    crossing: int
    made: str | None


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
    recipe, training, validation, crossing, made_up = divided(task.pairs, task.generated, recipe)
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
    tuned = _scorer_of(made, task.base, validation, recipe.training.seed, progress, notify, made_up)
    compared = _compared(task.base, validation, measures, tuned)
    made = write_scorer(task.output, made, tuned.scorer, {"measures": {"held_back": measures, **compared}})
    trainer.finish()
    gain = _gain(compared, notify)
    return {
        "pairs": len(task.pairs),
        "held back pairs": len(validation),
        "parameters": siamese.count(),
        "epochs": entries[-1]["epoch"] if entries else 0,
        "seconds": round(entries[-1]["seconds"], 1) if entries else 0.0,
        "held back": {name: rounded(one) for name, one in compared.items()},
        **gain,
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


def divided(pairs: PairSet, generated: int, recipe: Recipe) -> Divided:
    """Hold pairs back; pairs without negatives get random ones, unless the recipe has some.

    The last pairs are ``generated``; they are learnt only, unless there are no others.
    """
    if pairs.labels == "binary" and pairs.positive.all():
        needs_more = recipe.objective.kind != "in-batch" and not (recipe.negatives.random or recipe.negatives.hard)
        recipe = replace(recipe, negatives=replace(recipe.negatives, random=1)) if needs_more else recipe
    parts = split(pairs, recipe.training.validation_share, recipe.training.seed)
    labelled = len(pairs) - generated
    made = "All pairs are generated" if not labelled else None
    held = parts.validation[parts.validation < labelled] if labelled else parts.validation
    training, validation = pairs.select(parts.training), pairs.select(held)
    if pairs.labels == "binary" and len(validation) and pairs.positive[:labelled].all() and labelled:
        made = "The negatives held back are drawn at random"
        each = max(1, recipe.negatives.random)  # as many as in training, so that the threshold suits them
        more = random_negatives(validation, each, recipe.training.seed, entity_of_text(validation))
        validation = validation.with_more([one[0] for one in more], [one[1] for one in more], 0.0)
    is_mixed = pairs.labels == "graded" or len(np.unique(validation.targets)) > 1
    if not len(training) or len(validation) < 2 or not is_mixed:
        raise InputRefused(
            f"Of {labelled or len(pairs)} pairs, {len(validation)} can be held back to validate on, and they do not "
            "have several labels. Give more pairs, or raise training.validation_share; pairs that are all linked "
            "through the same texts cannot be divided.",
            "E_LABELS",
        )
    if recipe.objective.kind == "in-batch" and not training.positive.any():
        raise UsageError('objective.kind is "in-batch", which needs pairs that are the same; there are none.')
    return Divided(recipe, training, validation, parts.crossing, made)


def _scorer_of(
    new: Model, base: Model, validation: PairSet, seed: int, progress: Progress, notify: Notify, made: str | None
) -> Tuned:
    """Fit the scorer that an index needs to the pairs that the encoder has not learnt from.

    ``made`` says why nobody gave their labels, if so.
    """
    pairs = validation.binary()
    least = int(min(pairs.positive.sum(), (~pairs.positive).sum()))
    if made is None and least >= MIN_OF_EACH:
        return scorer_for_encoder(new, pairs, seed, progress)
    if made is not None:
        notify(_MADE.format(which=made))
    elif validation.same or validation.labels == "graded":
        notify(_FEW.format(least=least))
    else:
        notify(_NO_CLASS.format(names=", ".join(validation.classes)))
    return taught_scorer(new, base, pairs, seed, progress)


def _compared(base: Model, validation: PairSet, own: Mapping[str, Any], tuned: Tuned) -> dict[str, Mapping[str, Any]]:
    """Return the measures of the network, of its scorer, and of what it should be better than, on the same pairs."""
    left, right = validation.left, validation.right
    found: dict[str, Mapping[str, Any]] = {"network": own}
    if tuned.after:
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


def _gain(compared: Mapping[str, Mapping[str, Any]], notify: Notify) -> dict[str, str]:
    """Return by how much best F1 of an index rises with the new model; warn if it does not."""
    before = compared.get("model it is based on", {}).get("best_f1")
    after = compared.get("network with scorer", compared["network"]).get("best_f1")
    if before is None or after is None:
        return {}
    if after <= before:
        notify(
            "Warning: on the held-back pairs an index with the new model is no better than with the one it is based on "
            f"(best F1 {after:.4f} and {before:.4f}); keep that one, or give more pairs."
        )
    return {"gain in best F1": f"{after - before:+.4f}"}
