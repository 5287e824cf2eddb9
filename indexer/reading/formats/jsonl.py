"""Read JSON Lines: one JSON object per line; numbers are read as text, exactly as written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from itertools import chain
from typing import Any, NoReturn

from dedup.errors import InputRefused
from indexer.reading import columns
from indexer.reading.cell_warnings import CellWarnings
from indexer.reading.columns import Columns
from indexer.reading.lines import ByteLines, Lines, RecordTooLong
from indexer.reading.rejects import Reject
from indexer.reading.rows import MAX_CELL_CHARACTERS, MAX_COLUMNS, ReadOptions, Row, Table
from indexer.reading.streams import ByteSource

_JQ = "Write one object per line, for example with: jq -c '.[]' FILE"


class _Float(str):
    """A number with a fraction or an exponent, as written."""


class _BadRecord(Exception):
    """One bad line: its error code, message and column."""

    def __init__(self, error: str, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.error, self.message, self.column = error, message, column


def _no_number(name: str) -> NoReturn:
    raise _BadRecord("E_JSON", f"{name} is not valid JSON. Use null or a string.")


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _BadRecord("E_JSON_DUPLICATE_KEY", f"The key {_cut(twice)} occurs twice. Remove one of them.", twice)
    return record


_decode = json.JSONDecoder(
    object_pairs_hook=_distinct_keys, parse_float=_Float, parse_int=str, parse_constant=_no_number
).decode


def looks_like_json(text: ByteLines) -> bool:
    """Whether the first non-blank byte opens an object; raises ``InputRefused`` for an array of objects."""
    start = b"".join(text.head).lstrip()[:200]
    if re.match(rb"\[\s*(\{|$)", start):
        raise InputRefused(f"{text.name} is a single JSON array. {_JQ}", "E_JSON_ARRAY")
    return start.startswith(b"{")


class JsonLinesTable(Table):
    """The records of a JSON Lines file; ``columns`` are the keys of its first 200 lines."""

    def __init__(self, source: ByteSource, text: ByteLines, options: ReadOptions) -> None:
        self._source = source
        self.name, self.size, self.encoding = source.name, source.size, text.encoding
        self._lines = Lines(text)
        self._nested: dict[str, None] = {}
        header, records = self._first()
        self._refuse_nested(header, options)
        sample = [[record.get(key, "") for key in header] for record in records]
        chosen = Columns(self.name, header, options, self._hint, sample)
        self.columns, self.choice = chosen.names, chosen.choice
        self._text_keys = [header[place] for place in chosen.text_at]
        self._id_key = None if chosen.id_at is None else header[chosen.id_at]
        self._names = {header[place]: name for name, place in chosen.others}
        self._used = {*self._text_keys, self._id_key}
        self._cell_warnings = CellWarnings(self.name, self.choice, self.columns, options.fix_mojibake)
        self._cell_warnings.general += [*text.warnings, *chosen.warnings]

    def close(self) -> None:  # noqa: D102
        self._source.close()

    @property
    def bytes_read(self) -> int:  # noqa: D102
        return self._source.bytes_read

    @property
    def warnings(self) -> list[str]:  # noqa: D102
        messages = self._cell_warnings.messages(self.rows_in)
        if self._nested:
            left_out = f"Values of {self.name} that are lists or objects are left out: {self._left_out}."
            messages.append(f"W_COLUMN_NESTED: {left_out}")
        return messages

    @property
    def _left_out(self) -> str:
        return ", ".join(map(_cut, list(self._nested)[:30]))

    def __iter__(self) -> Iterator[Row | Reject]:
        lines = self._lines
        for line in lines:
            if (line.strip() or lines.number in lines.errors) and (item := self._item(line)):
                yield item
            lines.held.clear()

    def _first(self) -> tuple[list[str], list[dict[str, str]]]:
        """Return the keys of the first records in order, and these; raises ``InputRefused`` if no record is valid."""
        records: list[dict[str, str]] = []
        problem = ""
        with suppress(RecordTooLong):  # enough lines were read
            for line in self._lines:
                if line.strip() and self._lines.number not in self._lines.errors:
                    try:
                        record, nested = _record(line)
                        self._leave_out(nested)
                        records.append(record)
                    except _BadRecord as error:
                        problem = problem or error.message
        self._lines.put_back(0)
        keys = dict.fromkeys(chain.from_iterable(records))
        if not keys and self._nested:
            return [], []
        if not keys:
            message = f"{self.name} begins with '{{', but none of its first lines is a valid record."
            raise InputRefused(" ".join(filter(None, (message, problem, _JQ))), "E_JSON")
        return list(keys), records

    def _leave_out(self, nested: Mapping[str, str], used: Set[str | None] = frozenset()) -> None:
        """Note keys with lists and objects, which are left out; raises ``_BadRecord`` if one of them is in use."""
        for key, kind in nested.items():
            if key in used:
                message = f"The value of {_cut(key)} is {kind}. Give each column a single value."
                raise _BadRecord("E_NESTED", message, key)
            if len(self._nested) < MAX_COLUMNS:
                self._nested[key] = None

    def _refuse_nested(self, header: list[str], options: ReadOptions) -> None:
        """Refuse a file whose requested columns, or all, are lists or objects."""
        only = [key for key in self._nested if key not in header]
        bad = [name for name in options.requested() if columns.find(only, name)] or (only if not header else [])
        if bad:
            message = (
                f"Column {_cut(bad[0])} of {self.name} holds lists or objects. Choose a column of single values, or "
            )
            raise InputRefused(message + _flatten(bad[0]), "E_COLUMN_TYPE")

    def _hint(self) -> str:
        if not self._nested:
            return ""
        how = _flatten(next(iter(self._nested)))
        return f" Lists and objects are left out: {self._left_out}. If the text is in one, {how}"

    def _item(self, line: str) -> Row | Reject | None:
        """Count one record and return it as a row or a reject; None if it has several values, all of them blank."""
        lines = self._lines
        self.rows_in += 1
        if problem := lines.errors.get(lines.number):
            return self._reject(line, *problem)
        try:
            record, nested = _record(line, self._id_key)
            self._leave_out(nested, self._used)
            if len(record) > 1 and not nested and not any(map(str.strip, record.values())):
                self.rows_in -= 1
                self._cell_warnings.skip_blank(lines.number)
                return None
            return self._row(line, record)
        except _BadRecord as error:
            return self._reject(line, error.error, error.message, error.column)

    def _row(self, line: str, record: dict[str, str]) -> Row:
        number, external_id = self._lines.number, None
        if self._id_key is not None:
            external_id = self._cell_warnings.check_id(record.get(self._id_key, ""), number)
            if not external_id or external_id.isspace():
                raise _BadRecord("E_ID_EMPTY", "The id is empty.", self.choice.id)
        texts = [record.get(key, "") for key in self._text_keys]
        raw = texts[0] if len(texts) == 1 else " ".join(text for text in texts if text.strip())
        fields: dict[str, str] = {}
        for key, value in record.items():
            if key not in self._used:
                name = self._names.get(key, key)
                while name in fields:
                    name += "_"
                fields[name] = value
        raw = self._cell_warnings.check_text(raw, fields, number)
        return Row(number, self.rows_in, external_id, raw, fields, line, self._lines.offset, self.name)

    def _reject(self, line: str, error: str, message: str, column: str | None = None) -> Reject:
        raw = line.rstrip("\r\n")
        return Reject(self._lines.number, self.rows_in, error, column, message, raw, self._lines.offset, self.name)


def _record(line: str, id_key: str | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the keys of one line with plain values, as strings, and those of lists and objects with what they are.

    Raises ``_BadRecord``, also for a fraction as the id.
    """
    try:
        record = _decode(line)
    except json.JSONDecodeError as error:
        raise _BadRecord("E_JSON", f"The line is not valid JSON: {error.msg} at character {error.colno}.") from None
    except RecursionError:
        raise _BadRecord("E_NESTED", "The line is nested too deeply. Give each column a single value.") from None
    if not isinstance(record, dict):
        raise _BadRecord("E_JSON", 'The line is not a JSON object such as {"id": 1, "name": "Acme"}.')
    if len(record) > MAX_COLUMNS:
        raise _BadRecord("E_EXTRA_CELL", f"The record has {len(record)} keys; the maximum is {MAX_COLUMNS}.")
    nested = _without_nested(record)
    for key, value in record.items():
        if type(value) is not str:
            record[key] = text = _as_text(value)
            if key == id_key and text:
                raise _BadRecord("E_ID_TYPE", f"The id is {text[:100]}. Use a string or a whole number.", key)
    if len(line) > MAX_CELL_CHARACTERS and max(map(len, record.values()), default=0) > MAX_CELL_CHARACTERS:
        raise _BadRecord("E_FIELD_TOO_LONG", f"A value is longer than {MAX_CELL_CHARACTERS:,} characters.")
    if "\\u" in line:
        _refuse_unusable("".join([*record, *record.values()]))
    return record, nested


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _without_nested(record: dict[str, Any]) -> dict[str, str]:
    """Remove lists and objects from a record; return their keys and what they are."""
    kinds: dict[type, str] = {dict: "an object", list: "a list"}
    nested = {key: kinds[type(value)] for key, value in record.items() if type(value) in kinds}
    for key in nested:
        del record[key]
    return nested


def _refuse_unusable(text: str) -> None:
    if "\0" in text:
        raise _BadRecord("E_NUL", "The line contains a NUL character (\\u0000), which a database cannot store.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _BadRecord("E_ENCODING_ROW", "The line contains half of a surrogate pair (\\ud800 to \\udfff).") from None


def _flatten(key: str) -> str:
    """Say how to make columns of an object."""
    name = json.dumps(key, ensure_ascii=False)
    return f"flatten the file first, for example with: jq -c '. + .{name} | del(.{name})' FILE"


def _cut(value: str) -> str:
    return repr(value if len(value) <= 100 else f"{value[:100]}…")
