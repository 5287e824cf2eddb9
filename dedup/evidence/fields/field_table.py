"""Columns of fields in normal form, as codes of distinct values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.errors import UsageError
from dedup.evidence.fields.contacts import domain_of, phone_of
from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.identifiers import identifier_of, scheme_named
from dedup.evidence.fields.placeholders import is_placeholder, may_be_placeholder
from dedup.evidence.fields.places import city_of, country_of, padded, postcode_of, state_of, street_of
from dedup.evidence.fields.quantities import date_of, is_day_first, number_of_value
from dedup.text.names import parse
from dedup.text.normalise import normalise

Codes = NDArray[np.int32]

MISSING = -1
MANY_NAMES = 20
"""An id, phone number or domain that records of more names than this hold tells nothing about any of them."""
_SHARED = frozenset({FieldKind.ID, FieldKind.PHONE, FieldKind.DOMAIN})
_OF_A_COUNTRY = frozenset({FieldKind.POSTCODE, FieldKind.ID, FieldKind.PHONE})
"""Kinds whose normal form depends on the record's country."""
_FIVE_DIGITS = 5


class Frequencies(NamedTuple):
    """How often values occur in a corpus.

    Attributes:
        records: Number of its records; 0 if there is no corpus.
        counts: By the label of the column, empty for the names: how many records hold each normal form. One that is
            not listed is held by one record; 0 stands for one that tells nothing, since records of many names hold it.
        usual: How many records hold a value of a field that is not listed.

    """

    records: int
    counts: Mapping[str, Mapping[str, int]]
    usual: int = 1


NO_CORPUS = Frequencies(0, {}, 3)
"""Where nothing is known of other records, a value is as frequent as the shipped weights take it to be."""


class Field(NamedTuple):
    """A column: its kind, and a value for each record as written; blank where it is missing."""

    kind: FieldKind
    values: Sequence[str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of n records in normal form.

    Attributes:
        label: Name of the column, for people.
        kind: What it holds.
        codes: Position of each record's value in ``forms`` (n,); ``MISSING`` where it has none.
        forms: Distinct normal forms.
        written: Each of them for people.
        counts: How many records of the corpus hold each; 0 if it tells nothing, so that no code is its position.

    """

    label: str
    kind: FieldKind
    codes: Codes
    forms: tuple[str, ...]
    written: tuple[str, ...]
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FieldTable:
    """The fields of n records, and the names they belong to.

    Attributes:
        columns: The fields.
        names: The records' names as a column of kind ``company``.
        records: Number of records of the corpus that the counts are of.

    """

    columns: tuple[Column, ...]
    names: Column
    records: int

    @classmethod
    def of(
        cls,
        names: Sequence[str],
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
        n = len(names)
        for label, field in fields.items():
            if len(field.values) != n:
                raise UsageError(f"The field {label!r} has {len(field.values)} values for {n} records.")
        normals = names if are_normal else list(map(normalise, names))
        of_names = _column(
            "name", FieldKind.COMPANY, names, normals, None if corpus is None else corpus.counts.get("", {})
        )
        countries = _countries_of(fields, n)
        columns = tuple(
            _column(
                *(label, field.kind, field.values, forms),
                None if corpus is None else corpus.counts.get(label, {}),
                1 if corpus is None else corpus.usual,
            )
            for label, field in fields.items()
            for forms in [_other_names(_forms_of(label, field, countries), field, normals)]
        )
        if corpus is None:
            columns = tuple(_without_shared(column, of_names) for column in columns)
        return cls(columns, of_names, n if corpus is None else corpus.records)

    def frequencies(self) -> Frequencies:
        """Return how many records hold each value."""
        columns = [("", self.names), *((column.label, column) for column in self.columns)]
        counts = {label: zip(column.forms, column.counts.tolist(), strict=True) for label, column in columns}
        several = {label: {form: n for form, n in pairs if n != 1} for label, pairs in counts.items()}
        return Frequencies(self.records, several)

    def shared(self) -> dict[str, list[str]]:
        """Return by column the values that tell nothing, because records of too many names hold them."""
        return {
            column.label: found
            for column in self.columns
            if (found := [column.written[at] for at in np.flatnonzero(column.counts == 0).tolist()])
        }


def forms_of(kind: FieldKind, values: Sequence[str], label: str = "") -> list[str]:
    """Return the normal form of each value of a column; empty where it has none."""
    return _forms_of(label, Field(kind, values), [""] * len(values))


def _countries_of(fields: Mapping[str, Field], n: int) -> Sequence[str]:
    found = next((field.values for field in fields.values() if field.kind is FieldKind.COUNTRY), None)
    if found is None:
        return [""] * n
    codes = {value: country_of(value) for value in set(found)}
    return [codes[value] for value in found]


def _forms_of(label: str, field: Field, countries: Sequence[str]) -> list[str]:
    """Return normal forms, each computed once for every distinct value (and country, where it matters)."""
    form = _normaliser(label, field)
    here = countries if field.kind in _OF_A_COUNTRY else [""] * len(countries)
    keys = list(zip(field.values, here, strict=True))
    of_key = {key: "" if _is_blank(key[0], field.kind) else form(*key) for key in set(keys)}
    if field.kind is FieldKind.POSTCODE:
        of_key = _with_zeros(of_key)
    return [of_key[key] for key in keys]


def _other_names(forms: list[str], field: Field, names: Sequence[str]) -> list[str]:
    """Return further names without those that repeat the record's own name, which has been compared already."""
    if field.kind is not FieldKind.COMPANY:
        return forms
    return [
        "" if form and parse(form).core == parse(name).core else form for form, name in zip(forms, names, strict=True)
    ]


def _normaliser(label: str, field: Field) -> Callable[[str, str], str]:
    if field.kind is FieldKind.ID:
        scheme = scheme_named(label)
        return lambda value, country: identifier_of(value, scheme, country)
    if field.kind is FieldKind.DATE:
        day_first = is_day_first(field.values)
        return lambda value, _: date_of(value, day_first=day_first)
    if field.kind is FieldKind.PHONE:
        return phone_of
    if field.kind is FieldKind.POSTCODE:
        return postcode_of
    form = _SIMPLE[field.kind]
    return lambda value, _: form(value)


_SIMPLE: Mapping[FieldKind, Callable[[str], str]] = {
    FieldKind.COUNTRY: country_of,
    FieldKind.STATE: state_of,
    FieldKind.CITY: city_of,
    FieldKind.STREET: street_of,
    FieldKind.DOMAIN: domain_of,
    FieldKind.NUMBER: number_of_value,
    FieldKind.CATEGORY: normalise,
    FieldKind.COMPANY: normalise,
}


def _is_blank(value: str, kind: FieldKind) -> bool:
    """Return whether a cell has no value: nothing, marks only, or a placeholder; ``NA`` is Namibia, and 0 a number."""
    text = value.strip()
    if not any(map(str.isalnum, text)):
        return True
    is_value = text.isdecimal() or (kind is FieldKind.COUNTRY and text.casefold() == "na")
    return not is_value and (is_placeholder(text) or may_be_placeholder(text))


def _with_zeros(forms: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    digits = [len(form) for form in forms.values() if form.isdecimal()]
    if 2 * sum(length == _FIVE_DIGITS for length in digits) <= len(forms):
        return forms
    return {key: padded(form, key[1]) for key, form in forms.items()}


def _column(
    label: str,
    kind: FieldKind,
    values: Sequence[str],
    forms: Sequence[str],
    known: Mapping[str, int] | None,
    usual: int = 1,
) -> Column:
    written = {form: value for form, value in zip(reversed(forms), reversed(values), strict=True) if form}
    at = {form: i for i, form in enumerate(sorted(written))}
    codes = np.array([at.get(form, MISSING) for form in forms], dtype=np.int32)
    held = Counter(forms) if known is None else known
    counts = np.array([held.get(form, usual) for form in at], dtype=np.int64)
    if len(counts):
        codes = np.where((codes >= 0) & (counts[codes] > 0), codes, MISSING).astype(np.int32)
    return Column(
        label,
        kind,
        codes,
        tuple(at),
        tuple(_shown(kind, form, written[form]) for form in at),
        counts,
    )


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
    if column.kind not in _SHARED or not column.forms:
        return column
    has = column.codes >= 0
    held = np.unique(np.stack([column.codes[has], names.codes[has]]), axis=1)[0]
    is_shared = np.bincount(held, minlength=len(column.forms)) > MANY_NAMES
    codes = np.where(has & ~is_shared[column.codes], column.codes, MISSING).astype(np.int32)
    counts = np.where(is_shared, 0, column.counts)
    return Column(column.label, column.kind, codes, column.forms, column.written, counts)
