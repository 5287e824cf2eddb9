"""A nightly report as an increment beside a full one, and how long cluster ids last.

    python benchmarks/nightly.py DATA --names 200000 --changed 10000            # seconds side by side
    python benchmarks/nightly.py DATA --names 50000 --nights 50 --share 0.01    # ids over many nights

DATA is the directory of shared data. Each night some rows are renamed by a slip, and as many are deleted and added. The
full report of a night has the same baseline as the increment before it and must find the same, so it changes nothing.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import select

import neardup
from indexer.store.schema import cluster_member

NAMES = "names/organisations.csv.gz"
STAGES = ("read findings", "load", "search", "compare", "cluster", "write")


class Corpus:
    """Names by id, which change from night to night."""

    def __init__(self, data: Path, count: int, seed: int) -> None:
        with gzip.open(data / NAMES, "rt", encoding="utf-8") as file:
            names = [row["name"] for row in csv.DictReader(file)]
        self._chance = random.Random(seed)
        self._chance.shuffle(names)
        self._spare = names[count:]
        self.rows = dict(enumerate(names[:count]))
        self._next = count

    def night(self, changed: int) -> None:
        """Change so many rows: half of them are renamed, a quarter deleted, a quarter added."""
        for id_ in self._chance.sample(sorted(self.rows), changed * 3 // 4):
            if self._chance.random() < 1 / 3:
                del self.rows[id_]
            else:
                self.rows[id_] = self._slip(self.rows[id_])
        for _ in range(changed // 4):
            name = self._spare.pop() if self._spare else self._slip(self._chance.choice(list(self.rows.values())))
            self.rows[self._next] = name
            self._next += 1

    def _slip(self, name: str) -> str:
        at = self._chance.randrange(len(name))
        return name[:at] + self._chance.choice(("", name[at] * 2, "e", "s")) + name[at + 1 :] or name

    def table(self) -> list[dict[str, Any]]:
        return [{"id": id_, "name": name} for id_, name in self.rows.items()]


def members(index: neardup.Index) -> dict[int, int]:
    """Return the cluster of each record that is in one."""
    with index._workspace.open(for_writing=False) as store:
        return {row[0]: row[1] for row in store.read(select(cluster_member.c["record_id", "cluster_id"]))}


def renamed(before: dict[int, int], now: dict[int, int]) -> int:
    """Return how many clusters kept more than half of their members, as one cluster, but not their id."""
    sizes = Counter(before.values())
    shared = Counter((before[record], now[record]) for record in before.keys() & now.keys())
    kept = {old: new for (old, new), number in shared.items() if 2 * number > sizes[old]}
    largest = Counter[int]()
    for (_, new), number in shared.items():
        largest[new] = max(largest[new], number)
    # of two clusters that merge, one id must end
    return sum(old != new and shared[old, new] == largest[new] > shared.get((new, new), 0) for old, new in kept.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--names", type=int, default=50_000)
    parser.add_argument("--changed", type=int, help="rows changed a night; default: --share of the names")
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--nights", type=int, default=1)
    parser.add_argument("--database", help="URL of an empty PostgreSQL database; default: SQLite")
    parser.add_argument("--no-full", action="store_true", help="only increments")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    corpus = Corpus(options.data, options.names, options.seed)
    changed = options.changed or round(options.share * options.names)
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        where = {"workspace": place / "workspace"} if options.database else {}
        with neardup.Index(options.database or place / "workspace", **where) as index:
            index.add(corpus.table(), text="name", id="id")
            _say("first", index.report(place / "report"))
            before = members(index)
            for night in range(1, options.nights + 1):
                corpus.night(changed)
                index.add(corpus.table(), text="name", id="id", sync=True, max_removed=1.0)
                part = index.report(place / "report")
                now = members(index)
                lost = renamed(before, now)
                wrong += lost
                before = now
                _say(f"night {night}", part, {"renamed": lost} | {k: v for k, v in part["changes"].items() if v})
                if not options.no_full:
                    files = {path: path.read_bytes() for path in (place / "report").glob("*s.csv")}
                    full = index.report(place / "report", full=True)
                    differs = any(full["changes"].values()) or any(
                        path.read_bytes() != files[path] for path in files if path.name != "changes.csv"
                    )
                    wrong += differs
                    share = _total(part) / _total(full)
                    _say(f"full {night}", full, {"increment": f"{share:.1%}", "differs": differs})
    print(f"{wrong} wrong")
    return 1 if wrong else 0


def _total(summary: dict[str, Any]) -> float:
    return float(sum(summary["seconds"].values()))


def _say(what: str, summary: dict[str, Any], more: dict[str, Any] | None = None) -> None:
    stages = {stage: round(summary["seconds"].get(stage, 0), 1) for stage in STAGES}
    counts = {
        name: summary[name] for name in ("distinct_texts", "texts_searched", "near_pairs", "clusters", "candidates")
    }
    line = {"seconds": round(_total(summary), 1)} | stages | counts | {"why_full": summary["why_full"]} | (more or {})
    print(what, json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
