"""The formats of one report: each table in several of them at once, and the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TextIO

from dedup.errors import UsageError
from indexer.outputs.table_files import Column, Style, TableFormat, TableWriter, preparing, require, table_writer

PAGE = "html"
FORMATS = (*TableFormat, PAGE)
_SUMMARIES = ("table", "json")
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class ReportFormats:
    """The formats of the tables, none or several, in the order asked for; and whether there is a page."""

    tables: tuple[TableFormat, ...] = (TableFormat.csv,)
    page: bool = False

    @property
    def is_one_table(self) -> bool:
        """Whether one format is all there is."""
        return len(self.tables) == 1 and not self.page

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all formats."""
        return (*self.tables, *([PAGE] if self.page else []))


def report_formats(names: Iterable[str], option: str) -> ReportFormats:
    """Return the formats that names ask for; a name may be a list with commas, and one may be given twice.

    Raises ``UsageError``: there is no such format, or none is named; the message begins with ``option``.
    """
    wanted = [name.strip().lower() for listed in names for name in listed.split(",")]
    for name in wanted:
        if name in _SUMMARIES:
            raise UsageError(
                f"{option} {name}: that is a format of what is printed, which --summary {name} chooses; "
                f"the files are {', '.join(FORMATS)}."
            )
        if name not in FORMATS:
            raise UsageError(f"{option} is {name!r}; give one of {', '.join(FORMATS)}, or several with commas.")
    if not wanted:
        raise UsageError(f"{option} names no format; give one of {', '.join(FORMATS)}.")
    tables = dict.fromkeys(TableFormat(name) for name in wanted if name != PAGE)
    return ReportFormats(tuple(tables), PAGE in wanted)


def require_all(formats: ReportFormats, style: Style) -> None:
    """Raise ``UsageError`` unless tables can be written in all formats, and at least one of them has all of ``style``.

    So ``--bom`` beside two formats is for that which takes it.
    """
    if style.is_of_csv and not any(layout.is_delimited for layout in formats.tables):
        require(formats.names[0], style)
    for layout in formats.tables:
        require(layout, suited(style, layout, formats))


def shared_preparing(formats: ReportFormats, style: Style) -> Callable[[str], str]:
    """Return what makes of any text a cell for ``table_writers``; each of several formats prepares it for itself."""
    return preparing(formats.tables[0], style) if formats.is_one_table else str


@contextmanager
def table_writers(
    files: Sequence[TextIO], formats: ReportFormats, columns: Sequence[Column], style: Style, title: str
) -> Iterator[TableWriter]:
    """Yield the writer of one table to a file of each of its formats; its cells come from ``shared_preparing``.

    Raises what ``table_writer`` raises.
    """
    with ExitStack() as stack:
        writers = [
            stack.enter_context(table_writer(file, layout, columns, suited(style, layout, formats), title))
            for file, layout in zip(files, formats.tables, strict=True)
        ]
        prepares = [preparing(layout, style) for layout in formats.tables]
        yield writers[0] if formats.is_one_table else _Several(list(zip(writers, prepares, strict=True)))


def suited(style: Style, layout: TableFormat, formats: ReportFormats) -> Style:
    """Return what one of several formats takes of a style; a single one has to take all."""
    if len(formats.tables) == 1 or not style.is_of_csv:
        return style
    if not layout.is_delimited:
        return Style(style.raw)
    has_own_tabs = layout is TableFormat.tsv and TableFormat.csv in formats.tables
    return replace(style, delimiter=None) if has_own_tabs else style


class _Several(TableWriter):
    """Writes each row by several writers, some rows at a time; they are closed by their own contexts."""

    def __init__(self, writers: Sequence[tuple[TableWriter, Callable[[str], str]]]) -> None:
        self._writers = writers

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        rows = iter(rows)
        while page := list(islice(rows, _AT_ONCE)):
            for writer, prepare in self._writers:
                if prepare is str:
                    writer.write(page)
                else:
                    writer.write([prepare(cell) if isinstance(cell, str) else cell for cell in row] for row in page)

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass
