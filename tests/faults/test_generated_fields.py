"""Generated fields: written otherwise they are equal, changed they differ, odd or missing ones do no harm."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from planted_customers import german_vat

import neardup

CASES = 700
HOSTILE = (
    "", " ", "-", "n/a", "N/A", "null", "None", "0", "000000", "?", "=1+1", "'", '"', "\u200b", "\u202e", "\x00x", "🙂",
    "9" * 400, "x" * 3_000, "é" * 50, "1e999", "-1e-999", "1.2.3.4", "99/99/9999", "00000000", "+", "+49", "@", "a@b",
    "http://", "http://[", "xn--", "xn--\u00e9", "..", "www.", "localhost", "DE", "DE000000000",
    "ＤＥ１３６６９５９７６",
    "١٢٣٤٥", "１２３４５", "株式会社",
    "Straße", "{}", "%s", "NaN", "inf", "-inf", "true", "[1]", "\ud83d",
)  # fmt: skip
NAMES = ("Kessler Bau GmbH", "Kessler Bau", "Brandt Druck AG", "Sonnentor Reisen KG")


def digits(chance: random.Random, n: int) -> str:
    return str(chance.randint(1, 9)) + "".join(chance.choices("0123456789", k=n - 1))


def vat(chance: random.Random) -> tuple[str, list[str], str]:
    value = german_vat(chance)
    return value, [value.lower(), f"DE {value[2:5]} {value[5:]}", f"{value[:2]}-{value[2:]}"], german_vat(chance)


def phone(chance: random.Random) -> tuple[str, list[str], str]:
    number = digits(chance, 7)
    other = str((int(number) + 1234567) % 9_000_000 + 1_000_000)
    same = [
        f"0049 731 {number}",
        f"+49 (731) {number}",
        f"+49-731-{number[:3]} {number[3:]}",
        f"+49731{number} ext. 12",
    ]
    return f"+49 731 {number}", same, f"+49 731 {other}"


def domain(chance: random.Random) -> tuple[str, list[str], str]:
    word = "".join(chance.choices("bcdfgklmnprst", k=7))
    suffix = chance.choice(("de", "co.uk", "com", "com.au"))
    host = f"{word}.{suffix}"
    return (
        host,
        [f"https://www.{host}/kontakt?x=1", f"info@{host}", host.upper(), f"http://shop.{host}:8080"],
        f"q{host}",
    )


def date(chance: random.Random) -> tuple[str, list[str], str]:
    year, month, day = chance.randint(1950, 2020), chance.randint(1, 12), chance.randint(13, 28)
    same = [
        f"{year}{month:02}{day}",
        f"{day}.{month}.{year}",
        f"{day:02}/{month:02}/{year}",
        f"{year}-{month:02}-{day} 00:00",
    ]
    return f"{year}-{month:02}-{day}", same, f"{year - 11}-{month:02}-{day}"


def number(chance: random.Random) -> tuple[str, list[str], str]:
    whole = chance.randint(1, 999)
    return f"{whole}", [f"{whole}.0", f" {whole} ", f"+{whole}", f"{whole},00"], f"{whole * 3}"


def postcode(chance: random.Random) -> tuple[str, list[str], str]:
    code = digits(chance, 5)
    other = code[::-1] if code[::-1][:3] != code[:3] else f"{(int(code) + 44_444) % 90_000 + 10_000}"
    return code, [f"D-{code}", f" {code} ", f"{code}.0"], other


def city(chance: random.Random) -> tuple[str, list[str], str]:
    places = [
        ("Köln", ["Cologne", "KOELN", "köln"]),
        ("St. Louis", ["Saint Louis", "ST LOUIS"]),
        ("Ulm", ["ULM", " ulm "]),
    ]
    name, same = chance.choice(places)
    return name, same, "Wernigerode"


def street(chance: random.Random) -> tuple[str, list[str], str]:
    n = chance.randint(1, 99)
    return (
        f"Hauptstraße {n}",
        [f"Hauptstr. {n}", f"HAUPTSTRASSE {n}", f"Hauptstrasse No. {n}"],
        f"Am Kirchplatz {n + 1}",
    )


KINDS: dict[str, Callable[[random.Random], tuple[str, list[str], str]]] = {
    "vat:id": vat, "phone:phone": phone, "mail:domain": domain, "founded:date": date, "staff:number": number,
    "zip:postcode": postcode, "city:city": city, "street:street": street,
}  # fmt: skip
OTHERS = ("country:country", "state:state", "sector:category", "former:company")


def generated() -> Iterator[tuple[str, str, list[str], str]]:
    """Yield a field, a value, ways to write it, and another value."""
    chance = random.Random(21)
    for _ in range(CASES // len(KINDS)):
        for field, make in KINDS.items():
            yield field, *make(chance)


def compared(names: tuple[str, str], left: dict[str, Any], right: dict[str, Any]) -> neardup.Comparison:
    return neardup.compare(*names, left_fields=left, right_fields=right)


def test_values_written_otherwise_are_equal_and_changed_ones_differ() -> None:
    cases = list(generated())
    sides = [(field, value, value) for field, value, _, _ in cases]
    sides += [(field, value, form) for field, value, forms, _ in cases for form in forms]
    sides += [(field, value, other) for field, value, _, other in cases]
    found = {}
    for field in KINDS:
        chosen = [one for one in sides if one[0] == field]
        fields = [[{field: one[side]} for one in chosen] for side in (1, 2)]
        texts = [NAMES[0]] * len(chosen), [NAMES[1]] * len(chosen)
        many = neardup.compare_many(*texts, left_fields=fields[0], right_fields=fields[1])
        found |= dict(zip(chosen, many.probability.tolist(), strict=True))
    assert len(cases) >= 500 and len(found) >= 2_000
    for field, value, forms, other in cases:
        same = found[field, value, value]
        for form in forms:
            assert found[field, value, form] == pytest.approx(same, abs=1e-9), (field, value, form)
        assert found[field, value, other] < same - 1e-3, (field, value, other)


def test_odd_and_missing_values_do_no_harm() -> None:
    chance = random.Random(22)
    fields = [*KINDS, *OTHERS]
    alone = {pair: compared(pair, {}, {}).probability for pair in ((a, b) for a in NAMES for b in NAMES)}
    for number_ in range(500):
        names = chance.choice(NAMES), chance.choice(NAMES)
        sides = [
            {field: chance.choice(HOSTILE) for field in chance.sample(fields, chance.randint(1, 4))} for _ in range(2)
        ]
        if number_ % 3 == 0:
            sides[1] = {field: "" for field in sides[0]}
        found, turned = compared(names, *sides), compared(names[::-1], *sides[::-1])
        assert 0 <= found.probability <= 1 and math.isclose(found.probability, turned.probability, abs_tol=1e-9)
        if number_ % 3 == 0:
            assert found.probability == alone[names], sides
        if found.log_odds is not None:
            assert sum(one.log_odds or 0 for one in found.reasons) == pytest.approx(found.log_odds, abs=1e-6)


def test_one_official_number_outweighs_what_else_differs() -> None:
    chance = random.Random(23)
    for _ in range(60):
        value, (_, written, _), other = vat(chance)
        towns = [{"vat:id": one, "city": town} for one, town in ((value, "Ulm"), (written, "Bonn"), (other, "Ulm"))]
        assert compared((NAMES[0], NAMES[3]), towns[0], towns[1]).probability > 0.5
        assert compared((NAMES[0], NAMES[0]), towns[0], towns[2]).probability < 0.5  # a control: another valid number


def test_official_numbers_decide_whatever_else_agrees_or_differs() -> None:
    chance = random.Random(25)
    others = {field: make for field, make in KINDS.items() if field != "vat:id"}
    for _ in range(250):
        chosen = chance.sample(sorted(others), chance.randint(0, len(others)))
        values = {field: others[field](chance) for field in chosen}
        one, _, other = vat(chance)
        left = {field: value for field, (value, _, _) in values.items()} | {"vat:id": one}
        differs = {field: value for field, (_, _, value) in values.items()}
        same_number = compared((NAMES[0], NAMES[3]), left, differs | {"vat:id": one})
        two_numbers = compared((NAMES[0], NAMES[0]), left, left | {"vat:id": other})
        assert same_number.probability > 0.5 > two_numbers.probability, chosen
        for found in (same_number, two_numbers):
            assert sum(one.log_odds or 0 for one in found.reasons) == pytest.approx(found.log_odds, abs=1e-6)


def rows_with(chance: random.Random, n: int) -> list[dict[str, str]]:
    """Return rows with usual and odd values."""
    rows = []
    for number_ in range(n):
        row = {"no": str(number_), "name": f"{chance.choice(NAMES)} {chance.randint(1, 40)}"}
        for field, make in KINDS.items():
            value, forms, _ = make(chance)
            row[field.split(":")[0]] = chance.choice([value, *forms, chance.choice(HOSTILE[:-1]).replace("\x00", "")])
        rows.append(row)
    return rows


def measured(found: neardup.Duplicates) -> set[tuple[frozenset[str], float]]:
    return {(frozenset((pair.left.id, pair.right.id)), round(pair.probability, 9)) for pair in found.pairs}


def test_any_table_can_be_deduplicated_as_an_index_would(tmp_path: Path) -> None:
    fields = dict(field.split(":") for field in KINDS)
    chance = random.Random(24)
    for number_ in range(3):
        rows = rows_with(chance, 150)
        found = neardup.deduplicate(rows, text="name", id="no", fields=fields, kind="company")
        with neardup.Index(tmp_path / str(number_)) as index:
            index.add(rows, text="name", id="no", source="s", fields=fields, kind="company")
            assert measured(index.duplicates()) == measured(found)
        assert found.clusters and all(0 <= pair.probability <= 1 for pair in found.pairs)


def table(folder: Path, name: str) -> str:
    return (folder / f"{name}.csv").read_text(encoding="utf-8")


def test_reports_equal_full_ones_over_random_histories(tmp_path: Path) -> None:
    fields = dict(field.split(":") for field in KINDS)
    for seed in (31, 32):
        chance, folder = random.Random(seed), tmp_path / str(seed)
        rows = {row["no"]: row for row in rows_with(chance, 60)}
        with neardup.Index(folder / "index") as index:
            index.add(list(rows.values()), text="name", id="no", source="s", fields=fields, kind="company")
            index.report(folder / "first")
            for night in range(4):
                changed, gone, new = chance.sample(sorted(rows), 3)
                field, make = chance.choice(list(KINDS.items()))
                rows[changed] |= {field.split(":")[0]: make(chance)[0]}
                rows[f"n{night}"] = {**rows[new], "no": f"n{night}"}  # a copy of a record with another id
                index.add([rows[changed], rows[f"n{night}"]], source="s")
                index.delete(gone, source="s")
                del rows[gone]
                one, other = chance.sample(sorted(rows), 2)
                index.judge(("s", one), ("s", other), chance.choice(("same", "different")))
                branches = chance.choice(("merge", "separate"))
                part, whole = folder / f"part{night}", folder / f"whole{night}"
                index.report(part, records=True, explain=True, branches=branches)
                index.report(whole, records=True, explain=True, branches=branches, full=True)
                for name in ("pairs", "clusters", "records"):
                    assert table(part, name) == table(whole, name), (seed, night, name)
                assert len(table(whole, "changes").splitlines()) == 1
            assert index.verify()


def test_the_order_of_rows_and_of_fields_changes_no_answer() -> None:
    fields = dict(field.split(":") for field in KINDS)
    for seed in range(41, 44):
        chance = random.Random(seed)
        rows = rows_with(chance, 60)
        expected = measured(neardup.deduplicate(rows, text="name", id="no", fields=fields, kind="company"))
        names = ["no", "name", *fields]
        for _ in range(3):
            order = chance.sample(list(fields), len(fields))
            columns = chance.sample(names, len(names))
            turned = [{name: row[name] for name in columns} for row in chance.sample(rows, len(rows))]
            kinds = {name: fields[name] for name in order}
            found = neardup.deduplicate(turned, text="name", id="no", fields=kinds, kind="company")
            assert measured(found) == expected, (seed, order)
