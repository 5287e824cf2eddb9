"""Pages with what a benchmark measured, and below it what was written about it by hand."""

from __future__ import annotations

from pathlib import Path

BY_HAND = "<!-- What follows is written by hand. -->"


def put(page: Path, measured: str) -> None:
    """Replace what was measured on a page of Markdown, and keep what stands from ``BY_HAND`` on."""
    page.write_text(renewed(page.read_text(encoding="utf-8"), measured), encoding="utf-8")


def renewed(text: str, measured: str) -> str:
    """Return the text of a page with other measurements."""
    return f"{measured}\n{BY_HAND}{text.partition(BY_HAND)[2]}"
