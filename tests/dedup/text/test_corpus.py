"""What a corpus says about its names: words, pairs of words, initials and field widths."""

import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.text.corpus import SAMPLE, SMALLEST, Corpus, describe_corpus, describe_sample, sampling_step
from dedup.text.word_weights import InverseDocumentFrequency

SYLLABLES = ("bar", "del", "fin", "gor", "lum", "mek", "nor", "pas", "rul", "tev")
STEMS = ["".join(parts) for parts in product(SYLLABLES, repeat=3)]
NAMES = [f"municipal income fund {stem}" for stem in STEMS[:120]]


def test_words_and_pairs_of_words_are_counted_by_name():
    found = describe_corpus(NAMES)
    assert found.n_names == 120
    assert found.words == {"municipal": 120, "income": 120, "fund": 120}
    assert found.word_pairs == {"income municipal": 120, "fund municipal": 120, "fund income": 120}


def test_initials_are_counted():
    found = describe_sample(["alpha bravo castle", "amber bank council", "delta echo foxtrot", "solo"])
    assert found.initials == {"abc": 2}


def test_a_short_form_needs_names_that_occur_with_it_and_in_full():
    names = [f"{form} {stem}" for stem in STEMS[:4] for form in ("zentralbank", "zbk")]
    assert describe_sample(names).short_forms == {"zbk zentralbank": 4}
    assert describe_sample(names[:4]).short_forms == {}  # two names are too few
    others = [f"{form} {stem}" for stem in STEMS[:4] for form in ("zentralbank", "bank")]
    assert describe_sample(others).short_forms == {}  # another first letter
    forms = ("jack", "jackson", *STEMS[:6])
    frames = [f"{form} north {kind}" for form in forms for kind in ("bank", "mill", "club")]
    assert describe_sample(frames).short_forms == {}  # no rare word tells that two of them are one


def test_few_names_say_nothing():
    assert describe_corpus(NAMES[: SMALLEST - 1]) == Corpus()
    assert describe_corpus(NAMES[:SMALLEST]).n_names == SMALLEST


def test_a_large_corpus_is_sampled_evenly(monkeypatch):
    monkeypatch.setattr("dedup.text.corpus.SAMPLE", 200)
    assert describe_corpus([*NAMES, *NAMES]).n_names == 120
    monkeypatch.undo()
    assert (sampling_step(SAMPLE), sampling_step(SAMPLE + 1), sampling_step(0)) == (1, 2, 1)


def test_progress_ends_at_the_total():
    told = []
    describe_sample(NAMES, lambda *done: told.append(done))
    assert told == [(120, 120)]


def rest(i):
    """Return a number from 0 to 35; high ones are rarer, evenly."""
    return int(36 * (1 - (1 - i * 0.618 % 1) ** 0.5))


def test_a_width_needs_names_of_one_length_that_end_in_mid_word():
    words = zip(STEMS, reversed(STEMS), STEMS[7:], strict=False)
    names = [f"{a} society for the advancement of {b}{(c + a + b + c)[: rest(i)]}" for i, (a, b, c) in enumerate(words)]
    cut = [name[:52] for name in names]
    short = [f"{stem} works" for stem in STEMS]
    found = describe_sample([*short, *cut]).widths
    assert 52 in found and max(found) == 52
    assert not describe_sample([*short, *names]).widths  # as many unknown words at the end, but no last length
    assert not describe_sample(short).widths


def test_a_series_of_equal_lengths_is_not_cut_off():
    ending_in_numbers = [f"meridian mortgage trust series {number}" for number in range(1000, 2000)]
    ending_in_words = [f"{stem} municipal income trust" for stem in STEMS]
    assert not describe_sample(ending_in_numbers).widths
    assert not describe_sample(ending_in_words).widths


def test_a_list_whose_names_all_end_in_rare_words_is_not_cut_off():
    words = list(zip(STEMS, reversed(STEMS), STEMS[7:], strict=False))[:400]
    short = [f"society for the {(a + b + c)[: 9 + i % 15]}" for i, (a, b, c) in enumerate(words)]
    long = [f"society for the {(c + a + b)[:24]}" for a, b, c in words]
    assert {*map(len, short)} == set(range(25, 40)) and {*map(len, long)} == {40}
    assert not describe_sample([*short, *long]).widths


def test_a_corpus_survives_json():
    corpus = Corpus(9, {"bank": 4}, {"bank royal": 4}, {"abc": 2}, {"bk bank": 3}, frozenset({35, 36}))
    assert Corpus.from_json(json.loads(json.dumps(corpus.to_json()))) == corpus
    assert Corpus.from_json(Corpus().to_json()) == Corpus()


@pytest.mark.parametrize(
    ("change", "error"),
    [({"words": [1]}, TypeError), ({"widths": None}, TypeError), ({"n_names": "many"}, TypeError)],
)
def test_damaged_json_is_refused(change, error):
    with pytest.raises(error):
        Corpus.from_json({**Corpus().to_json(), **change})
    with pytest.raises(KeyError):
        Corpus.from_json({"n_names": 3})


IDF = InverseDocumentFrequency({"fund": 900, "income": 300, "municipal": 100}, 10_000)
KNOWN = ("municipal", "income", "fund", "kelvorin")


def test_words_that_go_together_say_less_than_each_alone():
    corpus = Corpus(
        1_000, dict.fromkeys(KNOWN[:3], 100), {"income municipal": 90, "fund income": 90, "fund municipal": 90}
    )
    idf = IDF.with_corpus(corpus)
    words = ["municipal", "income", "fund"]
    alone = [idf.of(word) for word in words]
    assert max(alone) <= idf.of_all(words) < 0.5 * sum(alone)
    assert IDF.with_corpus(Corpus(1_000, corpus.words)).of_all(words) == pytest.approx(sum(alone))
    assert idf.of_all([*words, "kelvorin"]) == pytest.approx(idf.of_all(words) + idf.of("kelvorin"))
    assert idf.of_all([]) == 0.0


@given(st.lists(st.sampled_from(KNOWN), unique=True), st.data())
def test_words_never_say_more_together_than_alone(words, data):
    counts = {word: data.draw(st.integers(10, 500)) for word in KNOWN}
    pairs = {f"{a} {b}": data.draw(st.integers(4, min(counts[a], counts[b]))) for a in KNOWN for b in KNOWN if a < b}
    idf = IDF.with_corpus(Corpus(600, counts, pairs))
    together = idf.of_all(words)
    assert 0 <= together <= sum(map(idf.of, words)) + 1e-9
    assert together == pytest.approx(idf.of_all(list(reversed(words))))
