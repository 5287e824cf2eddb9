"""Deduplicate, link and compare texts in memory, without an index."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from dedup.errors import UsageError
from dedup.matching.matcher import Matcher
from dedup.text.normalise import normalise
from indexer.arguments import (
    FieldColumns,
    FieldValues,
    Label,
    ModelOption,
    TextColumns,
    field_columns_of,
    field_values_of,
    id_column_of,
    kind_named,
    limit_of,
    merges_branches,
    model_of,
    probability_of,
    text_columns_of,
    text_of,
    texts_of,
)
from indexer.ingest.intake import fault_of_row
from indexer.ingest.text_kinds import model_for_texts
from indexer.jobs import compare as compare_job
from indexer.jobs.duplicates import duplicates_of_texts
from indexer.jobs.fielding.slots import slots_of
from indexer.linking import link_sides
from indexer.outputs.record_pairs import MAX_PAIRS
from indexer.progress_bar import ProgressOption, progress_of
from indexer.reading.cell_table import Unusable, written
from indexer.reading.columns import Columns, joined
from indexer.reading.detection.roles import SAMPLE_ROWS
from indexer.reading.formats.python_rows import PythonRows, cell_of, is_missing, rows_of
from indexer.reading.open import open_table
from indexer.reading.rejects import RejectsList
from indexer.reading.rows import ReadOptions
from indexer.results.comparison import Comparison, Comparisons
from indexer.results.deduplication import Duplicates
from indexer.results.links import Links
from indexer.results.records import Record, Rejected, rejected_of
from indexer.results.sides import Side, fields_of_sides, items_of_sides, side_of_table


def compare(
    left: str,
    right: str,
    *,
    left_fields: FieldValues | None = None,
    right_fields: FieldValues | None = None,
    kind: str | None = None,
    model: ModelOption = None,
) -> Comparison:
    """Compare two texts and say why; with fields, such as ``{"city": "Ulm", "vat:id": "DE136695976"}``, also by these.

    ``kind`` is that of the texts: ``company`` (the default) and ``person`` for names, ``text`` for anything else.

    >>> import neardup
    >>> found = neardup.compare("Acme Holdings Inc.", "ACME Holdings Incorporated")
    >>> found.probability > 0.9
    True
    >>> print(found.reasons[1].label)
    vector similarity 0.99

    Raises:
        InputRefused: a text holds no letter, digit or symbol, or is too long.
        UsageError: one is not a string, there is no such kind, or the kind of a field is unknown or not clear.
    """
    left, right = text_of(left, "left"), text_of(right, "right")
    fields = [one for given in (left_fields, right_fields) for one in field_values_of(given or {}, 1, single=True)]
    found, is_equal = compare_job.compare(_model_for(model, kind), left, right, *fields)
    return Comparison.of(left, right, found, exact=is_equal)


def compare_many(
    left: Iterable[str],
    right: Iterable[str],
    *,
    left_fields: Sequence[FieldValues] | None = None,
    right_fields: Sequence[FieldValues] | None = None,
    kind: str | None = None,
    model: ModelOption = None,
) -> Comparisons:
    """Compare pairs of texts: the first of ``left`` with the first of ``right``, and so on; ``kind`` as in ``compare``.

    Fields are a list of dicts, one for each text, as in ``compare``.

    >>> import neardup
    >>> found = neardup.compare_many(["Acme Inc", "Acme Inc"], ["ACME Incorporated", "Zenith Ltd"])
    >>> [bool(probability > 0.5) for probability in found.probability]
    [True, False]

    Raises:
        InputRefused: a text holds no letter, digit or symbol, or is too long.
        UsageError: the sides differ in length, or hold something that is not a string, or as ``compare`` for fields.
    """
    left, right = texts_of(left, "left"), texts_of(right, "right")
    if len(left) != len(right):
        raise UsageError(f"{len(left)} texts cannot be compared with {len(right)}; give as many on both sides.")
    fields = [field_values_of(given, len(left), single=False) for given in (left_fields, right_fields)]
    return Comparisons(left, right, *compare_job.compare_many(_model_for(model, kind), left, right, *fields))


def deduplicate(
    data: Any,  # noqa: ANN401 - a table of any library
    *,
    text: TextColumns = None,
    id: Label | None = None,
    fields: FieldColumns = None,
    branches: str = "separate",
    kind: str | None = None,
    min_probability: float | None = None,
    max_pairs: int = MAX_PAIRS,
    model: ModelOption = None,
    progress: ProgressOption = None,
) -> Duplicates:
    """Find all duplicates in a list of texts or a table, in memory.

    ``data`` is a list of texts or of dicts, a dict of columns, or a data frame of pandas, Polars, Arrow or DuckDB.
    Without ``text`` and ``id`` the columns are found by their names and values; without an id column (or with
    ``id=""``) the id of a row is its position, from 0. ``fields`` are further columns that serve as evidence, as in
    ``Index.add``; ``branches="merge"`` lets another town count for nothing. ``kind`` is that of the texts: ``company``
    and ``person`` for names, ``text`` for products, titles, addresses and the like; without it, it is detected. Pairs
    have at least ``min_probability`` (default: the model's, 0.5 for the one that ships with neardup). ``max_pairs`` is
    as in ``Duplicates.pairs``. ``progress=True`` draws a bar in a terminal or notebook; a function gets (stage, done,
    total).

    >>> import neardup
    >>> names = ["Acme Holdings Inc", "ACME HOLDINGS INCORPORATED", "Zenith Bank", "acme holdings, inc."]
    >>> found = neardup.deduplicate(names)
    >>> [[record.id for record in cluster.records] for cluster in found.clusters]
    [[0, 1, 3]]
    >>> [record.text for record in found.unique]
    ['Acme Holdings Inc', 'Zenith Bank']

    Raises:
        UsageError: the rows cannot be read, or ``min_probability`` is not between 0 and 1.
        InputRefused: a column is missing, or none looks like the text.
    """
    wanted_kind = kind_named(kind)
    most = limit_of(max_pairs, "max_pairs")
    given = None if min_probability is None else probability_of(min_probability, 0)
    merges = merges_branches(branches)
    table = TextsOf(data, _wanted(text, id, fields), "The table")
    matcher, _ = model_for_texts(model_of(model), wanted_kind, list(table.groups))
    least = matcher.default_probability if given is None else given
    slots = slots_of({"": table.fields})
    records = fields_of_sides(slots, {"": table}) if slots else None
    with progress_of(progress) as report:
        near = duplicates_of_texts(
            *(list(table.groups), matcher),
            min_probability=least,
            records=records,
            merges_branches=merges,
            progress=report,
        )
    items = list(table.groups.values()) if records is None else items_of_sides(records, [table])
    choice = table.columns.choice
    rejected, found = tuple(table.rejected), (near, dict(enumerate(items)), len(table.groups), most)
    return Duplicates(table.records, rejected, least, choice.text, choice.id, *found)


def link(
    left: Any,  # noqa: ANN401 - a table of any library
    right: Any,  # noqa: ANN401
    *,
    text: TextColumns = None,
    id: Label | None = None,
    right_text: TextColumns = None,
    right_id: Label | None = None,
    fields: FieldColumns = None,
    right_fields: FieldColumns = None,
    min_probability: float | None = None,
    limit: int = 10,
    kind: str | None = None,
    model: ModelOption = None,
    progress: ProgressOption = None,
) -> Links:
    """Find the records of ``right`` that are the same as those of ``left``, in memory.

    Both take the same input as ``deduplicate``. ``right_text`` and ``right_id`` default to ``text`` and ``id``;
    ``right_id=""`` means that the right rows have no ids; ``right_fields`` default to ``fields``. Columns of both sides
    are one field if they have one name and kind, or one kind. Each left text gets at most ``limit`` right texts.
    ``kind`` is as in ``deduplicate``.

    >>> import neardup
    >>> found = neardup.link(["Acme Hldgs Inc", "Nobody Knows"], ["Zenith Bank", "Acme Holdings Incorporated"])
    >>> [(pair.left.text, pair.right.text) for pair in found.matches]
    [('Acme Hldgs Inc', 'Acme Holdings Incorporated')]
    >>> [record.text for record in found.unmatched]
    ['Nobody Knows']

    Raises:
        UsageError, InputRefused: as ``deduplicate``.
    """
    wanted_kind, limit = kind_named(kind), limit_of(limit)
    given = None if min_probability is None else probability_of(min_probability, 0)
    first = TextsOf(left, _wanted(text, id, fields), "The left table")
    second = TextsOf(
        right,
        _wanted(
            text if right_text is None else right_text,
            id if right_id is None else right_id,
            fields if right_fields is None else right_fields,
        ),
        "The right table",
        lambda: (
            " For the right table, use right_text=, right_id= and right_fields=; right_id='' means that it has no ids."
        ),
    )
    matcher, _ = model_for_texts(model_of(model), wanted_kind, [*first.groups, *second.groups])
    with progress_of(progress) as report:
        return link_sides(
            first,
            second,
            matcher,
            min_probability=matcher.default_probability if given is None else given,
            limit=limit,
            progress=report,
            rejected=(first.rejected, second.rejected),
        )


def _model_for(model: ModelOption, kind: str | None) -> Matcher:
    """Return the model for a kind of texts, company names if None. Raises ``UsageError`` if there is no such kind."""
    matcher, name = model_of(model), kind_named(kind)
    return matcher if name in (None, matcher.kind) else matcher.with_kind(name)


def left_side(
    data: Any,  # noqa: ANN401 - a path or a table of any library
    options: ReadOptions,
) -> tuple[Side, list[Rejected]]:
    """Return the records of a file or of Python objects, read so, and the rows that have no text.

    Raises:
        UsageError, InputRefused: as ``deduplicate``.
    """
    if not isinstance(data, str | os.PathLike):
        table = TextsOf(data, options, "The left table")
        return table, table.rejected
    rejects = RejectsList()
    with open_table(os.fspath(data), options) as file:
        side = side_of_table(file, rejects.add)
    return side, list(map(rejected_of, rejects.rows))


def _wanted(text: TextColumns, id: Label | None, fields: FieldColumns) -> ReadOptions:
    return ReadOptions(
        text_columns=text_columns_of(text), id_column=id_column_of(id), field_columns=field_columns_of(fields)
    )


class TextsOf(Side):
    """The texts of the rows that were given.

    Attributes:
        columns: The columns that were chosen.
        rejected: The rows without a text.

    """

    def __init__(self, data: object, wanted: ReadOptions, name: str, hint: Callable[[], str] = lambda: "") -> None:
        rows = rows_of(data)
        sample = list(map(written, islice(rows.records(cell_of), SAMPLE_ROWS)))
        self.columns = Columns(name, rows.names, wanted, hint, sample)
        super().__init__(self.columns.choice.fields)
        of_fields = dict(self.fields)
        self._fields_at = [(column, at) for column, at in self.columns.others if column in of_fields]
        self.rejected: list[Rejected] = []
        for place in range(len(rows)):
            self._take(rows, place)

    def _take(self, rows: PythonRows, place: int) -> None:
        columns = self.columns
        record_id = place if columns.id_at is None else rows.columns[columns.id_at][place]
        cells = [cell_of(rows.columns[at][place]) for at in columns.text_at]
        written = [cell for cell in cells if isinstance(cell, str)]
        used = [(columns.choice.text[0], cell) for cell in cells]
        used += [(name, cell_of(rows.columns[at][place])) for name, at in self._fields_at]
        bad = ((cell.error, cell.message(name)) for name, cell in used if isinstance(cell, Unusable))
        raw = written[0] if len(cells) == 1 and written else joined(written)
        normal = normalise(raw)
        of_cell = next(bad, None)
        fault = of_cell or _surrogate(raw) or fault_of_row(raw, normal)
        if fault:
            self.rejected.append(Rejected(place, record_id, fault[1], fault[0]))
            return
        values = [(name, rows.columns[at][place]) for name, at in columns.others]
        record = Record(record_id, raw, "", {name: one for name, one in values if not is_missing(one)}, place)
        self.add(normal, record)


def _surrogate(raw: str) -> tuple[str, str] | None:
    """Return the error of a text that is not valid Unicode."""
    try:
        raw.encode()
    except UnicodeEncodeError:
        return "E_ENCODING_ROW", "The text contains half of a surrogate pair."
    return None
