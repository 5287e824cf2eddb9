"""Accuracy of a model on labelled pairs, and on a corpus whose true clusters are known.

``docs/measures.md`` defines each measure. The keys of the results are stable, so that results can be compared over
time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist

from dedup.clustering.cluster import cluster_pairs
from dedup.encoder.cosine import exact_neighbours
from dedup.encoder.onnx import pair_similarities
from dedup.errors import InputRefused
from dedup.evaluation import measures
from dedup.evidence.kinds import KINDS
from dedup.matching.batch import BatchComparison
from dedup.model import Model
from dedup.runtime.progress import Progress, no_progress
from dedup.runtime.stopwatch import Stopwatch
from dedup.text.corpus import describe_corpus
from dedup.text.normalise import normalise

RECALL_DEPTHS = (1, 10, 50)
N_CANDIDATES = max(RECALL_DEPTHS)
"""Nearest neighbours of each text that are compared with it; also the largest k of recall at k."""

PAIRS_PER_STEP = 5_000
"""Pairs compared between two progress reports."""
_TEXTS_PER_STEP = 20_000
"""Texts normalised or encoded between two progress reports."""

_BASELINES = {"ratio": fuzz.ratio, "token_sort_ratio": fuzz.token_sort_ratio, "WRatio": fuzz.WRatio}


def evaluate_pairs(
    model: Model,
    left: Sequence[str],
    right: Sequence[str],
    labels: Sequence[int],
    *,
    progress: Progress = no_progress,
    pairs_per_step: int = PAIRS_PER_STEP,
) -> dict[str, Any]:
    """Measure a model on labelled pairs, with RapidFuzz and the similarity alone as baselines.

    ``left`` and ``right`` are raw texts, ``labels`` 1 for the same and 0 for different, all of the same length.
    Stages reported to ``progress``: ``compare``, every ``pairs_per_step``.

    Raises:
        InputRefused: a text is empty after normalisation, a label is neither 0 nor 1, or all labels are equal.
        ValueError: the lengths differ.
    """
    if not len(left) == len(right) == len(labels):
        raise ValueError(f"{len(left)} and {len(right)} texts do not fit {len(labels)} labels")
    truth = _labels(labels)
    left, right = normal_forms(left), normal_forms(right)
    similarities = pair_similarities(model.encoder, left, right)
    probabilities = probabilities_of(model, left, right, similarities, progress, pairs_per_step)
    return probability_measures(left, right, truth, probabilities, similarities, model.default_probability)


def probabilities_of(
    model: Model,
    left: Sequence[str],
    right: Sequence[str],
    similarities: NDArray[np.float32],
    progress: Progress,
    pairs_per_step: int,
) -> NDArray[np.float64]:
    """Return the probability of each pair of normal forms, (n,), in steps of which ``progress`` hears.

    Where the kind of texts has words of its own, they are weighed as in an index of these texts, without which their
    rare words are unknown.
    """
    if words_of := KINDS[model.kind].words_of:
        model = model.with_corpus(describe_corpus(list(dict.fromkeys([*left, *right])), words_of))
    found = np.empty(len(left))
    for start in range(0, len(left), pairs_per_step):
        part = slice(start, start + pairs_per_step)
        found[part] = model.compare(left[part], right[part], similarities[part])
        progress("compare", min(part.stop, len(left)), len(left))
    return found


def probability_measures(
    left: Sequence[str],
    right: Sequence[str],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    similarities: NDArray[np.float32],
    default_probability: float,
) -> dict[str, Any]:
    """Measure the probabilities of pairs of normal forms, with RapidFuzz and the similarity alone as baselines.

    Raises:
        InputRefused: all labels are equal.
    """
    truth = _labels(labels.tolist())
    f1, threshold = measures.best_f1(truth, probabilities)
    at_default = measures.precision_recall_f1(truth, probabilities >= default_probability)
    baselines = {name: cpdist(left, right, scorer=scorer) for name, scorer in _BASELINES.items()}
    baselines["siamese_similarity"] = similarities
    return {
        "n": len(truth),
        "positives": int(truth.sum()),
        "auc": measures.auc(truth, probabilities),
        "average_precision": measures.average_precision(truth, probabilities),
        "best_f1": f1,
        "best_threshold": threshold,
        **dict(zip(("precision", "recall", "f1"), at_default, strict=True)),
        "brier": measures.brier(truth, probabilities),
        "expected_calibration_error": measures.expected_calibration_error(truth, probabilities),
        "baselines": {
            name: {"auc": measures.auc(truth, scores), "best_f1": measures.best_f1(truth, scores)[0]}
            for name, scores in baselines.items()
        },
    }


def evaluate_clusters(
    model: Model,
    texts: Sequence[str],
    cluster_ids: Sequence[str],
    distractors: Sequence[str] = (),
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Measure how well a model finds the mates of each text among distractors, and the clusters of a corpus.

    ``texts`` are the raw texts of the records and ``cluster_ids`` their true clusters; ``distractors`` are raw texts
    that belong to none of them. Distractors that are empty after normalisation or equal to a text of the corpus are
    left out. The search is exact, so recall measures the encoder alone. Stages reported to ``progress``:
    ``normalise``, ``encode``, ``search``, those of ``BatchComparison.likely``, ``cluster``.

    Raises:
        InputRefused: a text of the corpus is empty after normalisation, or no two texts share a cluster.
        ValueError: the lengths differ.
    """
    if len(texts) != len(cluster_ids):
        raise ValueError(f"{len(texts)} texts do not fit {len(cluster_ids)} cluster ids")
    normals = normal_forms(texts)
    numbers = {text: number for number, text in enumerate(dict.fromkeys(normals))}
    distinct = list(numbers)
    text_of_record = np.array([numbers[text] for text in normals], dtype=np.int64)
    mates = mates_of(text_of_record, cluster_ids)
    others, left_out = usable_distractors(distractors, numbers, progress)

    corpus = others + distinct
    clock = Stopwatch()
    with clock.stage("encode"):
        # Ties go to the lower number, so distractors come first: the truth must not win ties.
        codes = _encode(model, corpus, progress)
    with clock.stage("search"):
        neighbours, similarities = nearest_others(codes, len(others), progress)
    model = model.with_corpus(describe_corpus(corpus, KINDS[model.kind].words_of))
    pairs, cosines = _candidate_pairs(neighbours, similarities, model.min_similarity)
    labels = _cluster(model, distinct, codes[len(others) :], pairs, cosines, clock, progress)

    truth, found = np.asarray(cluster_ids), labels[text_of_record]
    by_pair = measures.pair_precision_recall_f1(truth, found)
    by_record = measures.b_cubed(truth, found)
    return {
        "n": len(texts),
        "distinct_texts": len(distinct),
        "distractors": len(others),
        "distractors_left_out": left_out,
        "recall_at": {str(k): measures.recall_at(neighbours, mates, k) for k in RECALL_DEPTHS},
        **dict(zip(("pair_precision", "pair_recall", "pair_f1"), by_pair, strict=True)),
        **dict(zip(("b_cubed_precision", "b_cubed_recall", "b_cubed_f1"), by_record, strict=True)),
        "seconds": clock.seconds,
    }


def normal_forms(texts: Sequence[str]) -> list[str]:
    """Normalise raw texts.

    Raises:
        InputRefused: a text is empty after normalisation.
    """
    normals = [normalise(text) for text in texts]
    for row, (text, normal) in enumerate(zip(texts, normals, strict=True), 1):
        if not normal:
            raise InputRefused(
                f"The text {text!r} in row {row} has no letter, digit or symbol; remove the row.",
                code="E_NAME_EMPTY",
            )
    return normals


def _labels(labels: Sequence[int]) -> NDArray[np.int64]:
    for row, label in enumerate(labels, 1):
        if label not in (0, 1):
            raise InputRefused(f"The label {label!r} in row {row} is neither 0 nor 1; correct it.")
    truth = np.array(labels, dtype=np.int64)
    positives = int(truth.sum())
    if positives in (0, len(truth)):
        raise InputRefused(
            f"{positives} of {len(truth)} pairs have the label 1; provide pairs with both labels, 0 and 1."
        )
    return truth


class Mates(Set[int]):
    """The other texts of the clusters that a text is in; texts share the sets, or memory would be quadratic."""

    def __init__(self, text: int, clusters: Sequence[Set[int]]) -> None:
        self._text = text
        self._clusters = clusters

    def __contains__(self, text: object) -> bool:
        return text != self._text and any(text in cluster for cluster in self._clusters)

    def __iter__(self) -> Iterator[int]:
        seen = {self._text}
        for cluster in self._clusters:
            for text in cluster:
                if text not in seen:
                    seen.add(text)
                    yield text

    def __len__(self) -> int:
        return len(set().union(*self._clusters)) - 1

    def __bool__(self) -> bool:
        return any(len(cluster) > 1 for cluster in self._clusters)

    @classmethod
    def _from_iterable(cls, texts: Iterable[int]) -> Set[int]:  # type: ignore[override]
        return frozenset(texts)


def mates_of(text_of_record: NDArray[np.int64], cluster_ids: Sequence[str]) -> list[Mates]:
    """Return the mates of each distinct text: the other distinct texts that share a cluster with it.

    ``text_of_record`` (n,) is the index of each record's text, ``cluster_ids`` each record's true cluster.

    Raises:
        InputRefused: no two different texts share a cluster.
    """
    members: defaultdict[str, set[int]] = defaultdict(set)
    clusters: list[dict[str, set[int]]] = [{} for _ in range(int(text_of_record.max(initial=-1)) + 1)]
    for text, cluster_id in zip(text_of_record.tolist(), cluster_ids, strict=True):
        members[cluster_id].add(text)
        clusters[text][cluster_id] = members[cluster_id]
    mates = [Mates(text, list(of_text.values())) for text, of_text in enumerate(clusters)]
    if not any(mates):
        raise InputRefused(
            f"No two different texts of the {len(text_of_record)} rows share a cluster_id; use the same "
            "cluster_id for all rows that are the same thing."
        )
    return mates


def usable_distractors(
    distractors: Sequence[str], corpus: dict[str, int], progress: Progress = no_progress
) -> tuple[list[str], int]:
    """Return the distinct normal forms of the distractors, and the number of distractors left out.

    Those that are empty after normalisation or a key of ``corpus`` are left out. Stages reported to ``progress``:
    ``normalise``.
    """
    normals: list[str] = []
    for start in range(0, len(distractors), _TEXTS_PER_STEP):
        normals += map(normalise, distractors[start : start + _TEXTS_PER_STEP])
        progress("normalise", len(normals), len(distractors))
    usable = [text for text in normals if text and text not in corpus]
    return list(dict.fromkeys(usable)), len(normals) - len(usable)


def _encode(model: Model, texts: Sequence[str], progress: Progress) -> NDArray[np.int8]:
    codes = []
    for start in range(0, len(texts), _TEXTS_PER_STEP):
        codes.append(model.encoder.encode(texts[start : start + _TEXTS_PER_STEP]))
        progress("encode", min(start + _TEXTS_PER_STEP, len(texts)), len(texts))
    return np.concatenate(codes)


def others_first(found: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the column indices of the first ``N_CANDIDATES`` neighbours of each row that are not the row itself.

    ``found`` (n, k) are neighbours, nearest first, and ``own`` (n,) the number of each row.
    """
    return np.argsort(found == own[:, None], axis=1, kind="stable")[:, :N_CANDIDATES]


def nearest_others(
    codes: NDArray[np.int8], n_distractors: int, progress: Progress = no_progress
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest neighbours of each corpus text and their cosines, both (corpus texts, ``N_CANDIDATES``).

    ``codes`` hold the distractors, then the corpus. Neighbours are numbers of corpus texts; those below 0 are
    distractors or missing. A text is not its own neighbour.
    """
    own = codes[n_distractors:]
    found, similarities = exact_neighbours(
        own, codes, N_CANDIDATES + 1, lambda done: progress("search", done, len(own))
    )
    numbers = np.where(found < 0, -1, found - n_distractors)
    columns = others_first(numbers, np.arange(len(own)))
    return np.take_along_axis(numbers, columns, axis=1), np.take_along_axis(similarities, columns, axis=1)


def _candidate_pairs(
    neighbours: NDArray[np.int64], similarities: NDArray[np.float32], min_similarity: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the distinct (p, 2) pairs of corpus texts, lower number first, and their cosines."""
    rows, columns = np.nonzero((neighbours >= 0) & (similarities >= min_similarity))
    pairs = np.sort(np.column_stack([rows, neighbours[rows, columns]]), axis=1)
    unique, first = np.unique(pairs, axis=0, return_index=True)
    return unique.astype(np.int64), similarities[rows, columns][first]


def _cluster(
    model: Model,
    texts: list[str],
    codes: NDArray[np.int8],
    pairs: NDArray[np.int64],
    cosines: NDArray[np.float32],
    clock: Stopwatch,
    progress: Progress,
) -> NDArray[np.int64]:
    """Return the cluster of each text, computed from the candidates as the report job does."""
    with BatchComparison(model, codes, texts) as comparison:
        with clock.stage("compare"):
            likely, probabilities = comparison.likely(pairs, cosines, model.default_probability, progress)
        with clock.stage("cluster"):
            clusters = cluster_pairs(
                pairs[likely],
                probabilities,
                len(texts),
                min_probability=model.default_probability,
                comparison=comparison,
                progress=lambda done, total: progress("cluster", done, total),
            )
    return clusters.labels
