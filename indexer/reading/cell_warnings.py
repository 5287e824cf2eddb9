"""Warnings about suspicious ids and texts, and the two repairs made to a cell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from dedup.errors import UsageError
from dedup.evidence.fields.placeholders import MAX_CHARACTERS, is_placeholder, may_be_placeholder
from indexer.reading.rows import ColumnChoice

_SCIENTIFIC = re.compile(r"\d[.,]\d+E\+\d+", re.IGNORECASE)
_MAYBE_MOJIBAKE = re.compile("[\xc2-\xdf\xe2-\xef][\x80-\xbf\u0152-\u2122]")  # a cheap test for _is_mojibake


@dataclass(slots=True)
class _Count:
    """How often something was seen, and on which line first."""

    times: int = 0
    first: int = 0

    def add(self, line: int) -> None:
        self.times += 1
        self.first = self.first or line

    def __str__(self) -> str:
        return f"{self.times:,} (first on line {self.first})"


class CellWarnings:
    """Checks the id and text of each row of one input and counts what is suspicious.

    ``general`` holds warnings about the input itself.
    """

    def __init__(self, name: str, choice: ColumnChoice, columns: tuple[str, ...], fix_mojibake: bool) -> None:
        self.general: list[str] = []
        self._name = name
        self._id = choice.id
        self._scientific, self._null, self._mojibake, self._blank = _Count(), _Count(), _Count(), _Count()
        self._fix = _mojibake_repair() if fix_mojibake else None
        self._original = f"{'_'.join(choice.text)}_as_read"
        while self._original in columns:
            self._original += "_"

    def skip_blank(self, line: int) -> None:
        """Count a row of which every cell is blank; it is skipped."""
        self._blank.add(line)

    def check_id(self, external_id: str, line: int) -> str:
        """Check an id and return it without Excel's ``="…"``."""
        if external_id.startswith('="') and external_id.endswith('"') and len(external_id) > 2:
            external_id = external_id[2:-1]
        if "+" in external_id and _SCIENTIFIC.fullmatch(external_id):
            self._scientific.add(line)
        return external_id

    def check_text(self, raw: str, fields: dict[str, str], line: int) -> str:
        """Check a text and return it; if it is repaired, add the original to ``fields``."""
        if len(raw) <= MAX_CHARACTERS and may_be_placeholder(raw) and not is_placeholder(raw):
            self._null.add(line)
        elif not raw.isascii() and _MAYBE_MOJIBAKE.search(raw) and _is_mojibake(raw):
            self._mojibake.add(line)
            if self._fix is not None:
                fields[self._original] = raw
                raw = self._fix(raw)
        return raw

    def messages(self, rows_in: int) -> list[str]:
        """Return one message for each kind of warning; ``rows_in`` is the number of rows read."""
        messages = list(self.general)
        if self._scientific.times:
            messages.append(
                f"W_ID_SCIENTIFIC: {self._name} has ids like 1.23E+15 in column {self._id!r}: {self._scientific}. "
                "A spreadsheet has probably shortened them; export the column as text."
            )
        if self._null.times:
            messages.append(
                f"W_NAME_NULL: {self._name} has texts like NA, None or Unknown: {self._null}. They are kept as names; "
                "remove them if they mean that there is no name."
            )
        if self._mojibake.times:
            outcome = "They were repaired"
            if self._fix is None:
                outcome = "They are kept; repair them with --fix-mojibake, or fix_mojibake=True in Python"
            messages.append(
                f"W_MOJIBAKE: {self._name} has UTF-8 texts that were decoded as cp1252: {self._mojibake}. {outcome}."
            )
        if self._blank.times:
            messages.append(f"W_ROW_EMPTY: {self._name} has rows without any value: {self._blank}. They were skipped.")
        if not rows_in:
            messages.append(f"W_NO_ROWS: {self._name} has no rows.")
        return messages


def _is_mojibake(text: str) -> bool:
    """Whether ``text`` encoded as cp1252 is valid UTF-8, and of letters: ``JÍŠA`` would become a bare accent.

    The five bytes that cp1252 leaves undefined map to themselves.
    """
    try:
        meant = b"".join(char.encode("latin-1" if "\x80" <= char < "\xa0" else "cp1252") for char in text).decode()
    except UnicodeError:
        return False
    return meant != text and all(char.isascii() or unicodedata.category(char)[0] in "LNPSZ" for char in meant)


def _mojibake_repair() -> Callable[[str], str]:
    try:
        from ftfy import fix_encoding
    except ModuleNotFoundError:
        raise UsageError("Repairing texts needs ftfy; run: pip install 'neardup[mojibake]'") from None
    return fix_encoding
