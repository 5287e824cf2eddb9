"""The settings of a store, one row each in ``store_meta``.

store_uuid            made with the store, never changed
normaliser_version    the rules of the normal forms
next_text_id          the next id that was never used; the same for records
writer                epoch and number of the last writing transaction (``indexer.store.transactions``)
model                 the model of the vectors, unless it ships with neardup (``indexer.models.stored``)
corpus                what the texts say about names (``indexer.store.corpus_words``); a cache
columns:SOURCE_ID     the text and id columns and the fields of a source (``indexer.ingest.safeguards``)
kind:SOURCE_ID        the kind of texts of a source: company, person or text (``indexer.ingest.text_kinds``)
id_type:SOURCE_ID     the type of the ids of a source that was filled from Python (``indexer.ingest.id_types``)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, select

from dedup.evidence.fields.field_kinds import FieldKind
from dedup.text.corpus import Corpus
from indexer.store.integrity.fetch import fetch
from indexer.store.integrity.values import (
    LARGEST_ID,
    Kind,
    damaged,
    each,
    fault_of,
    is_whole,
    json_object,
    matching,
)
from indexer.store.schema import store_meta

WRITER = "writer"
NORMALISER = "normaliser_version"
CORPUS = "corpus"
MODEL = "model"
COLUMNS = "columns:"
ID_TYPE = "id_type:"
KIND = "kind:"

ID_TYPES = ("str", "int", "float", "bool", "UUID", "Decimal", "date", "datetime")
"""Types of ids that a source can remember."""

TEXT_KINDS = ("company", "person", "text")
"""Kinds of texts (``dedup.evidence.kinds``); the first is that of a source without this setting."""


def corpus_of(value: str) -> tuple[int, Corpus]:
    """Return the number of texts that the setting ``corpus`` counted, and what they say.

    Raises:
        ValueError: the setting is damaged.

    """
    found = json_object(value)
    try:
        if not is_whole(found["texts"]):
            raise ValueError("no number of texts")
        return found["texts"], Corpus.from_json(found["corpus"])
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Remembered:
    """The model of a store: its name, for messages, and the hashes of its encoder and of all of its files."""

    name: str
    model_id: str
    fingerprint: str


def remembered_of(value: str) -> Remembered:
    """Return what the setting ``model`` says.

    Raises:
        ValueError: the setting is damaged.

    """
    found = json_object(value)
    parts = [found.get(name) for name in ("name", "model_id", "fingerprint")]
    if len(found) != len(parts) or not all(isinstance(part, str) and part for part in parts):
        raise ValueError("not a name and two hashes")
    return Remembered(*map(str, parts))


class SourceColumns(NamedTuple):
    """The text columns of a source, its id column if it has one, and its fields with their kinds."""

    text: list[str]
    id: str | None
    fields: tuple[tuple[str, str], ...] = ()


def columns_of(value: str) -> SourceColumns:
    """Return the columns that the setting ``columns:`` of a source names.

    Raises:
        ValueError: the setting is damaged.

    """
    found = json_object(value)
    text, id_column = found.get("text"), found.get("id")
    if not isinstance(text, list) or not all(isinstance(name, str) for name in text):
        raise ValueError("no text columns")
    if id_column is not None and not isinstance(id_column, str):
        raise ValueError("no id column")
    fields = found.get("fields", {})
    if not isinstance(fields, dict) or not all(kind in tuple(FieldKind) for kind in fields.values()):
        raise ValueError("no fields")
    return SourceColumns(text, id_column, tuple(fields.items()))


def _are_columns(value: str) -> bool:
    columns_of(value)
    return True


def _is_model(value: str) -> bool:
    remembered_of(value)
    return True


def _is_corpus(value: str) -> bool:
    corpus_of(value)
    return True


_NEXT_ID = each("the next free id", lambda value: value.isdecimal() and is_whole(int(value), 1, LARGEST_ID))
_REQUIRED = {
    "store_uuid": each("a UUID", lambda value: str(UUID(value)) == value),
    NORMALISER: matching("[0-9]{1,9}", "the version of the rules of normal forms"),
    "next_text_id": _NEXT_ID,
    "next_record_id": _NEXT_ID,
    WRITER: matching("[0-9]{1,18}:[0-9]{1,18}", "the epoch and number of the last transaction"),
}
_CORPUS = each("the word counts of the texts", _is_corpus)
_MODEL = each("the name and hashes of a model", _is_model)
_COLUMNS = each("the columns of a source", _are_columns)
_KIND = each(f"one of {', '.join(TEXT_KINDS)}", TEXT_KINDS.__contains__)
_ID_TYPE = each(f"one of {', '.join(ID_TYPES)}", ID_TYPES.__contains__)


def next_id_key(kind: str) -> str:
    """Return the key of the next free id of a ``text`` or ``record``."""
    return f"next_{kind}_id"


def required(connection: Connection, key: str, *, is_locked: bool = False) -> str:
    """Return the value of a setting that every store has; ``is_locked`` waits for a transaction that changes it.

    Raises:
        CorruptStore: it is missing or damaged.

    """
    column = store_meta.c
    statement = select(column.value).where(column.key == key)
    rows = fetch(connection, statement.with_for_update() if is_locked else statement, is_checked=False)
    for fault in _faults(key, _REQUIRED[key], [value for (value,) in rows]):
        raise damaged(fault)
    return str(rows[0][0])


def faults_of_settings(rows: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    """Describe what is wrong with all settings of a store."""
    found = dict(rows)
    for key, kind in _REQUIRED.items():
        yield from _faults(key, kind, [found.pop(key)] if key in found else [])
    for key, value in found.items():
        if key == CORPUS:
            yield from _faults(key, _CORPUS, [value])
        elif key == MODEL:
            yield from _faults(key, _MODEL, [value])
        elif isinstance(key, str) and key.startswith(ID_TYPE):
            yield from _faults(key, _ID_TYPE, [value])
        elif isinstance(key, str) and key.startswith(KIND):
            yield from _faults(key, _KIND, [value])
        elif isinstance(key, str) and key.startswith(COLUMNS):
            yield from _faults(key, _COLUMNS, [value])
        else:
            yield f"Table store_meta has a row {key!r}, which is no setting of neardup."


def _faults(key: str, kind: Kind, values: list[Any]) -> Iterator[str]:
    if len(values) != 1:
        yield f"Table store_meta has {'no row' if not values else f'{len(values)} rows'} {key!r}."
    elif not kind.holds(values):
        yield fault_of("store_meta", repr(key), "value", values[0], kind.words)
