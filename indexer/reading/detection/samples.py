"""What the values of a column look like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_DATE = r"(\d{4}[-./]\d\d?[-./]\d\d?|\d\d?[-./]\d\d?[-./]\d{2,4})([ T].*)?"
_NOT_AN_ID = re.compile(rf"\d+[.,]\d+|{_DATE}|\S+@\S+|(https?://|www\.)\S+|[+(]\d[\d ()/.-]*")
"""A fraction, a date, an e-mail address, a link or a telephone number."""
_LONG = 25
_TOO_LONG = 120
_ID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Cells:
    """Shares, from 0 to 1, of the values of one column.

    Attributes:
        filled: Cells that are not blank.
        distinct: Different values among those filled.
        repeats: Values that occur again, as a number.
        as_id: Values that can be an id: short, no sentence, date, fraction, address or telephone number.
        digits: Values with a digit.
        words: Values that consist mostly of letters.
        spaced: Values of several words.
        length: Mean length of those filled.
        lengths: Different lengths.

    """

    filled: float
    distinct: float
    repeats: int
    as_id: float
    digits: float
    words: float
    spaced: float
    length: float
    lengths: int
    rows: int

    @property
    def text(self) -> float:
        """How far the values are texts, long and varied (0 to 1)."""
        length = min(self.length / _LONG, 1.0) if self.length <= _TOO_LONG else 0.3
        varied = self.distinct if self.rows > 1 else 0.5
        return self.words * self.filled * (0.5 * varied + 0.3 * length + 0.2 * self.spaced) * (1 - 0.5 * self.digits)


def cells_of(values: Sequence[str]) -> Cells:
    """Describe the values of a column."""
    filled = [value for cell in values if (value := cell.strip())]
    n = len(filled) or 1
    different = len(set(filled))
    return Cells(
        filled=len(filled) / (len(values) or 1),
        distinct=different / n,
        repeats=len(filled) - different,
        as_id=sum(map(_may_be_id, filled)) / n,
        digits=sum(any(map(str.isdigit, value)) for value in filled) / n,
        words=sum(map(_is_words, filled)) / n,
        spaced=sum(_is_several_words(value) for value in filled) / n,
        length=sum(map(len, filled)) / n,
        lengths=len(set(map(len, filled))),
        rows=len(values),
    )


def _may_be_id(value: str) -> bool:
    is_short = len(value) <= _ID_LENGTH and value.count(" ") <= (2 if any(map(str.isdigit, value)) else 0)
    return is_short and _NOT_AN_ID.fullmatch(value) is None


def _is_words(value: str) -> bool:
    letters = sum(map(str.isalpha, value))
    return letters >= 2 and 2 * letters >= len(value.replace(" ", "")) and _NOT_AN_ID.fullmatch(value) is None


def _is_several_words(value: str) -> bool:
    """Whether a value has a space or, in a script without spaces, the length of several words."""
    return " " in value or (len(value) >= 4 and value[0] > "\u1100")
