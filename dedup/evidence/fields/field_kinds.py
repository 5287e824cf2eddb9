"""The kinds of fields that serve as evidence."""

from __future__ import annotations

from enum import StrEnum

from dedup.errors import UsageError


class FieldKind(StrEnum):
    """What a column holds."""

    COUNTRY = "country"
    STATE = "state"
    CITY = "city"
    POSTCODE = "postcode"
    STREET = "street"
    ID = "id"
    PHONE = "phone"
    DOMAIN = "domain"
    DATE = "date"
    NUMBER = "number"
    CATEGORY = "category"
    COMPANY = "company"


PLACES = (FieldKind.COUNTRY, FieldKind.STATE, FieldKind.CITY, FieldKind.POSTCODE, FieldKind.STREET)
"""The levels of a place, from coarse to fine; together they are one piece of evidence."""

NEEDS_EXTRA = frozenset({FieldKind.ID, FieldKind.PHONE, FieldKind.DOMAIN})
"""Kinds whose normal forms come from the libraries of ``neardup[fields]``."""


def kind_named(name: str) -> FieldKind:
    """Return the kind with a name.

    Raises:
        UsageError: there is none.
    """
    try:
        return FieldKind(name)
    except ValueError:
        raise UsageError(f"{name!r} is no kind of field; choose one of {', '.join(FieldKind)}.") from None


def missing_extra(module: str) -> UsageError:
    """Return the error for a library of ``neardup[fields]`` that is not installed."""
    return UsageError(f"Ids, phone numbers and domains as fields need {module}; run: pip install 'neardup[fields]'")
