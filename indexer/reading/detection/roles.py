"""Choose the columns of a table that hold the text, the id and the place, by their names and their values.

Each column is judged by its name (``header_names``) and by the first rows (``samples``). The text is the column with
the best sum, letters that are long and varied; the id the column that its name calls one and whose values are unique or
nearly so; without such a name, the first column of unique values of one shape, such as K-00123. A name alone never
makes an id of values that repeat, unless it is ``id`` itself: what repeats in it may be an error in the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.reading.detection.header_names import Meaning, may_be_half_of_a_name, meaning_of
from indexer.reading.detection.samples import Cells, cells_of

SAMPLE_ROWS = 500
"""Rows by which columns are judged."""

_MIN_TEXT = 0.55
_MARGIN = 0.1
_MIN_WORDS = 0.2
_MIN_ROWS_UNNAMED_ID = 10
_MIN_ROWS_OF_ONE_LENGTH = 3
_MIN_DISTINCT = 0.95
_MIN_DISTINCT_AMONG_OTHERS = 0.5
"""Less varied values, such as one for all rows, are no error in the data of ``id`` where another column holds ids."""
_MIN_FILLED = 0.95
_MIN_FILLED_NAMED = 0.5
_CLEAR_NAME = 0.9
_FAIR = 0.5


@dataclass(frozen=True, slots=True)
class Roles:
    """Positions of the text columns (empty if none is clear) and of the id column."""

    text: tuple[int, ...]
    id: int | None


@dataclass(frozen=True, slots=True)
class Places:
    """Positions of the columns that hold the parts of an address."""

    city: int | None = None
    postcode: int | None = None
    country: int | None = None


@dataclass(frozen=True, slots=True)
class _Column:
    at: int
    name: str
    meaning: Meaning
    cells: Cells


def roles_of(names: Sequence[str], sample: Sequence[Sequence[str]]) -> Roles:
    """Return which of the columns hold the text and the id; ``sample`` are the cells of the first rows."""
    columns = _columns(names, sample)
    text = _text_of(columns)
    return Roles(text, _id_of([column for column in columns if column.at not in text], bool(text) or len(names) > 1))


def id_of(names: Sequence[str], sample: Sequence[Sequence[str]], without: Sequence[int]) -> int | None:
    """Return which of the columns, but for those at ``without``, holds the id."""
    return _id_of([column for column in _columns(names, sample) if column.at not in without], True)


def places_of(names: Sequence[str], sample: Sequence[Sequence[str]]) -> Places:
    """Return which of the columns hold the city, the postcode and the country."""
    columns = _columns(names, sample)
    found = {kind: [one for one in columns if one.meaning.kind == kind] for kind in ("city", "postcode", "country")}
    fitting = {
        "city": [one for one in found["city"] if not one.cells.rows or one.cells.digits < 0.5],
        "postcode": [one for one in found["postcode"] if not one.cells.rows or one.cells.length <= 12],
        "country": [one for one in found["country"] if not one.cells.rows or one.cells.digits < 0.5],
    }
    best = {kind: max(ones, key=lambda one: (one.cells.filled, -one.at)) for kind, ones in fitting.items() if ones}
    return Places(**{kind: one.at for kind, one in best.items()})


def _columns(names: Sequence[str], sample: Sequence[Sequence[str]]) -> list[_Column]:
    rows = [row for row in sample[:SAMPLE_ROWS] if any(map(str.strip, row))]
    return [_Column(at, name, meaning_of(name), cells_of([row[at] for row in rows])) for at, name in enumerate(names)]


def _text_of(columns: Sequence[_Column]) -> tuple[int, ...]:
    """Return the text column, both columns of a person's name, or nothing if no column is clearly the text."""
    if len(columns) == 1:
        (only,) = columns
        is_id = only.meaning.id > 0 and only.cells.rows > 0 and only.cells.words < _MIN_WORDS
        return () if is_id else (only.at,)
    named = [one for one in columns if one.meaning.text > 0]
    misnamed = [one for one in columns if one.meaning.id > 0 and one.cells.as_id < 0.5 and one.cells.text >= _MIN_TEXT]
    named = [one for one in named if one.cells.words >= _MIN_WORDS] or misnamed or named
    best = max(named, key=lambda one: (round(2 * one.meaning.text + one.cells.text, 1), -one.at), default=None)
    person = _person_of(columns, best)
    if best is not None:
        is_fair = best.meaning.text <= _FAIR or (best.cells.rows > 0 and best.cells.words < _MIN_WORDS)
        return person if len(person) == 2 and (best.at in person or is_fair) else (best.at,)
    if person:
        return person
    others = [one for one in columns if one.meaning.kind is None and one.meaning.id <= 0]
    ranked = sorted(others, key=lambda one: one.cells.text, reverse=True)
    if len(ranked) == 1 and len(columns) == 2:
        return (ranked[0].at,)
    if not ranked or ranked[0].cells.text < _MIN_TEXT:
        return ()
    is_clear = len(ranked) == 1 or ranked[0].cells.text >= ranked[1].cells.text + _MARGIN
    return (ranked[0].at,) if is_clear else ()


def _person_of(columns: Sequence[_Column], best: _Column | None) -> tuple[int, ...]:
    """Return the columns of the given name and the surname; one of the two may be called a name."""
    kinds = ("first name", "last name")
    first, last = (next((one for one in columns if one.meaning.kind == kind), None) for kind in kinds)
    if best is not None and (first is None) != (last is None) and may_be_half_of_a_name(best.name):
        first, last = first or best, last or best
    return tuple(one.at for one in (first, last) if one is not None)


def _id_of(columns: Sequence[_Column], may_be_unnamed: bool) -> int | None:
    named = [one for one in columns if one.meaning.id > 0.3 and _holds_ids(one)]
    if named:
        varied = [one for one in named if one.cells.distinct >= _MIN_DISTINCT_AMONG_OTHERS]
        return max(varied or named, key=lambda one: (one.meaning.id, -one.at)).at
    unnamed = (one for one in columns if one.meaning == Meaning() or (one.meaning.id == 0 and one.cells.words < 0.2))
    return next((one.at for one in unnamed if _is_surely_id(one)), None) if may_be_unnamed else None


def _holds_ids(one: _Column) -> bool:
    """Whether the values of a column with the name of an id are ids."""
    cells = one.cells
    if not cells.rows or one.meaning.id == 1:
        return True
    least = _MIN_FILLED_NAMED if one.meaning.id >= _CLEAR_NAME else _MIN_FILLED
    return cells.filled >= least and cells.distinct >= _MIN_DISTINCT and cells.as_id >= _MIN_FILLED


def _is_surely_id(one: _Column) -> bool:
    """Whether the values of a column without a telling name are ids: all different and of one shape."""
    cells = one.cells
    is_first_of_one_length = one.at == 0 and cells.lengths == 1
    least_rows = _MIN_ROWS_OF_ONE_LENGTH if is_first_of_one_length else _MIN_ROWS_UNNAMED_ID
    is_unique = cells.rows >= least_rows and cells.filled == 1 and cells.repeats == 0
    return is_unique and cells.as_id == 1 and cells.digits >= 0.9 and (cells.lengths <= 2 or one.at == 0)
