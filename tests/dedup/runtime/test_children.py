"""Child processes run the project's own code: whatever lies in the working directory is never imported."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

pyarrow = pytest.importorskip("pyarrow")

import pyarrow.parquet as parquet  # noqa: E402

PACKAGES = ("cli", "dedup", "indexer", "neardup", "numpy", "scipy", "pyarrow", "onnxruntime", "faiss", "rapidfuzz")
PLANTED = sorted({*sys.stdlib_module_names, *PACKAGES, "sitecustomize", "usercustomize"} - {"__main__"})
"""Modules that a child process may look for."""

OBSERVER = """
import sys, json
started = []
def note(event, arguments):
    if event == "subprocess.Popen":
        started.append([str(one) for one in arguments[1]])
sys.addaudithook(note)
sys.path.insert(0, {root!r})
from dedup.matching import batch
from indexer.ingest import encoding
batch._BLOCK_SIZE, batch._MIN_BLOCKS_FOR_PROCESSES, encoding._BATCH_TEXTS = 300, 0, 300
try:
    {program}
finally:
    json.dump(started, open({log!r}, "w"))
"""
COMMAND = "from cli.main import main; main()"
DEDUPLICATE = "import neardup; neardup.deduplicate([line.strip() for line in open('names.txt')])"
LINK = "import neardup; rows = [line.strip() for line in open('names.txt')]; neardup.link(rows, rows[::2])"
ADD = "import neardup; index = neardup.Index('w3'); index.add('names.csv'); index.duplicates()"
WORKER, READER = "dedup.runtime.processes", "parquet_worker"
WAYS = {
    "index": (COMMAND, ("index", "names.csv", "-w", "w1", "--threads", "2", "--quiet"), WORKER),
    "query": (COMMAND, ("query", "--input", "names.csv", "-w", "w", "--threads", "2", "-o", "m.csv"), WORKER),
    "report": (COMMAND, ("report", "-w", "w", "--threads", "2"), WORKER),
    "parquet": (COMMAND, ("index", "names.parquet", "-w", "w2", "--quiet"), READER),
    "neardup.Index": (ADD, (), WORKER),
    "neardup.deduplicate": (DEDUPLICATE, (), WORKER),
    "neardup.link": (LINK, (), WORKER),
}


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with inputs, an index and, beside them, a module of every name; each notes that it ran."""
    folder = tmp_path_factory.mktemp("planted")
    names = [f"{chr(97 + n % 26)}{n * 7919 % 99991} Works {n // 3 % 40}" for n in range(1050)]
    (folder / "names.txt").write_text("\n".join(names), encoding="utf-8")
    (folder / "names.csv").write_text("name\n" + "\n".join(names) + "\n", encoding="utf-8")
    parquet.write_table(pyarrow.table({"name": names[:50]}), folder / "names.parquet")
    run(folder, COMMAND, "index", "names.csv", "-w", "w", "--threads", "1", "--quiet")
    for name in PLANTED:
        (folder / f"{name}.py").write_text(f"open({str(folder / 'RAN')!r}, 'a').write({name!r} + '\\n')\n")
    return folder


def run(folder: Path, program: str, *arguments: str) -> list[list[str]]:
    """Run a program, which itself is safe, in ``folder``; return the command lines of the processes it started."""
    log = folder / "started.json"
    code = OBSERVER.format(root=str(ROOT), program=program, log=str(log))
    environment = {**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "2", "HOME": str(folder)}
    command = [sys.executable, "-P", "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(log.read_text())
    return found


@pytest.mark.parametrize("way", WAYS)
def test_no_process_imports_what_lies_in_the_working_directory(surroundings: Path, way: str) -> None:
    program, arguments, expected = WAYS[way]
    started = run(surroundings, program, *arguments)
    assert any(expected in " ".join(command) for command in started), "no process was started: nothing is shown"
    assert not (surroundings / "RAN").exists()


def test_the_plants_would_be_noticed(surroundings: Path) -> None:
    subprocess.run([sys.executable, "-c", "import pickle"], cwd=surroundings, capture_output=True, check=False)
    assert (surroundings / "RAN").exists()
    (surroundings / "RAN").unlink()


@pytest.mark.parametrize("entry", ["", ".", "/proc/self/cwd", "{cwd}", "{cwd}/", "{cwd}/../{name}"])
def test_the_working_directory_is_left_out_however_it_is_written(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    from dedup.runtime import children

    monkeypatch.chdir(surroundings)
    path = entry.format(cwd=surroundings, name=surroundings.name)
    monkeypatch.setattr(sys, "path", [path, *sys.path])
    child = children.start("numpy", "zeros", 1)
    assert child.wait(60) == 0
    assert not (surroundings / "RAN").exists()


def test_one_module_starts_processes() -> None:
    """Any other way would have to be made safe, and tested, again."""
    starters = {"subprocess.Popen", "subprocess.run", "subprocess.call", "subprocess.check_output", "os.system"}
    starters |= {"os.popen", "os.fork", "os.posix_spawn", "os.posix_spawnp", "os.execv", "os.execvp", "os.spawnv"}
    pools = {"ProcessPoolExecutor", "Pool", "get_context", "Process", "Manager"}
    found = set()
    for path in (path for package in ("cli", "dedup", "indexer", "neardup") for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in starters or called.rpartition(".")[2] in pools:
                found.add(str(path.relative_to(ROOT)))
    assert found == {"dedup/runtime/children.py"}
