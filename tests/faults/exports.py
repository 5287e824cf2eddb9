"""Random sequences of exports of one list: whole, cut off, under dated names, with other ids, blank rows and the like.

A model beside the index knows what each export may do. Where they differ, something was removed or stored twice that
nobody allowed, or refused although it was allowed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dedup.errors import InputRefused, TooManyRemoved, UsageError
from indexer.api import Index
from indexer.store.workspace import Workspace

Rows = dict[int, str]
"""The city by the number of a record."""
Held = dict[str, list[tuple[int, str]]]
"""The records of each source, sorted."""
LIST = "export-2026-11-29"
SHARES = (None, None, None, 0, 0.05, 0.5, 1)


@dataclass
class World:
    """An index, and what its sources should hold; ``turn`` plays one random export and returns what is wrong."""

    index: Index
    workspace: Workspace
    folder: Path
    rng: random.Random
    has_ids: bool
    sources: dict[str, Rows] = field(default_factory=dict)
    played: list[str] = field(default_factory=list)
    numbers: int = 1_000

    def __post_init__(self) -> None:
        self.sources[LIST] = dict.fromkeys(range(100, 100 + self.rng.randint(14, 60)), "Bonn")
        self.index.add(self.write(LIST, self.sources[LIST]))

    def turn(self) -> str | None:
        """Play one export; return what is wrong with its outcome."""
        play = self.rng.choice(PLAYS)
        wrong = play(self)
        self.played.append(play.__name__)
        due, held = {name: sorted(rows.items()) for name, rows in self.sources.items()}, self.held()
        wrong = wrong or (None if held == due else f"the index holds {held}, not {due}")
        return f"{' > '.join(self.played)}: {wrong}" if wrong else None

    def held(self) -> Held:
        """Return what the index holds, from its records."""
        found: Held = {}
        with self.workspace.open(for_writing=False) as store:
            for record in store.iter_records():
                number = int(record.raw.rsplit(" ", 1)[1])
                found.setdefault(record.source, []).append((number, record.fields["city"]))
        return {name: sorted(rows) for name, rows in found.items()}

    def write(self, name: str, rows: Rows, *, ids: str = "id", blank: int = 0) -> Path:
        """Write an export; ``ids`` is the name of the id column, of values of their own if it is ``code``."""
        cells = [[f"Z{9_000 - n}" if ids == "code" else str(n), f"Harbor Works {n}", city] for n, city in rows.items()]
        for _ in range(blank):
            cells.insert(self.rng.randint(0, len(cells)), ["", " ", ""])
        lines = [[ids, "name", "city"], *cells]
        path = self.folder / f"{name}.csv"
        path.write_text("".join(";".join(line if self.has_ids else line[1:]) + "\n" for line in lines), "utf-8")
        return path

    def changed(self, name: str, lost: int, new: int) -> Rows:
        """Return the rows of a source without ``lost`` of them, with some other cities and ``new`` rows."""
        rows = dict(self.sources[name])
        for number in self.rng.sample(sorted(rows), lost):
            del rows[number]
        for number in self.rng.sample(sorted(rows), len(rows) // 5):
            rows[number] = self.rng.choice(["Bonn", "Rome", "Oslo"])
        rows |= dict.fromkeys(range(self.numbers, self.numbers + new), "Kiel")
        self.numbers += new
        return rows

    def any_source(self) -> str:
        return self.rng.choice(sorted(self.sources))


def _export(world: World, lost: int, blank: int = 0) -> str | None:
    """Index a list again without ``lost`` records; without ids a record with another city is another one."""
    name, sync, share = world.any_source(), world.rng.random() < 0.7, world.rng.choice(SHARES)
    before = world.sources[name]
    rows = world.changed(name, min(lost, len(before) - 1), world.rng.randint(0, 4))
    is_replaced = sync or not world.has_ids
    same = before.keys() & rows.keys() if world.has_ids else {n for n in before if rows.get(n) == before[n]}
    missing = len(before) - len(same) if is_replaced else 0
    limit = share * len(before) if share is not None else max(0.1 * len(before), min(10, (len(before) + 1) // 2))
    file = world.write(name, rows, blank=blank)
    try:
        done = world.index.add(file, source=name, sync=sync, max_removed=share)
    except TooManyRemoved:
        return None if missing > limit else f"{missing} of {len(before)} may be removed ({share=}), but it was refused"
    if missing > limit:
        return f"{missing} of {len(before)} were removed ({share=})"
    world.sources[name] = rows if is_replaced else before | rows
    return None if (done.removed, len(done.rejected)) == (missing, 0) else f"{done} instead of {missing} removed"


def whole(world: World) -> str | None:
    """The list once more, with few changes."""
    return _export(world, world.rng.randint(0, 2))


def cut_off(world: World) -> str | None:
    """The list, but part of it is missing."""
    return _export(world, world.rng.randint(1, 60))


def with_blank_rows(world: World) -> str | None:
    """The list with blank rows, which are neither records nor rejects."""
    return _export(world, world.rng.randint(0, 12), blank=world.rng.randint(1, 30))


def dated(world: World) -> str | None:
    """The list under the name of another day: refused, unless the source is named or its rows are new."""
    day, share_of_old = f"export-2026-12-{world.rng.randint(1, 31):02}", world.rng.choice([0.0, 0.2, 0.8, 1.0])
    if day in world.sources:
        return None
    name = world.any_source()
    old = world.rng.sample(sorted(world.sources[name]), round(share_of_old * len(world.sources[name])))
    fresh = world.changed(name, 0, round((1 - share_of_old) * 20) + (not old)).items() - world.sources[name].items()
    rows = {number: world.sources[name][number] for number in old}
    rows |= {number: city for number, city in fresh if number not in world.sources[name]}
    is_known = any(2 * len(rows.keys() & other.keys()) >= len(rows) for other in world.sources.values())
    file = world.write(day, rows)
    try:
        world.index.add(file)
    except InputRefused as error:
        is_right = is_known and error.code == "E_KNOWN_SOURCE"
        return None if is_right else f"refused, {is_known=}: {error}"
    if is_known and len(rows) >= 3:
        return f"{len(rows)} rows of {day} were stored a second time"
    world.sources[day] = rows
    return None


def dated_with_leave(world: World) -> str | None:
    """A second copy that was asked for by the name of its source."""
    name, copy = world.any_source(), f"copy {len(world.sources)}"
    rows = dict(world.sources[name])
    world.index.add(world.write(copy, rows), source=copy)
    world.sources[copy] = rows
    return None


def other_ids(world: World) -> str | None:
    """The list with ids from another column: refused."""
    name = world.any_source()
    file = world.write(name, world.sources[name], ids="code")
    try:
        world.index.add(file, source=name, id="code", sync=world.rng.random() < 0.5)
    except (UsageError, InputRefused):
        return None
    return "ids from another column were taken"


def without_ids(world: World) -> str | None:
    """The list by its content where it has ids, by ids where it has none: refused."""
    name = world.any_source()
    file = world.write(name, world.sources[name])
    try:
        world.index.add(file, source=name, id="" if world.has_ids else "name")
    except (UsageError, InputRefused):
        return None
    return "the identity of the source was changed"


def renamed_ids(world: World) -> str | None:
    """The list whose id column has another name, with the same ids."""
    if not world.has_ids:
        return None
    name = world.any_source()
    done = world.index.add(world.write(name, world.sources[name], ids="Kunden-Nr"), source=name, id="Kunden-Nr")
    world.index.add(world.write(name, world.sources[name]), source=name, id="id")
    return None if done.unchanged == len(world.sources[name]) else f"{done} of {len(world.sources[name])}"


def nothing(world: World) -> str | None:
    """A header and no rows."""
    name = world.any_source()
    try:
        world.index.add(world.write(name, {}), source=name, sync=True, max_removed=1)
    except InputRefused:
        return None
    return "an empty export was taken"


PLAYS: list[Callable[[World], str | None]] = [
    whole,
    cut_off,
    cut_off,
    cut_off,
    with_blank_rows,
    dated,
    dated,
    dated_with_leave,
    other_ids,
    without_ids,
    renamed_ids,
    nothing,
]
