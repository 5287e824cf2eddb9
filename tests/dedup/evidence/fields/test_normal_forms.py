"""Values of fields that mean the same have one normal form."""

import sys
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.errors import UsageError
from dedup.evidence.fields import contacts, identifiers
from dedup.evidence.fields.field_kinds import FieldKind, kind_named
from dedup.evidence.fields.field_table import FieldTable
from dedup.evidence.fields.normal_forms import Field, forms_of

TEXT = st.text(max_size=40)
AS_ONE = [
    ("country", ["Germany", "Deutschland", "DE", "de", "DEU", "Allemagne", "ドイツ"]),
    ("country", ["United Kingdom", "UK", "U.K.", "GB", "England", "Scotland"]),
    ("country", ["USA", "U.S.A.", "United States of America", "us"]),
    ("country", ["Netherlands", "The Netherlands", "Holland", "NL"]),
    ("country", ["Namibia", "NA"]),
    ("state", ["Maine", "ME", "me"]),
    ("state", ["New South Wales", "NSW"]),
    ("city", ["Köln", "Koeln", "Cologne", "KÖLN"]),
    ("city", ["St. Louis", "Saint Louis", "ST LOUIS"]),
    ("city", ["Mt Desert", "Mount Desert"]),
    ("postcode", ["89073", "D-89073", "DE-89073", " 89 073 "]),
    ("postcode", ["04644-0126", "04644-0000", "04644", "046440126"]),
    ("postcode", ["SW1A 1AA", "sw1a1aa"]),
    ("postcode", ["1010", "A-1010", "1010.0"]),
    ("street", ["12 N. Main Street", "12 North Main St", "12 n main st."]),
    ("street", ["Hauptstraße 5", "Hauptstrasse 5", "Hauptstr. 5"]),
    ("street", ["P.O. Box 12", "PO BOX 12", "P O Box 12"]),
    ("street", ["221 E. 51st St.", "221 East 51 Street"]),
    ("phone", ["+49 731 1234567", "0049 731 1234567", "+49 (731) 123 45 67", "+49 731 1234567 ext. 12"]),
    ("phone", ["386-5286", "3865286"]),
    ("domain", ["https://www.acme.co.uk/shop?x=1", "Info@ACME.co.uk", "acme.co.uk", "http://shop.acme.co.uk:8080"]),
    ("domain", ["münchen.de", "xn--mnchen-3ya.de"]),
    ("id", ["DE136695976", "DE 136 695 976", "de136695976"]),
    ("id", ["5493001KJTIIGC8Y1R12", "5493 001K JTII GC8Y 1R12"]),
    ("date", ["2020-03-04", "20200304", "4.3.2020", "04/03/2020", "2020-03-04 10:00:00"]),
    ("number", ["1,234.50", "1.234,50", "1234.5", "$1,234.50", "1 234,5"]),
    ("category", ["Non-Profit", "non profit"]),
    ("phone", ["+1 650 253 0000", "+16502530000.0", "+1\u00a0650\u2009253\u00a00000", "＋１ ６５０ ２５３ ００００"]),
    ("domain", ["Bob Ray <bob@acme.de>", "acme。de", "ａｃｍｅ.de", "bob@acme.de; eve@acme.de"]),
    ("domain", ["medium.com", "https://medium.com/@acme"]),
    ("id", ["DE136695976", "ＤＥ１３６６９５９７６"]),
    ("number", ["0.125", "0,125"]),
    ("number", ["1234.567", "1,234.567", "1.234,567", "1’234.567", "1\u202f234,567"]),
    ("number", ["1,234,567", "1.234.567", "1234567", "1 234 567", "1.234567E+06"]),
    ("number", ["0", "-0", "0.00"]),
    ("number", ["-1234.5", "\u22121,234.50", "-$1,234.50", "$-1234.5"]),
]
NOTHING = [
    ("city", ["", " ", "-", "n/a", "N/A", "unknown", "NULL", "??", "\\N", "(null)", "[unknown]", "#REF!"]),
    ("phone", ["0000000", "n/a", "12", "call us"]),
    ("domain", ["bob@gmail.com", "https://www.facebook.com/acme", "none", "co.uk", "acme", "bob@t-online.de"]),
    ("id", ["0000", "N/A", "1", "999999999", "--"]),
    ("date", ["soon", "2020-13-45", "31.2.2020", "0000-00-00"]),
    ("number", ["many", "-", "1-2", "9" * 400, "1e999", "NaN", "inf"]),
    ("id", ["123456789", "12-3456789", "98765432", "DE123456789", "GB000000000", "PL0000000000", "ESA00000000"]),
    ("id", ["PENDING", "applied for", "exempt", "see notes"]),
    ("phone", ["0123456789", "4.97311E+11", "+" * 100_000 + "1", "1" + " " * 100_000 + "x"]),
    ("domain", ["info(at)acme.de", "bob@", "@", "\ud83d.de", "x" * 70 + ".de", "1.2.3.4", "[::1]"]),
    ("date", ["1.1.202", "1.1.100", "31.02.2020"]),
]
APART = [
    ("postcode", ["89073", "89075"]),
    ("domain", ["acme.co.uk", "zenith.co.uk"]),
    ("domain", ["acme.blogspot.com", "zenith.blogspot.com"]),
    ("street", ["12 Main St", "14 Main St"]),
    ("state", ["NC", "North Dakota"]),
    ("country", ["Niger", "Nigeria"]),
    ("id", ["DE136695976", "DE136695977"]),
    ("number", ["0.125", "125", "1250"]),
    ("number", ["12345.678", "12345678"]),
]


@pytest.mark.parametrize(("kind", "values"), AS_ONE)
def test_one_value_has_one_form(kind: str, values: list[str]) -> None:
    forms = forms_of(kind_named(kind), values)
    assert len(set(forms)) == 1
    assert forms[0]


@pytest.mark.parametrize(("kind", "values"), NOTHING)
def test_a_placeholder_is_missing(kind: str, values: list[str]) -> None:
    assert forms_of(kind_named(kind), values) == [""] * len(values)


@pytest.mark.parametrize(("kind", "values"), APART)
def test_different_values_stay_apart(kind: str, values: list[str]) -> None:
    assert len(set(forms_of(kind_named(kind), values))) == len(values)


@pytest.mark.parametrize("kind", list(FieldKind))
@settings(max_examples=60, deadline=None)
@given(values=st.lists(TEXT, max_size=4))
def test_any_text_has_a_form_that_depends_on_nothing_else(kind: FieldKind, values: list[str]) -> None:
    forms = forms_of(kind, values)
    assert len(forms) == len(values)
    if kind not in (FieldKind.DATE, FieldKind.POSTCODE):  # their columns tell the order of days and lost zeros
        assert forms == [forms_of(kind, [value])[0] for value in values]


@pytest.mark.parametrize("kind", ["country", "state", "city", "street", "category", "company", "postcode"])
@settings(max_examples=60, deadline=None)
@given(value=TEXT)
def test_space_around_a_value_does_not_matter(kind: str, value: str) -> None:
    assert forms_of(kind_named(kind), [f"  {value} "]) == forms_of(kind_named(kind), [value])


@given(st.dates(min_value=date(1931, 1, 1), max_value=date(2030, 12, 31)))
def test_a_date_is_read_in_every_usual_order(day: date) -> None:
    want = f"{day:%Y%m%d}"
    assert (
        forms_of(FieldKind.DATE, [f"{day:%Y-%m-%d}", f"{day:%Y%m%d}", f"{day:%d.%m.%Y}", f"{day:%d.%m.%y}"])
        == [want] * 4
    )
    # 25 in the second place of another row tells the order of the column
    assert forms_of(FieldKind.DATE, [f"{day:%m/%d/%Y}", "12/25/2020"])[0] == want


@given(st.floats(min_value=-1e9, max_value=1e9).map(lambda x: round(x, 2)))
def test_a_number_is_read_with_point_and_comma(value: float) -> None:
    written = [f"{value:.2f}", f"{value:,.2f}", f"{value:.2f}".replace(".", ",")]
    assert [float(form) for form in forms_of(FieldKind.NUMBER, written)] == [value] * 3


@given(st.from_regex(r"[0-9]{5}", fullmatch=True))
def test_a_spreadsheet_may_drop_leading_zeros_of_a_postcode(code: str) -> None:
    short = code.lstrip("0")
    others = ["12345", "54321", "11111", "22222"]
    if len(short) >= 3:
        assert forms_of(FieldKind.POSTCODE, [short, *others])[0] == code


def test_four_digits_stay_where_postcodes_have_four() -> None:
    fields = {
        "plz": Field(FieldKind.POSTCODE, ["1010", "1010", "89073", "89075", "10115"]),
        "land": Field(FieldKind.COUNTRY, ["Österreich", "DE", "DE", "DE", "DE"]),
    }
    column = FieldTable.of(list("abcde"), fields).columns[0]
    assert [column.forms[code] for code in column.codes[:2]] == ["1010", "01010"]


def test_the_country_of_the_record_completes_a_number() -> None:
    fields = {
        "vat": Field(FieldKind.ID, ["136695976", "DE136695976", "136695976"]),
        "phone": Field(FieldKind.PHONE, ["0731 1234567", "+49 731 1234567", "0731 1234567"]),
        "country": Field(FieldKind.COUNTRY, ["Germany", "", ""]),
    }
    vat, phone, _ = FieldTable.of(list("abc"), fields).columns
    assert vat.codes[0] == vat.codes[1] != vat.codes[2]
    assert phone.codes[0] == phone.codes[1] != phone.codes[2]


def test_a_failed_checksum_is_plain_text() -> None:
    assert forms_of(FieldKind.ID, ["DE136695976", "DE136695977"], "vat") == ["vat:DE:136695976", "DE136695977"]


@pytest.mark.parametrize("column", ["vat", "USt-IdNr", "LEI code", "ein", "customerVatId", "siren"])
def test_the_name_of_a_column_tells_the_scheme(column: str) -> None:
    assert identifiers.scheme_named(column)


@pytest.mark.parametrize(
    ("module", "kind"), [("stdnum", "id"), ("phonenumbers", "phone"), ("publicsuffixlist", "domain")]
)
def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, module: str, kind: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(contacts, "_suffixes", contacts._suffixes.__wrapped__)
    monkeypatch.setattr(contacts, "_phonenumbers", contacts._phonenumbers.__wrapped__)
    monkeypatch.setattr(identifiers, "_vat_module", identifiers._vat_module.__wrapped__)
    with pytest.raises(UsageError, match=r"pip install 'neardup\[fields\]'"):
        forms_of(kind_named(kind), ["DE136695976" if kind == "id" else "www.acme.com +49 731 123456"])


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="'colour' is no kind of field; choose one of country, state"):
        kind_named("colour")


def test_a_field_has_a_value_for_each_record() -> None:
    with pytest.raises(UsageError, match="'city' has 1 values for 2 records"):
        FieldTable.of(["Acme", "Zenith"], {"city": Field(FieldKind.CITY, ["Ulm"])})
