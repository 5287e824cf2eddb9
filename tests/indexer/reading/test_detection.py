"""Which columns are taken for the text, the id and the place, in usual exports of many languages."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from paths import ROOT
from tables import write

from indexer.reading.detection.roles import places_of
from indexer.reading.open import ReadOptions, open_table


@dataclass(frozen=True)
class Export:
    """An export, and the names of its columns in the roles; ``-`` where there is none."""

    title: str
    text: tuple[str, ...]
    id: str
    places: tuple[str, str, str]
    lines: tuple[str, ...]


def exports() -> list[Export]:
    found = []
    for block in (ROOT / "tests/fixtures/exports.txt").read_text("utf-8").strip().split("\n\n"):
        head, *lines = block.splitlines()
        language, system, text, id_, *places = (part.strip() for part in head.removeprefix("#").split(" | "))
        city, postcode, country = places
        found.append(
            Export(f"{language} {system}", tuple(text.split("+")), id_, (city, postcode, country), tuple(lines))
        )
    return found


EXPORTS = exports()


def test_there_are_enough_exports_in_enough_languages() -> None:
    assert len(EXPORTS) >= 60
    assert len({export.title.split()[0] for export in EXPORTS}) >= 12


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.title)
def test_text_and_id_are_found(tmp_path, export):
    with open_table(write(tmp_path, "\n".join(export.lines) + "\n")) as table:
        assert set(table.choice.text) == set(export.text)
        assert (table.choice.id or "-") == export.id


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.title)
def test_the_place_is_found(export):
    header, *rows = (line.split(";") for line in export.lines)
    places = places_of(header, rows)
    found = ["-" if at is None else header[at] for at in (places.city, places.postcode, places.country)]
    assert tuple(found) == export.places


def choice_of(tmp_path, header: str, rows: list[str], **options: object):
    text = "\n".join([header, *rows]) + "\n"
    with open_table(write(tmp_path, text), ReadOptions(delimiter=";", **options)) as table:
        return table.choice.text, table.choice.id


def test_unnamed_columns_are_known_by_their_values(tmp_path):
    rows = [f"K-{n:05};{n % 3};Harbor Granite Works number {chr(97 + n % 26)}{chr(97 + n // 26)};x" for n in range(60)]
    assert choice_of(tmp_path, "foo;bar;baz;qux", rows) == (("baz",), "foo")


@pytest.mark.parametrize(
    "cells",
    [
        lambda n: f"{n // 3}",  # repeats
        lambda n: f"{n * 7}.5",  # fractions
        lambda n: f"2026-01-{n % 28 + 1:02}",  # dates
        lambda n: f"user{n}@mail.example",
        lambda n: f"+49 228 {n:06}",  # telephone numbers
        lambda n: "" if n % 2 else f"{n}",  # too few
    ],
)
def test_values_that_are_no_ids_are_not_taken_for_ids(tmp_path, cells):
    rows = [f"{cells(n)};Harbor Works {n}" for n in range(60)]
    assert choice_of(tmp_path, "foo;Firma", rows) == (("Firma",), None)


def test_a_company_id_that_repeats_is_not_the_id(tmp_path):
    rows = [f"{n // 4};Person Number {n};{n}" for n in range(40)]
    assert choice_of(tmp_path, "company_id;name;contact_id", rows) == (("name",), "contact_id")


def test_a_text_that_was_asked_for_is_not_the_id(tmp_path):
    rows = [f"K{n};Acme {n}" for n in range(20)]
    assert choice_of(tmp_path, "Kunden-Nr;Firma", rows, text_columns=["Kunden-Nr"]) == (("Kunden-Nr",), None)


def test_a_few_empty_cells_do_not_hide_an_id(tmp_path):
    rows = ["K1;Acme", "K2;Beta", ";;", ";Gamma", "K4;Delta"]
    assert choice_of(tmp_path, "Kunden-Nr;Firma", rows) == (("Firma",), "Kunden-Nr")
