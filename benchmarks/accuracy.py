"""Measure the accuracy of a model beside its rivals, on the same texts in the same run.

    python benchmarks/accuracy.py --data ../shared/data [--model DIR] [--only PART ...] [--alone] [--output FILE]

A run of everything writes results/accuracy.md; any run prints its tables and bars, and exits with 1 if a bar is
missed. ``docs/measures.md`` defines the measures, ``methods.py`` the methods. The rivals need `neardup[bench]`;
`--alone` leaves them out.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import results
from corpora import GROUPS, OTHERS, TRUTH, script_of, scripts_of_pair, slices_of
from methods import Method, Neardup, rivals
from numpy.typing import NDArray
from process import DEDUP, run
from results import Result, result, table

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

OURS = Neardup.name
COMPANY_PAIRS = ("company_validation_h1b", "company_validation_nber")
OTHER_PAIRS = ("toponyms_validation", "sibur_validation")
SLICED = "company_validation_h1b"
CORPORA = (
    *(f"clusters/{name}_validation" for name in ("h1b_employers", "nber_assignees", "ror_organisations")),
    *(f"clusters/{name}" for name in ("wikidata_companies_validation", "sibur_companies", "chicago_early_childhood")),
    *(f"clusters/{name}" for name in ("abt_buy", "dblp_acm", "febrl3", "cddb")),
    "documents/news_2500",
)
AHEAD_IN = CORPORA[:5]
"""Corpora in which neardup must be ahead of every rival."""
BY_SCRIPT = "clusters/ror_organisations_validation"
SCRIPT_DEPTH = 10  # k of the recall by script
GB_IN_GIB = 2**30 / 1e9
HEAD = """# Accuracy, beside what one would use instead

Written by `python benchmarks/accuracy.py`; [README.md](../README.md) says how the methods are run, and
[docs/measures.md](../../docs/measures.md) defines the measures. All methods see the same normal forms in the same run.
A dash stands for what was not measured or cannot be.

"""
Labels = NDArray[np.int64]
Part = tuple[str, list[Result]]
"""The tables of a part in Markdown, and the measures that have a bar."""


def quality(truth: Labels, scores: NDArray[Any]) -> dict[str, float]:
    return {"AUC": measures.auc(truth, scores), "best F1": measures.best_f1(truth, scores)[0]}


def ahead(bench: str, measure: str, values: Mapping[str, float]) -> list[Result]:
    """Return by how much neardup is ahead of the best rival, if there is one."""
    theirs = {method: value for method, value in values.items() if method != OURS}
    if not theirs:
        return []
    best = max(theirs, key=theirs.__getitem__)
    return [Result(bench, f"{measure}: ahead of {best}", values[OURS] - theirs[best], "> 0")]


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


# Pairs


def measure_pairs(data: Path, model: Model, methods: Sequence[Method]) -> Part:
    """Measure every method on labelled pairs, and neardup's calibration and its accuracy by groups of pairs."""
    text = "## Pairs\n\nAUC and best F1. *hard* and *random* are all positives with the negatives of one kind: lexical "
    text += "neighbours, or any two names.\n"
    calibration, bins, groups, found, default = [], [], "", [], model.default_probability
    for name in (*COMPANY_PAIRS, *OTHER_PAIRS):
        rows = list(read_rows(data / "pairs" / f"{name}.csv.gz"))
        left, right = (normal_forms([row[column] for row in rows]) for column in ("name_1", "name_2"))
        truth = np.array([int(row["label"]) for row in rows], dtype=np.int64)
        kinds = np.array([row.get("kind", "") for row in rows])
        scores = {method.name: method.scores(left, right) for method in methods}
        part, judged = pair_tables(name, truth, kinds, scores)
        text, found = text + part, found + judged
        if name in COMPANY_PAIRS:
            row, judged = calibration_row(name, truth, scores[OURS], default)
            calibration.append(row)
            found += judged
            bins.append(bin_table(name, truth, scores[OURS]))
        if name == SLICED:
            for kind, group_of in slices_of(left, right).items():
                groups += group_table(
                    f"{name}, {kind}", truth, scores[OURS], model.default_probability, group_of, GROUPS[kind]
                )
        if name == "toponyms_validation":
            for group_of in zip(*map(scripts_of_pair, left, right), strict=True):
                title, order = f"{name}, scripts of the two names", [one for one, _ in Counter(group_of).most_common()]
                groups += group_table(title, truth, scores[OURS], default, group_of, order)
    header = ("set", "default probability", "F1 at it", "best F1", "expected calibration error", "Brier")
    text += "\n## Calibration of neardup\n\n" + table(header, calibration) + "".join(bins)
    return text + "\n## neardup by kind of pair\n\nGroups without both labels are left out.\n" + groups, found


def pair_tables(name: str, truth: Labels, kinds: Any, scores: Mapping[str, NDArray[Any]]) -> Part:
    """Return the table of one set of pairs, and neardup's values with bars."""
    parts = {"all": np.ones(len(truth), dtype=bool)}
    if kinds.any():
        parts |= {kind: np.isin(kinds, ["positive", kind]) for kind in ("hard", "random")}
    of_part = {
        part: {method: quality(truth[chosen], of[chosen]) for method, of in scores.items()}
        for part, chosen in parts.items()
    }
    titles = ("AUC", "best F1")
    found = [result(name, title, of_part["all"][OURS][title]) for title in titles]
    found.append(result(name, "best F1, held", of_part["all"][OURS]["best F1"]))
    for part, values in of_part.items() if name in COMPANY_PAIRS else ():
        for title in titles:
            found += ahead(name, f"{title}, {part}", {method: of[title] for method, of in values.items()})
    header = ["method", *(f"{part}: {title}" for part in parts for title in titles)]
    rows = [[method, *(number(of[method][title]) for of in of_part.values() for title in titles)] for method in scores]
    counts = ", ".join(f"{part} {chosen.sum():,}" for part, chosen in parts.items())
    text = f"\n### {name}\n\nPairs: {counts}; {truth.sum():,} are true.\n\n" + table(header, rows)
    return text, [one for one in found if one.bar]


def calibration_row(
    name: str, truth: Labels, probabilities: NDArray[Any], default: float
) -> tuple[list[str], list[Result]]:
    """Return how far the probabilities can be taken at their word."""
    f1 = measures.precision_recall_f1(truth, probabilities >= default)[2]
    best = measures.best_f1(truth, probabilities)[0]
    error = measures.expected_calibration_error(truth, probabilities)
    found = [Result(name, "expected calibration error", error, "<= 0.03")]
    found.append(Result(name, "best F1 less F1 at the default", best - f1, "<= 0.01"))
    return [name, *map(number, (default, f1, best, error, measures.brier(truth, probabilities)))], found


def bin_table(name: str, truth: Labels, probabilities: NDArray[Any]) -> str:
    """Return the share of true pairs in each bin of ``measures.expected_calibration_error``."""
    n = measures.CALIBRATION_BINS
    bin_of = np.digitize(probabilities, np.arange(1, n) / n, right=True)
    rows = []
    for at in range(n):
        inside = bin_of == at
        means = [number(float(of[inside].mean()) if inside.any() else None) for of in (probabilities, truth)]
        rows.append((f"{at / n:.1f} to {(at + 1) / n:.1f}", f"{inside.sum():,}", *means))
    return f"\n### {name}\n\n" + table(("probability", "pairs", "mean probability", "share true"), rows)


def group_table(
    title: str, truth: Labels, scores: NDArray[Any], default: float, group_of: Sequence[str], order: Iterable[str]
) -> str:
    """Return the measures within each group of pairs that has both labels; ``group_of`` (n,) names each pair's."""
    rows = []
    for group in order:
        inside = np.array([own == group for own in group_of])
        within, values = truth[inside], scores[inside]
        if 0 < within.sum() < len(within):
            f1 = measures.precision_recall_f1(within, values >= default)[2]
            rows.append([group, f"{len(within):,}", f"{within.sum():,}"])
            rows[-1] += map(number, (*quality(within, values).values(), f1))
    return f"\n### {title}\n\n" + table(("group", "pairs", "true", "AUC", "best F1", "F1 at the default"), rows)


# Retrieval


@dataclass(frozen=True, slots=True)
class Corpus:
    """Distinct normal forms, those of distractors first, and the mates of each text at ``queries``."""

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
    return Corpus(others + list(numbers), np.array(queries) + len(others), shifted)


def search(corpus: Corpus, methods: Sequence[Method]) -> dict[str, NDArray[np.int64]]:
    """Return the nearest others (queries, ``N_CANDIDATES``) by each method that can search so many texts."""
    found = {}
    for method in methods:
        if len(corpus.texts) <= method.largest:
            near = method.nearest(corpus.texts, corpus.queries, N_CANDIDATES + 1)
            found[method.name] = np.take_along_axis(near, others_first(near, corpus.queries), axis=1)
    return found


def recall_row(
    name: str, corpus: Corpus, nearest: Mapping[str, NDArray[np.int64]], methods: Sequence[Method], *, is_ahead: bool
) -> tuple[list[str], list[Result]]:
    """Return the row of a corpus, and neardup's values with bars."""
    recalls = {
        k: {method: measures.recall_at(found, corpus.mates, k) for method, found in nearest.items()}
        for k in RECALL_DEPTHS
    }
    found = [one for k, of in recalls.items() if (one := result(name, f"recall at {k}", of[OURS])).bar]
    for k, of in recalls.items() if is_ahead else ():
        found += ahead(name, f"recall at {k}", of)
    cells = [
        " / ".join(f"{of[method.name]:.3f}" for of in recalls.values()) if method.name in nearest else "–"
        for method in methods
    ]
    return [name, f"{len(corpus.texts):,}", f"{len(corpus.queries):,}", *cells], found


def recall_table(title: str, rows: list[list[str]], methods: Sequence[Method]) -> str:
    text = f"## {title}\n\nRecall at 1 / 10 / 50, exact search; *queries* are the texts with mates.\n\n"
    columns = list(zip(("corpus", "texts", "queries", *(method.name for method in methods)), *rows, strict=True))
    header, *shown = zip(*(column for column in columns if {*column[1:]} != {"–"}), strict=True)
    return text + table(header, shown)


def measure_retrieval(data: Path, model: Model, methods: Sequence[Method]) -> Part:
    """Measure the recall of every method in each corpus, and of neardup by the scripts of ``BY_SCRIPT``."""
    rows, found, scripts = [], [], ""
    for place in CORPORA:
        corpus = read_corpus(data / f"{place}.csv.gz")
        nearest = search(corpus, methods)
        row, judged = recall_row(Path(place).name, corpus, nearest, methods, is_ahead=place in AHEAD_IN)
        rows.append(row)
        found += judged
        if place == BY_SCRIPT:
            scripts = script_table(nearest[OURS], corpus)
    return recall_table("Retrieval", rows, methods) + "\n" + scripts, found


def script_table(found: NDArray[np.int64], corpus: Corpus) -> str:
    """Return the recall by the script of the query: of all mates, of those in its script, of those in others."""
    kinds = {"all mates": (True, False), "mates in its script": (True,), "mates in other scripts": (False,)}
    scripts = [script_of(text) for text in corpus.texts]
    rows = []
    for script in sorted({scripts[query] for query in corpus.queries}):
        inside = [row for row, query in enumerate(corpus.queries) if scripts[query] == script]
        rows.append([script])
        for kept in kinds.values():
            mates = [{m for m in corpus.mates[row] if (scripts[m] == script) in kept} for row in inside]
            n = sum(map(bool, mates))
            rows[-1] += [f"{n:,}", number(measures.recall_at(found[inside], mates, SCRIPT_DEPTH) if n else None)]
    header = ["script of the query", *(column for kind in kinds for column in ("queries", f"recall, {kind}"))]
    title = f"## neardup by script: recall at {SCRIPT_DEPTH} in {Path(BY_SCRIPT).name}\n\n"
    return title + table(header, rows)


def measure_distractors(data: Path, model: Model, methods: Sequence[Method]) -> Part:
    """Measure the recall among a million other names, by the methods that can search so many."""
    name = "h1b_employers_validation among names/organisations"
    corpus = read_corpus(data / TRUTH, (row["name"] for row in read_rows(data / OTHERS)))
    row, found = recall_row(name, corpus, search(corpus, methods), methods, is_ahead=True)
    return recall_table("Retrieval among a million others", [row], methods), found


def measure_clusters(data: Path, model: Model, methods: Sequence[Method]) -> Part:
    """Measure the clusters of the same corpus by `dedup evaluate`, which does the whole job."""
    command = [DEDUP, "evaluate", "--clusters", str(data / TRUTH), "--distractors", str(data / OTHERS)]
    process = run([*command, "--format", "json"])
    measured = json.loads(process.output)
    shares = {key: number(value) for key, value in measured.items() if key.startswith(("pair_", "b_cubed_"))}
    costs = {f"{stage}, s": f"{seconds:,.1f}" for stage, seconds in measured["seconds"].items()}
    costs |= {"in all, s": f"{process.seconds:,.1f}", "peak GB": f"{process.peak_gib * GB_IN_GIB:.2f}"}
    return "## Clusters, by `dedup evaluate`\n\n" + table(("measure", "value"), (shares | costs).items()), []


PARTS = {
    "pairs": measure_pairs,
    "retrieval": measure_retrieval,
    "distractors": measure_distractors,
    "clusters": measure_clusters,
}


def main() -> None:
    parser = results.arguments(__doc__)
    parser.add_argument("--model", type=Path, help="the folder of the model; default: the shipped one")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}; default all")
    parser.add_argument("--alone", action="store_true", help="without rivals")
    parser.add_argument("--output", type=Path, help="also write the results to this JSON file")
    cache = Path(tempfile.gettempdir()) / "neardup-bench"
    parser.add_argument("--cache", type=Path, default=cache, help="for vectors of the sentence model; %(default)s")
    asked = parser.parse_args()

    model = load_model(asked.model)
    methods = [Neardup(model), *([] if asked.alone else rivals(asked.cache))]
    texts, found, seconds = [], [], {}
    for part in asked.only or PARTS:
        start = time.perf_counter()
        text, judged = PARTS[part](asked.data, model, methods)
        texts.append(text)
        found += judged
        seconds[part] = f"{time.perf_counter() - start:.1f}"
        print(f"{part}: {seconds[part]} s", file=sys.stderr, flush=True)
    scorer = model.manifest["files"]["scorer.json"]
    head = f"{HEAD}Encoder `{model.model_id[:16]}`, scorer `{scorer[:16]}`.\n\n## Bars\n\n"
    rows = [(one.bench, one.measure, number(one.value), one.bar, "yes" if one.passed else "**no**") for one in found]
    head += table(("set", "measure", "value", "bar", "reached"), rows)
    page = "\n".join([head, *texts, "## Time\n\n" + table(("part", "seconds"), seconds.items())])
    print(page, flush=True)
    if asked.only is None and not asked.alone:
        results.put("accuracy", page)
    results.show(found, asked.output, to=sys.stderr)


if __name__ == "__main__":
    main()
