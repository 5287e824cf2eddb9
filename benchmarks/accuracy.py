"""Measure the accuracy of a model beside its rivals, on the same texts in the same run.

    python benchmarks/accuracy.py --data ../shared/data [--model DIR] [--only NAME ...] [--bars] [--output FILE]

Prints its tables; a run of everything also writes them to ``accuracy.md`` beside this file. ``docs/measures.md``
defines the measures, ``rivals.py`` the methods. Needs ``neardup[bench]``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_tables import AMONG_DISTRACTORS, COMPANY_PAIRS, bars_of, document
from numpy.typing import NDArray
from rivals import Method, Neardup, rivals
from slices import GROUPS, script_of, scripts_of_pair, slices_of

from dedup.evaluation import measures
from dedup.evaluation.evaluate import (
    N_CANDIDATES,
    RECALL_DEPTHS,
    mates_of,
    normal_forms,
    others_first,
    usable_distractors,
)
from dedup.model import Model, load_model
from dedup.training.data.sources import read_rows

OTHER_PAIRS = ("toponyms_validation", "sibur_validation")
SLICED = "company_validation_h1b"
CORPORA = (
    "clusters/h1b_employers_validation",
    "clusters/nber_assignees_validation",
    "clusters/ror_organisations_validation",
    "clusters/wikidata_companies_validation",
    "clusters/sibur_companies",
    "clusters/chicago_early_childhood",
    "clusters/abt_buy",
    "clusters/dblp_acm",
    "clusters/febrl3",
    "clusters/cddb",
    "documents/news_2500",
)
BY_SCRIPT = "ror_organisations_validation"
SCRIPT_DEPTH = 10  # k of the recall by script


@dataclass(frozen=True, slots=True)
class Pairs:
    """Labelled pairs of normal forms; ``kinds`` are positive, hard or random, all empty if the file has none."""

    left: list[str]
    right: list[str]
    truth: NDArray[np.int64]
    kinds: NDArray[np.str_]


def read_pairs(path: Path) -> Pairs:
    """Return the pairs of a file with the columns name_1, name_2, label and perhaps kind."""
    rows = list(read_rows(path))
    left, right = (normal_forms([row[column] for row in rows]) for column in ("name_1", "name_2"))
    truth = np.array([int(row["label"]) for row in rows], dtype=np.int64)
    return Pairs(left, right, truth, np.array([row.get("kind", "") for row in rows]))


def measure_pairs(data: Path, model: Model, methods: Sequence[Method]) -> dict[str, Any]:
    """Return the measures of every method on the labelled pairs, and more of neardup alone."""
    found: dict[str, Any] = {"quality": {}, "calibration": {}}
    for name in (*COMPANY_PAIRS, *OTHER_PAIRS):
        pairs = read_pairs(data / "pairs" / f"{name}.csv.gz")
        scores = {method.name: method.scores(pairs.left, pairs.right) for method in methods}
        parts = {"all": np.ones(len(pairs.truth), dtype=bool)}
        if pairs.kinds.any():
            parts |= {kind: np.isin(pairs.kinds, ["positive", kind]) for kind in ("hard", "random")}
        found["quality"][name] = {
            part: counts(pairs.truth[chosen])
            | {"methods": {method: quality(pairs.truth[chosen], of[chosen]) for method, of in scores.items()}}
            for part, chosen in parts.items()
        }
        probabilities = scores[Neardup.name]
        if name in COMPANY_PAIRS:
            found["calibration"][name] = calibration(pairs.truth, probabilities, model.default_probability)
        if name == SLICED:
            found["slices"] = {
                kind: by_group(pairs.truth, probabilities, model.default_probability, groups, GROUPS[kind])
                for kind, groups in slices_of(pairs.left, pairs.right).items()
            }
        if name == "toponyms_validation":
            found["scripts"] = {}
            for groups in zip(*map(scripts_of_pair, pairs.left, pairs.right), strict=True):
                order = [group for group, _ in Counter(groups).most_common()]
                found["scripts"] |= by_group(pairs.truth, probabilities, model.default_probability, groups, order)
    return found


def counts(truth: NDArray[np.int64]) -> dict[str, Any]:
    """Return how many pairs there are, and how many are true."""
    return {"n": len(truth), "positives": int(truth.sum())}


def quality(truth: NDArray[np.int64], scores: NDArray[Any]) -> dict[str, float]:
    """Return AUC and best F1."""
    return {"auc": measures.auc(truth, scores), "best_f1": measures.best_f1(truth, scores)[0]}


def calibration(truth: NDArray[np.int64], probabilities: NDArray[Any], default: float) -> dict[str, Any]:
    """Return how far the probabilities can be taken at their word.

    ``bins`` has one row for each of the bins of ``measures.expected_calibration_error``.
    """
    edges = np.arange(1, measures.CALIBRATION_BINS) / measures.CALIBRATION_BINS
    bins = np.digitize(probabilities, edges, right=True)
    rows = []
    for number in range(measures.CALIBRATION_BINS):
        inside = bins == number
        means = [float(values[inside].mean()) if inside.any() else None for values in (probabilities, truth)]
        rows.append({"n": int(inside.sum()), "mean": means[0], "share": means[1]})
    return {
        "default_probability": default,
        "f1": measures.precision_recall_f1(truth, probabilities >= default)[2],
        "best_f1": measures.best_f1(truth, probabilities)[0],
        "expected_calibration_error": measures.expected_calibration_error(truth, probabilities),
        "brier": measures.brier(truth, probabilities),
        "bins": rows,
    }


def by_group(
    truth: NDArray[np.int64],
    probabilities: NDArray[Any],
    default: float,
    groups: Sequence[str],
    order: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """Return the measures within each group of pairs that has both labels; ``groups`` (n,) names each pair's."""
    found: dict[str, dict[str, Any]] = {}
    for group in order:
        inside = np.array([own == group for own in groups])
        within, values = truth[inside], probabilities[inside]
        if 0 < within.sum() < len(within):
            f1 = measures.precision_recall_f1(within, values >= default)[2]
            found[group] = {**counts(within), **quality(within, values), "f1": f1}
    return found


@dataclass(frozen=True, slots=True)
class Corpus:
    """Distinct normal forms, those of distractors first, and the mates of each text at ``queries``."""

    n_records: int
    texts: list[str]
    queries: NDArray[np.int64]
    mates: list[set[int]]


def read_corpus(path: Path, distractors: Iterable[str] = ()) -> Corpus:
    """Return the corpus of a file with the columns text and cluster_id, among raw distractors."""
    rows = list(read_rows(path))
    normals = normal_forms([row["text"] for row in rows])
    numbers = {text: number for number, text in enumerate(dict.fromkeys(normals))}
    others, _ = usable_distractors(list(distractors), numbers)
    text_of_record = np.array([numbers[text] for text in normals], dtype=np.int64)
    mates = mates_of(text_of_record, [row["cluster_id"] for row in rows])
    queries = [number for number, wanted in enumerate(mates) if wanted]
    shifted = [{len(others) + mate for mate in mates[number]} for number in queries]
    return Corpus(len(rows), others + list(numbers), np.array(queries) + len(others), shifted)


def neighbours(method: Method, corpus: Corpus) -> NDArray[np.int64]:
    """Return the nearest texts, (queries, ``N_CANDIDATES``), of each query but itself."""
    found = method.nearest(corpus.texts, corpus.queries, N_CANDIDATES + 1)
    return np.take_along_axis(found, others_first(found, corpus.queries), axis=1)


def nearest_of_all(methods: Iterable[Method], corpus: Corpus) -> dict[str, NDArray[np.int64]]:
    """Return the ``neighbours`` of every method that can search so many texts."""
    return {method.name: neighbours(method, corpus) for method in methods if len(corpus.texts) <= method.largest}


def recalls(nearest: Mapping[str, NDArray[np.int64]], corpus: Corpus) -> dict[str, Any]:
    """Return the counts of a corpus and each method's recall at each depth; ``queries`` are its texts with mates."""
    return {
        "records": corpus.n_records,
        "texts": len(corpus.texts),
        "queries": len(corpus.queries),
        "methods": {
            method: {str(k): measures.recall_at(found, corpus.mates, k) for k in RECALL_DEPTHS}
            for method, found in nearest.items()
        },
    }


def measure_retrieval(data: Path, _model: Model, methods: Sequence[Method]) -> dict[str, Any]:
    """Return the recall of every method in each corpus, and of neardup by the scripts of ``BY_SCRIPT``."""
    found: dict[str, Any] = {"recall": {}}
    for place in CORPORA:
        name = Path(place).name
        corpus = read_corpus(data / f"{place}.csv.gz")
        nearest = {method.name: neighbours(method, corpus) for method in methods if len(corpus.texts) <= method.largest}
        found["recall"][name] = recalls(nearest, corpus)
        if name == BY_SCRIPT:
            found["scripts"] = recall_by_script(nearest[Neardup.name], corpus)
    return found


def measure_distractors(data: Path, _model: Model, methods: Sequence[Method]) -> dict[str, Any]:
    """Return the recall among a million other names, of the methods that can search so many."""
    others = (row["name"] for row in read_rows(data / "names" / "organisations.csv.gz"))
    corpus = read_corpus(data / "clusters" / "h1b_employers_validation.csv.gz", others)
    return {"recall": {AMONG_DISTRACTORS: recalls(nearest_of_all(methods, corpus), corpus)}}


def recall_by_script(found: NDArray[np.int64], corpus: Corpus) -> dict[str, dict[str, Any]]:
    """Return the recall by the script of the query: of all mates, of those in its script, of those in others."""
    scripts = [script_of(text) for text in corpus.texts]
    tables: dict[str, dict[str, Any]] = {}
    for script in sorted({scripts[query] for query in corpus.queries}):
        inside = [row for row, query in enumerate(corpus.queries) if scripts[query] == script]
        tables[script] = {}
        for kind, scripts_kept in (("all", (True, False)), ("same", (True,)), ("other", (False,))):
            mates = [{m for m in corpus.mates[row] if (scripts[m] == script) in scripts_kept} for row in inside]
            n = sum(map(bool, mates))
            recall = measures.recall_at(found[inside], mates, SCRIPT_DEPTH) if n else None
            tables[script][kind] = {"queries": n, "recall": recall}
    return tables


PARTS = {"pairs": measure_pairs, "retrieval": measure_retrieval, "distractors": measure_distractors}


def measure(data: Path, model: Model, methods: Sequence[Method], parts: Iterable[str]) -> dict[str, Any]:
    """Return the measures of each part and the wall-clock seconds it took."""
    results: dict[str, Any] = {
        "machine": {"python": platform.python_version(), "system": platform.platform(), "cpus": os.cpu_count()},
        "model_id": model.model_id,
        "scorer_id": model.manifest["files"]["scorer.json"],
        "methods": [method.name for method in methods],
        "seconds": {},
    }
    for part in parts:
        start = time.perf_counter()
        results[part] = PARTS[part](data, model, methods)
        results["seconds"][part] = round(time.perf_counter() - start, 1)
        print(f"{part}: {results['seconds'][part]} s", file=sys.stderr, flush=True)
    return results


def main() -> None:
    """Measure what is asked for; with ``--bars``, exit with 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description="Measure the accuracy of a model beside its rivals.")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--model", type=Path, help="the folder of the model; default the one that ships")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="which parts; default all")
    parser.add_argument("--bars", action="store_true", help="exit with 1 if a bar is missed")
    parser.add_argument("--output", type=Path, help="also write the results to this JSON file")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "neardup-bench",
        help="folder that keeps the vectors of the sentence model; default %(default)s",
    )
    arguments = parser.parse_args()

    model = load_model(arguments.model)
    methods = [Neardup(model), *rivals(arguments.cache)]
    results: Mapping[str, Any] = measure(arguments.data, model, methods, arguments.only or PARTS)
    bars = bars_of(results)
    text = document(results, bars)
    print(text)
    if arguments.only is None:
        Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.exit(arguments.bars and any(not bar.passed for bar in bars))


if __name__ == "__main__":
    main()
