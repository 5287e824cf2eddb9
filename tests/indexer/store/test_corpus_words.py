"""Word counts of a corpus and their effect on comparisons."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from dedup.evidence.explain import Explanation
from dedup.model import Model, load_model
from indexer.jobs.duplicates import find_duplicates
from indexer.jobs.index import index_rows
from indexer.jobs.query import Searcher
from indexer.reading.open import Row
from indexer.store.corpus_words import model_with_corpus
from indexer.store.schema import store_meta
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

WORDS = ("amber", "birch", "cobalt", "drift", "ember", "fjord", "garnet", "harbor", "indigo", "juniper")
PAIR = ("kelvorin tools", "kelvarin tools")


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


def fill(store: Store, directory: Path, model: Model, names: Iterable[str]) -> None:
    rows = [Row(line, line, str(line), name, {}, name) for line, name in enumerate(names, 2)]
    index_rows(
        Snapshots(store, directory / "snapshots"),
        model,
        "names",
        rows,
        identity="column",
        mirror=False,
        on_reject=lambda _: None,
    )


def ways(name: str) -> list[str]:
    return [f"{name} {word} {kind}" for word in WORDS for kind in ("works", "foods", "lines")]


def explained(model: Model) -> Explanation:
    return model.explain(*PAIR, similarity=0.8)


@pytest.fixture
def few_texts_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make twenty texts enough to count words in."""
    monkeypatch.setattr("indexer.store.corpus_words.SMALLEST", 20)


def test_a_word_frequent_in_the_corpus_is_not_taken_for_a_typo(
    model: Model, engine_url: str, directory: Path, few_texts_suffice: None
) -> None:
    with Workspace(directory, engine_url).open(for_writing=True) as store:
        fill(store, directory, model, [PAIR[0], *WORDS])
        first = model_with_corpus(store, model)
        fill(store, directory, model, [*ways("kelvorin"), *ways("kelvarin")])
        second = model_with_corpus(store, model)
    assert explained(first).probability == explained(model).probability
    assert explained(second).probability < explained(first).probability - 0.1
    assert any("both common words" in reason.label for reason in explained(second).contributions)


def test_a_small_corpus_has_no_effect(model: Model, engine_url: str, directory: Path) -> None:
    with Workspace(directory, engine_url).open(for_writing=True) as store:
        fill(store, directory, model, [*ways("kelvorin"), *ways("kelvarin")])
        assert model_with_corpus(store, model) is model


def test_counts_do_not_depend_on_the_number_of_jobs(
    model: Model, new_database: Callable[[], str], tmp_path: Path, few_texts_suffice: None
) -> None:
    names = [*ways("kelvorin"), *ways("kelvarin")]
    found = []
    for n in (len(names), 1, 25):
        place = tmp_path / str(n)
        with Workspace(place, new_database()).open(for_writing=True) as store:
            fill(store, place, model, names[:n])
            fill(store, place, model, names)
            found.append(explained(model_with_corpus(store, model)).probability)
    assert found[0] == found[1] == found[2] < explained(model).probability


def test_queries_and_reasons_use_the_corpus(
    model: Model, engine_url: str, directory: Path, few_texts_suffice: None
) -> None:
    names = [PAIR[0], *ways("kelvorin"), *ways("kelvarin")]
    with Workspace(directory, engine_url).open(for_writing=True) as store:
        fill(store, directory, model, names)
        searcher = Searcher(Snapshots(store, directory / "snapshots"), model)
        (found,) = searcher.query([PAIR[1]], limit=100)
    (match,) = [match for match in found if match.normal == PAIR[0]]
    reasons = searcher.model.explain(*PAIR, match.similarity)
    assert match.probability == pytest.approx(reasons.probability)
    assert match.probability < model.explain(*PAIR, match.similarity).probability


def test_many_texts_are_sampled(
    model: Model, engine_url: str, directory: Path, few_texts_suffice: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dedup.text.corpus.SAMPLE", 25)
    with Workspace(directory, engine_url).open(for_writing=True) as store:
        fill(store, directory, model, [*ways("kelvorin"), *ways("kelvarin")])
        kept = json.loads(store.meta("corpus") or "")
    assert (kept["texts"], kept["corpus"]["n_names"], kept["corpus"]["words"]["kelvorin"]) == (60, 20, 10)


@pytest.mark.parametrize(
    "damaged", ['{"texts": 60', '{"texts": 60, "corpus": {"n_names": 60}}', '{"texts": 60}', "[1]"]
)
def test_damaged_counts_are_reported_and_rebuilt(
    model: Model,
    engine_url: str,
    directory: Path,
    few_texts_suffice: None,
    caplog: pytest.LogCaptureFixture,
    damaged: str,
) -> None:
    names = [*ways("kelvorin"), *ways("kelvarin")]
    with Workspace(directory, engine_url).open(for_writing=True) as store:
        fill(store, directory, model, names)
        sound = store.meta("corpus")
        spoil = update(store_meta).where(store_meta.c.key == "corpus").values(value=damaged)
        store.write(lambda connection: connection.execute(spoil))
        assert model_with_corpus(store, model) is model
        assert "indexing an input rebuilds them" in caplog.text
        fill(store, directory, model, names)
        assert store.meta("corpus") == sound


def test_whole_paragraphs_are_found_and_compared(model: Model, engine_url: str, directory: Path) -> None:
    random = np.random.default_rng(3)
    vocabulary = [f"{word}{end}" for word in WORDS for end in ("", "s", "ing", "ed", "ly", "er", "est", "able", "ment")]
    texts = [" ".join(random.choice(vocabulary, 400)) for _ in range(4)]
    texts.append(texts[0].replace("amber", "ambre").replace("fjords", "fiords"))
    assert min(map(len, texts)) > 2_500
    with Workspace(directory, engine_url).open(for_writing=True) as store:
        fill(store, directory, model, texts)
        found = find_duplicates(
            Snapshots(store, directory / "snapshots"), model, min_probability=model.default_probability
        )
    assert found.text_ids[found.near.pairs[np.argmax(found.near.probabilities)]].tolist() == [1, 5]
