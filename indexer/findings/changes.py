"""What changed from one report to another: clusters with the rows that caused it, new and gone pairs; and their log.

The log holds every report since the first, or since `dedup runs prune`. The moves of its events, undone from the last
one on, give the clusters of an earlier report.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from dedup.clustering.stable_ids import Event, Membership, classify, replay
from dedup.errors import UsageError
from indexer.findings.ledger import Ledger, Member, TextPairs, compare_pairs, rows_of
from indexer.store import schema
from indexer.store.engines import insert_rows
from indexer.store.integrity.values import json_object
from indexer.store.store import Store, to_json

Row = tuple[str, str, str]
"""Source and id of a row, and what happened to it: ``added``, ``changed`` or ``deleted``."""

_GROWING = ("new", "grown", "changed", "merged", "rearranged")


@dataclass(frozen=True, slots=True)
class ClusterChange:
    """What became of some clusters, the rows that caused it, and why in a word.

    ``reason``: ``rows``, where some were added, changed or deleted; ``settings``, where the model, the threshold or the
    baseline is another; ``judgements``, where people have judged since; ``first``, in the first report; otherwise
    ``neighbours``: other texts that became similar.
    """

    event: Event
    rows: tuple[Row, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since the report ``since``; None: there was none before.

    ``new`` and ``gone`` are near pairs.
    """

    since: int | None
    clusters: list[ClusterChange]
    new: TextPairs
    gone: TextPairs

    def counts(self) -> dict[str, int]:
        """Return the number of changes of each kind."""
        found = Counter(change.event.kind for change in self.clusters)
        kinds = {kind: found[kind] for kind in schema.EVENT_KINDS}
        return kinds | {"new_pairs": len(self.new.ids), "gone_pairs": len(self.gone.ids)}

    def has_new(self) -> bool:
        """Return whether there is a new pair, or a cluster that is new or has new members."""
        grown = any(move[1] is None for one in self.clusters if one.event.kind in _GROWING for move in one.event.moves)
        return self.since is not None and (grown or bool(len(self.new.ids)))


@dataclass(frozen=True, slots=True)
class CurrentRecords:
    """The records of the store (r,), and those that need a closer look by id: source key, external id, last run."""

    ids: NDArray[np.int64]
    details: dict[int, tuple[int, str, int]]
    sources: dict[int, str] = field(default_factory=dict)


def changes_of_run(
    ledger: Ledger,
    members: dict[int, Member],
    events: Sequence[Event],
    now: TextPairs,
    records: CurrentRecords,
    *,
    is_listed: NDArray[np.bool_],
    otherwise: str,
) -> Changes:
    """Return what changed since the last report, given what this one found."""
    if ledger.last is None:
        nothing = now.where(np.zeros(len(now.ids), np.bool_))
        return Changes(None, [ClusterChange(event, (), "first") for event in events], nothing, nothing)
    causes = _causes(ledger, members, records)
    by_cluster: dict[int, list[Row]] = {}
    for record_id, row in causes.items():
        for place in {_cluster_of(ledger.members, record_id), _cluster_of(members, record_id)} - {None}:
            by_cluster.setdefault(place, []).append(row)  # type: ignore[arg-type]
    changes = []
    for event in events:
        ids = dict.fromkeys((*event.before, *event.after))
        rows = tuple(sorted({row for id_ in ids for row in by_cluster.get(id_, ())}))
        changes.append(ClusterChange(event, rows, "rows" if rows else otherwise))
    is_gone, is_new, _ = compare_pairs(ledger.pairs, now)
    return Changes(ledger.last.run_id, changes, now.where(is_new & is_listed), ledger.pairs.where(is_gone))


def _cluster_of(members: dict[int, Member], record_id: int) -> int | None:
    return members[record_id][1] if record_id in members else None


def _causes(ledger: Ledger, members: dict[int, Member], records: CurrentRecords) -> dict[int, Row]:
    """Return the records of clusters, before or now, that were added, changed or deleted since the last report."""
    assert ledger.last is not None
    known = np.fromiter(ledger.members, np.int64, len(ledger.members))
    deleted = set(known[~np.isin(known, records.ids)].tolist())
    run_of = {record_id: run_id for record_id, (_, _, run_id) in records.details.items()}
    causes = {}
    for record_id, (_, _, text_id, source_id, external_id) in ledger.members.items():
        here = members.get(record_id)
        if record_id in deleted:
            causes[record_id] = (records.sources[source_id], external_id, "deleted")
        elif (here is not None and here[2] != text_id) or run_of.get(record_id, 0) > ledger.last.run_id:
            causes[record_id] = (records.sources[source_id], external_id, "changed")
    for record_id in members.keys() - ledger.members.keys():
        source_id, external_id, run_id = records.details[record_id]
        if record_id >= ledger.last.records_up_to:
            causes[record_id] = (records.sources[source_id], external_id, "added")
        elif run_id > ledger.last.run_id:
            causes[record_id] = (records.sources[source_id], external_id, "changed")
    return causes


def write_changes(connection: Connection, run_id: int, changes: Changes) -> None:
    """Add the changes of a run to the log."""
    rows = [(run_id, number, one.event.kind, to_json(_details(one))) for number, one in enumerate(changes.clusters)]
    insert_rows(connection, schema.cluster_event, rows)
    pairs = [
        (run_id, *row[:2], kind, *row[2:])
        for kind, listed in (("new", changes.new), ("gone", changes.gone))
        for row in rows_of(listed)
    ]
    insert_rows(connection, schema.pair_event, sorted(pairs))


def _details(change: ClusterChange) -> dict[str, Any]:
    event = change.event
    return {
        "before": event.before,
        "after": event.after,
        "moves": event.moves,
        "rows": change.rows,
        "reason": change.reason,
    }


def logged(store: Store, after_run: int) -> list[tuple[int, ClusterChange]]:
    """Return the changes of clusters in all runs after one, with the number of the run, in their order."""
    table = schema.cluster_event.c
    statement = select(table.run_id, table.kind, table.details).where(table.run_id > after_run)
    found = []
    for run_id, kind, details in store.read(statement.order_by(table.run_id, table.event_no)):
        values = json_object(details)
        moves = tuple(tuple(move) for move in values["moves"])
        event = Event(kind, tuple(values["before"]), tuple(values["after"]), moves)
        rows = tuple(tuple(row) for row in values.get("rows", ()))
        found.append((run_id, ClusterChange(event, rows, str(values.get("reason", "")))))
    return found


def clusters_at(store: Store, run_id: int, last: Membership) -> Membership:
    """Return the members of clusters after an earlier report, given those after the ``last`` one."""
    moves = [move for _, change in logged(store, run_id) for move in change.event.moves]
    return replay(last, moves, backwards=True)


def changes_since(store: Store, run_id: int, ledger: Ledger, current: Changes, now: Membership) -> Changes:
    """Return what changed since an earlier report, given the changes of this run and the clusters it found.

    Raises:
        UsageError: there is no such report, or it is no longer kept.
    """
    check_run(store, run_id)
    if current.since == run_id or ledger.last is None:
        return current
    before = [change for _, change in logged(store, run_id)]
    moves = [move for change in before for move in change.event.moves]
    at_run = replay(ledger.membership(), moves, backwards=True)
    steps = [*before, *current.clusters]
    by_cluster: dict[int, list[int]] = {}
    for number, step in enumerate(steps):
        for id_ in {*step.event.before, *step.event.after}:
            by_cluster.setdefault(id_, []).append(number)
    changes = []
    for event in classify(at_run, now):
        numbers = {number for id_ in (*event.before, *event.after) for number in by_cluster.get(id_, ())}
        of_event = [steps[number] for number in sorted(numbers)]
        rows = _net_rows(row for step in of_event for row in step.rows)
        reasons = [step.reason for step in of_event]
        changes.append(ClusterChange(event, rows, "rows" if rows else reasons[-1] if reasons else "neighbours"))
    return Changes(run_id, changes, *_net_pairs(store, run_id, current))


def _net_rows(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return what happened to each row in all, given what happened in order."""
    found: dict[tuple[str, str], list[str]] = {}
    for source, id_, cause in rows:
        found.setdefault((source, id_), []).append(cause)
    net = []
    for (source, id_), causes in found.items():
        if causes[-1] == "deleted" and causes[0] == "added":
            continue
        net.append((source, id_, "added" if causes[0] == "added" else causes[-1]))
    return tuple(sorted(net))


def _net_pairs(store: Store, run_id: int, current: Changes) -> tuple[TextPairs, TextPairs]:
    """Return the pairs that are new and gone since a report."""
    table = schema.pair_event.c
    columns = select(table.text_id_1, table.text_id_2, table.kind, table.probability, table.similarity)
    steps = list(map(tuple, store.read(columns.where(table.run_id > run_id).order_by(table.run_id))))
    for kind, listed in (("new", current.new), ("gone", current.gone)):
        steps += [(*row[:2], kind, *row[2:]) for row in rows_of(listed)]
    first: dict[tuple[int, int], str] = {}
    last: dict[tuple[int, int], tuple[Any, ...]] = {}
    for one, other, kind, *measures in steps:
        first.setdefault((one, other), kind)
        last[one, other] = (kind, *measures)
    net = {"new": list[tuple[Any, ...]](), "gone": list[tuple[Any, ...]]()}
    for pair, (kind, *measures) in sorted(last.items()):
        if first[pair] == kind:
            net[kind].append((*pair, *measures))
    both = [np.array(net[kind], np.float64).reshape(-1, 4) for kind in net]
    ids = [np.array([row[:2] for row in net[kind]], np.int64).reshape(-1, 2) for kind in net]
    new, gone = (TextPairs(id_, rows[:, 2], rows[:, 3]) for id_, rows in zip(ids, both, strict=True))
    return new, gone


def check_run(store: Store, run_id: int) -> None:
    """Raise ``UsageError`` unless this is a report whose changes are all kept."""
    run = schema.run.c
    rows = store.read(select(run.run_id, run.manifest).where(run.kind == "report", run.state == "done"))
    known = sorted(number for number, manifest in rows if "findings" in json.loads(manifest))
    if run_id not in known:
        there = f"Known are {', '.join(map(str, known[-10:]))}." if known else "There is none yet."
        raise UsageError(
            f"{run_id} is not the number of a completed report whose changes are kept. {there} `dedup runs` lists them."
        )
