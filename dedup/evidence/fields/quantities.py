"""Normal forms of dates and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

_PARTS = re.compile(r"(\d{1,4})[-./ ](\d{1,2})[-./ ](\d{1,4})(?:[ T].*)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_MONTHS = 12
_CENTURY = 100
_NUMBER = re.compile(r"[-+]?\d[\d.,' \u00a0]*")


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
    """Return a number in its shortest form; empty if the value is none. Point or comma: the last one is decimal."""
    found = _NUMBER.fullmatch(value.strip().strip("$€£%").strip())
    if not found:
        return ""
    digits = re.sub(r"['\s\u00a0]", "", found[0])
    mark = max(digits.rfind("."), digits.rfind(","))
    is_thousands = mark >= 0 and (digits.count(digits[mark]) > 1 or len(digits) - mark - 1 == 3)
    whole = re.sub("[.,]", "", digits[:mark] if mark >= 0 and not is_thousands else digits)
    part = digits[mark + 1 :] if mark >= 0 and not is_thousands else ""
    return repr(float(f"{whole}.{part or 0}"))
