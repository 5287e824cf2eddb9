"""Normal forms of phone numbers, and of the domains of web pages and e-mail addresses."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from dedup.evidence.fields.field_kinds import missing_extra
from dedup.evidence.fields.identifiers import is_made_up

LOCAL_DIGITS = 7
"""Digits that count of a phone number whose country or area code is unknown."""
_LEAST_DIGITS = 5
_EXTENSION = re.compile(r" ?(?:ext|extension|x|#)\.? ?\d{1,6}$", re.IGNORECASE)
_WITH_DECIMAL = re.compile(r"(\+?\d+)\.0")
_ROUNDED = re.compile(r"\d[.,]\d+e\+?\d+", re.IGNORECASE)
"""What a spreadsheet makes of a long number: its last digits are lost."""
_BETWEEN = re.compile(r"[\s<>,;\"']+")
_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9-]+)+")
_HOST = re.compile(r"^[a-z][a-z0-9+.-]*://|^//|^mailto:", re.IGNORECASE)
_FREE_WORDS = """
    gmail googlemail yahoo ymail rocketmail hotmail outlook live msn aol icloud me mac gmx web t-online freenet mail
    inbox yandex rambler qq 163 126 sina sohu foxmail naver daum hanmail orange wanadoo free sfr laposte libero virgilio
    tiscali alice wp o2 onet interia seznam centrum comcast verizon att sbcglobal bellsouth cox charter earthlink juno
    optonline btinternet btopenworld virginmedia sky talktalk bigpond optusnet shaw rogers sympatico uol bol terra
    protonmail proton pm tutanota zoho fastmail bluewin telenet skynet ziggo kpnmail planet hetnet rediffmail
    facebook twitter x linkedin instagram youtube google wikipedia yelp tripadvisor blogspot wordpress wixsite
    squarespace example email localhost
"""
_FREE = frozenset(_FREE_WORDS.split())
"""Providers of mail and pages for everybody: the word before the public suffix."""


def phone_of(value: str, country: str = "") -> str:
    """Return a phone number as ``+`` and its digits if it is a valid one, else its last digits.

    ``country`` is the code of the record's country; without it only numbers with a country code can be valid.

    Raises:
        UsageError: phonenumbers is not installed.
    """
    phonenumbers = _phonenumbers()
    text = " ".join(unicodedata.normalize("NFKC", value).split())
    text = whole[1] if (whole := _WITH_DECIMAL.fullmatch(text)) else _EXTENSION.sub("", text)
    digits = "".join(char for char in text if char.isdecimal())
    if len(digits) < _LEAST_DIGITS or len(set(digits)) == 1 or _ROUNDED.fullmatch(text):
        return ""
    if len(digits) > LOCAL_DIGITS and is_made_up(digits):
        return ""
    text = f"+{text[2:]}" if text.startswith("00") else text
    try:
        number = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException:
        return digits
    is_valid = phonenumbers.is_valid_number(number)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)) if is_valid else digits


def domain_of(value: str) -> str:
    """Return the registered domain of a web page or an e-mail address; empty for free mail and for none.

    Raises:
        UsageError: publicsuffixlist is not installed.
    """
    words = [one for one in _BETWEEN.split(unicodedata.normalize("NFKC", value).replace("\u3002", ".")) if one]
    word = next((one for one in words if "@" in one), words[0] if words else "")
    host = re.split(r"[/?#]", _HOST.sub("", word), maxsplit=1)[0]
    host = host.rpartition("@")[2].partition(":")[0].strip(".").lower()
    if "." not in host:
        return ""
    try:
        host = host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    domain = _suffixes().privatesuffix(host)
    is_one = domain and _DOMAIN.fullmatch(domain)
    return "" if not is_one or label_of(domain) in _FREE else str(domain)


def label_of(domain: str) -> str:
    """Return the word before the public suffix (``acme`` of ``acme.co.uk``)."""
    return domain.partition(".")[0]


@cache
def _suffixes() -> Any:  # noqa: ANN401 - a list of publicsuffixlist
    try:
        from publicsuffixlist import PublicSuffixList
    except ModuleNotFoundError:
        raise missing_extra("publicsuffixlist") from None
    return PublicSuffixList(accept_unknown=False)


@cache
def _phonenumbers() -> Any:  # noqa: ANN401 - the module
    try:
        import phonenumbers
    except ModuleNotFoundError:
        raise missing_extra("phonenumbers") from None
    return phonenumbers
