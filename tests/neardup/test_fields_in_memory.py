"""Fields without an index, and in links, also with the records of an index."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from town_rows import FIELDS, NAMES, TOWNS, VATS, row, town_rows

import neardup
from neardup import UsageError


def groups(found: neardup.Duplicates) -> set[frozenset[str]]:
    return {frozenset(record.id for record in cluster.records) for cluster in found.clusters}


def links(found: neardup.Links) -> set[tuple[Any, Any]]:
    return {(pair.left.id, pair.right.id) for pair in found.pairs}


def accounts() -> list[dict[str, Any]]:
    """The names, each in two towns."""
    return [
        row(f"{number}-{town}", name, town)
        for number, name in enumerate(NAMES)
        for town in (TOWNS[number % 6], TOWNS[(number + 1) % 6])
    ]


def leads() -> list[dict[str, Any]]:
    """The same, spelt otherwise, in the first town only."""
    return [
        row(number, name.replace("GmbH", "Gesellschaft mbH"), TOWNS[number % 6]) for number, name in enumerate(NAMES)
    ]


EXPECTED = {(str(number), f"{number}-{TOWNS[number % 6]}") for number in range(len(NAMES))}


def test_deduplicate_finds_what_an_index_finds(tmp_path: Path) -> None:
    rows = [*town_rows(), row("a", "Hartwig Holding AG", "Ulm", VATS[0]), row("b", "Sonnentor Reisen", "Ulm", VATS[0])]
    found = neardup.deduplicate(rows, text="name", id="no", fields=FIELDS)
    with neardup.Index(tmp_path / "index") as index:
        index.add(rows, text="name", id="no", source="s", fields=FIELDS)
        stored = index.duplicates()
    assert groups(found) == groups(stored) and frozenset("ab") in groups(found)
    measured = [
        {(frozenset((p.left.id, p.right.id)), round(p.probability, 9)) for p in one.pairs} for one in (found, stored)
    ]
    assert measured[0] == measured[1]
    (pair,) = (one for one in found.pairs if {one.left.id, one.right.id} == {"a", "b"})
    reasons = found.explain(pair)
    assert any(f"same valid vat {VATS[0]}" in one.label for one in reasons.reasons)
    assert sum(one.log_odds or 0 for one in reasons.reasons) == pytest.approx(reasons.log_odds)
    again = pickle.loads(pickle.dumps(found))
    assert groups(again) == groups(found) and again.explain(again.pairs[0]).reasons
    assert {
        len(one) for one in groups(neardup.deduplicate(rows, text="name", id="no", fields=FIELDS, branches="merge"))
    } == {
        4,
        2,
    }


def test_deduplicate_without_fields_in_common_is_as_without_fields() -> None:
    rows = [row(number, name) for number, name in enumerate([*NAMES, *NAMES[:3], "Kesler Bau GmbH"])]
    plain, found = (neardup.deduplicate(rows, text="name", id="no", fields=fields) for fields in (None, FIELDS))
    assert [pair.columns() for pair in plain.pairs] == [pair.columns() for pair in found.pairs]
    assert groups(plain) == groups(found)


def test_link_tells_branches_apart() -> None:
    found = neardup.link(leads(), accounts(), text="name", id="no", fields=["city"])
    assert links(found) == EXPECTED
    assert {(pair.left.id, pair.right.id) for pair in found.one_to_one} == EXPECTED
    assert {record.id for record in found.unmatched_right} == {
        f"{number}-{TOWNS[(number + 1) % 6]}" for number in range(len(NAMES))
    }
    assert any("same city" in reason.label for reason in found.explain(found.matches[0]).reasons)
    without = neardup.link(leads(), accounts(), text="name", id="no")
    assert len(links(without)) == 2 * len(NAMES) and not links(found.at(0.99999)) - EXPECTED


def test_link_finds_one_number_under_two_names() -> None:
    left = [*leads(), row("x", "Hartwig Holding AG", vat=VATS[0]), row("y", "Lindner Mode", vat=VATS[1])]
    right = [
        {"id": "z", "firm": "Sonnentor Reisen", "UStId": VATS[0], "ort": ""},
        {"id": "w", "firm": "Lindner Mode", "UStId": VATS[2], "ort": ""},
    ]
    found = neardup.link(
        left,
        right,
        text="name",
        id="no",
        fields=FIELDS,
        right_text="firm",
        right_id="id",
        right_fields={"UStId": "id", "ort": "city"},
    )
    assert ("x", "z") in links(found)
    (other,) = (
        pair for pair in neardup.link(left, right, text="name", id="no", right_text="firm", right_id="id").pairs
    )
    assert (other.left.id, other.right.id, other.probability) == ("y", "w", 1.0)
    assert ("y", "w") not in links(found)  # two valid numbers of one register


def test_equal_texts_without_fields_in_common_are_linked_as_ever() -> None:
    left = [row("1", NAMES[0]), row("2", NAMES[1], "Ulm")]
    right = [row("3", NAMES[0], "Bonn"), row("4", NAMES[1])]
    found = neardup.link(left, right, text="name", id="no", fields=["city"])
    assert {(p.left.id, p.right.id, p.probability, p.exact) for p in found.pairs} == {
        ("1", "3", 1.0, True),
        ("2", "4", 1.0, True),
    }


@pytest.mark.parametrize("reported", [False, True])
def test_links_with_an_index_use_its_fields(tmp_path: Path, reported: bool) -> None:
    with neardup.Index(tmp_path / "index") as index:
        index.add(accounts(), text="name", id="no", source="crm", fields=["city"])
        index.add(leads(), text="name", id="no", source="leads", fields=["city"])
        if reported:
            index.report(tmp_path / "out")
        assert links(index.between("leads", "crm")) == EXPECTED
        assert links(index.link(leads(), "crm", text="name", id="no")) == EXPECTED  # its city is that of the index
        assert len(links(index.link(leads(), "crm", text="name", id="no", fields=[]))) >= len(EXPECTED)
        other = [{"no": one["no"], "name": one["name"], "where": one["city"]} for one in leads()]
        assert links(index.link(other, "crm", text="name", id="no", fields={"where": "city"})) == EXPECTED
        assert len(links(index.link(other, "crm", text="name", id="no"))) == 2 * len(EXPECTED)


def test_compare_many_is_compare_for_each() -> None:
    left = [*NAMES, NAMES[0]]
    right = [name.replace("GmbH", "mbH") for name in left]
    sides = (
        [{"city": "Ulm", "vat:id": VATS[n % 3]} for n in range(len(left))],
        [{"city": ("Ulm", "Bonn")[n % 2], "vat:id": VATS[n % 2]} for n in range(len(left))],
    )
    many = neardup.compare_many(left, right, left_fields=sides[0], right_fields=sides[1])
    each = [
        neardup.compare(*four[:2], left_fields=four[2], right_fields=four[3]).probability
        for four in zip(left, right, *sides, strict=True)
    ]
    assert list(many.probability) == pytest.approx(each, abs=1e-12)
    plain = neardup.compare_many(left, right)
    assert list(plain.probability) == list(neardup.compare_many(left, right, left_fields=sides[0]).probability)
    assert list(plain.probability) != list(many.probability)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neardup.deduplicate(town_rows(), text="name", fields=["name"]), "is the text"),
        (lambda: neardup.deduplicate(town_rows(), text="name", fields=["where"]), "no column 'where'"),
        (lambda: neardup.deduplicate(town_rows(), text="name", fields=["city"], branches="both"), "branches is 'both'"),
        (
            lambda: neardup.link(leads(), [{"n": "x", "t": "y"}], text="name", right_text="t", fields=["city"]),
            "right_fields=",
        ),
        (lambda: neardup.compare_many(["a b"], ["a c"], left_fields=[{}, {}]), "2 dicts for 1 texts"),
        (lambda: neardup.compare_many(["a b"], ["a c"], left_fields={"city": "Ulm"}), "list of dicts"),
    ],
)
def test_bad_fields_are_named(call: Any, message: str) -> None:
    with pytest.raises((UsageError, neardup.InputRefused), match=message):
        call()


def test_a_nested_value_of_a_field_is_rejected_with_its_row() -> None:
    rows = [row(1, NAMES[0], "Ulm"), {**row(2, NAMES[0]), "city": ["Ulm", "Bonn"]}]
    found = neardup.deduplicate(rows, text="name", id="no", fields=["city"])
    assert [one.code for one in found.rejected] == ["E_NESTED"] and "city" in found.rejected[0].message
