"""Comparison of many pairs from one set of texts, in blocks that fit in memory.

Comparing a pair is expensive, so pairs that cannot be probable enough are ruled out first, by upper bounds
computed on arrays in several threads (``probability_bounds``). The remaining pairs are compared in several processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import cosine
from dedup.matching.matcher import Matcher
from dedup.matching.name_table import Block, describe, table_of_names
from dedup.matching.prior import NEGLIGIBLE, SAMPLE, prior_shift, shifted
from dedup.matching.probability_bounds import ProbabilityBounds
from dedup.runtime import threads
from dedup.runtime.allocator import release_free_memory
from dedup.runtime.processes import Processes
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.string_arrays import Strings, strings
from dedup.text.names import LONG_TEXT

_BLOCK_SIZE = 20_000
"""Number of pairs, or of names, in one block."""

_CHARACTERS_OF_A_PAIR = 256
"""A pair of longer texts counts as several pairs."""

_MIN_BLOCKS_FOR_PROCESSES = 4
"""Fewer blocks are done before other processes have started."""

_MIN_BLOCK_SIZE = 250
"""Number of pairs worth sending to a process that is already running."""

T = TypeVar("T")
Floats = NDArray[np.float64]


class _Sample(NamedTuple):
    """The ``rows`` of ``pairs`` that the share of true pairs was estimated from, and what was ``found`` in them.

    ``found`` are those of the rows that are not negligible, with their ``probabilities``.
    """

    pairs: NDArray[np.integer[Any]]
    rows: NDArray[np.int64]
    found: NDArray[np.int64]
    probabilities: Floats


class BatchComparison:
    """Computes a model's probabilities for pairs of ``normal_forms`` (n) with their ``codes`` (n, d).

    Pairs are given as row numbers. Use it as a context manager: large jobs run in ``workers`` threads and
    processes (None: one for each core), which end with the block. The results do not depend on their number. ``shift``
    is added to all log-odds, as ``adapt`` returns it.
    """

    def __init__(
        self,
        model: Matcher,
        codes: NDArray[np.int8],
        normal_forms: Sequence[str] | Strings,
        workers: int | None = None,
        *,
        shift: float = 0.0,
    ) -> None:
        self._model = model
        self._codes = codes
        self._normal_forms: Strings = strings(normal_forms)
        self._workers = workers or threads.count()
        self._processes = Processes(self._workers, model)
        self._bounds: ProbabilityBounds | None = None
        self._shift = shift
        self._sample: _Sample | None = None

    def __enter__(self) -> BatchComparison:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()

    @property
    def normal_forms(self) -> Strings:
        """The texts (n,)."""
        return self._normal_forms

    def adapt(self, pairs: NDArray[np.integer[Any]], similarities: NDArray[np.float32], progress: Progress) -> float:
        """State all probabilities from now on for the share of true pairs among these candidates (p, 2).

        Returns what is added to the log-odds. Stages reported to ``progress``: ``names`` and ``words``.
        """
        typical_share = self._model.candidate_share
        if typical_share is None or not len(pairs):
            return 0.0
        step = max(1, -(-len(pairs) // SAMPLE))
        sample = np.arange(0, len(pairs), step)
        self._make_bounds(progress)
        found, probabilities = self._likely(pairs[sample], similarities[sample], NEGLIGIBLE, no_progress)
        self._sample = _Sample(pairs, sample, sample[found], probabilities)
        self._shift = prior_shift(probabilities, len(sample), typical_share)
        return self._shift

    def likely(
        self,
        pairs: NDArray[np.integer[Any]],
        similarities: NDArray[np.float32],
        min_probability: float,
        progress: Progress = no_progress,
    ) -> tuple[NDArray[np.int64], Floats]:
        """Find the pairs (p, 2) of at least ``min_probability``, given their cosines ``similarities`` (p,).

        Returns the row numbers of these pairs in ``pairs`` (k,), ascending, and their probabilities (k,). Pairs that
        ``adapt`` has just compared are not compared again. Stages reported to ``progress``: ``names``, ``words``,
        ``rule out``, ``compare``.
        """
        threshold = float(shifted(np.array(min_probability), -self._shift))
        sample, self._sample = self._sample, None
        if sample is None or sample.pairs is not pairs or threshold < NEGLIGIBLE:
            likely, probabilities = self._likely(pairs, similarities, threshold, progress)
            return likely, shifted(probabilities, self._shift)
        rest = np.ones(len(pairs), np.bool_)
        rest[sample.rows] = False
        rows = np.flatnonzero(rest)
        found, probabilities = self._likely(pairs[rows], similarities[rows], threshold, progress)
        kept = sample.probabilities >= threshold
        likely = np.concatenate([sample.found[kept], rows[found]])
        probabilities = np.concatenate([sample.probabilities[kept], probabilities])
        order = np.argsort(likely)
        return likely[order], shifted(probabilities[order], self._shift)

    def _likely(
        self,
        pairs: NDArray[np.integer[Any]],
        similarities: NDArray[np.float32],
        min_probability: float,
        progress: Progress,
    ) -> tuple[NDArray[np.int64], Floats]:
        if not len(pairs):
            return np.empty(0, np.int64), np.empty(0)
        self._make_bounds(progress)
        found = [np.empty(0, np.int64)]
        for block, bounds in self._upper_bounds(pairs, similarities):
            found.append(block.start + np.flatnonzero(bounds >= min_probability))
            progress("rule out", min(block.stop, len(pairs)), len(pairs))
        possible = np.concatenate(found)
        probabilities = self._compare(
            pairs[possible], similarities[possible], lambda done: progress("compare", done, len(possible))
        )
        likely = probabilities >= min_probability
        return possible[likely], probabilities[likely]

    def probabilities(self, pairs: NDArray[np.int64]) -> Floats:
        """Return the probabilities (q,) of any ``pairs`` (q, 2)."""
        return shifted(self._compare(pairs, self.similarities(pairs), lambda done: None), self._shift)

    def upper_bounds(self, pairs: NDArray[np.int64]) -> Floats:
        """Return upper bounds (q,) on the probabilities of any ``pairs`` (q, 2)."""
        bounds = np.concatenate([np.empty(0), *(bounds for _, bounds in self._upper_bounds(pairs, None))])
        return shifted(bounds, self._shift)

    def _upper_bounds(
        self, pairs: NDArray[np.integer[Any]], similarities: NDArray[np.float32] | None
    ) -> Iterator[tuple[slice, Floats]]:
        """Yield blocks of ``pairs`` (p, 2) with upper bounds on their probabilities."""

        def of_block(block: slice) -> tuple[slice, Floats]:
            if bounds is None:
                return block, np.ones(len(pairs[block]))
            known = self.similarities(pairs[block]) if similarities is None else similarities[block]
            return block, bounds.probabilities(pairs[block].astype(np.int64), known)

        bounds = self._make_bounds()
        return threads.in_order(of_block, _blocks(len(pairs), _BLOCK_SIZE), self._workers)

    def similarities(self, pairs: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return the cosines (q,) of any ``pairs`` (q, 2)."""
        blocks = [pairs[block] for block in _blocks(len(pairs), _BLOCK_SIZE)]  # all vectors would take much memory
        found = [cosine(*(self._codes[side] for side in block.T)) for block in blocks]
        return np.concatenate([np.empty(0, np.float32), *found])

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
        size = _BLOCK_SIZE
        if self._processes.are_running:  # share small jobs among all of them, too
            size = min(_BLOCK_SIZE, max(_MIN_BLOCK_SIZE, -(-len(pairs) // (2 * self._workers))))
        blocks = _blocks_of_weight(self._lengths[pairs].sum(axis=1) // _CHARACTERS_OF_A_PAIR + 1, size)
        for block, probabilities in zip(blocks, self._map(_compare, task, blocks), strict=True):
            result[block] = probabilities
            progress(min(block.stop, len(pairs)))
        return result

    @property
    def long_texts(self) -> int:
        """Number of texts that are compared by cheaper evidence, because they are long."""
        return int((self._lengths >= LONG_TEXT).sum())

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        return np.strings.str_len(self._normal_forms)

    def _make_bounds(self, progress: Progress = no_progress) -> ProbabilityBounds | None:
        """Return the bounds on pairs of these names, built on first use; None if the model has no scorer."""

        def task(block: slice) -> tuple[Sequence[str]]:
            return (self._normal_forms[block].tolist(),)

        def described() -> Iterator[Block]:
            blocks = _blocks(len(self._normal_forms), _BLOCK_SIZE)
            for block, names in zip(blocks, self._map(_describe, task, blocks), strict=True):
                yield names
                progress("names", min(block.stop, len(self._normal_forms)), len(self._normal_forms))

        if self._bounds is None and self._model.scorer is not None:
            table = table_of_names(
                described(), self._model.word_model, lambda done, total: progress("words", done, total)
            )
            self._bounds = ProbabilityBounds(self._model.scorer, table)
            release_free_memory()
        return self._bounds

    def _map(
        self, function: Callable[..., T], task: Callable[[slice], tuple[Any, ...]], blocks: Sequence[slice]
    ) -> Iterator[T]:
        """Apply ``function`` to the model and each block's task, in order; in several processes if there are many."""
        if self._workers > 1 and len(blocks) > (1 if self._processes.are_running else _MIN_BLOCKS_FOR_PROCESSES):
            return self._processes.map(function, map(task, blocks))
        return (function(self._model, *task(block)) for block in blocks)


class RepeatedComparison:
    """Compares items (n) that stand for the texts ``text_of`` (n,) of a comparison: all of them, then some again."""

    def __init__(self, comparison: BatchComparison, text_of: NDArray[np.int64]) -> None:
        self._comparison, self._text_of = comparison, text_of

    @cached_property
    def normal_forms(self) -> Strings:
        """The texts of the items (n,)."""
        texts = self._comparison.normal_forms
        return np.concatenate([texts, texts[self._text_of[len(texts) :]]])

    @property
    def long_texts(self) -> int:
        """As for ``BatchComparison``."""
        return self._comparison.long_texts

    def probabilities(self, pairs: NDArray[np.int64]) -> Floats:
        """Return the probabilities (q,) of any ``pairs`` of items (q, 2)."""
        return self._comparison.probabilities(self._text_of[pairs])

    def similarities(self, pairs: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the cosines (q,) of any ``pairs`` of items (q, 2)."""
        return self._comparison.similarities(self._text_of[pairs])

    def upper_bounds(self, pairs: NDArray[np.int64]) -> Floats:
        """Return upper bounds (q,) on the probabilities of any ``pairs`` of items (q, 2)."""
        return self._comparison.upper_bounds(self._text_of[pairs])


def _blocks(n: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, n, size)]


def _blocks_of_weight(weights: NDArray[np.int64], size: int) -> list[slice]:
    """Return blocks whose weights sum to about ``size`` each."""
    ends = np.flatnonzero(np.diff(np.cumsum(weights) // size)) + 1
    return [slice(start, end) for start, end in pairwise([0, *ends.tolist(), len(weights)]) if start < end]


def _describe(model: Matcher, normal_forms: Sequence[str]) -> Block:
    return describe(normal_forms, model.word_model.corpus.widths)


def _compare(model: Matcher, left: list[str], right: list[str], similarities: NDArray[np.float32]) -> Floats:
    return model.compare(left, right, similarities)
