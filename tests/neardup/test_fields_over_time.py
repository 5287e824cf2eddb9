"""Fields from night to night: what earlier reports pinned does not mislead later ones, nor queries."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from planted_customers import TRADES, WORDS, german_vat

import neardup


def companies(n: int, chance: random.Random) -> list[dict[str, str]]:
    """Return rows of companies whose names have little in common, each with a valid VAT number."""
    names = [f"{word} {trade} GmbH" for word in WORDS for trade in TRADES]
    return [
        {"no": str(number), "name": name, "vat": german_vat(chance)}
        for number, name in enumerate(chance.sample(names, n))
    ]


def test_a_number_that_becomes_a_placeholder_joins_no_strangers(tmp_path: Path) -> None:
    chance = random.Random(1)
    rows = companies(300, chance)
    placeholder = german_vat(chance)
    with neardup.Index(tmp_path / "index") as index:
        index.add(rows[:260], text="name", id="no", source="s", fields={"vat": "id"})
        index.report(tmp_path / "first")
        index.add([row | {"vat": placeholder} for row in rows[260:]], source="s")
        summary = index.report(tmp_path / "second")
    assert summary["clusters"] == 0 and summary["values_of_many_names"] == {"vat": 1}


def test_a_number_of_two_new_records_still_joins_them(tmp_path: Path) -> None:
    chance = random.Random(2)
    rows = companies(100, chance)
    with neardup.Index(tmp_path / "index") as index:
        index.add(rows[:90], text="name", id="no", source="s", fields={"vat": "id"})
        index.report(tmp_path / "first")
        index.add([row | {"vat": rows[0]["vat"]} for row in rows[90:92]], source="s")
        summary = index.report(tmp_path / "second")
    assert (summary["clusters"], summary["largest_cluster"]) == (1, 3)


def reasons(folder: Path, rows: list[dict[str, Any]], kind: str, values: tuple[str, str]) -> list[str]:
    """Return what two queries for Kessler Bau say of the field, before and after the first report."""
    found = []
    for step in ("before", "after"):
        with neardup.Index(folder / "index") as index:
            index.add(rows, text="name", id="no", source="s", fields={"field": kind})
            if step == "after":
                index.report(folder / "report")
            for hits in index.query(["Kessler Bau AG"] * 2, fields=[{"field": one} for one in values]):
                asked = next(one for one in hits if one.record.id == "asked")
                found += [one.label for one in hits.explain(asked).reasons if "field" in one.label]
    return found


def near_and_far(asked: str, near: str, far: str) -> list[dict[str, Any]]:
    """Return rows of Kessler Bau, of names near to it, more than a query compares, and of others; each with a value."""
    rows = [{"no": "asked", "name": "Kessler Bau", "field": asked}]
    rows += [{"no": f"near-{trade}", "name": f"Kessler {trade}", "field": near} for trade in TRADES[1:]]
    rows += [{"no": f"also-{trade}", "name": f"Kessler Bau {trade}", "field": near} for trade in TRADES[1:]]
    return rows + [{"no": f"far-{n}", "name": f"{word} Optik", "field": far} for n, word in enumerate(WORDS)]


def test_a_query_reads_dates_as_the_column_is_written(tmp_path: Path) -> None:
    rows = near_and_far("03/04/2010", "5/6/2012", "5/25/2012")
    said = reasons(tmp_path, rows, "date", ("2010-03-04", "3/4/2010"))
    assert len(said) == 4 and all(one.startswith("same field") for one in said)


def test_a_query_adds_the_zeros_that_a_column_has_lost(tmp_path: Path) -> None:
    rows = near_and_far("1067", "SW1A 1AA", "")
    rows += [{"no": f"code-{n}", "name": f"{word} Foto", "field": f"{n + 10_000}"} for n, word in enumerate(WORDS)]
    said = reasons(tmp_path, rows, "postcode", ("1067", "01067"))
    assert len(said) == 4 and all(one.startswith("same field") for one in said)


def test_columns_whose_names_differ_in_case_are_two_fields(tmp_path: Path) -> None:
    rows = [{"no": "1", "name": "Acme", "Class": "tin", "class": "iron"}]
    rows += [{"no": "2", "name": "Acme", "Class": "tin", "class": "glass"}]
    with neardup.Index(tmp_path / "index") as index:
        index.add(rows, text="name", id="no", source="s", fields={"Class": "category", "class": "category"})
        for last, expected in (("iron", ["1", "2"]), ("glass", ["2", "1"])):
            found = index.query("Acme", fields={"Class": "tin", "class": last})
            assert [match.record.id for match in found] == expected


def test_a_query_without_fields_is_answered_as_if_alone(tmp_path: Path) -> None:
    rows = [{"no": str(n), "name": name, "city": town} for n, (name, town) in enumerate(ROWS)]
    with neardup.Index(tmp_path / "index") as index:
        index.add(rows, text="name", id="no", source="s", fields={"city": "city"})
        alone = index.query("Acme Foods", limit=1)
        for fields in ([{}, {"city": "Ulm"}], [{"city": ""}, {"city": "Bonn"}]):
            together = index.query(["Acme Foods", "Acme Foods"], limit=1, fields=fields)
            assert answers(together[0]) == answers(alone)
            own = index.query("Acme Foods", limit=1, fields=fields[1])
            assert answers(together[1]) == answers(own) != answers(alone)


ROWS = [("Acme Foods", "Ulm"), ("Acme Foods", "Bonn"), ("Acme Food", "Ulm"), ("Acme Food", ""), ("Zenith Tools", "Ulm")]


def answers(matches: neardup.Matches) -> list[tuple[float, str | None]]:
    return [(match.probability, match.record.id) for match in matches]
