"""Which values of Python objects an index stores as text, and which reject their row."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import neardup


class Shouted(str):
    def __str__(self) -> str:
        return self.upper()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.str_("Acme"), "Acme"),
        (Shouted("Red Paint Ltd"), "Red Paint Ltd"),
        (3.14, "3.14"),
        (True, "True"),
        (Decimal("1.50"), "1.50"),
        (date(2026, 1, 2), "2026-01-02"),
        (np.float32(0.5), "0.5"),
        (bytearray("Müller", "utf-8"), "Müller"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ],
)
def test_a_value_of_any_type_is_stored_as_plain_text(directory: Path, value: object, text: str) -> None:
    with neardup.Index(directory) as index:
        added = index.add([{"id": 1, "name": value, "more": value}])
        assert (added.added, added.rejected) == (1, ())
        record = index.query(text)[0].record
        assert (record.text, record.fields["more"]) == (text, text)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (Decimal("sNaN"), "E_NAME_EMPTY"),
        (float("nan"), "E_NAME_EMPTY"),
        (frozenset({"a"}), "E_NESTED"),
        (range(3), "E_NESTED"),
        (10**5000, "E_FIELD_TOO_LONG"),
        ([10**5000], "E_NESTED"),
        (memoryview(b"\xff"), "E_ENCODING_ROW"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_is_no_text_rejects_only_its_row(directory: Path, value: object, code: str) -> None:
    with neardup.Index(directory) as index:
        added = index.add([{"id": 1, "name": "Acme"}, {"id": 2, "name": value}])
        assert (added.added, [reject.code for reject in added.rejected]) == (1, [code])
