"""The work for a pair of long texts is bounded: counted in comparisons of words and of parts."""

from collections import Counter

import numpy as np
import pytest

from dedup.evidence import name_pairs
from dedup.model import load_model
from dedup.text import pairing
from dedup.text.corpus import Corpus
from dedup.text.names import take_apart
from dedup.text.normalise import normalise

SIZE = 4_096
WORDS = np.random.default_rng(1).integers(97, 123, (2, 700, 6))


def long_text(side, words=700):
    return " ".join("".join(map(chr, word)) for word in WORDS[side][:words].tolist())[:SIZE]


@pytest.fixture
def work(monkeypatch):
    """Counts of the comparisons of two words, of the searches for initials, and of the parts compared."""
    counts = Counter()
    respelling, start_of, ratios = pairing.respelling, pairing._Aligner._start_of, name_pairs.string_similarities

    def counted(name, function, size=lambda *_: 1):
        def call(*args):
            counts[name] += size(*args)
            return function(*args)

        return call

    monkeypatch.setattr(pairing, "respelling", counted("words", respelling))
    monkeypatch.setattr(pairing._Aligner, "_start_of", counted("initials", start_of))
    monkeypatch.setattr(name_pairs, "string_similarities", counted("parts", ratios, lambda _, left, __: len(left)))
    return counts


def compare(left, right):
    return float(load_model().compare([normalise(left)], [normalise(right)], np.array([0.9], np.float32))[0])


def test_unrelated_long_texts_are_compared_by_equal_words(work):
    assert compare(long_text(0), long_text(1)) < 0.1
    assert work == Counter()


def test_long_texts_that_share_most_words_are_compared_in_detail(work):
    words = long_text(0).split()
    other = [*words[:30], *(word[:-1] for word in words[30:40]), *words[40:]]
    assert compare(" ".join(words), " ".join(other)) > 0.5
    assert 0 < work["words"] <= 100


def test_sixty_words_are_hardly_compared_where_letters_rule_most_out(work):
    compare(long_text(0, 60), long_text(1, 60))
    assert 0 < work["words"] < 60 * 60 / 10


@pytest.mark.parametrize("marker", ["dba", "formerly", "ta", "an division of"])
def test_a_text_of_many_names_is_compared_as_a_whole(work, marker):
    left, right = (f" {marker} ".join(long_text(side, 100).split()) for side in (0, 1))
    assert len(take_apart(normalise(left)).parts) == 1
    compare(left, right)
    assert work["parts"] == 0


def test_a_few_names_in_one_text_are_still_compared_one_by_one():
    assert len(take_apart("acme dba beta formerly gamma").parts) == 3
    assert compare("Acme Holdings DBA Zenith Bank", "Zenith Bank") > 0.5


def test_words_that_go_together_are_not_sought_among_hundreds():
    """Each was looked up beside each other one, which took more time than all the rest."""

    class Counted(dict):
        asked = 0

        def get(self, key, default=None):
            Counted.asked += 1
            return super().get(key, default)

    corpus = Corpus(1000, {"alpha": 9, "beta": 9}, Counted({"alpha beta": 9}))
    model = load_model().with_corpus(corpus)
    left, right = (normalise(long_text(0) + end) for end in (" alpha beta one", " alpha beta two"))
    model.compare([left], [right], np.array([0.9], np.float32))
    assert Counted.asked == 0
    model.compare(["alpha beta gamma"], ["alpha beta delta"], np.array([0.9], np.float32))
    assert Counted.asked > 0
