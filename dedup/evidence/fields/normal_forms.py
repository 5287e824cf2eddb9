"""Normal forms of the values of a column, each made once for every distinct value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.fields.contacts import domain_of, phone_of
from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.identifiers import identifier_of, scheme_named
from dedup.evidence.fields.placeholders import is_placeholder, may_be_placeholder
from dedup.evidence.fields.places import city_of, country_of, padded, postcode_of, state_of, street_of
from dedup.evidence.fields.quantities import date_of, is_day_first, number_of_value
from dedup.runtime.string_arrays import Strings, strings
from dedup.text.normalise import normalise

Codes = NDArray[np.int32]

_OF_A_COUNTRY = frozenset({FieldKind.POSTCODE, FieldKind.ID, FieldKind.PHONE})
"""Kinds whose normal form depends on the record's country."""
_FIVE_DIGITS = 5


class Coded(NamedTuple):
    """The values of n records: ``distinct`` ones (k,), and the position of each record's among them (n,)."""

    distinct: Strings
    codes: Codes

    @classmethod
    def of(cls, values: Sequence[str] | Coded) -> Coded:
        """Return values (n,) in this form."""
        if isinstance(values, Coded):
            return values
        seen: dict[str, int] = {}
        codes = np.fromiter((seen.setdefault(value, len(seen)) for value in values), np.int32, len(values))
        return cls(strings(list(seen)), codes)

    def beside(self, other: Coded) -> tuple[NDArray[np.int64], NDArray[np.int64], Codes]:
        """Return the distinct pairs of values of one record (k,), as codes of both sides, and that of each record."""
        if len(other.distinct) == 1:
            own = np.arange(len(self.distinct))
            return own, np.zeros(len(own), np.int64), self.codes
        keys = self.codes.astype(np.int64) * len(other.distinct) + other.codes
        pairs, codes = np.unique(keys, return_inverse=True)
        own, others = divmod(pairs, max(1, len(other.distinct)))
        return own, others, codes.astype(np.int32)


class Field(NamedTuple):
    """A column: its kind, and a value for each record as written; blank where it is missing."""

    kind: FieldKind
    values: Sequence[str] | Coded

    @property
    def n(self) -> int:
        """Number of records."""
        return len(self.values.codes if isinstance(self.values, Coded) else self.values)


class Forms(NamedTuple):
    """Normal forms (k,), which may repeat, the value that each is of (k,), and the position of each record's (n,)."""

    forms: Sequence[str]
    written: Sequence[str]
    codes: Codes


def forms_of(kind: FieldKind, values: Sequence[str], label: str = "") -> list[str]:
    """Return the normal form of each value of a column; empty where it has none."""
    field = Field(kind, values)
    found = normal_forms(label, field, _of_none(len(values)), habit_of(field))
    return [found.forms[code] for code in found.codes.tolist()]


def countries_of(fields: Mapping[str, Field], n: int) -> Coded:
    """Return the codes of the countries of n records; blank where they have none."""
    found = next((field.values for field in fields.values() if field.kind is FieldKind.COUNTRY), None)
    if found is None:
        return _of_none(n)
    written = Coded.of(found)
    countries = Coded.of([country_of(value) for value in written.distinct])
    return Coded(countries.distinct, countries.codes[written.codes])


def _of_none(n: int) -> Coded:
    return Coded(strings([""]), np.zeros(n, np.int32))


def habit_of(field: Field) -> bool | None:
    """Return how the values of a column are written, None for most kinds.

    Of dates, whether days come before months; of postcodes, whether leading zeros were lost.
    """
    if field.kind is FieldKind.DATE:
        return is_day_first(Coded.of(field.values).distinct)
    if field.kind is FieldKind.POSTCODE:
        forms = [postcode_of(value) for value in Coded.of(field.values).distinct]
        forms = [form for form in forms if any(map(str.isdecimal, form))]
        return 2 * sum(form.isdecimal() and len(form) == _FIVE_DIGITS for form in forms) > len(forms)
    return None


def normal_forms(label: str, field: Field, countries: Coded, habit: bool | None) -> Forms:
    """Return the normal forms of a column: one for each distinct value, and country where it matters."""
    values = Coded.of(field.values)
    countries = countries if field.kind in _OF_A_COUNTRY else _of_none(field.n)
    own, of_country, codes = values.beside(countries)
    written, places = values.distinct[own].tolist(), countries.distinct[of_country].tolist()
    form = _normaliser(label, field.kind, day_first=habit is not False)
    forms = [
        "" if _is_blank(value, field.kind) else form(value, place) for value, place in zip(written, places, strict=True)
    ]
    if field.kind is FieldKind.POSTCODE and habit:
        forms = [padded(form, place) for form, place in zip(forms, places, strict=True)]
    return Forms(forms, written, codes)


def _normaliser(label: str, kind: FieldKind, *, day_first: bool) -> Callable[[str, str], str]:
    if kind is FieldKind.ID:
        scheme = scheme_named(label)
        return lambda value, country: identifier_of(value, scheme, country)
    if kind is FieldKind.DATE:
        return lambda value, _: date_of(value, day_first=day_first)
    if kind is FieldKind.PHONE:
        return phone_of
    if kind is FieldKind.POSTCODE:
        return postcode_of
    form = _SIMPLE[kind]
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
