"""A small share of ``nights.py``: increments give what full reports give, on random histories."""

from __future__ import annotations

import nights
import pytest
from doubles import fake_model


@pytest.mark.parametrize("seed", (0, 2, 7))
def test_increments_are_equal_to_full_reports(seed: int) -> None:
    done = nights.run(seed, 6, fake_model(), size=40)
    assert done["nights"] == 6 and done["increments"] >= 2


@pytest.mark.parametrize("seed", (1, 502))
def test_increments_with_fields_are_equal_to_full_reports(seed: int) -> None:
    done = nights.run(seed, 4, fake_model(), size=30, has_fields=True)
    assert done["nights"] == 4 and done["judgements"] > 0
