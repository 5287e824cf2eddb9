"""Deduplicate, link and compare lists and tables in memory."""

from __future__ import annotations

import pickle
import uuid
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neardup

NAMES = [
    "Acme Holdings Inc",
    "Zenith Bank",
    "ACME HOLDINGS INCORPORATED",
    "acme holdings, inc.",
    "Borealis Shipping Ltd",
    "Borealis Shiping Limited",
]


def texts(records: Any) -> list[str]:
    return [record.text for record in records]


def test_duplicates_are_pairs_and_clusters_of_the_rows_given() -> None:
    found = neardup.deduplicate(NAMES)
    assert [texts(cluster.records) for cluster in found.clusters] == [
        ["Acme Holdings Inc", "ACME HOLDINGS INCORPORATED", "acme holdings, inc."],
        ["Borealis Shipping Ltd", "Borealis Shiping Limited"],
    ]
    assert {(pair.left.id, pair.right.id, pair.exact) for pair in found.pairs} == {
        (0, 2, False),
        (3, 2, False),
        (0, 3, True),
        (4, 5, False),
    }
    assert len(found) == len(found.pairs) == found.pairs_total == 4
    assert texts(found.unique) == ["Acme Holdings Inc", "Zenith Bank", "Borealis Shipping Ltd"]
    assert found.cluster_ids == [0, None, 0, 0, 1, 1]
    assert [pair.left.text for pair in found] == [pair.left.text for pair in found.pairs]
    assert found[0] == found.pairs[0]
    assert (found.text_columns, found.id_column) == (("text",), None)
    assert repr(found) == "Duplicates(4 pairs, 2 clusters, min_probability=0.5)"
    assert all(pair.probability >= 0.5 for pair in found.pairs)


@pytest.mark.parametrize(
    "ids",
    [
        ["a", "b", "c"],
        [3, 2, 1],
        [1.5, 2.5, 3.5],
        [("x", 1), ("x", 2), None],
        [uuid.UUID(int=1), Decimal("1.0"), date(2026, 1, 1)],
        list(np.array([7, 8, 9])),
    ],
)
def test_ids_come_back_as_they_were_given(ids: list[Any]) -> None:
    table = [{"id": one, "name": name} for one, name in zip(ids, NAMES, strict=False)]
    found = neardup.deduplicate(table)
    assert [record.id for record in found.records] == ids
    (pair,) = found.pairs
    assert pair.left.id is ids[0]
    assert pair.right.id is ids[2]


def test_other_columns_come_back_as_they_were_given() -> None:
    found = neardup.deduplicate({"key": [1, 2], "firm": NAMES[:2], "size": [7, None]}, text="firm", id="key")
    assert [dict(record.fields) for record in found.records] == [{"size": 7}, {}]


def test_several_columns_are_joined() -> None:
    found = neardup.deduplicate(
        [{"name": "Acme", "city": "Ulm"}, {"name": "Acme Ulm", "city": None}], text=["name", "city"]
    )
    assert texts(found.records) == ["Acme Ulm", "Acme Ulm"]
    assert found.pairs[0].exact


def test_rows_without_a_text_are_rejected_by_name() -> None:
    found = neardup.deduplicate(["Acme Inc", None, "--", float("nan"), "ACME, INC."])
    assert [(one.position, one.id, one.code) for one in found.rejected] == [
        (1, 1, "E_NAME_EMPTY"),
        (2, 2, "E_NAME_EMPTY"),
        (3, 3, "E_NAME_EMPTY"),
    ]
    assert [(pair.left.id, pair.right.id) for pair in found.pairs] == [(0, 4)]
    assert found.cluster_ids == [0, None, None, None, 0]
    assert [record.position for record in found.records] == [0, 4]


def test_a_higher_threshold_gives_what_computing_with_it_gives() -> None:
    names = [*NAMES, "Acme Holding", "Zenith Bank of Ohio", "Acme Holdings 2 Inc", "Zenit Bank"]
    low = neardup.deduplicate(names, min_probability=0.05)
    for least in (0.05, 0.3, 0.6, 0.9, 1.0):
        again = neardup.deduplicate(names, min_probability=least)
        assert low.at(least).pairs == again.pairs
        assert low.at(least).clusters == again.clusters
        assert low.at(least).at(1.0).pairs == again.at(1.0).pairs
    with pytest.raises(neardup.UsageError, match=r"compute it again with min_probability=0\.01"):
        low.at(0.01)


def test_a_pair_is_explained_as_its_texts_are() -> None:
    found = neardup.deduplicate(NAMES)
    for pair in found.pairs:
        why = found.explain(pair)
        assert why.probability == pytest.approx(pair.probability)
        assert why.exact == pair.exact
        if not why.exact:
            assert sum(reason.log_odds for reason in why.reasons) == pytest.approx(why.log_odds)


@pytest.mark.parametrize("data", [[], {"name": []}])
def test_nothing_has_no_duplicates(data: Any) -> None:
    found = neardup.deduplicate(data)
    assert (len(found.pairs), len(found.clusters), found.unique, found.records) == (0, 0, [], [])
    assert neardup.link(data, NAMES).unmatched == neardup.link(NAMES[:0], []).unmatched == []


@settings(max_examples=25)
@given(st.lists(st.sampled_from([*NAMES, "", "!", "Acme", "Zenith", "9", "ООО Ромашка"]), max_size=12))
def test_every_row_is_a_record_or_rejected_and_exact_duplicates_share_a_cluster(names: list[str]) -> None:
    found = neardup.deduplicate(names)
    assert sorted([record.id for record in found.records] + [one.id for one in found.rejected]) == list(
        range(len(names))
    )
    in_clusters = [record.id for cluster in found.clusters for record in cluster.records]
    assert len(in_clusters) == len(set(in_clusters))
    cluster_of = {record.id: cluster.id for cluster in found.clusters for record in cluster.records}
    for pair in found.pairs:
        assert not pair.exact or cluster_of[pair.left.id] == cluster_of[pair.right.id]


def test_links_are_all_pairs_across_the_best_match_and_the_rest() -> None:
    left = [
        {"id": "l1", "name": "Acme Holdings"},
        {"id": "l2", "name": "Nobody"},
        {"id": "l3", "name": "acme holdings"},
    ]
    right = [
        {"id": 1, "name": "Acme Hldgs Inc"},
        {"id": 2, "name": "ACME HOLDINGS INC."},
        {"id": 3, "name": "Acme Holdings"},
    ]
    found = neardup.link(left, right)
    assert {(pair.left.id, pair.right.id) for pair in found.pairs} == {
        (one, other) for one in ("l1", "l3") for other in (1, 2, 3)
    }
    assert [(pair.left.id, pair.right.id, pair.exact) for pair in found.matches] == [("l1", 3, True), ("l3", 3, True)]
    assert [record.id for record in found.unmatched] == ["l2"]
    assert repr(found) == "Links(6 pairs, 2 of 3 rows matched, min_probability=0.5)"
    assert {(pair.left.id, pair.right.id) for pair in found.at(1.0).pairs} == {("l1", 3), ("l3", 3)}
    near = next(pair for pair in found.pairs if not pair.exact)
    assert found.explain(near).probability == pytest.approx(near.probability)
    with pytest.raises(neardup.UsageError, match="compute it again"):
        found.at(0.1)
    assert list(found) == list(found.pairs)
    assert [record.id for record in neardup.link(right, left).unmatched_right] == ["l2"]
    refused = neardup.link(["Acme", "--"], ["", "Acme"])
    assert [one.position for one in refused.rejected_left + refused.rejected_right] == [1, 0]


def test_links_take_columns_of_their_own_names_on_the_right() -> None:
    found = neardup.link(
        {"lead": ["Acme Inc"]}, {"firm": ["ACME INC"], "no": [5]}, text="lead", right_text="firm", right_id="no"
    )
    assert [(pair.left.id, pair.right.id) for pair in found.matches] == [(0, 5)]


def test_a_link_keeps_at_most_so_many_texts_for_each_left_text() -> None:
    right = ["Acme Holdings", "Acme Holdings Inc", "Acme Holdings Ltd", "Acme Hldgs"]
    assert len(neardup.link(["Acme Holdings"], right, limit=2).pairs) == 2
    with pytest.raises(neardup.UsageError, match="limit is 0"):
        neardup.link(["Acme"], right, limit=0)


def test_many_pairs_are_compared_as_one_by_one() -> None:
    left, right = NAMES[:5], NAMES[1:]
    many = neardup.compare_many(left, right)
    one_by_one = [neardup.compare(*pair) for pair in zip(left, right, strict=True)]
    assert len(many) == 5
    assert many.probability.tolist() == pytest.approx([one.probability for one in one_by_one])
    assert many.similarity.tolist() == pytest.approx([one.similarity for one in one_by_one], abs=1e-6)
    assert many.exact.tolist() == [one.exact for one in one_by_one]
    assert many.to_dict()["left"] == left
    assert len(neardup.compare_many([], [])) == 0


def test_a_comparison_says_why() -> None:
    found = neardup.compare("Acme 1 Ltd", "Acme 2 Ltd")
    assert found.probability < 0.5
    assert "numbers ‘1’ and ‘2’ differ" in [reason.label for reason in found.reasons]
    assert str(found).endswith(f"= {found.log_odds:+.2f} log-odds in total")
    same = neardup.compare("Acme Ltd", "ACME, LTD.")
    assert (same.probability, same.exact, same.log_odds) == (1.0, True, None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neardup.deduplicate("Acme Inc"), "A single text was given"),
        (lambda: neardup.deduplicate(7), "Rows of type int cannot be read"),
        (lambda: neardup.deduplicate(Path("names.csv")), "read it into a table"),
        (lambda: neardup.deduplicate(["Acme", 7]), "The item 7 is neither a text nor a dict"),
        (lambda: neardup.deduplicate({"name": "Acme"}), "The column 'name' is 'Acme'"),
        (lambda: neardup.deduplicate({"a": {"name": "Acme"}}), "give a dict of lists"),
        (lambda: neardup.deduplicate(["Acme"], min_probability="0.5"), "min_probability is '0.5'"),
        (lambda: neardup.deduplicate(["Acme"], text=5.0), r"text is 5\.0"),
        (lambda: neardup.deduplicate([{"id": 1, "name": "Acme"}], id=1.5), r"id is 1\.5"),
        (lambda: neardup.deduplicate(["Acme"], model="no/such/model"), "There is no model in no/such/model"),
        (lambda: neardup.link([{"no": 1, "name": "A"}], ["A"], id="no"), "right_id="),
        (lambda: neardup.deduplicate(["A"], progress="yes"), "progress is 'yes'"),
        (lambda: neardup.link(["A"], ["A"], limit=1.5), r"limit is 1\.5"),
        (lambda: neardup.deduplicate(NAMES).explain((0, 2)), "Only a pair can be explained"),
        (lambda: neardup.compare(None, "x"), "left is None; give a str"),
        (lambda: neardup.compare_many("Acme", "Acne"), "left is 'Acme'; give a list of str"),
        (lambda: neardup.compare_many(["Acme"], [None]), r"right\[0\] is None"),
        (lambda: neardup.deduplicate({"a": ["x"], "b": []}), "The columns differ in length"),
        (lambda: neardup.deduplicate(["Acme"], min_probability=1.5), r"min_probability is 1\.5"),
        (lambda: neardup.deduplicate([{"a": "x", "b": "y"}]), "--text"),
        (lambda: neardup.deduplicate([{"name": "x"}], text="firm"), "no column 'firm'"),
        (lambda: neardup.compare("Acme", "--"), "has no letter"),
        (lambda: neardup.compare_many(["a"], []), "1 texts cannot be compared with 0"),
    ],
)
def test_bad_input_names_the_value(call: Any, message: str) -> None:
    with pytest.raises(neardup.DedupError, match=message):
        call()


def test_progress_is_reported_to_a_function() -> None:
    steps: list[tuple[str, int, int | None]] = []
    neardup.deduplicate(NAMES, progress=lambda *step: steps.append(step))
    assert {"encode", "search", "words", "cluster"} <= {stage for stage, _, _ in steps}


def test_values_that_are_no_text_are_rejected_with_the_column() -> None:
    names = [b"Acme Inc", b"\xff", ["Acme"], {"a": 1}, "Acm\ud800e", 7, "ACME INC."]
    found = neardup.deduplicate({"name": names})
    assert [record.text for record in found.records] == ["Acme Inc", "7", "ACME INC."]
    assert [(one.position, one.code) for one in found.rejected] == [
        (1, "E_ENCODING_ROW"),
        (2, "E_NESTED"),
        (3, "E_NESTED"),
        (4, "E_ENCODING_ROW"),
    ]
    assert "'name'" in found.rejected[1].message


def test_right_rows_of_a_link_may_have_no_ids() -> None:
    found = neardup.link([{"no": 7, "name": "Acme Inc"}], ["ACME, INC."], id="no", right_text="text", right_id="")
    assert [(pair.left.id, pair.right.id) for pair in found] == [(7, 0)]


def test_columns_are_numbered_where_their_names_are_numbers() -> None:
    found = neardup.deduplicate([{0: "a", 1: "Acme Inc"}, {0: "b", 1: "ACME INC"}], text=1, id=0)
    assert [(pair.left.id, pair.right.id) for pair in found] == [("a", "b")]


@pytest.mark.parametrize("looked_at", [False, True])
def test_results_can_be_pickled(looked_at: bool) -> None:
    found, linked = neardup.deduplicate(NAMES), neardup.link(NAMES[:2], NAMES[2:])
    if looked_at:
        assert len(found.clusters) == 2
        assert len(linked.matches) == 1
    again, linked_again = pickle.loads(pickle.dumps((found, linked)))
    assert (again.pairs, again.clusters, again.unique) == (found.pairs, found.clusters, found.unique)
    assert again.at(0.9).pairs == found.at(0.9).pairs
    assert linked_again.matches == linked.matches
    assert pickle.loads(pickle.dumps(found.pairs)) == found.pairs
    assert pickle.loads(pickle.dumps(found.clusters)) == found.clusters


def test_a_result_is_equal_to_itself_only() -> None:
    found = neardup.deduplicate(NAMES)
    assert found == found
    assert found != neardup.deduplicate(NAMES)
    assert hash(found) == hash(found)


def test_a_model_is_given_by_its_directory_and_shows_itself_in_a_line() -> None:
    model = neardup.load_model()
    assert repr(model).count("\n") == 0
    assert "dimension=128" in repr(model)
    other = neardup.deduplicate(NAMES, model=str(model.directory))
    assert other.pairs == neardup.deduplicate(NAMES).pairs


def test_words_for_no_name_are_never_duplicates_or_linked() -> None:
    names = ["NULL", "(null)", "NULL", "#REF!", "Acme Inc"]
    found = neardup.deduplicate(names)
    assert [(row.position, row.code) for row in found.rejected] == [(at, "E_NAME_PLACEHOLDER") for at in range(4)]
    links = neardup.link(names, names)
    assert [(pair.left.text, pair.right.text) for pair in links.pairs] == [("Acme Inc", "Acme Inc")]
    assert len(links.rejected_left) == len(links.rejected_right) == 4
