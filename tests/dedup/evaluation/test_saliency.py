"""What leaving out a part of a text does to a similarity."""

import numpy as np
import pytest

from dedup.evaluation import saliency as module
from dedup.evaluation.saliency import saliency, similarity_of, unit_of
from dedup.model import load_model


def shared_letters(left, right):
    return np.array([float(len(set(a) & set(b))) for a, b in zip(left, right, strict=True)])


def test_each_character_is_left_out_in_turn():
    left, right = saliency("abc x", "abd", "character", shared_letters)
    assert [(part.text, part.effect) for part in left] == [("a", 1), ("b", 1), ("c", 0), (" ", 0), ("x", 0)]
    assert [part.effect for part in right] == [1, 1, 0]


def test_each_word_is_left_out_in_turn_and_the_pieces_make_the_text():
    left, right = saliency("harbor of harbor", "port of call", "word", shared_letters)
    assert ["".join(part.text for part in side) for side in (left, right)] == ["harbor of harbor", "port of call"]
    effects = {part.text: part.effect for part in right}
    assert effects["port"] == 1 and effects["of"] == 1 and effects["call"] == 1 and effects[" "] == 0


def test_marks_stay_with_their_characters():
    left, _ = saliency("é日", "x", "character", shared_letters)
    assert [part.text for part in left] == ["é", "日"]


def test_the_only_part_of_a_text_has_no_effect():
    assert [part.effect for part in saliency("a", "ab", "character", shared_letters)[0]] == [0]


def test_of_a_long_text_the_first_parts_are_tried(monkeypatch):
    monkeypatch.setattr(module, "MOST_PARTS", 2)
    asked = []

    def compare(left, right):
        asked.extend(left)
        return shared_letters(left, right)

    left, _ = saliency("abcdef", "a", "character", compare)
    assert len(left) == 6 and [part.effect for part in left] == [1, 0, 0, 0, 0, 0]
    assert asked[1:3] == ["bcdef", "acdef"]


def test_the_shipped_model_reads_characters_and_knows_what_names_share():
    model = load_model()
    assert unit_of(model) == "character"
    left, _ = saliency("zephyr motors", "zephyr holding", "character", similarity_of(model))
    effects = [part.effect for part in left]
    assert np.mean(effects[:6]) > 0 > np.mean(effects[7:])
    assert similarity_of(model)(["acme"], ["acme"]) == pytest.approx(1, abs=0.01)
