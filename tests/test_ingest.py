"""Rows of a file become records: what is added, changed, removed and refused."""

from __future__ import annotations

import re
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from doubles import fake_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from dedup.errors import InputRefused, UsageError
from dedup.normalise import normalise
from indexer import deletion, intake, runs
from indexer import ingest as ingest_module
from indexer import store as store_module
from indexer.deletion import delete_records, delete_source, sources_of
from indexer.ingest import ingest
from indexer.intake import Identity
from indexer.readers import Row
from indexer.rejects import Reject
from indexer.runs import Accounts, last_runs, recorded_run
from indexer.store import Store
from indexer.workspace import Workspace

MODEL = fake_model()


def row(number: int, identifier: str | None, raw: str, **fields: str) -> Row:
    return Row(number + 1, number, identifier, raw, fields, [identifier or "", raw, *fields.values()])


def with_ids(*pairs: tuple[str, str]) -> list[Row | Reject]:
    return [row(number, identifier, raw) for number, (identifier, raw) in enumerate(pairs, 1)]


def without_ids(*raws: str) -> list[Row | Reject]:
    return [row(number, None, raw) for number, raw in enumerate(raws, 1)]


class Load:
    """One ingest: its summary and its rejects."""

    def __init__(
        self,
        store: Store,
        rows: Iterable[Row | Reject],
        identity: Identity = "column",
        source: str = "names",
        sync: bool = False,
    ) -> None:
        self.rejects: list[Reject] = []
        self.told: list[tuple[str, int, int | None]] = []
        with recorded_run(store, "index") as run:
            self.run = run
            summary = ingest(
                store,
                source,
                rows,
                model=MODEL,
                run=run,
                identity=identity,
                scratch=Path(tempfile.gettempdir()),
                on_reject=self.rejects.append,
                sync=sync,
                progress=lambda *step: self.told.append(step),
            )
        self.summary, self.withheld = summary.accounts, summary.withheld
        self.errors = [reject.error for reject in self.rejects]


def content(store: Store) -> dict[tuple[str, str], str]:
    return {(record.source, record.external_id): record.raw for record in store.iter_records()}


def raws(store: Store) -> Counter[str]:
    return Counter(record.raw for record in store.iter_records())


def normals(store: Store) -> list[str]:
    return sorted(normal for _, page in store.iter_texts() for normal in page)


@contextmanager
def writes(store: Store) -> Iterator[list[str]]:
    """Collect the statements that change rows."""
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE", "COPY"):
            statements.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    yield statements
    event.remove(store.engine, "before_cursor_execute", note)


# A column of ids


def test_round_trip(store: Store) -> None:
    rows = [row(1, "00123", 'Müller & "Söhne" GmbH', city="Köln", note=""), row(2, "é" * 512, "株式会社")]
    load = Load(store, rows)
    assert load.summary == Accounts(2, added=2, changed=0, unchanged=0, removed=0, rejected=0)
    first, second = store.iter_records()
    assert (first.source, first.external_id, first.raw) == ("names", "00123", 'Müller & "Söhne" GmbH')
    assert first.fields == {"city": "Köln", "note": ""}
    assert (second.external_id, second.raw, second.fields) == ("é" * 512, "株式会社", {})
    assert store.normals([first.text_id]) == {first.text_id: normalise('Müller & "Söhne" GmbH')}


@pytest.mark.parametrize("identity", ["column", "content"])
def test_second_run_writes_nothing(store: Store, identity: Identity) -> None:
    rows = with_ids(("1", "Acme"), ("2", "Beta"), ("3", "ACME"))
    Load(store, rows, identity)
    before = list(store.iter_records())
    with writes(store) as statements:
        load = Load(store, rows, identity)
    assert load.summary == Accounts(3, added=0, changed=0, unchanged=3, removed=0, rejected=0)
    assert not [statement for statement in statements if re.search("record|text", statement)]
    assert list(store.iter_records()) == before


def test_a_text_that_one_batch_deletes_and_the_next_one_has(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Beta")))
    monkeypatch.setattr(intake, "BATCH_ROWS", 1)
    load = Load(store, with_ids(("2", "Gamma"), ("3", "Beta"), ("4", "beta"), ("5", "BETA"), ("6", "Gamma")))
    assert load.summary == Accounts(5, added=4, changed=1, unchanged=0, removed=0, rejected=0)
    assert normals(store) == ["acme", "beta", "gamma"]
    assert (len(store.load_vectors(MODEL.model_id)[0]), len(raws(store))) == (3, 5)


def test_rows_change_are_added_and_stay(store: Store) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Beta"), ("3", "Gamma")))
    load = Load(store, with_ids(("4", "Delta"), ("2", "Beta Ltd"), ("1", "Acme")))
    assert load.summary == Accounts(3, added=1, changed=1, unchanged=1, removed=0, rejected=0)
    expected = {"1": "Acme", "2": "Beta Ltd", "3": "Gamma", "4": "Delta"}
    assert content(store) == {("names", key): raw for key, raw in expected.items()}
    assert normals(store) == ["acme", "beta ltd", "delta", "gamma"]


def test_columns_in_another_order_are_no_change(store: Store) -> None:
    Load(store, [row(1, "1", "Acme", city="Oslo", land="NO")])
    assert Load(store, [row(1, "1", "Acme", land="NO", city="Oslo")]).summary.unchanged == 1
    assert Load(store, [row(1, "1", "Acme", land="Oslo", city="NO")]).summary.changed == 1


def test_text_ids_are_never_used_again(store: Store) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Beta")))
    (before,) = [record.text_id for record in store.iter_records() if record.raw == "Beta"]
    Load(store, with_ids(("2", "Gamma")))
    assert store.counts().vectors == 2
    assert store.live_texts_up_to(before) == 1
    Load(store, with_ids(("2", "Beta")))
    (after,) = [record.text_id for record in store.iter_records() if record.raw == "Beta"]
    assert after > before + 1


def test_text_shared_with_another_record_stays(store: Store) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "ACME")))
    Load(store, with_ids(("1", "Beta")))
    assert normals(store) == ["acme", "beta"]
    Load(store, with_ids(("2", "Beta!")))
    assert normals(store) == ["beta"]


def test_sources_are_kept_apart(store: Store) -> None:
    Load(store, with_ids(("1", "Acme")), source="one")
    Load(store, with_ids(("1", "Beta")), source="two")
    Load(store, without_ids("Acme", "Gamma"), "content", source="three")
    Load(store, without_ids("Gamma"), "content", source="three")
    assert store.counts().sources == {"one": 1, "three": 1, "two": 1}
    assert content(store)[("one", "1")] == "Acme"
    assert content(store)[("two", "1")] == "Beta"


# Content as identity


def test_edited_file_adds_and_removes_only_the_edit(store: Store) -> None:
    Load(store, without_ids("Acme", "Beta", "Gamma"), "content")
    kept = {record.raw: record for record in store.iter_records()}
    load = Load(store, without_ids("Gamma", "Beta Ltd", "Acme"), "content")
    assert load.summary == Accounts(3, added=1, changed=0, unchanged=2, removed=1, rejected=0)
    now = {record.raw: record for record in store.iter_records()}
    assert set(now) == {"Acme", "Beta Ltd", "Gamma"}
    assert (now["Acme"], now["Gamma"]) == (kept["Acme"], kept["Gamma"])
    assert normals(store) == ["acme", "beta ltd", "gamma"]


def test_equal_rows_are_numbered(store: Store) -> None:
    Load(store, without_ids("Acme", "Beta", "Acme", "Acme"), "content")
    (base,) = {key.split("-")[0] for (_, key), raw in content(store).items() if raw == "Acme"}
    assert {("names", base), ("names", f"{base}-2"), ("names", f"{base}-3")} <= set(content(store))
    load = Load(store, without_ids("Acme", "Acme", "Beta"), "content")
    assert load.summary == Accounts(3, added=0, changed=0, unchanged=3, removed=1, rejected=0)
    assert ("names", f"{base}-3") not in content(store)


@pytest.mark.parametrize("page", [1, 2, 3])
def test_repeats_are_found_across_batches(store: Store, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(intake, "BATCH_ROWS", page)
    rows = without_ids("Acme", "Beta", "Acme", "Beta", "Acme")
    assert Load(store, rows, "content").summary.added == 5
    assert Load(store, rows, "content").summary.unchanged == 5
    assert Load(store, rows[:3], "content").summary.removed == 2
    ids = with_ids(("1", "Acme"), ("2", "Beta"), ("1", "Gamma"))
    for _ in range(2):
        assert Load(store, ids, source="ids").errors == ["E_ID_DUPLICATE"]


def test_no_rows_never_remove_all(store: Store) -> None:
    assert Load(store, [], "content").summary.rows_in == 0
    Load(store, without_ids("Acme"), "content")
    with pytest.raises(InputRefused, match="would remove all 1 records") as caught:
        Load(store, [], "content")
    assert caught.value.code == "E_EMPTY"
    assert raws(store) == Counter(["Acme"])


@pytest.mark.parametrize("first", ["column", "content"])
def test_other_kind_of_identity_is_refused(store: Store, first: Identity) -> None:
    second: Identity = "content" if first == "column" else "column"
    rows = with_ids(("1", "Acme"))
    Load(store, rows, first)
    with pytest.raises(UsageError, match=r"'names' was indexed with .* --source NAME"):
        Load(store, rows, second)
    Load(store, rows, second, source="other")


# Rejects


def test_unsound_rows_are_rejected_and_counted(store: Store) -> None:
    from_reader = Reject(9, 8, "E_QUOTE", None, "A quote.", '"')
    rows = [
        *with_ids(("1", "Acme"), ("1", "Beta"), ("3", " ?! "), ("4", "x" * 4097), ("5", "A\0B")),
        row(6, "6\0", "Gamma"),
        row(7, "7", "Gamma", city="\0"),
        from_reader,
        row(9, "9", "\ud800 Gamma"),
        row(10, "", "Gamma"),
        row(11, "i" * 513, "Gamma"),
        row(12, "12", "x" * 4096),
    ]
    load = Load(store, rows)
    codes = ["DUPLICATE", "EMPTY", "TOO_LONG"]
    expected = [f"E_ID_{code}" for code in codes] + ["E_NAME_EMPTY", "E_NAME_TOO_LONG"]
    expected += ["E_NUL", "E_NUL", "E_NUL", "E_QUOTE", "E_ENCODING_ROW"]
    assert sorted(load.errors) == sorted(expected)
    assert load.summary == Accounts(12, added=2, changed=0, unchanged=0, removed=0, rejected=10)
    assert content(store) == {("names", "1"): "Acme", ("names", "12"): "x" * 4096}
    (duplicate,) = [reject for reject in load.rejects if reject.error == "E_ID_DUPLICATE"]
    assert (duplicate.line, duplicate.record_no, duplicate.raw) == (3, 2, "1,Beta")
    assert "'1'" in duplicate.message


def names_with_rejects(total: int, bad: int) -> list[Row | Reject]:
    return with_ids(*((str(i), "?" if i <= bad else f"Name {i}") for i in range(1, total + 1)))


def test_too_many_rejects_roll_everything_back(store: Store) -> None:
    Load(store, with_ids(("1", "Acme")))
    with pytest.raises(InputRefused, match="6 of the first 100 rows") as caught:
        Load(store, names_with_rejects(100, 6))
    assert caught.value.code == "E_TOO_MANY_REJECTS"
    assert content(store) == {("names", "1"): "Acme"}
    assert normals(store) == ["acme"]
    assert Load(store, names_with_rejects(100, 5)).summary.rejected == 5


def test_few_rows_may_be_bad_but_not_all(store: Store) -> None:
    assert Load(store, names_with_rejects(99, 98)).summary.rejected == 98
    with pytest.raises(InputRefused, match="All 2 rows were rejected"):
        Load(store, names_with_rejects(2, 2), source="other")
    assert store.counts().sources == {"names": 1}


@pytest.mark.parametrize("error", [InputRefused("broken"), KeyboardInterrupt()])
def test_input_that_breaks_off_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(intake, "BATCH_ROWS", 1)

    def rows() -> Iterator[Row | Reject]:
        yield from with_ids(("1", "Acme"), ("2", "Beta"))
        raise error

    with pytest.raises(type(error)):
        Load(store, rows())
    assert store.counts().records == store.counts().texts == 0
    assert store.counts().sources == {}
    assert Load(store, with_ids(("1", "Acme"))).summary.added == 1


def test_progress_is_told_after_each_batch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "BATCH_ROWS", 2)
    rows = with_ids(*((str(i), f"Name {i}") for i in range(5)))
    load = Load(store, rows)
    assert [done for stage, done, total in load.told if (stage, total) == ("store", 5)] == [2, 4, 5]


# Mirroring a source


def test_sync_removes_what_the_input_no_longer_holds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "SIZE_OF_REMOVAL", 2)
    Load(store, with_ids(*((str(n), f"Name {n}") for n in range(9))))
    Load(store, with_ids(("1", "Elsewhere")), source="other")
    load = Load(store, with_ids(("3", "Name 3"), ("10", "Name 10")), sync=True)
    assert load.summary == Accounts(2, added=1, unchanged=1, removed=8)
    assert [done for stage, done, _ in load.told if stage == "remove"] == [2, 4, 6, 8]
    assert content(store) == {("names", "3"): "Name 3", ("names", "10"): "Name 10", ("other", "1"): "Elsewhere"}
    assert normals(store) == ["elsewhere", "name 10", "name 3"]


def test_sync_keeps_the_records_of_rejected_rows(store: Store) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Beta"), ("3", "Gamma")))
    load = Load(store, with_ids(("1", "Acme"), ("2", "?")), sync=True)
    assert (load.summary.removed, load.withheld) == (1, 0)
    assert set(content(store)) == {("names", "1"), ("names", "2")}


def test_sync_removes_nothing_while_a_rejected_row_has_no_id(store: Store) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Beta"), ("3", "Gamma")))
    ragged = Reject(2, 1, "E_MISSING_CELL", None, "", "2")
    load = Load(store, [*with_ids(("1", "Acme")), ragged], sync=True)
    assert (load.summary.removed, load.withheld) == (0, 2)
    assert len(content(store)) == 3


def test_a_row_that_cannot_be_read_removes_nothing(store: Store) -> None:
    Load(store, without_ids("Acme", "Beta"), "content")
    damaged = Reject(3, 2, "E_ENCODING_ROW", None, "", "Bet\\xff")
    load = Load(store, [*without_ids("Acme"), damaged], "content")
    assert (load.summary.removed, load.withheld) == (0, 1)
    load = Load(store, without_ids("Acme", "?"), "content")
    assert (load.summary.removed, load.withheld) == (1, 0)


def test_sync_with_an_empty_input_is_refused(store: Store) -> None:
    Load(store, with_ids(("1", "Acme")))
    with pytest.raises(InputRefused, match="remove all 1 records"):
        Load(store, [], sync=True)
    assert content(store) == {("names", "1"): "Acme"}


def test_an_emptied_source_may_change_its_identity(store: Store) -> None:
    Load(store, with_ids(("1", "Acme")))
    assert delete_source(store, "names") == 1
    assert Load(store, without_ids("Acme"), "content").summary.added == 1


# Deleting


def test_records_are_deleted_all_or_none(store: Store) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "ACME"), ("3", "Beta")))
    Load(store, with_ids(("1", "Gamma")), source="other")
    with pytest.raises(UsageError, match="no record with the id '9'"):
        delete_records(store, ["1", "9"], "names")
    with pytest.raises(UsageError, match="no source 'nams'; there are 'names', 'other'"):
        delete_records(store, ["1"], "nams")
    assert len(content(store)) == 4
    assert sources_of(store, ["1", "3"]) == ["names", "other"]
    assert delete_records(store, ["1", "3", "1"], "names") == 2
    assert content(store) == {("names", "2"): "ACME", ("other", "1"): "Gamma"}
    assert normals(store) == ["acme", "gamma"]
    assert store.counts().vectors == 2
    (run,) = last_runs(store, 1)
    assert (run.kind, run.state, runs.batches(store, run.run_id)) == ("delete", "done", (1, Accounts(removed=2)))


def test_a_deletion_that_was_killed_at_its_end_is_done(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Beta")))
    remove = deletion._remove

    def remove_and_stop(*arguments: Any) -> None:
        remove(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(deletion, "_remove", remove_and_stop)
    with pytest.raises(KeyboardInterrupt):
        delete_records(store, ["1"], "names")
    assert delete_records(store, ["1"], "names") == 1
    assert content(store) == {("names", "2"): "Beta"}
    assert [run.state for run in last_runs(store, 9)] == ["done", "done"]
    with pytest.raises(UsageError, match="no record with the id '1'"):
        delete_records(store, ["1"], "names")


def test_a_killed_deletion_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Load(store, with_ids(*((str(n), f"Name {n}") for n in range(5))))
    monkeypatch.setattr(deletion, "PAGE", 2)

    def stop(stage: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delete_source(store, "names", stop)
    assert len(content(store)) == 3
    assert delete_source(store, "names") == 5
    assert content(store) == {} and normals(store) == []
    assert [run.kind for run in last_runs(store, 9)] == ["delete", "index"]


# Against a model


names = st.sampled_from(["Acme", "ACME", "acme!", "Beta", "Beta Ltd", "Gamma", "", "?", "株式会社", "3M"])
files = st.lists(st.tuples(st.sampled_from("abcde"), names, st.sampled_from(["", "Oslo"])), max_size=8)


class Model:
    """What a store should hold, in plain dictionaries."""

    def __init__(self) -> None:
        self.by_id: dict[str, tuple[str, str]] = {}
        self.by_content: Counter[tuple[str, str]] = Counter()

    def load(self, identity: Identity, file: list[tuple[str, str, str]]) -> Accounts | None:
        """Return the expected summary; None if the file is refused."""
        sound = [entry for entry in file if normalise(entry[1])]
        if identity == "column":
            accepted: dict[str, tuple[str, str]] = {}
            for identifier, raw, city in sound:
                accepted.setdefault(identifier, (raw, city))
            before, after = self.by_id, {**self.by_id, **accepted}
            added = len(after) - len(before)
            changed = sum(before.get(key, value) != value for key, value in accepted.items())
            removed, n_accepted = 0, len(accepted)
        else:
            content = Counter((raw, city) for _, raw, city in sound)
            added, changed = (content - self.by_content).total(), 0
            removed, n_accepted = (self.by_content - content).total(), content.total()
            if not file and removed:
                return None
        if file and not n_accepted:
            return None
        if identity == "column":
            self.by_id = after
        else:
            self.by_content = content
        unchanged = n_accepted - added - changed
        return Accounts(len(file), len(file) - n_accepted, added, changed, unchanged, removed)

    def rows(self) -> Counter[tuple[str, str]]:
        return Counter(self.by_id.values()) + self.by_content


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    loads=st.lists(st.tuples(st.sampled_from(["column", "content"]), files), min_size=1, max_size=5),
    page=st.integers(1, 4),
)
def test_store_equals_the_model(
    new_database: Callable[[], str],
    tmp_path: Path,
    loads: list[tuple[Identity, list[tuple[str, str, str]]]],
    page: int,
) -> None:
    model = Model()
    workspace = Workspace(tmp_path / uuid.uuid4().hex, new_database())
    with pytest.MonkeyPatch.context() as patch, workspace.open(for_writing=True) as store:
        patch.setattr(intake, "BATCH_ROWS", page)
        patch.setattr(ingest_module, "PAGE", page)
        patch.setattr(ingest_module, "SIZE_OF_REMOVAL", page)
        patch.setattr(store_module, "PAGE", page)
        for identity, file in loads:
            rows = [row(i, key, raw, city=city) for i, (key, raw, city) in enumerate(file, 1)]
            expected = model.load(identity, file)
            if expected is None:
                with pytest.raises(InputRefused):
                    Load(store, rows, identity, source=identity)
            else:
                assert Load(store, rows, identity, source=identity).summary == expected
            records = list(store.iter_records())
            assert Counter((r.raw, r.fields["city"]) for r in records) == model.rows()
            assert normals(store) == sorted({normalise(raw) for raw, _ in model.rows()})
            texts = store.normals({r.text_id for r in records})
            assert all(texts[r.text_id] == normalise(r.raw) for r in records)
            assert {r.external_id: (r.raw, r.fields["city"]) for r in records if r.source == "column"} == (model.by_id)
