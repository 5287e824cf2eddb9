"""What the pages have in common: one file, with its style, that runs nothing and requests nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import TextIO

from indexer.outputs.differences import Runs, differences
from indexer.outputs.html_report.charts import safe
from indexer.outputs.html_report.write import content_policy

BEGINNING = "<!doctype html>\n<!-- A page of neardup -->\n"
"""The first lines, by which a later run knows that it may replace the file."""

_MOST_CHARACTERS = 600


def write_page(out: TextIO, title: str, under: str, sections: Iterable[tuple[str, str]]) -> None:
    """Write a page: ``title`` and the line ``under`` it as text, ``sections`` as headings and HTML.

    Raises:
        OSError: the file cannot be written.

    """
    shared = (files("indexer.outputs.html_report") / "page.css").read_text("utf-8")
    style = f"{shared}\n{(files(__package__) / 'page.css').read_text('utf-8')}".strip()
    body = "".join(
        f'<section aria-labelledby="s{at}"><h2 id="s{at}">{safe(heading)}</h2>{html}</section>\n'
        for at, (heading, html) in enumerate(sections)
    )
    out.write(
        f'{BEGINNING}<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{content_policy(style)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{safe(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{safe(title)}</h1><p>{safe(under)}</p></header>\n<main>\n{body}</main>\n"
        "<footer><p>This page requests nothing from any network.</p></footer>\n</body>\n</html>\n"
    )


def tiles(figures: Iterable[tuple[str, str, str]]) -> str:
    """Return figures side by side: a value, what it is, and a note."""
    items = "".join(
        f"<li><b>{safe(value)}</b> <span>{safe(what)}{f'<small>{safe(note)}</small>' if note else ''}</span></li>"
        for value, what, note in figures
    )
    return f'<ul class="tiles">{items}</ul>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Return a table; the cells of ``rows`` are HTML, the first of each names its row."""
    head = "".join(f"<th scope=col>{safe(name)}</th>" if name else "<td></td>" for name in columns)
    body = "".join(
        f"<tr><th scope=row>{first}</th>{''.join(f'<td>{cell}</td>' for cell in rest)}</tr>" for first, *rest in rows
    )
    named = f"<caption>{safe(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table>{named}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def differing(left: str, right: str) -> tuple[str, str]:
    """Return two texts as HTML in which the characters that differ are marked."""
    return tuple(_marked(runs) for runs in differences(_cut(left), _cut(right)))  # type: ignore[return-value]


def _marked(runs: Runs) -> str:
    return "".join(f"<mark>{safe(piece)}</mark>" if differs else safe(piece) for piece, differs in runs)


def _cut(text: str) -> str:
    more = len(text) - _MOST_CHARACTERS
    return text if more <= 0 else f"{text[:_MOST_CHARACTERS]} … and {more:,} more characters"
