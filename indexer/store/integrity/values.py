"""The kinds of values that columns hold, checked for many values at once.

SQLite stores any type in any column, whatever was declared. So ``indexer.store.schema`` names the kind of each column,
and ``indexer.store.integrity.fetch`` checks every row that is read. One check covers a column of a page: it costs a
few nanoseconds a value, and only a page that fails is searched for the row at fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, Table

from dedup.errors import CorruptStore
from dedup.text.corpus import Corpus

REMEDY = (
    "Run `dedup verify` to see what else is damaged, then restore the database from a backup, or index all inputs "
    "again into a new workspace."
)

LARGEST_ID = 2**62
LARGEST_KEY = 2**30
LARGEST_COUNT = 2**53
LARGEST_DIMENSION = 2**16
"""Far above what any store holds, and so far below what a database holds that the next one fits too."""

_SHOWN = 60
"""Characters of a value at fault that a message shows."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the values of a column are.

    Attributes:
        words: The kind in words, for messages.
        holds: Whether all of some values are of this kind.

    """

    words: str
    holds: Callable[[Sequence[Any]], bool]


def whole(least: int, most: int) -> Kind:
    """Return the kind of whole numbers from ``least`` to ``most``."""

    def holds(values: Sequence[Any]) -> bool:
        return set(map(type, values)) == {int} and least <= min(values) and max(values) <= most

    return Kind(f"a whole number from {least:,} to {most:,}", holds)


def real(least: float, most: float) -> Kind:
    """Return the kind of floating-point numbers from ``least`` to ``most``."""

    def holds(values: Sequence[Any]) -> bool:
        return set(map(type, values)) == {float} and all(least <= value <= most for value in values)

    return Kind(f"a number from {least:,} to {most:,}", holds)


def text_of(longest: int | None = None, *, shortest: int = 0) -> Kind:
    """Return the kind of texts with ``shortest`` to ``longest`` characters, without NUL."""
    most = "" if longest is None else f"at most {longest:,} characters"
    size = " and ".join(filter(None, (f"at least {shortest}" if shortest else "", most)))

    def holds(values: Sequence[Any]) -> bool:
        if set(map(type, values)) != {str}:
            return False
        joined = "".join(values)
        fits = longest is None or len(joined) <= longest or max(map(len, values)) <= longest
        return (
            fits and "\0" not in joined and _is_unicode(joined) and (not shortest or min(map(len, values)) >= shortest)
        )

    return Kind(f"text{' of ' + size if size else ''} without NUL, in UTF-8", holds)


def blob(size: int | None = None) -> Kind:
    """Return the kind of byte strings of this size, or of any size above 0."""

    def holds(values: Sequence[Any]) -> bool:
        sizes = set(map(len, values)) if set(map(type, values)) == {bytes} else {0}
        return 0 not in sizes if size is None else sizes == {size}

    return Kind("bytes" if size is None else f"{size} bytes", holds)


def one_of(choices: Collection[str]) -> Kind:
    """Return the kind of a few words."""
    return Kind(f"one of {', '.join(sorted(choices))}", lambda values: set(values) <= set(choices))


def matching(pattern: str, words: str) -> Kind:
    """Return the kind of texts that match a regular expression."""
    compiled = re.compile(pattern, re.ASCII)
    return each(words, lambda value: compiled.fullmatch(value) is not None)


def each(words: str, is_sound: Callable[[str], bool]) -> Kind:
    """Return the kind of texts of which each passes a test, which may raise ``ValueError``; for small tables."""

    def passes(value: object) -> bool:
        try:
            return isinstance(value, str) and _is_unicode(value) and is_sound(value)
        except ValueError:
            return False

    return Kind(words, lambda values: all(map(passes, values)))


def json_object(value: str) -> dict[str, Any]:
    """Return the JSON object that a text holds.

    Raises:
        ValueError: it holds none.

    """
    try:
        found = json.loads(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError(f"{type(found).__name__} is no JSON object")
    return found


def strings_of(value: str) -> dict[str, str]:
    """Return the JSON object of strings that a text holds.

    Raises:
        ValueError: it holds none, or a string is not Unicode.

    """
    found = json_object(value)
    if found and set(map(type, found.values())) != {str}:
        raise ValueError("not only strings")
    if "\\u" in value and not all(map(_is_unicode, (*found, *found.values()))):
        raise ValueError("half of a surrogate pair")
    return found


def is_whole(value: object, least: int = 0, most: int = LARGEST_COUNT) -> bool:
    """Return whether a value of a JSON object is a whole number in a range."""
    return type(value) is int and least <= value <= most


def is_between(value: object, least: float, most: float) -> bool:
    """Return whether a value of a JSON object is a number in a range."""
    return type(value) in (int, float) and least <= value <= most  # type: ignore[operator]


def _is_manifest(value: str) -> bool:
    manifest = json_object(value)
    rows, error = manifest.get("rows", {}), manifest.get("error", "")
    is_sound = isinstance(rows, dict) and all(map(is_whole, rows.values())) and isinstance(error, str)
    return is_sound and "\0" not in value


def _is_corpus(value: str) -> bool:
    try:
        Corpus.from_json(json_object(value))
    except (KeyError, TypeError):
        return False
    return True


def _is_event(value: str) -> bool:
    found = json_object(value)
    moves = found.get("moves")
    return (
        all(_are_ids(found.get(name)) for name in ("before", "after"))
        and isinstance(moves, list)
        and all(isinstance(move, list) and len(move) == 3 and _are_ids([move[0]]) for move in moves)
        and all(place is None or _are_ids([place]) for move in moves for place in move[1:])
        and "\0" not in value
    )


def _are_ids(values: object) -> bool:
    return isinstance(values, list) and all(is_whole(value, 1, LARGEST_ID) for value in values)


def _is_parameters(value: str) -> bool:
    found = json_object(value)
    cells, recall = found.get("cells"), found.get("recall")
    if not (is_whole(cells) and is_whole(found.get("dimension"), 1, LARGEST_DIMENSION)):
        return False
    if cells == 0:
        return recall is None
    return (
        is_whole(found.get("cells_per_text"), 1)
        and is_whole(found.get("cells_asked", 0))
        and isinstance(recall, dict)
        and is_between(recall.get("least_similarity"), -1, 1)
        and all(is_between(recall.get(name), 0, 1) for name in ("of_all", "of_queries"))
    )


ID = whole(1, LARGEST_ID)
KEY = whole(1, LARGEST_KEY)
COUNT = whole(0, LARGEST_COUNT)
NUMBER = whole(1, LARGEST_COUNT)
DIGEST = whole(-(2**63), 2**63 - 1)
NAME = text_of(shortest=1)
TEXT = text_of()
SHA256 = matching("[0-9a-f]{64}", "64 hexadecimal digits")
HEX_128 = matching("[0-9a-f]{32}", "32 hexadecimal digits")
TIME = each("a time in ISO 8601", lambda value: datetime.fromisoformat(value).tzinfo is not None)
PARAMETERS = each("a JSON object with the parameters of a snapshot", _is_parameters)
EVENT = each("a JSON object that says which records moved between which clusters", _is_event)
CORPUS_WORDS = each("a JSON object with the word counts of the texts", _is_corpus)
MANIFEST = each("a JSON object with the accounts of a run", _is_manifest)


def _is_unicode(value: str) -> bool:
    """Return whether a text has no halves of surrogate pairs, which stand for bytes that are not UTF-8."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def damaged(fault: str) -> CorruptStore:
    """Return the error for a fault in the database, with the remedy."""
    return CorruptStore(f"The database is damaged. {fault} {REMEDY}")


def fault_of(table: str, row: object, column: str, value: object, words: str) -> str:
    """Describe a value of a row that is not what ``words`` say."""
    shown = repr(value[: _SHOWN + 1] if isinstance(value, str | bytes) else value)
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]}…"
    return f"In row {row} of table {table}, {column} is {shown}, but must be {words}."


def check_rows(columns: Iterable[Any], rows: Sequence[Sequence[Any]]) -> None:
    """Raise ``CorruptStore`` for the first value among ``rows`` that is not of the kind of its column.

    Only columns of tables are checked, not expressions.
    """
    for fault in faults_of(columns, rows):
        raise damaged(fault)


def faults_of(columns: Iterable[Any], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Yield a description of each value among ``rows`` that is not of the kind of its column."""
    if not rows:
        return
    listed = list(columns)
    for at, column in enumerate(listed):
        kind: Kind | None = column.info.get("kind") if isinstance(column, Column) else None
        if kind is None:
            continue
        values = list(map(itemgetter(at), rows))
        present = [value for value in values if value is not None] if column.nullable else values
        if not present or kind.holds(present):
            continue
        for row, value in zip(rows, values, strict=True):
            if not (kind.holds([value]) or (value is None and column.nullable)):
                key = _key_of(column.table, listed, row)
                yield fault_of(column.table.name, key, column.name, value, kind.words)


def _key_of(table: Any, columns: list[Any], row: Sequence[Any]) -> str:  # noqa: ANN401 - a table or an alias
    """Return the primary key of a row in words, as far as it was read."""
    if not isinstance(table, Table):
        return "?"
    key: Mapping[str, Any] = {
        column.name: value
        for column, value in zip(columns, row, strict=True)
        if isinstance(column, Column) and column.table is table and column.primary_key
    }
    return ", ".join(f"{name}={value!r}"[:_SHOWN] for name, value in key.items()) or "?"
