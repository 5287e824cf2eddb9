"""Read labelled pairs from files of any format and layout; bad rows are rejected one by one, as in an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import numpy as np

from dedup.errors import InputRefused, UsageError
from dedup.evaluation.pair_set import PairSet
from dedup.runtime.progress import Progress, with_total
from dedup.text.normalise import normalise
from indexer.ingest.intake import fault_of_row
from indexer.ingest.reject_rate import RejectRate
from indexer.reading.detection.pair_columns import PairColumns
from indexer.reading.labels import MOST_CLASSES, NO_CONSENSUS, Kind, binary_of, class_of, grade_of, kind_of, means_same
from indexer.reading.open import ReadOptions, Row, Table, open_table
from indexer.reading.rejects import Reject

KINDS: tuple[Kind, ...] = ("binary", "classes", "graded")
_JUDGED = 10_000
"""Rows by which the kind of the labels is judged."""
_PROGRESS_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to read the pairs.

    Attributes:
        first, second, label: Names of the columns; None to find them.
        labels: What the labels are; None to judge by them.
        same: Classes that count as the same; empty for those whose names say so.
        max_reject_rate: Share of bad rows from which the input is refused.

    """

    first: str | None = None
    second: str | None = None
    label: str | None = None
    labels: Kind | None = None
    same: Sequence[str] = ()
    max_reject_rate: float = 0.05


@dataclass(slots=True)
class _Found:
    """The pairs so far."""

    left: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)
    labels: list[str | float] = field(default_factory=list)
    unlabelled: int = 0


def kind_asked(name: str | None) -> Kind | None:
    """Return the kind of labels with this name; None for None."""
    return next((kind for kind in KINDS if kind == name), None)


def read_pairs(
    files: Sequence[str],
    wanted: Wanted,
    options: ReadOptions,
    on_reject: Callable[[Reject], None],
    progress: Progress,
    notify: Callable[[str], None],
) -> PairSet:
    """Return the pairs of all files; each may have columns of its own, but all labels are of one kind.

    Raises:
        InputRefused: a file cannot be read, has no such columns, or too many of its rows are bad.
        UsageError: a class that is asked for does not occur.
    """
    if files.count("-") > 1:
        raise UsageError("Standard input (-) can be read only once.")
    rows = chain.from_iterable(_rows(file, wanted, options, progress, notify) for file in files)
    head = list(islice(rows, _JUDGED))
    labels = [label for row, _, label in head if isinstance(row, Row) and label.strip() not in ("", NO_CONSENSUS)]
    kind = wanted.labels or kind_of(labels)
    rate, found = RejectRate(wanted.max_reject_rate), _Found()
    for row, second, label in chain(head, rows):
        rate.rows_in += 1
        bad = row if isinstance(row, Reject) else _take(found, row, second, label, kind)
        if bad is not None:
            rate.reject(bad.message)
            on_reject(bad)
            rate.judge(max(rate.rows_in, _JUDGED))
    rate.judge(rate.rows_in)
    rate.finish()
    if found.unlabelled:
        notify(f"{found.unlabelled:,} pairs without a label ({NO_CONSENSUS}) are left out.")
    return _pairs(found, kind, wanted.same)


def read_texts(
    file: str,
    options: ReadOptions,
    on_reject: Callable[[Reject], None],
    wanted: Wanted,
    progress: Progress,
    notify: Callable[[str], None],
) -> list[str]:
    """Return the distinct normal forms of the texts of a file.

    Raises:
        InputRefused: it cannot be read, or too many of its rows are bad.
    """
    rate, found = RejectRate(wanted.max_reject_rate), dict[str, None]()
    with open_table(file, replace(options, id_column=options.id_column or "")) as table:
        for row in _reported(table, progress):
            rate.rows_in += 1
            if isinstance(row, Row):
                normal, fault = _normal(row, row.raw, None)
                if fault is None:
                    found[normal] = None
                    continue
                row = fault
            rate.reject(row.message)
            on_reject(row)
        _warn(table, notify)
    rate.judge(rate.rows_in)
    rate.finish()
    return list(found)


def _rows(
    file: str, wanted: Wanted, options: ReadOptions, progress: Progress, notify: Callable[[str], None]
) -> Iterator[tuple[Row | Reject, str, str]]:
    """Yield each row of a file with its second text and its label."""
    columns = PairColumns(wanted.first, wanted.second, wanted.label)
    with open_table(file, replace(options, text_columns=(), id_column="", find_text=columns)) as table:
        if not table.columns:
            return
        if None in (wanted.first, wanted.second, wanted.label):
            notify(
                f"{table.name}: texts from the columns {columns.first!r} and {columns.second!r}, labels from "
                f"{columns.label!r}. To change that, use --first, --second and --label."
            )
        for row in _reported(table, progress):
            if isinstance(row, Reject):
                yield row, "", ""
            else:
                yield row, row.fields.get(columns.second or "", ""), row.fields.get(columns.label or "", "")
        _warn(table, notify)


def _reported(table: Table, progress: Progress) -> Iterator[Row | Reject]:
    estimated = with_total(progress, table, "read")
    for row in table:
        yield row
        if table.rows_in % _PROGRESS_ROWS == 0:
            estimated("read", table.rows_in, None)
    progress("read", table.rows_in, table.rows_in)


def _warn(table: Table, notify: Callable[[str], None]) -> None:
    for sentence in table.warnings:
        notify(f"Warning: {sentence}")


def _take(found: _Found, row: Row, second: str, label: str, kind: Kind) -> Reject | None:
    """Add a pair; return a reject if it is bad."""
    if label.strip() == NO_CONSENSUS:
        found.unlabelled += 1
        return None
    value: float | str | None
    value = binary_of(label) if kind == "binary" else grade_of(label) if kind == "graded" else class_of(label)
    if value is None or value == "":
        allowed = {"binary": "0 or 1", "graded": "a number from 0 to 5", "classes": "the name of a class"}[kind]
        return row.reject(
            "E_LABEL",
            None,
            f"The label is {label[:100]!r}, not {allowed}. Correct it, or say what the labels are with --labels.",
        )
    sides = []
    for text, which in ((row.raw, "first"), (second, "second")):
        normal, fault = _normal(row, text, which)
        if fault is not None:
            return fault
        sides.append(normal)
    found.left.append(sides[0])
    found.right.append(sides[1])
    found.labels.append(value)
    return None


def _normal(row: Row, text: str, which: str | None) -> tuple[str, Reject | None]:
    """Return the normal form of a text, or why the row is rejected."""
    whose = f"The {which} text: " if which else ""
    normal = normalise(text)
    fault = fault_of_row(text, normal)
    return normal, None if fault is None else row.reject(fault[0], None, whose + fault[1])


def _pairs(found: _Found, kind: Kind, same: Sequence[str]) -> PairSet:
    if kind != "classes":
        classes = () if kind == "graded" else ("0", "1")
        targets = np.array(found.labels, dtype=np.float64)
        return PairSet(found.left, found.right, targets, kind, classes, frozenset({1}) if classes else frozenset())
    names = sorted({str(label) for label in found.labels})
    if len(names) > MOST_CLASSES:
        raise InputRefused(
            f"The labels have {len(names):,} different values, such as {names[0]!r}; name the column of the labels "
            "with --label.",
            "E_NO_LABEL_COLUMN",
        )
    asked = [class_of(name) for name in same]
    if unknown := [name for name in asked if name not in names]:
        raise UsageError(f"--same {unknown[0]!r} is none of the classes {', '.join(names)}.")
    number = {name: at for at, name in enumerate(names)}
    targets = np.array([number[str(label)] for label in found.labels], dtype=np.float64)
    alike = frozenset(number[name] for name in (asked or filter(means_same, names)))
    return PairSet(found.left, found.right, targets, kind, tuple(names), alike)
