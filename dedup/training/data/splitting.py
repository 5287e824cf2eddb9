"""Hold back pairs to validate on, by entity, so that no text is learnt and measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from dedup.evaluation.pair_set import PairSet

Ints = NDArray[np.int64]


class Split(NamedTuple):
    """The rows to learn from, those to validate on, and the number of pairs of one text of each, which are left out."""

    training: Ints
    validation: Ints
    crossing: int


def entities_of(pairs: PairSet) -> tuple[Ints, Ints]:
    """Return the entity of the left and of the right text of each pair, (n,) each.

    An entity is a connected component of the positive pairs. A text in no positive pair joins the entity of the text
    that it is compared with first: it would be held back alone otherwise, and its pairs be lost.
    """
    number = {text: at for at, text in enumerate(pairs.texts())}
    sides = np.array([[number[text] for text in side] for side in (pairs.left, pairs.right)], dtype=np.int64)
    linked = sides[:, pairs.positive]
    alone = np.ones(len(number), dtype=bool)
    alone[linked.ravel()] = False
    joins: list[tuple[int, int]] = []
    for left, right in sides.T.tolist():
        if alone[left] or alone[right]:
            joins.append((left, right))
            alone[left] = alone[right] = False
    edges = np.concatenate([linked, np.array(joins, dtype=np.int64).reshape(-1, 2).T], axis=1)
    graph = csr_matrix((np.ones(edges.shape[1], dtype=np.int8), tuple(edges)), shape=(len(number), len(number)))
    _, component = connected_components(graph, directed=False)
    return component[sides[0]].astype(np.int64), component[sides[1]].astype(np.int64)


def split(pairs: PairSet, share: float, seed: int) -> Split:
    """Hold back about ``share`` of the pairs: whole entities, drawn at random.

    Entities of more than half of that share are learnt from, so that none dominates the measures.
    """
    left, right = entities_of(pairs)
    wanted = share * len(pairs)
    sizes = np.bincount(left, minlength=int(max(left.max(initial=0), right.max(initial=0))) + 1)
    held = np.zeros(len(sizes), dtype=bool)
    taken = 0
    for entity in np.random.default_rng(seed).permutation(len(sizes)).tolist():
        if taken + sizes[entity] <= wanted + 1 and sizes[entity] <= max(1, wanted / 2):
            held[entity] = True
            taken += int(sizes[entity])
    both, none = held[left] & held[right], ~held[left] & ~held[right]
    return Split(np.flatnonzero(none), np.flatnonzero(both), int((~both & ~none).sum()))


def folds(pairs: PairSet, n: int, seed: int) -> list[Split]:
    """Return ``n`` splits for cross-validation; each entity is held back once."""
    left, right = entities_of(pairs)
    most = int(max(left.max(initial=0), right.max(initial=0))) + 1
    part = np.random.default_rng(seed).permutation(most) % n
    found = []
    for number in range(n):
        both, none = (part[left] == number) & (part[right] == number), (part[left] != number) & (part[right] != number)
        found.append(Split(np.flatnonzero(none), np.flatnonzero(both), int((~both & ~none).sum())))
    return found


def entity_of_text(pairs: PairSet) -> dict[str, int]:
    """Return the entity of each text."""
    left, right = entities_of(pairs)
    found: dict[str, int] = dict(zip(pairs.left, left.tolist(), strict=True))
    return found | dict(zip(pairs.right, right.tolist(), strict=True))


def counted(pairs: PairSet) -> Sequence[int]:
    """Return the number of pairs with each class."""
    return [int((pairs.targets == number).sum()) for number in range(len(pairs.classes))]
