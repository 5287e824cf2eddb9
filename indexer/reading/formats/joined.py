"""Read several inputs as one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from indexer.reading.rejects import Reject
from indexer.reading.rows import ReadOptions, Row, Table

Open = Callable[[str | Path, ReadOptions], Table]


class JoinedTable(Table):
    """The records of several inputs in order; one input is open at a time.

    The text and id columns are those of the first input that is not empty; every other input must have them. Line and
    record numbers count within each ``file``.
    """

    def __init__(self, places: Sequence[str | Path], options: ReadOptions, open_one: Open) -> None:
        self._open_one = open_one
        self._options = options
        self._places = list(places)
        self._warnings: list[str] = []
        self._bytes_read = 0
        self._is_open = False
        self.rows_of = {}
        self.name = f"{len(places)} inputs"
        files = [Path(place) for place in places if str(place) != "-" and Path(place).is_file()]
        self.size = sum(file.stat().st_size for file in files) if len(files) == len(places) else None
        self._part = self._next_part()
        while not self._part.columns and self._places:
            self._finish_part()
            self._part = self._next_part()
        self.columns, self.choice = self._part.columns, self._part.choice
        if self.columns:
            there = [one for one in self.choice.fields if one[0] not in self.choice.fields_missing]
            of_first: Sequence[tuple[str, str | None]] = [*there] or [("", None)]
            self._options = replace(
                options, text_columns=self.choice.text, id_column=self.choice.id or "", field_columns=of_first
            )

    def close(self) -> None:  # noqa: D102
        self._part.close()

    @property
    def bytes_read(self) -> int:  # noqa: D102
        return self._bytes_read + (self._part.bytes_read if self._is_open else 0)

    @property
    def warnings(self) -> list[str]:  # noqa: D102
        return self._warnings + (self._part.warnings if self._is_open else [])

    def __iter__(self) -> Iterator[Row | Reject]:
        while True:
            for item in self._part:
                self.rows_in += 1
                yield item
            self._finish_part()
            if not self._places:
                return
            self._part = self._next_part()

    def _next_part(self) -> Table:
        part = self._open_one(self._places.pop(0), self._options)
        self._is_open = True
        if self.columns and part.columns and set(part.columns) != set(self.columns):
            differ = ", ".join(map(repr, sorted(set(part.columns) ^ set(self.columns))[:30]))
            self._warnings.append(
                f"W_COLUMNS_DIFFER: {part.name} and the first input do not have the same columns: {differ}."
            )
        return part

    def _finish_part(self) -> None:
        part = self._part
        self._warnings += part.warnings
        self._bytes_read += part.bytes_read
        self.rows_of = {**self.rows_of, part.name: self.rows_of.get(part.name, 0) + part.rows_in}
        part.close()
        self._is_open = False
