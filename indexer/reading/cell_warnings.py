"""What deserves a warning but is no fault, and the two repairs that are made of a cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from dedup.errors import UsageError
from indexer.reading.records import ColumnChoice

NULL_NAMES = frozenset({"null", "na", "n/a", "#n/a", "none", "nan", "nil"})

_SCIENTIFIC = re.compile(r"\d[.,]\d+E\+\d+", re.IGNORECASE)
_MISREAD = re.compile("[\xc2-\xdf\xe2-\xef][\x80-\xbf\u0152-\u2122]")  # how UTF-8 looks in cp1252, roughly


@dataclass(slots=True)
class _Count:
    """How often something was seen, and where first."""

    times: int = 0
    first: int = 0

    def add(self, line: int) -> None:
        self.times += 1
        self.first = self.first or line

    def __str__(self) -> str:
        return f"{self.times:,}, the first on line {self.first}"


class CellWarnings:
    """Looks at the id and the text of each row of one input; ``general`` are remarks on the input itself."""

    def __init__(self, name: str, choice: ColumnChoice, columns: tuple[str, ...], fix_mojibake: bool) -> None:
        self.general: list[str] = []
        self._name = name
        self._id = choice.id
        self._scientific, self._null, self._mojibake = _Count(), _Count(), _Count()
        self._fix = _mojibake_repair() if fix_mojibake else None
        self._original = f"{'_'.join(choice.text)}_as_read"
        while self._original in columns:
            self._original += "_"

    def check_id(self, external_id: str, line: int) -> str:
        """Return an id, taken out of Excel's ``="…"``."""
        if external_id.startswith('="') and external_id.endswith('"') and len(external_id) > 2:
            external_id = external_id[2:-1]
        if "+" in external_id and _SCIENTIFIC.fullmatch(external_id):
            self._scientific.add(line)
        return external_id

    def check_text(self, raw: str, fields: dict[str, str], line: int) -> str:
        """Return a text; one that is repaired is kept in ``fields`` as it was."""
        if len(raw) < 5 and raw.strip().casefold() in NULL_NAMES:
            self._null.add(line)
        elif not raw.isascii() and _MISREAD.search(raw) and _is_mojibake(raw):
            self._mojibake.add(line)
            if self._fix is not None:
                fields[self._original] = raw
                raw = self._fix(raw)
        return raw

    def messages(self, rows_in: int) -> list[str]:
        """Return a sentence for each kind of thing that was seen."""
        said = list(self.general)
        if self._scientific.times:
            said.append(
                f"W_ID_SCIENTIFIC: Ids like 1.23E+15 in column {self._id!r} of {self._name}: {self._scientific}. "
                "A spreadsheet has probably cut them; export the column as text."
            )
        if self._null.times:
            said.append(
                f"W_NAME_NULL: Texts like NULL, NA or None in {self._name}: {self._null}. They are kept as names; "
                "take them out if they stand for nothing."
            )
        if self._mojibake.times:
            end = "were repaired" if self._fix else "are kept as they are; --fix-mojibake repairs them"
            said.append(
                f"W_MOJIBAKE: Texts in {self._name} that are UTF-8 once read as cp1252: {self._mojibake}. They {end}."
            )
        if not rows_in:
            said.append(f"W_NO_ROWS: {self._name} names its columns and has no rows.")
        return said


def _is_mojibake(text: str) -> bool:
    """Whether a text, written in cp1252, is UTF-8; the five bytes that cp1252 lacks stand for themselves."""
    try:
        return (
            b"".join(char.encode("latin-1" if "\x80" <= char < "\xa0" else "cp1252") for char in text).decode() != text
        )
    except UnicodeError:
        return False


def _mojibake_repair() -> Callable[[str], str]:
    try:
        from ftfy import fix_encoding
    except ModuleNotFoundError:
        raise UsageError("--fix-mojibake needs ftfy; run: pip install 'neardup[mojibake]'") from None
    return fix_encoding
