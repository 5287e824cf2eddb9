"""Which columns are taken for the text, the id and the place, in usual exports of many languages."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from paths import ROOT
from tables import write

from dedup.errors import InputRefused
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


ROLES = ("text", "id", "city", "postcode", "country")
LEAST_RIGHT = 0.97


def found_in(tmp_path, export: Export) -> tuple[str, ...]:
    header, *rows = (line.split(";") for line in export.lines)
    places = places_of(header, rows)
    with open_table(write(tmp_path, "\n".join(export.lines) + "\n")) as table:
        choice = table.choice
    at_places = ("-" if at is None else header[at] for at in (places.city, places.postcode, places.country))
    return "+".join(sorted(choice.text)), choice.id or "-", *at_places


def test_there_are_enough_exports_in_enough_languages() -> None:
    assert len(EXPORTS) >= 100
    assert len({export.title.split()[0] for export in EXPORTS}) >= 30


@pytest.mark.parametrize("role", ROLES)
def test_columns_are_found_in_nearly_all_exports(tmp_path, role):
    at = ROLES.index(role)
    wanted = {export.title: ("+".join(sorted(export.text)), export.id, *export.places)[at] for export in EXPORTS}
    found = {export.title: found_in(tmp_path, export)[at] for export in EXPORTS}
    wrong = {title: found[title] for title in wanted if found[title] != wanted[title]}
    assert len(wrong) <= (1 - LEAST_RIGHT) * len(EXPORTS), wrong


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


def test_an_id_of_one_value_is_not_the_id_if_another_column_is(tmp_path):
    rows = [f"q;{n:05};Person Number {n}" for n in range(40)]
    assert choice_of(tmp_path, "id;Kundennr.;name", rows) == (("name",), "Kundennr.")
    assert choice_of(tmp_path, "id;colour;name", rows)[1] == "id"  # an error in the data, which is told


@pytest.mark.parametrize(
    "name", ["Account ID (18)", "№ клієнта", "No. (SAP)", "Kunden-Nr [intern]", "客户编号（内部）"]
)
def test_signs_and_additions_in_brackets_do_not_hide_an_id(tmp_path, name):
    rows = [f"{5560 + n}-4567;{n + 10};Harbor Works" for n in range(20)]
    assert choice_of(tmp_path, f"Org.nr;{name};Firma (lang)", rows) == (("Firma (lang)",), name)


def test_a_single_column_of_numbers_called_an_id_is_no_text(tmp_path):
    with pytest.raises(InputRefused, match="no column that is clearly the text"):
        choice_of(tmp_path, "id", ["1", "2", "3"])
    assert choice_of(tmp_path, "id", ["Acme", "Beta", "3M"])[0] == ("id",)
    assert choice_of(tmp_path, "id", ["1", "2"], text_columns=["id"])[0] == ("id",)


def test_a_text_in_an_object_is_refused_with_the_remedy(tmp_path):
    lines = "".join(f'{{"id": {n}, "company": {{"name": "Acme {n}"}}}}\n' for n in range(20))
    with pytest.raises(InputRefused, match=r"'company'.*flatten the file first"), open_table(write(tmp_path, lines)):
        pass


def test_a_text_that_was_asked_for_is_not_the_id(tmp_path):
    rows = [f"K{n};Acme {n}" for n in range(20)]
    assert choice_of(tmp_path, "Kunden-Nr;Firma", rows, text_columns=["Kunden-Nr"]) == (("Kunden-Nr",), None)


def test_a_few_empty_cells_do_not_hide_an_id(tmp_path):
    rows = ["K1;Acme", "K2;Beta", ";;", ";Gamma", "K4;Delta"]
    assert choice_of(tmp_path, "Kunden-Nr;Firma", rows) == (("Firma",), "Kunden-Nr")


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Nombre;Apellidos;Ciudad", ("Nombre", "Apellidos")),
        ("Name;Vorname;Ort", ("Vorname", "Name")),
        ("Title;First name;Surname", ("First name", "Surname")),
        ("Full name;First name;Surname", ("Full name",)),
        ("Company name;First name;Surname", ("Company name",)),
        ("Name;First name;Surname", ("Name",)),
        ("Project name;First name;Surname", ("Project name",)),
        ("brand;title;colour", ("title",)),
    ],
)
def test_halves_of_a_name_are_joined_unless_there_is_a_whole_one(tmp_path, header, text):
    rows = [f"Anna{chr(97 + n)};Meier{chr(97 + n)};Kiel" for n in range(20)]
    assert choice_of(tmp_path, header, rows)[0] == text


@pytest.mark.parametrize(
    "name",
    [
        "Partnerkód",
        "Asiakasnro",
        "Kundnr",
        "顧客ID",
        "customerid",
        "รหัสลูกค้า",
        "Mã khách hàng",
        "ग्राहक संख्या",
        "מספר לקוח",
    ],
)
def test_a_customer_number_comes_before_the_number_of_a_register(tmp_path, name):
    rows = [f"{5560 + n}-4567;{n + 10};Harbor Works" for n in range(20)]
    assert choice_of(tmp_path, f"Organisationsnummer;{name};Firma", rows) == (("Firma",), name)


@pytest.mark.parametrize("name", ["clientpaid", "leadsource", "Storekind", "Kundenart"])
def test_a_word_that_ends_like_a_number_is_none(tmp_path, name):
    rows = [f"{n + 10};Harbor Works" for n in range(5)]
    assert choice_of(tmp_path, f"kind;{name};Firma", [f"a;{row}" for row in rows])[1] is None


def test_values_that_contradict_the_names_of_columns_are_believed(tmp_path):
    rows = [f"{1100 + n};Escola de Porto {chr(97 + n)}elho" for n in range(20)]
    assert choice_of(tmp_path, "CO_ENTIDADE;NO_ENTIDADE", rows) == (("NO_ENTIDADE",), "CO_ENTIDADE")
    assert choice_of(tmp_path, "company;code", ["3M;X1", "1818;X2", "4711;X3"]) == (("company",), "code")
