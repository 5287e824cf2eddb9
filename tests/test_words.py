"""What a model learns from the words of the corpus that it is asked about."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from dedup.explain import Explanation
from dedup.model import Model, load_model
from indexer.indexing import index_rows
from indexer.readers import Row
from indexer.search import Searcher
from indexer.store import Store
from indexer.words import keep_words, model_of
from indexer.workspace import Workspace

WORDS = ("amber", "birch", "cobalt", "drift", "ember", "fjord", "garnet", "harbor", "indigo", "juniper")
PAIR = ("kelvorin tools", "kelvarin tools")


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


def fill(store: Store, directory: Path, model: Model, names: Iterable[str]) -> None:
    rows = [Row(line, line, str(line), name, {}, name) for line, name in enumerate(names, 2)]
    index_rows(store, directory / "snapshots", model, "names", rows, identity="column", on_reject=lambda _: None)


def ways(name: str) -> list[str]:
    return [f"{name} {word} {kind}" for word in WORDS for kind in ("works", "foods", "lines")]


def explained(model: Model) -> Explanation:
    return model.explain(*PAIR, similarity=0.8)


def test_a_word_that_the_corpus_has_often_is_no_slip_of_the_pen(model: Model, engine_url: str, directory: Path) -> None:
    with Workspace(directory, engine_url).open(for_writing=True) as store:
        fill(store, directory, model, [PAIR[0], *WORDS])
        first = model_of(store, model)
        fill(store, directory, model, [*ways("kelvorin"), *ways("kelvarin")])
        keep_words(store)
        second = model_of(store, model)
    assert explained(first).probability == pytest.approx(explained(model).probability, abs=0.01)
    assert explained(second).probability < explained(first).probability - 0.1
    assert any("both well known" in reason.label for reason in explained(second).contributions)


def test_a_query_and_its_reasons_know_the_corpus(model: Model, engine_url: str, directory: Path) -> None:
    names = [PAIR[0], *ways("kelvorin"), *ways("kelvarin")]
    with Workspace(directory, engine_url).open(for_writing=True) as store:
        fill(store, directory, model, names)
        searcher = Searcher(store, directory / "snapshots", model)
        (found,) = searcher.query([PAIR[1]], limit=100)
    (match,) = [match for match in found if match.normal == PAIR[0]]
    reasons = searcher.model.explain(*PAIR, match.similarity)
    assert match.probability == pytest.approx(reasons.probability)
    assert match.probability < model.explain(*PAIR, match.similarity).probability


def test_many_texts_are_sampled(model: Model, engine_url: str, directory: Path) -> None:
    with Workspace(directory, engine_url).open(for_writing=True) as store:
        fill(store, directory, model, ways("kelvorin"))
        every, few = [], []
        for sizes, most in ((every, 100), (few, 10)):
            keep_words(store, most)
            sizes.append(model_of(store, model).lexicon.rarity.unseen)
    assert model.lexicon.rarity.unseen < few[0] < every[0]


def test_a_store_without_counts_leaves_the_model_as_it_is(model: Model, engine_url: str, directory: Path) -> None:
    with Workspace(directory, engine_url).open(for_writing=True) as store:
        assert model_of(store, model) is model
