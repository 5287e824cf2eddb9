"""Write the page: one file, with its style, its script and its data, that requests nothing from anywhere.

Its content-security policy names the one style and the one script by their hashes and forbids everything else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import TextIO

from indexer.outputs.html_report import charts
from indexer.outputs.html_report.charts import safe
from indexer.outputs.html_report.contents import Changes, Page, RunTotals
from indexer.outputs.html_report.packed import pack

BEGINNING = "<!doctype html>\n<!-- A report of neardup -->\n"
"""The first lines, by which a later report knows that it may replace the file."""

_SIGNS = {"new": "+", "grown": "↑", "shrunk": "↓", "merged": "⇉", "split": "⇇", "dissolved": "×"}


def write_page(out: TextIO, page: Page) -> None:
    """Write the page to ``out``.

    Raises:
        OSError: the file cannot be written.

    """
    own = files(__package__)
    style, script, body = ((own / f"page.{name}").read_text("utf-8").strip() for name in ("css", "js", "html"))
    data, packed = pack(page.clusters, page.columns)
    parts = {
        "policy": content_policy(style, script),
        "style": style,
        "script": script,
        "data": data,
        "version": safe(page.version),
        "threshold": f"{page.min_probability:g}",
        "time": safe(page.runs[-1].finished_at.replace("T", " ").removesuffix("+00:00")) + " UTC",
        "new": _changes(page.changes, page.runs),
        "totals": _totals(page.runs),
        "trend": _trend(page.runs),
        "histogram": charts.histogram(page.probabilities, page.histogram_from, page.min_probability),
        "sizes": charts.sizes(page.sizes),
        "sources": charts.by_source(page.sources),
        "held": _held(page, packed),
        "elsewhere": _elsewhere(page),
    }
    out.write(BEGINNING + Template(body).substitute(parts) + "\n")


def content_policy(style: str, script: str | None = None) -> str:
    """Return the policy of a page: only this style and this script, and nothing from anywhere."""
    scripts = "" if script is None else f"script-src '{_hash(script)}'; "
    return f"default-src 'none'; {scripts}style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _changes(changes: Changes | None, runs: Sequence[RunTotals]) -> str:
    if changes is None:
        if len(runs) > 1:
            return "<p>Which clusters are new is not known: this run was not compared with an earlier one.</p>"
        return "<p>This is the first report of this index, so there is nothing to compare it with.</p>"
    if not changes.counts:
        return f"<p>Nothing has changed since {safe(changes.since)}.</p>"
    items = "".join(
        f'<li data-change="{safe(kind)}"><b>{count:,}</b> <span><i aria-hidden="true">{_SIGNS.get(kind, "·")}</i> '
        f"{safe(kind)}</span></li>"
        for kind, count in changes.counts.items()
    )
    return f'<p>Since {safe(changes.since)}:</p><ul class="tiles" id="changes">{items}</ul>'


def _totals(runs: Sequence[RunTotals]) -> str:
    now, before = runs[-1], runs[-2] if len(runs) > 1 else None
    share = f"{now.records_in_clusters / max(now.records, 1):.1%} of all"
    rows = [
        ("clusters", "clusters", ""),
        ("records_in_clusters", "records in clusters", share),
        ("records", "records", ""),
    ]
    return "".join(
        f"<li><b>{getattr(now, name):,}</b> <span>{said}{_since(name, now, before, more)}</span></li>"
        for name, said, more in rows
    )


def _since(name: str, now: RunTotals, before: RunTotals | None, more: str) -> str:
    notes = [more] if more else []
    if before is not None:
        difference = getattr(now, name) - getattr(before, name)
        notes.append(f"{difference:+,} since the last run" if difference else "as in the last run")
    return f"<small>{'; '.join(notes)}</small>" if notes else ""


def _trend(runs: Sequence[RunTotals]) -> str:
    if len(runs) < 2:
        return "<p>The trend begins with the second report of this index.</p>"
    rows = "".join(
        f"<tr><th scope=row>{safe(run.finished_at[:10])}</th><td>{run.clusters:,}</td>"
        f"<td>{run.records_in_clusters:,}</td><td>{run.records:,}</td></tr>"
        for run in reversed(runs)
    )
    return (
        f"<figure>{charts.trend(runs)}</figure><details><summary>The figures</summary><table><thead><tr>"
        "<th scope=col>run</th><th scope=col>clusters</th><th scope=col>records in clusters</th>"
        f"<th scope=col>records</th></tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _held(page: Page, packed: int) -> str:
    if not page.clusters_total:
        return "No duplicates were found."
    if packed == page.clusters_total:
        return "Lowest probability first."
    where = f" All are in {_names(page.elsewhere)}." if page.elsewhere else " Write a table as well to have all."
    return f"The {packed:,} worst of {page.clusters_total:,} clusters are here, lowest probability first.{where}"


def _elsewhere(page: Page) -> str:
    if page.elsewhere:
        return f"{_names(page.elsewhere)} beside this file"
    return "the tables that dedup report writes, such as --format html,csv"


def _names(names: Sequence[str]) -> str:
    *others, last = map(safe, names)
    return f"{', '.join(others)} and {last}" if others else last
