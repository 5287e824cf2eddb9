"""What kind of field a column holds, by its name and its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.quantities import date_of, number_of_value
from indexer.reading.detection import header_words
from indexer.reading.detection.header_names import meaning_of
from indexer.reading.detection.header_words import key_of, words_of

_MOST = 500
"""Values by which a column is judged."""
_ENOUGH = 0.6
_CLEAR = 0.9
_EMAIL_OR_PAGE = re.compile(r"[^\s@]+@[^\s@]+\.\w{2,}|(?:https?://|www\.)\S+\.\S+", re.IGNORECASE)
_DOMAIN = re.compile(rf"{_EMAIL_OR_PAGE.pattern}|[\w-]+(?:\.[\w-]+)+(?:/\S*)?", re.IGNORECASE)
_PHONE = re.compile(r"[+(]?\d[\d ()/.\-]*(?:\s*(?:ext|x)\.?\s*\d+)?", re.IGNORECASE)
_CLEAR_PHONE = re.compile(r"(?:\+|00)\d[\d ()/.\-]{6,}|\(\d{3}\) ?\d{3}-\d{4}")
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[ T].*)?")
_VAT_ID_OR_LEI = re.compile(r"(?:AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK)"
                            r"\s?[0-9A-Z]{8,12}|[0-9A-Z]{18}\d{2}")  # fmt: skip

_LESS_CLEAR = frozenset({FieldKind.DATE, FieldKind.PHONE})
"""Kinds whose values other columns may have, too: an Italian tax number begins with 00 as a phone number may."""

_WORDS: Mapping[FieldKind, frozenset[str]] = {
    FieldKind.POSTCODE: header_words.POSTCODE,
    FieldKind.CITY: header_words.CITY,
    FieldKind.COUNTRY: header_words.COUNTRY,
    FieldKind.ID: header_words.REGISTERED | header_words.TAX,
    FieldKind.PHONE: header_words.PHONE,
    FieldKind.DOMAIN: header_words.CONTACT,
    FieldKind.COMPANY: header_words.FURTHER_NAME,
    FieldKind.STREET: header_words.STREET,
    FieldKind.STATE: header_words.STATE,
    FieldKind.DATE: header_words.DATE,
    FieldKind.NUMBER: header_words.NUMBER,
    FieldKind.CATEGORY: header_words.CATEGORY,
}


def kind_of_column(name: str, values: Sequence[str]) -> FieldKind | None:
    """Return what a column holds by its name and the cells of its first rows; None if neither tells.

    Values that contradict the name overrule it, and values that only one kind has stand for a missing name.
    """
    filled = [value for cell in values[:_MOST] if (value := cell.strip())]
    clear = _by_values(filled)
    named = [kind for kind in _named(name) if not filled or _share(_FITS[kind], filled) >= _ENOUGH]
    if clear and clear not in named and not (named and clear in _LESS_CLEAR):
        return clear
    return named[0] if named else None


def _named(name: str) -> list[FieldKind]:
    """Return the kinds that a name may tell: those of the whole name, else of its words, the last first."""
    key, words = key_of(name), words_of(name)
    whole = [kind for kind, known in _WORDS.items() if key in known]
    meant = meaning_of(name).kind
    parts = [first + second for first, second in pairwise(words)]
    of_words = [
        kind for word in [*reversed(parts), *reversed(words)] for kind, known in _WORDS.items() if word in known
    ]
    of_meaning = [FieldKind(meant)] if meant in tuple(FieldKind) else []
    return list(dict.fromkeys([*whole, *of_meaning, *of_words]))


def _by_values(filled: Sequence[str]) -> FieldKind | None:
    patterns = {
        FieldKind.DOMAIN: _EMAIL_OR_PAGE,
        FieldKind.DATE: _ISO_DATE,
        FieldKind.PHONE: _CLEAR_PHONE,
        FieldKind.ID: _VAT_ID_OR_LEI,
    }
    if not filled:
        return None
    shares = {kind: sum(one.fullmatch(value) is not None for value in filled) for kind, one in patterns.items()}
    return next((kind for kind, found in shares.items() if found >= _CLEAR * len(filled)), None)


def _share(fits: Callable[[str], bool], filled: Sequence[str]) -> float:
    return sum(map(fits, filled)) / len(filled)


def _digits(value: str) -> int:
    return sum(map(str.isdigit, value))


def _has_letters(value: str) -> bool:
    return any(map(str.isalpha, value))


_FITS: Mapping[FieldKind, Callable[[str], bool]] = {
    FieldKind.POSTCODE: lambda value: len(value) <= 12 and (_digits(value) > 0 or len(value) <= 8),
    FieldKind.CITY: lambda value: _has_letters(value) and 2 * _digits(value) < len(value),
    FieldKind.COUNTRY: lambda value: _has_letters(value) and not _digits(value),
    FieldKind.STATE: lambda value: _has_letters(value) and not _digits(value) and len(value) <= 40,
    FieldKind.STREET: _has_letters,
    FieldKind.ID: lambda value: _digits(value) >= 4 and len(value) <= 40,
    FieldKind.PHONE: lambda value: 5 <= _digits(value) <= 20 and _PHONE.fullmatch(value) is not None,
    FieldKind.DOMAIN: lambda value: _DOMAIN.fullmatch(value) is not None,
    FieldKind.DATE: lambda value: bool(date_of(value) or date_of(value, day_first=False)),
    FieldKind.NUMBER: lambda value: bool(number_of_value(value)),
    FieldKind.CATEGORY: lambda value: len(value) <= 80,
    FieldKind.COMPANY: _has_letters,
}
