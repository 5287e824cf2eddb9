"""Which columns of which sources are one field.

Columns of the same name and kind are one. So are columns of different names if their kind is the same and each is the
first of its source that is left over: the ``city`` of one source and the ``town`` of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from dedup.errors import UsageError
from dedup.evidence.fields.agreement import PLACE
from dedup.evidence.fields.field_kinds import FieldKind
from indexer.reading.rows import FieldKinds
from indexer.store.integrity import settings
from indexer.store.integrity.values import damaged
from indexer.store.schema import source, store_meta
from indexer.store.store import Store


@dataclass(frozen=True, slots=True)
class Slot:
    """A field: its label, its kind, and the column that holds it in each source that has it."""

    label: str
    kind: FieldKind
    columns: dict[str, str] = field(default_factory=dict)


def slots_of(fields_of: Mapping[str, FieldKinds]) -> tuple[Slot, ...]:
    """Return the fields of sources, given the columns of each that serve as evidence."""
    slots: list[Slot] = []
    for name, columns in fields_of.items():
        waiting = []
        for column, kind in columns:
            known = next((one for one in slots if _key(one) == (column.casefold(), kind) and _lacks(one, name)), None)
            if known is None:
                waiting.append((column, FieldKind(kind)))
            else:
                known.columns[name] = column
        for column, kind in waiting:
            known = next((one for one in slots if one.kind == kind and _lacks(one, name)), None)
            if known is None:
                known = Slot(_new_label(column, slots), kind)
                slots.append(known)
            known.columns[name] = column
    return tuple(slots)


def _key(slot: Slot) -> tuple[str, str]:
    return slot.label.casefold(), slot.kind


def _lacks(slot: Slot, name: str) -> bool:
    return name not in slot.columns


def _new_label(column: str, slots: list[Slot]) -> str:
    """Return the name of a column, numbered if another field has it, or the place as a whole."""
    taken, label, number = {PLACE, *(one.label.casefold() for one in slots)}, column, 2
    while label.casefold() in taken:
        label, number = f"{column} {number}", number + 1
    return label


def kinds_of(slots: Sequence[Slot]) -> FieldKinds:
    """Return the labels of fields with their kinds."""
    return tuple((slot.label, str(slot.kind)) for slot in slots)


def slots_of_store(store: Store) -> tuple[Slot, ...]:
    """Return the fields of the sources of a store that have records, in the order of the sources.

    Raises what ``fields_of_store`` raises.
    """
    return slots_of(fields_of_store(store))


def fields_of_store(store: Store) -> dict[str, FieldKinds]:
    """Return the columns of each source of a store with records that serve as evidence, in the order of the sources.

    Raises:
        CorruptStore: the columns of a source are damaged.
    """
    keys = {
        f"{settings.COLUMNS}{key}": (key, name) for key, name in store.read(select(source.c.source_id, source.c.name))
    }
    records = store.counts().sources
    found = {}
    for key, value in store.find(store_meta.c["key", "value"], store_meta.c.key, keys):
        number, name = keys[key]
        try:
            fields = settings.columns_of(value).fields
        except ValueError as error:
            raise damaged(f"Table store_meta does not hold the columns of source {name!r}: {error}.") from error
        if fields and records.get(name):
            found[number] = (name, fields)
    return {name: fields for _, (name, fields) in sorted(found.items())}


def columns_with_fields(slots: Sequence[Slot], columns: Sequence[str]) -> FieldKinds:
    """Return those columns of a table that have the name of a field, with its kind: one for each field."""
    kinds = {slot.label: str(slot.kind) for slot in slots}
    return tuple((column, kinds[label]) for label, column in columns_by_label(slots, columns).items())


def columns_by_label(slots: Sequence[Slot], columns: Sequence[str]) -> dict[str, str]:
    """Return, by the label of each field, the first of the columns that has its name."""
    found: dict[str, str] = {}
    for column in columns:
        if (slot := slot_named(slots, column)) is not None:
            found.setdefault(slot.label, column)
    return found


def slot_named(slots: Sequence[Slot], name: str) -> Slot | None:
    """Return the field with a label, or a column, of this name; None if there is none. Case matters only to choose."""
    names = {slot.label: {slot.label, *slot.columns.values()} for slot in slots}
    key = name.casefold()
    alike = [slot for slot in slots if key in map(str.casefold, names[slot.label])]
    return next((slot for slot in alike if name in names[slot.label]), alike[0] if alike else None)


def values_by_slot(slots: tuple[Slot, ...], given: Mapping[str, str]) -> dict[str, str]:
    """Return given values by the label of their field, which may be named by the column of any source.

    Raises:
        UsageError: there is no such field, or two values are for one.
    """
    found: dict[str, str] = {}
    for name, value in given.items():
        slot = slot_named(slots, name)
        if slot is None:
            known = f"it has {', '.join(one.label for one in slots)}" if slots else "it has none"
            raise UsageError(
                f"The index has no field {name!r}: {known}. Fields are named when an input is indexed, as with --field."
            )
        if slot.label in found:
            raise UsageError(f"Two values are given for the field {slot.label!r}; give one.")
        found[slot.label] = value
    return found
