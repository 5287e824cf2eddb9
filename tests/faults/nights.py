"""Long histories of random edits: an incremental report gives what a full one gives, byte for byte, night by night.

    python tests/faults/nights.py --histories 200 --nights 30

Each night rows are added, renamed and deleted. Then the workspace is copied; one copy is reported as an increment, the
other with everything compared again. All tables of findings and all files must be equal, the ids of clusters stable,
and the log of changes must lead from nothing to tonight's clusters.
"""

from __future__ import annotations

import argparse
import gc
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import neardup
from dedup.clustering import cluster
from dedup.clustering.stable_ids import membership, replay
from dedup.model import load_model
from indexer.findings.changes import logged
from indexer.store import engines
from indexer.vectors.snapshot import Snapshots

WORDS = "north blue apex nova delta royal prime solar vista terra coral ember harbor summit cedar"
TRADES = "trading shipping foods steel software holdings energy textiles insurance logistics"
FORMS = ("", " inc", " ltd", " gmbh", " llc")
FINDINGS = ("near_pair", "cluster", "cluster_member", "cluster_event", "pair_event", "baseline")
FILES = ("pairs.csv", "clusters.csv", "changes.csv")


@contextmanager
def small_limits(*, cells: bool) -> Iterator[None]:
    """Let small corpora do what large ones do: cells, sampled components; and let no disk be waited for."""
    prepare = engines._prepare_sqlite

    def prepare_quickly(connection: sqlite3.Connection, path: Path) -> None:
        prepare(connection, path)
        connection.execute("PRAGMA synchronous=OFF")

    limits = Snapshots.__init__.__kwdefaults__ | ({"flat_up_to": 30} if cells else {})
    with (
        mock.patch.object(Snapshots.__init__, "__kwdefaults__", limits),
        mock.patch.object(cluster, "LARGEST_COMPONENT", 9),
        mock.patch.object(engines, "_prepare_sqlite", prepare_quickly),
        mock.patch("os.fsync", lambda file: None),
    ):
        yield


class History:
    """The rows of one corpus, by source and id, as they change from night to night."""

    def __init__(self, seed: int, size: int) -> None:
        self.chance = random.Random(seed)
        self.rows: dict[str, dict[str, str]] = {"crm": {}, "leads": {}}
        self._next = 1
        self._bases = [self._name() for _ in range(max(3, size // 4))]
        for _ in range(size):
            self._add()

    def night(self) -> None:
        """Change some rows; on some nights nothing, on others most."""
        share = self.chance.choice((0.0, 0.02, 0.05, 0.05, 0.1, 0.4))
        for _ in range(round(share * sum(map(len, self.rows.values()))) + self.chance.randrange(2)):
            self.chance.choice((self._add, self._rename, self._rename, self._delete))()

    def _name(self) -> str:
        chance = self.chance
        first, second = chance.choices(WORDS.split(), k=2)
        return f"{first} {second} {chance.choice(TRADES.split())}{chance.choice(FORMS)}"

    def _variant(self) -> str:
        name = self.chance.choice(self._bases) if self.chance.random() < 0.8 else self._name()
        for _ in range(self.chance.choice((0, 0, 1, 1, 2))):
            at = self.chance.randrange(len(name))
            name = name[:at] + self.chance.choice(("", name[at] * 2, "x", "a")) + name[at + 1 :]
        return name if name.strip() else "empty"

    def _add(self) -> None:
        self.rows[self.chance.choice(("crm", "leads"))][f"r{self._next}"] = self._variant()
        self._next += 1

    def _rename(self) -> None:
        rows = self.rows[self.chance.choice(("crm", "leads"))]
        if rows:
            rows[self.chance.choice(list(rows))] = self._variant()

    def _delete(self) -> None:
        rows = self.rows[self.chance.choice(("crm", "leads"))]
        if len(rows) > 2:
            del rows[self.chance.choice(list(rows))]


def index(place: neardup.Index, history: History) -> None:
    for source, rows in history.rows.items():
        if rows:
            table = [{"id": id_, "name": name} for id_, name in rows.items()]
            place.add(table, text="name", id="id", source=source, sync=True, max_removed=1.0)


def findings(workspace: Path) -> dict[str, list[Any]]:
    """Return all tables of findings, without the times of runs."""
    with closing(sqlite3.connect(workspace / "neardup.sqlite")) as connection:
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in FINDINGS}


def run(seed: int, nights: int, model: Any, *, size: int, cells: bool) -> Counter[str]:
    """Live through one history; raise ``AssertionError`` where the increment differs from a full report."""
    done: Counter[str] = Counter()
    history = History(seed, size)
    with small_limits(cells=cells), tempfile.TemporaryDirectory(dir=_memory()) as name:
        directory = Path(name)
        place, copy = directory / "workspace", directory / "copy"
        least = history.chance.choice((0.5, 0.7))
        before: dict[int, int] = {}
        for night in range(nights):
            history.night()
            if history.chance.random() < 0.05:
                least = history.chance.choice((0.5, 0.6, 0.7))
            with neardup.Index(place, model=model) as one:
                index(one, history)
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(place, copy)
                with neardup.Index(copy, model=model) as other:
                    full = other.report(directory / "full", min_probability=least, full=True)
                part = one.report(directory / "part", min_probability=least)
            where = f"seed {seed}, night {night}"
            assert full["is_full"], where
            done["increments"] += not part["is_full"]
            done["searched"] += part["texts_searched"]
            done["texts"] += part["distinct_texts"]
            for file in FILES:
                written = [(directory / kind / file).read_bytes() for kind in ("full", "part")]
                assert written[0] == written[1], f"{where}: {file}"
            tables = findings(copy), findings(place)
            for table in FINDINGS:
                assert tables[0][table] == tables[1][table], f"{where}: {table}"
            now = {row[0]: row[1] for row in tables[1]["cluster_member"]}
            check_ids(before, now, where)
            before = now
            done["nights"] += 1
        check_log(place, before, seed)
    return done


def check_ids(before: dict[int, int], now: dict[int, int], where: str) -> None:
    """Assert that a cluster which keeps more than half of its members, and gets few others, keeps its id."""
    sizes, later = Counter(before.values()), Counter(now.values())
    for (old, new), shared in Counter((before[one], now[one]) for one in before.keys() & now.keys()).items():
        if 2 * shared > sizes[old] and 2 * shared > later[new]:
            assert old == new, f"{where}: c{old} became c{new}"


def check_log(place: Path, now: dict[int, int], seed: int) -> None:
    """Assert that the log of changes leads from nothing to the clusters that are there, and back."""
    with neardup.Index(place)._workspace.open(for_writing=False) as store:
        moves = [move for _, change in logged(store, 0) for move in change.event.moves]
    nothing, there = membership({}), membership(now)
    for start, end, backwards in ((nothing, there, False), (there, nothing, True)):
        found = replay(start, moves, backwards=backwards)
        assert found.members.tolist() == end.members.tolist(), seed
        assert found.clusters.tolist() == end.clusters.tolist(), seed


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--first", type=int, default=0, help="seed of the first history")
    options = parser.parse_args()
    gc.set_threshold(200_000, 20, 100)
    model, done, start = load_model(), Counter[str](), time.monotonic()
    for seed in range(options.first, options.first + options.histories):
        done += run(seed, options.nights, model, size=20 + seed % 5 * 25, cells=bool(seed % 2))
        print(f"history {seed}: {dict(done)}, {time.monotonic() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
