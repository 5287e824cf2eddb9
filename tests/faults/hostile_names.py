"""Names that try to leave their place in a page, in every place where a page has one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from report_pages import RUN, cluster, member, page

from indexer.outputs.html_report.contents import Changes, Page, SourceTotals

PIECES = (
    *("<script>alert(1)</script>", "</script>", "</style>", "<!--", "-->", "<![CDATA[", "]]>", "</title>", "</svg>"),
    *(
        '"',
        "'",
        "`",
        "&lt;",
        "&#60;img src=x&#62;",
        '" onload="x',
        "'><img src=x onerror=alert(1)>",
        "${x}",
        "$data",
        "$$",
    ),
    *("\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\x0c", "\x1b[31m", "👩‍🔧", "\U000e0041", "e\u0301" * 9),
    *("\\u003c/script>", "\\", "javascript:alert(1)", "</bdi>", "</ScRiPt >", "<plaintext>", "<base href=//x>"),
    *("&", "%3Cscript%3E", "\n", "x" * 4_000),
)
WORDS = ("", "Acme {} Ltd", "{}{}")
HARMLESS = "Acme"


class Case(NamedTuple):
    """A page with a name in one place, and the same page with a harmless one; ``packed`` if only the data have it."""

    name: str
    place: str
    page: Page
    control: Page
    is_packed: bool


def cases() -> Iterator[Case]:
    """Yield all cases."""
    names = [word.format(piece, piece) if word else piece for piece, word in itertools.product(PIECES, WORDS)]
    for name, place in itertools.product(names, ("text", "id", "source", "cell", "column", "reason")):
        yield Case(name, place, _packed(place, name), _packed(place, HARMLESS), True)
    for name, place in itertools.product(names, ("source total", "since", "kind", "version", "elsewhere", "time")):
        yield Case(name, place, _drawn(place, name), _drawn(place, HARMLESS), False)


def _packed(place: str, name: str) -> Page:
    values = {"cell": {"cells": [name]}, "reason": {"reasons": [name]}, "column": {}}.get(place, {place: name})
    first, second = (replace(member("Acme", probability), **values) for probability in (None, 0.9))
    made = page(replace(cluster("Acme", "Acme"), members=[first, second]))
    return replace(made, columns=[name]) if place == "column" else made


def _drawn(place: str, name: str) -> Page:
    changed = {
        "source total": {"sources": [SourceTotals(name, 10, 5)]},
        "since": {"changes": Changes(name, {"new": 1})},
        "kind": {"changes": Changes("then", {name: 1})},
        "version": {"version": name},
        "elsewhere": {"elsewhere": [name]},
        "time": {"runs": [RUN, replace(RUN, finished_at=name)]},
    }
    return page(cluster("Acme", "Acme Inc"), **changed[place])
