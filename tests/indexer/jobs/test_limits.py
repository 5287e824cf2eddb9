"""Limits far above the number of texts, and texts that are too long."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

import neardup

MEMORY = 8 << 30
"""Bytes of address space that a test may use in addition."""


@pytest.fixture
def bounded_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("bounded_memory")
def test_a_query_may_ask_for_more_matches_than_there_are_texts(directory: Path) -> None:
    with neardup.Index(directory) as index:
        index.add(["Acme Holdings Inc", "Acme Holdings Incorporated"])
        for texts in (["Acme Holding Inc"], ["Acme Holding Inc"] + [f"Acme {number}" for number in range(20)]):
            found = index.query(texts, limit=10**9, min_probability=0.0)
            assert len(found[0]) == 2


@pytest.mark.usefixtures("bounded_memory")
@pytest.mark.parametrize("right", [["Acme Holding Inc", "Zenith Bank"], []])
def test_a_link_may_ask_for_more_matches_than_there_are_texts(right: list[str]) -> None:
    found = neardup.link(["Acme Holdings Inc"], right, limit=10**9)
    assert len(found.matches) == bool(right)


def test_a_text_that_is_too_long_is_refused(directory: Path) -> None:
    longest, too_long = "x" * 4_096, "x" * 4_097
    message = "has 4,097 characters after normalisation; the maximum is 4,096"
    assert neardup.compare(longest, longest).probability == 1.0
    with neardup.Index(directory) as index:
        index.add(["Acme Holdings Inc"])
        with pytest.raises(neardup.InputRefused, match=message) as refused:
            index.query(too_long)
        assert refused.value.code == "E_NAME_TOO_LONG"
    for compare in (neardup.compare, lambda left, right: neardup.compare_many([left], [right])):
        for texts in (("Acme", too_long), (too_long, "Acme"), (too_long, too_long)):
            with pytest.raises(neardup.InputRefused, match=message) as refused:
                compare(*texts)
            assert refused.value.code == "E_NAME_TOO_LONG"
