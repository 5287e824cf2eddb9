"""Which pairs of records are listed."""

from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from indexer.outputs.record_pairs import RecordPairs

GROUPS = st.lists(st.lists(st.sampled_from("ABC"), min_size=1, max_size=9), min_size=2, max_size=2)


def listing(groups: list[list[str]], most: int) -> RecordPairs[tuple[int, int, str]]:
    records = {text: [(text, at, source) for at, source in enumerate(group)] for text, group in enumerate(groups)}
    return RecordPairs(records, lambda record: record[2], most)


@given(GROUPS, st.integers(1, 100))
def test_all_pairs_or_those_with_the_first_of_each_source(groups: list[list[str]], most: int) -> None:
    listed = listing(groups, most)
    records = [[(text, at, source) for at, source in enumerate(group)] for text, group in enumerate(groups)]
    for found, every, count in (
        (list(listed.within(0)), list(combinations(records[0], 2)), listed.count_within(0)),
        (list(listed.across(0, 1)), list(product(*records)), listed.count_across(0, 1)),
    ):
        assert len(found) == len(set(found)) == count
        assert set(found) <= set(every)
        if len(every) <= most:
            assert found == every
        elif most >= 9:  # as many leaders as there are sources
            sources = {tuple(sorted((left[2], right[2]))) for left, right in found if left[2] != right[2]}
            assert sources == {tuple(sorted((one[2], two[2]))) for one, two in every if one[2] != two[2]}
    named = {record for pair in listed.within(0) for record in pair}
    assert named == (set(records[0]) if len(records[0]) > 1 else set())


@given(GROUPS, st.integers(9, 30))
def test_a_filter_across_sources_keeps_each_record_of_a_text(groups: list[list[str]], most: int) -> None:
    records = [(0, at, source) for at, source in enumerate(groups[0])]
    across = {record for pair in listing(groups, most).within(0) if pair[0][2] != pair[1][2] for record in pair}
    assert across == (set(records) if len(set(groups[0])) > 1 else set())
