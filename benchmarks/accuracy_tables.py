"""The results of ``accuracy.py`` as Markdown, and the bars they must reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bars import F1_H1B, F1_NBER, Result
from rivals import Neardup

OURS = Neardup.name
COMPANY_PAIRS = ("company_validation_h1b", "company_validation_nber")
AMONG_DISTRACTORS = "h1b_employers_validation among names/organisations"
AHEAD_IN = (
    "h1b_employers_validation",
    "nber_assignees_validation",
    "ror_organisations_validation",
    "wikidata_companies_validation",
    "sibur_companies",
)

_PAIR_BARS = (
    ("company_validation_h1b", "best_f1", F1_H1B),
    ("company_validation_h1b", "auc", ">= 0.990"),
    ("company_validation_nber", "best_f1", F1_NBER),
    ("company_validation_nber", "auc", ">= 0.980"),
    ("toponyms_validation", "auc", ">= 0.88"),
)
_RECALL_BARS = (
    ("nber_assignees_validation", "10", ">= 0.975"),
    ("ror_organisations_validation", "10", ">= 0.52"),
    ("wikidata_companies_validation", "10", ">= 0.68"),
    ("chicago_early_childhood", "10", ">= 0.965"),
    ("abt_buy", "10", ">= 0.92"),
    ("dblp_acm", "10", ">= 0.998"),
)
_DISTRACTOR_BARS = (("1", ">= 0.91"), ("10", ">= 0.955"), ("50", ">= 0.975"))
_NONE: Mapping[str, Any] = {"recall": {}}
_TITLES = {"auc": "AUC", "best_f1": "best F1"}

HEAD = """# Accuracy, beside what one would use in its place

Written by `python benchmarks/accuracy.py`; [README.md](README.md) says how the methods are run, and
[docs/measures.md](../docs/measures.md) defines the measures. All methods see the same normal forms in the same run.
A dash stands for what was not measured or cannot be.
"""


def bars_of(results: Mapping[str, Any]) -> list[Result]:
    """Return the bars of the parts that were measured."""
    bars = {"pairs": _bars_of_pairs, "retrieval": _bars_of_retrieval, "distractors": _bars_of_distractors}
    return [bar for part, bars_of_part in bars.items() if part in results for bar in bars_of_part(results[part])]


def _bars_of_pairs(pairs: Mapping[str, Any]) -> Iterator[Result]:
    quality = pairs["quality"]
    for name, measure, bar in _PAIR_BARS:
        yield Result(name, _TITLES[measure], quality[name]["all"]["methods"][OURS][measure], bar)
    for name, found in pairs["calibration"].items():
        yield Result(name, "expected calibration error", found["expected_calibration_error"], "<= 0.03")
        yield Result(name, "best F1 less F1 at the default", found["best_f1"] - found["f1"], "<= 0.01")
    for name in COMPANY_PAIRS:
        for part, found in quality[name].items():
            for measure, title in _TITLES.items():
                yield _ahead(name, f"{title}, {part}", found["methods"], measure)


def _bars_of_retrieval(retrieval: Mapping[str, Any]) -> Iterator[Result]:
    recall = retrieval["recall"]
    for name, k, bar in _RECALL_BARS:
        yield Result(name, f"recall at {k}", recall[name]["methods"][OURS][k], bar)
    for name in AHEAD_IN:
        methods = recall[name]["methods"]
        for k in methods[OURS]:
            yield _ahead(name, f"recall at {k}", methods, k)


def _bars_of_distractors(distractors: Mapping[str, Any]) -> Iterator[Result]:
    methods = distractors["recall"][AMONG_DISTRACTORS]["methods"]
    for k, bar in _DISTRACTOR_BARS:
        yield Result(AMONG_DISTRACTORS, f"recall at {k}", methods[OURS][k], bar)
        yield _ahead(AMONG_DISTRACTORS, f"recall at {k}", methods, k)


def _ahead(name: str, title: str, methods: Mapping[str, Any], key: str) -> Result:
    """Return by how much neardup is ahead of the best rival."""
    values = {method: found[key] for method, found in methods.items()}
    ours = values.pop(OURS)
    best = max(values, key=lambda method: float(values[method]))
    return Result(name, f"{title}: ahead of {best}", ours - values[best], "> 0")


def document(results: Mapping[str, Any], bars: Sequence[Result]) -> str:
    """Return all tables."""
    blocks = [HEAD, f"Encoder `{results['model_id'][:16]}`, scorer `{results['scorer_id'][:16]}`.\n", _bar_table(bars)]
    if "pairs" in results:
        blocks += [_pair_tables(results), _calibration_tables(results["pairs"]["calibration"])]
    if not {"retrieval", "distractors"}.isdisjoint(results):
        blocks.append(_recall_table(results))
    if "pairs" in results:
        blocks.append(_group_tables(results["pairs"]))
    if "retrieval" in results:
        blocks.append(_script_table(results["retrieval"]["scripts"]))
    seconds = results["seconds"].items()
    blocks.append("## Time\n\n" + _table(("part", "seconds"), seconds))
    return "\n".join(blocks)


def _bar_table(bars: Sequence[Result]) -> str:
    rows = [(bar.bench, bar.measure, _number(bar.value), bar.bar, "yes" if bar.passed else "**no**") for bar in bars]
    return "## Bars\n\n" + _table(("set", "measure", "value", "bar", "reached"), rows)


def _pair_tables(results: Mapping[str, Any]) -> str:
    text = (
        "## Pairs\n\nAUC and best F1. *hard* and *random* are all positives with the negatives of one kind: lexical "
        "neighbours, or any two names.\n"
    )
    for name, parts in results["pairs"]["quality"].items():
        header = ["method", *(f"{part}: {title}" for part in parts for title in _TITLES.values())]
        rows = [
            [method, *(_number(part["methods"][method][measure]) for part in parts.values() for measure in _TITLES)]
            for method in results["methods"]
        ]
        counts = ", ".join(f"{part} {found['n']:,}" for part, found in parts.items())
        text += f"\n### {name}\n\nPairs: {counts}; {parts['all']['positives']:,} are true.\n\n" + _table(header, rows)
    return text


def _calibration_tables(calibration: Mapping[str, Any]) -> str:
    header = ("set", "default probability", "F1 at it", "best F1", "expected calibration error", "Brier")
    keys = ("default_probability", "f1", "best_f1", "expected_calibration_error", "brier")
    rows = [[name, *(_number(found[key]) for key in keys)] for name, found in calibration.items()]
    text = "## Calibration of neardup\n\n" + _table(header, rows)
    for name, found in calibration.items():
        bins = [
            (
                f"{number / 10:.1f} to {(number + 1) / 10:.1f}",
                f"{row['n']:,}",
                *map(_number, (row["mean"], row["share"])),
            )
            for number, row in enumerate(found["bins"])
        ]
        text += f"\n### {name}\n\n" + _table(("probability", "pairs", "mean probability", "share true"), bins)
    return text


def _recall_table(results: Mapping[str, Any]) -> str:
    recall = {
        name: of for part in ("distractors", "retrieval") for name, of in results.get(part, _NONE)["recall"].items()
    }
    methods = [method for method in results["methods"] if any(method in of["methods"] for of in recall.values())]
    rows = [
        [name, f"{of['texts']:,}", f"{of['queries']:,}", *(_recalls(of["methods"].get(method)) for method in methods)]
        for name, of in recall.items()
    ]
    text = "## Retrieval\n\nRecall at 1 / 10 / 50, exact search; *queries* are the texts with mates.\n\n"
    return text + _table(("corpus", "texts", "queries", *methods), rows)


def _recalls(at: Mapping[str, float] | None) -> str:
    return " / ".join(f"{value:.3f}" for value in at.values()) if at else "–"


def _group_tables(pairs: Mapping[str, Any]) -> str:
    keys = ("auc", "best_f1", "f1")
    header = ("pairs", "true", "AUC", "best F1", "F1 at the default")
    text = "## neardup by kind of pair\n\nGroups without both labels are left out.\n"
    titles = {f"company_validation_h1b, {kind}": groups for kind, groups in pairs["slices"].items()}
    for title, groups in (titles | {"toponyms_validation, scripts of the two names": pairs["scripts"]}).items():
        rows = [
            [group, f"{found['n']:,}", f"{found['positives']:,}", *(_number(found[key]) for key in keys)]
            for group, found in groups.items()
        ]
        text += f"\n### {title}\n\n" + _table(("group", *header), rows)
    return text


def _script_table(scripts: Mapping[str, Any]) -> str:
    kinds = {"all": "all mates", "same": "mates in its script", "other": "mates in other scripts"}
    header = ["script of the query", *(column for kind in kinds.values() for column in ("queries", f"recall, {kind}"))]
    rows = [
        [script, *(cell for kind in kinds for cell in (f"{of[kind]['queries']:,}", _number(of[kind]["recall"])))]
        for script, of in scripts.items()
    ]
    return "## neardup by script: recall at 10 in ror_organisations_validation\n\n" + _table(header, rows)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)
