"""Deduplicate, link and compare texts in memory, without an index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from dedup.errors import UsageError
from dedup.matching.matcher import Matcher
from dedup.model import load_model
from dedup.text.normalise import normalise
from indexer.ingest.intake import fault_of
from indexer.jobs import compare as compare_job
from indexer.jobs.duplicates import duplicates_of_texts
from indexer.jobs.link import link_texts
from indexer.progress_bar import ProgressOption, progress_of
from indexer.reading.columns import Columns
from indexer.reading.formats.python_rows import is_missing, rows_of, to_text
from indexer.reading.rows import ReadOptions
from indexer.results.comparison import Comparison, Comparisons
from indexer.results.deduplication import Duplicates
from indexer.results.links import Links
from indexer.results.records import Record, Rejected

TextColumns = str | Sequence[str] | None
"""A column, several to be joined with a space, or None: the column is found by its name."""


@cache
def default_model() -> Matcher:
    """Return the model that ships with neardup, loaded once."""
    return load_model()


def compare(left: str, right: str, *, model: Matcher | None = None) -> Comparison:
    """Compare two texts and say why.

    >>> import neardup
    >>> found = neardup.compare("Acme Holdings Inc.", "ACME Holdings Incorporated")
    >>> found.probability > 0.9
    True
    >>> print(found.reasons[1].label)
    vector similarity 0.99

    Raises:
        InputRefused: a text holds no letter, digit or symbol.
    """
    return Comparison.of(left, right, compare_job.compare(model or default_model(), left, right))


def compare_many(left: Iterable[str], right: Iterable[str], *, model: Matcher | None = None) -> Comparisons:
    """Compare pairs of texts: the first of ``left`` with the first of ``right``, and so on.

    >>> import neardup
    >>> found = neardup.compare_many(["Acme Inc", "Acme Inc"], ["ACME Incorporated", "Zenith Ltd"])
    >>> [bool(probability > 0.5) for probability in found.probability]
    [True, False]

    Raises:
        InputRefused: a text holds no letter, digit or symbol.
        UsageError: the sides differ in length.
    """
    left, right = list(left), list(right)
    if len(left) != len(right):
        raise UsageError(f"{len(left)} texts cannot be compared with {len(right)}; give as many on both sides.")
    return Comparisons(left, right, *compare_job.compare_many(model or default_model(), left, right))


def deduplicate(
    data: Any,  # noqa: ANN401 - a table of any library
    *,
    text: TextColumns = None,
    id: str | None = None,
    min_probability: float | None = None,
    model: Matcher | None = None,
    progress: ProgressOption = None,
) -> Duplicates:
    """Find all duplicates in a list of texts or a table, in memory.

    ``data`` is a list of texts or of dicts, a dict of columns, or a data frame of pandas, Polars, Arrow or DuckDB.
    Without ``text`` and ``id`` the columns are found by their names; without an id column a row's id is its position,
    from 0. Pairs have at least ``min_probability`` (default: that of the model). ``progress=True`` draws a bar; a
    function gets (stage, done, total).

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
    model = model or default_model()
    least = checked_probability(model.default_probability if min_probability is None else min_probability)
    side = _Side(data, text, id)
    with progress_of(progress) as report:
        near = duplicates_of_texts(list(side.groups), model, min_probability=least, progress=report)
    of_text = dict(enumerate(side.groups.values()))
    return Duplicates(least, side.records, tuple(side.rejected), near, of_text, len(of_text), near.model.explain)


def link(
    left: Any,  # noqa: ANN401 - a table of any library
    right: Any,  # noqa: ANN401
    *,
    text: TextColumns = None,
    id: str | None = None,
    right_text: TextColumns = None,
    right_id: str | None = None,
    min_probability: float | None = None,
    limit: int = 10,
    model: Matcher | None = None,
    progress: ProgressOption = None,
) -> Links:
    """Find the records of ``right`` that are the same as those of ``left``, in memory.

    Both are given as to ``deduplicate``; ``right_text`` and ``right_id`` default to ``text`` and ``id``. Each left
    text gets at most ``limit`` right texts.

    >>> import neardup
    >>> found = neardup.link(["Acme Hldgs Inc", "Nobody Knows"], ["Zenith Bank", "Acme Holdings Incorporated"])
    >>> [(pair.left.text, pair.right.text) for pair in found.matches]
    [('Acme Hldgs Inc', 'Acme Holdings Incorporated')]
    >>> [record.text for record in found.unmatched]
    ['Nobody Knows']

    Raises:
        UsageError, InputRefused: as ``deduplicate``.
    """
    model = model or default_model()
    least = checked_probability(model.default_probability if min_probability is None else min_probability)
    if limit < 1:
        raise UsageError(f"limit is {limit}; give at least 1.")
    first, second = _Side(left, text, id), _Side(right, right_text or text, right_id or id)
    with progress_of(progress) as report:
        linked = link_texts(
            list(first.groups), list(second.groups), model, min_probability=least, limit=limit, progress=report
        )
    return Links(
        least,
        first.records,
        second.records,
        (*first.rejected, *second.rejected),
        list(first.groups.values()),
        list(second.groups.values()),
        linked,
    )


def checked_probability(min_probability: float) -> float:
    """Return a probability. Raises ``UsageError`` if it is not between 0 and 1."""
    if not 0 <= min_probability <= 1:
        raise UsageError(f"min_probability is {min_probability}; give a number from 0 to 1.")
    return min_probability


class _Side:
    """The rows that were given: the records with a text, grouped by normal form, and those that were rejected."""

    def __init__(self, data: object, text: TextColumns, id: str | None) -> None:
        rows = rows_of(data)
        wanted = ReadOptions(text_columns=[text] if isinstance(text, str) else text or (), id_column=id)
        columns = Columns("The table", list(rows.columns), wanted)
        values = list(rows.columns.values())
        self.records: list[Record] = []
        self.groups: dict[str, list[Record]] = {}
        self.rejected: list[Rejected] = []
        for at in range(len(rows)):
            record_id = at if columns.id_at is None else values[columns.id_at][at]
            written = [to_text(values[place][at]) for place in columns.text_at]
            raw = " ".join(cell for cell in written if cell.strip()) if len(written) > 1 else written[0]
            normal = normalise(raw)
            if fault := fault_of(normal):
                self.rejected.append(Rejected(at + 1, record_id, fault[1]))
                continue
            fields = {name: values[place][at] for name, place in columns.others if not is_missing(values[place][at])}
            record = Record(record_id, raw, "", fields)
            self.records.append(record)
            self.groups.setdefault(normal, []).append(record)
