from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from doubles import fake_model

from dedup.errors import UsageError
from dedup.runtime import threads
from indexer.jobs.index import index_rows
from indexer.jobs.report import Asked, report_workspace
from indexer.memory import INDEX, REPORT, Need, parse_size
from indexer.reading.open import Row
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots


@pytest.mark.parametrize(
    ("text", "size"),
    [("1500M", 1500 << 20), ("1.5 GiB", 3 << 29), (" 2gb ", 2 << 30), ("1T", 1 << 40)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "4", "G", "-1G", "4K", "4 G 5", "1e3M"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a memory size"):
        parse_size(text)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Workspace(tmp_path / "held").open(for_writing=True) as opened:
        yield opened


def rows_of(length: int, n: int = 300) -> list[Row]:
    """Texts of ``length`` characters, no two of them alike."""
    texts = (f"{number:05} ".ljust(length, chr(97 + number % 26)) for number in range(n))
    return [Row(number, number, str(number), text, {}, [text]) for number, text in enumerate(texts, 1)]


def fill(store: Store, scratch: Path, length: int, memory: int | None = None) -> None:
    index_rows(
        *(Snapshots(store, scratch), fake_model(), "texts", rows_of(length)),
        identity="column",
        mirror=False,
        on_reject=lambda reject: None,
        memory=memory,
    )


def test_long_texts_are_refused_where_as_many_short_ones_pass(store: Store, tmp_path: Path) -> None:
    limit = INDEX.estimate(300, 300 * 4000, threads.count())
    fill(store, tmp_path, 20, limit - 1)
    with pytest.raises(UsageError, match="1,200,600 characters"):
        fill(store, tmp_path, 4000, limit - 1)


@pytest.mark.parametrize(("length", "is_refused"), [(20, False), (2000, True)])
def test_a_report_of_long_texts_is_refused_where_one_of_short_texts_passes(
    store: Store, tmp_path: Path, length: int, is_refused: bool
) -> None:
    fill(store, tmp_path, length)
    limit = REPORT.estimate(300, 300 * 1000, threads.count())
    given = (Snapshots(store, tmp_path), fake_model(), tmp_path / "report")
    with pytest.raises(UsageError, match="300 distinct texts with 600,000 char") if is_refused else nullcontext():
        report_workspace(*given, Asked(0.99, memory=limit))


@pytest.mark.parametrize(
    ("texts", "of_index", "of_report"),
    [
        (20_000, None, 236e6),
        (99_560, 457e6, 522e6),
        (296_307, 586e6, 788e6),
        (964_867, 797e6, 1358e6),
        (1_074_230, 860e6, 1420e6),
        (2_869_521, 1579e6, 2705e6),
        (9_454_136, 4100e6, 7970e6),
    ],
)
def test_estimates_are_near_what_names_took(texts: int, of_index: float | None, of_report: float) -> None:
    assert of_index is None or 0.99 < INDEX.estimate(texts, 28 * 50_000, 2) / of_index < 1.12
    assert 0.93 < REPORT.estimate(texts, (25 if texts < 2_000_000 else 27) * texts, 2) / of_report < 1.16


def test_the_estimate_is_near_what_documents_took() -> None:
    assert 0.85 < REPORT.estimate(20_000, 20_000 * 1_000, 2) / 1240e6 < 1


@pytest.mark.parametrize(
    ("texts", "characters", "need", "taken"),
    [
        (100_000, 1_288_890, INDEX, 400 << 20),  # "Unknown 1"; the largest batch is half of them
        (100_000, 1_288_890, REPORT, 509 << 20),
        (800, 800 * 2_002, REPORT, 316 << 20),  # "acme acme acme …"
        (400, 400 * 4_094, REPORT, 316 << 20),  # twenty other words of 1,365 in each
        (2_000, 2_000 * 4_096, INDEX, 443 << 20),  # unrelated
        (2_000, 2_000 * 4_096, REPORT, 783 << 20),
    ],
)
def test_texts_that_are_alike_or_long_take_at_most_a_fifth_more_than_estimated(
    texts: int, characters: int, need: Need, taken: int
) -> None:
    assert taken <= 1.2 * need.estimate(texts, characters, 2)


def test_an_estimate_counts_the_long_texts_that_each_thread_remembers() -> None:
    def of_thread(texts: int, length: int) -> int:
        return REPORT.estimate(texts, texts * length, 2) - REPORT.estimate(texts, texts * length, 1)

    assert of_thread(8_192, 4_096) > 3 * of_thread(1_000_000, 25)
    assert of_thread(8_192, 4_096) == of_thread(100_000, 4_096)
    assert REPORT.estimate(0, 0, 1) == REPORT.base + of_thread(0, 0)


def test_a_million_names_fit_where_long_texts_do_not() -> None:
    names, characters = 1_074_230, 25 * 1_074_230
    assert 1_420_000_000 < REPORT.estimate(names, characters, 2) < parse_size("1500M")  # what was measured
    assert REPORT.estimate(names, 80 * characters, 2) > 2 * parse_size("1500M")
