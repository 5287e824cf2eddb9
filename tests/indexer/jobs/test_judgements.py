"""What people judge, through the Python API: kept by identity, respected by clusters and reports, never lost."""

import csv

import pytest
from doubles import fake_model
from sqlalchemy import create_engine, text

import neardup
from indexer.findings.history import prune, runs_of
from neardup import Index

ROWS = [
    {"id": 1, "name": "Acme Widgets", "city": "Boston"},
    {"id": 2, "name": "ACME WIDGETS", "city": ""},
    {"id": 3, "name": "Acme Widgetz", "city": "Rome"},
    {"id": 4, "name": "Zenith Bank", "city": "Lyon"},
    {"id": 5, "name": "Harbor Granite", "city": "Oslo"},
    {"id": 6, "name": "Harbor Granit", "city": "Oslo"},
]


@pytest.fixture
def index(engine_url, directory):
    with Index(engine_url, workspace=directory, model=fake_model()) as opened:
        opened.add(ROWS, text="name", id="id", source="crm")
        yield opened


def clusters(index, **how):
    return sorted(sorted(record.id for record in one.records) for one in index.duplicates(**how).clusters)


def judge(index, one, other, verdict, **how):
    return index.judge(("crm", one), ("crm", other), verdict, **how)


def test_different_splits_and_same_joins(index):
    assert clusters(index) == [[1, 2, 3], [5, 6]]
    assert judge(index, 5, 6, "different", by="ann") == []
    assert judge(index, 4, 5, "same") == []
    assert clusters(index) == [[1, 2, 3], [4, 5]]
    assert clusters(index, judgements=False) == [[1, 2, 3], [5, 6]]


def test_a_pair_judged_the_same_is_listed_with_its_probability(index):
    judge(index, 4, 5, "same")
    found = index.duplicates()
    pair = next(pair for pair in found if {pair.left.id, pair.right.id} == {4, 5})
    assert pair.judged and not pair.exact and pair.probability < 0.5 and pair.cluster_id is not None
    assert next(cluster for cluster in found.clusters if cluster.id == pair.cluster_id).weakest_probability < 0.5
    assert [pair.judged for pair in found if {pair.left.id, pair.right.id} == {5, 6}] == [False]
    assert found.at(0.95).pairs[-2].judged or any(pair.judged for pair in found.at(0.95))


def test_exact_duplicates_judged_different_come_apart(index):
    judge(index, 1, 2, "different")
    found = index.duplicates()
    assert clusters(index) == [[1, 3], [5, 6]]  # a record nobody judged stays with the first part of a text
    pairs = {frozenset((pair.left.id, pair.right.id)) for pair in found}
    assert frozenset((1, 2)) not in pairs and frozenset((1, 3)) in pairs
    judge(index, 2, 3, "same")
    assert clusters(index) == [[2, 3], [5, 6]]


def test_parts_of_a_text_go_with_what_they_were_judged_the_same_as(index):
    judge(index, 1, 4, "same")
    judge(index, 2, 5, "same")
    judge(index, 4, 5, "different")
    assert clusters(index) == [[1, 3, 4], [2, 5]] or clusters(index) == [[1, 4], [2, 5]]
    pairs = {frozenset((pair.left.id, pair.right.id)) for pair in index.duplicates()}
    assert frozenset((1, 2)) not in pairs and frozenset((4, 5)) not in pairs


def test_a_contradiction_is_told_with_its_chain_and_different_holds(index):
    judge(index, 3, 4, "same", by="ann")
    judge(index, 4, 5, "same", by="ben")
    (told,) = judge(index, 3, 5, "different", by="eve")
    assert "crm:3" in told and "crm:4" in told and "crm:5" in told and "eve" in told
    assert [3, 5] not in clusters(index) and not any({3, 5} <= set(one) for one in clusters(index))
    assert judge(index, 4, 5, None) == []


def test_judgements_outlive_records_texts_and_models(index, engine_url, directory):
    judge(index, 5, 6, "different", by="ann", note="two shops")
    judge(index, 4, 5, "same", by="ann")
    index.delete([5], source="crm")
    assert clusters(index) == [[1, 2, 3]]
    index.add([{"id": 5, "name": "Harbor Granite"}], text="name", id="id", source="crm")
    assert clusters(index) == [[1, 2, 3], [4, 5]]
    with Index(engine_url, workspace=directory, model=fake_model("b")) as other:
        other.add(ROWS, text="name", id="id", source="crm")
        assert clusters(other) == [[1, 2, 3], [4, 5]]
        assert [(one.left, one.right, one.verdict, one.by, one.note) for one in other.judgements()] == [
            (("crm", 5), ("crm", 6), "different", "ann", "two shops"),
            (("crm", 4), ("crm", 5), "same", "ann", ""),
        ]


def test_the_last_judgement_of_a_pair_holds_and_can_be_withdrawn(index):
    pair = index.duplicates().pairs[0]
    index.judge(pair.left, pair.right, "same")
    index.judge(pair.right, pair.left, "different")
    assert [one.verdict for one in index.judgements()] == ["different"]
    index.judge(pair.left, pair.right, None)
    assert list(index.judgements()) == [] and clusters(index) == [[1, 2, 3], [5, 6]]


def test_unsure_changes_nothing(index):
    judge(index, 5, 6, "unsure")
    judge(index, 1, 2, "unsure")
    assert clusters(index) == [[1, 2, 3], [5, 6]]


@pytest.mark.parametrize(
    ("left", "right", "verdict", "words"),
    [
        (("crm", 1), ("crm", 1), "same", "against itself"),
        (("crm", 1), ("crm", 9), "same", "no record with the id '9'"),
        (("erp", 1), ("crm", 1), "same", "'erp' has no record"),
        (("crm", 1), ("crm", 2), "maybe", "'maybe'"),
        (7, ("crm", 2), "same", "7 is no record"),
    ],
)
def test_a_bad_judgement_is_refused(index, left, right, verdict, words):
    with pytest.raises(neardup.UsageError, match=words):
        index.judge(left, right, verdict)
    assert list(index.judgements()) == []


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_report_says_what_was_judged(index, tmp_path):
    judge(index, 4, 5, "same")
    judge(index, 5, 6, "different")
    judge(index, 1, 2, "different")
    summary = index.report(tmp_path / "out")
    assert (summary["pairs_judged_same"], summary["pairs_judged_different"], summary["contradictions"]) == (1, 2, [])
    pairs = {(row["id_1"], row["id_2"]): row["kind"] for row in rows(tmp_path / "out" / "pairs.csv")}
    assert pairs == {("1", "3"): "near", ("2", "3"): "near", ("4", "5"): "judged"}
    assert summary["distinct_texts"] == 5 and summary["pairs_listed"] == len(pairs) == summary["pairs_total"]
    grouped = {}
    for row in rows(tmp_path / "out" / "clusters.csv"):
        grouped.setdefault(row["cluster_id"], []).append(row["id"])
    assert sorted(grouped.values()) == [["1", "3"], ["4", "5"]]


def marked(path, column):
    return [row["id"] for row in rows(path / "clusters.csv") if row[column] == "true"]


def test_one_record_of_each_cluster_is_to_keep_and_one_names_it(index, tmp_path):
    index.report(tmp_path)
    assert marked(tmp_path, "keep") == ["1", "5"]  # of two equally complete ones the longer name
    assert marked(tmp_path, "is_representative") == ["1", "5"]
    assert marked(tmp_path, "exact") == ["1", "2"]
    assert marked(tmp_path, "is_weakest") == ["1", "2", "3", "5", "6"]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("newest", ["3", "6"]),
        ("oldest", ["1", "5"]),
        ("newest:city", ["3", "5"]),
        ("oldest:city", ["1", "5"]),
        ("source:erp", ["7", "5"]),
        (["source:none_such", "newest"], None),
        (["oldest:city", "newest"], ["1", "6"]),
    ],
)
def test_rules_choose_the_record_to_keep(index, tmp_path, rule, kept):
    index.add([{"id": 7, "name": "Acme Widgets"}], text="name", id="id", source="erp")
    if kept is None:
        with pytest.raises(neardup.UsageError, match="none_such"):
            index.report(tmp_path, keep=rule)
        return
    index.report(tmp_path, keep=rule)
    expected = [one if one != "3" or rule != "newest" else "7" for one in kept]
    assert marked(tmp_path, "keep") == expected


@pytest.mark.parametrize("rule", ["best", "source", "newest:", "most-complete:city", ""])
def test_an_unknown_rule_is_refused(index, tmp_path, rule):
    with pytest.raises(neardup.UsageError, match="most-complete, newest"):
        index.report(tmp_path, keep=rule)


@pytest.mark.parametrize("change", ["id_1 = '9'", "source_2 = 'erp'", "id_1 = id_2, id_2 = id_1"])
def test_a_judgement_that_was_changed_by_hand_is_noticed(index, engine_url, change):
    judge(index, 5, 6, "different")
    engine = create_engine(engine_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE judgement SET {change}"))
    engine.dispose()
    for broken in (index.judgements, index.duplicates):
        with pytest.raises(neardup.CorruptStore, match="judgement_id=1"):
            broken()


@pytest.mark.parametrize(
    ("left", "how"),
    [
        (("crm", "\ud800"), {}),
        (("crm", "\0"), {}),
        (("\ud800", 1), {}),
        (("\0", 1), {}),
        (("crm", 1), {"by": 5}),
        (("crm", 1), {"by": "\0"}),
        (("crm", 1), {"note": "\ud800"}),
        (("crm", 1), {"note": "a\0b"}),
        (("crm", 1), {"note": 5}),
    ],
)
@pytest.mark.parametrize("verdict", ["same", None])
def test_what_cannot_be_stored_is_refused(index, left, how, verdict):
    if verdict or not how:
        with pytest.raises(neardup.UsageError):
            index.judge(left, ("crm", 2), verdict, **how)
    else:
        assert index.judge(left, ("crm", 2), verdict, **how) == []
    assert list(index.judgements()) == []


@pytest.mark.parametrize("keep", [5, [5], b"newest", {"newest": 1}])
def test_what_is_no_rule_of_the_record_to_keep_is_refused(index, tmp_path, keep):
    with pytest.raises(neardup.UsageError, match="keep is"):
        index.report(tmp_path / "out", keep=keep)


def test_more_runs_than_there_are(index, tmp_path):
    index.report(tmp_path / "out")
    assert prune(index._workspace, 10**30) == 0
    assert len(runs_of(index._workspace, 10**30)) == 2
