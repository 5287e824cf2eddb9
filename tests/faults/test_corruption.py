"""A few hundred corruptions of the snapshot; ``tests/faults/corrupt.py`` plays ten thousand."""

from collections.abc import Callable
from pathlib import Path

import corrupt
import pytest


@pytest.mark.parametrize(("new_database", "rounds"), [("sqlite", 200), ("postgresql", 40)], indirect=["new_database"])
def test_every_corruption_is_found_and_undone(new_database: Callable[[], str], tmp_path: Path, rounds: int) -> None:
    outcome = corrupt.run(rounds, 7, tmp_path, texts=512, url=new_database)
    assert outcome["failures"] == []
    assert outcome["rounds"] == rounds
    if rounds == 200:
        assert outcome["kinds"].keys() >= {"one bit flipped", "an older one, same size", corrupt.CUT_AT_PAGES}


def test_without_the_checksum_none_is_found(tmp_path: Path) -> None:
    """The harness itself: it must call every round a failure when nothing is checked."""
    with corrupt.without_checksum():
        outcome = corrupt.run(40, 7, tmp_path, texts=512)
    assert outcome["failed_rounds"] == 40
