"""The k-nearest-neighbour graph: exact where it claims to be, and the same with any number of threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clustered_vectors import clustered, faked_store
from numpy.typing import NDArray

from indexer.store.store import Codes
from indexer.vectors.cells import CELLS_SEARCHED, find_centres, nearest_cells
from indexer.vectors.faiss_index import centres_of
from indexer.vectors.int8_products import products
from indexer.vectors.knn_graph import TILES, Tiles, build_knn_graph
from indexer.vectors.recall import MAX_CELLS, TARGET_RECALL, measure_recall
from indexer.vectors.snapshot import Snapshots
from indexer.vectors.snapshot_file import read_index
from indexer.vectors.top_k import NeighbourLists

MIN_SIMILARITY = 0.5


def brute_force(
    codes: Codes, k: int, min_similarity: float, may_compare: NDArray[np.bool_] | None = None
) -> tuple[Any, Any]:
    """Sort all cosines, ties by the lower row."""
    wide = codes.astype(np.int64)
    lengths = np.sqrt(np.maximum((wide**2).sum(axis=1), 1).astype(np.float32))
    cosines = ((wide @ wide.T) / (lengths[:, None] * lengths)).astype(np.float32)
    np.fill_diagonal(cosines, -1)
    if may_compare is not None:
        cosines[~may_compare] = -1
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    cosines = np.take_along_axis(cosines, order, axis=1)
    return np.where(cosines >= min_similarity, order, -1), np.where(cosines >= min_similarity, cosines, -1)


def same(found: tuple[Any, Any], expected: tuple[Any, Any]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 128), (70, 300, 33), (512, 513, 64), (2, 3, 1040)])
def test_products_are_exact(shape: tuple[int, int, int]) -> None:
    m, n, d = shape
    rng = np.random.default_rng(m)
    left, right = (rng.choice(np.array([-128, -1, 0, 1, 127], np.int8), (rows, d)) for rows in (m, n))
    assert np.array_equal(products(left, right), left.astype(np.int64) @ right.T.astype(np.int64))


def test_lists_do_not_depend_on_the_order_of_offers() -> None:
    rng = np.random.default_rng(3)
    rows, ids = (values.ravel() for values in np.meshgrid(np.arange(20), np.arange(100), indexing="ij"))
    cosines = rng.choice(np.float32([-1, -0.25, 0, 0.25, 0.5, 0.75, 1]), len(rows)).astype(np.float32)
    expected = None
    for parts in (1, 7, 300):
        lists = NeighbourLists(20, 6, -0.5)
        for part in np.array_split(rng.permutation(len(rows)), parts):
            lists.offer(rows[part], ids[part], cosines[part])
            lists.offer(rows[part], ids[part], cosines[part])
        found = lists.nearest()
        assert expected is None or same(found, expected)
        expected = found
    order = np.argsort(-cosines.reshape(20, 100), axis=1, kind="stable")[:, :6]
    assert np.array_equal(found[0], order)
    lists = NeighbourLists(1, 2, 0.5)
    lists.offer(np.array([0, 0]), np.array([7, 8]), np.array([0.25, 0.5], np.float32))
    assert same(lists.nearest(), (np.array([[8, -1]]), np.array([[0.5, -1]], np.float32)))


def test_each_listed_pair_is_returned_once() -> None:
    """Whether one row lists the other or both do, and in the order of the rows that list it."""
    codes = clustered(1000)[1]
    codes[100:130] = codes[99]
    lists = build_knn_graph(codes, 4, MIN_SIMILARITY, None)
    ids, cosines = lists.nearest()
    listed = [
        (row, int(other), cosine)
        for row, (others, near) in enumerate(zip(ids, cosines, strict=True))
        for other, cosine in zip(others, near, strict=True)
        if other >= 0 and not (other < row and row in ids[other])
    ]
    assert any(other < row for row, other, _ in listed)
    pairs, found = lists.pairs()
    assert pairs.tolist() == [[min(row, other), max(row, other)] for row, other, _ in listed]
    assert found.tolist() == [cosine for *_, cosine in listed]
    assert same(NeighbourLists(3, 2, 0.5).pairs(), (np.empty((0, 2), np.int32), np.empty(0, np.float32)))


@pytest.mark.parametrize("tiles", [TILES, Tiles(16, 32, 64), Tiles(32, 16, 64), Tiles(16, 16, 40)])
def test_one_cell_is_exact(tiles: Tiles) -> None:
    codes = clustered(1000)[1]
    codes[500:510] = codes[0]
    codes[7] = 0
    found = build_knn_graph(codes, 10, MIN_SIMILARITY, None, tiles=tiles).nearest()
    assert same(found, brute_force(codes, 10, MIN_SIMILARITY))


@pytest.mark.parametrize(("n_cells", "per_text"), [(12, 3), (40, 9), (700, 20)])
def test_texts_are_compared_if_one_searches_a_cell_of_the_other(n_cells: int, per_text: int) -> None:
    """Whatever the cells are, and even if a cell is larger than a task."""
    codes = clustered(1000)[1]
    all_cells = np.tile(np.arange(n_cells, dtype=np.uint16), (1000, 1))
    cells = np.random.default_rng(0).permuted(all_cells, axis=1)[:, :per_text]
    searches = np.zeros((1000, n_cells), np.bool_)
    is_assigned = np.zeros((1000, n_cells), np.bool_)
    np.put_along_axis(searches, cells[:, :CELLS_SEARCHED].astype(np.int64), True, axis=1)
    np.put_along_axis(is_assigned, cells.astype(np.int64), True, axis=1)
    compared = searches.astype(np.int32) @ is_assigned.T.astype(np.int32) > 0
    shares: list[int] = []
    lists = build_knn_graph(codes, 4, MIN_SIMILARITY, cells, tiles=Tiles(16, 24, 40), progress=shares.append)
    assert same(lists.nearest(), brute_force(codes, 4, MIN_SIMILARITY, compared | compared.T))
    assert shares == sorted(shares) and shares[-1] == 1000
    if per_text > CELLS_SEARCHED:
        assert not compared.all() and (compared != compared.T).any()


@pytest.mark.parametrize("k", [10, 70])
def test_bounds_keep_the_neighbours(k: int) -> None:
    """The first cell of each text holds all near texts, so the ``k``-th neighbour meets the bound exactly.

    Bounds come from the maxima of groups, or from all products for the larger ``k``. All vectors have the same norm,
    except for one of zeros; some are equal. Pairs are offered in many parts.
    """
    rng = np.random.default_rng(5)
    codes = np.repeat(rng.permuted(np.tile(np.arange(-20, 28, dtype=np.int8), (4, 1)), axis=1), 150, axis=0)
    for row in codes:
        swapped = rng.choice(48, 6, replace=False)
        row[swapped] = row[np.roll(swapped, 1)]
    codes[200:215] = codes[200]
    codes[215] = 0
    others = rng.permuted(np.tile(np.arange(4, 40, dtype=np.uint16), (600, 1)), axis=1)[:, :7]
    cells = np.hstack([np.repeat(np.arange(4, dtype=np.uint16), 150)[:, None], others])
    ids, cosines = build_knn_graph(codes, k, MIN_SIMILARITY, cells, tiles=Tiles(pairs=10)).nearest()
    expected = brute_force(codes, k, MIN_SIMILARITY)
    assert (np.delete(expected[0], 215, axis=0) >= 0).all()
    assert same((ids, cosines), expected)


def test_a_raised_threshold_changes_no_list() -> None:
    """Less near neighbours are rejected, and the list is the same as without the threshold."""
    rng = np.random.default_rng(6)
    cosines = rng.random(50).astype(np.float32)
    raised, plain = NeighbourLists(1, 5, 0.1), NeighbourLists(1, 5, 0.1)
    raised.raise_thresholds(np.array([0]), np.sort(cosines)[-5:-4])
    assert raised.thresholds(np.array([0])) == np.sort(cosines)[-5]
    for lists in (raised, plain):
        for ids in np.array_split(np.arange(50), 7):
            lists.offer(np.zeros(len(ids), np.int64), ids, cosines[ids])
    assert same(raised.nearest(), plain.nearest())
    raised.raise_thresholds(np.array([0]), np.float32([0.0]))
    assert raised.thresholds(np.array([0])) == np.sort(cosines)[-5]


@pytest.mark.parametrize("tiles", [TILES, Tiles(16, 32)])
def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch, tiles: Tiles) -> None:
    _, codes = clustered()
    codes[1000:1200] = codes[1000]
    results = []
    for number in ("1", "2", "5"):
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        centres = find_centres(codes)
        cells = nearest_cells(codes, centres, 6)
        results.append((centres, cells, *build_knn_graph(codes, 10, MIN_SIMILARITY, cells, tiles=tiles).nearest()))
    for other in results[1:]:
        assert all(np.array_equal(one, two) for one, two in zip(results[0], other, strict=True))


def test_an_error_stops_the_search() -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    cells = np.random.default_rng(0).permuted(np.tile(np.arange(12, dtype=np.uint16), (1000, 1)), axis=1)
    for given in (None, cells):
        with pytest.raises(KeyboardInterrupt):
            build_knn_graph(clustered(1000)[1], 10, MIN_SIMILARITY, given, tiles=Tiles(task=50), progress=stop)
    with pytest.raises(ValueError, match="must not be negative"):
        build_knn_graph(clustered(1000)[1], 10, -0.1, None)


@pytest.mark.parametrize("count", [1, 5, 32])
def test_nearest_cells(count: int) -> None:
    _, codes = clustered()
    codes[10:40] = 0  # every product is 0, so the lowest cells win
    centres = find_centres(codes)
    expected = np.argsort(-(codes.astype(np.int64) @ centres.T.astype(np.int64)), axis=1, kind="stable")[:, :count]
    assert np.array_equal(nearest_cells(codes, centres, count), expected)


def test_recall_is_measured_when_a_snapshot_is_built(tmp_path: Path) -> None:
    """The recall measured on a sample is close to the recall of the graph of all texts."""
    ids, codes = clustered()
    published = Snapshots(faked_store(ids, codes), tmp_path, flat_up_to=1000).publish(
        "a" * 64, min_similarity=MIN_SIMILARITY
    )
    assert published is not None
    recall = published.parameters["recall"]
    assert (recall["texts"], recall["least_similarity"]) == (2000, MIN_SIMILARITY)
    index = read_index(tmp_path, published)
    cells = nearest_cells(codes, centres_of(index), published.parameters["cells_per_text"])
    near, _ = build_knn_graph(codes, 10, MIN_SIMILARITY, cells).nearest()
    exact, _ = brute_force(codes, 10, MIN_SIMILARITY)
    assert recall["neighbours"] == pytest.approx(0.4 * np.count_nonzero(exact >= 0), rel=0.1)
    found = np.mean([other in row for row, others in zip(near, exact, strict=True) for other in others[others >= 0]])
    assert recall["of_all"] >= TARGET_RECALL
    assert found == pytest.approx(recall["of_all"], abs=0.005)
    assert recall["of_queries"] > 0.99  # half of all cells are searched


def test_recall_without_neighbours() -> None:
    _, codes = clustered()
    centres = find_centres(codes)
    recall = measure_recall(codes, centres, 0.9999)
    assert (recall.neighbours, recall.of_all, recall.of_queries) == (0, 1.0, 1.0)


def test_a_hard_corpus_takes_more_cells() -> None:
    """Random directions form no groups that a cell could keep together."""
    _, easy = clustered()
    hard = np.random.default_rng(2).integers(-60, 60, easy.shape).astype(np.int8)
    recalls = []
    for codes in (easy, hard):
        centres = find_centres(codes)
        recalls.append(measure_recall(codes, centres, 0.3))
    assert recalls[0].cells_per_text < recalls[1].cells_per_text < MAX_CELLS
    assert all(TARGET_RECALL <= recall.of_all < 1 for recall in recalls)
    limited = measure_recall(codes, centres, 0.3, max_cells=7)
    assert limited.cells_per_text == 7
    assert limited.of_all < TARGET_RECALL
