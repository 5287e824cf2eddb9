"""A store changes its model: the old one answers until every text is encoded, and then the new one."""

from __future__ import annotations

from doubles import FakeModel, fake_model
from indexed import MODEL, NAMES, index

from indexer.jobs.query import Searcher
from indexer.models.change import change_model
from indexer.models.stored import coming_model, model_of_vectors, remembered_model
from indexer.store.schema import next_vector
from indexer.store.store import Store
from indexer.vectors.snapshot import Snapshots


class Killed(Exception):
    """The end of a process."""


def own(letter: str) -> FakeModel:
    model = fake_model(letter)
    model.name, model.is_shipped = letter, False
    return model


def begin(snapshots: Snapshots, model: FakeModel) -> None:
    """Begin a change that is killed once four texts are encoded."""

    def progress(stage: str, done: int, total: int | None) -> None:
        if stage == "texts" and done == 4:
            raise Killed

    try:
        change_model(snapshots, model, progress=progress, texts_at_once=2)
    except Killed:
        return
    raise AssertionError("it was not killed")


def test_a_change_that_was_killed_goes_on(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES)
    begin(snapshots, own("b"))
    assert coming_model(store) == ("b" * 64, 4)
    assert (model_of_vectors(store), remembered_model(store)) == (MODEL.model_id, None)
    assert len(Searcher(snapshots, MODEL).query(["Contoso"])[0]) == 7
    assert change_model(snapshots, own("b")) == (3, True)
    found = remembered_model(store)
    assert found is not None and (found.name, found.model_id) == ("b", "b" * 64)
    assert (model_of_vectors(store), coming_model(store)) == ("b" * 64, None)
    assert len(Searcher(snapshots, own("b")).query(["Contoso"])[0]) == 7
    assert change_model(snapshots, own("b")) == (0, False)


def test_what_is_indexed_or_deleted_during_a_change_is_right_afterwards(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES)
    begin(snapshots, own("b"))
    index(snapshots, [*NAMES[2:], "Tailspin Toys"])  # with the old model; two of the texts go
    assert store.count_vectors("b" * 64, table=next_vector) < 4
    change_model(snapshots, own("b"))
    assert store.count_vectors("b" * 64) == store.counts().texts == store.counts().vectors
    assert Searcher(snapshots, own("b")).query(["Tailspin Toys"])[0][0].normal == "tailspin toys"


def test_a_change_to_a_third_model_forgets_the_second(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES)
    begin(snapshots, own("b"))
    assert change_model(snapshots, own("c")) == (7, True)
    assert coming_model(store) is None
    assert store.count_vectors("c" * 64) == 7


def test_a_store_without_texts_changes_its_model(store: Store, snapshots: Snapshots) -> None:
    index(snapshots, NAMES[:2])
    index(snapshots, NAMES[2:3])
    change_model(snapshots, own("b"))
    assert change_model(snapshots, MODEL) == (1, True)
    assert remembered_model(store) is None
