"""A persistent index from Python: the same jobs as the commands."""

from __future__ import annotations

import csv
import pickle
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import neardup

ROWS = [
    {"id": 1, "name": "Acme Holdings Inc", "city": "Ulm"},
    {"id": 2, "name": "Zenith Bank", "city": "Bern"},
    {"id": 3, "name": "ACME HOLDINGS INCORPORATED", "city": "Ulm"},
    {"id": 4, "name": "acme holdings, inc.", "city": ""},
]


@pytest.fixture
def index(directory: Path, engine_url: str) -> Iterator[neardup.Index]:
    with neardup.Index(engine_url, workspace=directory) as opened:
        yield opened


def ids(matches: Any) -> list[Any]:
    return [match.record.id for match in matches]


def test_rows_are_added_found_changed_and_deleted(index: neardup.Index) -> None:
    added = index.add(ROWS)
    assert (added.rows, added.added, added.source) == (4, 4, "python")
    shown = "Added(4 rows: 4 added, 0 changed, 0 unchanged, 0 removed, 0 rejected; source 'python')"
    assert repr(added) == shown
    found = index.query("Acme Holdings Inc")
    assert ids(found)[:2] == [1, 4]
    assert found[0].exact and found[0].probability == 1.0
    assert found[0].record.fields == {"city": "Ulm"}
    assert found.explain(found[2]).probability == pytest.approx(found[2].probability)
    assert ids(found.at(1.0)) == [1, 4]
    assert found[1].record.fields == {}

    assert index.add([{"id": 2, "name": "Zenith Bank of Ohio", "city": "Bern"}]).changed == 1
    assert index.query("Zenith Bank of Ohio")[0].record.id == 2
    assert index.delete([1, 3]) == 2
    assert ids(index.query("Acme Holdings Inc")) == [4]
    assert index.delete(source="python") == 2
    assert list(index.query("Acme Holdings Inc")) == []


def test_many_queries_are_answered_in_order(index: neardup.Index) -> None:
    index.add(ROWS)
    found = index.query(["zenith bank", "nobody at all", "acme holdings inc"], limit=1)
    assert [ids(matches) for matches in found] == [[2], [], [1, 4]]
    assert found.to_dict()["query"] == ["zenith bank", "acme holdings inc", "acme holdings inc"]
    assert len(found.matches) == 3
    assert repr(found) == "ManyMatches(3 queries, 3 matches)"
    assert repr(index.query(["zenith bank"])) == "ManyMatches(1 query, 1 match)"
    assert len(found.at(1.0)) == 3


def test_duplicates_equal_those_in_memory(index: neardup.Index) -> None:
    index.add(ROWS)
    stored, in_memory = index.duplicates(), neardup.deduplicate(ROWS)
    assert [(p.left.id, p.right.id, p.probability, p.exact) for p in stored.pairs] == [
        (p.left.id, p.right.id, p.probability, p.exact) for p in in_memory.pairs
    ]
    assert [[r.id for r in c.records] for c in stored.clusters] == [
        [r.id for r in c.records] for c in in_memory.clusters
    ]
    assert stored.at(0.99).pairs == index.duplicates(min_probability=0.99).pairs


def test_another_index_sees_and_shows_what_is_written(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as writer, neardup.Index(tmp_path / "w") as reader:
        writer.add(ROWS[:1])
        assert ids(reader.query("Acme Holdings Inc")) == [1]
        writer.add(ROWS[3:])
        assert ids(reader.query("Acme Holdings Inc")) == [1, 4]


IDS = [
    [1, 2],
    ["1", "02"],
    [1.5, 2.0],
    [uuid.UUID(int=1), uuid.UUID(int=2)],
    [Decimal("1.10"), Decimal("2")],
    [date(2026, 1, 1), date(2026, 1, 2)],
    [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)],
]


@pytest.mark.parametrize("given", IDS, ids=lambda given: type(given[0]).__name__)
def test_ids_come_back_as_they_were_given(given: list[Any], tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as index:
        index.add({"id": given, "name": ["Acme Inc", "Zenith Bank"]})
        found = [index.query(name)[0].record.id for name in ("Acme Inc", "Zenith Bank")]
        assert found == given
        assert list(map(type, found)) == list(map(type, given))
        assert index.delete(given[1:]) == 1


def test_an_id_that_cannot_be_given_back_is_refused(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as index, pytest.raises(neardup.UsageError, match="of type tuple"):
        index.add([{"id": (1, 2), "name": "Acme"}])


def test_rows_without_ids_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as index:
        assert index.add(["Acme Inc", "Zenith Bank"]).added == 2
        assert index.add(["Acme Inc", "Borealis"]).added == 1
        assert index.status().records == 3
        assert index.add(["Borealis"], sync=True).removed == 2


def test_no_rows_change_nothing(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as index:
        index.add(ROWS)
        assert index.add({"id": [], "name": []}).rows == 0
        assert index.status().records == 4
        with pytest.raises(neardup.InputRefused, match="would remove all 4 records"):
            index.add({"id": [], "name": []}, sync=True)
        with pytest.raises(neardup.InputRefused, match="The input has no rows, so source 'python' was not changed"):
            index.add([])
        assert index.status().records == 4


def test_a_file_is_indexed_as_by_the_command(tmp_path: Path) -> None:
    file = tmp_path / "firms.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ["id", "name", "city"])
        writer.writeheader()
        writer.writerows([*ROWS, {"id": 5, "name": "--"}])
    with neardup.Index(tmp_path / "w") as index:
        added = index.add(file)
        assert (added.source, added.rows, added.added, len(added.rejected)) == ("firms", 5, 4, 1)
        columns, reason = added.notes
        assert columns.startswith("Text from column 'name', id from column 'id'.")
        assert reason.startswith("E_NAME_EMPTY: 1 row on line 6")
        assert [(one.position, one.line, one.code) for one in added.rejected] == [(4, 6, "E_NAME_EMPTY")]
        assert index.query("zenith bank")[0].record.id == "2"
        with pytest.raises(neardup.UsageError, match="no option 'separator'"):
            index.add(file, separator=";")
        report = index.report(tmp_path / "found")
        assert report["clusters"] == 1
        assert (tmp_path / "found" / "pairs.csv").exists()


def test_status_and_verification_tell_what_is_there(index: neardup.Index) -> None:
    index.add(ROWS)
    status = index.status()
    assert (status.records, status.distinct_texts, status.sources) == (4, 3, {"python": 4})
    assert repr(status) == "Status(4 records, 3 texts, 1 source)"
    verified = index.verify()
    assert verified
    assert repr(verified) == "Verification(no faults)"


def test_a_damaged_snapshot_is_told_and_repaired(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as index:
        index.add(ROWS)
        for file in (tmp_path / "w" / "snapshots").glob("*.faiss"):
            file.write_bytes(b"damaged")
        found = index.verify()
        assert not found
        assert "is damaged" in found.faults[0]
        assert repr(index.verify(repair=True)) == "Verification(no faults, snapshot built again)"
        assert index.verify()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda index: index.query("Acme"), "Nothing is indexed"),
        (lambda index: index.duplicates(), "Nothing is indexed"),
        (lambda index: index.status(), "Nothing is indexed"),
        (lambda index: index.verify(), "Nothing is indexed"),
        (lambda index: index.report("found"), "Nothing is indexed"),
        (lambda index: index.delete([1]), "Nothing is indexed"),
        (lambda index: index.delete(), "Say what to delete"),
        (lambda index: index.query("Acme", limit=0), "limit is 0"),
        (lambda index: index.query("Acme", limit=None), "limit is None"),
        (lambda index: index.query("Acme", min_probability=2), "min_probability is 2"),
        (lambda index: index.query(None), "text is None"),
        (lambda index: index.query(["Acme", None]), r"text\[1\] is None"),
        (lambda index: index.query({"name": ["Acme"]}), "give a list of str"),
        (lambda index: index.add(ROWS, id_column="id"), "no option 'id_column'"),
        (lambda index: index.add(ROWS, encoding="utf-8"), "encoding= applies only to files"),
        (lambda index: index.add(ROWS, source=""), "source is ''"),
        (lambda index: index.add(ROWS, source="a\0b"), "source is"),
        (lambda index: index.add(ROWS, source=5), "source is 5"),
        (lambda index: index.add(ROWS, max_reject_rate="a"), "max_reject_rate is 'a'"),
        (lambda index: index.report(None), "output is None; give a directory"),
        (lambda index: index.report("a\0b"), "output is 'a"),
        (lambda index: index.report(b"found"), "output is b'found'"),
        (lambda index: index.report("\ud800"), "output is"),
        (lambda index: index.delete("\ud800"), "half of a surrogate pair"),
        (lambda index: index.delete(["1", "\ud800"]), "half of a surrogate pair"),
        (lambda index: index.add({}), "The table has no rows and no columns"),
    ],
)
def test_what_cannot_be_done_is_said_and_makes_no_workspace(call: Any, message: str, tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as index, pytest.raises(neardup.DedupError, match=message):
        call(index)
    assert not (tmp_path / "w" / "neardup.sqlite").exists()


@pytest.mark.parametrize("location", [None, "", 5, b"w", "a\0b", "\ud800"])
def test_a_location_is_a_directory_or_a_url(location: Any) -> None:
    with pytest.raises(neardup.UsageError, match="location is"):
        neardup.Index(location)


def test_a_workspace_belongs_to_a_url(tmp_path: Path) -> None:
    with pytest.raises(neardup.UsageError, match="workspace="):
        neardup.Index(tmp_path, workspace=tmp_path)


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    from indexer.store.workspace import Workspace

    with neardup.Index(tmp_path / "w") as index:
        index.add(ROWS)
        with Workspace(tmp_path / "w").open(for_writing=True):
            assert index.query("Zenith Bank")
            with pytest.raises(neardup.WriterBusy):
                index.add(ROWS)


def test_ids_of_another_type_are_given_back_as_text(index: neardup.Index) -> None:
    index.add([{"id": 1, "name": "Acme Inc"}])
    index.add([{"id": "A7", "name": "Zenith Bank"}, {"id": "007", "name": "Borealis Shipping"}])
    assert [matches[0].record.id for matches in index.query(["acme inc", "zenith bank", "borealis shipping"])] == [
        1,
        "A7",
        "007",
    ]
    assert index.delete("007") == index.delete(1) == 1
    assert [record.id for record in index.duplicates().records] == ["A7"]


def test_the_type_of_ids_is_that_of_the_first_rows(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as index:
        index.add({"id": [], "name": []})
        index.add([{"id": 7, "name": "Acme Inc"}])
        assert index.query("acme inc")[0].record.id == 7
        index.delete(source="python")
        index.add([{"id": "8", "name": "Acme Inc"}])
        assert index.query("acme inc")[0].record.id == "8"


def test_whole_numbers_that_pandas_turned_into_floats_are_the_same_ids(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as index:
        index.add([{"id": 1, "name": "Acme Inc"}])
        assert index.add([{"id": 1.0, "name": "Acme Inc"}, {"id": float("nan"), "name": "X"}]).unchanged == 1
        assert index.query("acme inc")[0].record.id == 1


def test_a_header_with_blanks_names_the_same_column(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as index:
        index.add([{" id": 1, "company  name": "Acme"}])
        assert index.query("acme")[0].record.id == 1


@pytest.mark.parametrize("ids", [[], ()])
def test_no_ids_delete_nothing(index: neardup.Index, ids: Any) -> None:
    index.add(ROWS, source="crm")
    assert index.delete(ids, source="crm") == 0
    assert index.delete(2, source="crm") == 1
    assert index.status().records == 3


def test_all_records_are_in_the_duplicates_of_an_index(index: neardup.Index) -> None:
    index.add(ROWS)
    found = index.duplicates()
    assert [record.id for record in found.records] == [1, 2, 3, 4]
    assert [record.id for record in found.unique] == [1, 2]
    assert found.cluster_ids == [0, None, 0, 0]


def test_duplicates_of_an_index_that_changes_meanwhile_are_refused(tmp_path: Path) -> None:
    def write(stage: str, done: int, total: int | None) -> None:
        if stage == "search":
            neardup.Index(tmp_path / "w").add(["Red Apple", "Blue Ocean"], source="other")

    neardup.Index(tmp_path / "w").add(ROWS)
    with (
        neardup.Index(tmp_path / "w", progress=write) as index,
        pytest.raises(neardup.WriterBusy, match="try again"),
    ):
        index.duplicates()


def test_added_tells_its_run_its_columns_and_why_rows_were_rejected(tmp_path: Path) -> None:
    rows = [{"Lead ID": f"L{number}", "Firma": name} for number, name in enumerate(["Acme", "", "--", "Beta"])]
    with neardup.Index(tmp_path / "w") as index:
        added = index.add(rows)
        assert (added.run_id, added.text_columns, added.id_column) == (1, ("Firma",), "Lead ID")
        (reason,) = added.reasons
        assert (reason.error, reason.rows) == ("E_NAME_EMPTY", 2)
        assert index.add(rows[:1]).reasons == ()
        index.add([{"id": number, "name": f"Harbor {number}"} for number in range(40)], source="b")
        with pytest.raises(neardup.TooManyRemoved) as refused:
            index.add([{"id": 1, "name": "Harbor 1"}], source="b", sync=True)
        failed, *others = index.status().runs
        assert (failed["run"], failed["state"], failed["error"]) == (4, "failed", str(refused.value))
        assert [run["error"] for run in others] == [None, None, None]


def test_records_that_are_kept_for_a_row_without_an_id_are_mentioned(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as index:
        index.add(ROWS)
        added = index.add([*ROWS[:2], {"id": None, "name": "Acme"}], sync=True)
        assert added.removed == 0
        assert "Kept 2 records missing from the input" in added.notes[-1]
        assert [(one.position, one.id, one.code) for one in added.rejected] == [(2, None, "E_ID_EMPTY")]


def test_a_location_is_meant_from_where_the_index_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    indexes = [neardup.Index("w"), neardup.Index("sqlite:///one.db", workspace="snapshots")]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for index in indexes:
        index.add(ROWS)
        assert ids(index.query("zenith bank")) == [2]
        index.close()
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == [
        "elsewhere",
        "one.db",
        "snapshots",
        "w",
    ]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_index_can_be_sent_to_another_process(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "w") as index:
        index.add(ROWS)
        index.query("zenith bank")
        with pickle.loads(pickle.dumps(index)) as copy:
            assert ids(copy.query("zenith bank")) == [2]


def test_columns_with_names_of_ours_are_kept(index: neardup.Index) -> None:
    index.add([{"id": 1, "name": "Acme", "text": "long", "probability": "high"}], text="name")
    columns = index.query("acme").to_dict()
    assert columns["text"] == ["Acme"]
    assert (columns["column_text"], columns["column_probability"]) == (["long"], ["high"])


def test_a_query_without_texts_has_no_matches(index: neardup.Index) -> None:
    index.add(ROWS)
    match = index.query("zenith bank")[0]
    assert index.query([]).explain(match).exact
    assert list(index.query([]).to_dict()) == ["query", "probability", "similarity", "exact", "source", "id", "text"]
