"""The features of company names: every piece of evidence on a pair of names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dedup.evidence import qualifiers, spelling, words
from dedup.evidence.feature_registry import Feature, Registry
from dedup.evidence.name_pairs import NamePair, PairBatch, pair_names
from dedup.evidence.own_words import tell_apart
from dedup.text.word_weights import WordModel

REGISTRY = Registry((
    Feature("similarity", 1, spelling.similarity, spelling.similarity_label, decided_by="places"),
    Feature("ratio", 1, spelling.string_measures, spelling.string_label),
    Feature("core_ratio", 1, spelling.string_measures, spelling.string_label),
    Feature("joined_ratio", 1, spelling.string_measures, spelling.string_label),
    Feature("partial_ratio", 1, spelling.string_measures, spelling.string_label),
    Feature("first_word", 1, spelling.string_measures, spelling.string_label),
    Feature("first_part_ratio", 1, spelling.string_measures, spelling.string_label),
    Feature("length", 0, spelling.string_measures, None, neutral=None),
    Feature("shared_words", 1, words.word_measures, words.shared_label),
    Feature("contained_words", 1, words.word_measures, words.shared_label),
    Feature("shared_rarity", 1, words.word_measures, words.shared_label),
    Feature("rarest_shared_word", 1, words.word_measures, words.shared_label),
    Feature("rare_words_on_both_sides", -1, words.word_measures, words.unpaired_label, one_script_only=True),
    Feature("rare_word_on_one_side", -1, words.word_measures, words.unpaired_label, one_script_only=True),
    Feature("rarest_exchanged_word", -1, words.word_measures, words.unpaired_label, one_script_only=True),
    Feature("distinctive_word_shared", 1, words.word_measures, words.distinctive_label, one_script_only=True),
    Feature("words_added", -1, words.word_measures, words.unpaired_label, one_script_only=True),
    Feature(
        "word_exchanged", -1, words.word_measures, words.unpaired_label,
        one_script_only=True, decided_by="generated",
    ),
    Feature("word_in_one_script_only", -1, words.word_measures, words.unpaired_label),
    Feature("word_weights", 1, words.word_measures, words.weights_label, one_script_only=True),
    Feature("respelling", 1, words.word_measures, words.respelt_label, neutral=1.0),
    Feature(
        "known_words_respelt", -1, words.word_measures, words.respelt_label,
        one_script_only=True, decided_by="generated",
    ),
    Feature(
        "unusual_short_form", -1, words.word_measures, words.respelt_label,
        one_script_only=True, decided_by="generated",
    ),
    Feature(
        "short_form_is_word", -1, words.word_measures, words.respelt_label,
        one_script_only=True, decided_by="generated",
    ),
    Feature("typing_error", 1, words.word_measures, words.typing_error_label, decided_by="generated"),
    Feature("frame_exchanged", -1, words.word_measures, words.frame_label),
    Feature("frame_extended", -1, words.word_measures, words.frame_label),
    Feature(
        "short_names_differ", -1, qualifiers.short_names, qualifiers.short_names_label,
        one_script_only=True, decided_by="generated",
    ),
    Feature("numbers_differ", -1, qualifiers.numbers, qualifiers.numbers_differ_label, decided_by="generated"),
    Feature("number_on_one_side", -1, qualifiers.numbers, qualifiers.number_on_one_side_label, decided_by="generated"),
    Feature("numbers_equal", 1, qualifiers.numbers, qualifiers.numbers_equal_label, decided_by="generated"),
    Feature("places_differ", -1, qualifiers.places, qualifiers.places_label, decided_by="generated"),
    Feature("place_on_one_side", -1, qualifiers.places, qualifiers.places_label, decided_by="generated"),
    Feature("opposites", -1, qualifiers.opposites, qualifiers.opposites_label, decided_by="generated"),
    Feature("forms_differ", -1, qualifiers.legal_forms, qualifiers.legal_forms_label),
    Feature("form_on_one_side", -1, qualifiers.legal_forms, qualifiers.legal_forms_label),
    Feature("forms_equal", 1, qualifiers.legal_forms, qualifiers.legal_forms_label),
    Feature("another_body", -1, qualifiers.another_body, qualifiers.another_body_label, decided_by="generated"),
    Feature("acronym", 1, qualifiers.acronym, qualifiers.acronym_label, decided_by="generated"),
    Feature("trade_names", 0, qualifiers.trade_names, qualifiers.trade_names_label),
    Feature("consonants", 1, spelling.consonants, spelling.consonants_label, decided_by="places"),
))  # fmt: skip
"""The features of this version, in the order of the evidence matrix and of ``scorer.json``."""

FEATURES = REGISTRY.names
"""Names of the columns; a scorer that was trained on others is refused."""


def batch_of(
    left: Sequence[str], right: Sequence[str], similarities: NDArray[np.float32], word_model: WordModel
) -> PairBatch:
    """Return what the evidence on n pairs of normal forms is computed from."""
    pairs = pair_names(left, right, word_model.corpus.widths)
    return PairBatch([tell_apart(pair, word_model) for pair in pairs], similarities, word_model)


def evidence(
    left: Sequence[str], right: Sequence[str], similarities: NDArray[np.float32], word_model: WordModel
) -> NDArray[np.float32]:
    """Return the evidence on n pairs of normal forms, (n, features) float32; the order of the two sides is irrelevant.

    ``similarities`` (n,) are the siamese cosines, -1 to 1. String measures and shares run from 0 to 1,
    rarities and weights are in nats, length is the logarithm of the shorter core's character count.
    """
    return REGISTRY.evidence(batch_of(left, right, similarities, word_model))


def evidence_of(
    pairs: Sequence[NamePair], similarities: NDArray[np.float32], word_model: WordModel
) -> NDArray[np.float32]:
    """Return the ``evidence`` on name pairs."""
    told_apart = [tell_apart(pair, word_model) for pair in pairs]
    return REGISTRY.evidence(PairBatch(told_apart, similarities, word_model))
