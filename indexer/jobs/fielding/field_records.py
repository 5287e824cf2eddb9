"""The records of texts with their fields, and the items that they make.

A text may have records in several towns. So with fields the records of one text are one *item* only if all their fields
agree, once in normal form; a text whose records differ is several items.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.fields.field_table import FieldTable, Frequencies
from dedup.evidence.fields.normal_forms import Coded, Field
from dedup.runtime.string_arrays import Strings, strings
from indexer.jobs.fielding.slots import Slot
from indexer.store.integrity.values import damaged
from indexer.store.store import Ids, Store

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FieldRecords:
    """The fields of the r records of n texts, text by text.

    Attributes:
        record_ids: Their ids (r,).
        places: The position of each record's text (r,), ascending.
        table: The fields as evidence.
        n_texts: The number of texts.

    """

    record_ids: Ids
    places: Ints
    table: FieldTable
    n_texts: int

    @cached_property
    def item_of(self) -> Ints:
        """The item of each record (r,): of the records of a text, the first one's is the text's own position.

        Further items follow after all texts, in the order of their first records.
        """
        items = self.places.copy()
        several = np.flatnonzero(np.bincount(self.places, minlength=self.n_texts)[self.places] > 1)
        if not len(several):
            return items
        keys = np.column_stack([self.places, *(column.codes for column in self.table.columns)])[several]
        _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        first_rows, group = several[first], group.reshape(-1)
        starts = np.searchsorted(self.places, self.places[first_rows])
        is_further = first_rows != starts
        order = np.argsort(first_rows[is_further], kind="stable")
        of_group = self.places[first_rows]
        numbers = np.empty(len(order), np.int64)
        numbers[order] = self.n_texts + np.arange(len(order))
        of_group[is_further] = numbers
        items[several] = of_group[group]
        return items

    @cached_property
    def row_of(self) -> Ints:
        """The first record of each item, as a row."""
        _, rows = np.unique(self.item_of, return_index=True)
        return rows.astype(np.int64)

    @property
    def text_of(self) -> Ints:
        """The position of each item's text."""
        return self.places[self.row_of]

    def part_of(self) -> dict[int, int]:
        """Return the item of each record that is not in the first item of its text, by its id."""
        further = np.flatnonzero(self.item_of >= self.n_texts)
        return dict(zip(self.record_ids[further].tolist(), self.item_of[further].tolist(), strict=True))


def fields_in_memory(
    normals: Sequence[str], sizes: Sequence[int], fields: Mapping[str, Field], frequencies: Frequencies | None = None
) -> FieldRecords:
    """Return records that are given: n texts with their numbers of records, and fields of these, text by text.

    Their ids are their positions. ``frequencies`` are those of a corpus; None: these records are the corpus.
    """
    places = np.repeat(np.arange(len(normals)), sizes)
    table = FieldTable.of(Coded(strings(normals), places.astype(np.int32)), fields, frequencies, are_normal=True)
    return FieldRecords(np.arange(len(places)), places, table, len(normals))


def read_fields(
    store: Store,
    slots: Sequence[Slot],
    text_ids: Ids,
    normals: Callable[[], Sequence[str] | Strings],
    frequencies: Frequencies | None = None,
) -> FieldRecords:
    """Read the fields of all records of a store whose texts are ``text_ids`` (n,), ascending.

    ``frequencies`` are those of an earlier time; None: they are counted now. Records of texts that were added since
    are left out.

    Raises:
        CorruptStore: a text has no record.
    """
    of_records, ids = array("q"), array("q")
    values = [_Values() for _ in slots]
    for record in store.iter_records():
        of_records.append(record.text_id)
        ids.append(record.record_id)
        for slot, column in zip(slots, values, strict=True):
            column.add(record.fields.get(slot.columns.get(record.source, ""), ""))
    of_record = np.array(of_records, np.int64)
    places = np.searchsorted(text_ids, of_record)
    there = text_ids[np.minimum(places, len(text_ids) - 1)] == of_record
    if len(bare := np.setdiff1d(np.arange(len(text_ids)), places[there])):
        raise damaged(f"Text {text_ids[int(bare[0])]} has no record.")
    coded = [values.pop(0).coded(there) for _ in slots]
    fields = {slot.label: Field(slot.kind, column) for slot, column in zip(slots, coded, strict=True)}
    names = Coded(strings(normals()), places[there].astype(np.int32))
    table = FieldTable.of(names, fields, frequencies, are_normal=True).without_shared()
    return FieldRecords(np.array(ids, np.int64)[there], places[there], table, len(text_ids))


class _Values:
    """The values of a column as they are read: each distinct one once, since a million records fit in memory so."""

    def __init__(self) -> None:
        self._codes = array("i")
        self._seen: dict[str, int] = {}

    def add(self, value: str) -> None:
        self._codes.append(self._seen.setdefault(value, len(self._seen)))

    def coded(self, there: NDArray[np.bool_]) -> Coded:
        """Return the values of those records that are ``there``."""
        return Coded(strings(list(self._seen)), np.array(self._codes, np.int32)[there])
