"""``verify`` finds every kind of damage to the database and to the snapshot, and no fault in a sound workspace."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clustered_vectors import damage
from indexed import MODEL, NAMES, index
from raw_sql import raw
from sqlalchemy import event, insert
from sqlalchemy import text as sql

from dedup.errors import CorruptStore
from indexer.jobs import verify
from indexer.jobs.delete import delete_records
from indexer.jobs.index import index_rows
from indexer.jobs.verify import Check, worst_kind
from indexer.reading.open import Row
from indexer.store.schema import text
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots


@pytest.fixture
def filled(store: Store, workspace: Workspace) -> Store:
    """A store with a snapshot, a text added since and one deleted since."""
    rows = [Row(n + 1, n, f"r{n}", name, {"city": f"{n}", "land": "X"}, []) for n, name in enumerate(NAMES, 1)]
    options = {"identity": "column", "mirror": False, "on_reject": lambda reject: None}
    snapshots = Snapshots(store, workspace.snapshots)
    index_rows(snapshots, MODEL, "names", rows, **options)
    index_rows(snapshots, MODEL, "more", [rows[0]._replace(raw="Added Later")], **options)
    delete_records(store, ["r8"], "names")
    return store


def checked(store: Store, workspace: Workspace, **options: Any) -> list[Check]:
    snapshots = Snapshots(store, workspace.snapshots)
    return verify.verify(snapshots, workspace.directory, MODEL.model_id, MODEL.dimension, **options)


def faults(checks: list[Check]) -> list[str]:
    return [f"{check.name}: {example}" for check in checks for example in check.examples]


def test_a_sound_workspace(filled: Store, workspace: Workspace) -> None:
    checks = checked(filled, workspace)
    assert faults(checks) == [] and worst_kind(checks) is None
    counts = {check.name: check.checked for check in checks}
    expected = {"records": 8, "texts": 7, "texts encoded": 7, "vectors": 7, "runs": 3, "snapshot": 6}
    assert expected.items() <= counts.items()
    assert ("database file" in counts) == (filled.engine.dialect.name == "sqlite")


def test_an_empty_workspace_is_sound(store: Store, workspace: Workspace) -> None:
    assert faults(checked(store, workspace)) == []


DAMAGE_TO_THE_DATABASE = {
    "UPDATE record SET raw = 'Northwind trading' WHERE record_id = 1": "records: Record 1 does not match its digest",
    'UPDATE record SET fields = \'{"city":"2"}\' WHERE record_id = 1': "records: Record 1 does not match its digest",
    "UPDATE record SET fields = '[1' WHERE record_id = 1": "records: Record 1 does not match its digest",
    "UPDATE record SET text_id = 2 WHERE record_id = 1": "records: The text of record 1 is missing or is not the",
    "UPDATE text SET normal = 'else' WHERE text_id = 1": "texts: Text 1 does not match its digest",
    "UPDATE text_vector SET code = ZEROS WHERE text_id = 2": "vectors: The vector of text 2 is zero",
    "UPDATE text_vector SET code = SHORT WHERE text_id = 2": "vectors: The vector of text 2 is zero or does not have",
    "UPDATE text_vector SET code = ONES WHERE text_id = 2": "vectors: The vector of text 2 differs from the one in",
    "UPDATE store_meta SET value = '7' WHERE key = 'next_text_id'": "texts: The next text id is recorded as '7', but 8",
    "UPDATE store_meta SET value = '' WHERE key = 'next_record_id'": "values: In row 'next_record_id' of table store_",
    "UPDATE ingest_batch SET rows_in = rows_in + 1 WHERE run_id = 1": "runs: The batches of run 1 do not account",
    "UPDATE text SET normal = t.normal, digest = t.digest FROM text AS t WHERE text.text_id = 2 AND t.text_id = 1": (
        "texts: Texts 1 and 2 are equal: "
    ),
    "UPDATE ingest_batch SET batch_no = 5 WHERE run_id = 1": "runs: Run 1 has 1 batches, but the last one has",
    "DELETE FROM ingest_batch WHERE run_id = 1": "runs: The batches of run 1 do not add up",
    "UPDATE run SET manifest = '{\"ro' WHERE run_id = 1": "values: In row run_id=1 of table run, manifest is '{\"ro'",
    "UPDATE run SET manifest = '{\"rows\": {}}' WHERE run_id = 1": "runs: The batches of run 1 do not add up",
}


@pytest.mark.parametrize("statement", DAMAGE_TO_THE_DATABASE)
def test_damage_to_the_database(filled: Store, workspace: Workspace, statement: str) -> None:
    expected = DAMAGE_TO_THE_DATABASE[statement]
    literal = "x'{}'" if filled.engine.dialect.name == "sqlite" else "'\\x{}'"
    for name, code in {"ZEROS": "00" * 32, "ONES": "01" * 32, "SHORT": "01" * 31}.items():
        statement = statement.replace(name, literal.format(code))
    with filled.engine.begin() as connection:
        raw(connection).exec_driver_sql(statement)
    checks = checked(filled, workspace)
    found = faults(checks)
    assert any(fault.startswith(expected) for fault in found)
    assert worst_kind(checks) == "truth"


def test_a_text_without_a_record(filled: Store, workspace: Workspace) -> None:
    with filled.engine.begin() as connection:
        connection.execute(insert(text).values(text_id=9, normal="x", digest=1))
        raw(connection).execute(sql("UPDATE store_meta SET value = '10' WHERE key = 'next_text_id'"))
    assert faults(checked(filled, workspace)) == [
        "texts: Text 9 does not match its digest.",
        "texts: Text 9 has no record.",
        "texts encoded: Text 9 has no vector of this model.",
    ]


def test_missing_vectors(filled: Store, workspace: Workspace) -> None:
    with filled.engine.begin() as connection:
        raw(connection).execute(sql("DELETE FROM text_vector WHERE text_id > 1"))
    checks = checked(filled, workspace)
    assert worst_kind(checks) == "vectors"
    (encoded,) = (check for check in checks if check.faults)
    assert (encoded.name, encoded.checked, encoded.faults, len(encoded.examples)) == ("texts encoded", 7, 6, 5)
    index_rows(
        Snapshots(filled, workspace.snapshots),
        MODEL,
        "none",
        [],
        identity="column",
        mirror=False,
        on_reject=lambda reject: None,
    )
    assert worst_kind(checked(filled, workspace)) is None


@pytest.mark.parametrize("how", ["missing", "cut", "longer", "one bit", "folder"])
def test_a_bad_file_is_found_and_rebuilt(filled: Store, workspace: Workspace, how: str) -> None:
    before = filled.current_snapshot()
    (path,) = workspace.snapshots.iterdir()
    damage(path, how, b"")
    checks = checked(filled, workspace)
    assert worst_kind(checks) == "snapshot"
    (bad,) = (check for check in checks if check.faults and check.kind != "note")
    assert str(path) in bad.examples[0]
    Snapshots(filled, workspace.snapshots).publish(MODEL.model_id)
    assert worst_kind(checked(filled, workspace)) is None
    after = filled.current_snapshot()
    assert before is not None and after is not None and after.digest != before.digest  # one text deleted, one added


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (f"UPDATE snapshot SET digest = '{'f' * 32}'", "are not those that were published"),
        ("UPDATE snapshot SET max_text_id = 6", "are not those that were published"),
        ("UPDATE snapshot SET max_text_id = 8", "Text 8 is missing from the snapshot"),
        ("UPDATE snapshot SET n_vectors = 6", "does not match the database"),
        (f"UPDATE snapshot SET sha256 = '{'f' * 64}'", "is damaged"),
        ("DELETE FROM snapshot", "There is no snapshot of the vectors of this model"),
    ],
)
def test_a_snapshot_row_that_does_not_match_its_file(
    filled: Store, workspace: Workspace, statement: str, expected: str
) -> None:
    with filled.engine.begin() as connection:
        raw(connection).exec_driver_sql(statement)
    checks = checked(filled, workspace)
    assert any(expected in fault for fault in faults(checks))
    assert worst_kind(checks) == "snapshot"


@pytest.mark.parametrize("parameters", ["{", "{}"])
def test_a_snapshot_row_that_is_not_valid(filled: Store, workspace: Workspace, parameters: str) -> None:
    with filled.engine.begin() as connection:
        raw(connection).execute(sql("UPDATE snapshot SET parameters = :p"), {"p": parameters})
    checks = checked(filled, workspace)
    assert faults(checks) == [
        f"values: In row generation=1 of table snapshot, parameters is {parameters!r}, "
        "but must be a JSON object with the parameters of a snapshot."
    ]
    assert worst_kind(checks) == "truth"
    with pytest.raises(CorruptStore, match=r"In row generation=1 of table snapshot.*Run `dedup verify`"):
        filled.current_snapshot()


def test_another_model(filled: Store, workspace: Workspace) -> None:
    checks = verify.verify(Snapshots(filled, workspace.snapshots), workspace.directory, "b" * 64, MODEL.dimension)
    assert worst_kind(checks) == "vectors"
    assert [check.faults for check in checks if check.name == "texts encoded"] == [7]


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_references_to_missing_rows(filled: Store, workspace: Workspace) -> None:
    driver = filled.engine.raw_connection()
    driver.execute("PRAGMA foreign_keys=OFF")
    driver.execute("DELETE FROM text WHERE text_id = 1")
    driver.commit()
    driver.close()
    (check,) = checked(filled, workspace)
    assert (check.name, worst_kind([check])) == ("database file", "truth")
    assert check.examples[0].endswith("of record refers to a missing row of text.")


def test_a_lost_page_of_the_file_is_found(directory: Path) -> None:
    """Any page of a SQLite file that is overwritten with zeros is noticed."""
    workspace = Workspace(directory)
    with workspace.open(for_writing=True) as store:
        index(Snapshots(store, workspace.snapshots), NAMES)
    file = directory / "neardup.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM")  # leaves no free page
    whole = file.read_bytes()
    unnoticed = []
    for start in range(0, len(whole), 4096):
        file.write_bytes(whole[:start] + bytes(4096) + whole[start + 4096 :])
        try:
            with workspace.open(for_writing=False) as store:
                if worst_kind(checked(store, workspace)) != "truth":
                    unnoticed.append(start)
        except CorruptStore:
            pass
    assert len(whole) > 15 * 4096 and unnoticed == []


def test_unknown_files_are_listed_and_kept(filled: Store, workspace: Workspace) -> None:
    for name in ("notes.txt", "snapshots/idx-1-zz.faiss"):
        (workspace.directory / name).touch()
    (workspace.directory / "snapshots" / f"idx-1-{'a' * 32}.tmp").touch()
    (workspace.directory / "rejects" / "queries").mkdir(parents=True, exist_ok=True)
    for name in ("names.jsonl", "queries/names.jsonl"):  # of bad rows: they are neardup's own
        (workspace.directory / "rejects" / name).touch()
    checks = checked(filled, workspace)
    assert faults(checks) == [
        "files: notes.txt does not belong to neardup.",
        "files: snapshots/idx-1-zz.faiss does not belong to neardup.",
    ]
    assert worst_kind(checks) is None


@pytest.mark.parametrize("deleted", ["r1", "r5"])
def test_a_writer_may_delete_during_the_check(
    filled: Store, workspace: Workspace, deleted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text of the previous or of the next page is deleted between two pages."""
    reader = Store(filled.engine)
    pages = iter(["", "", deleted])

    def write_between(rows: list[tuple[int, bytes]], *others: object) -> None:
        if external_id := next(pages, ""):
            delete_records(filled, [external_id], "names")
        compare(rows, *others)

    compare = verify._compare
    monkeypatch.setattr(verify, "_compare", write_between)
    assert faults(checked(reader, workspace, rows_at_once=2)) == []
    assert next(pages, None) is None


def test_no_statement_fetches_more_than_a_page(filled: Store, workspace: Workspace) -> None:
    """Of the large tables, that is."""
    statements: list[str] = []
    event.listen(
        filled.engine, "before_cursor_execute", lambda *values: statements.append(values[2].replace("public.", ""))
    )
    assert faults(checked(filled, workspace, rows_at_once=2)) == []
    large = [one for one in statements if "FROM record" in one.split("WHERE")[0] or "FROM text" in one]
    assert sum("LIMIT" in one for one in large) >= 8
    assert all("LIMIT" in one or "count(" in one for one in large)


def test_a_rebuilt_snapshot_has_the_same_bytes(store: Store, workspace: Workspace) -> None:
    snapshots = Snapshots(store, workspace.snapshots)
    index(snapshots, NAMES)
    before = store.current_snapshot()
    (path,) = workspace.snapshots.iterdir()
    content = path.read_bytes()
    damage(path, "one bit", b"")
    after = snapshots.publish(MODEL.model_id)
    assert before is not None and after is not None
    assert Path(workspace.snapshots / after.file_name).read_bytes() == content
    assert (before.sha256, before.digest) == (after.sha256, after.digest)
