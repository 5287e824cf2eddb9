"""Find all pairs of near-duplicate texts and cluster them, in a store or in memory.

Records with the same normal form share a text, so exact duplicates need no search. The nearest neighbours of each text
are its candidates; the model compares them, and the probable pairs are clustered. All vectors, texts and candidates are
held in memory: about 1.1 GB for a million texts, and 0.2 GB for each worker process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dedup.clustering.cluster import Clusters, cluster_pairs
from dedup.evidence.explain import Explanation
from dedup.evidence.kinds import KINDS
from dedup.matching.batch import BatchComparison, RepeatedComparison
from dedup.matching.matcher import Matcher
from dedup.runtime.allocator import release_free_memory
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.stopwatch import Stopwatch
from dedup.runtime.string_arrays import Strings
from dedup.text.corpus import describe_corpus
from indexer.findings.ledger import last_report
from indexer.jobs.fielding.field_evidence import (
    NEAR,
    FieldComparison,
    FieldEvidence,
    compare_items,
    pairs_by_text,
)
from indexer.jobs.fielding.field_records import FieldRecords
from indexer.jobs.fielding.store_items import items_of_store
from indexer.jobs.loading import cells_of_texts, check_text_of, load_texts, new_cells
from indexer.jobs.reviewing.item_records import ItemRecords
from indexer.jobs.reviewing.judged_items import JudgedItems, Pairs, items_without_judgements
from indexer.jobs.reviewing.judgement_table import read_judgements
from indexer.store.corpus_words import model_with_corpus
from indexer.store.store import Codes, Ids, Record
from indexer.vectors.cells import Cells
from indexer.vectors.knn_graph import build_knn_graph
from indexer.vectors.recall import NEIGHBOURS
from indexer.vectors.snapshot import Snapshots
from indexer.vectors.top_k import NearPairs


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """The near-duplicates among n distinct texts; or items, where judgements or fields take texts apart.

    Attributes:
        pairs: Positions of texts (p, 2), the lower first, in ascending order.
        probabilities: Probability of each pair (p,).
        similarities: Cosine of each pair (p,).
        clusters: Clusters of the n positions.
        candidates: Number of candidate pairs.
        seconds: Duration of each stage.
        comparison: Gives the probability of any pair of these texts.
        model: The model that was used, with what the texts say about names and their share of true pairs.
        shift: What was added to all log-odds for that share.
        of_texts: The pairs of texts that were found, whatever people said.
        judged: What people said about the texts; None if nothing.
        left_out: Pairs that would be among ``pairs``, but were judged different (q, 2).

    """

    pairs: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    similarities: NDArray[np.float32]
    clusters: Clusters
    candidates: int
    seconds: dict[str, float]
    comparison: BatchComparison | RepeatedComparison | FieldComparison
    model: Matcher
    shift: float
    of_texts: Pairs
    judged: JudgedItems | None = None
    left_out: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))

    def are_judged_same(self, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pairs (p, 2) are the same by judgement, directly or along a chain, (p,)."""
        return np.zeros(len(pairs), np.bool_) if self.judged is None else self.judged.constraints.are_same(pairs)

    def have_one_text(self, pair: Sequence[int]) -> bool:
        """Return whether two items have one text."""
        return self.judged is not None and len(set(self.judged.text_of[list(pair)].tolist())) == 1

    def sides(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return pairs (p, 2) with the side whose text comes first on the left: where they are parts, too."""
        if self.judged is None:
            return pairs
        order = np.argsort(self.judged.text_of[pairs], axis=1, kind="stable")
        return np.take_along_axis(pairs, order, axis=1)

    @property
    def evidence(self) -> FieldEvidence | None:
        """What fields say of the items; None if there are none."""
        return self.comparison.evidence if isinstance(self.comparison, FieldComparison) else None

    def explain(self, pairs: NDArray[np.int64], similarities: Sequence[float]) -> list[Explanation | None]:
        """Return the reasons for the probabilities of pairs (p, 2), given their cosines (p,); None for equal texts."""
        left, right = (self.comparison.normal_forms[side].tolist() for side in pairs.T)
        differ = [at for at, sides in enumerate(zip(left, right, strict=True)) if sides[0] != sides[1]]
        one, other = ([side[at] for at in differ] for side in (left, right))
        found: list[Explanation | None] = [None] * len(pairs)
        explained = self.model.explain_pairs(one, other, [similarities[at] for at in differ])
        for at, reasons in zip(differ, explained, strict=True):
            found[at] = reasons
        evidence = self.evidence
        if evidence is None:
            return found
        return [evidence.explain(pair, reasons) for pair, reasons in zip(pairs.tolist(), found, strict=True)]

    def are_listed(self) -> NDArray[np.bool_]:
        """Return which of the pairs ``of_texts`` are among ``pairs``: those that nobody judged different."""
        if self.judged is None:
            return np.ones(len(self.of_texts.pairs), np.bool_)
        n = len(self.judged.text_of)
        listed = np.sort(self.judged.text_of[self.pairs], axis=1) @ np.array([n, 1])
        return np.isin(self.of_texts.pairs @ np.array([n, 1]), listed)

    def at(self, min_probability: float, n: int) -> NearDuplicates:
        """Return the result for a higher ``min_probability`` among the same n texts, without a new search."""
        keep = (self.probabilities >= min_probability) | self.are_judged_same(self.pairs)
        pairs, probabilities = self.pairs[keep], self.probabilities[keep]
        clusters = cluster_pairs(
            pairs,
            probabilities,
            n if self.judged is None else self.judged.n,
            min_probability=min_probability,
            comparison=self.comparison,
            constraints=None if self.judged is None else self.judged.constraints,
        )
        similarities = self.similarities[keep]
        return replace(self, pairs=pairs, probabilities=probabilities, similarities=similarities, clusters=clusters)


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The near-duplicates in a store.

    Attributes:
        text_ids: Ids of its texts (n,), ascending.
        near: The near-duplicates among them.
        generation: Generation of the snapshot used, if any.
        seconds: Duration of each stage.

    """

    text_ids: Ids
    near: NearDuplicates
    generation: int | None
    seconds: dict[str, float]

    @property
    def item_ids(self) -> Ids:
        """The text id of each text, or item, of ``near``."""
        return self.text_ids if self.near.judged is None else self.text_ids[self.near.judged.text_of]

    def items_of(self, places: NDArray[np.int64], record_ids: Ids) -> NDArray[np.int64]:
        """Return the items of records (r,), given the places of their texts."""
        if not self._part_of:
            return places
        parts = np.array(sorted(self._part_of.items()), np.int64)
        at = np.minimum(np.searchsorted(parts[:, 0], record_ids), len(parts) - 1)
        return np.where(parts[at, 0] == record_ids, parts[at, 1], places)

    def places_of(self, records: Sequence[Record]) -> list[int]:
        """Return the position of each record among the texts, or items, of ``near``.

        Raises:
            CorruptStore: the text of a record is not among them.

        """
        places: list[int] = np.searchsorted(self.text_ids, [record.text_id for record in records]).tolist()
        known = self.text_ids.tolist()
        for record, place in zip(records, places, strict=True):
            check_text_of(record, known[place : place + 1])
        parts = self._part_of
        return [parts.get(record.record_id, place) for record, place in zip(records, places, strict=True)]

    def parts_of(self, place: int, records: list[Record]) -> Iterable[tuple[int, list[Record]]]:
        """Return the records of the text at ``place`` by item; there is one, unless they are judged different."""
        if not self._part_of:
            return [(place, records)]
        parts: dict[int, list[Record]] = {}
        for record in records:
            parts.setdefault(self._part_of.get(record.record_id, place), []).append(record)
        return parts.items()

    def records_of_items(self) -> ItemRecords:
        """Return what reads the records of items."""
        return ItemRecords(self.text_ids, self.item_ids, self._part_of)

    @property
    def _part_of(self) -> Mapping[int, int]:
        return {} if self.near.judged is None else self.near.judged.part_of


def find_duplicates(
    snapshots: Snapshots,
    model: Matcher,
    *,
    min_probability: float,
    judgements: bool = True,
    progress: Progress = no_progress,
) -> Duplicates:
    """Find and cluster all pairs of distinct texts of a store with at least ``min_probability`` of being the same.

    What people judged holds, unless ``judgements`` are to be ignored. Branches are as in the last report.

    Stages reported to ``progress``: ``read vectors``, ``read texts``, ``check snapshot``, ``assign to cells`` and those
    of ``near_duplicates``; without a snapshot also ``cells``, ``recall`` and ``recall of queries``.

    Raises:
        UsageError: nothing is indexed, or not every text has a vector.
        VersionMismatch: the store was indexed with another model.
    """
    clock = Stopwatch()
    with clock.stage("load"):
        text_ids, codes, normals = load_texts(snapshots.store, model, progress)
        release_free_memory()
    with clock.stage("search"):
        generation, cells = cells_of_texts(snapshots, model, codes, progress)
    store = snapshots.store
    said = read_judgements(store) if judgements else []
    last = last_report(store)
    merges = last is not None and last.merges_branches
    judged, evidence = items_of_store(store, said, text_ids, normals, merges_branches=merges)
    near = near_duplicates(
        codes,
        normals,
        cells,
        model_with_corpus(store, model),
        min_probability=min_probability,
        judged=judged,
        evidence=evidence,
        clock=clock,
        progress=progress,
    )
    return Duplicates(text_ids, near, generation, clock.seconds)


def duplicates_of_texts(
    normals: Sequence[str],
    model: Matcher,
    *,
    min_probability: float,
    records: FieldRecords | None = None,
    merges_branches: bool = False,
    progress: Progress = no_progress,
) -> NearDuplicates:
    """Find and cluster all near-duplicates among distinct normal forms (n), in memory; with fields, of their records.

    The result equals that of ``find_duplicates`` for a store to which these texts were added in this order. Stages
    reported to ``progress``: ``encode`` and those of ``find_duplicates`` after reading.
    """
    clock = Stopwatch()
    with clock.stage("load"):
        codes = encode_in_blocks(model, normals, progress)
    with clock.stage("search"):
        cells = new_cells(codes, model, progress)
    return near_duplicates(
        codes,
        normals,
        cells,
        with_words_of(model, normals),
        min_probability=min_probability,
        judged=None if records is None else items_without_judgements(records),
        evidence=None if records is None else FieldEvidence.of(records, merges_branches=merges_branches),
        clock=clock,
        progress=progress,
    )


def near_duplicates(
    codes: Codes,
    normals: Sequence[str] | Strings,
    cells: Cells | None,
    model: Matcher,
    *,
    min_probability: float,
    clock: Stopwatch,
    judged: JudgedItems | None = None,
    evidence: FieldEvidence | None = None,
    progress: Progress = no_progress,
) -> NearDuplicates:
    """Find and cluster the near-duplicates among n texts, given their ``codes`` (n, d), normal forms (n) and ``cells``.

    A pair is a candidate if one text is among the 10 nearest neighbours of the other and their cosine is at least the
    model's ``min_similarity``. With ``cells``, neighbours are approximate (``vectors.knn_graph``). Stages reported to
    ``progress``: ``search``, ``pairs``, ``names``, ``words``, ``rule out``, ``compare`` and ``cluster``.
    """
    n = len(codes)
    with clock.stage("search"):
        progress("search", 0, n)
        lists = build_knn_graph(
            codes, NEIGHBOURS, model.min_similarity, cells, progress=lambda done: progress("search", done, n)
        )
        near: NearPairs = lists.pairs(lambda done: progress("pairs", done, n))
        del lists
        release_free_memory()
    return compare_candidates(
        *(codes, normals, near, model),
        min_probability=min_probability,
        judged=judged,
        evidence=evidence,
        clock=clock,
        progress=progress,
    )


def compare_candidates(
    codes: Codes,
    normals: Sequence[str] | Strings,
    near: NearPairs,
    model: Matcher,
    *,
    min_probability: float,
    shift: float | None = None,
    judged: JudgedItems | None = None,
    evidence: FieldEvidence | None = None,
    clock: Stopwatch,
    progress: Progress = no_progress,
) -> NearDuplicates:
    """Compare all candidates, the pairs ``near`` of n texts, and cluster them; with ``evidence``, the items ``judged``.

    ``shift`` is what is added to the log-odds for the share of true pairs among the candidates; None: it is estimated.
    Stages reported to ``progress``: as of ``near_duplicates``, from ``names`` on.
    """
    candidates = len(near.cosines)
    with BatchComparison(model, codes, normals, shift=shift or 0.0) as comparison:
        with clock.stage("compare"):
            if shift is None:
                shift = comparison.adapt(near.pairs, near.cosines, progress)
            least = min_probability if evidence is None else min(min_probability, NEAR)
            likely, probabilities = comparison.likely(near.pairs, near.cosines, least, progress)
        order = np.lexsort(near.pairs[likely].T[::-1])
        likely, probabilities = likely[order], probabilities[order]
        found = Pairs(near.pairs[likely].astype(np.int64), probabilities, near.cosines[likely])
        del near  # a tenth of the peak memory
        adapted = model.with_prior_shift(shift) if shift else model
        with clock.stage("cluster"):
            progress("cluster", 0, None)
            result = cluster_found(found, comparison, adapted, judged, min_probability, progress, evidence)
    return replace(result, candidates=max(candidates, result.candidates), seconds=clock.seconds, shift=shift)


def cluster_found(
    found: Pairs,
    texts: BatchComparison,
    model: Matcher,
    judged: JudgedItems | None,
    min_probability: float,
    progress: Progress,
    evidence: FieldEvidence | None = None,
) -> NearDuplicates:
    """Return the pairs and clusters that follow from the pairs of texts found, from fields and what people said.

    With ``evidence``, the pairs found are those whose names are near, and the items are ``judged``.
    """
    comparison: BatchComparison | RepeatedComparison | FieldComparison = texts
    pairs, left_out, candidates = found, np.empty((0, 2), np.int64), 0
    if judged is not None and evidence is not None:
        compared, comparison, candidates = compare_items(found, texts, evidence, judged.verdicts, min_probability)
        found = pairs_by_text(compared, judged.text_of)
        pairs, left_out = judged.constrained(compared, comparison)
    elif judged is not None:
        comparison = judged.comparison_of(texts)
        pairs, left_out = judged.applied(found, comparison)
    clusters = cluster_pairs(
        pairs.pairs,
        pairs.probabilities,
        len(texts.normal_forms) if judged is None else judged.n,
        min_probability=min_probability,
        comparison=comparison,
        constraints=None if judged is None else judged.constraints,
        progress=lambda done, total: progress("cluster", done, total),
    )
    return NearDuplicates(*pairs, clusters, candidates, {}, comparison, model, 0.0, found, judged, left_out)


def encode_in_blocks(model: Matcher, normals: Sequence[str], progress: Progress = no_progress) -> Codes:
    """Return the vectors (n, d) of normal forms (n). Stages reported to ``progress``: ``encode``."""
    codes = [np.empty((0, model.dimension), np.int8)]
    for start in range(0, len(normals), _ENCODED_AT_ONCE):
        codes.append(model.encoder.encode(normals[start : start + _ENCODED_AT_ONCE]))
        progress("encode", min(start + _ENCODED_AT_ONCE, len(normals)), len(normals))
    return np.concatenate(codes)


def with_words_of(model: Matcher, normals: Sequence[str]) -> Matcher:
    """Return ``model`` with what these texts say about names, as for a store that holds them."""
    return model.with_corpus(describe_corpus(normals, KINDS[model.kind].words_of))


_ENCODED_AT_ONCE = 5_000
