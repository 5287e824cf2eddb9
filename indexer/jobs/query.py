"""Answer queries: the texts of the store that are likely the same as a given one, best first.

A text equal to the query after normalisation is found by key and has probability 1. All others come from
the nearest vectors, and the model compares each of them with the query.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import Encoder
from dedup.errors import InputRefused
from dedup.model import Model
from dedup.runtime import threads
from dedup.runtime.processes import Processes
from dedup.runtime.progress import Progress, no_progress
from dedup.text.normalise import normalise
from indexer.ingest.intake import MAX_NAME_CHARACTERS
from indexer.store.corpus_words import model_with_corpus
from indexer.store.store import Record, Store
from indexer.vectors.search import Vectors

LEAST_CANDIDATES = 30
CANDIDATES_PER_MATCH = 3
_QUERIES_AT_ONCE = 250
_MANY_QUERIES = 1_000
"""From so many on, candidates are compared in several processes, which take a second to start."""


@dataclass(frozen=True, slots=True)
class Match:
    """One text of the store with all its records.

    ``probability`` (0 to 1) that it is the same as the query, ``similarity`` the cosine of both vectors
    (-1 to 1), ``exact`` if both have the same normal form.
    """

    text_id: int
    normal: str
    probability: float
    similarity: float
    exact: bool
    records: list[Record]


@dataclass(frozen=True, slots=True)
class _Found:
    """What is to be compared for distinct ``normals``; ``equal`` are those that the store has as texts.

    Places of queries among the normals, ids and normal forms of candidates, and their cosines (n,).
    """

    normals: list[str]
    equal: dict[str, int]
    queries: Sequence[int]
    text_ids: Sequence[int]
    candidates: Sequence[str]
    similarities: NDArray[np.float32]


class Searcher:
    """Search one store; sees the texts that are there when it is made, less those deleted since.

    ``model`` is the given one with the words of the store counted in. A context manager: many queries are
    answered by several processes, which end when the block is left, and with the program at the latest. ``progress``
    hears of the stages of ``Vectors``.

    Raises:
        VersionMismatch: the store was indexed with another model.

    """

    def __init__(self, store: Store, snapshots: Path, model: Model, progress: Progress = no_progress) -> None:
        self._store = store
        with ThreadPoolExecutor(1) as beside:  # the checksum of a large snapshot takes a while, and no Python
            encoder = beside.submit(_load, model)
            self._vectors = Vectors(store, snapshots, model.model_id, progress)
        self._encoder = encoder.result()
        self.model = model_with_corpus(store, model)
        self._processes = Processes(threads.count(), self.model)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()

    def query(self, texts: Sequence[str], *, limit: int = 10, min_probability: float = 0.0) -> list[list[Match]]:
        """Return for each of ``texts`` its at most ``limit`` matches of at least ``min_probability``.

        One match for each distinct normal form, by falling probability, then similarity, then ``text_id``.

        Raises:
            InputRefused: a text is empty after normalisation, or too long.

        """
        normals = [_normal_form(text) for text in texts]
        matches: dict[str, list[Match]] = {}
        for found, probabilities in self._compared(list(dict.fromkeys(normals)), limit):
            best = _best(found, probabilities, limit, min_probability)
            records = self._store.records_of_texts({hit.text_id for hits in best for hit in hits})
            for normal, hits in zip(found.normals, best, strict=True):
                matches[normal] = [replace(hit, records=records[hit.text_id]) for hit in hits if hit.text_id in records]
        return [list(matches[normal]) for normal in normals]

    def _compared(self, normals: list[str], limit: int) -> Iterator[tuple[_Found, list[float]]]:
        """Yield what is found for distinct ``normals``, block by block, and how probable each candidate is."""
        blocks = [normals[start : start + _QUERIES_AT_ONCE] for start in range(0, len(normals), _QUERIES_AT_ONCE)]
        begun: deque[_Found] = deque()

        def tasks() -> Iterator[tuple[list[str], Sequence[str], NDArray[np.float32]]]:
            for block in blocks:
                found = self._find(block, max(LEAST_CANDIDATES, CANDIDATES_PER_MATCH * limit))
                begun.append(found)
                yield [block[at] for at in found.queries], found.candidates, found.similarities

        in_processes = len(normals) >= _MANY_QUERIES and threads.count() > 1
        try:
            for probabilities in (
                self._processes.map(Model.compare, tasks())
                if in_processes
                else (self.model.compare(*task) for task in tasks())
            ):
                yield begun.popleft(), probabilities.tolist()
        except BaseException:  # also if the caller gives up
            self._processes.close()
            raise

    def _find(self, normals: list[str], k: int) -> _Found:
        """Return the ``k`` nearest texts of each of distinct ``normals``, less the one that is equal."""
        equal = self._store.text_ids(normals)
        ids, similarities, live = self._vectors.search(self._encoder.encode(normals), k)
        rows, columns = np.nonzero(ids >= 0)
        found = [
            (row, text_id, live[text_id], similarity)
            for row, text_id, similarity in zip(
                rows.tolist(), ids[rows, columns].tolist(), similarities[rows, columns].tolist(), strict=True
            )
            if live[text_id] != normals[row]
        ]
        queries, text_ids, candidates, cosines = zip(*found, strict=True) if found else ((), (), (), ())
        return _Found(normals, equal, queries, text_ids, candidates, np.array(cosines, np.float32))


def _load(model: Model) -> Encoder:
    """Load what takes a while, and is needed when vectors have been read."""
    import faiss  # noqa: F401

    return model.encoder


def _best(found: _Found, probabilities: list[float], limit: int, min_probability: float) -> list[list[Match]]:
    """Return the best matches of each query, without their records."""
    hits: list[list[tuple[float, float, int, str]]] = [[] for _ in found.normals]
    of_candidates = (found.queries, probabilities, found.similarities.tolist(), found.text_ids, found.candidates)
    for query, probability, similarity, text_id, normal in zip(*of_candidates, strict=True):
        if probability >= min_probability:
            hits[query].append((-probability, -similarity, text_id, normal))
    result = []
    for normal, of_query in zip(found.normals, hits, strict=True):
        matches = [Match(found.equal[normal], normal, 1.0, 1.0, True, [])] if normal in found.equal else []
        for less_probable, less_similar, text_id, other in sorted(of_query)[: limit - len(matches)]:
            matches.append(Match(text_id, other, -less_probable, -less_similar, False, []))
        result.append(matches)
    return result


def _normal_form(text: str) -> str:
    normal = normalise(text)
    if not normal:
        raise InputRefused(
            f"The query {text!r} is empty, or punctuation only; give at least one letter or digit.",
            "E_NAME_EMPTY",
        )
    if len(normal) > MAX_NAME_CHARACTERS:
        raise InputRefused(
            f"A query has {len(normal)} characters after normalisation; give at most {MAX_NAME_CHARACTERS}.",
            "E_NAME_TOO_LONG",
        )
    return normal
