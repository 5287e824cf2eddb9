"""A few rounds of chaos on a PostgreSQL server; ``tests/faults/chaos.py`` plays a thousand."""

from collections.abc import Iterator

import chaos
import pytest
from chaos_bench import Bench

KINDS = (
    *("both sessions ended", "restart, fast", "COMMIT never arrives", "COMMIT done, reply lost"),
    *("under way, not tried again", "reset at a message", "deadlock 40P01", "serialization 40001", "overtaken"),
)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with chaos.bench_at_work() as at_work:
        yield at_work


def test_every_job_is_done_exactly_once(bench: Bench) -> None:
    played = chaos.play_all(bench, KINDS, len(KINDS), "quick")
    assert [(one.kind, one.job, one.problems, one.detail) for one in played if one.problems] == []
    assert sum(one.fired for one in played) == len(KINDS)


def test_a_transaction_that_is_tried_again_blindly_is_noticed(bench: Bench) -> None:
    """The harness itself: what is done twice must not look as if it were done once."""
    played = (one for n in range(9) for one in chaos.control(bench, "blind-retry-in-epoch", 1, f"quick {n}"))
    assert any(one.problems for one in played)
