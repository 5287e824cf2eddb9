"""Neighbours that are kept from night to night are those of a full search."""

from __future__ import annotations

import numpy as np
import pytest

from indexer.vectors.cells import find_centres
from indexer.vectors.knn_update import Neighbours, Space, search_all, search_changed
from indexer.vectors.recall import NEIGHBOURS
from indexer.vectors.top_k import are_listed, pairs_of

POOL = 1_500


def pool(chance: np.random.Generator) -> np.ndarray:
    """Vectors in groups, some of them equal, so that many cosines are."""
    bases = chance.standard_normal((60, 32))
    codes = bases[chance.integers(0, 60, POOL)] + 0.4 * chance.standard_normal((POOL, 32))
    result = np.clip(np.rint(codes * 40), -127, 127).astype(np.int8)
    result[chance.integers(0, POOL, 400)] = result[chance.integers(0, POOL, 400)]
    return result


@pytest.mark.parametrize(("centres", "cells"), [(0, 0), (64, 7), (512, 19)])  # 512: cells are searched in groups
@pytest.mark.parametrize("seed", range(3))
def test_every_night_is_like_a_full_search(seed: int, centres: int, cells: int) -> None:
    chance = np.random.default_rng(seed)
    codes = pool(chance)
    chosen = {0: None, 64: find_centres(codes[:300])}.get(centres, codes[:centres])
    space = Space("a" * 64, 0.3, chosen, cells)
    ids = np.sort(chance.choice(700, 200, replace=False)).astype(np.int64)
    known, free = search_all(ids, codes[ids], space), 700
    searched = 0
    for _ in range(12):
        left = np.delete(ids, chance.choice(len(ids), chance.integers(0, len(ids) // 6), replace=False))
        ids = np.concatenate([left, np.arange(free, free := free + int(chance.integers(0, 25)))])
        full = search_all(ids, codes[ids], space)
        now, number = search_changed(known, ids, codes[ids], space)
        assert (now.candidates == full.candidates).all()
        before = known.with_candidates().carried(ids, space.min_similarity).keys
        check_pairs(before, now)
        known, searched = now, searched + number
    assert searched < 12 * 60


def check_pairs(before: np.ndarray, now: Neighbours) -> None:
    """New candidates are those that are candidates now and were not; kept ones are still listed."""
    were, are, new = pairs_of(before), pairs_of(now.candidates), pairs_of(now.candidates, before)
    as_set = [set(map(tuple, found.pairs.tolist())) for found in (were, are, new)]
    assert as_set[2] == as_set[1] - as_set[0] and len(new.pairs) == len(as_set[2])
    kept = are_listed(now.candidates, were.pairs.astype(np.int64), were.cosines)
    assert set(map(tuple, were.pairs[kept].tolist())) == as_set[0] & as_set[1]


def test_some_lost_neighbours_need_no_search() -> None:
    codes = np.clip(np.rint(np.random.default_rng(1).standard_normal((60, 32)) * 30 + 60), -127, 127).astype(np.int8)
    space, ids = Space("a" * 64, 0.0, None, 0), np.arange(60)
    known = search_all(ids, codes, space)
    nearest = pairs_of(known.keys[:1, -1:]).pairs[0, 1]
    left = np.delete(ids, nearest)
    now, searched = search_changed(known, left, codes[left], space)
    assert searched == 0
    assert (now.candidates == search_all(left, codes[left], space).candidates).all()
    left = left[: NEIGHBOURS + 1]
    assert search_changed(now, left, codes[left], space)[1] > 0
