"""Long histories of random edits: an incremental report gives what a full one gives, byte for byte, night by night.

    python tests/faults/nights.py --histories 200 --nights 30
    python tests/faults/nights.py --histories 20 --postgresql
    python tests/faults/nights.py --histories 200 --nights 10 --fake --fields

Each night rows are added, renamed, deleted and brought back; people judge pairs, also records of one text, and take
back what they said; reports are interrupted, files of neighbours damaged, old runs forgotten. Then the workspace is
copied; one copy is reported as an increment, the other with everything compared again. All tables of findings and all
files must be equal, the ids of clusters stable, and the log of changes must lead from nothing to tonight's clusters.
"""

from __future__ import annotations

import argparse
import gc
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.append(str(Path(__file__).parents[1] / "support"))

import numpy as np
from doubles import fake_model
from night_fields import Fields
from server import Server, running_server

import neardup
from dedup.clustering import cluster
from dedup.clustering.stable_ids import membership, replay
from dedup.model import load_model
from indexer.findings.changes import logged
from indexer.findings.history import prune
from indexer.jobs import loading, report
from indexer.store import engines
from indexer.vectors import snapshot
from indexer.vectors.snapshot import Snapshots

WORDS = "north blue apex nova delta royal prime solar vista terra coral ember harbor summit cedar"
TRADES = "trading shipping foods steel software holdings energy textiles insurance logistics"
FORMS = ("", " inc", " ltd", " gmbh", " llc")
FINDINGS = ("near_pair", "cluster", "cluster_member", "cluster_event", "pair_event", "baseline")
FILES = ("pairs.csv", "clusters.csv", "changes.csv", "records.csv")

FEW_CELLS = 16


@contextmanager
def small_limits(*, cells: int, largest: int) -> Iterator[None]:
    """Let small corpora do what large ones do: cells, sampled components; and let no disk be waited for.

    ``cells``: the least number of cells; 0 for none.
    """
    prepare, find_centres = engines._prepare_sqlite, snapshot.find_centres

    def prepare_quickly(connection: sqlite3.Connection, path: Path) -> None:
        prepare(connection, path)
        connection.execute("PRAGMA synchronous=OFF")

    def many_centres(codes: Any, *progress: Any) -> Any:
        found = find_centres(codes, *progress).astype(np.int64)
        found = np.tile(found, (max(1, cells // len(found)), 1))
        found[1::2] += np.random.default_rng(len(found)).integers(-9, 10, found[1::2].shape)
        return np.clip(found, -127, 127).astype(np.int8)

    limits = Snapshots.__init__.__kwdefaults__ | ({"flat_up_to": 30} if cells else {})
    with ExitStack() as stack:
        for target, name, new in (
            (Snapshots.__init__, "__kwdefaults__", limits),
            (cluster, "LARGEST_COMPONENT", largest),
            (engines, "_prepare_sqlite", prepare_quickly),
            (loading, "find_centres", many_centres),
        ):
            stack.enter_context(mock.patch.object(target, name, new))
        if cells > FEW_CELLS:  # more than texts, which FAISS does not read
            stack.enter_context(mock.patch.object(loading, "_snapshot_centres", lambda *_: (None, None, 0)))
        stack.enter_context(mock.patch("os.fsync", lambda file: None))
        yield


class Place:
    """A workspace and its copy, in directories or on a server."""

    def __init__(self, directory: Path, model: Any, server: Server | None) -> None:
        self._directory, self._model, self._server = directory, model, server
        if server:
            server.execute("DROP DATABASE IF EXISTS place WITH (FORCE)")
            server.create("place")

    def open(self, name: str = "place", progress: Any = None) -> neardup.Index:
        """Open the workspace, or the ``copy``."""
        path = self._directory / name
        if self._server:
            return neardup.Index(self._server.url(name), workspace=path, model=self._model, progress=progress)
        return neardup.Index(path, model=self._model, progress=progress)

    def copy(self) -> None:
        """Copy the workspace, which must be closed."""
        shutil.rmtree(self._directory / "copy", ignore_errors=True)
        shutil.copytree(self._directory / "place", self._directory / "copy")
        if self._server:
            self._server.execute("DROP DATABASE IF EXISTS copy WITH (FORCE)")
            self._server.execute("CREATE DATABASE copy TEMPLATE place STRATEGY FILE_COPY")

    def neighbours(self) -> list[Path]:
        """Return the files of neighbours."""
        return sorted((self._directory / "place" / "snapshots").glob("near-*.npz"))

    def findings(self, name: str) -> dict[str, list[Any]]:
        """Return all tables of findings, without the times of runs."""

        def rows(table: str) -> list[Any]:
            statement = f"SELECT * FROM {table}"
            if self._server:
                found = self._server.execute(statement, database=name)
            else:
                with closing(sqlite3.connect(self._directory / name / "neardup.sqlite")) as connection:
                    found = connection.execute(statement).fetchall()
            return sorted(map(tuple, found), key=repr)

        return {table: rows(table) for table in FINDINGS}


class History:
    """The rows of one corpus, by source and id, as they change from night to night, and what people say of them."""

    def __init__(self, seed: int, size: int, *, has_fields: bool = False) -> None:
        self.chance = random.Random(seed)
        self.fields = Fields(random.Random(seed)) if has_fields else None
        self.rows: dict[str, dict[str, str]] = {"crm": {}, "leads": {}}
        self.judged: list[tuple[tuple[str, str], tuple[str, str]]] = []
        self.different: set[frozenset[str]] = set()
        self._gone: list[tuple[str, str, str]] = []
        self._next = 1
        few = self.chance.random() < 0.3  # so components are large
        self._bases = [self._name() for _ in range(3 if few else max(3, size // 4))]
        for _ in range(size):
            self._add()

    def night(self) -> None:
        """Change some rows; on some nights nothing, on others most."""
        share = self.chance.choice((0.0, 0.02, 0.05, 0.05, 0.1, 0.4))
        for _ in range(round(share * sum(map(len, self.rows.values()))) + self.chance.randrange(2)):
            self.chance.choice((self._add, self._rename, self._rename, self._delete, self._bring_back))()
        if self.fields:
            self.fields.night([(source, id_) for source, rows in self.rows.items() for id_ in rows])

    def said(self) -> Iterator[tuple[tuple[str, str], tuple[str, str], str | None]]:
        """Say something of some pairs of records, or take back what was said."""
        chance = self.chance
        for _ in range(chance.choice((0, 0, 1, 2, 6))):
            if self.judged and chance.random() < 0.3:
                yield *self.judged.pop(chance.randrange(len(self.judged))), None
                continue
            everything = [(source, id_, text) for source, rows in self.rows.items() for id_, text in rows.items()]
            first = chance.choice(everything)
            equal = [row for row in everything if row != first and row[2].lower() == first[2].lower()]
            near = [row for row in everything if row != first and row[2][:6].lower() == first[2][:6].lower()]
            second = chance.choice(chance.choice((equal, near, near, everything)) or everything)
            if second[:2] != first[:2]:
                self.judged.append((first[:2], second[:2]))
                yield first[:2], second[:2], chance.choice(("same", "different", "different", "unsure"))

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
        source = self.chance.choice(("crm", "leads"))
        if len(self.rows[source]) > 2:
            id_ = self.chance.choice(list(self.rows[source]))
            self._gone.append((source, id_, self.rows[source].pop(id_)))

    def _bring_back(self) -> None:
        """Add a row again that was deleted, as it was or renamed."""
        if self._gone:
            source, id_, text = self._gone.pop(self.chance.randrange(len(self._gone)))
            self.rows[source][id_] = text if self.chance.random() < 0.7 else self._variant()


def index(place: neardup.Index, history: History) -> None:
    fields = history.fields
    for source, rows in history.rows.items():
        if rows:
            more = {id_: fields.row((source, id_)) if fields else {} for id_ in rows}
            table = [{"id": id_, "name": name} | more[id_] for id_, name in rows.items()]
            kinds = fields.kinds(source) if fields else None
            place.add(table, text="name", id="id", source=source, fields=kinds, sync=True, max_removed=1.0)


class _Interrupted(BaseException):
    """The end of a report, as by Ctrl-C."""


def misfortune(place: Place, history: History, done: Counter[str], **how: Any) -> None:
    """Let something happen that must make no difference: an interrupted report, old runs forgotten."""
    chance = history.chance
    if chance.random() < 0.3:
        left = chance.randrange(40)

        def progress(*event: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise _Interrupted

        with suppress(_Interrupted), place.open(progress=progress) as one:
            one.report(place._directory / "broken", **how)
        done["interrupted"] += left < 0
    elif chance.random() < 0.2:
        fails = mock.patch.object(report, "write_changes", side_effect=_Interrupted)
        with suppress(_Interrupted), fails, place.open() as one:
            one.report(place._directory / "broken", **how)
        done["failed at the end"] += 1
    if chance.random() < 0.1:
        with place.open() as one:
            done["pruned"] += prune(one._workspace, chance.randrange(1, 4))


def damage(place: Place, history: History, done: Counter[str]) -> None:
    """Damage the file of neighbours, or remove it."""
    for path in place.neighbours():
        content = bytearray(path.read_bytes())
        what = history.chance.randrange(3)
        if what == 0:
            path.unlink()
        else:
            content[history.chance.randrange(len(content))] ^= 0x55
            path.write_bytes(content if what == 1 else content[: len(content) // 2])
        done["damaged"] += 1


def judge(place: neardup.Index, history: History) -> int:
    """Store what people say tonight."""
    count = 0
    for one, other, verdict in history.said():
        place.judge(one, other, verdict, by="ann")
        ids = frozenset((one[1], other[1]))
        history.different = history.different - {ids} | ({ids} if verdict == "different" else set())
        count += 1
    return count


def run(
    seed: int, nights: int, model: Any, *, size: int, server: Server | None = None, has_fields: bool = False
) -> Counter[str]:
    """Live through one history; raise ``AssertionError`` where the increment differs from a full report."""
    done: Counter[str] = Counter()
    history = History(seed, size, has_fields=has_fields)
    chance = random.Random(-seed)
    cells, largest = (0, FEW_CELLS, FEW_CELLS, 512)[seed % 4], chance.choice((9, 9, 40))
    is_judged, is_unlucky = seed % 3 > 0, seed % 5 > 1
    with small_limits(cells=cells, largest=largest), tempfile.TemporaryDirectory(dir=_memory()) as name:
        directory = Path(name)
        place = Place(directory, model, server)
        least = chance.choice((0.3, 0.5, 0.7))
        before: dict[int, int] = {}
        for night in range(nights):
            where = f"seed {seed}, night {night}"
            history.night()
            if chance.random() < 0.05:
                least = chance.choice((0.3, 0.5, 0.6, 0.7))
            with place.open() as one:
                index(one, history)
                if is_judged:
                    done["judgements"] += judge(one, history)
            branches = chance.choice(("separate", "separate", "merge")) if has_fields else "separate"
            if is_unlucky:
                misfortune(place, history, done, min_probability=least, branches=branches)
            place.copy()
            if is_unlucky and chance.random() < 0.1:
                damage(place, history, done)
            with place.open() as one:
                known = [run.run_id for run in one.runs() if run.kind == "report" and run.state == "done"]
            how: dict[str, Any] = {
                "min_probability": least,
                "records": True,
                "branches": branches,
                "explain": has_fields,
            }
            how["formats"] = ["csv", "html"] if chance.random() < 0.2 else ["csv"]
            how["since"] = chance.choice(known) if known and chance.random() < 0.2 else None
            with place.open("copy") as other:
                full = other.report(directory / "full", full=True, **how)
            with place.open() as one:
                part = one.report(directory / "part", full=chance.random() < 0.05, **how)
            assert full["is_full"], where
            done["increments"] += not part["is_full"]
            done["searched"] += part["texts_searched"]
            done["texts"] += part["distinct_texts"]
            done["largest"] = max(done["largest"], part["largest_cluster"])
            compare_files(directory, len(how["formats"]) > 1, where)
            tables = place.findings("copy"), place.findings("place")
            for table in FINDINGS:
                assert tables[0][table] == tables[1][table], f"{where}: {table}"
            now = {row[0]: row[1] for row in tables[1]["cluster_member"]}
            check_ids(before, now, where)
            cluster_of = {row[4]: row[1] for row in tables[1]["cluster_member"]}
            for pair in history.different:
                found = [cluster_of.get(id_, id_) for id_ in pair]
                assert len(set(found)) == 2, f"{where}: {pair} were judged different"
            done["kept apart"] += len(history.different)
            before = now
            done["nights"] += 1
        with place.open() as one:
            checks = one.verify()
            assert checks, f"seed {seed}: {checks.faults}"
        if not done["pruned"]:
            check_log(place, before, seed)
    return done


def compare_files(directory: Path, has_page: bool, where: str) -> None:
    """Assert that both reports wrote the same files, but for the time on the page."""
    for file in FILES + (("report.html",) if has_page else ()):
        written = [(directory / kind / file).read_bytes() for kind in ("full", "part")]
        if file == "report.html":
            written = [re.sub(rb"\d\d:\d\d:\d\d UTC", b"", content) for content in written]
        assert written[0] == written[1], f"{where}: {file}"


def check_ids(before: dict[int, int], now: dict[int, int], where: str) -> None:
    """Assert that a cluster which keeps more than half of its members, and gets few others, keeps its id."""
    sizes, later = Counter(before.values()), Counter(now.values())
    for (old, new), shared in Counter((before[one], now[one]) for one in before.keys() & now.keys()).items():
        if 2 * shared > sizes[old] and 2 * shared > later[new]:
            assert old == new, f"{where}: c{old} became c{new}"


def check_log(place: Place, now: dict[int, int], seed: int) -> None:
    """Assert that the log of changes leads from nothing to the clusters that are there, and back."""
    with place.open() as one, one._workspace.open(for_writing=False) as store:
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
    parser.add_argument("--fake", action="store_true", help="with a model that takes no time")
    parser.add_argument("--fields", action="store_true", help="with further columns as evidence")
    parser.add_argument("--postgresql", action="store_true", help="on a server instead of SQLite")
    options = parser.parse_args()
    gc.set_threshold(200_000, 20, 100)
    model, done, start = fake_model() if options.fake else load_model(), Counter[str](), time.monotonic()
    with running_server() if options.postgresql else nullcontext() as server:
        for seed in range(options.first, options.first + options.histories):
            done += run(seed, options.nights, model, size=20 + seed % 5 * 25, server=server, has_fields=options.fields)
            print(f"history {seed}: {dict(done)}, {time.monotonic() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
