"""Things that may be where a command wants to write, and what should become of them.

A case is a command, a thing (a file, link, pipe, device, database, input …) at the path of its output or lock, and a
spelling of the path. ``play`` makes the thing, runs the command in this process, and compares everything in the folder
with what was there: what the command did not have to write must be as before, down to the inode.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import signal
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from invocation import dedup_, write

PRECIOUS = "precious\n"
REFUSED = (2, 5)
ROWS = "id,name\n1,Northwind Trading\n2,Northwind Tradng\n3,Contoso Foods\n"
CLEAN = "id,name\n7,Contoso Foods Ltd\n"
DIRTY = CLEAN + "8\n"
LABELLED = "name_1,name_2,label\nNorthwind,Nortwind,1\nContoso,Fabrikam,0\n"

COMMANDS = {
    "query text": ("query", "northwind", "--output"),
    "query file": ("query", "--input", "clean.csv", "--format", "csv", "--output"),
    "query rejects": ("query", "--input", "dirty.csv", "--rejects"),
    "index rejects": ("index", "dirty.csv", "--max-reject-rate", "1", "--rejects"),
    "index no rejects": ("index", "clean.csv", "--rejects"),
    "page of a pair": ("compare", "northwind", "nortwind", "--html"),
    "page of pairs": ("evaluate", "labelled.csv", "--html"),
}
"""The commands that are given a path to write to, without it."""
IMPLIED = {
    "rejects": (("index", "dirty.csv", "--max-reject-rate", "1"), ".dedup/rejects/dirty.jsonl"),
    "pairs": (("report", "--output", "out"), "out/pairs.csv"),
    "clusters": (("report", "--output", "out"), "out/clusters.csv"),
    "records": (("report", "--output", "out", "--records", "--format", "jsonl"), "out/records.jsonl"),
    "page": (("report", "--output", "out", "--format", "html"), "out/report.html"),
    "summary": (("report", "--output", "out"), "out/summary.json"),
    "lock": (("index", "clean.csv"), ".dedup/lock"),
    "lock of a report": (("report", "--output", "out"), ".dedup/lock"),
    "lock elsewhere": (("index", "clean.csv", "--database", "sqlite:///far/n.sqlite"), "far/n.sqlite.lock"),
}
"""The commands that choose the path themselves."""
OF_AN_INDEX = (
    *("neardup.sqlite", "neardup.sqlite-journal", "neardup.sqlite-wal", "neardup.sqlite-shm", "lock"),
    *("neardup.sqlite.0002.backup", "snapshots/idx-9-0123456789abcdef0123456789abcdef.faiss"),
)
BLOCKING = ("folder", "full folder", "pipe", "socket", "link", "dangling link", "link to a folder", "link to a pipe")
BINARY = ("database of others", "gzip", "hard link to a database")
TEXTS = ("text", "hard link to a text")
FREE = ("nothing", "empty", "blank")


@dataclass(frozen=True)
class Case:
    """A command that meets ``thing`` where it writes; ``expected`` is what becomes of it: written, refused, kept."""

    command: tuple[str, ...]
    thing: str
    path: str
    spelling: str
    expected: str

    def __str__(self) -> str:
        return f"{' '.join(self.command)} [{self.thing} at {self.path}, {self.spelling}]"


def cases() -> Iterator[Case]:
    """Yield all cases."""
    yield from _given_paths()
    yield from _implied_paths()
    for name, command in COMMANDS.items():
        for index, file in itertools.product((".dedup", "other"), OF_AN_INDEX):
            for spelling in ("relative", "through a link"):
                yield Case(command, "own", f"{index}/{file}", spelling, "refused")
        known = "written" if name.startswith("page") else "refused"  # without an index its folder is one like others
        yield Case(command, "own", ".dedup/snapshots/new.csv", "relative", known)
        read = [word for word in command if word.endswith(".csv")]
        for file, spelling in itertools.product(read, ("relative", "absolute", "through a link", "hard link")):
            yield Case(command, "own", file, spelling, "refused")
        for number in (240, 249, 255):
            yield Case(command, "nothing", "n" * number, "relative", "kept" if "no" in name else "written")
        for number in (256, 400):
            yield Case(command, "own", "n" * number, "relative", "refused")
        for path in ("no/such/folder.csv", "clean.csv/below.csv", "/dev/full", "/dev/fd/999", "/dev/fd/read-only"):
            yield Case(command, "own", path, "relative", "refused")
        for path in ("/dev/null", "/dev/fd/pipe", "/proc/self/fd/pipe", "-"):
            mixed = path == "-" and name.startswith("page")
            yield Case(command, "own", path, "relative", "refused" if mixed else "kept")


def _given_paths() -> Iterator[Case]:
    spellings = ("relative", "absolute", "through a link")
    for (name, command), spelling in itertools.product(COMMANDS.items(), spellings):
        free = "kept" if name == "index no rejects" else "written"
        for thing in FREE:
            yield Case(command, thing, "out.csv", spelling, free)
        for thing in TEXTS:  # an output that is named is replaced; rejects are not written over what is none
            kept = {"index no rejects": "kept", "query text": "written", "query file": "written"}.get(name, "refused")
            yield Case(command, thing, "out.csv", spelling, kept)
        due = {"index no rejects": "removed", "query file": "refused"}.get(name, "written")  # --format csv, but .jsonl
        due = "refused" if name.startswith("page") else due
        yield Case(command, "earlier", "out.jsonl", spelling, due)
        for thing in (*BLOCKING, *BINARY):
            yield Case(command, thing, "out.csv", spelling, "refused")


def _implied_paths() -> Iterator[Case]:
    for name, (command, path) in IMPLIED.items():
        is_lock = name.startswith("lock")
        free = FREE[:2] if is_lock else FREE  # blank is no lock
        for thing in (*free, "earlier"):
            yield Case(command, thing, path, "relative", "held" if is_lock else "written")
        for thing in (*BLOCKING, *BINARY, *TEXTS, "nearly ours"):
            yield Case(command, thing, path, "relative", "refused")


def prepare(folder: Path) -> None:
    """Fill the current folder with two indexes, inputs, and a database of somebody else."""
    write("rows.csv", ROWS)
    for arguments in ((), ("--workspace", "other"), ("--database", "sqlite:///far/n.sqlite")):
        Path("far").mkdir(exist_ok=True)
        assert dedup_("index", "rows.csv", "--source", "rows", "--quiet", *arguments).exit_code == 0
    write("clean.csv", CLEAN)
    write("dirty.csv", DIRTY)
    write("labelled.csv", LABELLED)
    write("victim.txt", PRECIOUS)
    with sqlite3.connect("theirs.db") as database:
        database.execute("CREATE TABLE precious (id)")
    Path("out").mkdir()
    Path(".dedup/rejects").mkdir(mode=0o700)
    Path("here").symlink_to(folder)


def play(case: Case) -> str | None:
    """Run a case in the current folder, which ``prepare`` has filled; return what is wrong, or None."""
    with _open_ends() as ends:
        path = _spelled(case, ends)
        target = Path(case.path)
        if case.thing != "own":
            _put(case.thing, target)
        elif case.path.startswith((".dedup", "other")) and not target.exists() and "new" not in case.path:
            target.write_bytes(b"" if case.path.endswith("-shm") else b"precious\0")
        if case.path.endswith(("-journal", "-wal", "-shm")):  # SQLite would use them or remove them
            target.unlink()
        before, stored = _tree(), _stored()
        arguments = (
            case.command if case.command in [command for command, _ in IMPLIED.values()] else (*case.command, path)
        )
        result = _run(arguments)
        return _judge(case, result, before, stored)


def _judge(case: Case, result: tuple[int, str], before: dict[str, object], stored: list[object]) -> str | None:
    code, message = result
    after = _tree()
    refused = case.expected == "refused"
    if (code in REFUSED) != refused or code not in (0, 3, *REFUSED):
        return f"exit code {code}: {message}"
    if refused and (_stored() != stored or "Error: " not in message or "bug" in message):
        return f"stored although refused, or not said: {message}"
    target = str(Path(case.path))
    if case.expected == "written":
        if not stat.S_ISREG(os.lstat(target).st_mode) or os.stat(target).st_nlink != 1:
            return "no regular file was written"
        if PRECIOUS in Path(target).read_text():
            return "the old content is there"
    mine = {target} if case.expected in ("written", "removed") else set()
    own = (".dedup", "far", *(("out/",) if case.command[0] == "report" and not refused else ()))
    changed = {
        name
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
        and name not in mine
        and not (name.startswith(own) and (not name.endswith("lock") or case.expected != "refused"))
        and not name.endswith(".dedup/rejects/dirty.jsonl")
    }
    return f"changed: {sorted(changed)}" if changed else None


def _put(thing: str, path: Path) -> None:
    """Put a thing at ``path``, instead of what is there."""
    path.unlink(missing_ok=True)
    victim = Path("victim.txt").absolute()
    nearly = f"Process 12 on host\n{PRECIOUS}" if path.name.endswith("lock") else f"cluster_id,{PRECIOUS}"
    nearly = f'{{"source": "{PRECIOUS}"}}\n' if path.name == "records.jsonl" else nearly
    texts = {"empty": "", "blank": "\n", "text": PRECIOUS, "nearly ours": nearly, "earlier": _earlier(path)}
    makers: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        **{name: partial(path.write_text, text) for name, text in texts.items()},
        "gzip": lambda: path.write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\0precious"),
        "database of others": lambda: path.write_bytes(Path("theirs.db").read_bytes()),
        "hard link to a text": lambda: path.hardlink_to(victim),
        "hard link to a database": lambda: path.hardlink_to("theirs.db"),
        "folder": path.mkdir,
        "full folder": lambda: (path.mkdir(), (path / "file").write_text(PRECIOUS)),
        "pipe": lambda: os.mkfifo(path),
        "socket": lambda: socket.socket(socket.AF_UNIX).bind(str(path)),
        "link": lambda: path.symlink_to(victim),
        "dangling link": lambda: path.symlink_to(victim.with_name("nowhere")),
        "link to a folder": lambda: path.symlink_to(victim.with_name("out")),
        "link to a pipe": lambda: (os.mkfifo("elsewhere"), path.symlink_to(victim.with_name("elsewhere"))),
    }
    makers[thing]()


def _earlier(path: Path) -> str:
    """Return what an earlier run has written under this name."""
    return {
        "lock": "Process 12 on host",
        "n.sqlite.lock": "Process 12 on host",
        "pairs.csv": "source_1,id_1,text_1,source_2,id_2,text_2,probability,similarity,kind\n",
        "clusters.csv": "cluster_id,source,id,text,weakest_probability,city\n",
        "records.jsonl": '{"source": "rows", "id": "1", "text": "Acme", "cluster_id": "", "keep": true}\n',
        "report.html": "<!doctype html>\n<!-- A report of neardup -->\n<html lang=en></html>\n",
        "summary.json": '{\n  "records": 1,\n  "distinct_texts": 1,\n  "clusters": 0\n}\n',
    }.get(path.name, '{"file": "a\\"b.csv", "line": 3, "byte_offset": null, "record_no": 2, "error": "E_NUL"}\n')


@contextmanager
def _open_ends() -> Iterator[dict[str, int]]:
    """Open a pipe for writing, and a file for reading only."""
    read, write_end = os.pipe()
    os.set_inheritable(write_end, True)  # as a shell does
    ends = {"pipe": write_end, "read-only": os.open("victim.txt", os.O_RDONLY)}
    try:
        yield ends
    finally:
        for handle in (read, *ends.values()):
            os.close(handle)


def _spelled(case: Case, ends: dict[str, int]) -> str:
    for name, number in ends.items():
        if case.path.endswith(f"fd/{name}"):
            return case.path.replace(name, str(number))
    if case.spelling == "hard link":
        Path("same").hardlink_to(case.path)
        return "same"
    return {"absolute": str(Path(case.path).absolute()), "through a link": f"here/{case.path}"}.get(
        case.spelling, case.path
    )


def _run(arguments: tuple[str, ...]) -> tuple[int, str]:
    def hangs(signum: int, frame: FrameType | None) -> None:
        raise AssertionError("the command hangs")

    signal.signal(signal.SIGALRM, hangs)
    signal.alarm(60)
    try:
        result = dedup_(*arguments)
    finally:
        signal.alarm(0)
    return result.exit_code, result.output


def _stored() -> list[object]:
    """Return the records of all indexes."""
    found: list[object] = []
    for path in (".dedup/neardup.sqlite", "other/neardup.sqlite", "far/n.sqlite"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            found += database.execute("SELECT source_id, external_id, raw FROM record").fetchall()
        database.close()
    return found


def _tree() -> dict[str, object]:
    """Return for everything in the current folder what it is and holds."""
    found: dict[str, object] = {}
    for folder, folders, files in os.walk("."):
        for name in (*folders, *files):
            path = os.path.normpath(os.path.join(folder, name))
            status = os.lstat(path)
            content: object = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(Path(path).read_bytes()).digest()
            found[path] = (stat.S_IFMT(status.st_mode), status.st_ino, content)
    return found
