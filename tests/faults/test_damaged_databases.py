"""Every edit of a database by hand: ``verify`` finds it, and no command fails in a way that is not documented."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path

import damage
import pytest
from damage import DAMAGED, SNAPSHOT, SOUND, Edit
from indexed import MODEL
from invocation import dedup_

import neardup
from cli.exit_codes import BUG
from dedup.errors import CorruptStore, DedupError, VersionMismatch
from dedup.text.corpus import Corpus
from indexer.jobs.verify import worst_kind
from indexer.store.store import to_json

MORE_EXAMPLES = "NEARDUP_MORE_EXAMPLES" in os.environ
"""Make every edit and every call after it, not every eighth wrong value and one call by turns."""

CALLS = ("status", "query", "duplicates", "report", "add", "delete")
DOCUMENTED = {0, *range(2, 9)}
ROWS = [
    *(("1", "Northwind Trading", "Berlin"), ("2", "Northwind Tradng", "Berlin"), ("3", "NORTHWIND TRADING", "")),
    *(("4", "Blue Ocean Shipping", "Oslo"), ("5", "Blue Ocean Shiping", "Øster"), ("6", "Contoso Foods", "Rome")),
]


@pytest.fixture(autouse=True)
def no_trained_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.model.load_model", lambda: MODEL)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two sources, a snapshot, texts added and deleted since, two reports and a judgement."""
    directory = tmp_path_factory.mktemp("sound")
    (directory / "names.csv").write_text("id,name,city\n" + "".join(f"{','.join(row)}\n" for row in ROWS), "utf-8")
    with neardup.Index(directory / "workspace", model=MODEL) as index:
        index.add(directory / "names.csv")
        index.add([{"id": 7, "name": "Added Later"}, {"id": 8, "name": "Fabrikam Steel"}])
        index.delete("6")
        index.add([{"id": 9, "name": "Zeta Oil Co"}, {"id": 10, "name": "Zeta Oil Coo"}])
        index.report(directory / "report")
        index.add([{"id": 11, "name": "Fabrikam Steell"}])
        index.delete("10")
        index.report(directory / "report")
        index.judge(("names", "1"), ("names", "2"), "same", by="somebody")
    corpus = to_json({"texts": 6, "corpus": Corpus().to_json()})
    # without free pages: what happens to those does no harm
    damage.run_sql(
        _database(directory),
        "VACUUM",
        f"INSERT INTO store_meta VALUES ('corpus', '{corpus}')",
        f"INSERT INTO model VALUES (2, '{'b' * 64}')",  # to which the index is changing
        "INSERT INTO next_vector SELECT text_id, 2, code FROM text_vector WHERE text_id IN (3, 4)",
    )
    return directory


def _database(directory: Path) -> Path:
    return directory / "workspace" / "neardup.sqlite"


def _applied(sound: Path, copies: Path, edits: Iterable[Edit]) -> Iterator[tuple[Edit, Path]]:
    """Yield each edit with a copy of the sound workspace to which it was done."""
    for number, edit in enumerate(edits):
        directory = copies / str(number)
        shutil.copytree(sound, directory)
        if edit.apply(_database(directory)):
            yield edit, directory
        shutil.rmtree(directory)


def of_python(directory: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what an index is asked from Python."""
    with neardup.Index(directory / "workspace", model=MODEL) as index:
        yield "verify", index.verify
        yield "status", index.status
        yield "query", lambda: index.query("Northwind Trading")
        index.close()
        yield "duplicates", index.duplicates
        yield "report", lambda: index.report(directory / "report")
        yield "add", lambda: index.add(directory / "names.csv")
        yield "delete", lambda: index.delete("1")


def verified(verification: neardup.Verification) -> int:
    """Return the exit code of the command for what ``verify`` found."""
    return {None: SOUND, "truth": DAMAGED, "vectors": SNAPSHOT, "snapshot": SNAPSHOT}[
        worst_kind([*verification.checks])
    ]


def attempt(work: Callable[[], object]) -> tuple[int, str]:
    """Return how a call ends, as the exit code of its command, with the message."""
    try:
        result = work()
    except DedupError as error:
        codes = {CorruptStore: DAMAGED, VersionMismatch: 7}
        return next((code for kind, code in codes.items() if isinstance(error, kind)), 2), str(error)
    except Exception as error:  # what the command line calls a bug
        return BUG, repr(error)
    if isinstance(result, neardup.Verification):
        return verified(result), " ".join(result.faults)
    return 0, ""


def problems_of(edit: Edit, directory: Path, others: Container[str]) -> list[str]:
    """Verify an edited workspace, make the ``others`` of its calls, and describe what goes wrong."""
    found = []
    for name, work in of_python(directory):
        if name != "verify" and name not in others:
            continue
        code, message = attempt(work)
        is_wrong = code != edit.expected if name == "verify" else code == BUG or (edit.expected == SOUND and code)
        if is_wrong:
            found.append(f"{edit.name}: {name} ends with {code}, and verify should with {edit.expected}: {message}")
    return found


def test_verify_finds_every_edit_and_no_call_ends_in_a_bug(sound: Path, tmp_path: Path) -> None:
    edits = damage.edits(_database(sound), every=1 if MORE_EXAMPLES else 8)
    problems, done = [], Counter[int]()
    for number, (edit, directory) in enumerate(_applied(sound, tmp_path, edits)):
        done[edit.expected] += 1
        others = CALLS if MORE_EXAMPLES else (CALLS[number % len(CALLS)],)
        problems += problems_of(edit, directory, others)
    assert not problems, "\n".join(problems)
    assert done[DAMAGED] >= 250 and done[SOUND] >= 8 and done[SNAPSHOT] >= 8


def test_a_report_says_what_is_wrong_with_the_last_one(sound: Path, tmp_path: Path) -> None:
    tables = ("cluster", "member", "event", "pair", "baseline")
    edits = [edit for edit in damage.contents() if edit.name.startswith(tables)]
    found = [problems_of(edit, directory, {"report"}) for edit, directory in _applied(sound, tmp_path, edits)]
    assert len(found) > 15 and not any(found), found


def test_the_commands_say_so_too(sound: Path, tmp_path: Path) -> None:
    sample = random.Random(3).sample(damage.edits(_database(sound)), 25)
    for edit, directory in _applied(sound, tmp_path, sample):
        for command, *arguments in (
            ("verify",),
            ("status",),
            ("query", "Northwind Trading"),
            ("report", "--output", directory / "report"),
            ("index", directory / "names.csv"),
            ("delete", "--id", "1"),
        ):
            result = dedup_(command, *arguments, "--workspace", directory / "workspace")
            assert result.exit_code in DOCUMENTED, (edit.name, command)
            assert "This is a bug" not in result.output
            if command == "verify":
                assert result.exit_code == edit.expected, edit.name
            if result.exit_code == DAMAGED:
                assert "The database is damaged." in result.stderr
                assert "backup" in result.stderr
