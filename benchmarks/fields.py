"""Find the duplicates of records with several columns as a user would, beside rivals; writes results/fields.md.

    python benchmarks/fields.py --data ../shared/data --work DIR [--file irs_nonprofits_validation ...] [--alone]

For each file of ``DATA/fields``: `dedup index` and `dedup report` by the name alone and with ``--field``, each
``RUNS`` times in turns; RapidFuzz on the joined columns at its best threshold; Splink in an environment of its own in
DIR. Nobody sees labels. Pair F1 is of clusters, against all true pairs; Splink also at the threshold that is best for
it. Exits with 1 if a bar is missed. ``--alone`` leaves the rivals out.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import statistics
import sys
import venv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import results
from process import Finished, run
from results import Result, result

from dedup.evaluation.measures import expected_calibration_error
from dedup.training.data.sources import read_rows

SEED = 21
RUNS = 3
RECORDS = 20_000
"""Of a larger file, one or two records of each entity are drawn."""
SHARE_OF_TWO = 0.4
"""Share of the entities of which two records are drawn, and not one."""
LEAST = 0.001
DOUBTFUL = 0.02
"""Calibration is measured on near pairs of at least these probabilities: on candidates, and on all but clear ones."""
MOST_OF_ALL_PAIRS = 6_000
"""RapidFuzz compares all pairs, so only of files that are not larger."""
SPLINK = "splink==5.0.0"
COMMAND = (sys.executable, "-c", "from cli.main import main; main()")
HERE = Path(__file__).parent
Rows = Sequence[Mapping[str, str]]
Pairs = set[tuple[str, str]]


class Kinds(NamedTuple):
    """The columns of a file that are the name, and those that make each field, with its kind."""

    name: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]


_OF_IRS = Kinds(("name",), {"street": ("street",), "city": ("city",), "state": ("state",), "postcode": ("zip",)})
FILES: dict[str, Kinds] = {
    "irs_nonprofits_validation": _OF_IRS,
    "chicago_early_childhood": Kinds(
        ("name",), {"street": ("address",), "postcode": ("zip",), "phone": ("phone",), "domain": ("website",)}
    ),
    "febrl3": Kinds(
        ("given_name", "surname"),
        {
            "street": ("street_number", "address_1"),
            "city": ("suburb",),
            "postcode": ("postcode",),
            "state": ("state",),
            "date": ("date_of_birth",),
            "id": ("soc_sec_id",),
        },
    ),
    "irs_nonprofits_train": _OF_IRS,
}
BY_DEFAULT = tuple(FILES)[:3]


def sampled(rows: Rows, most: int) -> Rows:
    """Return one or two records of each entity if there are more than ``most``, in random order."""
    if len(rows) <= most:
        return rows
    rng = random.Random(SEED)
    groups = defaultdict(list)
    for row in rows:
        groups[row["entity_id"]].append(row)
    found: list[Mapping[str, str]] = []
    for group in rng.sample(list(groups.values()), len(groups)):
        found += rng.sample(group, min(len(group), 2 if rng.random() < SHARE_OF_TWO else 1))
        if len(found) >= most:
            break
    return found


def records_of(path: Path, most: int) -> list[dict[str, str]]:
    """Return the records of a file with their id, entity, name, its parts and the fields, one column a field."""
    of_name, of_fields = FILES[path.name.removesuffix(".csv.gz")]
    found = []
    for row in sampled(list(read_rows(path)), most):
        name = " ".join(row[column] for column in of_name).strip() or f"unknown {row['id']}"
        fields = {label: " ".join(row[one] for one in columns).strip() for label, columns in of_fields.items()}
        parts = {column: row[column] for column in of_name}
        found.append({**parts, "unique_id": row["id"], "entity_id": row["entity_id"], "name": name, **fields})
    return found


def pairs_within(groups: Iterable[Sequence[str]]) -> Pairs:
    """Return all pairs within groups of records."""
    return {pair for group in groups for pair in combinations(sorted(group), 2)}


def groups_of(rows: Iterable[Mapping[str, str]], key: str, of: str = "id") -> Iterable[Sequence[str]]:
    """Return the ids of the rows with each value of a column."""
    found = defaultdict(list)
    for row in rows:
        found[row[key]].append(row[of])
    return found.values()


class Score(NamedTuple):
    """Precision, recall and F1 of pairs."""

    precision: float
    recall: float
    f1: float

    @classmethod
    def of(cls, found: Pairs, truth: Pairs) -> Score:
        right = len(found & truth)
        return cls(right / max(len(found), 1), right / max(len(truth), 1), 2 * right / max(len(found) + len(truth), 1))


@dataclass
class Method:
    """What was measured of a method: its clusters, its runs, and how well its probabilities hold."""

    name: str
    score: Score | None = None
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    peak_gib: float = 0.0
    calibration: tuple[float, float] | None = None

    def add(self, *processes: Finished) -> None:
        """Add a run of one or more processes."""
        self.seconds.append(sum(one.seconds for one in processes))
        self.processor.append(sum(one.processor_seconds for one in processes))
        self.peak_gib = max(self.peak_gib, *(one.peak_gib for one in processes))

    def row(self) -> tuple[str, ...]:
        """Return a row of the table."""
        shares = [f"{one:.3f}" for one in self.score] if self.score else ["–"] * 3
        calibration = ["–"] * 2 if self.calibration is None else [f"{one:.3f}" for one in self.calibration]
        seconds = [f"{statistics.median(one):.1f}" if one else "–" for one in (self.seconds, self.processor)]
        return (self.name, *reversed(shares), *calibration, *seconds, f"{self.peak_gib:.2f}" if self.peak_gib else "–")


def read_clusters(path: Path) -> Pairs:
    """Return the pairs within the clusters of a table of clusters."""
    with path.open(encoding="utf-8", newline="") as file:
        return pairs_within(groups_of(csv.DictReader(file), "cluster_id"))


def whole_job(names: Path, place: Path, fields: Sequence[str], method: Method, truth: Pairs) -> None:
    """Index a file and report its duplicates, and add this run to a method; judge the first."""
    number = len(method.seconds)
    where = ["--quiet", "--workspace", str(place / f"workspace-{method.name}-{number}".replace(" ", "-"))]
    output = place / f"report-{method.name}".replace(" ", "-")
    asked = [part for label in fields for part in ("--field", f"{label}:{label}")]
    columns = ["--text", "name", "--id", "unique_id"]
    index = run([*COMMAND, "index", str(names), *columns, "--kind", "company", *asked, *where])
    report = run([*COMMAND, "report", "--output", str(output), *where])
    method.add(index, report)
    if not number:
        method.score = Score.of(read_clusters(output / "clusters.csv"), truth)
        run([*COMMAND, "report", "--min-probability", str(LEAST), "--output", str(output), *where])
        method.calibration = calibration_of(output / "pairs.csv", truth)


def calibration_of(path: Path, truth: Pairs) -> tuple[float, float]:
    """Return the calibration error of the near pairs of a report, and of those that are not clearly different."""
    with path.open(encoding="utf-8", newline="") as file:
        near = [row for row in csv.DictReader(file) if row["kind"] == "near"]
    labels = np.array([tuple(sorted((row["id_1"], row["id_2"]))) in truth for row in near])
    probabilities = np.array([float(row["probability"]) for row in near])
    doubtful = probabilities >= DOUBTFUL
    of_all, of_doubtful = (
        expected_calibration_error(labels[which], probabilities[which])
        for which in (np.ones(len(near), np.bool_), doubtful)
    )
    return of_all, of_doubtful


def rapidfuzz(records: Rows, labels: Sequence[str], truth: Pairs) -> Method:
    """Return how RapidFuzz's ``token_sort_ratio`` of all columns together does at the threshold that is best for it."""
    from rapidfuzz import fuzz, process, utils

    texts = [" ".join(row[label] for label in ("name", *labels)) for row in records]
    ids, found = [row["unique_id"] for row in records], []
    for start in range(0, len(texts), 500):
        block = texts[start : start + 500]
        scores = process.cdist(
            block, texts, scorer=fuzz.token_sort_ratio, processor=utils.default_process, score_cutoff=50, workers=-1
        )
        rows, columns = np.nonzero(scores)
        kept = columns > rows + start
        found += zip(scores[rows, columns][kept].tolist(), rows[kept] + start, columns[kept], strict=True)
    found.sort(reverse=True)
    right, best, wanted = 0, (0.0, Score(0, 0, 0)), len(truth)
    for at, (score, one, other) in enumerate(found, 1):
        right += tuple(sorted((ids[one], ids[other]))) in truth
        now = Score(right / at, right / wanted, 2 * right / (at + wanted))
        if now.f1 > best[1].f1 and (at == len(found) or found[at][0] < score):
            best = score, now
    return Method(f"RapidFuzz token_sort_ratio of all columns, best threshold {best[0]:.0f}", best[1])


def splink(work: Path, names: Path, name: str, truth: Pairs) -> Iterator[Method]:
    """Yield how Splink does at 0.5 and at the threshold that is best for it, run in an environment of its own."""
    place = work / "splink"
    python = str(place / "bin" / "python")
    if not (place / "installed").exists():
        venv.create(place, clear=True, with_pip=True)
        run([python, "-m", "pip", "install", "--quiet", SPLINK])
        (place / "installed").touch()
    output = work / f"splink-{name}"
    output.mkdir(exist_ok=True)
    command = [python, str(HERE / "splink_peer.py"), name, str(names), str(output)]
    finished = run(command, environment={"PYTHONPATH": ""})
    found = {path.stem.partition("-")[2]: read_clusters(path) for path in output.glob("clusters-*.csv")}
    scores = {threshold: Score.of(pairs, truth) for threshold, pairs in found.items()}
    best = max(scores, key=lambda one: scores[one].f1)
    for title, threshold in (("Splink", "0.5"), (f"Splink, best threshold {best}", best)):
        method = Method(title, scores[threshold])
        method.add(finished)
        yield method
    print(f"{name}: Splink by threshold: {json.dumps({k: round(v.f1, 3) for k, v in scores.items()})}", file=sys.stderr)


def measure(asked: Any, name: str) -> dict[str, Method]:
    """Run everything on one file."""
    records = records_of(asked.data / "fields" / f"{name}.csv.gz", asked.records)
    place = Path(asked.work / name)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    names = place / "records.csv"
    labels = list(FILES[name].fields)
    with names.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    truth = pairs_within(groups_of(records, "entity_id", "unique_id"))
    alone, both = Method("neardup, the name alone"), Method("neardup, with fields")
    for _ in range(asked.runs):
        whole_job(names, place, [], alone, truth)
        whole_job(names, place, labels, both, truth)
    found = {"alone": alone, "both": both}
    if not asked.alone:
        if len(records) <= MOST_OF_ALL_PAIRS:
            found["rapidfuzz"] = rapidfuzz(records, labels, truth)
        found |= zip(("splink", "best splink"), splink(asked.work, names, name, truth), strict=True)
    print(f"\n{name}, {len(records):,} records, {len(truth):,} true pairs\n", file=sys.stderr)
    print(results.table(HEADER, [method.row() for method in found.values()]), file=sys.stderr, flush=True)
    return found


HEADER = (
    *(
        "method",
        "F1",
        "recall",
        "precision",
        "calibration error",
        "of pairs from 0.02",
        "seconds",
        "processor seconds",
        "peak GiB",
    ),
)


def judged(name: str, found: Mapping[str, Method]) -> Iterator[Result]:
    """Yield what has a bar."""
    alone, both = found["alone"], found["both"]
    assert alone.score and both.score
    yield result(name, "F1 with fields", both.score.f1)
    yield result(name, "F1 above the name alone", both.score.f1 - alone.score.f1)
    ratio = statistics.median(both.processor) / statistics.median(alone.processor)
    yield result(name, "processor seconds, times the name alone", ratio)
    assert both.calibration
    yield result(name, "calibration error", both.calibration[0])
    if "best splink" in found and (best := found["best splink"].score):
        yield result(name, "F1 above Splink", both.score.f1 - best.f1)


HEAD = """# Records with several columns

Written by `python benchmarks/fields.py`; [README.md](../README.md) says how. Code {code}.
"""


def main() -> None:
    parser = results.arguments(__doc__, work="files and Splink's environment")
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--file", action="append", choices=sorted(FILES))
    parser.add_argument("--alone", action="store_true", help="without rivals")
    asked = parser.parse_args()
    found = {name: measure(asked, name) for name in asked.file or BY_DEFAULT}
    if not asked.alone and not asked.file:
        tables = [
            f"## {name}\n\n{results.table(HEADER, [one.row() for one in of_file.values()])}"
            for name, of_file in found.items()
        ]
        results.put("fields", "\n".join([HEAD.format(code=results.code()), *tables]))
    results.show([one for name, of_file in found.items() for one in judged(name, of_file)])


if __name__ == "__main__":
    main()
