"""Lists of the world: judged pairs, aliases, and the words counted in several lists."""

import csv
import gzip

import numpy as np
import pytest

from dedup.text.normalise import normalise
from dedup.text.word_weights import InverseDocumentFrequency, WordWeights
from dedup.training.data.sources import Entity, LabelledPairs
from dedup.training.data.world import (
    HELD_OUT,
    candidates,
    exchanged,
    read_judged_pairs,
    read_lists,
    read_world_aliases,
    read_world_entities,
    read_world_names,
    strangers,
)
from dedup.training.scorer_data import COMPANY_SOURCES, Evidence, ScorerPairs, count_world_words, read_scorer_data


def write(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


class FewLetters:
    """Counts letters."""

    dimension = 26

    def encode(self, normal_forms):
        counts = np.array([[text.count(chr(97 + i)) for i in range(26)] for text in normal_forms], np.float64)
        return np.rint(100 * counts / np.maximum(1, counts.max(axis=1, keepdims=True))).astype(np.int8)


def test_no_judged_pair_is_of_a_held_out_country():
    pairs = read_judged_pairs()
    assert len(pairs) > 1_000
    assert not {pair.country for pair in pairs} & HELD_OUT
    assert {pair.is_same for pair in pairs} == {True, False}
    assert all(pair.weight > 0 for pair in pairs)
    assert all(text and normalise(text) == text for pair in pairs for text in (pair.left, pair.right))


def test_unsure_pairs_are_left_out(monkeypatch, tmp_path):
    rows = [
        "country,name_1,name_2,label,weight",
        "at,Acme,Acme AG,same,2.5",
        "at,Acme,Acne,unsure,1",
        "de,A B,A C,same,1",
    ]
    (tmp_path / "judged_pairs.csv").write_text("\n".join([*rows, "at,Acme,Zenith,different,1"]), encoding="utf-8")
    monkeypatch.setattr("dedup.training.data.world.resources.files", lambda package: tmp_path)
    found = [(pair.left, pair.right, pair.is_same, pair.weight) for pair in read_judged_pairs()]
    assert found == [("acme", "acme ag", True, 2.5), ("acme", "zenith", False, 1.0)]


WORDS = ["amber", "birch", "cobalt", "drift", "ember", "fjord", "garnet", "harbor", "indigo", "juniper"]
LIST = [f"{a} {b} {kind}" for a in WORDS for b in WORDS for kind in ("spolka", "zaklad", "huta")]


@pytest.fixture
def data(tmp_path):
    """A folder with the lists of Austria and Germany, and no pairs of US companies but one."""
    for country in ("at", "de"):
        write(tmp_path / "world" / f"names_{country}.csv.gz", ("name", "source"), [(name, "opsd") for name in LIST])
        rows = [("x", "Dunmore", "unlicensed"), ("x", "Dunmore Mills", "unlicensed")]
        rows += [(word, f"{word} {kind}", "opsd") for word in WORDS for kind in ("werke", "works")]
        rows += [(word, "zzz", "opsd") for word in WORDS]
        write(tmp_path / "world" / f"aliases_{country}.csv.gz", ("entity_id", "name", "source"), rows)
    write(
        tmp_path / "pairs" / "company_train.csv.gz",
        ("name_1", "name_2", "label"),
        [(f"kelvorin {i}", f"kelvarin {i}", i % 2) for i in range(200)],
    )
    return tmp_path


def test_aliases_are_those_alike_of_licensed_sources_and_countries_not_held_out(data):
    found = list(read_world_aliases(data, seed=1))
    assert {country for country, _, _ in found} == {"at"}
    for _, entity, pairs in found:
        word = entity.group.removeprefix("at ")
        assert set(entity.names) == {f"{word} werke", f"{word} works", "zzz"}
        assert [set(pair) for pair in pairs] == [{f"{word} werke", f"{word} works"}]


def test_the_encoder_and_the_scorer_learn_from_different_entities(data):
    of_scorer = {entity.group for _, entity, _ in read_world_aliases(data, seed=1)}
    learnt = read_world_entities(data, frozenset())
    assert learnt.keys() == {"at"}
    of_encoder = {entity.group for entity in learnt["at"]}
    assert of_scorer and of_encoder and of_scorer.isdisjoint(of_encoder)
    assert of_scorer | of_encoder == {f"at {word}" for word in WORDS}
    assert all("zzz" not in entity.names for entity in learnt["at"])  # it sounds like no other name
    cores = frozenset(f"{entity.group.removeprefix('at ')} werke" for entity in learnt["at"])
    assert read_world_entities(data, cores) == {}  # one name of each is in a validation file


def test_names_of_the_world_are_of_countries_not_held_out(data):
    names = read_world_names(data, seed=1, held_out=frozenset({LIST[0]}))
    assert set(names) == set(LIST[1:])
    write(data / "world" / "names_de.csv.gz", ("name", "source"), [("only german", "opsd")])
    write(data / "world" / "names_at.csv.gz", ("name", "source"), [("amber", "opsd"), ("birch", "unlicensed")])
    assert read_world_names(data, seed=1, held_out=frozenset()) == ["amber"]


def test_candidates_are_near_neighbours_of_lists_not_held_out(data):
    lists = read_lists(data)
    assert lists.keys() == {"at", "de"} and lists["at"] == LIST
    ((country, pairs),) = candidates(lists, FewLetters(), seed=1)
    assert country == "at" and len(pairs) > 200
    assert all(left != right and {left, right} <= set(LIST) for left, right in pairs)


def test_strangers_are_alike_of_two_entities_in_two_scripts():
    kinds = ("huta", "werke", "ñ")
    entities = [Entity(f"{a}{b}", tuple(f"{a} {b} {kind}" for kind in kinds)) for a in WORDS for b in WORDS]
    owner = {name: entity.group for entity in entities for name in entity.names}
    pairs = strangers(entities, FewLetters(), seed=1)
    assert len(pairs) > 50
    assert all(owner[left] != owner[right] and left.isascii() != right.isascii() for left, right in pairs)
    assert strangers(entities[:20], FewLetters(), seed=1) == []


def test_an_exchanged_name_keeps_all_words_but_its_rarest():
    frames = [f"{frame} {kind}" for frame in ("spolka", "huta") for kind in ("nova", "stara")]
    names = [f"{frame} {word}{i}" for frame in frames for word in WORDS for i in range(10)]
    pairs = exchanged(names, seed=1)
    assert len(pairs) > 250
    for left, right in pairs:
        *frame, rarest = left.split()
        *kept, other = right.split()
        assert kept == frame and rarest != other
    assert exchanged(names[:100], seed=1) == []


def test_pairs_of_the_world_need_their_lists(data):
    entities = {source: [] for source in COMPANY_SOURCES}
    entities[COMPANY_SOURCES[0]] = [Entity(f"e{i}", (f"kelvorin {i}", f"kelvarin {i}")) for i in range(200)]
    with_world = read_scorer_data(data, entities, FewLetters(), frozenset(), seed=1)
    corpora = {some.corpus for some in with_world.for_curves}
    assert {"", "at", COMPANY_SOURCES[0]} <= corpora
    assert not corpora & HELD_OUT
    used = {some.corpus for some in with_world.for_words + with_world.for_curves} - {""}
    assert used <= with_world.corpora.keys()
    for path in (data / "world").iterdir():
        path.unlink()
    without = read_scorer_data(data, entities, FewLetters(), frozenset(), seed=1)
    assert {some.corpus for some in without.for_curves} == {"", COMPANY_SOURCES[0]}


def test_evidence_is_computed_with_what_the_corpus_of_the_pair_says():
    evidence = Evidence(FewLetters(), InverseDocumentFrequency({}, 10_000), {"at": LIST})
    pairs = LabelledPairs(["amber birch spolka"], ["amber birch huta"], [0])
    rows = []
    for corpus in ("at", ""):
        some = ScorerPairs(corpus, pairs, np.ones(1))
        rows.append(evidence.rows(some, WordWeights({}), evidence.compared(some)))
    assert not np.array_equal(*rows)


def test_a_word_common_in_any_list_counts_as_common():
    mostly_us = [f"{a}{b} inc {kind}" for a in WORDS for b in WORDS for kind in ("bank", "foods")] * 10
    counts, total = count_world_words(mostly_us, [LIST, ["rzadki amber"] * 2])
    alone, _ = count_world_words(mostly_us, [])
    assert total == 1_000_000
    assert alone["bank"] == counts["bank"] == total // 2
    assert "spolka" not in alone and 0.05 < counts["spolka"] / total < 1 / 3  # less than its share: the list is short
    assert "rzadki" not in counts
    assert all(count <= counts[word] <= total for word, count in alone.items())
