"""Rows as a sequence that converts to a table of pandas, Polars or Arrow, and shows itself in a notebook.

None of these libraries is a dependency: each is imported by the method that makes its table.
"""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from dedup.errors import UsageError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

R = TypeVar("R")

_ROWS_SHOWN = 10
_LONGEST_CELL = 80


class Tabular(ABC):
    """Something with rows, each a mapping of column names to values."""

    column_names: Sequence[str] = ()
    """Names of the columns that a table without rows has, too."""

    @abstractmethod
    def table_rows(self) -> Iterable[Mapping[str, Any]]:
        """Return the rows of the table."""

    def to_dict(self) -> dict[str, list[Any]]:
        """Return a list of values for each column."""
        rows = list(self.table_rows())
        names = dict.fromkeys(name for row in rows for name in row) or self.column_names
        return {name: [row.get(name) for row in rows] for name in names}

    def to_pandas(self) -> pandas.DataFrame:
        """Return a pandas data frame. Raises ``UsageError`` if pandas is not installed."""
        frame: pandas.DataFrame = _library("pandas").DataFrame(self.to_dict())
        return frame

    def to_polars(self) -> polars.DataFrame:
        """Return a Polars data frame.

        Raises:
            UsageError: Polars is not installed, or a column holds values of several types, such as ids 1 and 'a'.
        """
        library = _library("polars")
        columns = {name: _column(library.Series, name, values) for name, values in self.to_dict().items()}
        frame: polars.DataFrame = library.DataFrame(columns)
        return frame

    def to_arrow(self) -> pyarrow.Table:
        """Return an Arrow table.

        Raises:
            UsageError: pyarrow is not installed, or a column holds values of several types, such as ids 1 and 'a'.
        """
        library = _library("pyarrow")
        arrays = {name: _column(_arrow_array, name, values) for name, values in self.to_dict().items()}
        table: pyarrow.Table = library.table(arrays)
        return table

    def _repr_html_(self) -> str:
        """Show the first rows as a table in a notebook; every cell is escaped."""
        rows = list(islice(self.table_rows(), _ROWS_SHOWN + 1))
        shown = rows[:_ROWS_SHOWN]
        names = list(dict.fromkeys(name for row in shown for name in row))
        head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        body = "".join(f"<tr>{''.join(f'<td>{_cell(row.get(name))}</td>' for name in names)}</tr>" for row in shown)
        more = "<p>…</p>" if len(rows) > len(shown) else ""
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if shown else ""
        return f"<p>{html.escape(self._title())}</p>{table}{more}"

    def _title(self) -> str:
        return repr(self)


class Rows(Tabular, Sequence[R], Generic[R]):
    """``count`` rows, each made when it is asked for; ``columns`` gives the cells of a row of the table."""

    def __init__(
        self,
        count: int,
        make: Callable[[int], R],
        columns: Callable[[R], Mapping[str, Any]],
        column_names: Sequence[str] = (),
    ) -> None:
        self._count = count
        self._make = make
        self._columns = columns
        self.column_names = column_names

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> R: ...
    @overload
    def __getitem__(self, place: slice) -> list[R]: ...
    def __getitem__(self, place: int | slice) -> R | list[R]:
        if isinstance(place, slice):
            return [self._make(at) for at in range(*place.indices(self._count))]
        return self._make(range(self._count)[place])

    def __iter__(self) -> Iterator[R]:
        return map(self._make, range(self._count))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(_equal, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the rows themselves, not what makes them."""
        return rows_of, (list(self), self._columns, self.column_names)

    def __repr__(self) -> str:
        shown = ",\n ".join(map(repr, self[:_ROWS_SHOWN]))
        more = f",\n … and {self._count - _ROWS_SHOWN:,} more" if self._count > _ROWS_SHOWN else ""
        return f"[{shown}{more}]"

    def table_rows(self) -> Iterator[Mapping[str, Any]]:  # noqa: D102
        return map(self._columns, self)

    def _title(self) -> str:
        return counted(self, "row")


def rows_of(items: Sequence[R], columns: Callable[[R], Mapping[str, Any]], names: Sequence[str]) -> Rows[R]:
    """Return rows that exist already."""
    return Rows(len(items), items.__getitem__, columns, names)


def check_threshold(min_probability: float, computed: float) -> None:
    """Raise ``UsageError`` if a result that was computed with one threshold does not hold all pairs of another."""
    if not computed <= min_probability <= 1:
        raise UsageError(
            f"This result has only pairs of probability {computed:g} or more; for others, compute it again with "
            f"min_probability={min_probability:g}."
        )


def counted(items: Sequence[object], noun: str) -> str:
    """Return how many items there are, in words."""
    return count_of(len(items), noun)


def count_of(number: int, noun: str, plural: str = "") -> str:
    """Return a number of things, in words; ``plural`` is given where it is not the noun and an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def _equal(left: object, right: object) -> bool:
    return left == right


def _cell(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else "" if value is None else str(value)
    return html.escape(text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…")


def _arrow_array(name: str, values: list[Any]) -> Any:  # noqa: ANN401 - an array of pyarrow
    return _library("pyarrow").array(values)


def _column(make: Callable[[str, list[Any]], Any], name: str, values: list[Any]) -> Any:  # noqa: ANN401
    try:
        return make(name, values)
    except (TypeError, ValueError, OverflowError) as error:  # those of pyarrow are ValueErrors
        types = ", ".join(sorted({type(value).__name__ for value in values if value is not None}))
        raise UsageError(
            f"The values of {name!r} ({types}) do not fit into one column. Use to_pandas(), or give them one type."
        ) from error


def _library(name: str) -> Any:  # noqa: ANN401 - a library that need not be installed
    from importlib import import_module

    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise UsageError(f"This needs {name}; run: pip install {name}") from None
