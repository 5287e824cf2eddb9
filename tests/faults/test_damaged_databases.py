"""Every edit of a database by hand: ``verify`` finds it, and no command fails in a way that is not documented."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import damage
import pytest
from damage import DAMAGED, SOUND
from indexed import MODEL
from invocation import dedup_

import neardup
from cli.exit_codes import BUG
from dedup.text.corpus import Corpus
from indexer.store.store import to_json

DOCUMENTED = {0, *range(2, 9)}
ROWS = [
    *(("1", "Northwind Trading", "Berlin"), ("2", "Northwind Tradng", "Berlin"), ("3", "NORTHWIND TRADING", "")),
    *(("4", "Blue Ocean Shipping", "Oslo"), ("5", "Blue Ocean Shiping", "Øster"), ("6", "Contoso Foods", "Rome")),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two sources, a snapshot, a text added since, and one deleted since."""
    directory = tmp_path_factory.mktemp("sound")
    (directory / "names.csv").write_text("id,name,city\n" + "".join(f"{','.join(row)}\n" for row in ROWS), "utf-8")
    with neardup.Index(directory / "workspace", model=MODEL) as index:
        index.add(directory / "names.csv")
        index.add([{"id": 7, "name": "Added Later"}, {"id": 8, "name": "Fabrikam Steel"}])
        index.delete("6")
        index.report(directory / "report")
    corpus = to_json({"texts": 6, "corpus": Corpus().to_json()})
    damage.run_sql(_database(directory), f"INSERT INTO store_meta VALUES ('corpus', '{corpus}')")
    return directory


def _database(directory: Path) -> Path:
    return directory / "workspace" / "neardup.sqlite"


@pytest.fixture(scope="module", autouse=True)
def without_training() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dedup.model.load_model", lambda: MODEL)
        yield


def test_no_edit_is_missed(sound: Path, tmp_path: Path) -> None:
    problems, done = [], Counter()
    for n, edit in enumerate(damage.edits(_database(sound))):
        directory = tmp_path / str(n)
        shutil.copytree(sound, directory)
        if edit.apply(_database(directory)):
            done[edit.expected] += 1
            problems += _problems(directory, edit)
        shutil.rmtree(directory)
    assert problems == []
    assert done[DAMAGED] >= 500 and done[SOUND] >= 15


def _problems(directory: Path, edit: damage.Edit) -> list[str]:
    file = directory / "names.csv"
    commands = (
        ("verify",),
        ("status",),
        ("query", "Northwind Trading"),
        ("report", "--output", directory / "report", "--quiet"),
        ("index", file, "--quiet"),
        ("delete", "--id", "1"),
    )
    found = []
    for command, *arguments in commands:
        result = dedup_(command, *arguments, "--workspace", directory / "workspace")
        code, line = result.exit_code, (result.stderr.strip().splitlines() or [""])[-1]
        if code == BUG or code not in DOCUMENTED or "This is a bug" in result.output:
            found.append(f"{edit.name}: {command} ends with {code}: {line}")
        elif command == "verify" and code != edit.expected:
            found.append(f"{edit.name}: verify ends with {code}, not {edit.expected}: {line or result.stdout}")
        elif edit.expected == SOUND and code != 0:
            found.append(f"{edit.name}: {command} ends with {code}: {line}")
    return found
