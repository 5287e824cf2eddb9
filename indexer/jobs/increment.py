"""The near-duplicates of a store, found from those of the last report: only what changed is searched and compared.

The result is a function of texts, vectors, baseline, threshold and model. So an increment gives the pairs and clusters
that a full run gives under the same baseline:

- New texts, and those with too few neighbours left, are searched against all (``vectors.knn_update``).
- Pairs are compared that have become candidates since; pairs that are none any more are dropped.
- Components are clustered again in which a text or a pair has come, gone or changed; all of them where people judged.
- What people judged is applied to the pairs afterwards. The ledger has the pairs as they were found.

Without a last report, with another threshold or model, under a new baseline, or where the records have fields (what is
kept are pairs of texts), all candidates are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.clustering import cluster
from dedup.clustering.cluster import Clusters, cluster_pairs, component_labels
from dedup.matching.batch import BatchComparison
from dedup.matching.matcher import Matcher
from dedup.runtime.allocator import release_free_memory
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.stopwatch import Stopwatch
from dedup.runtime.versions import version_of
from dedup.text.normalise import NORMALISER_VERSION
from indexer.findings.baseline import MODEL_CHANGED, Baseline, read_baseline
from indexer.findings.ledger import LastRun, Ledger, TextPairs, read_ledger
from indexer.findings.neighbour_search import Keep, Search
from indexer.jobs.duplicates import Duplicates, NearDuplicates, cluster_found, compare_candidates
from indexer.jobs.fielding.slots import Slot, kinds_of, slots_of_store
from indexer.jobs.fielding.store_items import items_of_store, pinned_fields
from indexer.jobs.loading import Corpus, centres_for
from indexer.jobs.reviewing.judged_items import JudgedItems, Pairs
from indexer.jobs.reviewing.judgement_table import Judgement, read_judgements
from indexer.store.corpus_words import corpus_of, model_of_kind
from indexer.store.store import Store
from indexer.vectors.knn_update import Neighbours
from indexer.vectors.neighbour_file import NeighbourFile
from indexer.vectors.snapshot import Snapshots
from indexer.vectors.top_k import Keys, NearPairs, are_listed, pairs_of


@dataclass(frozen=True, slots=True)
class Found:
    """What a report found.

    Attributes:
        duplicates: All near-duplicates.
        baseline: What they depend on.
        is_renewed: Whether it was made anew.
        settings: Digest of all that pairs depend on besides the texts.
        file: The file of neighbours that goes with them.
        is_full: Whether all candidates were compared.
        reason: Why everything was searched or compared, if it was.
        searched: Number of texts that were searched.
        judgements: Digest of what people said; empty if nothing.

    """

    duplicates: Duplicates
    baseline: Baseline
    is_renewed: bool
    settings: str
    file: NeighbourFile
    is_full: bool
    reason: str | None
    searched: int
    judgements: str

    def pairs(self) -> TextPairs:
        """Return the near pairs by text ids, whatever people said."""
        near = self.duplicates.near.of_texts
        ids = self.duplicates.text_ids[near.pairs]
        return TextPairs(ids, near.probabilities, near.similarities.astype(np.float64))

    def reason_since(self, last: LastRun | None) -> str:
        """Return why something changed since the last report that no row caused."""
        if last is None or last.settings != self.settings:
            return "settings"
        return "neighbours" if last.judgements == self.judgements else "judgements"


def find(
    snapshots: Snapshots,
    model: Matcher,
    ledger: Ledger,
    *,
    min_probability: float,
    full: bool = False,
    merges_branches: bool = False,
    keep: Keep = lambda file: None,
    progress: Progress = no_progress,
) -> Found:
    """Find the near-duplicates of a store; with ``full``, everything is searched and compared again.

    ``merges_branches``: whether records of one name in several places are the same. Stages reported to ``progress``:
    those of ``duplicates.find_duplicates``.

    Raises:
        UsageError: nothing is indexed, or not every text has a vector.
        VersionMismatch: the store was indexed with another model.
        EnvironmentFault: the neighbours cannot be written.
    """
    clock = Stopwatch()
    model = model_of_kind(snapshots.store, model)
    corpus, slots, renewal, search = _searched(snapshots, model, ledger, full=full, clock=clock, progress=progress)
    with clock.stage("search"):
        file = search.kept(keep)
    baseline = search.baseline
    settings = _settings(model, baseline, min_probability, merges_branches) if renewal is None else None
    before = search.before if ledger.last and ledger.last.settings == settings and not slots else None
    matcher = baseline.matcher(model)
    judgements = read_judgements(snapshots.store)
    of_texts = snapshots.store, judgements, corpus.text_ids, corpus.all_normals
    judged, evidence = items_of_store(*of_texts, slots, baseline.fields, merges_branches=merges_branches)
    if before is not None:
        part = _Increment(corpus, matcher, baseline.prior_shift, min_probability, judged, clock, progress)
        near = part.of(search.now, before, ledger)
    else:
        shift = None if renewal is not None else baseline.prior_shift
        how = {"min_probability": min_probability, "judged": judged, "evidence": evidence}
        near = _compare_all(corpus, search.now, matcher, shift, clock, progress, **how)
        if renewal is not None:
            baseline = replace(baseline, prior_shift=float(near.shift), fields=pinned_fields(near.evidence, slots))
    return Found(
        duplicates=Duplicates(corpus.text_ids, near, search.generation, clock.seconds),
        baseline=baseline,
        is_renewed=renewal is not None,
        settings=_settings(model, baseline, min_probability, merges_branches),
        file=file,
        is_full=before is None,
        reason=_reason(renewal, full=full, has_fields=bool(slots), search=search, before=before),
        searched=search.searched,
        judgements=_digest(judgements),
    )


def find_all(
    snapshots: Snapshots, model: Matcher, *, min_probability: float, progress: Progress = no_progress
) -> Duplicates:
    """Find what ``find`` would with this threshold, comparing all candidates; nothing is kept.

    Branches are as in the last report.

    Stages reported to ``progress`` and errors raised: those of ``find``.
    """
    clock, store = Stopwatch(), snapshots.store
    model, ledger = model_of_kind(store, model), read_ledger(store)
    corpus, slots, renewal, search = _searched(snapshots, model, ledger, full=False, clock=clock, progress=progress)
    matcher, shift = search.baseline.matcher(model), None if renewal is not None else search.baseline.prior_shift
    said = read_judgements(store)
    of_texts, merges = (
        (store, said, corpus.text_ids, corpus.all_normals),
        bool(ledger.last and ledger.last.merges_branches),
    )
    judged, evidence = items_of_store(*of_texts, slots, search.baseline.fields, merges_branches=merges)
    how = {"min_probability": min_probability, "judged": judged, "evidence": evidence}
    near = _compare_all(corpus, search.now, matcher, shift, clock, progress, **how)
    return Duplicates(corpus.text_ids, near, search.generation, clock.seconds)


def _searched(
    snapshots: Snapshots, model: Matcher, ledger: Ledger, *, full: bool, clock: Stopwatch, progress: Progress
) -> tuple[Corpus, Sequence[Slot], str | None, Search]:
    """Return all texts, the fields, why the baseline is made anew, if it is, and the neighbours of all texts.

    With another scorer and the same encoder, the prior and the weights of fields are learnt anew, nothing else.
    """
    with clock.stage("load"):
        pinned = read_baseline(snapshots.store, model.model_id, model.dimension)
        slots = slots_of_store(snapshots.store)
        corpus = Corpus(snapshots, model, progress)
        renewal = _renewal(pinned, model, corpus, slots, snapshots.store)
        corpus.load(only_vectors=pinned is not None and renewal is None and not full and not slots)
        release_free_memory()
    with clock.stage("search"):
        generation, baseline = None, pinned
        if baseline is None or renewal is not None:
            generation, baseline = _new_baseline(snapshots, model, corpus, progress)
        search = Search(snapshots, model, baseline, generation, corpus.text_ids, corpus.codes, progress)
        search.run(ledger, full=full)
    if renewal is None and ledger.last and ledger.last.model != ("" if model.is_shipped else model.fingerprint):
        renewal, search.baseline = MODEL_CHANGED, replace(baseline, fields=None)
    return corpus, slots, renewal, search


def _renewal(
    pinned: Baseline | None, model: Matcher, corpus: Corpus, slots: Sequence[Slot], store: Store
) -> str | None:
    """Return why the baseline is made anew; None if it holds."""
    if pinned is None or not len(corpus.text_ids):
        return "there is no earlier report"
    return pinned.reason_to_renew(model, corpus.text_ids, kinds_of(slots), store.counts().records)


def _compare_all(
    corpus: Corpus,
    neighbours: Neighbours,
    model: Matcher,
    shift: float | None,
    clock: Stopwatch,
    progress: Progress,
    **how: Any,  # noqa: ANN401 - as of compare_candidates
) -> NearDuplicates:
    """Compare all candidates, as ``compare_candidates`` does."""
    return compare_candidates(
        *(
            corpus.codes,
            corpus.all_normals(),
            pairs_of(neighbours.candidates, progress=corpus.counting("pairs")),
            model,
        ),
        shift=shift,
        clock=clock,
        progress=progress,
        **how,
    )


def _reason(renewal: str | None, *, full: bool, has_fields: bool, search: Search, before: Keys | None) -> str | None:
    """Return why everything was searched or compared; None if it was not."""
    if renewal is not None:
        return renewal
    if full:
        return "it was asked for"
    if has_fields:
        return "the records have fields"
    if before is None:
        return "other settings than in the last report" if search.before is not None else "no neighbours were kept"
    return None


def _new_baseline(
    snapshots: Snapshots, model: Matcher, corpus: Corpus, progress: Progress
) -> tuple[int | None, Baseline]:
    """Return the generation of the snapshot, and a baseline of these texts whose prior is not known yet."""
    generation, centres, count = centres_for(snapshots, model, corpus.codes, progress)
    size, last = len(corpus.text_ids), int(corpus.text_ids[-1])
    words = corpus_of(snapshots.store)
    return generation, Baseline(model.model_id, NORMALISER_VERSION, size, last, 0.0, words, count, centres)


def _digest(judgements: Sequence[Judgement]) -> str:
    values = [(*one.pair, one.verdict) for one in judgements]
    return sha256(repr(values).encode()).hexdigest() if values else ""


def _settings(model: Matcher, baseline: Baseline, min_probability: float, merges_branches: bool) -> str:
    """Return a digest of what decides which of the candidates are pairs, and with which probability."""
    values: tuple[object, ...] = (model.fingerprint, model.kind, version_of("neardup"))
    values += (float(min_probability), baseline.digest)
    if merges_branches:
        values = (*values, "branches are merged")
    return sha256(repr(values).encode()).hexdigest()


class _Increment:
    """Pairs and clusters of n texts, from those of the last report."""

    def __init__(
        self,
        corpus: Corpus,
        model: Matcher,
        shift: float,
        min_probability: float,
        judged: JudgedItems | None,
        clock: Stopwatch,
        progress: Progress,
    ) -> None:
        self._judged = judged
        self._corpus, self._text_ids = corpus, corpus.text_ids
        self._model, self._shift, self._min_probability = model, shift, min_probability
        self._clock, self._progress = clock, progress

    def of(self, neighbours: Neighbours, before: Keys, ledger: Ledger) -> NearDuplicates:
        """Return the near-duplicates, given all neighbours, the candidates of the last report, and what it found."""
        with self._clock.stage("compare"):
            kept, touched = self._kept(neighbours, ledger.pairs)
            added = pairs_of(neighbours.candidates, before)
            new = self._compared(added)
            pairs = kept.with_more(new)
            touched[new.pairs] = True
        with self._clock.stage("cluster"):
            self._progress("cluster", 0, None)
            near = self._near(pairs, touched, ledger)
        return replace(near, candidates=len(added.pairs), seconds=self._clock.seconds, shift=self._shift)

    def _near(self, pairs: Pairs, touched: NDArray[np.bool_], ledger: Ledger) -> NearDuplicates:
        """Return the clusters of these pairs; where people judged, now or before, all components are clustered again.

        So the last judgement that is withdrawn has its effect, too.
        """
        model = self._model.with_prior_shift(self._shift) if self._shift else self._model
        judged, rows = self._judged, np.unique(pairs.pairs)
        if judged is not None:
            rows = np.union1d(rows, judged.texts())
        whole = BatchComparison(self._model, self._corpus.codes, self._corpus.sparse_normals(rows), shift=self._shift)
        if judged is None and not (ledger.last and ledger.last.judgements):
            clusters = self._clusters(pairs.pairs, pairs.probabilities, touched, ledger)
            return NearDuplicates(*pairs, clusters, 0, {}, whole, model, 0.0, pairs)
        comparison = whole if judged is None else judged.comparison_of(whole)
        return replace(self._judged_near(pairs, rows, model), comparison=comparison, of_texts=pairs, judged=judged)

    def _judged_near(self, pairs: Pairs, rows: NDArray[np.int64], model: Matcher) -> NearDuplicates:
        """Cluster all pairs as people judged; ``rows`` are their texts and those that were judged."""
        _, comparison = self._part(rows)
        places = np.searchsorted(rows, pairs.pairs)
        among = None if self._judged is None else self._judged.among(rows)
        with comparison:
            part = cluster_found(
                *(pairs._replace(pairs=places), comparison, model, among, self._min_probability, self._progress)
            )
        n, items = len(self._text_ids), len(part.clusters.labels)
        of_item = np.concatenate([rows, np.arange(n, n + items - len(rows))])  # ascending: parts come after all texts
        labels = np.arange(n + items - len(rows))
        labels[of_item] = of_item[part.clusters.labels]
        of = of_item.tolist()
        weakest = {of[label]: least for label, least in part.clusters.weakest.items()}
        edges = {of[label]: (of[one], of[other]) for label, (one, other) in part.clusters.weakest_pairs.items()}
        clusters = replace(part.clusters, labels=labels, weakest=weakest, weakest_pairs=edges)
        return replace(part, pairs=of_item[part.pairs], clusters=clusters, left_out=of_item[part.left_out])

    def _kept(self, neighbours: Neighbours, stored: TextPairs) -> tuple[Pairs, NDArray[np.bool_]]:
        """Return the stored pairs that are still candidates, and the texts (n,) of pairs that are not."""
        text_ids, n = self._text_ids, len(self._text_ids)
        places = np.minimum(np.searchsorted(text_ids, stored.ids), n - 1)
        is_there = text_ids[places] == stored.ids
        stays = is_there.all(axis=1)
        similarities = stored.similarities.astype(np.float32)
        stays[stays] = are_listed(neighbours.candidates, places[stays], similarities[stays])
        touched = np.zeros(n, np.bool_)
        touched[places[~stays][is_there[~stays]]] = True
        return Pairs(places[stays], stored.probabilities[stays], similarities[stays]), touched

    def _compared(self, added: NearPairs) -> Pairs:
        """Return which of these candidates are pairs, with probabilities and similarities."""
        rows, comparison = self._part(added.pairs)
        with comparison:
            places = np.searchsorted(rows, added.pairs)
            likely, found = comparison.likely(places, added.cosines, self._min_probability, self._progress)
        return Pairs(added.pairs[likely].astype(np.int64), found, added.cosines[likely])

    def _part(self, pairs: NDArray[np.integer]) -> tuple[NDArray[np.int64], BatchComparison]:
        """Return the texts of pairs, ascending, and what compares them: describing all texts would take longer."""
        rows = np.unique(pairs)
        corpus = self._corpus
        part = BatchComparison(self._model, corpus.codes[rows], corpus.normals(rows), shift=self._shift)
        return rows, part

    def _clusters(
        self, pairs: NDArray[np.int64], probabilities: NDArray[np.float64], touched: NDArray[np.bool_], ledger: Ledger
    ) -> Clusters:
        """Cluster the components with a touched text again; others are as the last report left them."""
        n = len(self._text_ids)
        component = component_labels(pairs, n)
        again = np.isin(component, component[touched])
        labels = np.arange(n)
        known = ledger.clusters_of(self._text_ids)
        held = np.flatnonzero((known >= 0) & ~again)
        ids, of_id = np.unique(known[held], return_inverse=True)
        first = np.full(len(ids), n)
        np.minimum.at(first, of_id, held)
        labels[held] = first[of_id]
        texts = np.bincount(of_id, minlength=len(ids))
        several = np.flatnonzero(texts > 1)
        names = first[several].tolist()
        least, ends = ledger.weakest_of(ids[several], self._text_ids)
        weakest = dict(zip(names, least, strict=True))
        edges = dict(zip(names, ends, strict=True))
        inside = again[pairs[:, 0]]
        rows, comparison = self._part(pairs[inside])
        with comparison:
            part = cluster_pairs(
                np.searchsorted(rows, pairs[inside]),
                probabilities[inside],
                len(rows),
                min_probability=self._min_probability,
                comparison=comparison,
                progress=lambda done, total: self._progress("cluster", done, total),
            )
        labels[rows] = rows[part.labels]
        weakest |= {int(rows[label]): least for label, least in part.weakest.items()}
        edges |= {
            int(rows[label]): (int(rows[one]), int(rows[other])) for label, (one, other) in part.weakest_pairs.items()
        }
        sizes = np.bincount(component)
        large = sizes[sizes > cluster.LARGEST_COMPONENT].tolist()
        return Clusters(labels, weakest, len(large), sum(large), edges)
