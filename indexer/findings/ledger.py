"""The findings of the last report in the database: pairs, clusters and their members; read at once, written at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from dedup.clustering.stable_ids import Membership
from indexer.store import schema
from indexer.store.engines import chunks, insert_rows
from indexer.store.integrity.values import damaged, json_object
from indexer.store.store import Ids, Store

Floats = NDArray[np.float64]
Member = tuple[int, int, int, int, str]
"""A row of ``cluster_member``: record, cluster, text, source, external id."""

Weakest = tuple[float, int | None, int | None]
"""The lowest probability in a cluster, and the ids of these two texts; none if all its records have one text."""

_REWRITTEN = 0.3
"""A table of which a larger share of rows changes is written anew."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last report that was completed.

    Attributes:
        run_id: Its number.
        settings: Digest of all that its pairs depend on besides the texts.
        records_up_to: The next free record id at that time.
        columns: Names of the other columns of the records.
        judgements: Digest of what people had said; empty if nothing.
        min_probability: Its lowest probability of a pair, if it is known.
        model: Hash of the files of its model; empty if it shipped with neardup.
        merges_branches: Whether records of one name in several places were the same.

    """

    run_id: int
    settings: str
    records_up_to: int
    columns: list[str]
    judgements: str = ""
    min_probability: float | None = None
    model: str = ""
    merges_branches: bool = False


@dataclass(frozen=True, slots=True)
class TextPairs:
    """Pairs of text ids (p, 2), the lower one first, ascending, with probabilities and similarities (p,)."""

    ids: NDArray[np.int64]
    probabilities: Floats
    similarities: Floats

    def where(self, which: NDArray[Any]) -> TextPairs:
        """Return some of the pairs."""
        return TextPairs(self.ids[which], self.probabilities[which], self.similarities[which])


@dataclass(frozen=True, slots=True)
class Ledger:
    """The findings of the last report.

    Attributes:
        last: The run that made them, if any.
        pairs: Its near pairs.
        members: The members of its clusters by record.
        weakest: The weakest pair in each of its clusters.
        next_cluster_id: The next id that was never used.

    """

    last: LastRun | None
    pairs: TextPairs
    members: dict[int, Member]
    weakest: dict[int, Weakest]
    next_cluster_id: int

    def membership(self) -> Membership:
        """Return records and clusters."""
        rows = np.array([(row[0], row[1]) for row in self.members.values()], np.int64).reshape(-1, 2)
        return Membership(*rows[np.argsort(rows[:, 0])].T)

    def clusters_of(self, text_ids: Ids) -> NDArray[np.int64]:
        """Return the cluster of each text (n,), ascending ids, -1 for none."""
        found = np.array([(row[2], row[1]) for row in self.members.values()], np.int64).reshape(-1, 2)
        result = np.full(len(text_ids), -1)
        places = np.minimum(np.searchsorted(text_ids, found[:, 0]), max(0, len(text_ids) - 1))
        known = text_ids[places] == found[:, 0]
        result[places[known]] = found[known, 1]
        return result

    def weakest_of(self, clusters: Ids, text_ids: Ids) -> tuple[list[float], list[tuple[int, int]]]:
        """Return the lowest probability in each of ``clusters`` (c,), and the places of these two texts.

        Raises:
            CorruptStore: a text is not among ``text_ids`` (n,), ascending, or a cluster has none.

        """
        found = [self.weakest[cluster_id] for cluster_id in clusters.tolist()]
        ids = np.array([[-1 if text_id is None else text_id for text_id in row[1:]] for row in found], np.int64)
        places = np.minimum(np.searchsorted(text_ids, ids.reshape(-1, 2)), max(0, len(text_ids) - 1))
        wrong = np.flatnonzero((text_ids[places] != ids.reshape(-1, 2)).any(axis=1))
        if len(wrong):
            raise damaged(f"The weakest pair of the cluster {clusters[wrong[0]]} is not one of its texts.")
        return [row[0] for row in found], list(map(tuple, places.tolist()))


def read_ledger(store: Store) -> Ledger:
    """Return the findings of the last report; empty before the first.

    Raises:
        CorruptStore: a record is in a cluster that is not open, or of a source that does not exist.
    """
    last = last_report(store)
    cluster, pair = schema.cluster.c, schema.near_pair.c
    columns = cluster["cluster_id", "weakest_probability", "weakest_text_1", "weakest_text_2"]
    open_clusters = store.read(select(*columns).where(cluster.closed_by_run.is_(None)))
    weakest: dict[int, Weakest] = {id_: (least, one, other) for id_, least, one, other in open_clusters}
    ((largest,),) = store.read(select(func.coalesce(func.max(cluster.cluster_id), 0)))
    members = {row[0]: tuple(row) for row in store.read(select(schema.cluster_member))}
    sources = {row[0] for row in store.read(select(schema.source.c.source_id))}
    for record_id, cluster_id, _, source_id, _ in members.values():
        if cluster_id not in weakest:
            raise damaged(f"Record {record_id} is in the cluster {cluster_id}, which is not open.")
        if source_id not in sources:
            raise damaged(f"Record {record_id} of the cluster {cluster_id} is of no source: {source_id}.")
    rows = store.read(select(*pair).order_by(pair.text_id_1, pair.text_id_2))
    return Ledger(last, _pairs(rows), members, weakest, int(largest) + 1)


def last_report(store: Store) -> LastRun | None:
    """Return the last completed report that recorded its findings, if any."""
    run = schema.run.c
    statement = select(run.run_id, run.manifest).where(run.kind == "report", run.state == "done")
    for run_id, manifest in store.read(statement.order_by(run.run_id.desc()).limit(1)):
        values = json_object(manifest)
        found, thresholds = values.get("findings"), values.get("thresholds")
        if isinstance(found, dict):
            columns = list(map(str, found.get("columns", ())))
            settings, judgements = str(found.get("settings")), str(found.get("judgements", ""))
            least = thresholds.get("min_probability") if isinstance(thresholds, dict) else None
            threshold = float(least) if isinstance(least, int | float) else None
            others = columns, judgements, threshold, str(found.get("model", "")), found.get("merges_branches") is True
            return LastRun(run_id, settings, int(found.get("records_up_to", 0)), *others)
    return None


def read_columns(store: Store, last: LastRun | None) -> list[str]:
    """Return the other columns of records: those of the last report, then those of records changed since.

    So the columns of a report stay the same when the records that had one of them change.
    """
    columns = dict.fromkeys(last.columns if last else ())
    for fields in store.iter_fields(last.run_id if last else 0):
        columns.update(dict.fromkeys(fields))
    return list(columns)


def _pairs(rows: list[Any]) -> TextPairs:
    ids = np.array([row[:2] for row in map(tuple, rows)], np.int64).reshape(-1, 2)
    measures = np.array([row[2:] for row in map(tuple, rows)], np.float64).reshape(-1, 2)
    return TextPairs(ids, measures[:, 0], measures[:, 1])


def compare_pairs(before: TextPairs, now: TextPairs) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which of the pairs ``before`` are gone, which ``now`` are new, and which ``now`` have other measures."""
    ids = np.unique(np.concatenate([before.ids.ravel(), now.ids.ravel()]))
    keys = [np.searchsorted(ids, pairs.ids) @ np.array([len(ids), 1]) for pairs in (before, now)]
    is_gone, is_new = ~np.isin(keys[0], keys[1]), ~np.isin(keys[1], keys[0])
    changed = np.zeros(len(is_new), np.bool_)
    both = np.flatnonzero(~is_new)
    at = np.flatnonzero(~is_gone)  # in the same order
    changed[both] = (now.probabilities[both] != before.probabilities[at]) | (
        now.similarities[both] != before.similarities[at]
    )
    return is_gone, is_new, changed


def write_pairs(connection: Connection, before: TextPairs, now: TextPairs) -> None:
    """Make the table of near pairs hold those of ``now``, given that it holds those ``before``."""
    table = schema.near_pair
    is_gone, is_new, changed = compare_pairs(before, now)
    added = now.where(is_new | changed)
    kept = np.flatnonzero(~is_new)[changed[~is_new]]
    removed = np.concatenate([before.ids[is_gone], now.ids[kept]])
    if len(removed) > _REWRITTEN * len(before.ids):
        connection.execute(delete(table))
        added = now
    elif len(removed):
        one, other = table.c.text_id_1 == bindparam("one"), table.c.text_id_2 == bindparam("other")
        connection.execute(delete(table).where(one, other), [{"one": a, "other": b} for a, b in removed.tolist()])
    insert_rows(connection, table, rows_of(added))


def rows_of(pairs: TextPairs) -> list[tuple[Any, ...]]:
    """Return pairs as rows: both ids, probability, similarity."""
    columns = (*pairs.ids.T.tolist(), pairs.probabilities.tolist(), pairs.similarities.tolist())
    return list(zip(*columns, strict=True))


def write_clusters(
    connection: Connection,
    run_id: int,
    before: dict[int, Weakest],
    weakest: dict[int, Weakest],
    successors: dict[int, int | None],
) -> None:
    """Open the clusters of ``weakest`` that were not there ``before``, close those with ``successors``.

    Successors that close are followed, so that a lookup takes one step.
    """
    table = schema.cluster
    opened = [(id_, run_id, None, None, *least) for id_, least in weakest.items() if id_ not in before]
    insert_rows(connection, table, sorted(opened))
    names = ("weakest_probability", "weakest_text_1", "weakest_text_2")
    changed = [
        {"id": id_, **dict(zip(map("new_{}".format, names), least, strict=True))}
        for id_, least in weakest.items()
        if before.get(id_, least) != least
    ]
    closed = [{"id": id_, "heir": heir, "run": run_id} for id_, heir in successors.items()]
    is_id = table.c.cluster_id == bindparam("id")
    if changed:
        connection.execute(
            update(table).where(is_id).values({name: bindparam(f"new_{name}") for name in names}), changed
        )
    if closed:
        following = table.c.successor == bindparam("id")
        values: dict[str, Any] = {"closed_by_run": bindparam("run"), "successor": bindparam("heir")}
        connection.execute(update(table).where(is_id).values(values), closed)
        rows = connection.execute(select(table.c.successor).where(table.c.successor.is_not(None)).distinct())
        stale = {row[0] for row in rows} & successors.keys()
        if moved := [{"id": id_, "heir": successors[id_]} for id_ in sorted(stale)]:
            connection.execute(update(table).where(following).values(successor=bindparam("heir")), moved)


def write_members(connection: Connection, before: dict[int, Member], now: dict[int, Member]) -> None:
    """Make the table of members hold those of ``now``, given that it holds those ``before``."""
    table = schema.cluster_member
    removed = [id_ for id_, row in before.items() if now.get(id_) != row]
    added = [row for id_, row in now.items() if before.get(id_) != row]
    if len(removed) > _REWRITTEN * len(before):
        connection.execute(delete(table))
        added = list(now.values())
    else:
        for part in chunks(removed):
            connection.execute(delete(table).where(table.c.record_id.in_(part)))
    insert_rows(connection, table, sorted(added))


def insert_run(connection: Connection, values: dict[str, Any]) -> None:
    """Insert a run that has ended."""
    connection.execute(insert(schema.run).values(values))
