"""What the documents of the repository point at is there."""

import ast
import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from paths import ROOT
from typer.main import get_command

from cli.main import app

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


OPTION = re.compile(r"(?<![\w/.-])--[a-z][a-z-]*[a-z]")
OTHERS = re.compile(r"^.*\bpython \S+\.py\b.*$|\]\(\S*\)|mypy --strict|systemctl enable --now", re.MULTILINE)
"""Options of other programs and of our scripts, and anchors of links."""
PAGES = [page for page in DOCUMENTS if page.parent != ROOT / "benchmarks"]
TEXTS = sorted(path for package in ("cli", "indexer", "dedup", "neardup") for path in (ROOT / package).rglob("*.py"))


@cache
def options() -> dict[str, set[str]]:
    """The options of each command, with those of its own commands."""
    program = get_command(app)
    return {
        name: {
            "--help",
            *(option for one in (command, *members_of(name, command)) for param in one.params for option in param.opts),
        }
        for name, command in {"": program, **program.commands}.items()
    }


def members_of(name: str, command: object) -> list:
    return list(getattr(command, "commands", {}).values()) if name else []


def commands_in(text: str) -> list[tuple[str, set[str]]]:
    """The commands that a text shows, each with its options; in a chain each command has its own."""
    text = text.replace("\\\n", " ")
    found = re.findall(r"(?<![\w-])dedup ([a-z]+)\b([^\n`|;&>]*)", text)
    return [(name, set(OPTION.findall(rest))) for name, rest in found if name in options()]


def messages_of(path: Path) -> str:
    """The texts in a module: messages, help and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return "\n".join(
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


@pytest.mark.parametrize("path", [*PAGES, *TEXTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_option_is_named_that_does_not_exist(path):
    known = options()
    text = messages_of(path) if path.suffix == ".py" else OTHERS.sub("", path.read_text(encoding="utf-8"))
    assert set(OPTION.findall(text)) - set.union(*known.values()) == set()
    assert [(command, one) for command, used in commands_in(text) for one in used - known[command]] == []


def test_an_option_that_does_not_exist_would_be_noticed():
    assert set(OPTION.findall("use `--nonsense`, (--two-words) and --end.")) == {"--nonsense", "--two-words", "--end"}
    assert OPTION.findall("a--b, lib/--x and ---") == []
    assert commands_in("`dedup report --sync` and dedup index a.csv --sync && dedup report --output x") == [
        ("report", {"--sync"}),
        ("index", {"--sync"}),
        ("report", {"--output"}),
    ]
    assert "--sync" not in options()["report"]
