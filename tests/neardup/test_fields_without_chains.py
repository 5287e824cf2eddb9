"""Records that share a phone number, a domain or an address with others are not joined to strangers by these."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from planted_customers import TOWNS, TRADES, WORDS, german_vat

import neardup

FIELDS = {
    "city": "city",
    "zip": "postcode",
    "street": "street",
    "vat": "id",
    "phone": "phone",
    "mail": "domain",
}
Row = dict[str, str]


class Customers:
    """Rows of companies that have nothing in common, each with values for all fields."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        names = [(word, trade) for word in WORDS for trade in TRADES]
        self._names: Iterator[tuple[str, str]] = iter(self.chance.sample(names, len(names)))

    def row(self, id_: str, **given: str) -> Row:
        chance, (word, trade) = self.chance, next(self._names)
        found = {"no": id_, "name": f"{word} {trade} GmbH", "city": chance.choice(TOWNS), "vat": german_vat(chance)}
        found |= {"zip": f"{chance.randrange(10_000, 99_999)}", "street": f"Hauptstr. {chance.randrange(200)}"}
        phone = f"+49 731 {chance.randrange(2_000_000, 9_999_999)}"
        return found | {"phone": phone, "mail": f"info@{word}-{trade}.de".lower()} | given

    def rows(self, n: int, **given: str) -> list[Row]:
        return [self.row(f"s{number}", **given) for number in range(n)]

    def others(self) -> list[Row]:
        return [self.row(f"o{number}") for number in range(400)]


def clusters(rows: list[Row]) -> list[set[str | None]]:
    found = neardup.deduplicate(rows, text="name", id="no", fields=FIELDS, kind="company")
    return [{record.id for record in cluster.records} for cluster in found.clusters]


ADDRESS = {"city": "Ulm", "zip": "89073", "street": "Neue Str. 1"}
SHARED = {
    "the phone of an accountant": {"phone": "+49 731 5551234"},
    "the phone of an accountant, no numbers": {"phone": "+49 731 5551234", "vat": "", "mail": ""},
    "an office": {"phone": "+49 731 5551234", "vat": "", "mail": "", **ADDRESS},
    "an office, own numbers": {"phone": "+49 731 5551234", **ADDRESS},
    "free mail": {"mail": "office@gmail.com", "vat": "", "phone": ""},
    "a number that is none": {"vat": "DE123456789"},
    "a word in place of a number": {"vat": "applied for", "phone": ""},
    "a number that no register has": {"vat": "K-100"},
}


@pytest.mark.parametrize("what", SHARED)
@pytest.mark.parametrize("n", [5, 19, 60])
def test_what_many_share_joins_nobody(what: str, n: int) -> None:
    customers = Customers(n)
    assert clusters(customers.others() + customers.rows(n, **SHARED[what])) == []


def test_shares_of_several_kinds_make_no_chain() -> None:
    customers = Customers(1)
    rows = customers.rows(16, vat="")
    for first, second, third in zip(rows[::3], rows[1::3], rows[2::3], strict=False):
        second["phone"], third["mail"] = first["phone"], second["mail"]
    for number in range(2, 15, 3):
        rows[number]["vat"] = rows[number + 1]["vat"] = german_vat(customers.chance)
    expected = [{f"s{number}", f"s{number + 1}"} for number in range(2, 15, 3)]
    assert sorted(map(sorted, clusters(customers.others() + rows))) == sorted(map(sorted, expected))


def test_a_franchise_with_one_web_page_is_many_records() -> None:
    customers = Customers(2)
    given = {"name": "Backwerk", "vat": "", "mail": "www.backwerk.de"}
    rows = [customers.row(town, city=town, street=f"Weg {n}", **given) for n, town in enumerate(TOWNS)]
    assert clusters(customers.others() + rows) == []


def test_one_valid_number_joins_two_names_and_two_keep_one_name_apart() -> None:
    customers = Customers(3)
    others, number = customers.others(), german_vat(customers.chance)
    assert clusters([*others, customers.row("a", vat=number), customers.row("b", vat=number)]) == [{"a", "b"}]
    one = customers.row("a")
    assert clusters([*others, one, one | {"no": "b", "vat": number}]) == []
    assert clusters([*others, one, one | {"no": "b"}]) == [{"a", "b"}]  # a control
