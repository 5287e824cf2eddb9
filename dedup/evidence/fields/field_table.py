"""Columns of fields in normal form, as codes of distinct values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.errors import UsageError
from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.normal_forms import (
    Coded,
    Codes,
    Field,
    Forms,
    countries_of,
    habit_of,
    normal_forms,
)
from dedup.runtime.string_arrays import Strings, strings
from dedup.text.names import parse
from dedup.text.normalise import normalise

MISSING = -1
MANY_NAMES = 20
"""An id, phone number or domain that records of more names than this hold tells nothing about any of them."""
_SHARED = frozenset({FieldKind.ID, FieldKind.PHONE, FieldKind.DOMAIN})


class Frequencies(NamedTuple):
    """How often values occur in a corpus.

    Attributes:
        records: Number of its records; 0 if there is no corpus.
        counts: By the label of the column, empty for the names: how many records hold each normal form. One that is
            not listed is held by one record; 0 stands for one that tells nothing, since records of many names hold it.
        usual: How many records hold a value of a field that is not listed.
        habits: By the label of a column of dates, whether days come before months; of one of postcodes, whether leading
            zeros were lost. For one that is not listed, its own values tell.

    """

    records: int
    counts: Mapping[str, Mapping[str, int]]
    usual: int = 1
    habits: Mapping[str, bool] = MappingProxyType({})


NO_CORPUS = Frequencies(0, {}, 3)
"""Where nothing is known of other records, a value is as frequent as the shipped weights take it to be."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of n records in normal form.

    Attributes:
        label: Name of the column, for people.
        kind: What it holds.
        codes: Position of each record's value in ``forms`` (n,); ``MISSING`` where it has none.
        forms: Distinct normal forms (k,).
        written: Each of them for people (k,).
        counts: How many records of the corpus hold each (k,); 0 if it tells nothing, so that no code is its position.

    """

    label: str
    kind: FieldKind
    codes: Codes
    forms: Strings
    written: Strings
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FieldTable:
    """The fields of n records, and the names they belong to.

    Attributes:
        columns: The fields.
        names: The records' names as a column of kind ``company``.
        records: Number of records of the corpus that the counts are of.
        habits: As in ``Frequencies``.

    """

    columns: tuple[Column, ...]
    names: Column
    records: int
    habits: Mapping[str, bool]

    @classmethod
    def of(
        cls,
        names: Sequence[str] | Coded,
        fields: Mapping[str, Field],
        corpus: Frequencies | None = None,
        *,
        are_normal: bool = False,
    ) -> FieldTable:
        """Bring the fields of n records with ``names`` (n) into normal form; ``are_normal`` if the names are.

        For records of another corpus, or of one as it was, ``corpus`` tells how many of its records hold each normal
        form, as ``frequencies`` returns them; without it, the n records are the corpus.

        Raises:
            UsageError: a field has not n values, or needs a library of ``neardup[fields]``.
        """
        written = Coded.of(names)
        n = len(written.codes)
        for label, field in fields.items():
            if field.n != n:
                raise UsageError(f"The field {label!r} has {field.n} values for {n} records.")
        own = written.distinct.tolist()
        of_names = Forms(own if are_normal else [normalise(name) for name in own], own, written.codes)
        held = None if corpus is None else corpus.counts.get("", {})
        name_column = _column("name", FieldKind.COMPANY, of_names, held)
        countries = countries_of(fields, n)
        known = {} if corpus is None else corpus.habits
        habits = {label: known[label] if label in known else habit_of(field) for label, field in fields.items()}
        columns = []
        for label, field in fields.items():
            forms = normal_forms(label, field, countries, habits[label])
            if field.kind is FieldKind.COMPANY:
                forms = _other_names(forms, of_names)
            counts, usual = (None, 1) if corpus is None else (corpus.counts.get(label, {}), corpus.usual)
            columns.append(_column(label, field.kind, forms, counts, usual))
        kept = {label: habit for label, habit in habits.items() if habit is not None}
        found = cls(tuple(columns), name_column, n if corpus is None else corpus.records, kept)
        return found.without_shared() if corpus is None else found

    def without_shared(self) -> FieldTable:
        """Return the same without the values that records of too many of these names hold."""
        return replace(self, columns=tuple(_without_shared(column, self.names) for column in self.columns))

    def frequencies(self) -> Frequencies:
        """Return how many records hold each value."""
        columns = [("", self.names), *((column.label, column) for column in self.columns)]
        several = {label: np.flatnonzero(column.counts != 1) for label, column in columns}
        counts = {
            label: dict(zip(column.forms[several[label]].tolist(), column.counts[several[label]].tolist(), strict=True))
            for label, column in columns
        }
        return Frequencies(self.records, counts, habits=self.habits)

    def shared(self) -> dict[str, list[str]]:
        """Return by column the values that tell nothing, because records of too many names hold them."""
        return {
            column.label: found
            for column in self.columns
            if (found := sorted(column.written[column.counts == 0].tolist()))
        }


def _other_names(own: Forms, names: Forms) -> Forms:
    """Return further names without those that repeat the record's own name, which has been compared already."""
    further, name, codes = Coded(strings(own.forms), own.codes).beside(Coded(strings(names.forms), names.codes))
    pairs = [(own.forms[at], names.forms[of]) for at, of in zip(further.tolist(), name.tolist(), strict=True)]
    forms = ["" if form and parse(form).core == parse(str(of)).core else form for form, of in pairs]
    return Forms(forms, [own.written[at] for at in further.tolist()], codes)


def _column(
    label: str, kind: FieldKind, found: Forms, known: Mapping[str, int] | None = None, usual: int = 1
) -> Column:
    """Return a column; ``known`` tells how many records hold each form, and ``usual`` how many one that is not there.

    Without ``known`` the records of the column are counted.
    """
    at: dict[str, int] = {}
    of_found = [at.setdefault(form, len(at)) if form else MISSING for form in found.forms]
    codes = np.array(of_found, np.int32)[found.codes]
    rows = np.flatnonzero(codes >= 0)
    used, first, position = np.unique(codes[rows], return_index=True, return_inverse=True)
    codes[rows] = position
    forms = strings(list(at))[used]
    if known is None:
        counts = np.bincount(position, minlength=len(used))
    else:
        counts = np.array([known.get(form, usual) for form in forms.tolist()], np.int64)
        codes[rows[counts[position] == 0]] = MISSING
    if found.written is found.forms:
        return Column(label, kind, codes, forms, forms, counts)
    values = (found.written[key] for key in found.codes[rows[first]].tolist())
    shown = [_shown(kind, form, value) for form, value in zip(forms.tolist(), values, strict=True)]
    return Column(label, kind, codes, forms, strings(shown), counts)


def _shown(kind: FieldKind, form: str, written: str) -> str:
    """Return a value for people: as a record has it, but for what only other records with this form may have.

    ``89073`` stands for ``89073-0126`` and ``D-89073``, ``+49731123456`` for a number in any notation.
    """
    shown = " ".join(written.split())
    is_longer = kind is FieldKind.POSTCODE and sum(map(str.isalnum, shown)) != len(form)
    is_phone = kind is FieldKind.PHONE and form.startswith("+")
    return form if kind is FieldKind.DOMAIN or is_longer or is_phone else shown


def _without_shared(column: Column, names: Column) -> Column:
    """Return an id, phone or domain column without the values that records of many names hold."""
    if column.kind not in _SHARED or not len(column.forms):
        return column
    has = np.flatnonzero(column.codes >= 0)
    n_names = len(names.forms) + 1  # those without a name are of one
    held = np.unique(column.codes[has].astype(np.int64) * n_names + names.codes[has] + 1) // n_names
    is_shared = np.bincount(held, minlength=len(column.forms)) > MANY_NAMES
    codes, counts = column.codes.copy(), np.where(is_shared, 0, column.counts)
    codes[has[is_shared[codes[has]]]] = MISSING
    return replace(column, codes=codes, counts=counts)
