"""What the documents of the repository point at is there."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from paths import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(document):
    links = [urlsplit(link) for link in LINK.findall(document.read_text(encoding="utf-8"))]
    missing = [link.path for link in links if not link.scheme and not (document.parent / link.path).exists()]
    assert not missing


def test_the_map_of_the_code_names_every_room_and_nothing_else():
    rows = [
        line.split("|")[1]
        for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
        if "|" in line
    ]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    rooms = {
        str(path.relative_to(ROOT))
        for package in ("neardup", "dedup", "indexer", "cli")
        for path in (ROOT / package).rglob("*")
        if path.is_dir() and any(path.glob("*.py"))
    }
    unnamed = [room for room in sorted(rooms) if not {room, *map(str, list(Path(room).parents)[:-1])} & named]
    assert unnamed == []
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
