"""Normal forms of official numbers: VAT ids, LEIs, company and article numbers, checked by python-stdnum.

A number of a known scheme whose checksum is right becomes ``scheme:country:number``. All else is plain text: its
capitals and digits. The checks are offline; python-stdnum's online look-ups are never called.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any

from dedup.evidence.fields.field_kinds import missing_extra

_SCHEMES = {
    "lei": "lei", "iban": "iban", "isin": "isin", "imo": "imo", "ein": "us.ein", "siren": "fr.siren",
    "siret": "fr.siret", "cnpj": "br.cnpj", "cpf": "br.cpf", "cif": "es.cif", "nif": "es.nif", "nip": "pl.nip",
    "regon": "pl.regon", "abn": "au.abn", "acn": "au.acn", "cvr": "dk.cvr", "ytunnus": "fi.ytunnus", "inn": "ru.inn",
    "ogrn": "ru.ogrn", "gstin": "in_.gstin", "uen": "sg.uen", "rfc": "mx.rfc", "cuit": "ar.cuit", "oib": "hr.oib",
    "egn": "bg.egn", "che": "ch.uid", "ico": "cz.dic", "partitaiva": "it.iva", "codicefiscale": "it.codicefiscale",
    "organisasjonsnummer": "no.orgnr", "organisationsnummer": "se.orgnr", "ruc": "pe.ruc", "nipc": "pt.nif",
    "ean": "ean", "gtin": "ean", "upc": "ean", "barcode": "ean", "isbn": "isbn", "issn": "issn", "nhs": "gb.nhs",
    "pesel": "pl.pesel", "personnummer": "se.personnummer", "dni": "es.dni", "nie": "es.nie", "bsn": "nl.bsn",
    "cnp": "ro.cnp", "curp": "mx.curp", "инн": "ru.inn", "огрн": "ru.ogrn", "αφμ": "gr.vat", "法人番号": "jp.cn",
    "统一社会信用代码": "cn.uscc", "社会信用代码": "cn.uscc", "사업자등록번호": "kr.brn", "사업자번호": "kr.brn",
}  # fmt: skip
"""Words in the name of a column, and the module of python-stdnum that checks its numbers."""
_VAT_WORDS = {
    "vat", "vatid", "ust", "ustid", "ustidnr", "umsatzsteuer", "umsatzsteuerid", "tva", "btw", "mwst", "iva", "piva",
    "moms", "taxid",
}  # fmt: skip
VAT = "vat"
_LEI_LENGTH = 20
_LEAST = 3
_COUNTING = "01234567890", "09876543210"
_LEAST_COUNTED = 6
_CODE = re.compile(r"[\W_]+")
_VAT_LIKE = re.compile(r"[A-Z]{2}[0-9A-Z]{7,13}")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VAT_PREFIXES = {"EL": "GR", "XI": "GB"}


def scheme_named(column: str) -> str:
    """Return the scheme that the name of a column tells, such as ``vat`` or ``us.ein``; empty if none."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).lower())
    keys = [*words, *map("".join, pairwise(words))]
    found = next((_SCHEMES[key] for key in keys if key in _SCHEMES), "")
    return found or (VAT if any(key in _VAT_WORDS for key in keys) else "")


def identifier_of(value: str, scheme: str = "", country: str = "") -> str:
    """Return the normal form of a number; empty for a placeholder such as ``0000``, ``n/a`` or ``applied for``.

    ``country`` is the code of the record's country, which a VAT id without prefix needs.

    Raises:
        UsageError: python-stdnum is not installed.
    """
    plain = _CODE.sub("", unicodedata.normalize("NFKC", value)).upper()
    if len(plain) < _LEAST or len(set(plain)) == 1 or is_made_up(plain.strip(_LETTERS)):
        return ""
    return _checked(plain, scheme, country) or plain


def is_made_up(number: str) -> bool:
    """Return whether a number, without its prefix, only fills a box: ``000000``, ``123456789``, or no digit at all."""
    if not any(map(str.isdecimal, number)):
        return True
    is_long = len(number) >= _LEAST_COUNTED
    return is_long and (len(set(number)) == 1 or any(number in order for order in _COUNTING))


def _checked(plain: str, scheme: str, country: str) -> str:
    if scheme not in ("", VAT):
        return _valid(scheme, plain) or (_vat(plain, country) if country else "")
    if len(plain) == _LEI_LENGTH and (lei := _valid("lei", plain)):
        return lei
    if _VAT_LIKE.fullmatch(plain) and (vat := _vat(plain, _VAT_PREFIXES.get(plain[:2], plain[:2]))):
        return vat
    return _vat(plain, country) if scheme == VAT and country else ""


def _valid(scheme: str, plain: str) -> str:
    module = _module(scheme)
    if not module.is_valid(plain):
        return ""
    country, _, name = scheme.rpartition(".")
    number = _LONGEST_FORM.get(scheme, module.compact)(plain)
    return f"{name}:{country.strip('_').upper()}:{_CODE.sub('', number).upper()}"


def _isbn_13(plain: str) -> str:
    return str(_module("isbn").to_isbn13(plain))


_LONGEST_FORM: Mapping[str, Callable[[str], str]] = {"ean": lambda plain: plain.zfill(14), "isbn": _isbn_13}
"""Schemes whose numbers come in several lengths: a UPC is an EAN with leading zeros, an ISBN-10 an ISBN-13."""


def _vat(plain: str, country: str) -> str:
    module = _vat_module(country)
    if module is None or not module.is_valid(plain):
        return ""
    number = _CODE.sub("", module.compact(plain)).upper()
    prefixes = [country, *(prefix for prefix, code in _VAT_PREFIXES.items() if code == country)]
    return f"{VAT}:{country}:{next((number[2:] for prefix in prefixes if number.startswith(prefix)), number)}"


@cache
def _module(scheme: str) -> Any:  # noqa: ANN401 - a module of python-stdnum
    try:
        return import_module(f"stdnum.{scheme}")
    except ModuleNotFoundError:
        raise missing_extra("python-stdnum") from None


@cache
def _vat_module(country: str) -> Any:  # noqa: ANN401
    try:
        from stdnum.util import get_cc_module
    except ModuleNotFoundError:
        raise missing_extra("python-stdnum") from None
    return get_cc_module(country, VAT) if country.isascii() and country.isalpha() and len(country) == 2 else None


def register_of(form: str) -> str:
    """Return scheme and country of the normal form of a valid number (``vat:DE``); empty for plain text."""
    return form.rpartition(":")[0]


def number_in(form: str) -> str:
    """Return the number in a normal form, without scheme and country."""
    return form.rpartition(":")[2]
