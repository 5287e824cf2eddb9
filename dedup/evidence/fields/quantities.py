"""Normal forms of dates and numbers."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from datetime import date

_PARTS = re.compile(r"(\d{4}|\d{1,2})[-./ ](\d{1,2})[-./ ](\d{4}|\d{1,2})(?:[ T].*)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_MONTHS = 12
_CENTURY = 100
_NUMBER = re.compile(r"([-+]?)(\d[\d.,]*)(e[-+]?\d{1,3})?")
_BESIDE_DIGITS = re.compile(r"[\s'\u2019$€£¥%]")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}([.,])\d{3}(?:\1\d{3})*")


def is_day_first(values: Iterable[str]) -> bool:
    """Return whether dates such as 3/4/2020 in a column begin with the day.

    They do unless a value has more than 12 in the second place and none has it in the first.
    """
    pairs = [(int(found[1]), int(found[2])) for value in values if (found := _PARTS.fullmatch(value.strip()))]
    first = any(_MONTHS < one < _CENTURY for one, _ in pairs)
    return first or not any(two > _MONTHS for one, two in pairs if one < _CENTURY)


def date_of(value: str, *, day_first: bool = True) -> str:
    """Return a date as ``YYYYMMDD``; empty if the value is none."""
    text = value.strip().removesuffix(".0")
    found = _COMPACT.fullmatch(text) or _PARTS.fullmatch(text)
    if not found:
        return ""
    first, second, third = map(int, found.groups())
    if len(found[1]) == len("2020"):
        return _date(first, second, third)
    year = third if third >= _CENTURY else third + (1900 if third > 30 else 2000)
    return _date(year, second, first) if day_first else _date(year, first, second)


def _date(year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).strftime("%Y%m%d").zfill(8)
    except ValueError:
        return ""


def number_of_value(value: str) -> str:
    """Return a number in its shortest form; empty if the value is none, or beyond what a float holds.

    Of point and comma, the last is decimal. A mark that repeats, or has one to three digits before it and three behind
    it, parts thousands.
    """
    text = unicodedata.normalize("NFKC", value).replace("\u2212", "-").lower()
    found = _NUMBER.fullmatch(_BESIDE_DIGITS.sub("", text))
    if not found:
        return ""
    sign, digits, exponent = found.groups(default="")
    mark = max(digits.rfind("."), digits.rfind(","))
    is_whole = mark < 0 or digits.count(digits[mark]) > 1 or _THOUSANDS.fullmatch(digits) is not None
    whole, part = (digits, "") if is_whole else (digits[:mark], digits[mark + 1 :])
    number = float(f"{sign}{re.sub('[.,]', '', whole)}.{part or 0}{exponent}") + 0.0  # no negative zero
    return repr(number) if math.isfinite(number) else ""
