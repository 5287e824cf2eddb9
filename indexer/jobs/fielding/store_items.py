"""The items of a store: what fields and judgements make of its texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dedup.runtime.string_arrays import Strings
from indexer.findings.baseline import FieldBaseline
from indexer.jobs.fielding.field_evidence import FieldEvidence
from indexer.jobs.fielding.field_records import FieldRecords, read_fields
from indexer.jobs.fielding.slots import Slot, kinds_of, slots_of_store
from indexer.jobs.reviewing.judged_items import Ints, JudgedItems, judged_items
from indexer.jobs.reviewing.judgement_table import Judgement
from indexer.store.store import Ids, Store


def items_of_store(
    store: Store,
    judgements: Sequence[Judgement],
    text_ids: Ids,
    normals: Sequence[str] | Strings | Callable[[], Strings],
    slots: Sequence[Slot] | None = None,
    pinned: FieldBaseline | None = None,
    *,
    merges_branches: bool = False,
) -> tuple[JudgedItems | None, FieldEvidence | None]:
    """Return what texts (n,), ascending, are taken apart into, and what fields say of these; None where it is nothing.

    ``slots`` are the fields, by default those of the store. ``pinned`` are their weights; without them, they are learnt
    when pairs are compared.
    """
    slots = slots_of_store(store) if slots is None else slots
    if not slots:
        return judged_items(store, judgements, text_ids), None
    model, frequencies = (None, None) if pinned is None else (pinned.model, pinned.frequencies)
    found = read_fields(store, slots, text_ids, normals if callable(normals) else lambda: normals, frequencies)
    items = judged_items(store, judgements, text_ids, found)
    assert items is not None
    rows = rows_of_items(found, items)
    sizes = np.bincount(items_of_records(found, items), minlength=items.n)
    return items, FieldEvidence(found.table, rows, items.text_of, model, None, merges_branches, sizes)


def rows_of_items(records: FieldRecords, items: JudgedItems) -> Ints:
    """Return a record of each item, as a row: of parts that people took apart, one of the part."""
    rows = np.zeros(items.n, np.int64)
    rows[: len(records.row_of)] = records.row_of
    further = {item: record_id for record_id, item in items.part_of.items() if item >= len(records.row_of)}
    if further:
        rows[np.fromiter(further, np.int64, len(further))] = _rows_of(records, list(further.values()))
    return rows


def items_of_records(records: FieldRecords, items: JudgedItems) -> Ints:
    """Return the item of each record (r,)."""
    found = records.places.copy()
    if items.part_of:
        found[_rows_of(records, list(items.part_of))] = list(items.part_of.values())
    return found


def _rows_of(records: FieldRecords, record_ids: Sequence[int]) -> Ints:
    order = np.argsort(records.record_ids)
    found: Ints = order[np.searchsorted(records.record_ids[order], np.array(record_ids, np.int64))]
    return found


def pinned_fields(evidence: FieldEvidence | None, slots: Sequence[Slot]) -> FieldBaseline | None:
    """Return the weights that were learnt, and how often values occur, for later reports; None without fields."""
    if evidence is None or evidence.model is None:
        return None
    return FieldBaseline(kinds_of(slots), evidence.model, evidence.table.frequencies())
