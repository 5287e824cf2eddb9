"""The records of the texts in a pair or a cluster, held in memory, each as one string."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from dedup.runtime.progress import Progress
from indexer.jobs.duplicates import Duplicates
from indexer.jobs.loading import lost_record
from indexer.jobs.reporting.cluster_facts import ClusterFacts, Keep
from indexer.store.integrity.values import damaged
from indexer.store.store import Ids, Record, Store

OWN = 3
"""A held record begins with its source, id and text."""
_GLUE = "\0"
"""Between the cells of a held record; no cell has one (``E_NUL``)."""
_AT_ONCE = 5_000
_MANY = 0.3
"""Share of the texts from which on reading all records is faster than finding those of some texts."""


@dataclass(frozen=True, slots=True)
class TextRecords:
    """The records of n texts; or items, where judgements take texts apart.

    Attributes:
        counts: Number of records of each text (n,).
        ids: Ids of all records (r,), text by text.
        held: Records by position of the text, for texts in a pair or a cluster: cells joined by ``_GLUE``.
        columns: Other columns of the input.
        prepare: Makes a cell of a text; held cells are prepared.
        facts: What is said of each record of a cluster.

    """

    counts: NDArray[np.int64]
    ids: NDArray[np.int64]
    held: dict[int, list[str]]
    columns: list[str]
    prepare: Callable[[str], str]
    facts: ClusterFacts

    def cells(self, held: str) -> list[str]:
        """Return the cells of a held record: source, id, text and the value of each of ``columns``."""
        return held.split(_GLUE)

    def chosen(self, places: NDArray[np.int64]) -> tuple[set[int], set[int]]:
        """Return the ids of the representatives, and of the records to keep, of the texts at these ``places``."""
        starts = np.cumsum(self.counts) - self.counts
        found = set[int](), set[int]()
        for place in places.tolist():
            for ids, number in zip(found, self.facts.chosen(place), strict=True):
                if number is not None:
                    ids.add(int(self.ids[starts[place] + number]))
        return found


def source_of_held(held: str) -> str:
    """Return the source of a held record."""
    return held[: held.index(_GLUE)]


def read_records(
    store: Store,
    duplicates: Duplicates,
    columns: Sequence[str],
    prepare: Callable[[str], str],
    keep: Keep,
    progress: Progress,
) -> TextRecords:
    """Count all records, and hold those of texts in a pair or a cluster; ``prepare`` makes a cell of a text.

    Raises ``CorruptStore``: a text has no record, or a record no text.
    """
    ids, counts = _counted(store, duplicates)
    labels, text_ids = duplicates.near.clusters.labels, duplicates.text_ids
    is_held = (np.bincount(labels, minlength=len(labels)) > 1)[labels] | (counts > 1)
    is_held[duplicates.near.pairs] = True
    held: dict[int, list[str]] = {}
    facts = ClusterFacts(duplicates.near, keep)
    wanted = np.unique(duplicates.item_ids[is_held])
    for done, (text_id, records) in enumerate(_records_of(store, text_ids, wanted)):
        for item, part in duplicates.parts_of(int(np.searchsorted(text_ids, text_id)), records):
            if is_held[item]:
                held[item] = [_held(record, columns, prepare) for record in part]
                facts.see(item, part)
        if not done % _AT_ONCE:
            progress("read records", done, len(wanted))
    facts.choose(counts, ids[np.cumsum(counts) - counts])
    progress("read records", len(wanted), len(wanted))
    return TextRecords(counts, ids, held, list(columns), prepare, facts)


def _counted(store: Store, duplicates: Duplicates) -> tuple[Ids, NDArray[np.int64]]:
    """Return the ids of all records (r,), text by text, and their number for each text or item (n,)."""
    text_ids = duplicates.text_ids
    of_record, ids = store.places_of_records()
    places = np.minimum(np.searchsorted(text_ids, of_record), len(text_ids) - 1)
    if len(lost := np.flatnonzero(text_ids[places] != of_record)):
        raise lost_record(int(ids[lost[0]]), int(of_record[lost[0]]))
    items = duplicates.items_of(places, ids)
    counts = np.bincount(items, minlength=len(duplicates.item_ids))
    if len(bare := np.flatnonzero(counts == 0)):
        raise damaged(f"Text {duplicates.item_ids[int(bare[0])]} has no record.")
    return ids[np.argsort(items, kind="stable")], counts


def _records_of(store: Store, text_ids: Ids, wanted: Ids) -> Iterator[tuple[int, list[Record]]]:
    """Yield the records of the texts ``wanted``; all are read in one go if these are many."""
    if len(wanted) > _MANY * len(text_ids):
        those = set(wanted.tolist())
        for text_id, group in groupby(store.iter_records(), attrgetter("text_id")):
            if text_id in those:
                yield text_id, list(group)
        return
    for start in range(0, len(wanted), _AT_ONCE):
        yield from store.records_of_texts(wanted[start : start + _AT_ONCE]).items()


def _held(record: Record, columns: Iterable[str], prepare: Callable[[str], str]) -> str:
    others = [record.fields.get(column, "") for column in columns]
    return _GLUE.join(map(prepare, (record.source, record.external_id, record.raw, *others)))
