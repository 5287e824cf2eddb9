"""Normal forms of the parts of an address.

The table ``data/countries.json`` has the ISO 3166 codes and the names of each country in 39 languages, from
Unicode CLDR 48 (Unicode-3.0) and iso3166 (MIT), with common names and abbreviations added by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources

from dedup.text.gazetteer import places
from dedup.text.normalise import fold, normalise

_ZIP_PLUS_4 = re.compile(r"(\d{5})[ -]?\d{4}")
_COUNTRY_PREFIX = re.compile(r"[A-Za-z]{1,3}\s*-\s*(?=\d)")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_NUMBER = re.compile(r"\d+")
_SHORT = 3
FOUR_DIGITS = frozenset(
    {
        "AT",
        "AU",
        "BE",
        "BG",
        "CH",
        "CY",
        "DK",
        "GE",
        "HU",
        "LI",
        "LU",
        "LV",
        "MD",
        "MK",
        "NL",
        "NO",
        "NZ",
        "PH",
        "SI",
        "TN",
        "ZA",
    }
)
"""Countries whose postcodes have four digits; elsewhere four digits among five have lost a leading zero."""

_STATES = """
    al alabama, ak alaska, az arizona, ar arkansas, ca california, co colorado, ct connecticut, de delaware, fl florida,
    ga georgia, hi hawaii, id idaho, il illinois, in indiana, ia iowa, ks kansas, ky kentucky, la louisiana, me maine,
    md maryland, ma massachusetts, mi michigan, mn minnesota, ms mississippi, mo missouri, mt montana, ne nebraska,
    nv nevada, nh new hampshire, nj new jersey, nm new mexico, ny new york, nc north carolina, nd north dakota, oh ohio,
    ok oklahoma, or oregon, pa pennsylvania, pr puerto rico, ri rhode island, sc south carolina, sd south dakota,
    tn tennessee, tx texas, ut utah, vt vermont, va virginia, wa washington, wv west virginia, wi wisconsin, wy wyoming,
    dc district of columbia, ab alberta, bc british columbia, mb manitoba, nb new brunswick, ns nova scotia, on ontario,
    pe prince edward island, qc quebec, sk saskatchewan, nsw new south wales, qld queensland, vic victoria,
    tas tasmania, act australian capital territory, bw baden wurttemberg, by bayern, by bavaria,
    nrw nordrhein westfalen, nrw north rhine westphalia
"""
_STATE_CODES = {name: code for entry in _STATES.split(",") for code, _, name in [entry.strip().partition(" ")]}

_STREETS = """
        st street, ave avenue, ave av, rd road, dr drive, ln lane, blvd boulevard, pl place, ct court, sq square,
        hwy highway, pkwy parkway, ste suite, fl floor, apt apartment, bldg building, ter terrace, cres crescent,
        cir circle, rm room, n north, s south, e east, w west, ne northeast, nw northwest, se southeast, sw southwest,
        str strasse, str straße, pl platz, cl close, mt mount, cct circuit, box postfach
"""
_STREET_WORDS = {long: short for entry in _STREETS.split(",") for short, long in [entry.split()]}
_STREET_ENDS = ("strasse", "straße")
_CITY_WORDS = {"st": "saint", "ste": "sainte", "mt": "mount", "ft": "fort", "pt": "point", "hts": "heights"}


@cache
def _countries() -> Mapping[str, str]:
    data = json.loads(resources.files("dedup").joinpath("data/countries.json").read_text(encoding="utf-8"))
    return {name: code for code, names in data.items() for name in (code.lower(), *names)}


def country_of(value: str) -> str:
    """Return the two-letter code of a country, or its normal form where no table has it."""
    name = normalise(value)
    return _countries().get(name, name)


def state_of(value: str) -> str:
    """Return the normal form of a state or province: its usual code where the table has one."""
    name = fold(normalise(value))
    return _STATE_CODES.get(name, name)


@cache
def _cities() -> Mapping[str, str]:
    return {short: name for name, shorts in places().items() for short in shorts if len(short) > _SHORT}


def city_of(value: str) -> str:
    """Return the normal form of a town: ``Köln`` and ``Cologne`` are one, as are ``St. Louis`` and ``Saint Louis``."""
    name = fold(normalise(value))
    name = " ".join(_CITY_WORDS.get(word, word) for word in name.split())
    return _cities().get(name, name)


def postcode_of(value: str, country: str = "") -> str:
    """Return a postcode in capitals without spaces and country prefix; a US code without its last four digits.

    Where most codes have five digits, the caller adds the zeros that a spreadsheet has dropped (``padded``).
    """
    code = _COUNTRY_PREFIX.sub("", value.strip().removesuffix(".0"), count=1)
    if country in ("", "US") and (zip_code := _ZIP_PLUS_4.fullmatch(code)):
        code = zip_code[1]
    return re.sub(r"[\W_]+", "", code).upper()


def padded(code: str, country: str) -> str:
    """Return a postcode of three or four digits with its leading zeros, unless its country has such codes."""
    lost_zeros = code.isdecimal() and _SHORT <= len(code) < len("00000") and country not in FOUR_DIGITS
    return code.zfill(5) if lost_zeros else code


def street_of(value: str) -> str:
    """Return the normal form of street and house number, in usual abbreviations (``12 N Main St``)."""
    words = _ORDINAL.sub(r"\1", fold(normalise(value))).split()
    return " ".join(_street_word(word) for word in words if word not in ("no", "number", "nr"))


def _street_word(word: str) -> str:
    for end in _STREET_ENDS:
        if word.endswith(end) and word != end:
            return word.removesuffix(end) + "str"
    return _STREET_WORDS.get(word, word)


@lru_cache(maxsize=1 << 14)
def house_numbers(street: str) -> frozenset[str]:
    """Return the numbers in the normal form of a street."""
    return frozenset(_NUMBER.findall(street))


@lru_cache(maxsize=1 << 14)
def postcode_area(code: str) -> str:
    """Return the part of a postcode that names a district: all but the last three of a British code, else three."""
    is_british = len(code) >= len("M11AA") and code[0].isalpha() and not code.isalpha()
    return code[:-3] if is_british else code[: len(code) - 2 if len(code) <= len("1010") else 3]
