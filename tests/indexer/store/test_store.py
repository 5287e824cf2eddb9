"""Reading and writing runs, texts, vectors, records and snapshots."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from doubles import fake_model

from indexer.ingest.load import ingest
from indexer.reading.open import Row
from indexer.store.runs import begin_run, finish_run, last_runs, recorded_run
from indexer.store.store import Store

MODEL = "a" * 64
OTHER_MODEL = "b" * 64


def fill(store: Store, *names: str, source: str = "names") -> None:
    rows = [Row(i + 1, i, str(i), name, {"city": f"City {i}"}, [str(i), name]) for i, name in enumerate(names, 1)]
    with recorded_run(store, "index") as run:
        ingest(
            store,
            source,
            rows,
            model=fake_model("f"),
            run=run,
            identity="column",
            mirror=False,
            scratch=Path(tempfile.gettempdir()),
            on_reject=lambda reject: None,
        )


def test_runs(store: Store) -> None:
    first = begin_run(store, "index")
    finish_run(store, first, "done", {"rows_in": 3, "name": "Å"})
    second = begin_run(store, "report")
    last, one_before = last_runs(store, 2)
    assert (last.run_id, last.kind, last.state, last.finished_at) == (second, "report", "running", None)
    assert (one_before.state, one_before.manifest) == ("done", {"rows_in": 3, "name": "Å"})
    assert one_before.finished_at is not None and one_before.finished_at.endswith("+00:00")
    assert last_runs(store, 1) == [last]


def test_a_text_has_a_vector_of_one_model(store: Store) -> None:
    fill(store, "Acme", "Beta", "ACME", "Gamma")
    ids, normals = store.texts_without_vectors(MODEL, 0, 2)
    assert normals == ["acme", "beta"]
    codes = np.array([[1, -128, 127], [0, 5, -5]], np.int8)
    store.write_vectors(MODEL, ids, codes)
    rest, normals = store.texts_without_vectors(MODEL, int(ids[-1]), 10)
    assert normals == ["gamma"]
    store.write_vectors(MODEL, rest, np.array([[9, 9, 9]], np.int8))
    assert len(store.texts_without_vectors(MODEL, 0, 10)[0]) == 0
    assert len(store.texts_without_vectors(OTHER_MODEL, 0, 10)[0]) == 3

    pages = list(store.iter_vectors(MODEL, page=2))
    assert [len(page_ids) for page_ids, _ in pages] == [2, 1]
    assert pages[0][0].dtype == np.int64 and pages[0][1].dtype == np.int8
    assert np.array_equal(pages[0][0], ids) and np.array_equal(pages[0][1], codes)
    above = list(store.iter_vectors(MODEL, above_text_id=int(ids[-1])))
    assert [page_ids.tolist() for page_ids, _ in above] == [rest.tolist()]
    assert list(store.iter_vectors(OTHER_MODEL)) == []

    store.write_vectors(OTHER_MODEL, ids, codes[:, :2])
    assert (store.counts().vectors, store.count_vectors(MODEL), store.count_vectors(OTHER_MODEL)) == (3, 1, 2)


def test_vectors_need_their_texts(store: Store) -> None:
    fill(store, "Acme")
    with pytest.raises(ValueError, match="1 texts cannot have 2 vectors"):
        store.write_vectors(MODEL, np.array([1]), np.zeros((2, 3), np.int8))
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        store.write_vectors(MODEL, np.array([99]), np.zeros((1, 3), np.int8))
    assert store.counts().vectors == 1


def test_texts_and_records(store: Store) -> None:
    fill(store, "Acme Inc", "Beta", "ACME, Inc")
    fill(store, "Beta", source="others")
    texts = {
        normal: text_id
        for ids, normals in store.iter_texts(page=1)
        for text_id, normal in zip(ids, normals, strict=True)
    }
    assert set(texts) == {"acme inc", "beta"}
    assert store.normals([*texts.values(), 99]) == {text_id: normal for normal, text_id in texts.items()}

    records = store.records_of_texts(np.array([texts["acme inc"], 99]))
    assert [(r.source, r.external_id, r.raw) for r in records[texts["acme inc"]]] == [
        ("names", "1", "Acme Inc"),
        ("names", "3", "ACME, Inc"),
    ]
    assert records[texts["acme inc"]][1].fields == {"city": "City 3"}
    everything = list(store.iter_records(page=1))
    assert everything == list(store.iter_records())
    assert len(everything) == 4
    assert everything == sorted(everything, key=lambda record: (record.text_id, record.record_id))

    counts = store.counts()
    assert (counts.records, counts.texts, counts.sources) == (4, 2, {"names": 3, "others": 1})
    assert store.live_texts_up_to(1) == 1


def test_texts_with_equal_digests(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("store.texts", "ingest.upsert"):
        monkeypatch.setattr(f"indexer.{module}.text_digest", lambda normal: -len(normal))
    fill(store, "Acme", "Beta")
    fill(store, "Beta", "Gama", "Delta", source="others")
    ids = store.text_ids(["acme", "beta", "gama", "delta", "none"])
    assert store.normals(ids.values()) == {text_id: normal for normal, text_id in ids.items()}
    assert sorted(ids) == ["acme", "beta", "delta", "gama"]


def test_snapshots(store: Store) -> None:
    assert store.current_snapshot() is None
    for generation in (1, 2):
        published = store.publish_snapshot(
            file_name=f"idx-{generation}-{'0' * 32}.faiss",
            n_bytes=5_000_000_000,
            sha256="0" * 64,
            model_id=MODEL,
            max_text_id=10,
            digest="0" * 32,
            n_vectors=8,
            parameters={"kind": "flat", "cells": 0, "dimension": 3},
        )
        assert store.current_snapshot() == published
        assert (published.generation, published.file_name) == (generation, f"idx-{generation}-{'0' * 32}.faiss")
