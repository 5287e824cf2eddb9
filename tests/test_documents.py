"""What the documents of the repository point at is there."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(document):
    links = [urlsplit(link) for link in LINK.findall(document.read_text(encoding="utf-8"))]
    missing = [link.path for link in links if not link.scheme and not (document.parent / link.path).exists()]
    assert not missing


def test_the_map_of_the_code_has_every_module():
    rows = [
        line.split("|")[1]
        for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
        if "|" in line
    ]
    named = set()
    for row in rows:
        folder = ""
        for name in re.findall(r"`([^`]+)`", row):
            folder = name.rpartition("/")[0] or folder
            named.add(f"{folder}/{name.rpartition('/')[2]}".rstrip("/"))
    modules = [path.relative_to(ROOT) for package in ("dedup", "indexer") for path in (ROOT / package).rglob("*.py")]
    assert [
        str(path) for path in modules if path.stem != "__init__" and not {str(path), str(path.parent)} & named
    ] == []
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
