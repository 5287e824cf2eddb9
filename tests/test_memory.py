import pytest

from dedup import threads
from dedup.errors import UsageError
from indexer.memory import INDEX, REPORT, check, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("1500M", 1500 << 20), ("1.5 GiB", 3 << 29), (" 2gb ", 2 << 30), ("1T", 1 << 40)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "4", "G", "-1G", "4K", "4 G 5", "1e3M"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no size of memory"):
        parse_size(text)


@pytest.mark.parametrize("need", [INDEX, REPORT])
def test_a_job_may_take_what_it_needs_and_no_less(need) -> None:
    needed = need.of(1_000_000, threads.count())
    check(need, 1_000_000, needed)
    with pytest.raises(UsageError, match="1,000,000 distinct texts take about"):
        check(need, 1_000_000, needed - 1)
