"""Name the columns of an input and choose those that hold the text and the id."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

from dedup.errors import InputRefused, UsageError
from dedup.evidence.fields.field_kinds import PLACES, FieldKind, check_extra, kind_named
from indexer.reading.detection.field_columns import kind_of_column
from indexer.reading.detection.roles import id_of, roles_of
from indexer.reading.rows import MAX_COLUMNS, ColumnChoice, FieldKinds, ReadOptions

_DATA = re.compile(r"[+-]?\d+([.,]\d+)*%?|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([ T].*)?|[^@\s]+@[^@\s]+\.\w+")
"""A number, a date or an e-mail address: data rather than a column name."""


def clean(cells: Sequence[str]) -> list[str]:
    """Return the column names of a header: white space collapsed, a blank name replaced by ``column_N``."""
    return [" ".join(cell.split()) or f"column_{place}" for place, cell in enumerate(cells, 1)]


def find(columns: Sequence[str], requested: str) -> list[int]:
    """Return the positions of the columns called ``requested``, ignoring case only if no name matches exactly."""
    requested = " ".join(requested.split())
    exact = [place for place, name in enumerate(columns) if name == requested]
    return exact or [place for place, name in enumerate(columns) if name.casefold() == requested.casefold()]


def joined(cells: Iterable[str]) -> str:
    """Return the text of a record with several text columns: their cells, blank ones left out."""
    return " ".join(cell for cell in cells if cell.strip())


class Columns:
    """The columns of one input.

    Attributes:
        names: The column names, made distinct.
        choice: The text and id columns.
        text_at, id_at: Positions of these columns.
        others: Name and position of every other column.
        warnings: Warnings about the header.

    What ``options`` leave open is found by the names and by ``sample``, the cells of the first rows; rows of another
    width are ignored. ``hint`` returns a further sentence for the message about a column that does not exist.

    Raises ``InputRefused`` if the columns cannot be chosen.
    """

    def __init__(
        self,
        owner: str,
        header: Sequence[str],
        options: ReadOptions,
        hint: Callable[[], str] = lambda: "",
        sample: Sequence[Sequence[str]] = (),
    ) -> None:
        self._owner = owner
        self._sample = [cells for cells in sample if len(cells) == len(header)]
        self._hint = hint
        self._header = clean(header)
        if len(header) > MAX_COLUMNS:
            message = f"{owner} has {len(header)} columns; the maximum is {MAX_COLUMNS}."
            raise InputRefused(f"{message} Check the delimiter, or remove some columns.", "E_HEADER")
        self.names = tuple(_distinct(self._header))
        self.text_at, self.id_at = self._text_of(options), None
        if options.id_column is None:
            self.id_at = self._guess_id(options)
        elif options.id_column:
            self.id_at = self._place(options.id_column, "id")
        used = {*self.text_at, self.id_at}
        self.others = [(name, place) for place, name in enumerate(self.names) if place not in used]
        fields, found = self._fields_of(options)
        missing = tuple(name for name, _ in fields if name not in self.names)
        self.choice = ColumnChoice(
            text=tuple(self.names[place] for place in self.text_at),
            text_guessed=not options.text_columns,
            id=None if self.id_at is None else self.names[self.id_at],
            id_guessed=options.id_column is None and self.id_at is not None,
            fields=fields,
            kinds_found=found,
            fields_missing=missing,
        )
        self.warnings = self._warnings(header)

    def row_of(self, cells: Sequence[str]) -> tuple[str | None, str, dict[str, str]]:
        """Return the id, text and other columns of a record with one cell for each column."""
        raw = cells[self.text_at[0]] if len(self.text_at) == 1 else joined(cells[place] for place in self.text_at)
        fields = {name: cells[place] for name, place in self.others}
        return None if self.id_at is None else cells[self.id_at], raw, fields

    def _text_of(self, options: ReadOptions) -> list[int]:
        """Return the positions of the text columns: those requested, else those of before, else those found."""
        if options.text_columns:
            return list(dict.fromkeys(self._place(name, "text") for name in options.text_columns))
        known = [find(self.names, name) for name in options.known_text]
        if known and all(len(places) == 1 for places in known):
            return [place for (place,) in known]
        if options.find_text is not None:
            return list(options.find_text(self.names, self._sample))
        found = list(roles_of(self._header, self._sample).text)
        for place in found:
            self._place(self._header[place], "text")
        if not found:
            raise InputRefused(
                f"{self._owner} has no column that is clearly the text, by its name or its values. Choose one with "
                f"--text, or text= in Python: {self._listing()}.{self._hint()}",
                "E_NO_TEXT_COLUMN",
            )
        return found

    def _guess_id(self, options: ReadOptions) -> int | None:
        """Return the position of the id column of before, else of the one found."""
        if options.known_id is not None:
            places = [place for place in find(self.names, options.known_id) if place not in self.text_at]
            if not options.known_id or len(places) == 1:
                return places[0] if places else None
        place = id_of(self._header, self._sample, self.text_at)
        return None if place is None else self._place(self._header[place], "id")

    def _fields_of(self, options: ReadOptions) -> tuple[FieldKinds, tuple[str, ...]]:
        """Return the columns that serve as evidence with their kinds, and those of which the kind was found.

        Raises:
            InputRefused: there is no such column.
            UsageError: it is the text or the id, is named twice, is a second one of a part of the place, or there is
                no such kind, or none is clear.
        """
        if not options.field_columns:
            return self._known_fields(options), ()
        fields, found = dict[str, str](), list[str]()
        for asked, wanted in options.field_columns:
            if not asked:
                continue
            name, kind = self._field_asked(asked, wanted)
            if name in fields:
                raise UsageError(f"The field {name!r} is named twice; name each column once.")
            if kind is None:
                kind = self._kind_of(name)
                found.append(name)
            fields[name] = kind
        check_place(fields)
        check_extra(map(kind_named, fields.values()))
        return tuple(fields.items()), tuple(found)

    def _known_fields(self, options: ReadOptions) -> FieldKinds:
        """Return the fields of before, by the names that the input has now; those that it lacks keep theirs."""
        others = dict(self.others)
        places = [(find(self.names, name), name, kind) for name, kind in options.known_fields]
        now = {self.names[at[0]] if len(at) == 1 else name: kind for at, name, kind in places}
        return tuple((name, kind) for name, kind in now.items() if name in others or name not in self.names)

    def _field_asked(self, asked: str, wanted: str | None) -> tuple[str, FieldKind | None]:
        """Return the name of a column and the kind asked for; the kind may follow the name after a colon."""
        name, colon, kind = asked.rpartition(":")
        if wanted is None and colon and not find(self.names, asked):
            asked, wanted = name, kind
        column = self.names[self._place(asked, "field")]
        if column not in dict(self.others):
            raise UsageError(
                f"Column {column!r} is the {'id' if self.id_at == self.names.index(column) else 'text'} of the "
                "records, so it cannot be a field too; leave out --field for it, or choose other columns with --text "
                "and --id (text= and id= in Python)."
            )
        return column, None if wanted is None else kind_named(wanted)

    def _kind_of(self, name: str) -> FieldKind:
        place = self.names.index(name)
        kind = kind_of_column(name, [cells[place] for cells in self._sample])
        if kind is None:
            raise UsageError(
                f"Neither the name nor the values of column {name!r} tell what it holds. Add its kind, as in "
                f"--field '{name}:category', or fields={{{name!r}: 'category'}} in Python; kinds are "
                f"{', '.join(FieldKind)}."
            )
        return kind

    def _warnings(self, header: Sequence[str]) -> list[str]:
        warnings = []
        renamed = [name for name, before in zip(self.names, self._header, strict=True) if name != before]
        renamed += [name for name, before in zip(self.names, header, strict=True) if not before.strip()]
        if renamed:
            warnings.append(
                f"W_COLUMN_NAME: {self._owner} has columns with a blank or repeated name; "
                f"they were renamed to {_quoted_list(renamed)}."
            )
        if data := [name for name in self._header if _DATA.fullmatch(name)]:
            warnings.append(
                f"W_HEADER_DATA: {self._owner} has column names that look like data ({_quoted_list(data)}). "
                "If the first line is a record, use --no-header, or header=False in Python."
            )
        return warnings

    def _listing(self) -> str:
        return _quoted_list(self._header)

    def _place(self, requested: str, option: str) -> int:
        places = find(self._header, requested)
        if not places:
            message = f"{self._owner} has no column {requested!r}; it has {self._listing()}."
            raise InputRefused(
                f"{message} Name one with --{option}, or {'fields' if option == 'field' else option}= in Python."
                f"{self._hint()}",
                "E_MISSING_COLUMN",
            )
        if len(places) > 1:
            message = f"{self._owner} has {len(places)} columns called {requested!r}. Rename all but one of them."
            raise InputRefused(message, "E_DUPLICATE_COLUMN")
        return places[0]


def check_place(fields: Mapping[str, str]) -> None:
    """Raise ``UsageError`` if two columns are the same part of a record's place, given fields with their kinds."""
    for part in PLACES:
        columns = [name for name, kind in fields.items() if kind == part]
        if len(columns) > 1:
            raise UsageError(
                f"The fields {columns[0]!r} and {columns[1]!r} are both of kind {part}, but a record has one place; "
                "leave one of them out."
            )


def _quoted_list(names: Sequence[str]) -> str:
    quoted = ", ".join(map(repr, names[:30]))
    return quoted if len(names) <= 30 else f"{quoted} and {len(names) - 30} more"


def _distinct(names: Sequence[str]) -> list[str]:
    """Append ``_2``, ``_3`` … to repeated names."""
    distinct: dict[str, None] = {}
    for name in names:
        tries = chain([name], (f"{name}_{copy}" for copy in range(2, len(names) + 2)))
        distinct[next(candidate for candidate in tries if candidate not in distinct)] = None
    return list(distinct)
