"""The kinds of fields that serve as evidence."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from importlib.util import find_spec

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

NEEDS_EXTRA = {FieldKind.ID: "stdnum", FieldKind.PHONE: "phonenumbers", FieldKind.DOMAIN: "publicsuffixlist"}
"""Kinds whose normal forms come from a library of ``neardup[fields]``, and its module."""


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


def check_extra(kinds: Iterable[FieldKind]) -> None:
    """Raise ``UsageError`` if the library that a kind needs is not installed."""
    for module in (NEEDS_EXTRA[kind] for kind in kinds if kind in NEEDS_EXTRA):
        if find_spec(module) is None:
            raise missing_extra(module)
