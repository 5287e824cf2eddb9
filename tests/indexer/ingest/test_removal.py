"""Records go: those that a source no longer holds, and those that are deleted on request."""

from __future__ import annotations

from typing import Any

import pytest
from loading import Load, content, normals, with_ids, without_ids

from dedup.errors import InputRefused, UsageError
from indexer.jobs import delete
from indexer.jobs.delete import delete_records, delete_source
from indexer.reading.rejects import Reject
from indexer.store import runs
from indexer.store.runs import Accounts, last_runs
from indexer.store.store import Store

# Mirroring a source


def test_sync_removes_what_the_input_no_longer_holds(store: Store) -> None:
    Load(store, with_ids(*((str(n), f"Name {n}") for n in range(9))))
    Load(store, with_ids(("1", "Elsewhere")), source="other")
    load = Load(store, with_ids(("3", "Name 3"), ("10", "Name 10")), sync=True, removal_rows=2)
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
    with pytest.raises(UsageError, match=r"no source 'nams'\. Sources: 'names', 'other'"):
        delete_records(store, ["1"], "nams")
    assert len(content(store)) == 4
    assert delete_records(store, ["1", "3", "1"], "names") == 2
    assert content(store) == {("names", "2"): "ACME", ("other", "1"): "Gamma"}
    assert normals(store) == ["acme", "gamma"]
    assert store.counts().vectors == 2
    (run,) = last_runs(store, 1)
    assert (run.kind, run.state, runs.batches(store, run.run_id)) == ("delete", "done", (1, Accounts(removed=2)))


def test_a_deletion_that_was_killed_at_its_end_is_done(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Beta")))
    remove = delete._remove

    def remove_and_stop(*arguments: Any) -> None:
        remove(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(delete, "_remove", remove_and_stop)
    with pytest.raises(KeyboardInterrupt):
        delete_records(store, ["1"], "names")
    assert delete_records(store, ["1"], "names") == 1
    assert content(store) == {("names", "2"): "Beta"}
    assert [run.state for run in last_runs(store, 9)] == ["done", "done"]
    with pytest.raises(UsageError, match="no record with the id '1'"):
        delete_records(store, ["1"], "names")


def test_a_killed_deletion_goes_on(store: Store) -> None:
    Load(store, with_ids(*((str(n), f"Name {n}") for n in range(5))))

    def stop(stage: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delete_source(store, "names", stop, records_at_once=2)
    assert len(content(store)) == 3
    assert delete_source(store, "names") == 5
    assert content(store) == {} and normals(store) == []
    assert [run.kind for run in last_runs(store, 9)] == ["delete", "index"]
