"""Cluster ids from one moment to the next, and what is said of those that change."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.clustering.stable_ids import Membership, carry_over, classify, membership, replay

Clusters = dict[int, str]


def state(**clusters: str) -> Membership:
    """``state(c5="a b")``: members a and b, by their letters, are in the cluster 5."""
    return membership({ord(member): int(id_[1:]) for id_, members in clusters.items() for member in members.split()})


def shown(found: Membership) -> dict[str, str]:
    places: dict[str, list[str]] = {}
    for member, id_ in zip(found.members.tolist(), found.clusters.tolist(), strict=True):
        places.setdefault(f"c{id_}", []).append(chr(member))
    return {id_: " ".join(members) for id_, members in places.items()}


@pytest.mark.parametrize(
    ("before", "now", "expected", "events"),
    [
        ({}, {"c0": "a b"}, {"c10": "a b"}, ["new () (10,)"]),
        ({"c1": "a b"}, {"c0": "a b"}, {"c1": "a b"}, []),
        ({"c1": "a b"}, {"c0": "a b c"}, {"c1": "a b c"}, ["grown (1,) (1,)"]),
        ({"c1": "a b c"}, {"c0": "a c"}, {"c1": "a c"}, ["shrunk (1,) (1,)"]),
        ({"c1": "a b"}, {"c0": "a c"}, {"c1": "a c"}, ["changed (1,) (1,)"]),
        ({"c1": "a b"}, {}, {}, ["dissolved (1,) ()"]),
        # the larger contributor keeps its id, and of two equal ones the older
        ({"c1": "a b", "c2": "c d e"}, {"c0": "a b c d e"}, {"c2": "a b c d e"}, ["merged (1, 2) (2,)"]),
        ({"c1": "a b", "c2": "c d"}, {"c0": "a b c d"}, {"c1": "a b c d"}, ["merged (1, 2) (1,)"]),
        # the larger part keeps the id, and of two equal ones that with the lowest member
        ({"c1": "a b c d e"}, {"c7": "a b", "c8": "c d e"}, {"c10": "a b", "c1": "c d e"}, ["split (1,) (1, 10)"]),
        ({"c1": "a b c d"}, {"c7": "c d", "c8": "a b"}, {"c1": "a b", "c10": "c d"}, ["split (1,) (1, 10)"]),
        (
            {"c1": "a b c", "c2": "d e f"},
            {"c0": "a b d e", "c1": "c f"},
            {"c1": "a b d e", "c2": "c f"},
            ["rearranged (1, 2) (1, 2)"],
        ),
    ],
)
def test_the_rule(before: Clusters, now: Clusters, expected: Clusters, events: list[str]) -> None:
    found = carry_over(state(**before), state(**now), 10)
    assert shown(found.now) == expected
    assert [f"{event.kind} {event.before} {event.after}" for event in found.events] == events


def test_closed_ids_lead_to_the_cluster_that_took_most() -> None:
    found = carry_over(state(c1="a b", c2="c d e", c3="f g", c4="h i j"), state(c0="a b c d e", c9="h i", c8="j k"), 10)
    assert found.successors == {1: 2, 3: None}
    assert found.opened == [10]


def test_moves_name_who_joined_left_and_went_over() -> None:
    (event,) = carry_over(state(c1="a b c d"), state(c0="a b x", c9="c d"), 10).events
    assert event.moves == ((ord("c"), 1, 10), (ord("d"), 1, 10), (ord("x"), None, 1))


PLACES = st.dictionaries(st.integers(1, 30), st.integers(1, 8), max_size=30)


def without_single(places: dict[int, int]) -> dict[int, int]:
    sizes = Counter(places.values())
    return {member: id_ for member, id_ in places.items() if sizes[id_] > 1}


@settings(max_examples=300)
@given(st.lists(PLACES, min_size=1, max_size=6))
def test_histories(nights: list[dict[int, int]]) -> None:
    """Ids never come back, big parts keep theirs, and the moves lead from nothing to the end and back."""
    current, next_id, used, moves = membership({}), 1, set[int](), []
    states = [current]
    for places in map(without_single, nights):
        found = carry_over(current, membership(places), next_id)
        assert not used & set(found.opened) and all(id_ >= next_id for id_ in found.opened)
        used |= set(found.opened)
        next_id += len(found.opened)
        assert partition(found.now) == partition(membership(places))
        before, now = as_dict(current), as_dict(found.now)
        sizes, later = Counter(before.values()), Counter(now.values())
        for (old, new), n in Counter((before[one], now[one]) for one in before.keys() & now.keys()).items():
            if 2 * n > sizes[old] and 2 * n > later[new]:
                assert old == new
        assert found.successors.keys() == set(before.values()) - set(now.values())
        assert all(heir is None or heir in later for heir in found.successors.values())
        assert {id_ for event in found.events for id_ in event.before} >= found.successors.keys()
        assert [event.moves for event in classify(current, found.now)] == [event.moves for event in found.events]
        moves += [move for event in found.events for move in event.moves]
        current = found.now
        states.append(current)
        again = carry_over(current, membership(places), next_id)
        assert again.events == [] and again.opened == [] and as_dict(again.now) == as_dict(current)
    assert as_dict(replay(states[0], moves)) == as_dict(current)
    assert as_dict(replay(current, moves, backwards=True)) == {}


def as_dict(found: Membership) -> dict[int, int]:
    return dict(zip(found.members.tolist(), found.clusters.tolist(), strict=True))


def partition(found: Membership) -> set[frozenset[int]]:
    groups: dict[int, set[int]] = {}
    for member, id_ in as_dict(found).items():
        groups.setdefault(id_, set()).add(member)
    return set(map(frozenset, groups.values()))
