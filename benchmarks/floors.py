"""What each stage of the whole job takes beside the least it could take on this machine: what floors.md reports.

    python benchmarks/floors.py --data ../shared/data --work DIR [--size N]

Runs ``dedup index`` and ``dedup report`` once, then measures the machine, and puts the table of all names into
``floors.md``. A floor is arithmetic over what was measured, or the bare operation on the same rows, with nothing of
neardup in it. Exits with 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bars
import kept
import machine
import page
from bars import Result
from job import WholeJob, whole_job
from planted import ALL, read_planted, write_names

from dedup.model import Model, load_model
from dedup.text.normalise import normalise
from indexer.ingest.encoding import Encoding

SAMPLE = 200_000  # pairs by which RapidFuzz is timed
HEAD = """# The floor of each stage

Written by `python benchmarks/floors.py`; [README.md](README.md) says how. {size:,} names, {texts:,} distinct texts,
{candidates:,} candidate pairs, {pairs:,} near pairs. Measured in the same run: SGEMM {gflops:.0f} GFLOP/s, RapidFuzz
`cpdist` {cpdist:.2f} million pairs/s by one measure. A ratio below 1 means that the stage does less than the floor
supposes. The code is what `python benchmarks/kept.py` named {code}.

"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The seconds of a stage, and of what it cannot do without; no floor is known for some."""

    name: str
    floor: float | None
    measured: float
    what: str


@dataclass(frozen=True, slots=True)
class Rates:
    """What the machine was seen to do: operations and pairs per second."""

    sgemm: float
    cpdist: float


def stages_of(place: Path, done: WholeJob, model: Model, rates: Rates) -> Iterator[Stage]:
    """Yield the stages of a job that was done in ``place``, in their order."""
    with (place / "names.csv").open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    left = dict(done.stages)
    normals: list[str] = []
    normalising = machine.seconds_of(lambda: normals.extend(map(normalise, names)))
    names, normals = map(list, zip(*((n, f) for n, f in zip(names, normals, strict=True) if f), strict=True))
    texts = list(dict.fromkeys(normals))
    codes: list[Any] = []
    with Encoding(model) as encoder:  # in processes of its own, as `dedup index` does it
        encoding = machine.seconds_of(lambda: codes.append(encoder.begin(texts)()))
    number_of = {text: number for number, text in enumerate(texts)}
    bare = place / "bare.sqlite"
    storing = machine.bare_store(bare, names, [number_of[normal] for normal in normals], texts, codes[0])
    yield Stage(
        "reading, storing",
        sum(map(machine.seconds_of, (machine.bare_read(place / "names.csv"), storing))),
        left.pop("index: texts") + left.pop("index: rows") - normalising - encoding,
        "`csv.reader`, and bare `executemany` of the same rows, texts and codes",
    )
    yield Stage(
        "normalising",
        machine.seconds_of(lambda: [unicodedata.normalize("NFKC", name).lower() for name in names]),
        normalising,
        "NFKC and `lower` of every name",
    )
    yield Stage(
        "encoding",
        machine.tower_operations(model, texts) / rates.sgemm,
        encoding,
        "the products of the tower at the rate of SGEMM",
    )
    yield Stage(
        "snapshot",
        machine.seconds_of(machine.durable_write(place / "bare.bin", done.snapshot_bytes)),
        left.pop("index: snapshot"),
        "SHA-256 of a file of that size, written and synced",
    )
    yield Stage(
        "loading",
        machine.seconds_of(machine.bare_load(bare)),
        left.pop("report: load"),
        "bare SELECT of texts and codes",
    )
    yield Stage(
        "neighbours",
        len(texts) ** 2 * model.dimension / rates.sgemm,
        left.pop("report: search"),
        "exact: every two texts once, at the rate of SGEMM",
    )
    yield Stage(
        "comparing",
        done.summary["candidates"] / rates.cpdist,
        left.pop("report: compare"),
        "one RapidFuzz measure of every candidate",
    )
    yield Stage(
        "clustering, writing",
        sum(
            machine.seconds_of(machine.bare_rewrite(place / "report" / f"{name}.csv", place / "bare.csv"))
            for name in ("pairs", "clusters")
        ),
        left.pop("report: cluster") + left.pop("report: write"),
        "`csv.writer` of the same files",
    )
    for name, seconds in left.items():
        yield Stage(name, None, seconds, "")
    yield Stage(
        "starting", None, done.seconds - sum(done.stages.values()), "imports, model, opening and closing; both commands"
    )


def sample_pairs(path: Path) -> tuple[list[str], list[str]]:
    """Return the texts of some pairs of ``pairs.csv``: those on either side."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row["text_1"], row["text_2"]) for row, _ in zip(csv.DictReader(file), range(SAMPLE), strict=False)]
    return [left for left, _ in rows], [right for _, right in rows]


def measure(data: Path, place: Path, size: int) -> dict[str, Any]:
    """Return the stages, the rates and the counts of one run."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    write_names(place / "names.csv", read_planted(data, size).names)
    done = whole_job(place / "names.csv", place)
    rates = Rates(
        machine.sgemm_rate(),
        machine.cpdist_rate(*sample_pairs(place / "report" / "pairs.csv")),
    )
    stages = [asdict(stage) for stage in stages_of(place, done, load_model(), rates)]
    shutil.rmtree(place)
    counts = {
        "texts": done.summary["distinct_texts"],
        "candidates": done.summary["candidates"],
        "pairs": done.summary["near_pairs"],
    }
    return {"size": size, "rates": asdict(rates), "counts": counts, "seconds": done.seconds, "stages": stages}


def document(result: dict[str, Any]) -> str:
    """Return the table."""
    rates = result["rates"]
    head = HEAD.format(
        size=result["size"],
        gflops=rates["sgemm"] / 1e9,
        cpdist=rates["cpdist"] / 1e6,
        code=kept.code(),
        **result["counts"],
    )
    rows = [["stage", "floor, s", "measured, s", "measured / floor", "the floor is"], ["---"] * 5]
    for stage in (Stage(**row) for row in result["stages"]):
        floor = "–" if stage.floor is None else f"{stage.floor:,.2f}"
        ratio = "–" if not stage.floor else f"{stage.measured / stage.floor:,.1f}"
        rows.append([stage.name, floor, f"{stage.measured:,.2f}", ratio, stage.what])
    rows.append(["in all", "", f"{result['seconds']:,.2f}", "", ""])
    return head + table(rows)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as Markdown."""
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def judged(result: dict[str, Any]) -> Iterator[Result]:
    """Yield what has a bar."""
    encoding = next(Stage(**row) for row in result["stages"] if row["name"] == "encoding")
    yield Result(
        "encoding", "share of the rate of SGEMM", (encoding.floor or 0) / encoding.measured, bars.ENCODING_SHARE
    )
    yield Result("encoding", "names/s", result["counts"]["texts"] / encoding.measured, bars.ENCODED_A_SECOND)


def main() -> None:
    """Measure, and print the table and the bars; exit with 1 if one is missed."""
    parser = argparse.ArgumentParser(description="Measure each stage of the whole job beside its floor.")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is measured, and for the workspace")
    parser.add_argument("--size", type=int, default=ALL, help="names; default all, %(default)s")
    arguments = parser.parse_args()

    path = arguments.work / f"floors-{arguments.size}.json"
    result = kept.read(path)
    if result is None:
        result = measure(arguments.data, arguments.work / "floors", arguments.size)
        kept.write(path, result)
    text = document(result)
    if arguments.size == ALL:
        page.put(Path(__file__).with_suffix(".md"), text)
    print(text, flush=True)
    bars.show(judged(result), to=sys.stderr)


if __name__ == "__main__":
    main()
