"""Fields add to the log-odds of names what they are worth in the corpus, and say so in words."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.errors import VersionMismatch
from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.field_model import EQUAL_NAMES, FieldModel
from dedup.evidence.fields.field_table import MANY_NAMES, FieldTable
from dedup.evidence.fields.normal_forms import Field

VALUES = {
    FieldKind.CITY: ["Ulm", "Neu-Ulm", "Berlin", "", "ULM", "Ulmm"],
    FieldKind.POSTCODE: ["89073", "89075", "10115", ""],
    FieldKind.STREET: ["Hauptstr. 5", "Hauptstraße 5", "Hauptstr. 7", ""],
    FieldKind.COUNTRY: ["DE", "Germany", "AT", ""],
    FieldKind.ID: ["DE136695976", "136695976", "ATU13585627", "DE136695977", "12345", ""],
    FieldKind.PHONE: ["+49 731 1234567", "1234567", "0731 1234567", ""],
    FieldKind.DOMAIN: ["www.acme.de", "info@acme.com", "zenith.de", "bob@gmail.com"],
    FieldKind.DATE: ["2020-01-02", "2020-02-01", "1999-01-01", ""],
    FieldKind.NUMBER: ["10", "10.2", "5000", ""],
    FieldKind.CATEGORY: ["club", "Club", "bank", ""],
    FieldKind.COMPANY: ["Acme", "Zenith", "Acme Widgets", ""],
}
NAMES = ["Acme GmbH", "ACME GmbH", "Zenith", "Acme Widgets"]


def records(draw_from: dict[FieldKind, list[str]]) -> st.SearchStrategy[FieldTable]:
    rows = st.lists(
        st.tuples(st.sampled_from(NAMES), *(st.sampled_from(values) for values in draw_from.values())),
        min_size=2,
        max_size=8,
    )
    return rows.map(lambda rows: table_of(rows, list(draw_from)))


def table_of(rows: list[tuple[str, ...]], kinds: list[FieldKind]) -> FieldTable:
    names, *columns = zip(*rows, strict=True)
    return FieldTable.of(names, {str(kind): Field(kind, values) for kind, values in zip(kinds, columns, strict=True)})


def all_pairs(n: int) -> np.ndarray:
    return np.argwhere(np.triu(np.ones((n, n)), 1)).astype(np.int64)


def of_two(kind: FieldKind, left: str, right: str, **more: tuple[str, str]) -> FieldTable:
    fields = {str(kind): Field(kind, [left, right])}
    return FieldTable.of(
        ["Acme GmbH", "Acme Inc"], fields | {name: Field(FieldKind(name), two) for name, two in more.items()}
    )


def worth(table: FieldTable) -> float:
    return float(FieldModel.shipped(table).log_odds(table, np.array([[0, 1]]), np.array([1.0]))[0])


@settings(max_examples=150, deadline=None)
@given(records(VALUES), st.floats(-5, 5))
def test_reasons_add_up_and_sides_do_not_matter(table: FieldTable, name_log_odds: float) -> None:
    pairs = all_pairs(len(table.names.codes))
    of_names = np.full(len(pairs), name_log_odds)
    model = FieldModel.fit(table, pairs, of_names)
    added = model.log_odds(table, pairs, of_names)
    np.testing.assert_allclose(added, model.log_odds(table, pairs[:, ::-1], of_names))
    for pair, want in zip(pairs, added, strict=True):
        reasons = model.explain(table, pair, name_log_odds)
        assert sum(one.log_odds for one in reasons) == pytest.approx(want)
        assert all(one.label.strip() for one in reasons)


@settings(max_examples=50, deadline=None)
@given(records(VALUES))
def test_weights_are_the_same_each_time_and_survive_json(table: FieldTable) -> None:
    pairs = all_pairs(len(table.names.codes))
    of_names = np.linspace(-2, 4, len(pairs))
    model = FieldModel.fit(table, pairs, of_names)
    again = FieldModel.fit(table, pairs, of_names)
    read = FieldModel.from_json(json.loads(json.dumps(model.to_json())))
    want = model.log_odds(table, pairs, of_names)
    for other in (again, read):
        np.testing.assert_array_equal(other.log_odds(table, pairs, of_names), want)


@pytest.mark.parametrize("kind", VALUES)
def test_a_missing_value_is_no_evidence(kind: FieldKind) -> None:
    for left, right in (("", VALUES[kind][0]), (VALUES[kind][0], "n/a"), ("", "")):
        table = of_two(kind, left, right)
        assert worth(table) == 0
        assert FieldModel.shipped(table).explain(table, (0, 1), 1.0) == []


def test_without_fields_nothing_changes() -> None:
    table = FieldTable.of(["Acme", "Acme"], {})
    pairs = np.array([[0, 1]])
    model = FieldModel.fit(table, pairs, np.array([EQUAL_NAMES]))
    assert model.log_odds(table, pairs, np.array([EQUAL_NAMES])).tolist() == [0]


ORDERED = [
    (
        FieldKind.ID,
        ["DE136695976", "DE136695976"],
        ["12345", "12346"],
        ["12345", "98765"],
        ["DE136695976", "DE811569869"],
    ),
    (FieldKind.PHONE, ["+49 731 1234567", "0049 731 1234567"], ["1234567", "1234568"], ["1234567", "7654321"]),
    (FieldKind.DOMAIN, ["acme.de", "info@acme.de"], ["acme.de", "acme.com"], ["acme.de", "zenith.de"]),
    (FieldKind.DATE, ["2020-01-02", "20200102"], ["2020-01-02", "2020-02-01"], ["2020-01-02", "1999-05-07"]),
    (FieldKind.NUMBER, ["1,000", "1000"], ["1000", "1001"], ["1000", "7"]),
    (FieldKind.CATEGORY, ["club", "Club"], ["association", "asociation"], ["club", "bank"]),
    (FieldKind.COMPANY, ["Zenith Ltd", "ZENITH"], ["Zenith Widgets", "Zenth Widgets"], ["Zenith", "Globex"]),
    (FieldKind.CITY, ["Köln", "Cologne"], ["Frankfurt", "Frankfurt Höchst"], ["Ulm", "Berlin"]),
    (FieldKind.POSTCODE, ["89073", "D-89073"], ["89073", "89075"], ["89073", "10115"]),
    (
        FieldKind.STREET,
        ["Hauptstr. 5", "Hauptstraße 5"],
        ["12 Main St", "12 Main St Apt 3"],
        ["12 Main St", "14 Main St"],
    ),
    (
        FieldKind.STREET,
        ["1200 2nd St", "1200 2nd St"],
        ["1200 2nd St", "1200 2nd St Ste 7"],
        ["1200 2nd St", "1212 2nd St"],
    ),
    (FieldKind.STATE, ["Maine", "ME"], ["Maine", "Ohio"]),
]


@pytest.mark.parametrize(("kind", "steps"), [(kind, steps) for kind, *steps in ORDERED])
def test_better_agreement_is_worth_more(kind: FieldKind, steps: list[list[str]]) -> None:
    found = [worth(of_two(kind, *step)) for step in steps]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)
    assert found[-1] < 0 < found[0] + 0.5  # plus what similar names are worth


def test_numbers_of_two_registers_say_nothing() -> None:
    assert worth(of_two(FieldKind.ID, "DE136695976", "ATU13585627")) == 0


def test_a_place_is_one_piece_of_evidence() -> None:
    table = of_two(FieldKind.CITY, "Ulm", "Ulm", postcode=("89073", "89073"), country=("DE", "DE"))
    reasons = FieldModel.shipped(table).explain(table, (0, 1), 1.0)
    assert [one.label for one in reasons][:1] == ["same postcode 89073 (2 of 2 records)"]
    assert worth(table) == worth(of_two(FieldKind.POSTCODE, "89073", "89073"))


@pytest.mark.parametrize(
    ("kind", "values", "label"),
    [
        (FieldKind.POSTCODE, ["19809-2031", "19809-0000", "19809-1377"], "same field 19809 (3 of 3 records)"),
        (FieldKind.POSTCODE, ["SW1A 1AA", "SW1A 1AA", "SW1A1AA"], "same field SW1A 1AA (3 of 3 records)"),
        (
            FieldKind.PHONE,
            ["+49 (0) 731/6135367", "+49 731 6135367", "0049 7316135367"],
            "same field +497316135367 (3 of 3 records)",
        ),
    ],
)
def test_a_reason_shows_no_value_that_neither_record_has(kind: FieldKind, values: list[str], label: str) -> None:
    table = FieldTable.of(["Acme", "Zenith", "Globex"], {"field": Field(kind, values)})
    assert FieldModel.shipped(table).explain(table, (1, 2), 0.0)[0].label == label


def test_article_numbers_of_any_length_are_official_numbers() -> None:
    for label, one, other in (
        ("EAN", "012345678905", "0012345678905"),
        ("isbn", "0-306-40615-2", "978-0-306-40615-7"),
        ("统一社会信用代码", "91110000600037341L", "9111 0000 6000 37341L"),
    ):
        table = FieldTable.of(["Acme", "Zenith"], {label: Field(FieldKind.ID, [one, other])})
        assert FieldModel.shipped(table).explain(table, (0, 1), 0.0)[0].label.startswith(f"same valid {label}")
    table = FieldTable.of(["Acme", "Acme"], {"EAN": Field(FieldKind.ID, ["4006381333931", "9780306406157"])})
    assert FieldModel.shipped(table).explain(table, (0, 1), 0.0)[0].label.startswith("another valid EAN")


@pytest.mark.parametrize(
    "value", ["N/A", "k.A.", "keine Angabe", "[unknown]", "non renseigné", "不明", "#REF!", "-", "s/n"]
)
def test_a_placeholder_is_no_value(value: str) -> None:
    assert worth(of_two(FieldKind.CATEGORY, value, value)) == 0
    assert worth(of_two(FieldKind.CITY, value, "Ulm")) == 0
    assert worth(of_two(FieldKind.COUNTRY, "NA", "NA")) != 0 != worth(of_two(FieldKind.NUMBER, "0", "0"))


def test_a_common_value_is_worth_less() -> None:
    cities = ["London"] * 40 + ["Ulm"] * 2
    table = FieldTable.of([f"Acme {i}" for i in range(42)], {"city": Field(FieldKind.CITY, cities)})
    added = FieldModel.shipped(table).log_odds(table, np.array([[0, 1], [40, 41]]), np.zeros(2))
    assert added[0] < added[1]


@pytest.mark.parametrize("kind", [FieldKind.ID, FieldKind.PHONE, FieldKind.DOMAIN])
def test_what_many_names_hold_identifies_nobody(kind: FieldKind) -> None:
    value = VALUES[kind][0]
    for names, is_evidence in (([f"Acme {i}" for i in range(MANY_NAMES + 1)], False), (["Acme"] * 30, True)):
        table = FieldTable.of(names, {"field": Field(kind, [value] * len(names))})
        added = FieldModel.shipped(table).log_odds(table, np.array([[0, 1]]), np.zeros(1))
        assert bool(added[0]) is is_evidence


def test_a_further_name_is_compared_with_the_other_records_name() -> None:
    fields = {"dba": Field(FieldKind.COMPANY, ["Zenith Widgets", "", "Globex"])}
    table = FieldTable.of(["Acme Holdings", "Zenith Widgets Ltd", "Initech"], fields)
    model = FieldModel.shipped(table)
    added = model.log_odds(table, np.array([[0, 1], [1, 2]]), np.zeros(2))
    assert added[0] > 1
    assert added[1] == 0  # that the trade name is not the other name is no evidence


def test_a_further_name_that_repeats_the_name_counts_once() -> None:
    fields = {"dba": Field(FieldKind.COMPANY, ["Acme GmbH", "ACME"])}
    assert worth(FieldTable.of(["Acme", "Acme GmbH"], fields)) == 0


def test_a_few_records_are_compared_with_the_counts_of_their_corpus() -> None:
    cities = ["Ulm", "Ulm", "Berlin", "Berlin", "Berlin"]
    whole = FieldTable.of([f"Acme {i}" for i in range(5)], {"city": Field(FieldKind.CITY, cities)})
    two = FieldTable.of(["Acme 0", "Acme 1"], {"city": Field(FieldKind.CITY, ["Ulm", "ulm"])}, whole.frequencies())
    model, pair = FieldModel.shipped(whole), np.array([[0, 1]])
    assert model.log_odds(two, pair, np.zeros(1)) == model.log_odds(whole, pair, np.zeros(1))
    assert model.explain(two, (0, 1), 0.0)[0].label == "same city Ulm (2 of 5 records)"


def test_weights_of_other_columns_are_refused() -> None:
    city, phone = of_two(FieldKind.CITY, "Ulm", "Ulm"), of_two(FieldKind.PHONE, "1234567", "1234567")
    with pytest.raises(VersionMismatch, match="No weights were learnt for the field 'phone'"):
        FieldModel.shipped(city).log_odds(phone, np.array([[0, 1]]), np.zeros(1))
    with pytest.raises(VersionMismatch, match="format 2"):
        FieldModel.from_json({"format": 2})
    with pytest.raises(ValueError, match="not finite"):
        FieldModel.from_json(FieldModel.shipped(city).to_json() | {"offsets": [float("nan")] * 7})
