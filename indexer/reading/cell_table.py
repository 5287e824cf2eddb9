"""The base of tables whose records are cells rather than text: Parquet files and databases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from indexer.outputs.csv import csv_line
from indexer.reading.cell_warnings import CellWarnings
from indexer.reading.columns import Columns
from indexer.reading.detection.roles import SAMPLE_ROWS
from indexer.reading.rejects import Reject
from indexer.reading.rows import MAX_CELL_CHARACTERS, ReadOptions, Row, Table

_MESSAGES = {
    "E_ENCODING_ROW": "The value of {!r} is not UTF-8. Correct it at its source.",
    "E_FIELD_TOO_LONG": f"The record is too long. A cell may have at most {MAX_CELL_CHARACTERS} characters.",
    "E_NESTED": "The value of {!r} is a list or a structure. Give each column a single value.",
    "E_NUL": "The value of {!r} contains a NUL character, which a database cannot store.",
}


class Unusable(NamedTuple):
    """A cell that cannot be used: an error code of ``_MESSAGES`` and the beginning of its text, for the reject."""

    error: str
    stand_in: str

    def message(self, column: str) -> str:
        """Say what is wrong with the value of a column, and what to do."""
        return _MESSAGES[self.error].format(column)


class CellTable(Table):
    """A table of records made of cells, without byte offsets.

    ``records`` is the number of records read so far, blank ones included, and ``line`` says where the last one is.
    """

    records: int = 0

    @property
    def line(self) -> int:
        """The line of the last record; the number of the record where there are no lines."""
        return self.records

    def choose_columns(
        self,
        header: Sequence[str],
        options: ReadOptions,
        sample: Iterable[Sequence[str | Unusable | None]],
        warnings: Sequence[str] = (),
    ) -> None:
        """Choose the text and id columns, also by a ``sample`` of records; ``warnings`` concern the input itself.

        Raises:
            InputRefused: they cannot be chosen.
        """
        first = [written(values) for values in islice(sample, SAMPLE_ROWS)]
        self._columns = Columns(self.name, header, options, sample=first)
        self.columns, self.choice = self._columns.names, self._columns.choice
        self._cell_warnings = CellWarnings(self.name, self.choice, self.columns, options.fix_mojibake)
        self._cell_warnings.general += [*self._columns.warnings, *warnings]

    @property
    def warnings(self) -> list[str]:  # noqa: D102
        return self._cell_warnings.messages(self.rows_in)

    def item(self, values: Sequence[str | Unusable | None]) -> Row | Reject | None:
        """Count one record and return it as a row or a reject; None if it has several cells, all of them blank."""
        self.records += 1
        line = self.line
        cells = written(values)
        if len(cells) > 1 and not any(isinstance(value, Unusable) or (value and value.strip()) for value in values):
            self._cell_warnings.skip_blank(line)
            return None
        self.rows_in += 1
        for name, value in zip(self.columns, values, strict=True):
            if isinstance(value, Unusable):
                return self._reject(cells, value.error, value.message(name), name)
            if value and "\0" in value:
                return self._reject(cells, "E_NUL", _MESSAGES["E_NUL"].format(name), name)
        external_id, raw, fields = self._columns.row_of(cells)
        if external_id is not None:
            external_id = self._cell_warnings.check_id(external_id, line)
            if not external_id or external_id.isspace():
                return self._reject(cells, "E_ID_EMPTY", "The id is empty.", self.choice.id)
        raw = self._cell_warnings.check_text(raw, fields, line)
        return Row(line, self.records, external_id, raw, fields, cells, None, self.name)

    def _reject(self, cells: Sequence[str], error: str, message: str, column: str | None) -> Reject:
        return Reject(self.line, self.records, error, column, message, csv_line(cells), None, self.name)


def written(values: Sequence[str | Unusable | None]) -> list[str]:
    """Return the cells of a record as text."""
    return [value if isinstance(value, str) else "" if value is None else value.stand_in for value in values]
