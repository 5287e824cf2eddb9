"""The job ``dedup query``: find the texts in the store that are probably the same as a given one, best first.

A text that equals the query after normalisation is found by its key and has probability 1. The other candidates are the
texts with the nearest vectors, and the model compares each of them with the query.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import Encoder
from dedup.evidence.explain import Explanation
from dedup.matching.matcher import Matcher
from dedup.runtime import threads
from dedup.runtime.processes import Processes
from dedup.runtime.progress import Progress, no_progress
from dedup.text.normalise import normalise
from indexer.ingest.intake import fault_of_row, normal_form_of
from indexer.jobs.fielding.field_evidence import NEAR
from indexer.jobs.fielding.field_query import FieldMatch, FieldsOfMatch, NameMatch, QueryFields
from indexer.reading.rejects import Reject
from indexer.reading.rows import Row, Table
from indexer.store.corpus_words import model_with_corpus
from indexer.store.store import Record, check_sources
from indexer.vectors.search import StoredVectors, VectorIndex
from indexer.vectors.snapshot import Snapshots

MIN_CANDIDATES = 30
CANDIDATES_PER_MATCH = 3
"""A query compares this many candidates per match requested, and at least ``MIN_CANDIDATES``."""

QUERIES_AT_ONCE = 250
MANY_QUERIES = 1_000
"""From this many queries of ``MIN_CANDIDATES`` on, candidates are compared in several processes, which take a second to
start."""

ROWS_AT_ONCE = 2_000
"""Rows of a table that are answered together."""

CANDIDATES_AT_ONCE = 100_000
"""Fewer queries and rows are answered together if they have more candidates or matches than this."""


@dataclass(frozen=True, slots=True)
class Match:
    """A text of the store with all its records.

    ``probability`` (0 to 1) that it is the same as the query, ``similarity`` the cosine of their vectors (-1 to 1),
    ``exact`` if their normal forms are equal. For a query with fields, the records are those of the text that agree in
    all fields, and ``fields`` is what these tell.
    """

    text_id: int
    normal: str
    probability: float
    similarity: float
    exact: bool
    records: list[Record]
    fields: FieldsOfMatch | None = None


class Answer(NamedTuple):
    """A row of a table of queries, its normal form, and its matches."""

    row: Row
    normal: str
    matches: list[Match]


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The n candidates of distinct queries.

    Attributes:
        normals: Normal forms of the queries.
        equal: Id of the equal text of the store, for queries that have one.
        queries: Query of each candidate, by position.
        text_ids: Id of each candidate.
        texts: Normal form of each candidate.
        similarities: Cosine of each candidate (n,).

    """

    normals: list[str]
    equal: dict[str, int]
    queries: Sequence[int]
    text_ids: Sequence[int]
    texts: Sequence[str]
    similarities: NDArray[np.float32]


class Searcher:
    """Search one store: the texts present when this object is created, without those deleted since.

    With ``sources``, only their records are found.

    ``model`` is the given one with the store's word counts added, ``fields`` are the fields of the store. Use it as a
    context manager: many queries are answered by several processes, which end with the block. The keyword arguments are
    as the constants of this module. Stages reported to ``progress``: those of ``StoredVectors``.

    Raises:
        UsageError: there is no such source.
        VersionMismatch: the store was indexed with another model.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        model: Matcher,
        progress: Progress = no_progress,
        *,
        min_candidates: int = MIN_CANDIDATES,
        candidates_per_match: int = CANDIDATES_PER_MATCH,
        queries_at_once: int = QUERIES_AT_ONCE,
        many_queries: int = MANY_QUERIES,
        sources: Sequence[str] = (),
    ) -> None:
        self._store = snapshots.store
        self._min_candidates, self._candidates_per_match = min_candidates, candidates_per_match
        self._queries_at_once, self._many_queries = queries_at_once, many_queries
        self._sources = frozenset(sources)
        check_sources(self._store, sources)
        self._among = self._store.texts_of_sources(sources) if sources else None
        with ThreadPoolExecutor(1) as background:  # in parallel with the checksum, which releases the interpreter lock
            encoder = background.submit(_load, model)
            self._vectors: VectorIndex = StoredVectors(snapshots, model.model_id, progress, among=self._among)
        self._encoder = encoder.result()
        self.model = model_with_corpus(self._store, model)
        self.fields = QueryFields(self._store)
        self._processes = Processes(threads.count(), self.model)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        self._processes.close()

    def query(
        self,
        texts: Sequence[str],
        *,
        limit: int = 10,
        min_probability: float = 0.0,
        fields: Sequence[Mapping[str, str]] = (),
    ) -> list[list[Match]]:
        """Return up to ``limit`` matches of at least ``min_probability`` for each of ``texts``.

        There is one match per distinct normal form, by descending probability, then descending similarity, then
        ``text_id``. ``fields`` are values of each query by the labels of the fields (``self.fields``); with some, the
        records of a text are one match only if they agree in the fields asked.

        Raises:
            InputRefused: a text is empty after normalisation, or too long.
        """
        normals = [_normal_form(text) for text in texts]
        matches: dict[str, list[Match]] = {}
        with_fields = [at for at, values in enumerate(fields) if any(values.values())]
        most, least = (len(self._vectors) + 1, min(min_probability, NEAR)) if with_fields else (limit, min_probability)
        for candidates, probabilities in self._compared(list(dict.fromkeys(normals)), limit):
            best = _best(candidates, probabilities, most, least)
            records = self._records({hit.text_id for hits in best for hit in hits})
            for normal, hits in zip(candidates.normals, best, strict=True):
                matches[normal] = [replace(hit, records=records[hit.text_id]) for hit in hits if hit.text_id in records]
        found = [matches[normal] for normal in normals]
        asked, given = [normals[at] for at in with_fields], [fields[at] for at in with_fields]
        told_apart = self._by_fields(asked, given, [found[at] for at in with_fields])
        for at, groups in zip(with_fields, told_apart, strict=True):
            found[at] = groups
        return [[one for one in hits if one.probability >= min_probability][:limit] for hits in found]

    def _by_fields(
        self, normals: list[str], fields: Sequence[Mapping[str, str]], found: list[list[Match]]
    ) -> list[list[Match]]:
        """Return the matches of queries by names and fields, given those by names."""
        named = [(number, match) for number, matches in enumerate(found) for match in matches]
        asked = [NameMatch(number, match.normal, match.probability, match.records) for number, match in named]
        result: list[list[Match]] = [[] for _ in normals]
        if not named:
            return result
        for (number, match), groups in zip(named, self.fields.matches(normals, fields, asked), strict=True):
            result[number] += [_told_apart(match, one) for one in groups]
        return [sorted(one, key=_rank) for one in result]

    def answer(
        self,
        table: Table,
        *,
        limit: int,
        min_probability: float,
        on_reject: Callable[[Reject], None],
        without: str | None = None,
        progress: Progress = no_progress,
    ) -> Iterator[Answer]:
        """Yield the matches of every row of ``table``, in order; ``on_reject`` is called with rows not searchable.

        The record of source ``without`` that a row is itself, by its id or its content, is left out.

        Stages reported to ``progress``: ``queries``.
        """
        rows = searchable_rows(table, on_reject)
        at_once = _at_once(ROWS_AT_ONCE, min(limit, len(self._vectors)))
        while page := list(islice(rows, at_once)):
            more = limit if without is None else limit + 1
            fields = [self.fields.in_row(row.fields) for row, _ in page] if self.fields.slots else []
            texts = [row.raw for row, _ in page]
            found = self.query(texts, limit=more, min_probability=min_probability, fields=fields)
            if without is not None:
                found = [_others(row, hits, without)[:limit] for (row, _), hits in zip(page, found, strict=True)]
            yield from (Answer(row, normal, matches) for (row, normal), matches in zip(page, found, strict=True))
            progress("queries", table.rows_in, None)
        progress("queries", table.rows_in, table.rows_in)

    def _records(self, text_ids: set[int]) -> dict[int, list[Record]]:
        found = self._store.records_of_texts(text_ids)
        if self._among is None:
            return found
        kept = {at: [one for one in records if one.source in self._sources] for at, records in found.items()}
        return {at: records for at, records in kept.items() if records}

    def explain(self, normal: str, match: Match) -> Explanation | None:
        """Explain a match of the query with this normal form; None if both normal forms are equal."""
        of_names = None if match.exact else self.model.explain(normal, match.normal, match.similarity)
        return of_names if match.fields is None else match.fields.explain(of_names)

    def _compared(self, normals: list[str], limit: int) -> Iterator[tuple[_Candidates, list[float]]]:
        """Yield the candidates of distinct ``normals`` and their probabilities, block by block."""
        k = min(max(self._min_candidates, self._candidates_per_match * limit), max(1, len(self._vectors)))
        size = _at_once(self._queries_at_once, k)
        blocks = [normals[start : start + size] for start in range(0, len(normals), size)]
        pending: deque[_Candidates] = deque()

        def tasks() -> Iterator[tuple[list[str], Sequence[str], NDArray[np.float32]]]:
            for block in blocks:
                found = self._find(block, k)
                pending.append(found)
                yield [block[at] for at in found.queries], found.texts, found.similarities

        is_much = len(normals) * max(k, self._min_candidates) >= self._many_queries * self._min_candidates
        in_processes = is_much and len(blocks) > 1 and threads.count() > 1
        for probabilities in (
            self._processes.map(_compare, tasks()) if in_processes else (self.model.compare(*task) for task in tasks())
        ):
            yield pending.popleft(), probabilities.tolist()

    def _find(self, normals: list[str], k: int) -> _Candidates:
        """Return the ``k`` nearest texts of each of distinct ``normals``, without the equal one."""
        equal = self._store.text_ids(normals)
        if self._among is not None:
            among = set(self._among.tolist())
            equal = {normal: text_id for normal, text_id in equal.items() if text_id in among}
        ids, similarities, live = self._vectors.search(self._encoder.encode(normals), k)
        rows, columns = np.nonzero(ids >= 0)
        found = [
            (row, text_id, live[text_id], similarity)
            for row, text_id, similarity in zip(
                rows.tolist(), ids[rows, columns].tolist(), similarities[rows, columns].tolist(), strict=True
            )
            if live[text_id] != normals[row]
        ]
        queries, text_ids, texts, cosines = zip(*found, strict=True) if found else ((), (), (), ())
        return _Candidates(normals, equal, queries, text_ids, texts, np.array(cosines, np.float32))


def _told_apart(match: Match, group: FieldMatch) -> Match:
    return replace(match, records=group.records, probability=group.probability, fields=group.fields)


def _rank(match: Match) -> tuple[float, float, int, int]:
    return -match.probability, -match.similarity, match.text_id, match.records[0].record_id


def _at_once(most: int, results: int) -> int:
    """Return how many queries with this many results each are answered together, at most ``most``."""
    return max(1, min(most, CANDIDATES_AT_ONCE // max(1, results)))


def _load(model: Matcher) -> Encoder:
    """Load the encoder and FAISS, which take a while and are needed after the vectors are read."""
    import faiss  # noqa: F401

    return model.encoder


def _compare(
    model: Matcher, left: list[str], right: Sequence[str], similarities: NDArray[np.float32]
) -> NDArray[np.float64]:
    return model.compare(left, right, similarities)


def _best(found: _Candidates, probabilities: list[float], limit: int, min_probability: float) -> list[list[Match]]:
    """Return the best matches of each query, without their records."""
    hits: list[list[tuple[float, float, int, str]]] = [[] for _ in found.normals]
    of_candidates = (found.queries, probabilities, found.similarities.tolist(), found.text_ids, found.texts)
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


def _others(row: Row, matches: list[Match], source: str) -> list[Match]:
    """Return the matches without the record of this source that a row is itself."""

    def is_itself(record: Record) -> bool:
        same_content = record.raw == row.raw and record.fields == row.fields
        return record.source == source and (
            same_content if row.external_id is None else record.external_id == row.external_id
        )

    kept = [replace(match, records=[one for one in match.records if not is_itself(one)]) for match in matches]
    return [match for match in kept if match.records]


def searchable_rows(table: Table, on_reject: Callable[[Reject], None]) -> Iterator[tuple[Row, str]]:
    """Yield the searchable rows with their normal forms; call ``on_reject`` with the others."""
    for row in table:
        if not isinstance(row, Row):
            on_reject(row)
            continue
        normal = normalise(row.raw)
        if fault := fault_of_row(row.raw, normal):
            on_reject(row.reject(fault[0], None, fault[1]))
        else:
            yield row, normal


def _normal_form(text: str) -> str:
    return normal_form_of(
        text, f"The query {text!r} is empty or has only punctuation; give at least one letter or digit."
    )
