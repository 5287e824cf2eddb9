"""Rows that are given as Python objects: lists, dicts, and data frames of any library.

Data frames of pandas, Polars, DuckDB and Arrow are read by their own methods, so that values keep their types; those of
other libraries through the Arrow PyCapsule interface (``__arrow_c_stream__``), for which pyarrow must be installed. No
library of data frames is a dependency.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from dedup.errors import UsageError
from indexer.reading.cell_table import CellTable, Unusable
from indexer.reading.rejects import Reject
from indexer.reading.rows import ReadOptions, Row

Column = list[Any]
Cell = TypeVar("Cell")

TEXT = "text"
"""Name of the only column of a list of texts; a column of a data frame keeps its own."""


@dataclass(frozen=True, slots=True)
class PythonRows:
    """Columns (n values each) of n rows, the values as they were given, and the name of each column."""

    names: list[str]
    columns: list[Column]

    def __len__(self) -> int:
        return max(map(len, self.columns), default=0)

    def records(self, written: Callable[[object], Cell]) -> Iterator[list[Cell]]:
        """Yield the rows, each value as ``written`` writes it."""
        return ([written(value) for value in values] for values in zip(*self.columns, strict=True))


def rows_of(data: object) -> PythonRows:
    """Return the columns of a list of texts or of dicts, of a mapping of columns, or of a data frame.

    Raises:
        UsageError: it is none of these, it cannot be read to its end, or its columns differ in length.
    """
    if isinstance(data, str | bytes | os.PathLike):
        raise UsageError(
            f"A single text was given ({_shown(data)}); give a list of texts, or a table. To use a file, read it into "
            "a table, or add it to a neardup.Index."
        )
    found = next((rows for read in _READERS if (rows := read(data)) is not None), None)
    if found is None:
        raise UsageError(
            f"Rows of type {type(data).__name__} cannot be read; give a list of texts or dicts, a dict of columns, "
            "or a data frame of pandas, Polars, Arrow or DuckDB."
        )
    names, columns = found
    if len(set(map(len, columns))) > 1:
        lengths = ", ".join(f"{name!r} has {len(values):,}" for name, values in zip(names, columns, strict=True))
        raise UsageError(f"The columns differ in length: {lengths}.")
    return PythonRows([str(name) for name in names], columns)


def is_missing(value: object) -> bool:
    """Return whether a value is missing: None, NaN, or the missing values of pandas."""
    if isinstance(value, Decimal):
        return value.is_nan()  # a signalling NaN cannot be compared
    if isinstance(value, float | np.floating):
        return bool(value != value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def cell_of(value: object) -> str | Unusable:
    """Return a value as text, empty if it is missing; a collection or bytes that are not UTF-8 cannot be used."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return Unusable("E_ENCODING_ROW", _shown(value))
    if isinstance(value, Collection):
        return Unusable("E_NESTED", _shown(value))
    if is_missing(value):
        return ""
    try:
        return str(value)
    except ValueError:  # a whole number of more than 4,300 digits
        return Unusable("E_FIELD_TOO_LONG", "")


class PythonTable(CellTable):
    """The rows of Python objects as a table, for the index. ``id_text`` writes an id as text."""

    def __init__(self, rows: PythonRows, options: ReadOptions, id_text: Callable[[Any], str]) -> None:
        self.name = "The table"
        self._rows = rows
        self._id_text = id_text
        if not rows.names:
            raise UsageError("The table has no rows and no columns.")
        self.choose_columns(rows.names, options, rows.records(cell_of))

    @property
    def ids(self) -> Column | None:
        """The ids as they were given, (n,); None without an id column."""
        place = self._columns.id_at
        return None if place is None else self._rows.columns[place]

    def close(self) -> None:  # noqa: D102
        pass

    @property
    def bytes_read(self) -> int:  # noqa: D102
        return self.records

    def __iter__(self) -> Iterator[Row | Reject]:
        id_at = self._columns.id_at
        for values in zip(*self._rows.columns, strict=True):
            if item := self.item([self._cell(value, place == id_at) for place, value in enumerate(values)]):
                yield item

    def _cell(self, value: object, is_id: bool) -> str | Unusable:
        return self._id_text(value) if is_id and not is_missing(value) else cell_of(value)


Names = Sequence[Any]
_Read = tuple[Names, list[Column]] | None


def _from_mapping(data: object) -> _Read:
    if not isinstance(data, Mapping):
        return None
    for name, values in data.items():
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            raise UsageError(f"The column {name!r} is {_shown(values)}; give a dict of lists, or a list of dicts.")
    return list(data), [_listed(values) for values in data.values()]


def _from_pandas(data: Any) -> _Read:  # noqa: ANN401 - without importing pandas
    if not (hasattr(data, "iloc") and hasattr(data, "columns")):
        return None
    return list(data.columns), [data.iloc[:, place].tolist() for place in range(len(data.columns))]


def _from_polars(data: Any) -> _Read:  # noqa: ANN401
    if type(data).__name__ == "LazyFrame":
        data = data.collect()
    if not hasattr(data, "get_columns"):
        return None
    return data.columns, [column.to_list() for column in data.get_columns()]


def _from_duckdb(data: Any) -> _Read:  # noqa: ANN401
    if not (hasattr(data, "fetchall") and hasattr(data, "columns")):
        return None
    rows = data.fetchall()
    return data.columns, [[row[place] for row in rows] for place in range(len(data.columns))]


def _from_arrow(data: Any) -> _Read:  # noqa: ANN401
    if hasattr(data, "__array__") and hasattr(data, "__iter__") and not hasattr(data, "column_names"):
        return None  # a column of a data frame
    if not (hasattr(data, "column_names") or hasattr(data, "__arrow_c_stream__")):
        return None
    try:
        import pyarrow

        table = data if hasattr(data, "column_names") else pyarrow.table(data)
    except (ImportError, TypeError, ValueError) as error:  # errors of pyarrow are ValueErrors
        raise UsageError(f"The rows of type {type(data).__name__} cannot be read: {error}") from error
    return table.column_names, [column.to_pylist() for column in table.columns]


def _from_items(data: object) -> _Read:
    if not isinstance(data, Iterable):
        return None
    items = _listed(data)
    if all(isinstance(item, Mapping) for item in items) and items:
        names = list(dict.fromkeys(name for item in items for name in item))
        return names, [[item.get(name) for item in items] for name in names]
    wrong = next((item for item in items if not (isinstance(item, str) or is_missing(item))), None)
    if wrong is not None:
        raise UsageError(f"The item {_shown(wrong)} is neither a text nor a dict; give only texts, or only dicts.")
    name = getattr(data, "name", None) if hasattr(data, "to_list") else None  # a column of a data frame
    return [name if isinstance(name, str) and name else TEXT], [items]


_READERS: Sequence[Callable[[Any], _Read]] = (
    _from_mapping,
    _from_pandas,
    _from_polars,
    _from_duckdb,
    _from_arrow,
    _from_items,
)


def _listed(values: Any) -> Column:  # noqa: ANN401 - a column of any library
    for method in ("to_list", "tolist", "to_pylist"):
        if callable(listed := getattr(values, method, None)):
            return list(listed())
    return list(values)


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # it holds a whole number of more than 4,300 digits
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:59]}…"
