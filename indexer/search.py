"""Answer queries: the texts of the store that are likely the same as a given one, best first.

A text equal to the query after normalisation is found by key and has probability 1. All others come from
the nearest vectors, and the model compares each of them with the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dedup.encode import Encoder
from dedup.errors import InputRefused
from dedup.model import Model
from dedup.normalise import normalise
from indexer.intake import MAX_NAME_CHARACTERS
from indexer.store import Record, Store
from indexer.vectors import Vectors
from indexer.words import model_of

LEAST_CANDIDATES = 50
CANDIDATES_PER_MATCH = 3
_QUERIES_AT_ONCE = 2_000


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


class Searcher:
    """Search one store; sees the texts that are there when it is made, less those deleted since.

    ``model`` is the given one with the words of the store counted in.

    Raises:
        VersionMismatch: the store was indexed with another model.

    """

    def __init__(self, store: Store, snapshots: Path, model: Model) -> None:
        self._store = store
        with ThreadPoolExecutor(1) as beside:  # the checksum of a large snapshot takes a while, and no Python
            encoder = beside.submit(_load, model)
            self._vectors = Vectors(store, snapshots, model.model_id)
        self._encoder = encoder.result()
        self.model = model_of(store, model)

    def query(self, texts: Sequence[str], *, limit: int = 10, min_probability: float = 0.0) -> list[list[Match]]:
        """Return for each of ``texts`` its at most ``limit`` matches of at least ``min_probability``.

        One match for each distinct normal form, by falling probability, then similarity, then ``text_id``.

        Raises:
            InputRefused: a text is empty after normalisation, or too long.

        """
        normals = [_normal_form(text) for text in texts]
        results: list[list[Match]] = []
        for start in range(0, len(normals), _QUERIES_AT_ONCE):
            block = normals[start : start + _QUERIES_AT_ONCE]
            found = self._find(list(dict.fromkeys(block)), limit, min_probability)
            records = self._store.records_of_texts({hit.text_id for hits in found.values() for hit in hits})
            matches = {
                normal: [replace(hit, records=records[hit.text_id]) for hit in hits if hit.text_id in records]
                for normal, hits in found.items()
            }
            results += [list(matches[normal]) for normal in block]
        return results

    def _find(self, normals: list[str], limit: int, min_probability: float) -> dict[str, list[Match]]:
        """Return what is found for each of distinct ``normals``, without the records."""
        found = {
            normal: [Match(text_id, normal, 1.0, 1.0, True, [])]
            for normal, text_id in self._store.text_ids(normals).items()
        }
        k = max(LEAST_CANDIDATES, CANDIDATES_PER_MATCH * limit)
        ids, similarities, live = self._vectors.search(self._encoder.encode(normals), k)
        rows, columns = np.nonzero(ids >= 0)
        candidates = [
            (normals[row], text_id, live[text_id], similarity)
            for row, text_id, similarity in zip(
                rows.tolist(), ids[rows, columns].tolist(), similarities[rows, columns].tolist(), strict=True
            )
            if live[text_id] != normals[row]
        ]
        probabilities = self.model.compare(
            [query for query, *_ in candidates],
            [normal for _, _, normal, _ in candidates],
            np.array([similarity for *_, similarity in candidates], np.float32),
        )
        for (query, text_id, normal, similarity), probability in zip(candidates, probabilities.tolist(), strict=True):
            found.setdefault(query, []).append(Match(text_id, normal, probability, similarity, False, []))
        return {normal: _best(found.get(normal, []), limit, min_probability) for normal in normals}


def _load(model: Model) -> Encoder:
    """Load what takes a while, and is needed when vectors have been read."""
    import faiss  # noqa: F401

    return model.encoder


def _best(found: list[Match], limit: int, min_probability: float) -> list[Match]:
    likely = [hit for hit in found if hit.probability >= min_probability]
    likely.sort(key=lambda hit: (not hit.exact, -hit.probability, -hit.similarity, hit.text_id))
    return likely[:limit]


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
