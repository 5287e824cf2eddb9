"""Evaluate a model that compares letter counts, so every expected value can be computed by hand."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice, permutations

import numpy as np
import pytest
from rapidfuzz import fuzz

from dedup.encoder.cosine import cosine
from dedup.encoder.onnx import quantise
from dedup.errors import InputRefused
from dedup.evaluation import measures
from dedup.evaluation.evaluate import Mates, evaluate_clusters, evaluate_pairs, mates_of
from dedup.text.corpus import Corpus

LETTERS = "abcdefghijklmnopqrstuvwxyz "


@dataclass
class LetterEncoder:
    """Counts letters, so anagrams have equal vectors; records the texts it encodes."""

    dimension: int = len(LETTERS)
    asked: list[str] = field(default_factory=list)

    def encode(self, normal_forms: Sequence[str]) -> np.ndarray:
        self.asked.extend(normal_forms)
        counts = np.array([[text.count(letter) for letter in LETTERS] for text in normal_forms], dtype=np.float32)
        return quantise(counts / np.linalg.norm(counts, axis=1, keepdims=True))


@dataclass
class LetterModel:
    """Its probability is the squared cosine; records the pairs it compares."""

    encoder: LetterEncoder = field(default_factory=LetterEncoder)
    default_probability: float = 0.5
    min_similarity: float = 0.2
    scorer: None = None
    candidate_share: None = None
    kind: str = "company"
    asked: list[tuple[str, str]] = field(default_factory=list)

    def with_corpus(self, corpus: Corpus) -> LetterModel:
        return self

    def compare(self, left: Sequence[str], right: Sequence[str], similarities: np.ndarray) -> np.ndarray:
        self.asked.extend(zip(left, right, strict=True))
        return np.clip(similarities.astype(np.float64), 0, 1) ** 2


@pytest.fixture
def model() -> LetterModel:
    return LetterModel()


LEFT = ["Acme Ltd.", "ACME LTD", "Borealis", "Zenith", "Zenith"]
RIGHT = ["acme ltd", "Acme Limited", "Boreal", "Quux", "Acme, Ltd"]
LABELS = [1, 1, 1, 0, 0]


def test_pairs_give_the_measures_in_their_order(model: LetterModel) -> None:
    result = evaluate_pairs(model, LEFT, RIGHT, LABELS)
    assert list(result) == [
        "n",
        "positives",
        "auc",
        "average_precision",
        "best_f1",
        "best_threshold",
        "precision",
        "recall",
        "f1",
        "brier",
        "expected_calibration_error",
        "baselines",
    ]
    assert (result["n"], result["positives"]) == (5, 3)
    json.dumps(result, allow_nan=False)


def test_pairs_are_measured_on_the_probabilities_of_normal_forms(model: LetterModel) -> None:
    result = evaluate_pairs(model, LEFT, RIGHT, LABELS)
    left = ["acme ltd", "acme ltd", "borealis", "zenith", "zenith"]
    right = ["acme ltd", "acme limited", "boreal", "quux", "acme ltd"]
    assert model.asked == list(zip(left, right, strict=True))
    probabilities = cosine(LetterEncoder().encode(left), LetterEncoder().encode(right)).astype(float) ** 2
    assert result["auc"] == measures.auc(LABELS, probabilities) == 1
    assert result["best_f1"] == 1
    assert result["best_threshold"] == min(probabilities[:3])
    expected = measures.precision_recall_f1(LABELS, probabilities >= 0.5)
    assert (result["precision"], result["recall"], result["f1"]) == expected
    assert result["brier"] == measures.brier(LABELS, probabilities)
    assert result["expected_calibration_error"] == measures.expected_calibration_error(LABELS, probabilities)


def test_predictions_are_made_at_the_default_probability(model: LetterModel) -> None:
    model.default_probability = 1.0
    result = evaluate_pairs(model, LEFT, RIGHT, LABELS)
    assert (result["precision"], result["recall"], result["f1"]) == pytest.approx((1, 1 / 3, 1 / 2))


def test_baselines_see_the_same_normal_forms(model: LetterModel) -> None:
    baselines = evaluate_pairs(model, LEFT, RIGHT, LABELS)["baselines"]
    assert list(baselines) == ["ratio", "token_sort_ratio", "WRatio", "siamese_similarity"]
    assert all(list(scores) == ["auc", "best_f1"] for scores in baselines.values())
    hard = (["ACME LTD", "acme ltd"], ["Acme, Ltd.", "Acme Land"], [1, 0])
    for name, scores in evaluate_pairs(model, *hard)["baselines"].items():
        assert scores == {"auc": 1, "best_f1": 1}, name
    swapped = (["beta acme", "beta acme"], ["acme beta", "beta acne"], [1, 0])
    result = evaluate_pairs(model, *swapped)["baselines"]
    assert result["ratio"]["auc"] == float(fuzz.ratio("beta acme", "acme beta") > fuzz.ratio("beta acme", "beta acne"))
    assert result["token_sort_ratio"]["auc"] == 1


def test_each_distinct_normal_form_is_encoded_once(model: LetterModel) -> None:
    evaluate_pairs(model, LEFT, RIGHT, LABELS)
    assert sorted(model.encoder.asked) == ["acme limited", "acme ltd", "boreal", "borealis", "quux", "zenith"]


def test_pairs_are_compared_in_steps(model: LetterModel) -> None:
    whole = evaluate_pairs(model, LEFT, RIGHT, LABELS)
    steps: list[tuple[str, int, int | None]] = []
    in_steps = evaluate_pairs(model, LEFT, RIGHT, LABELS, progress=lambda *step: steps.append(step), pairs_per_step=2)
    assert in_steps == whole
    assert steps == [("compare", 2, 5), ("compare", 4, 5), ("compare", 5, 5)]


@pytest.mark.parametrize(
    ("left", "labels", "message"),
    [
        (["acme", "***"], [1, 0], r"'\*\*\*' in row 2 has no letter"),
        (["acme", "acme"], [1, 3], "label 3 in row 2"),
        (["acme", "acme"], [1, 1], "2 of 2 pairs have the label 1"),
        (["acme", "acme"], [0, 0], "0 of 2 pairs have the label 1"),
    ],
)
def test_invalid_pairs_are_refused(model, left, labels, message) -> None:
    with pytest.raises(InputRefused, match=message):
        evaluate_pairs(model, left, ["acme", "quux"], labels)


def test_an_empty_file_of_pairs_is_refused(model: LetterModel) -> None:
    with pytest.raises(InputRefused, match="0 of 0 pairs"):
        evaluate_pairs(model, [], [], [])


def test_columns_of_different_length_are_refused(model: LetterModel) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        evaluate_pairs(model, ["a"], ["a", "b"], [1, 0])
    with pytest.raises(ValueError, match="do not fit"):
        evaluate_clusters(model, ["a"], ["1", "2"])


TEXTS = ["Acme Ltd", "ACME LTD.", "Acme Limited", "Zuyk", "Zuyki", "Quorn"]
CLUSTERS = ["a", "a", "a", "z", "z", "q"]


def test_clusters_give_the_measures_in_their_order(model: LetterModel) -> None:
    result = evaluate_clusters(model, TEXTS, CLUSTERS, ["Borealis"])
    assert list(result) == [
        "n",
        "distinct_texts",
        "distractors",
        "distractors_left_out",
        "recall_at",
        "pair_precision",
        "pair_recall",
        "pair_f1",
        "b_cubed_precision",
        "b_cubed_recall",
        "b_cubed_f1",
        "seconds",
    ]
    assert list(result["recall_at"]) == ["1", "10", "50"]
    assert list(result["seconds"]) == ["encode", "search", "compare", "cluster"]
    json.dumps(result, allow_nan=False)


def test_a_perfect_result_has_measures_of_one(model: LetterModel) -> None:
    result = evaluate_clusters(model, TEXTS, CLUSTERS)
    assert (result["n"], result["distinct_texts"]) == (6, 5)
    assert result["recall_at"] == {"1": 1, "10": 1, "50": 1}
    assert (result["pair_precision"], result["pair_recall"], result["pair_f1"]) == (1, 1, 1)
    assert (result["b_cubed_precision"], result["b_cubed_recall"], result["b_cubed_f1"]) == (1, 1, 1)


def test_equal_texts_are_one_cluster_even_if_their_labels_differ(model: LetterModel) -> None:
    result = evaluate_clusters(model, ["Quorn", "QUORN", "Zuyk", "Zuyki"], ["1", "2", "3", "3"])
    assert (result["pair_precision"], result["pair_recall"]) == (1 / 2, 1)
    assert result["b_cubed_precision"] == pytest.approx(3 / 4)


def test_a_text_of_two_clusters_has_the_mates_of_both(model: LetterModel) -> None:
    texts = ["abcd", "ABCD", "abce", "abcf"]
    result = evaluate_clusters(model, texts, ["1", "2", "1", "2"])
    # Both others are mates of abcd, so its nearest is one. The only mate of abce and abcf is abcd, which is as near as
    # the other one; ties go to the lower number, which is abcd.
    assert result["recall_at"]["1"] == 1
    assert result["distinct_texts"] == 3


def test_distractors_take_ranks_and_win_ties(model: LetterModel) -> None:
    texts, clusters = ["abc", "cab"], ["1", "1"]  # anagrams: the encoder cannot tell them apart
    assert evaluate_clusters(model, texts, clusters)["recall_at"] == {"1": 1, "10": 1, "50": 1}
    result = evaluate_clusters(model, texts, clusters, ["bca"])
    assert result["recall_at"] == {"1": 0, "10": 1, "50": 1}


def test_mates_behind_fifty_distractors_are_not_found(model: LetterModel) -> None:
    texts, clusters = ["abcde", "abcdef"], ["1", "1"]
    assert evaluate_clusters(model, texts, clusters)["pair_recall"] == 1
    crowd = ["".join(order) for text in texts for order in islice(permutations(text), 1, 61)]
    result = evaluate_clusters(model, texts, clusters, crowd)
    assert result["distractors"] == 120
    assert result["recall_at"] == {"1": 0, "10": 0, "50": 0}
    assert (result["pair_precision"], result["pair_recall"], result["pair_f1"]) == (0, 0, 0)
    assert (result["b_cubed_precision"], result["b_cubed_recall"]) == (1, 1 / 2)


def test_distractors_equal_to_the_corpus_or_empty_are_left_out(model: LetterModel) -> None:
    distractors = ["acme, ltd", "QUORN", "***", "Borealis", "BOREALIS"]
    result = evaluate_clusters(model, TEXTS, CLUSTERS, distractors)
    assert (result["distractors"], result["distractors_left_out"]) == (1, 3)
    assert model.encoder.asked.count("borealis") == 1


def test_only_corpus_pairs_above_the_minimum_similarity_are_compared(model: LetterModel) -> None:
    model.min_similarity = 0.5
    evaluate_clusters(model, TEXTS, CLUSTERS, ["Acme Limit", "Zuyk Inc"])
    assert {tuple(sorted(pair)) for pair in model.asked} == {("acme limited", "acme ltd"), ("zuyk", "zuyki")}
    assert len(model.asked) == 2


def test_clusters_are_made_at_the_default_probability(model: LetterModel) -> None:
    model.default_probability = 0.99
    result = evaluate_clusters(model, TEXTS, CLUSTERS)
    assert (result["pair_precision"], result["pair_recall"]) == (1, 1 / 4)  # the equal texts only


def test_invalid_clusters_are_refused(model: LetterModel) -> None:
    with pytest.raises(InputRefused, match="'!!' in row 2 has no letter"):
        evaluate_clusters(model, ["acme", "!!"], ["1", "1"])
    for texts, clusters in ([], []), (["acme", "quorn"], ["1", "2"]), (["acme", "ACME"], ["1", "1"]):
        with pytest.raises(InputRefused, match="No two different texts"):
            evaluate_clusters(model, texts, clusters)


def test_a_large_cluster_takes_memory_in_proportion_to_its_records() -> None:
    texts = np.arange(20_000)
    tracemalloc.start()
    mates = mates_of(texts, ["one"] * len(texts))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000 * 1_000
    assert len(mates[5]) == 19_999
    assert 5 not in mates[5] and 6 in mates[5]
    assert measures.recall_at((texts[:, None] + 1) % len(texts), mates, 1) == 1


def test_the_work_for_a_text_of_two_large_clusters_does_not_grow_with_them() -> None:
    """The union of its clusters was made for each text, which took quadratic time."""

    class Counted(Set[int]):
        steps = 0

        def __init__(self, texts: range) -> None:
            self.texts = texts

        def __contains__(self, text: object) -> bool:
            return text in self.texts

        def __len__(self) -> int:
            return len(self.texts)

        def __iter__(self) -> Iterator[int]:
            for text in self.texts:
                Counted.steps += 1
                yield text

    clusters = [Counted(range(20_000)), Counted(range(10_000, 30_000))]
    texts = np.arange(10_000, 10_100)
    mates = [Mates(text, clusters) for text in texts.tolist()]
    assert measures.recall_at(texts[:, None] + np.arange(1, 51), mates, 50) == 1
    assert Counted.steps <= len(texts) * 52
    assert list(Mates(1, [{1, 2}, {1, 2, 3}])) == [2, 3]
    assert not Mates(1, [{1}, {1}])
