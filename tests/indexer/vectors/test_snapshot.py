"""The FAISS snapshot: its content, when a new one is due, and that no altered file is trusted."""

from __future__ import annotations

import hashlib
import logging
import os
from functools import partial
from pathlib import Path

import faiss
import pytest
from clustered_vectors import CELLS_ABOVE, clustered, damage, faked_store
from doubles import fake_model
from indexed import MODEL, NAMES, index, with_cells

from dedup.errors import EnvironmentFault
from indexer.jobs import duplicates
from indexer.jobs.query import Searcher
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors import faiss_index, snapshot, snapshot_file
from indexer.vectors.snapshot import Snapshots
from indexer.vectors.snapshot_file import BadSnapshot, read_index

QUERIES = ["Northwind Trading Co", "Blue Ocean", "Initech"]


# Build


@pytest.mark.parametrize("flat_up_to", [CELLS_ABOVE, 10_000])
def test_the_same_vectors_give_the_same_bytes(tmp_path: Path, flat_up_to: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the same recall, with any number of threads."""
    ids, codes = clustered()
    threads = faiss.omp_get_max_threads()
    published = []
    for number in (1, 2, 4, 2):
        monkeypatch.setenv("OMP_NUM_THREADS", str(number))
        faiss.omp_set_num_threads(number)
        published.append(Snapshots(faked_store(ids, codes), tmp_path, flat_up_to=flat_up_to).publish("a" * 64))
    faiss.omp_set_num_threads(threads)
    assert len({(one.sha256, one.digest, one.n_bytes, str(one.parameters)) for one in published}) == 1
    (file,) = tmp_path.iterdir()
    assert hashlib.sha256(file.read_bytes()).hexdigest() == published[0].sha256
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("flat_up_to", [CELLS_ABOVE, 10_000])
def test_an_index_reads_back_as_it_was_stored(tmp_path: Path, flat_up_to: int) -> None:
    ids, codes = clustered()
    codes[3, :4] = -128, -127, 127, 0
    published = Snapshots(faked_store(ids, codes), tmp_path, flat_up_to=flat_up_to).publish("a" * 64)
    opened = read_index(tmp_path, published)
    found = {id: code.tobytes() for page in faiss_index.iter_content(opened) for id, code in zip(*page, strict=True)}
    assert found == {id: code.tobytes() for id, code in zip(ids.tolist(), codes, strict=True)}
    digests = [faiss_index.total(faiss_index.row_digests(*page)) for page in faiss_index.iter_content(opened)]
    assert faiss_index.digest_text(sum(digests)) == published.digest
    assert (published.max_text_id, published.n_vectors) == (ids[-1], len(ids))


def test_every_stage_of_a_publication_reports_progress(tmp_path: Path) -> None:
    reported: dict[str, list[tuple[int, int | None]]] = {}

    def progress(stage: str, done: int, total: int | None) -> None:
        reported.setdefault(stage, []).append((done, total))

    Snapshots(faked_store(*clustered()), tmp_path, flat_up_to=CELLS_ABOVE).publish("a" * 64, progress=progress)
    of_index, of_recall = ["cells", "assign to cells", "snapshot"], ["recall", "recall of queries"]
    assert list(reported) == [*of_index, "write snapshot", "checksum", *of_recall]
    for steps in reported.values():
        assert steps == sorted(steps)
        assert len({total for _, total in steps}) == 1
        assert steps[-1][0] == steps[-1][1]


def test_a_snapshot_is_due_after_many_changes(store: Store, workspace: Workspace) -> None:
    snapshots = Snapshots(store, workspace.snapshots, min_changes=1)
    index(snapshots, NAMES)
    assert not index(snapshots, NAMES).snapshot_built
    assert not index(snapshots, [*NAMES, "Acme"]).snapshot_built
    assert index(snapshots, [*NAMES[1:], "Acme", "Beta"]).snapshot_built
    current = store.current_snapshot()
    assert current is not None and (current.generation, current.n_vectors) == (2, 9)


def test_a_snapshot_is_due_if_its_recall_was_measured_for_another_model(store: Store, snapshots: Snapshots) -> None:
    """The same encoder with a scorer that has another ``min_similarity``."""
    names = [f"Harbour Works {number}" for number in range(40)]
    index(snapshots, names)
    with_cells(snapshots).publish(MODEL.model_id, min_similarity=MODEL.min_similarity)
    assert not index(snapshots, names).snapshot_built
    stricter = fake_model()
    stricter.min_similarity = 0.5
    assert index(snapshots, names, stricter).snapshot_built
    assert not index(snapshots, names).snapshot_built  # a flat snapshot does not depend on it


def test_a_snapshot_of_an_older_version_is_due_and_its_cells_are_not_used(
    store: Store, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its number of cells per text was chosen for texts that search another number of cells."""
    names = [f"Harbour Works {number}" for number in range(40)]
    index(snapshots, names)
    with monkeypatch.context() as older_version:
        older_version.setattr(snapshot, "CELLS_SEARCHED", 1)
        with_cells(snapshots).publish(MODEL.model_id, min_similarity=MODEL.min_similarity)
    older = duplicates.find_duplicates(with_cells(snapshots), MODEL, min_probability=0.5)
    assert older.generation is None
    assert "of an older version" in caplog.text
    assert index(snapshots, names).snapshot_built
    assert not index(snapshots, names).snapshot_built


# Publish


def test_publication_removes_only_our_files(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES)
    for name in ("idx-1-{}.tmp", "idx-3-{}.bad", "idx-20-{}.bad", "idx-1-{}.txt", "notes.tmp"):
        (snapshots.directory / name.format("a" * 32)).touch()
    (snapshots.directory / f"idx-4-{'b' * 32}.faiss").mkdir()
    published = snapshots.publish(MODEL.model_id)
    assert published is not None
    expected = {published.file_name, f"idx-20-{'a' * 32}.bad", f"idx-1-{'a' * 32}.txt", "notes.tmp"}
    assert {path.name for path in snapshots.directory.iterdir() if path.is_file()} == expected


def test_the_next_job_removes_files_left_by_a_killed_one(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES)
    (current,) = snapshots.directory.iterdir()
    for name in ("idx-1-{}.tmp", "idx-0-{}.faiss"):
        (snapshots.directory / name.format("a" * 32)).touch()
    assert not index(snapshots, NAMES).snapshot_built
    assert list(snapshots.directory.iterdir()) == [current]


def test_a_full_disk_keeps_the_last_snapshot(
    store: Store, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(snapshots, NAMES)
    before, files = store.current_snapshot(), list(snapshots.directory.iterdir())

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match=r"No space left on device; it takes about 1 MiB"):
        snapshots.publish(MODEL.model_id)
    assert store.current_snapshot() == before
    assert list(snapshots.directory.iterdir()) == files


# Open


@pytest.mark.parametrize("how", ["missing", "cut", "longer", "empty", "one bit", "other", "folder", "pipe", "link"])
def test_damaged_snapshots_never_reach_faiss(
    store: Store, snapshots: Snapshots, how: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(snapshots, [*NAMES, "Acme"])
    other = next(snapshots.directory.iterdir()).read_bytes()
    index(snapshots, NAMES)
    snapshots.publish(MODEL.model_id)
    expected = Searcher(snapshots, MODEL).query(QUERIES)
    (path,) = snapshots.directory.iterdir()
    damage(path, how, other)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(faiss, "read_index", lambda reader: pytest.fail("FAISS got unverified bytes"))
        assert Searcher(snapshots, MODEL).query(QUERIES) == expected
    assert "dedup verify --repair" in caplog.text
    left = {found.suffix for found in snapshots.directory.iterdir()} - {""}
    assert left == (set() if how == "missing" else {".bad"})
    assert index(snapshots, NAMES).snapshot_built
    assert Searcher(snapshots, MODEL).query(QUERIES) == expected


@pytest.mark.parametrize("at_once", [7, 64])
def test_every_byte_of_a_file_is_checked(
    store: Store, snapshots: Snapshots, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed byte is found at both ends of the first blocks and at the end, whether bytes are kept or not."""
    monkeypatch.setattr(snapshot_file, "_READ_BYTES", at_once)
    index(snapshots, NAMES)
    expected = Searcher(snapshots, MODEL).query(QUERIES)
    is_due = partial(snapshots.is_due, MODEL.model_id, min_similarity=0.0)
    current = store.current_snapshot()
    assert current is not None and current.n_bytes > 2 * at_once and not is_due()
    path = snapshots.directory / current.file_name
    content = path.read_bytes()
    for at in (0, at_once - 1, at_once, 2 * at_once - 1, 2 * at_once, len(content) - 1):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert is_due()
        with pytest.raises(BadSnapshot, match="damaged"):
            snapshots.read(current)
    path.write_bytes(content)
    assert not is_due()
    assert Searcher(snapshots, MODEL).query(QUERIES) == expected


def test_a_file_that_changes_after_its_check(
    store: Store, snapshots: Snapshots, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAISS gets the bytes that were checked, not those in the file a moment later."""
    index(snapshots, NAMES)
    expected = Searcher(snapshots, MODEL).query(QUERIES)
    (path,) = snapshots.directory.iterdir()
    read_index = faiss.read_index

    def too_late(reader: object) -> object:
        damage(path, "one bit", b"")
        return read_index(reader)

    monkeypatch.setattr(faiss, "read_index", too_late)
    assert Searcher(snapshots, MODEL).query(QUERIES) == expected
    assert not caplog.text
    assert Searcher(snapshots, MODEL).query(QUERIES) == expected
    assert "is damaged" in caplog.text
    assert [found.suffix for found in snapshots.directory.iterdir()] == [".bad"]


def test_a_reader_follows_a_writer(
    store: Store, snapshots: Snapshots, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that read the pointer before a publication, and opens the file after it, takes the new file."""
    index(snapshots, NAMES)
    old = store.current_snapshot()
    new = snapshots.publish(MODEL.model_id)
    answers = iter([old, new])
    reader = Store(store.engine)
    monkeypatch.setattr(reader, "current_snapshot", lambda: next(answers))
    opened = Snapshots(reader, snapshots.directory).open(MODEL.model_id)
    assert opened is not None and opened[0] == new
    assert not caplog.text


def test_a_row_that_does_not_describe_its_file(store: Store, snapshots: Snapshots) -> None:
    from dataclasses import replace

    index(snapshots, NAMES)
    current = store.current_snapshot()
    assert current is not None and snapshots.read(current).ntotal == 7
    wrong = [
        {"n_vectors": 8},
        {"parameters": {**current.parameters, "dimension": 16}},
        {"parameters": {**current.parameters, "cells": 4}},
        {"file_name": f"../{snapshots.directory.name}/{current.file_name}"},
        {"n_bytes": 64},
        {"n_bytes": 1 << 50},
        {"n_bytes": -5},
        {"sha256": "0" * 64},
    ]
    for values in wrong:
        with pytest.raises(BadSnapshot):
            snapshots.read(replace(current, **values))
