"""Rows of a file become records: what is added, changed and refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from loading import MODEL, Load, content, normals, raws, row, with_ids, without_ids, writes

from dedup.errors import InputRefused, UsageError
from dedup.text.normalise import normalise
from indexer.ingest.intake import Identity
from indexer.reading.open import Row
from indexer.reading.rejects import Reject
from indexer.store.runs import Accounts
from indexer.store.store import Store

# A column of ids


def test_round_trip(store: Store) -> None:
    rows = [row(1, "00123", 'Müller & "Söhne" GmbH', city="Köln", note=""), row(2, "é" * 512, "株式会社")]
    load = Load(store, rows)
    assert load.summary == Accounts(2, added=2, changed=0, unchanged=0, removed=0, rejected=0)
    first, second = store.iter_records()
    assert (first.source, first.external_id, first.raw) == ("names", "00123", 'Müller & "Söhne" GmbH')
    assert first.fields == {"city": "Köln", "note": ""}
    assert (second.external_id, second.raw, second.fields) == ("é" * 512, "株式会社", {})
    assert store.normals([first.text_id]) == {first.text_id: normalise('Müller & "Söhne" GmbH')}


@pytest.mark.parametrize("identity", ["column", "content"])
def test_second_run_writes_nothing(store: Store, identity: Identity) -> None:
    rows = with_ids(("1", "Acme"), ("2", "Beta"), ("3", "ACME"))
    Load(store, rows, identity)
    before = list(store.iter_records())
    with writes(store) as statements:
        load = Load(store, rows, identity)
    assert load.summary == Accounts(3, added=0, changed=0, unchanged=3, removed=0, rejected=0)
    assert not [statement for statement in statements if re.search("record|text", statement)]
    assert list(store.iter_records()) == before


def test_a_text_that_one_batch_deletes_and_the_next_one_has(store: Store) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Beta")))
    rows = with_ids(("2", "Gamma"), ("3", "Beta"), ("4", "beta"), ("5", "BETA"), ("6", "Gamma"))
    load = Load(store, rows, batch_rows=1)
    assert load.summary == Accounts(5, added=4, changed=1, unchanged=0, removed=0, rejected=0)
    assert normals(store) == ["acme", "beta", "gamma"]
    assert (len(store.load_vectors(MODEL.model_id)[0]), len(raws(store))) == (3, 5)


def test_rows_change_are_added_and_stay(store: Store) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Beta"), ("3", "Gamma")))
    load = Load(store, with_ids(("4", "Delta"), ("2", "Beta Ltd"), ("1", "Acme")))
    assert load.summary == Accounts(3, added=1, changed=1, unchanged=1, removed=0, rejected=0)
    expected = {"1": "Acme", "2": "Beta Ltd", "3": "Gamma", "4": "Delta"}
    assert content(store) == {("names", key): raw for key, raw in expected.items()}
    assert normals(store) == ["acme", "beta ltd", "delta", "gamma"]


def test_columns_in_another_order_are_no_change(store: Store) -> None:
    Load(store, [row(1, "1", "Acme", city="Oslo", land="NO")])
    assert Load(store, [row(1, "1", "Acme", land="NO", city="Oslo")]).summary.unchanged == 1
    assert Load(store, [row(1, "1", "Acme", land="Oslo", city="NO")]).summary.changed == 1


def test_text_ids_are_never_used_again(store: Store) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "Beta")))
    (before,) = [record.text_id for record in store.iter_records() if record.raw == "Beta"]
    Load(store, with_ids(("2", "Gamma")))
    assert store.counts().vectors == 2
    assert store.live_texts_up_to(before) == 1
    Load(store, with_ids(("2", "Beta")))
    (after,) = [record.text_id for record in store.iter_records() if record.raw == "Beta"]
    assert after > before + 1


def test_text_shared_with_another_record_stays(store: Store) -> None:
    Load(store, with_ids(("1", "Acme"), ("2", "ACME")))
    Load(store, with_ids(("1", "Beta")))
    assert normals(store) == ["acme", "beta"]
    Load(store, with_ids(("2", "Beta!")))
    assert normals(store) == ["beta"]


def test_sources_are_kept_apart(store: Store) -> None:
    Load(store, with_ids(("1", "Acme")), source="one")
    Load(store, with_ids(("1", "Beta")), source="two")
    Load(store, without_ids("Acme", "Gamma"), "content", source="three")
    Load(store, without_ids("Gamma"), "content", source="three")
    assert store.counts().sources == {"one": 1, "three": 1, "two": 1}
    assert content(store)[("one", "1")] == "Acme"
    assert content(store)[("two", "1")] == "Beta"


# Content as identity


def test_edited_file_adds_and_removes_only_the_edit(store: Store) -> None:
    Load(store, without_ids("Acme", "Beta", "Gamma"), "content")
    kept = {record.raw: record for record in store.iter_records()}
    load = Load(store, without_ids("Gamma", "Beta Ltd", "Acme"), "content")
    assert load.summary == Accounts(3, added=1, changed=0, unchanged=2, removed=1, rejected=0)
    now = {record.raw: record for record in store.iter_records()}
    assert set(now) == {"Acme", "Beta Ltd", "Gamma"}
    assert (now["Acme"], now["Gamma"]) == (kept["Acme"], kept["Gamma"])
    assert normals(store) == ["acme", "beta ltd", "gamma"]


def test_equal_rows_are_numbered(store: Store) -> None:
    Load(store, without_ids("Acme", "Beta", "Acme", "Acme"), "content")
    (base,) = {key.split("-")[0] for (_, key), raw in content(store).items() if raw == "Acme"}
    assert {("names", base), ("names", f"{base}-2"), ("names", f"{base}-3")} <= set(content(store))
    load = Load(store, without_ids("Acme", "Acme", "Beta"), "content")
    assert load.summary == Accounts(3, added=0, changed=0, unchanged=3, removed=1, rejected=0)
    assert ("names", f"{base}-3") not in content(store)


@pytest.mark.parametrize("page", [1, 2, 3])
def test_repeats_are_found_across_batches(store: Store, page: int) -> None:
    rows = without_ids("Acme", "Beta", "Acme", "Beta", "Acme")
    assert Load(store, rows, "content", batch_rows=page).summary.added == 5
    assert Load(store, rows, "content", batch_rows=page).summary.unchanged == 5
    assert Load(store, rows[:3], "content", batch_rows=page).summary.removed == 2
    ids = with_ids(("1", "Acme"), ("2", "Beta"), ("1", "Gamma"))
    for _ in range(2):
        assert Load(store, ids, source="ids", batch_rows=page).errors == ["E_ID_DUPLICATE"]


def test_no_rows_never_remove_all(store: Store) -> None:
    assert Load(store, [], "content").summary.rows_in == 0
    Load(store, without_ids("Acme"), "content")
    with pytest.raises(InputRefused, match="would remove all 1 records") as caught:
        Load(store, [], "content")
    assert caught.value.code == "E_EMPTY"
    assert raws(store) == Counter(["Acme"])


@pytest.mark.parametrize("first", ["column", "content"])
def test_other_kind_of_identity_is_refused(store: Store, first: Identity) -> None:
    second: Identity = "content" if first == "column" else "column"
    rows = with_ids(("1", "Acme"))
    Load(store, rows, first)
    with pytest.raises(UsageError, match=r"'names' was indexed with.* id column.* --source \(source= in Python\)"):
        Load(store, rows, second)
    with pytest.raises(InputRefused, match=r"The input has no rows, so source 'names' was not changed") as caught:
        Load(store, [], second)
    assert caught.value.code == "E_EMPTY"
    Load(store, rows, second, source="other")


# Rejects


def test_unsound_rows_are_rejected_and_counted(store: Store) -> None:
    from_reader = Reject(9, 8, "E_QUOTE", None, "A quote.", '"')
    rows = [
        *with_ids(("1", "Acme"), ("1", "Beta"), ("3", " ?! "), ("4", "x" * 4097), ("5", "A\0B")),
        row(6, "6\0", "Gamma"),
        row(7, "7", "Gamma", city="\0"),
        from_reader,
        row(9, "9", "\ud800 Gamma"),
        row(10, "", "Gamma"),
        row(11, "i" * 513, "Gamma"),
        row(12, "12", "x" * 4096),
    ]
    load = Load(store, rows)
    codes = ["DUPLICATE", "EMPTY", "TOO_LONG"]
    expected = [f"E_ID_{code}" for code in codes] + ["E_NAME_EMPTY", "E_NAME_TOO_LONG"]
    expected += ["E_NUL", "E_NUL", "E_NUL", "E_QUOTE", "E_ENCODING_ROW"]
    assert sorted(load.errors) == sorted(expected)
    assert load.summary == Accounts(12, added=2, changed=0, unchanged=0, removed=0, rejected=10)
    assert content(store) == {("names", "1"): "Acme", ("names", "12"): "x" * 4096}
    (duplicate,) = [reject for reject in load.rejects if reject.error == "E_ID_DUPLICATE"]
    assert (duplicate.line, duplicate.record_no, duplicate.raw) == (3, 2, "1,Beta")
    assert "'1'" in duplicate.message


def names_with_rejects(total: int, bad: int) -> list[Row | Reject]:
    return with_ids(*((str(i), "?" if i <= bad else f"Name {i}") for i in range(1, total + 1)))


def test_too_many_rejects_roll_everything_back(store: Store) -> None:
    Load(store, with_ids(("1", "Acme")))
    with pytest.raises(InputRefused, match=r"6 of the first 100 rows .* The first: The name is empty") as caught:
        Load(store, names_with_rejects(100, 6))
    assert caught.value.code == "E_TOO_MANY_REJECTS"
    assert content(store) == {("names", "1"): "Acme"}
    assert normals(store) == ["acme"]
    assert Load(store, names_with_rejects(100, 5)).summary.rejected == 5


def test_few_rows_may_be_bad_but_not_all(store: Store) -> None:
    assert Load(store, names_with_rejects(99, 98)).summary.rejected == 98
    with pytest.raises(InputRefused, match="All 2 rows were rejected"):
        Load(store, names_with_rejects(2, 2), source="other")
    assert store.counts().sources == {"names": 1}


@pytest.mark.parametrize("error", [InputRefused("broken"), KeyboardInterrupt()])
def test_input_that_breaks_off_leaves_nothing(store: Store, error: BaseException) -> None:
    def rows() -> Iterator[Row | Reject]:
        yield from with_ids(("1", "Acme"), ("2", "Beta"))
        raise error

    with pytest.raises(type(error)):
        Load(store, rows(), batch_rows=1)
    assert store.counts().records == store.counts().texts == 0
    assert store.counts().sources == {}
    assert Load(store, with_ids(("1", "Acme"))).summary.added == 1


def test_progress_is_told_after_each_batch(store: Store) -> None:
    rows = with_ids(*((str(i), f"Name {i}") for i in range(5)))
    load = Load(store, rows, batch_rows=2)
    assert [done for stage, done, total in load.told if (stage, total) == ("store", 5)] == [2, 4, 5]


def test_an_input_with_too_many_rejects_is_refused_as_soon_as_no_further_row_can_help(store: Store) -> None:
    taken = []

    def rows() -> Iterator[Row | Reject]:
        for number in range(1, 10_000):
            taken.append(number)
            yield row(number, str(number), "" if number > 200 else f"name {number}")

    with pytest.raises(InputRefused, match="51 of the first 251 rows were rejected") as caught:
        Load(store, rows(), batch_rows=1_000)
    assert (caught.value.code, len(taken)) == ("E_TOO_MANY_REJECTS", 251)


def test_bad_rows_at_the_start_are_judged_with_the_rest_of_their_batch(store: Store) -> None:
    rows = [row(number, str(number), "" if number <= 50 else f"name {number}") for number in range(1, 1_001)]
    load = Load(store, rows, batch_rows=1_000)
    assert (load.summary.added, load.summary.rejected) == (950, 50)
