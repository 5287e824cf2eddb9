"""Comparison of many pairs out of one set of texts, in blocks that fit in memory.

Comparing a pair is dear, so pairs that cannot be probable enough are ruled out first (``ceiling``), on
arrays and in several threads. What is left is compared in several processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import cosine
from dedup.matching.ceiling import Ceiling
from dedup.matching.matcher import Matcher
from dedup.matching.name_table import Block, describe, table_of_names
from dedup.runtime import threads
from dedup.runtime.memory import give_back
from dedup.runtime.processes import Processes
from dedup.runtime.progress import Progress, no_progress

_AT_ONCE = 20_000
"""Pairs, or names, in one block."""

_CHARACTERS_OF_A_PAIR = 256
"""A pair of longer texts counts as several."""

_FEW_BLOCKS = 4
"""So many are done before other processes have started."""

_LEAST_AT_ONCE = 250
"""Pairs that are worth sending to a process that is running."""

T = TypeVar("T")
Strings = NDArray[Any]
"""Texts (n,) of dtype ``StringDType``, which take half of what objects take."""
Floats = NDArray[np.float64]


class Comparison:
    """Asks a model for the probabilities of pairs of ``normal_forms`` (n) with their ``codes`` (n, d).

    A context manager. Large jobs take ``workers`` threads and processes (None: as many as there are cores),
    which end when the block is left; the answers do not depend on their number.
    """

    def __init__(
        self, model: Matcher, codes: NDArray[np.int8], normal_forms: Sequence[str] | Strings, workers: int | None = None
    ) -> None:
        self._model = model
        self._codes = codes
        self._normal_forms: Strings = np.asarray(normal_forms, np.dtypes.StringDType())
        self._workers = workers or threads.count()
        self._processes = Processes(self._workers, model)
        self._ceiling: Ceiling | None = None

    def __enter__(self) -> Comparison:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()

    def likely(
        self,
        pairs: NDArray[np.integer[Any]],
        similarities: NDArray[np.float32],
        min_probability: float,
        progress: Progress = no_progress,
    ) -> tuple[NDArray[np.int64], Floats]:
        """Return which of ``pairs`` (p, 2) are at least that probable, as places (k,), and their probabilities (k,).

        Pairs are places of texts, ``similarities`` (p,) their cosines. ``progress`` hears of the stages
        ``names``, taken apart, ``words``, described, and of pairs ``rule out`` and ``compare``: how many are done, and
        how many there are, None if that is not known.
        """
        self._describe_names(progress)
        found = [np.empty(0, np.int64)]
        for block, at_most in self._at_most(pairs, similarities):
            found.append(block.start + np.flatnonzero(at_most >= min_probability))
            progress("rule out", min(block.stop, len(pairs)), len(pairs))
        possible = np.concatenate(found)
        probabilities = self._compare(
            pairs[possible], similarities[possible], lambda done: progress("compare", done, len(possible))
        )
        likely = probabilities >= min_probability
        return possible[likely], probabilities[likely]

    def of_any(self, pairs: NDArray[np.int64]) -> Floats:
        """Return the probabilities (q,) of any ``pairs`` (q, 2)."""
        found = [self._similarities(pairs[block]) for block in _blocks(len(pairs), _AT_ONCE)]
        return self._compare(pairs, np.concatenate([np.empty(0, np.float32), *found]), lambda done: None)

    def at_most(self, pairs: NDArray[np.int64]) -> Floats:
        """Return what the probabilities (q,) of any ``pairs`` (q, 2) are at most."""
        return np.concatenate([np.empty(0), *(bounds for _, bounds in self._at_most(pairs, None))])

    def _at_most(
        self, pairs: NDArray[np.integer[Any]], similarities: NDArray[np.float32] | None
    ) -> Iterator[tuple[slice, Floats]]:
        """Yield blocks of ``pairs`` (p, 2) and what their probabilities are at most."""

        def of_block(block: slice) -> tuple[slice, Floats]:
            if ceiling is None:
                return block, np.ones(len(pairs[block]))
            known = self._similarities(pairs[block]) if similarities is None else similarities[block]
            return block, ceiling.probabilities(pairs[block].astype(np.int64), known)

        ceiling = self._describe_names()
        return threads.in_order(of_block, _blocks(len(pairs), _AT_ONCE), self._workers)

    def _similarities(self, pairs: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        return cosine(*(self._codes[side] for side in pairs.T))

    def _compare(
        self,
        pairs: NDArray[np.integer[Any]],
        similarities: NDArray[np.float32],
        progress: Callable[[int], None],
    ) -> Floats:
        def task(block: slice) -> tuple[list[str], list[str], NDArray[np.float32]]:
            left, right = (self._normal_forms[side].tolist() for side in pairs[block].T)
            return left, right, similarities[block]

        result = np.empty(len(pairs))
        at_once = _AT_ONCE
        if self._processes.are_running:  # small jobs too are shared among all
            at_once = min(_AT_ONCE, max(_LEAST_AT_ONCE, -(-len(pairs) // (2 * self._workers))))
        blocks = _blocks_of_weight(self._lengths[pairs].sum(axis=1) // _CHARACTERS_OF_A_PAIR + 1, at_once)
        for block, probabilities in zip(blocks, self._map(_compare, task, blocks), strict=True):
            result[block] = probabilities
            progress(min(block.stop, len(pairs)))
        return result

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        return np.strings.str_len(self._normal_forms)

    def _describe_names(self, progress: Progress = no_progress) -> Ceiling | None:
        """Return what bounds pairs of the names, made when first asked for; None if the model has no bounds."""

        def task(block: slice) -> tuple[Sequence[str]]:
            return (self._normal_forms[block].tolist(),)

        def described() -> Iterator[Block]:
            blocks = _blocks(len(self._normal_forms), _AT_ONCE)
            for block, names in zip(blocks, self._map(_describe, task, blocks), strict=True):
                yield names
                progress("names", min(block.stop, len(self._normal_forms)), len(self._normal_forms))

        if self._ceiling is None and self._model.scorer is not None:
            table = table_of_names(
                described(), self._model.word_model, lambda done, total: progress("words", done, total)
            )
            self._ceiling = Ceiling(self._model.scorer, table)
            give_back()
        return self._ceiling

    def _map(
        self, function: Callable[..., T], task: Callable[[slice], tuple[Any, ...]], blocks: Sequence[slice]
    ) -> Iterator[T]:
        """Yield what the function says of the model and the task of each block; of many, in several processes."""
        if self._workers > 1 and len(blocks) > (1 if self._processes.are_running else _FEW_BLOCKS):
            return self._processes.map(function, map(task, blocks))
        return (function(self._model, *task(block)) for block in blocks)


def _blocks(n: int, at_once: int) -> list[slice]:
    return [slice(start, start + at_once) for start in range(0, n, at_once)]


def _blocks_of_weight(weights: NDArray[np.int64], at_once: int) -> list[slice]:
    """Return blocks of about that weight each."""
    ends = np.flatnonzero(np.diff(np.cumsum(weights) // at_once)) + 1
    return [slice(start, end) for start, end in pairwise([0, *ends.tolist(), len(weights)]) if start < end]


def _describe(model: Matcher, normal_forms: Sequence[str]) -> Block:
    return describe(normal_forms)


def _compare(model: Matcher, left: list[str], right: list[str], similarities: NDArray[np.float32]) -> Floats:
    return model.compare(left, right, similarities)
