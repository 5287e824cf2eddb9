"""An input does not empty its source, is not stored twice, and does not change its ids by accident."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubles import fake_model

from dedup.errors import InputRefused, TooManyRemoved, UsageError
from indexer.api import Index

MODEL = fake_model()


@pytest.fixture
def index(directory, engine_url):
    with Index(engine_url, workspace=directory, model=MODEL) as opened:
        yield opened


def export(path: Path, rows: range, *, header: str = "id,name,city", city: str = "Bonn") -> Path:
    has_id = header.startswith(("id,", "no,"))
    lines = [f"{f'{n},' if has_id else ''}Harbor Works {n},{city}\n" for n in rows]
    path.write_text(f"{header}\n{''.join(lines)}", "utf-8")
    return path


@pytest.mark.parametrize("header", ["id,name,city", "name,city"])
def test_a_file_that_is_cut_off_removes_nothing(index, tmp_path, header):
    index.add(export(tmp_path / "a.csv", range(200), header=header), sync=True)
    cut = export(tmp_path / "a.csv", range(20), header=header)
    with pytest.raises(TooManyRemoved, match=r"20 rows and would remove 180 of the 200 records .*max_removed=1"):
        index.add(cut, sync=True)
    assert index.status().records == 200
    assert index.add(cut, sync=True, max_removed=1).removed == 180
    assert index.status().records == 20


@pytest.mark.parametrize(
    ("before", "after", "max_removed", "is_allowed"),
    [
        (200, 180, None, True),
        (200, 179, None, False),
        (10, 8, None, True),
        (10, 5, None, True),
        (10, 4, None, False),
        (60, 50, None, True),
        (60, 49, None, False),
        (1, 0, None, False),  # an empty list is another matter: it is refused whatever is allowed
        (10, 8, 0.1, False),  # a share that was given is meant exactly
        (10, 9, 0.1, True),
        (10, 9, 0, False),
        (10, 10, 0, True),
        (10, 1, 1, True),
    ],
)
def test_what_may_be_removed(index, before, after, max_removed, is_allowed):
    rows = [{"id": n, "name": f"Harbor Works {n}"} for n in range(before)]
    index.add(rows)
    if is_allowed:
        assert index.add(rows[:after], sync=True, max_removed=max_removed).removed == before - after
    else:
        with pytest.raises(InputRefused):
            index.add(rows[:after] or {"id": [], "name": []}, sync=True, max_removed=max_removed)
        assert index.status().records == before


def test_without_sync_nothing_is_removed_or_refused(index, tmp_path):
    index.add(export(tmp_path / "a.csv", range(100)))
    assert index.add(export(tmp_path / "a.csv", range(10))).unchanged == 10
    assert index.status().records == 100


@pytest.mark.parametrize("header", ["id,name,city", "name,city"])
@pytest.mark.parametrize("city", ["Bonn", "Rome"])
def test_a_dated_export_is_not_a_source_of_its_own(index, tmp_path, header, city):
    index.add(export(tmp_path / "export-2026-11-29.csv", range(100), header=header))
    new = export(tmp_path / "export-2026-11-30.csv", range(5, 105), header=header, city=city)
    with pytest.raises(InputRefused, match=r"95 of 100 rows are in source 'export-2026-11-29'.*--source"):
        index.add(new)
    assert index.status().sources == {"export-2026-11-29": 100}
    assert index.add(new, source="export-2026-11-30").added == 100


def test_the_same_records_under_another_name_are_not_stored_twice(index, tmp_path):
    index.add(export(tmp_path / "customers.csv", range(100)))
    with pytest.raises(InputRefused, match="customers"):
        index.add(export(tmp_path / "for_review.csv", range(100)))
    with pytest.raises(InputRefused, match="customers"):
        index.add([{"id": n, "name": f"Harbor Works {n}"} for n in range(100)])
    assert index.status().records == 100


def test_lists_that_only_share_ids_or_some_names_are_sources_of_their_own(index, tmp_path):
    index.add(export(tmp_path / "accounts.csv", range(100)))
    leads = tmp_path / "leads.csv"
    leads.write_text("id,name\n" + "".join(f"{n},Copper Falcon {n}\n" for n in range(100)), "utf-8")
    assert index.add(leads).added == 100
    part = tmp_path / "accounts-2.csv"
    part.write_text("id,name\n" + "".join(f"{n},Harbor Works {n}\n" for n in range(60, 160)), "utf-8")
    assert index.add(part).added == 100


def test_another_id_column_than_before_is_refused(index, tmp_path):
    file = tmp_path / "list.csv"
    file.write_text("id,key,name\n" + "".join(f"{n},K{n},Harbor Works {n}\n" for n in range(30)), "utf-8")
    index.add(file)
    for sync in (False, True):
        with pytest.raises(UsageError, match=r"ids from column 'id', but this input takes them from 'key'.*--id id"):
            index.add(file, id="key", sync=sync)
    with pytest.raises(UsageError, match="id column"):
        index.add(file, id="")
    assert index.status().records == 30
    assert index.add(file).unchanged == 30


def test_the_columns_of_a_source_stay_in_use(index, tmp_path):
    file = tmp_path / "list.csv"
    rows = "".join(f"K{n},{n},Harbor Works {n},Copper {n}\n" for n in range(30))
    file.write_text("key,id,name,trade\n" + rows, "utf-8")
    index.add(file, id="key", text="trade")
    assert index.add(file).unchanged == 30
    assert "'trade'" in index.add(file).notes[0]


def test_an_id_column_may_be_renamed(index, tmp_path):
    index.add(export(tmp_path / "list.csv", range(30)))
    assert index.add(export(tmp_path / "list.csv", range(31), header="no,name,city"), id="no").unchanged == 30


def test_a_source_without_ids_stays_without(index, tmp_path):
    file = tmp_path / "list.csv"
    file.write_text("Kunden-Nr,name\n" + "".join(f"K{n},Harbor Works {n}\n" for n in range(30)), "utf-8")
    index.add(file, id="")
    assert index.add(file).unchanged == 30


def test_empty_rows_are_skipped_and_counted(index, tmp_path):
    file = tmp_path / "sheet.csv"
    file.write_text("id;name;city\n1;Acme;Bonn\n;;\n2;Beta;Rome\n ; ;\n;;;;;\n", "utf-8")
    done = index.add(file)
    assert (done.rows, done.added, done.rejected) == (2, 2, ())
    assert any("W_ROW_EMPTY" in note and "3 (first on line 3)" in note for note in done.notes)
    table = {"id": [1, None, 2], "name": ["Gamma", "", "Delta"]}
    done = index.add(table)
    assert (done.rows, done.added, done.rejected) == (2, 2, ())
    lines = [{"id": "1", "name": "Zeta"}, {"id": None, "name": ""}, {"id": "2", "name": "Eta"}]
    file = tmp_path / "more.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    done = index.add(file)
    assert (done.rows, done.added, done.rejected) == (2, 2, ())


def test_the_most_frequent_reasons_are_told(index, tmp_path):
    good = [f"{n},Harbor Works {n},Bonn" for n in range(60)]
    bad = ["70,,Bonn"] * 4 + ["71"] * 3 + [",Acme,Bonn"] * 2 + ["0,Acme,Bonn"]
    file = tmp_path / "bad.csv"
    file.write_text("\n".join(["id,name,city", *good, *bad]) + "\n", "utf-8")
    notes = index.add(file).notes
    told = [note for note in notes if note.startswith(("E_", "Other"))]
    assert [note.split(":")[0] for note in told] == ["E_NAME_EMPTY", "E_MISSING_CELL", "E_ID_EMPTY", "Other reasons"]
    assert "4 rows, first on line 62" in told[0]
