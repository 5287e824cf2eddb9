"""The page of ``dedup evaluate``: figures, curves, thresholds, the confusion matrix and the worst errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from dedup.evaluation import curves
from dedup.evaluation.labelled import Predicted
from dedup.evaluation.pair_set import HIGHEST_GRADE
from indexer.outputs.html_report.charts import safe
from indexer.outputs.model_pages import plots
from indexer.outputs.model_pages.frame import differing, table, tiles, write_page
from indexer.outputs.model_pages.plots import Axes

_ERRORS = 25
"""Pairs of each kind of error that are listed."""
_MOST_DOTS = 3_000
_NAMES = {
    "accuracy": "accuracy",
    "class_accuracy": "accuracy of the classes",
    "f1": "F1",
    "macro_f1": "mean F1 of the classes",
    "precision": "precision",
    "recall": "recall",
    "auc": "AUC",
    "average_precision": "average precision",
    "spearman": "Spearman",
    "pearson": "Pearson",
}
_SCORES = "predictions of the network"
_PROBABILITIES = "probabilities of an index"


def write_evaluation(out: TextIO, model: str, files: Sequence[str], predicted: Predicted) -> None:
    """Write what a model is worth on labelled pairs.

    ``model`` and ``files`` name the model and the pairs.

    Raises:
        OSError: the page cannot be written.
        InputRefused: all pairs are the same, or all are different.

    """
    measures = predicted.measures()
    title = f"{model} on {', '.join(files)}"
    pairs, same = len(predicted.truth), int(predicted.truth.sum())
    under = f"{pairs:,} pairs, {same:,} of them the same ({same / pairs:.1%})"
    write_page(out, title, under, _sections(predicted, measures))


def _sections(predicted: Predicted, measures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "In figures", tiles(_figures(predicted, measures)) + _others(measures)
    if predicted.pairs.labels == "graded":
        yield "Grades", _scatter(predicted, measures)
    yield "Curves", _curves(predicted, measures)
    yield f"What was called what, from {predicted.threshold:.3g} on", _confusion(measures)
    yield "Thresholds", _thresholds(predicted)
    yield "The worst errors", _errors(predicted)


def _figures(predicted: Predicted, measures: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key, name in _NAMES.items():
        if key in measures:
            yield f"{measures[key]:.3f}", name, ""
    if "best_f1" in measures:
        at = measures["best_threshold"]
        yield f"{measures['best_f1']:.3f}", "best F1", f"from {at:.3g} on, chosen on these pairs"
    if predicted.is_network:
        own = measures["probability"]
        yield f"{own['best_f1']:.3f}", "best F1 of an index", f"AUC {own['auc']:.3f}"


def _others(measures: Mapping[str, Any]) -> str:
    named = {"siamese_similarity": "cosine of the vectors"}
    rows = [
        (safe(named.get(name, f"RapidFuzz {name}")), f"{one['best_f1']:.3f}", f"{one['auc']:.3f}")
        for name, one in measures["baselines"].items()
    ]
    own = measures["probability"]
    rows.insert(0, (f"{_PROBABILITIES}", f"{own['best_f1']:.3f}", f"{own['auc']:.3f}"))
    return table(("on the same pairs", "best F1", "AUC"), rows)


def _scatter(predicted: Predicted, measures: Mapping[str, Any]) -> str:
    grades, scores = predicted.pairs.targets * HIGHEST_GRADE, predicted.scores
    rows = np.arange(len(grades))
    if len(rows) > _MOST_DOTS:
        rows = np.random.default_rng(0).permutation(rows)[:_MOST_DOTS]
    spread = np.random.default_rng(0).uniform(-0.08, 0.08, len(rows))  # equal grades would hide one another
    low = min(0.0, float(scores.min()))
    axes = Axes(
        "grade", "prediction", (-0.2, HIGHEST_GRADE + 0.2), (low, max(1.0, float(scores.max()))), (0, HIGHEST_GRADE)
    )
    points = list(zip((grades[rows] + spread).tolist(), scores[rows].tolist(), strict=True))
    said = f"Predictions by grade. Spearman {measures['spearman']:.3f}, Pearson {measures['pearson']:.3f}."
    caption = said if len(rows) == len(grades) else f"{said} {len(rows):,} of {len(grades):,} pairs, drawn at random."
    drawn = plots.figure(caption, plots.plot(axes, plots.dots(axes, points, "cloud", radius=2), said))
    return f'<div class="row">{drawn}</div>'


def _curves(predicted: Predicted, measures: Mapping[str, Any]) -> str:
    lines = [("line", _SCORES if predicted.is_network else _PROBABILITIES, predicted.scores)]
    if predicted.is_network:
        lines.append(("line second", _PROBABILITIES, predicted.probabilities))
    lines.append(("line third", "cosine of the vectors", predicted.similarities.astype(np.float64)))
    legend = [(kind, name) for kind, name, _ in lines]
    drawn = "".join(
        (_precision_recall(predicted, measures, lines, legend), _roc(predicted, measures, lines, legend),
         _calibration(predicted, measures))
    )  # fmt: skip
    return f'<div class="row">{drawn}</div>'


Lines = Sequence[tuple[str, str, NDArray[np.float64]]]
Legend = Sequence[tuple[str, str]]


def _precision_recall(predicted: Predicted, measures: Mapping[str, Any], lines: Lines, legend: Legend) -> str:
    axes = Axes("recall", "precision")
    drawn = "".join(
        plots.line(axes, _points(curves.precision_recall(predicted.truth, scores)), kind)
        for kind, _, scores in reversed(lines)
    )
    at = (measures["recall"], measures["precision"])
    drawn += plots.dots(axes, [at], "dot chosen", [f"threshold {predicted.threshold:.3g}"])
    drawn += plots.note(axes, at, f"{predicted.threshold:.3g}", "end" if at[0] > 0.5 else "start")
    said = (
        f"Precision by recall: average precision {measures['average_precision']:.3f}; at the threshold "
        f"{predicted.threshold:.3g} precision {at[1]:.3f} and recall {at[0]:.3f}."
    )
    return plots.figure("Precision and recall; the dot is the threshold", plots.plot(axes, drawn, said), legend)


def _roc(predicted: Predicted, measures: Mapping[str, Any], lines: Lines, legend: Legend) -> str:
    axes = Axes("share of the different called the same", "share of the same found")
    drawn = plots.line(axes, [(0, 0), (1, 1)], "chance") + "".join(
        plots.line(axes, _points(curves.roc(predicted.truth, scores)), kind) for kind, _, scores in reversed(lines)
    )
    said = f"Receiver operating characteristic; AUC {measures['auc']:.3f}, chance would be 0.5."
    return plots.figure("ROC; dashed is chance", plots.plot(axes, drawn, said), legend)


def _calibration(predicted: Predicted, measures: Mapping[str, Any]) -> str:
    axes, bins = (
        Axes("probability", "share that is the same"),
        curves.calibration(predicted.truth, predicted.probabilities),
    )
    most = max(one.count for one in bins)
    bars = [
        (at / 10, (at + 1) / 10, 0.25 * one.count / most, f"{one.count:,} pairs")
        for one in bins
        for at in (min(9, max(0, int(np.ceil(one.probability * 10 - 1e-9)) - 1)),)
    ]
    points = [(one.probability, one.share) for one in bins]
    titles = [f"{one.count:,} pairs of {one.probability:.2f}: {one.share:.2f} are the same" for one in bins]
    drawn = (
        plots.bars(axes, bars)
        + plots.line(axes, [(0, 0), (1, 1)], "chance")
        + plots.line(axes, points, "line")
        + plots.dots(axes, points, "dot", titles)
    )
    own = measures["probability"]
    error = f"calibration error {own['expected_calibration_error']:.3f}, Brier {own['brier']:.3f}"
    said = f"Share of true pairs by probability of an index: {error}."
    caption = f"Calibration of the probabilities of an index: {error}; grey: pairs"
    return plots.figure(caption, plots.plot(axes, drawn, said))


def _points(curve: tuple[NDArray[np.float64], NDArray[np.float64]]) -> list[tuple[float, float]]:
    return list(zip(curve[0].tolist(), curve[1].tolist(), strict=True))


def _confusion(measures: Mapping[str, Any]) -> str:
    own = measures["confusion"]
    found = table(("labelled", "called same", "called different"), _counts(own), "same and different")
    if "class_confusion" in measures:
        classes = measures["class_confusion"]
        found += table(("labelled", *(f"called {name}" for name in classes)), _counts(classes), "classes")
        rows = [
            (safe(name), *(f"{one[key]:.3f}" for key in ("precision", "recall", "f1")))
            for name, one in measures["classes"].items()
        ]
        found += table(("class", "precision", "recall", "F1"), rows, "by class")
    return f'<div class="row">{found}</div>'


def _counts(confusion: Mapping[str, Mapping[str, int]]) -> Iterator[Sequence[str]]:
    for name, row in confusion.items():
        total = max(1, sum(row.values()))
        yield safe(name), *(f"{count:,} <small>{count / total:.1%}</small>" for count in row.values())


def _thresholds(predicted: Predicted) -> str:
    best = predicted.best_threshold()
    rows = []
    for one in curves.threshold_table(predicted.truth, predicted.scores, predicted.threshold, best):
        marks = [
            word
            for word, value in (("the threshold", predicted.threshold), ("best F1", best))
            if one.threshold == value
        ]
        name = f"<b>{one.threshold:.3g}</b> {safe(', '.join(marks))}" if marks else f"{one.threshold:.2f}"
        shares = (one.precision, one.recall, one.f1, one.accuracy)
        rows.append((name, f"{one.called:,}", *(f"{share:.3f}" for share in shares)))
    return table(("from", "called same", "precision", "recall", "F1", "accuracy"), rows)


def _errors(predicted: Predicted) -> str:
    scores, truth, line = predicted.scores, predicted.truth, predicted.threshold
    wrongly = [row for row in np.argsort(-scores, kind="stable").tolist() if scores[row] >= line and not truth[row]]
    missed = [row for row in np.argsort(scores, kind="stable").tolist() if scores[row] < line and truth[row]]
    return _listed(predicted, wrongly, "Called the same, but different") + _listed(
        predicted, missed, "The same, but not called so"
    )


def _listed(predicted: Predicted, rows: Sequence[int], what: str) -> str:
    if not rows:
        return f"<h3>{safe(what)}</h3><p>There are none.</p>"
    columns = ["prediction", "first text", "second text", "cosine"]
    if predicted.is_network:
        columns.insert(1, "probability")
    cells = []
    for row in rows[:_ERRORS]:
        texts = differing(predicted.pairs.left[row], predicted.pairs.right[row])
        own = [f"{predicted.probabilities[row]:.3f}"] if predicted.is_network else []
        cells.append((f"{predicted.scores[row]:.3f}", *own, *texts, f"{predicted.similarities[row]:.3f}"))
    which = f"all {len(rows):,}" if len(rows) <= _ERRORS else f"the worst {_ERRORS} of {len(rows):,}"
    return f"<h3>{safe(what)}: {which}</h3>{table(columns, cells)}"
