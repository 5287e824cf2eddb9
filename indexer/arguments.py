"""Arguments of the Python API: each is checked before any work is done, and a bad one is named."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from numbers import Real
from pathlib import Path
from typing import Any, TypedDict

from dedup.errors import UsageError
from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.kinds import KINDS
from dedup.matching.matcher import Matcher
from dedup.model import load_model
from indexer.ingest import id_types
from indexer.jobs.report_tables import Tables
from indexer.jobs.reporting.cluster_facts import MOST_COMPLETE, Keep
from indexer.models.choice import asked_model
from indexer.outputs.record_pairs import MAX_PAIRS
from indexer.outputs.report_formats import report_formats
from indexer.outputs.table_files import style_of
from indexer.reading.formats.python_rows import PythonTable, cell_of, rows_of
from indexer.reading.inputs import Input
from indexer.reading.rows import ReadingOptions, ReadOptions

Label = str | int
"""The name of a column; a number where the columns of a data frame are numbered."""
TextColumns = Label | Sequence[Label] | None
"""A column, several to be joined with a space, or None: the column is found by its name."""
FieldColumns = Label | Sequence[Label] | Mapping[Label, str | None] | None
"""Columns that serve as evidence: names, or a dict of names and kinds, of which None is found; empty for none."""
FieldValues = Mapping[str, object]
"""Values of the fields of one text, by name."""
Sources = str | Iterable[str]
"""The name of a source, or those of several."""
ModelOption = Matcher | str | os.PathLike[str] | None
"""A model, its directory or name, or None: that of the index or of ``DEDUP_MODEL``, or else the shipped one."""
DEFAULT_SOURCE = "python"
"""Source of rows that are given as Python objects, unless one is named."""

_OF_FILES = ReadingOptions.__annotations__.keys() - {"fix_mojibake"}


class ReportOptions(TypedDict, total=False):
    """How the tables of a report are written; see ``dedup report`` in docs/cli.md and docs/output-files.md."""

    formats: str | Sequence[str]
    columns: Sequence[str] | None
    explain: bool
    max_pairs: int
    records: bool
    keep: str | Sequence[str]
    delimiter: str | None
    bom: bool
    locale: str | None
    raw: bool
    full: bool
    since: int | None
    branches: str


def merges_branches(branches: object) -> bool:
    """Return whether records of one name in different towns are one. Raises ``UsageError`` for an unknown rule."""
    if branches not in ("merge", "separate"):
        raise UsageError(f"branches is {branches!r}; give 'merge' or 'separate'.")
    return branches == "merge"


def tables_of(options: ReportOptions) -> Tables:
    """Return how the tables of a report are written. Raises ``UsageError`` for an unknown option or value."""
    if unknown := sorted(options.keys() - ReportOptions.__annotations__.keys()):
        known = ", ".join(ReportOptions.__annotations__)
        raise UsageError(f"There is no option {unknown[0]!r}; the options of a report are {known}.")
    formats = options.get("formats", "csv")
    if not isinstance(formats, Sequence) or not all(isinstance(name, str) for name in formats):
        raise UsageError(f"formats is {formats!r}; give a list of names, such as ['csv', 'html'].")
    asked = report_formats([formats] if isinstance(formats, str) else formats, "formats")
    columns = options.get("columns")
    if isinstance(columns, str):
        raise UsageError(f"columns is {columns!r}; give a list of names.")
    style = style_of(
        raw=options.get("raw", False),
        delimiter=options.get("delimiter"),
        bom=options.get("bom", False),
        locale=options.get("locale"),
    )
    most = limit_of(options.get("max_pairs", MAX_PAIRS), "max_pairs")
    keep = options.get("keep", MOST_COMPLETE)
    if not isinstance(keep, Sequence) or not all(isinstance(rule, str) for rule in keep):
        raise UsageError(f"keep is {keep!r}; give a rule such as 'newest', or a list of rules.")
    rules = Keep((keep,) if isinstance(keep, str) else tuple(keep))
    explain, records = options.get("explain", False), options.get("records", False)
    return Tables(asked, style, columns, explain, most, records, rules)


def python_input_of(data: object, options: ReadOptions, source: str | None) -> tuple[PythonTable, Input]:
    """Return rows that are given as Python objects, as a table and as an input, which may be opened again."""
    name = source_of(DEFAULT_SOURCE if source is None else source)
    opener = partial(PythonTable, rows_of(data), id_text=id_types.to_text)
    return opener(options), Input(name, (), opener, source is not None)


def read_options_of(
    data: object, text: TextColumns, id: Label | None, reading: ReadingOptions, fields: FieldColumns = None
) -> ReadOptions:
    """Return how to read ``data``; raises ``UsageError`` for an option that there is not, or that is for files only."""
    known = ReadingOptions.__annotations__
    if unknown := sorted(reading.keys() - known):
        raise UsageError(f"There is no option {unknown[0]!r}; the options of reading are {', '.join(known)}.")
    if not isinstance(data, str | os.PathLike) and (for_files := sorted(reading.keys() & _OF_FILES)):
        raise UsageError(f"{for_files[0]}= applies only to files.")
    of_fields = field_columns_of(fields)
    return ReadOptions(
        text_columns=text_columns_of(text), id_column=id_column_of(id), field_columns=of_fields, **reading
    )


@cache
def default_model() -> Matcher:
    """Return the model that ships with neardup, which is loaded once."""
    return load_model()


def model_of(model: ModelOption) -> Matcher:
    """Return the requested model.

    Raises:
        UsageError: there is no such directory, and no model of this name.
        VersionMismatch: the directory holds none.
    """
    if model is None or isinstance(model, str | os.PathLike):
        return asked_model(None if model is None else os.fspath(model)) or default_model()
    return model


def kind_named(kind: str | None) -> str | None:
    """Return the name of a kind of texts, or None. Raises ``UsageError`` if there is no such kind."""
    if kind is not None and (not isinstance(kind, str) or kind not in KINDS):
        raise UsageError(f"kind is {kind!r}; give {', '.join(KINDS)}, or None.")
    return kind


def probability_of(min_probability: float | None, default: float) -> float:
    """Return ``min_probability``, or the default if it is None. Raises ``UsageError`` if it is not from 0 to 1."""
    return default if min_probability is None else share_of(min_probability, "min_probability")


def share_of(value: float, name: str) -> float:
    """Return a number from 0 to 1. Raises ``UsageError`` if it is not one; ``name`` is that of the argument."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        raise UsageError(f"{name} is {value!r}; give a number from 0 to 1.")
    return float(value)


def limit_of(limit: int, name: str = "limit") -> int:
    """Return ``limit``. Raises ``UsageError`` if it is not a whole number of at least 1; ``name`` is the argument's."""
    try:
        number = operator.index(limit)
    except TypeError:
        number = 0
    if number < 1:
        raise UsageError(f"{name} is {limit!r}; give a whole number of at least 1.")
    return number


def text_columns_of(text: TextColumns) -> list[str]:
    """Return the names of the text columns; none if they are to be found. Raises ``UsageError``."""
    labels = [] if text is None else [text] if isinstance(text, str | int) else text
    if not isinstance(labels, Sequence):
        raise UsageError(f"text is {text!r}; give the name of a column, or a list of names.")
    return [_label(label, "text") for label in labels]


def id_column_of(id: Label | None) -> str | None:
    """Return the name of the id column; None if it is to be found. Raises ``UsageError``."""
    return None if id is None else _label(id, "id")


def field_columns_of(fields: FieldColumns) -> list[tuple[str, str | None]]:
    """Return columns that serve as evidence with their kinds; an empty name if there are to be none.

    Raises ``UsageError``.
    """
    if fields is None:
        return []
    if isinstance(fields, str | int):
        fields = [fields]
    pairs = fields.items() if isinstance(fields, Mapping) else ((name, None) for name in fields)
    found = [(_label(name, "fields"), kind) for name, kind in pairs]
    if bad := [kind for _, kind in found if kind is not None and not isinstance(kind, str)]:
        raise UsageError(f"fields has the kind {bad[0]!r}; give one of {', '.join(FieldKind)}, or None to find it.")
    return found or [("", None)]


def field_values_of(
    fields: FieldValues | Sequence[FieldValues] | None, n: int, *, single: bool
) -> list[dict[str, str]]:
    """Return the values of fields of each of n texts, as they would be written in a table; none if none are given.

    Raises ``UsageError``.
    """
    if fields is None:
        return []
    listed: Any = [fields] if single else fields
    if not isinstance(listed, Sequence) or not all(isinstance(one, Mapping) for one in listed):
        what = "a dict of names and values" if single else "a list of dicts of names and values"
        raise UsageError(f"fields is {_shown(fields)}; give {what}.")
    if len(listed) != n:
        raise UsageError(f"fields has {len(listed)} dicts for {n} texts; give one for each.")
    return [{_label(name, "fields"): _written(value) for name, value in one.items()} for one in listed]


def _written(value: object) -> str:
    cell = cell_of(value)
    if not isinstance(cell, str):
        raise UsageError(f"fields has the value {_shown(value)}; give a str or a number.")
    return cell


def source_of(source: str) -> str:
    """Return the name of a source. Raises ``UsageError`` if it is not a string that can be stored."""
    if (
        not isinstance(source, str)
        or not source
        or "\0" in source
        or source != source.encode(errors="replace").decode()
    ):
        raise UsageError(f"source is {source!r}; give a text that is not empty and can be stored as UTF-8.")
    return source


def sources_of(sources: Sources) -> list[str]:
    """Return the names of one or several sources. Raises ``UsageError`` if one is no name, or there is none."""
    names = [source_of(one) for one in ([sources] if isinstance(sources, str) else sources)]
    if not names:
        raise UsageError("No source is named; give one or several.")
    return names


def path_of(path: object, name: str, wanted: str = "a directory") -> Path:
    """Return a path. Raises ``UsageError`` if it cannot be one; ``wanted`` says what to give."""
    place = os.fspath(path) if isinstance(path, str | os.PathLike) else b""
    with suppress(UnicodeEncodeError):  # half of a surrogate pair
        if isinstance(place, str) and place and b"\0" not in os.fsencode(place):
            return Path(place)
    raise UsageError(f"{name} is {_shown(path)}; give {wanted}.")


def text_of(text: object, name: str) -> str:
    """Return a text. Raises ``UsageError`` if it is anything else."""
    if not isinstance(text, str):
        raise UsageError(f"{name} is {_shown(text)}; give a str.")
    return text


def texts_of(texts: Iterable[object], name: str) -> list[str]:
    """Return a list of texts. Raises ``UsageError`` if it is not a list of strings."""
    is_table = isinstance(texts, str | bytes | Mapping) or hasattr(texts, "columns")
    if is_table or not isinstance(texts, Iterable):
        raise UsageError(f"{name} is {_shown(texts)}; give a list of str, or one column of a table.")
    return [text_of(text, f"{name}[{place}]") for place, text in enumerate(texts)]


def _label(label: object, name: str) -> str:
    if isinstance(label, bool) or not isinstance(label, str | int):
        raise UsageError(f"{name} is {label!r}; give the name of a column.")
    return str(label)


def _shown(value: object) -> str:
    text = repr(value)
    return f"a {type(value).__name__}" if "\n" in text or len(text) > 60 else text
