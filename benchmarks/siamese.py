"""Presets of the toolkit on data sets of pairs, beside the majority class, TF-IDF cosine and RapidFuzz.

    python benchmarks/siamese.py --data ../shared/data --work build/siamese --pairs 4000 --seconds 60
    python benchmarks/siamese.py ... --only word-cnn,word-rnn --sets qqp,snli_2 --shares 1/8,1/4,1/2,1
    python benchmarks/siamese.py ... --only transformer --sets msrp --set tower.directory=DIR

Each preset learns from the training file, holds some entities of it back to choose the best epoch and the thresholds,
and is measured on the validation file through its ONNX files. With ``--seconds`` the first steps are timed, and it
learns for as many epochs, or if not even one fits from as many pairs, as their speed allows; seconds are those of the
processor, in one thread. With ``--shares`` it learns from so much of that file, too, which shows where it is heading.
Results are kept in WORK, one line each, so that an interrupted run continues, and one with other settings adds its
lines; the table shows the last line of each preset and set.
"""

import argparse
import contextlib
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist
from results import PAGES, table

from dedup.evaluation.classified import best_threshold, measure
from dedup.evaluation.pair_set import PairSet
from dedup.model import load_model
from dedup.runtime.progress import no_progress
from dedup.training.data.splitting import entity_of_text, split
from dedup.training.toolkit.recipe import read_recipe
from dedup.training.toolkit.scorer_task import Task
from dedup.training.toolkit.train_pairs import divided, train_network
from indexer.ingest.labelled_pairs import Wanted, read_pairs
from indexer.reading.open import ReadOptions

Floats = NDArray[np.float64]

PRESETS = (
    "char-lstm", "char-bilstm-contrastive", "word-bilstm-contrastive", "word-cnn", "word-rnn", "word-multihead",
    "lstm-cosine", "bilstm-l1", "char-lstm-classifier",
)  # fmt: skip
_GRADED = {"char-lstm": "mse", "char-bilstm-contrastive": "mse", "word-bilstm-contrastive": "mse", "lstm-cosine": "mse"}
SETS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "company_h1b": ("pairs/company_train", "pairs/company_validation_h1b", {}),
    "toponyms": ("pairs/toponyms_train", "pairs/toponyms_validation", {}),
    "person_aliases": ("pairs/person_aliases_train", None, {}),
    "qqp": ("sentences/qqp_train", "sentences/qqp_validation", {}),
    "snli_2": ("sentences/snli_train", "sentences/snli_validation", {"labels": "classes", "same": ["0"]}),
    "snli_3": ("sentences/snli_train", "sentences/snli_validation", {"labels": "classes", "same": ["0"]}),
    "msrp": ("sentences/msrp_train", "sentences/msrp_validation", {}),
    "lcqmc": ("sentences/lcqmc_validation", None, {}),
    "afqmc": ("sentences/afqmc_train", "sentences/afqmc_validation", {}),
    "sts": ("sentences/sts_train", "sentences/sts_validation", {"labels": "graded"}),
    "sts_b_zh": ("sentences/sts_b_zh_train", "sentences/sts_b_zh_validation", {"labels": "graded"}),
}
"""Training file, validation file (None: entities held back from the first) and what the labels are."""
HEADER = (
    "data", "method", "pairs learnt", "epochs", "budget, s", "parameters", "accuracy", "F1", "AUC", "Spearman",
    "s an epoch", "texts/s",
)  # fmt: skip
_COMPARED = ("accuracy", "F1", "AUC", "Spearman")
_INTRODUCTION = """\
Written by `benchmarks/siamese.py`. Thresholds, one for accuracy and one for F1, are chosen on pairs held back from the
training file (baselines: on the training pairs). F1 of three classes is macro-averaged; TF-IDF and RapidFuzz tell
entailment from all else there, and so do presets that learn one similarity. Pairs learnt include those held back.
Seconds are processor seconds of one thread; the budget is what the training was given, none where the preset's own
number of epochs was used. Bold is a preset that is ahead of the majority class, TF-IDF and RapidFuzz in that column.
"""
RECIPES = """\
The accuracy that multihead-siamese-nets states, having learnt from the whole training sets:

| data | word-cnn | word-rnn | word-multihead |
|---|---|---|---|
| snli_2 | 0.754 | 0.796 | 0.783 |
| qqp | 0.809 | 0.833 | 0.810 |
"""
_SEED = 7
_MEASURED = 12_000
"""Most pairs to measure on."""
_TIMED = 8
"""Steps that are timed to keep within ``--seconds``."""


def read(data: Path, name: str, wanted: dict[str, Any]) -> PairSet:
    """Return the pairs of one file of the data."""
    columns = {} if "aliases" not in name else {"labels": "binary"}
    ignore: Callable[..., None] = lambda *_: None  # noqa: E731 - rejects and notes
    return read_pairs(
        [str(data / f"{name}.csv.gz")], Wanted(**wanted, **columns), ReadOptions(), ignore, no_progress, ignore
    )


def parts_of(data: Path, name: str, most: int) -> tuple[PairSet, PairSet]:
    """Return the pairs to learn from, at most ``most``, and those to measure on."""
    training, validation, wanted = SETS[name]
    pairs = read(data, training, wanted)
    if validation is None:
        parts = split(pairs, 0.3, _SEED)
        pairs, measured = pairs.select(parts.training), pairs.select(parts.validation)
        measured = with_negatives(measured)
    else:
        measured = read(data, validation, wanted)
    if name == "snli_2":  # entailment or contradiction, as the two classes of multihead-siamese-nets
        pairs, measured = (one.select(np.flatnonzero(one.targets != 1)).binary() for one in (pairs, measured))
    return some_of(pairs, most, _SEED), some_of(measured, _MEASURED, _SEED)


def some_of(pairs: PairSet, most: int, seed: int) -> PairSet:
    """Return at most that many of the pairs, drawn at random."""
    if len(pairs) <= most:
        return pairs
    return pairs.select(np.random.default_rng(seed).permutation(len(pairs))[:most])


def with_negatives(pairs: PairSet) -> PairSet:
    """Return pairs of the same and, unless there are others, two random pairs of all texts for each.

    So deep-siamese-text-similarity draws them; texts of one entity are left out here.
    """
    if not pairs.positive.all():
        return pairs
    texts, entity = [*pairs.left, *pairs.right], entity_of_text(pairs)
    order = np.random.default_rng(_SEED).permutation(len(texts)).tolist()
    drawn = [(text, texts[at]) for text, at in zip(texts, order, strict=True) if entity[text] != entity[texts[at]]]
    return pairs.with_more([one[0] for one in drawn], [one[1] for one in drawn], 0.0)


class _EnoughError(Exception):
    """Ends a training whose first steps were timed."""


class Clock:
    """Takes the processor time of each step of a training; an error ends it after ``most`` steps."""

    def __init__(self, most: int | None = None) -> None:
        self.most, self.times, self.total = most, [time.process_time()], 0

    def __call__(self, title: str, step: int, total: int) -> None:
        """Note the time of a step."""
        if not title.startswith("train"):
            return
        self.times.append(time.process_time())
        self.total = total
        if len(self.times) - 1 == self.most:
            raise _EnoughError


def within(task: Task, preset: str, changes: Sequence[str], seconds: float) -> tuple[PairSet, int]:
    """Return the pairs and the epochs that take about so many processor seconds, evaluations not counted."""
    clock, most = Clock(_TIMED), read_recipe(preset, None, changes).training.epochs
    with contextlib.suppress(_EnoughError):
        train_network(task, read_recipe(preset, None, changes), clock, lambda _: None)
    an_epoch = float(np.median(np.diff(clock.times))) * clock.total / most
    pairs = some_of(task.pairs, max(200, round(len(task.pairs) * seconds / an_epoch)), _SEED)
    return pairs, max(1, min(most, int(seconds / an_epoch)))


def trained(
    preset: str, name: str, pairs: PairSet, measured: PairSet, share: Fraction, args: argparse.Namespace
) -> dict[str, Any]:
    """Train a preset on a share of the pairs and measure it."""
    is_classifier = read_recipe(preset).head.kind in ("concat", "cosine-linear")
    if pairs.labels == "graded" and is_classifier:
        return {"note": "learns classes, not grades"}
    if not is_classifier and name == "snli_3":
        pairs, measured = pairs.binary(), measured.binary()
    changes = [*args.set, *([f"training.batch_size={args.batch_size}"] if args.batch_size else [])]
    changes += [f"training.epochs={args.epochs}"] if args.epochs else []
    if pairs.labels == "graded" and preset in _GRADED:
        changes.append(f"objective.kind={_GRADED[preset]}")
    pairs = some_of(pairs, round(share * len(pairs)), _SEED + 1)
    folder = args.work / "models" / f"{preset}-{name}{f'-{share.numerator}-{share.denominator}' * (share < 1)}"
    task = Task(pairs, folder, load_model(), None, "benchmarks/siamese.py", {})
    if args.seconds:
        pairs, epochs = within(replace(task, fresh=True), preset, changes, args.seconds)
        changes.append(f"training.epochs={epochs}")
        task = replace(task, pairs=pairs, fresh=True)
    clock, recipe = Clock(), read_recipe(preset, None, changes)
    summary = train_network(task, recipe, clock, lambda _: None)
    model = load_model(folder)
    texts = measured.texts()
    start = time.process_time()
    model.encoder.encode(texts)
    rate = len(texts) / (time.process_time() - start)
    assert model.head is not None
    compare = model.head.compare
    held = divided(pairs, 0, recipe).validation
    if pairs.positive.all():  # thresholds for the mixture that is measured, whatever was learnt from
        held = with_negatives(held.select(np.flatnonzero(held.positive)))
    return {
        **shown(measured, compare(measured.left, measured.right), held, compare(held.left, held.right)),
        "pairs learnt": len(pairs),
        "epochs": summary["epochs"],
        "budget, s": args.seconds or "",
        "parameters": summary["parameters"],
        "s an epoch": round((clock.times[-1] - clock.times[0]) / max(1, summary["epochs"]), 2),
        "texts/s": round(rate),
    }


def shown(measured: PairSet, found: Floats, held: PairSet, found_held: Floats) -> dict[str, Any]:
    """Return the measures of the table; thresholds are chosen on the pairs ``held`` back."""
    if measured.labels == "classes":
        values = measure(measured, found)
        return {title: round(values[name], 4) for title, name in (("accuracy", "class_accuracy"), ("F1", "macro_f1"))}
    if found.ndim == 2:  # probabilities of the classes 0 and 1
        found, found_held = found[:, 1], found_held[:, 1]
    values = measure(measured, found, best_threshold(held, found_held))
    values["accuracy"] = float(np.mean((found >= most_accurate(held, found_held)) == measured.positive))
    names = {"accuracy": "accuracy", "F1": "f1", "AUC": "auc", "Spearman": "spearman"}
    return {title: round(values[name], 4) for title, name in names.items() if name in values}


def most_accurate(pairs: PairSet, found: Floats) -> float:
    """Return the threshold with the highest accuracy."""
    order = np.argsort(-found, kind="stable")
    right = np.cumsum(np.where(pairs.positive[order], 1, -1))  # the first n called the same, all others different
    at = int(np.argmax(right))
    if right[at] <= 0:
        return float("inf")
    after = order[at + 1] if at + 1 < len(order) else order[at]
    return float((found[order[at]] + found[after]) / 2)


def baselines(pairs: PairSet, measured: PairSet) -> dict[str, dict[str, Any]]:
    """Return the measures of what needs no network; thresholds are chosen on the training pairs."""
    ratio = lambda some: np.asarray(cpdist(some.left, some.right, scorer=fuzz.token_sort_ratio), float)  # noqa: E731
    cosines = tfidf(pairs.texts())
    found = {}
    counts = np.bincount(measured.targets.astype(int)) if measured.labels != "graded" else np.array([0])
    if counts.sum():
        found["majority class"] = {"accuracy": round(float(counts.max() / counts.sum()), 4)}
    plain = measured if measured.labels == "graded" else measured.binary()
    learnt = pairs if pairs.labels == "graded" else pairs.binary()
    learnt = with_negatives(learnt)
    for title, compare in (("TF-IDF cosine", cosines), ("RapidFuzz token sort ratio", ratio)):
        found[title] = shown(plain, compare(plain), learnt, compare(learnt))
    return found


def tfidf(texts: Sequence[str]) -> Callable[[PairSet], NDArray[np.float64]]:
    """Return the cosine of words and character trigrams, weighted by inverse frequency in ``texts``."""
    counts = Counter(gram for text in texts for gram in {*grams(text)})
    rarity = {gram: math.log((1 + len(texts)) / (1 + count)) + 1 for gram, count in counts.items()}
    unseen = math.log(1 + len(texts)) + 1

    def vector(text: str) -> dict[str, float]:
        found = {gram: n * rarity.get(gram, unseen) for gram, n in Counter(grams(text)).items()}
        length = math.sqrt(sum(value * value for value in found.values()))
        return {gram: value / length for gram, value in found.items()}

    def cosine(left: str, right: str) -> float:
        a, b = vector(left), vector(right)
        return sum(value * b[gram] for gram, value in a.items() if gram in b)

    return lambda pairs: np.array([cosine(*pair) for pair in zip(pairs.left, pairs.right, strict=True)])


def grams(text: str) -> list[str]:
    """Return the words of a text and its character trigrams."""
    padded = f" {text} "
    return [*text.split(), *(padded[at : at + 3] for at in range(len(padded) - 2))]


def page(lines: Sequence[dict[str, Any]]) -> str:
    """Return the results as a page: of each data set, method and share the last line."""
    order = {name: at for at, name in enumerate(SETS)}
    last = {(line["data"], line["method"], line.get("share", "1")): line for line in lines}
    chosen = sorted(last.values(), key=lambda line: order[line["data"]])
    rows = [[cell(line, title, bars(chosen, line["data"])) for title in HEADER] for line in chosen]
    return f"# Siamese presets\n\n{_INTRODUCTION}\n{table(HEADER, rows)}\n{RECIPES}"


def bars(lines: Iterable[dict[str, Any]], data: str) -> dict[str, float]:
    """Return the best of what needs no network, by measure."""
    plain = [line for line in lines if line["data"] == data and "pairs learnt" not in line]
    return {title: max(line.get(title, 0.0) for line in plain) for title in _COMPARED} if plain else {}


def cell(line: dict[str, Any], title: str, best: dict[str, float]) -> str:
    """Return one cell of the table."""
    if title == "method" and line.get("share", "1") != "1":
        return f"{line['method']}, {line['share']}"
    value = line.get(title, line.get("note", "") if title == "accuracy" else "")
    is_ahead = "pairs learnt" in line and title in best and isinstance(value, float) and value > best[title]
    return f"**{value}**" if is_ahead else str(value)


def main() -> None:
    """Run what is not yet kept, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", default=",".join(PRESETS), help="presets, separated by commas")
    parser.add_argument("--sets", default=",".join(SETS), help="data sets, separated by commas")
    parser.add_argument("--shares", default="1", help="shares of the pairs to learn from, separated by commas")
    parser.add_argument("--pairs", type=int, default=1_000_000, help="most pairs to learn from")
    parser.add_argument("--epochs", type=int, help="by default those of the preset")
    parser.add_argument("--batch-size", type=int, help="by default that of the preset")
    parser.add_argument("--seconds", type=float, help="processor seconds that each preset may learn")
    parser.add_argument("--set", action="append", default=[], help="SECTION.KEY=VALUE, as in dedup train")
    parser.add_argument("--page", type=Path, default=PAGES / "siamese.md")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    kept = args.work / "results.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    settings = {name: getattr(args, name) for name in ("pairs", "epochs", "batch_size", "seconds", "set")}
    done = {(one["data"], one["method"], one["share"]) for one in lines
            if one["settings"] == settings or "pairs learnt" not in one}  # fmt: skip
    asked = [(preset, share) for preset in args.only.split(",") for share in args.shares.split(",")]
    for name in args.sets.split(","):
        wanted = [(preset, share) for preset, share in asked if (name, preset, share) not in done]
        has_baselines = (name, "TF-IDF cosine", "1") in done
        if not wanted and has_baselines:
            continue
        pairs, measured = parts_of(args.data, name, args.pairs)
        found = {} if has_baselines else baselines(pairs, measured)
        for preset, share in [*((title, "1") for title in found), *wanted]:
            values = found.get(preset) or trained(preset, name, pairs, measured, Fraction(share), args)
            lines.append({"data": name, "method": preset, "share": share, "settings": settings, **values})
            with kept.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            sys.stderr.write(f"{name} {preset} {share} {values}\n")
    args.page.write_text(page(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
