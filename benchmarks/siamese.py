"""Presets of the toolkit on data sets of pairs, beside the majority class, TF-IDF cosine and RapidFuzz.

    python benchmarks/siamese.py --data ../shared/data --work build/siamese --epochs 5 --pairs 4000
    python benchmarks/siamese.py ... --only word-cnn,word-rnn --sets qqp,snli_2 --shares 1/8,1/4,1/2,1

Each preset learns from the training file, holds some entities of it back to choose the best epoch and the threshold,
and is measured on the validation file through its ONNX files. With ``--shares`` it learns from so much of that file,
too, which shows where it is heading. Results are kept in WORK, one line each, so that an interrupted run continues; the
table of all lines is written at the end.
"""

import argparse
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
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist
from results import PAGES

from dedup.evaluation.classified import best_threshold, measure
from dedup.evaluation.pair_set import PairSet
from dedup.model import load_model
from dedup.runtime.progress import no_progress
from dedup.training.data.splitting import entity_of_text, split
from dedup.training.toolkit.recipe import read_recipe
from dedup.training.toolkit.scorer_task import Task
from dedup.training.toolkit.train_pairs import train_network
from indexer.ingest.labelled_pairs import Wanted, read_pairs
from indexer.reading.open import ReadOptions

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
HEADER = "| data | method | pairs learnt | parameters | accuracy | F1 | AUC | Spearman | s an epoch | texts/s |"
_INTRODUCTION = (
    "Written by `benchmarks/siamese.py`. Thresholds have the best F1 on pairs held back from the training file, so "
    "accuracy may be below that of the majority class. F1 of three classes is macro-averaged; TF-IDF and RapidFuzz "
    "tell entailment from all else there."
)
RECIPES = """\
The accuracy that multihead-siamese-nets states, having learnt from the whole training sets:

| data | word-cnn | word-rnn | word-multihead |
|---|---|---|---|
| snli_2 | 0.754 | 0.796 | 0.783 |
| qqp | 0.809 | 0.833 | 0.810 |
"""
_SEED = 7


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
    if len(pairs) > most:
        pairs = pairs.select(np.random.default_rng(_SEED).permutation(len(pairs))[:most])
    return pairs, measured


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


def trained(
    preset: str, name: str, pairs: PairSet, measured: PairSet, share: Fraction, args: argparse.Namespace
) -> dict[str, Any]:
    """Train a preset on a share of the pairs and measure it."""
    is_classifier = read_recipe(preset).head.kind in ("concat", "cosine-linear")
    if pairs.labels == "graded" and is_classifier:
        return {"note": "learns classes, not grades"}
    if name == "snli_3" and not is_classifier:
        return {"note": "learns one similarity, not three classes"}
    changes = [f"training.epochs={args.epochs}", f"training.batch_size={args.batch_size}"]
    if pairs.labels == "graded" and preset in _GRADED:
        changes.append(f"objective.kind={_GRADED[preset]}")
    pairs = pairs.select(np.random.default_rng(_SEED + 1).permutation(len(pairs))[: round(share * len(pairs))])
    folder = args.work / "models" / f"{preset}-{name}{f'-{share.numerator}-{share.denominator}' * (share < 1)}"
    task = Task(pairs, folder, load_model(), None, "benchmarks/siamese.py", {})
    summary = train_network(task, read_recipe(preset, None, changes), no_progress, lambda _: None)
    model = load_model(folder)
    texts = measured.texts()
    start = time.perf_counter()
    model.encoder.encode(texts)
    rate = len(texts) / (time.perf_counter() - start)
    assert model.head is not None
    found = model.head.compare(measured.left, measured.right)
    return {
        **shown(measure(measured, found, float(model.manifest["head"]["threshold"]))),
        "pairs learnt": len(pairs),
        "parameters": summary["parameters"],
        "s an epoch": round(summary["seconds"] / max(1, summary["epochs"]), 2),
        "texts/s": round(rate),
    }


def shown(found: dict[str, Any]) -> dict[str, Any]:
    """Return the measures of the table."""
    names = {"accuracy": "class_accuracy" if "class_accuracy" in found else "accuracy",
             "F1": "macro_f1" if "macro_f1" in found else "f1", "AUC": "auc", "Spearman": "spearman"}  # fmt: skip
    return {title: round(found[name], 4) for title, name in names.items() if name in found}


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
        found[title] = shown(measure(plain, compare(plain), best_threshold(learnt, compare(learnt))))
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


def table(lines: Iterable[dict[str, Any]]) -> str:
    """Return the results as a page."""
    titles = [title.strip() for title in HEADER.strip("|").split("|")]
    rows = [" | ".join(str(line.get(title, line.get("note", "") if title == "accuracy" else "")) for title in titles)
            for line in lines]  # fmt: skip
    rule = "|" + "---|" * len(titles)
    return "\n".join([HEADER, rule, *(f"| {row} |" for row in rows)]) + "\n"


def main() -> None:
    """Run what is not yet kept, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", default=",".join(PRESETS), help="presets, separated by commas")
    parser.add_argument("--sets", default=",".join(SETS), help="data sets, separated by commas")
    parser.add_argument("--shares", default="1", help="shares of the pairs to learn from, separated by commas")
    parser.add_argument("--pairs", type=int, default=1_000_000, help="most pairs to learn from")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--page", type=Path, default=PAGES / "siamese.md")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    kept = args.work / "results.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    settings = {"pairs": args.pairs, "epochs": args.epochs, "batch_size": args.batch_size}
    done = {(one["data"], one["method"], one.get("share", "1")) for one in lines if one["settings"] == settings}
    asked = [(preset, share) for preset in args.only.split(",") for share in args.shares.split(",")]
    for name in args.sets.split(","):
        wanted = [(preset, share) for preset, share in asked if (name, preset, share) not in done]
        has_baselines = (name, "TF-IDF cosine", "1") in done
        if not wanted and has_baselines:
            continue
        pairs, measured = parts_of(args.data, name, args.pairs)
        found = {} if has_baselines else baselines(pairs, measured)
        for preset, share in [*((title, "1") for title in found), *wanted]:
            values = found.get(preset) or trained(preset, name, pairs, replace(measured), Fraction(share), args)
            lines.append({"data": name, "method": preset, "share": share, "settings": settings, **values})
            with kept.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            sys.stderr.write(f"{name} {preset} {share} {values}\n")
    order = {name: at for at, name in enumerate(SETS)}
    shown_lines = sorted((line for line in lines if line["settings"] == settings), key=lambda one: order[one["data"]])
    args.page.write_text(
        f"# Siamese presets\n\n{_INTRODUCTION} Settings: {settings}.\n\n{table(shown_lines)}\n{RECIPES}",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
