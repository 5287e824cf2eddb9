"""Pages of reports as tests make and read them."""

import base64
import gzip
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from indexer.outputs.html_report.contents import ClusterItem, Member, Page, RunTotals, SourceTotals
from indexer.outputs.html_report.write import write_page

RUN = RunTotals("2026-11-30T02:15:00+00:00", 100, 7, 20)


def member(text: str, probability: float | None = 0.9, **values: Any) -> Member:
    return replace(Member("crm", "r1", text, probability, False, ["+1.00 alike"], ["Ulm"]), **values)


def cluster(*texts: str, name: str = "c1", change: str = "") -> ClusterItem:
    members = [member(text, 0.9 if at else None) for at, text in enumerate(texts)]
    return ClusterItem(name, 0.8, len(texts), members, change)


def page(*clusters: ClusterItem, **values: Any) -> Page:
    simple = Page(
        version="1.0",
        min_probability=0.5,
        runs=[RUN],
        probabilities=[0, 3, 5],
        histogram_from=0.4,
        sizes={2: 7},
        sources=[SourceTotals("crm", 100, 20)],
        columns=["city"],
        clusters=clusters,
        clusters_total=len(clusters),
    )
    return replace(simple, **values)


def html_of(page: Page) -> str:
    out = io.StringIO()
    write_page(out, page)
    return out.getvalue()


def data_of(html: str) -> dict[str, Any]:
    """What the script reads."""
    (packed,) = re.findall(r'<script type="application/octet-stream" id="data">([A-Za-z0-9+/=]*)</script>', html)
    return json.loads(gzip.decompress(base64.b64decode(packed)))


class Structure(HTMLParser):
    """The tags of a page in order, its attributes and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())
