"""The table of changes: one row for each row of the input that caused a change of a cluster, and for each pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from indexer.findings.changes import Changes, ClusterChange
from indexer.findings.ledger import Ledger, rows_of
from indexer.jobs.reviewing.judgement_table import Identity, texts_of
from indexer.outputs.table_files import Column
from indexer.store.store import Store

CHANGE_COLUMNS = (
    *map(Column, ("event", "clusters_before", "clusters_after", "reason")),
    *map(Column, ("source_1", "id_1", "row_1", "text_1", "source_2", "id_2", "row_2", "text_2")),
    Column("probability", float),
)


def change_rows(
    store: Store, changes: Changes, ledger: Ledger, sources: Mapping[int, str], prepare: Callable[[str], str]
) -> Iterator[list[Any]]:
    """Yield the rows of the table; ``prepare`` makes a cell of a text.

    A text is named by its first record. One that was deleted is named by the record that it had in a cluster of the
    last report, ``ledger``, if it was in one. A record that was deleted has no text any more.
    """
    causes = {row[:2]: row[2] for change in changes.clusters for row in change.rows}
    given = texts_of(store, {Identity(*row) for row in causes})
    for change in changes.clusters:
        yield from _of_clusters(change, given, prepare)
    names = {row[2]: (sources[row[3]], row[4]) for row in sorted(ledger.members.values(), reverse=True)}
    texts = np.unique(np.concatenate([changes.new.ids, changes.gone.ids]))
    first_records = {text_id: records[0] for text_id, records in store.records_of_texts(texts).items()}
    names |= {text_id: (one.source, one.external_id) for text_id, one in first_records.items()}

    def side(text_id: int) -> list[str]:
        name = names.get(text_id, ("", ""))
        raw = first_records[text_id].raw if text_id in first_records else ""
        return [*map(prepare, name), causes.get(name, ""), prepare(raw)]

    for event, pairs in (("new pair", changes.new), ("gone pair", changes.gone)):
        for one, other, probability in sorted(map(_measured, rows_of(pairs)), key=lambda row: (-row[2], *row[:2])):
            first, second = sorted([side(one), side(other)])
            yield [event, "", "", "", *first, *second, probability]


def _of_clusters(
    change: ClusterChange, given: Mapping[Identity, str], prepare: Callable[[str], str]
) -> Iterator[list[Any]]:
    names = [" ".join(f"c{id_}" for id_ in ids) for ids in (change.event.before, change.event.after)]
    for source, id_, what in change.rows or (("", "", ""),):
        row = (source, id_, what, given.get(Identity(source, id_), ""))
        yield [change.event.kind, *names, change.reason, *map(prepare, row), "", "", "", "", None]


def _measured(row: tuple[Any, ...]) -> tuple[int, int, float]:
    return row[0], row[1], row[2]
