"""Rows that are given as Python objects: lists, dicts, and data frames of any library.

A data frame is read through the Arrow PyCapsule interface (``__arrow_c_stream__``) if pyarrow is installed, and else
column by column; no library of data frames is a dependency.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dedup.errors import UsageError
from indexer.reading.cell_table import CellTable
from indexer.reading.rejects import Reject
from indexer.reading.rows import ReadOptions, Row

Column = list[Any]

TEXT = "text"
"""Name of the only column of a list of texts."""


@dataclass(frozen=True, slots=True)
class PythonRows:
    """Columns (n values each) of n rows, the values as they were given."""

    columns: dict[str, Column]

    def __len__(self) -> int:
        return max(map(len, self.columns.values()), default=0)


def rows_of(data: object) -> PythonRows:
    """Return the columns of a list of texts or of dicts, of a mapping of columns, or of a data frame.

    Raises:
        UsageError: it is none of these, or its columns differ in length.
    """
    if isinstance(data, str | bytes):
        raise UsageError(f"A single text was given ({_shown(data)}); give a list of texts, or a table.")
    columns = next((found for read in _READERS if (found := read(data)) is not None), None)
    if columns is None:
        raise UsageError(
            f"Rows of type {type(data).__name__} cannot be read; give a list of texts or dicts, a dict of columns, "
            "or a data frame of pandas, Polars, Arrow or DuckDB."
        )
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"The columns differ in length: {lengths}.")
    return PythonRows(columns)


def is_missing(value: object) -> bool:
    """Return whether a value stands for nothing: None, NaN, or the missing values of pandas."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def to_text(value: object) -> str:
    """Return a value as text; the empty text if it is missing."""
    if isinstance(value, str):
        return value
    return "" if is_missing(value) else str(value)


class PythonTable(CellTable):
    """The rows of Python objects as a table, for the index. ``id_text`` writes an id as text."""

    def __init__(self, rows: PythonRows, options: ReadOptions, id_text: Callable[[Any], str]) -> None:
        self.name = "the rows given"
        self._rows = rows
        self._id_text = id_text
        if rows.columns:
            self.choose_columns(list(rows.columns), options)
        else:
            raise UsageError("No rows were given, and so no columns either.")

    def close(self) -> None:  # noqa: D102
        pass

    @property
    def bytes_read(self) -> int:  # noqa: D102
        return self.rows_in

    def __iter__(self) -> Iterator[Row | Reject]:
        for values in zip(*self._rows.columns.values(), strict=True):
            yield self.item([self._cell(name, value) for name, value in zip(self.columns, values, strict=True)])

    def _cell(self, name: str, value: object) -> str:
        if name == self.choice.id and not is_missing(value):
            return self._id_text(value)
        return to_text(value)


def _from_arrow(data: object) -> dict[str, Column] | None:
    if not hasattr(data, "__arrow_c_stream__"):
        return None
    try:
        import pyarrow

        table = pyarrow.table(data)
    except (ImportError, TypeError, ValueError):  # ArrowInvalid, of a column of mixed types, is a ValueError
        return None
    return {str(name): column.to_pylist() for name, column in zip(table.column_names, table.columns, strict=True)}


def _from_mapping(data: object) -> dict[str, Column] | None:
    if not isinstance(data, Mapping):
        return None
    return {str(name): _listed(values) for name, values in data.items()}


def _from_frame(data: Any) -> dict[str, Column] | None:  # noqa: ANN401 - a frame of any library
    names = getattr(data, "columns", None)
    if names is None or callable(names):
        return None
    if hasattr(data, "fetchall"):  # DuckDB
        rows = data.fetchall()
        return {str(name): [row[place] for row in rows] for place, name in enumerate(names)}
    return {str(name): _listed(data[name]) for name in names}


def _from_items(data: object) -> dict[str, Column] | None:
    if not isinstance(data, Iterable):
        return None
    items = _listed(data)
    if all(isinstance(item, Mapping) for item in items) and items:
        names = dict.fromkeys(str(name) for item in items for name in item)
        return {name: [item.get(name) for item in items] for name in names}
    wrong = next((item for item in items if not (isinstance(item, str) or is_missing(item))), None)
    if wrong is not None:
        raise UsageError(f"The item {_shown(wrong)} is neither a text nor a dict; give only texts, or only dicts.")
    return {TEXT: items}


_READERS: Sequence[Callable[[Any], dict[str, Column] | None]] = (_from_arrow, _from_mapping, _from_frame, _from_items)


def _listed(values: Any) -> Column:  # noqa: ANN401 - a column of any library
    for method in ("to_list", "tolist", "to_pylist"):
        if callable(listed := getattr(values, method, None)):
            return list(listed())
    return list(values)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
