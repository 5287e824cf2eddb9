"""The nearest vectors: every search path gives the result of brute force."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faiss
import numpy as np
import pytest
from clustered_vectors import CELLS_ABOVE, clustered

from dedup.encoder.cosine import cosine, exact_neighbours
from dedup.runtime.progress import Progress
from indexer.store.store import Codes, Ids
from indexer.vectors.search import StoredVectors
from indexer.vectors.sketch import Sketch
from indexer.vectors.snapshot import Snapshots

MODEL_ID = "a" * 64
K = 20


class Corpus:
    """A store that has only vectors; those from position ``later`` on are newer than the snapshot."""

    def __init__(self, directory: Path, ids: Ids, codes: Codes, later: int, flat_up_to: int) -> None:
        self.directory, self.ids, self.codes = directory, ids, codes
        self.deleted: set[int] = set()
        before = SimpleNamespace(
            count_vectors=lambda model_id: later,
            load_vectors=lambda model_id, **_: (ids[:later], codes[:later]),
            current_snapshot=lambda: None,
            publish_snapshot=lambda **values: SimpleNamespace(**values),
        )
        self.published: Any = Snapshots(before, directory, flat_up_to=flat_up_to).publish(MODEL_ID)

    def current_snapshot(self) -> Any:
        return self.published

    def load_vectors(self, model_id: str, above_text_id: int, progress: Progress) -> tuple[Ids, Codes]:
        later = self.ids > above_text_id
        return self.ids[later], self.codes[later]

    def texts_without_vectors(self, model_id: str, after_text_id: int, limit: int) -> tuple[Ids, list[str]]:
        return np.empty(0, np.int64), []

    def normals(self, ids: Any) -> dict[int, str]:
        return {text_id: f"text {text_id}" for text_id in ids if text_id not in self.deleted}

    def open(self, scanned_queries: int) -> StoredVectors:
        snapshots = Snapshots(self, self.directory)  # type: ignore[arg-type]
        return StoredVectors(snapshots, MODEL_ID, scanned_queries=scanned_queries)

    def expected(self, queries: Codes) -> tuple[Ids, Any]:
        live = ~np.isin(self.ids, list(self.deleted))
        ids, codes = self.ids[live], self.codes[live]
        similarities = np.column_stack([cosine(queries, np.tile(code, (len(queries), 1))) for code in codes])
        order = np.lexsort((np.broadcast_to(ids, similarities.shape), -similarities), axis=1)[:, :K]
        return ids[order], np.take_along_axis(similarities, order, axis=1)


@pytest.mark.parametrize("flat_up_to", [CELLS_ABOVE, 10_000])
@pytest.mark.parametrize("threads", ["1", "4"])
def test_every_path_finds_the_same(
    tmp_path: Path, flat_up_to: int, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    faiss.omp_set_num_threads(int(threads))
    ids, codes = clustered()
    codes[1000:1300] = codes[1000]  # more ties than candidates; the lower ids win
    corpus = Corpus(tmp_path, ids, codes, 4900, flat_up_to)
    corpus.deleted = set(ids[::7].tolist()) | set(ids[:200].tolist())
    rng = np.random.default_rng(3)
    queries = np.clip(codes[::31] + rng.integers(-9, 10, codes[::31].shape), -127, 127).astype(np.int8)
    queries[40] = codes[1000]
    expected = corpus.expected(queries)
    for scanned in (100 * len(queries), 0):
        several = corpus.open(scanned).search(queries, K)
        one = [corpus.open(scanned).search(queries[at : at + 1], K) for at in (0, 40)]
        for values, wanted in zip(several, expected, strict=False):
            assert np.mean(values == wanted) > (0.995 if scanned else 0.97)  # sketches may miss a few
        assert np.array_equal(several[0][40], expected[0][40])
        assert several[2].keys() >= set(several[0].ravel().tolist())
        for at, alone in zip((0, 40), one, strict=True):
            assert np.array_equal(alone[0][0], several[0][at])
            assert np.array_equal(alone[1][0], several[1][at])


def test_fewer_texts_than_requested(tmp_path: Path) -> None:
    ids, codes = clustered(40)
    corpus = Corpus(tmp_path, ids, codes, 30, CELLS_ABOVE)
    corpus.deleted = set(ids[3:].tolist())
    results = []
    for scanned in (100, 0):
        found, similarities, normals = corpus.open(scanned).search(codes[:1], K)
        assert set(normals) == set(ids[:3].tolist()) == set(found[0, :3].tolist())
        assert (found[0, 3:] == -1).all() and (similarities[0, 3:] == -1).all()
        results.append((found, similarities))
    assert all(np.array_equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize("later", [0, 20_000, 40_000])
def test_vectors_are_held_once_beside_the_snapshot(tmp_path: Path, later: int) -> None:
    """Even while they are sketched; ``later`` of them are newer than the snapshot."""
    ids = np.arange(1, 40_001)
    codes = np.random.default_rng(5).integers(-60, 60, (len(ids), 48)).astype(np.int8)
    corpus = Corpus(tmp_path, ids, codes, max(1, len(ids) - later), CELLS_ABOVE)
    tracemalloc.start()
    vectors = corpus.open(0)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    vectors.search(codes[:1], K)
    grown = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert grown < 1.3 * (ids.nbytes + codes.nbytes)


@pytest.mark.parametrize("dimension", [16, 130])
def test_the_nearest_are_among_the_candidates(dimension: int) -> None:
    rng = np.random.default_rng(4)
    points = np.repeat(rng.standard_normal((5000, dimension)), 4, axis=0)
    points += 0.5 * rng.standard_normal(points.shape)
    codes = np.clip(np.rint(points / np.linalg.norm(points, axis=1, keepdims=True) * 254), -127, 127).astype(np.int8)
    candidates = Sketch([codes[:9000], codes[9000:]]).candidates(codes[::100], 256)
    nearest, _ = exact_neighbours(codes[::100], codes, 10)
    found = [near in row for row, nears in zip(candidates, nearest, strict=True) for near in nears[:4]]
    assert np.mean(found) > 0.99
