"""Fit the scorer of a model to the user's own labels, and tell by cross-validation whether that helps.

The curves shrink to those of the model, so a hundred labels change little and thousands change much. How strongly is
chosen on entities that are held back; so is whether anything should change at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import pair_similarities
from dedup.errors import InputRefused
from dedup.evaluation import measures
from dedup.evaluation.pair_set import PairSet
from dedup.evidence.features import FEATURES, evidence
from dedup.evidence.scorer import Scorer, logistic
from dedup.model import Model
from dedup.runtime.progress import Progress
from dedup.training.data.splitting import folds
from dedup.training.scorer_fitting import adapt_scorer

STRENGTHS = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
"""How strongly the curves shrink to those of the model: the candidates, the strongest first."""
MIN_GAIN = 0.002
"""Best F1 on held-back entities that a fine-tuned scorer must gain."""

MOST_PAIRS = 20_000
"""Pairs that a scorer is fitted to; of more, as many are drawn at random: its few hundred numbers need no more."""

_ENCODER_STRENGTH = 30.0
_FOLDS = 5
MIN_OF_EACH = 10
"""Pairs of each label that a scorer can be fitted to."""

_PAIRS_PER_STEP = 5_000


@dataclass(frozen=True, slots=True)
class Tuned:
    """A scorer for the user's labels, and what it is worth on held-back entities.

    Attributes:
        scorer: The scorer to use: that of the model if nothing helped.
        strength: How strongly its curves shrink to those of the model; None if it is that of the model.
        before: Best F1 and log-loss of the model.
        after: The same of the fine-tuned scorer, or of the best candidate if nothing helped.

    """

    scorer: Scorer
    strength: float | None
    before: dict[str, float]
    after: dict[str, float]


def evidence_rows(model: Model, pairs: PairSet, progress: Progress) -> NDArray[np.float32]:
    """Return the evidence on each pair, (n, features)."""
    similarities = pair_similarities(model.encoder, pairs.left, pairs.right)
    rows = []
    for start in range(0, len(pairs), _PAIRS_PER_STEP):
        part = slice(start, start + _PAIRS_PER_STEP)
        rows.append(evidence(pairs.left[part], pairs.right[part], similarities[part], model.word_model))
        progress("compare", min(part.stop, len(pairs)), len(pairs))
    return np.concatenate(rows)


def tune_scorer(model: Model, pairs: PairSet, seed: int, progress: Progress) -> Tuned:
    """Fit the scorer of ``model`` to labelled pairs.

    Raises:
        InputRefused: there are fewer than 10 pairs of the same, or of different texts.
    """
    if len(pairs) > MOST_PAIRS:
        pairs = pairs.select(np.sort(np.random.default_rng(seed).permutation(len(pairs))[:MOST_PAIRS]))
    labels = pairs.positive.astype(np.float64)
    least = int(min(labels.sum(), (1 - labels).sum()))
    if least < MIN_OF_EACH:
        raise InputRefused(
            f"Only {least} of the {len(pairs)} pairs have the rarer label; fine-tuning needs {MIN_OF_EACH} pairs that "
            "are the same and as many that are not.",
            "E_LABELS",
        )
    rows = evidence_rows(model, pairs, progress)
    parts = [part for part in folds(pairs, _FOLDS, seed) if len(part.validation) and len(part.training)]
    held = np.concatenate([part.validation for part in parts])
    before = model.additive.log_odds(rows[held])
    candidates: dict[float, NDArray[np.float64]] = {}
    for at, strength in enumerate(STRENGTHS):
        fitted = [adapt_scorer(model.additive, rows[part.training], labels[part.training], strength) for part in parts]
        candidates[strength] = np.concatenate(
            [one.log_odds(rows[part.validation]) for one, part in zip(fitted, parts, strict=True)]
        )
        progress("fit", at + 1, len(STRENGTHS))
    truth = labels[held]
    found = {strength: _worth(truth, log_odds) for strength, log_odds in candidates.items()}
    strength = max(found, key=lambda one: (round(found[one]["best_f1"], 3), -found[one]["log_loss"]))
    worth = _worth(truth, before)
    if found[strength]["best_f1"] < worth["best_f1"] + MIN_GAIN:
        return Tuned(model.additive, None, worth, found[strength])
    return Tuned(adapt_scorer(model.additive, rows, labels, strength), strength, worth, found[strength])


def scorer_for_encoder(model: Model, pairs: PairSet, seed: int, progress: Progress) -> Tuned:
    """Return the scorer of ``model``, whose encoder is new, fitted to pairs that this encoder has not learnt from.

    The curve of the similarity is fitted from nothing: it means something else with every encoder.
    """
    return _scorer_for_encoder(model, pairs, evidence_rows(model, pairs, progress), pairs.positive.astype(float), seed)


def taught_scorer(model: Model, teacher: Model, pairs: PairSet, seed: int, progress: Progress) -> Tuned:
    """Return the scorer of ``model``, whose encoder is new, that says of pairs what that of ``teacher`` says.

    This is distillation (Hinton, Vinyals & Dean 2015). It is for pairs whose labels nobody gave: these would teach the
    scorer how the pairs were made. As labels are not needed, the texts are also paired at random.
    """
    mixed = np.random.default_rng(seed).permutation(len(pairs)).tolist()
    more = pairs.with_more(pairs.left, [pairs.right[row] for row in mixed], 0.0)
    wanted = logistic(teacher.additive.log_odds(evidence_rows(teacher, more, progress)))
    return _scorer_for_encoder(model, pairs, evidence_rows(model, more, progress), wanted, seed)


def _scorer_for_encoder(
    model: Model, pairs: PairSet, rows: NDArray[np.float32], wanted: NDArray[np.float64], seed: int
) -> Tuned:
    """Fit the scorer to ``rows``, whose probabilities should be as ``wanted``; further rows may follow those of pairs.

    ``before`` is the worth of the similarity alone, ``after`` that of the scorer by cross-validation; empty if the
    pairs are too few, or all of one label.
    """
    more = np.arange(len(pairs), len(rows))

    def fit(some: NDArray[np.int64]) -> Scorer:
        part = np.concatenate([some, more])
        return adapt_scorer(model.additive, rows[part], wanted[part], _ENCODER_STRENGTH, new=("similarity",))

    scorer, truth = fit(np.arange(len(pairs))), pairs.positive.astype(np.float64)
    parts = [part for part in folds(pairs, _FOLDS, seed) if len(part.validation) and len(part.training)]
    held = np.concatenate([np.zeros(0, dtype=np.int64), *(part.validation for part in parts)])
    if not 0 < truth[held].sum() < len(held):
        return Tuned(scorer, _ENCODER_STRENGTH, {}, {})
    log_odds = np.concatenate([fit(part.training).log_odds(rows[part.validation]) for part in parts])
    similarity = rows[held, FEATURES.index("similarity")].astype(np.float64)
    return Tuned(scorer, _ENCODER_STRENGTH, _worth(truth[held], similarity), _worth(truth[held], log_odds))


def _worth(truth: NDArray[np.float64], log_odds: NDArray[np.float64]) -> dict[str, float]:
    probabilities = np.clip(logistic(log_odds), 1e-12, 1 - 1e-12)
    losses = -np.where(truth == 1, np.log(probabilities), np.log(1 - probabilities))
    return {
        "best_f1": measures.best_f1(truth, log_odds)[0],
        "auc": measures.auc(truth, log_odds),
        "log_loss": float(losses.mean()),
    }
