"""What a column holds is found by its name and its values."""

import pytest

from indexer.reading.detection.field_columns import kind_of_column

_COLUMNS = [
    ("city", ["Ulm", "Bad Ems"], "city"),
    ("Ort", ["Ulm", "Neu-Ulm"], "city"),
    ("ville", ["Paris", "Lyon"], "city"),
    ("suburb", ["marsden", "cleveland"], "city"),
    ("PLZ", ["89073", "D-89231"], "postcode"),
    ("zip_code", ["04644-0126"], "postcode"),
    ("Postcode", ["SW1A 1AA"], "postcode"),
    ("country", ["DE", "Germany"], "country"),
    ("billing_country", ["NA", "DE"], "country"),
    ("state", ["ME", "Ohio"], "state"),
    ("Bundesland", ["Bayern"], "state"),
    ("street_address", ["12 Main St"], "street"),
    ("Straße", ["Hauptstr. 5"], "street"),
    ("address", ["12 N Main"], "street"),
    ("vat", ["DE136695976"], "id"),
    ("USt-IdNr.", ["DE136695976"], "id"),
    ("lei", ["5493001KJTIIGC8Y1R12"], "id"),
    ("ein", ["010024907"], "id"),
    ("siret", ["73282932000074"], "id"),
    ("phone", ["3865286"], "phone"),
    ("Telefon", ["0731 / 123-456"], "phone"),
    ("fax number", ["(312) 555-0101"], "phone"),
    ("email", ["info@acme.de"], "domain"),
    ("website", ["www.acme.com", "acme.de"], "domain"),
    ("date_of_birth", ["19560409"], "date"),
    ("founded", ["2001-02-03"], "date"),
    ("employees", ["1,200", "15"], "number"),
    ("legal form", ["GmbH"], "category"),
    ("Branche", ["Maschinenbau"], "category"),
    ("trade_name", ["Acme"], "company"),
    ("former name", ["Acme Widgets"], "company"),
    ("dba", ["Acme"], "company"),
    ("col7", ["info@acme.de", "http://acme.de/x"], "domain"),
    ("x", ["+49 731 123456", "+1 312 555 0101"], "phone"),
    ("x", ["2020-01-02", "2021-03-04 10:00"], "date"),
    ("x", ["DE136695976", "ATU12345678"], "id"),
    ("Codice fiscale", ["00743110157"], "id"),
    ("EAN", ["4006381333931"], "id"),
    ("ssn", ["1804974"], "id"),
    ("ホームページ", ["https://yamada.co.jp"], "domain"),
    ("网站", ["www.hw.com.cn"], "domain"),
    ("成立日期", ["1999/03/01"], "date"),
    ("設立日", ["1999-03-01"], "date"),
    ("brand", ["Canon"], "category"),
]
_NOT_OF_THE_NAME = [
    ("phone", ["info@acme.de"], "domain"),
    ("address", ["info@acme.de", "sales@acme.de"], "domain"),
    ("phone", ["call reception", "ask for Bob"], None),
    ("date", ["soon", "later"], None),
    ("employees", ["many", "few"], None),
    ("website", ["none yet", "in the works"], None),
    ("country", ["12", "13"], None),
    ("vat", ["yes", "no"], None),
    ("notes", ["call again", "nice people"], None),
    ("xyz", ["abc", "def"], None),
    ("id", ["1", "2"], None),
]


@pytest.mark.parametrize(("name", "values", "kind"), [*_COLUMNS, *_NOT_OF_THE_NAME])
def test_a_column_has_a_kind(name: str, values: list[str], kind: str | None) -> None:
    assert kind_of_column(name, values) == kind


@pytest.mark.parametrize(("name", "values", "kind"), _COLUMNS)
def test_blanks_do_not_matter(name: str, values: list[str], kind: str) -> None:
    assert kind_of_column(name.upper(), ["", " ", *values, ""]) == kind


def test_a_name_alone_is_enough() -> None:
    assert kind_of_column("postcode", []) == "postcode"
    assert kind_of_column("anything", []) is None
