"""The work for a pair of long texts is bounded: counted in comparisons of words and of parts."""

import sys
from collections import Counter

import numpy as np
import pytest
from rapidfuzz import fuzz

from dedup.evidence import name_pairs
from dedup.evidence.long_texts import pair_long
from dedup.evidence.spelling import string_measures
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


def test_only_words_between_the_same_words_are_compared(work):
    words = long_text(0).split()
    typos = [word if at % 5 else word[:-1] for at, word in enumerate(words)]
    assert compare(" ".join(words), " ".join(typos)) > 0.5
    assert 0 < work["words"] <= len(words) / 5


def test_texts_that_differ_everywhere_cost_no_more_than_some_corrections(work):
    words = long_text(0).split()
    compare(" ".join(words), " ".join(word if at % 2 else word[:-1] for at, word in enumerate(words)))
    assert 0 < work["words"] <= 256
    assert work["initials"] == 0


def test_moved_words_are_equal_all_the_same():
    words = long_text(0).split()
    moved = words[300:] + words[:300]
    assert compare(" ".join(words), " ".join(moved)) > 0.5


def test_words_that_occur_several_times_are_paired_as_often_as_both_texts_have_them():
    left = take_apart(" ".join(["acme"] * 300 + long_text(0).split()[:100])).whole
    right = take_apart(" ".join(["acme"] * 290 + long_text(0).split()[:101])).whole
    found = pair_long(left, right, are_of_two_alphabets=False)
    assert Counter(found.shared)["acme"] == 290
    assert found.left_only == ("acme",) * 10
    assert found.right_only == (long_text(0).split()[100],)


def test_a_word_is_joined_respelt_or_abbreviated_between_equal_words_of_long_texts():
    words = long_text(0).split()
    left = [*words[:50], "aerojet", *words[50:99], "incorporated", *words[99:150], "ibm", *words[150:]]
    right = [*words[:50], "aero", "jet", *words[50:99], "incorporatd", *words[99:150]]
    right += ["international", "business", "machines", *words[150:]]
    names = (take_apart(" ".join(side)).whole for side in (left, right))
    found = pair_long(*names, are_of_two_alphabets=False)
    assert not found.left_only
    assert not found.right_only
    assert [(spelt.left, spelt.right) for spelt in found.respelt] == [("incorporated", "incorporatd")]
    assert [acronym.word for acronym in found.acronyms] == ["ibm"]


def test_long_words_of_long_texts_are_not_compared_letter_by_letter(work):
    left, right = ("".join(chr(0x4E00 + at * step % 20_000) for at in range(SIZE)) for step in (7, 11))
    compare(left, right)
    assert work["words"] == 0


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_estimate_of_the_ratio_is_close(share):
    """What is left is as alike as it is at its beginning."""
    words, other = (long_text(side).split() for side in (0, 1))
    mixed = [one if at < share * len(words) else two for at, (one, two) in enumerate(zip(words, other, strict=False))]
    left, right = " ".join(words), " ".join(mixed)
    (pair,) = name_pairs.pair_names([left], [right])
    batch = name_pairs.PairBatch([pair], np.array([0.9], np.float32), load_model().word_model)
    assert string_measures(batch)["core_ratio"][0] == pytest.approx(fuzz.ratio(left, right) / 100, abs=0.03)


def test_the_work_for_a_pair_grows_with_its_length_at_most():
    """Counted in calls of Python functions, of texts with the same share of words that differ."""

    def calls(words: int) -> int:
        count = 0

        def counted(frame, event, argument):
            nonlocal count
            count += event in ("call", "c_call")

        left = long_text(0, words).split()
        right = " ".join(word if at % 9 else word[::-1] for at, word in enumerate(left))
        names = [take_apart(text).whole for text in (" ".join(left), right)]
        sys.setprofile(counted)
        try:
            pair_long(*names, are_of_two_alphabets=False)
        finally:
            sys.setprofile(None)
        return count

    calls(600)  # what is looked up for the first time
    assert calls(600) <= 2.3 * calls(300)


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
