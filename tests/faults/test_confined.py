"""Without a network, and nothing written but the workspace and the outputs: what README.md promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from confined import CAN_CONFINE, STRACE, run_confined

pytestmark = pytest.mark.skipif(not CAN_CONFINE, reason="the calls are filtered by Linux, on x86-64 and ARM64")

COMMAND = "from cli.main import main; main()"
PYTHON = "import neardup; neardup.deduplicate(['Acme Inc', 'ACME Inc.', 'Beta']); neardup.compare('Acme', 'Acme Inc')"
TRAIN = (
    "from pathlib import Path\nfrom dedup.training.command import train\n"
    "train(Path('data'), Path('model'), 2, 1, lambda line: None, generated_pairs=200)"
)
WORKERS = (
    "from indexer.ingest import encoding\nfrom dedup.matching import batch\n"
    "encoding._BATCH_TEXTS, batch._BLOCK_SIZE, batch._MIN_BLOCKS_FOR_PROCESSES = 200, 200, 0\n" + COMMAND
)
JOBS = {
    "index": (WORKERS, "index names.csv", {".dedup"}),
    "index of Parquet": (COMMAND, "index names.parquet --source parquet", {".dedup"}),
    "index of a query": (
        COMMAND,
        "index --from-sql SELECT\xa0name\xa0FROM\xa0t --source-url sqlite:///other.sqlite",
        {".dedup"},
    ),
    "query": (COMMAND, "query acme --output one.json", {"one.json"}),
    "queries": (COMMAND, "query --input names.csv --output many.csv", {"many.csv"}),
    "report": (WORKERS, "report", {"dedup-report"}),
    "status": (COMMAND, "status", set()),
    "verify": (COMMAND, "verify --repair", set()),
    "compare": (COMMAND, "compare acme acmee", set()),
    "evaluate": (COMMAND, "evaluate --pairs pairs.csv", set()),
    "delete": (COMMAND, "delete --source other", set()),
    "migrate": (COMMAND, "migrate", set()),
    "Python": (PYTHON, "", set()),
    "train": (TRAIN, "", {"model"}),
}
INPUTS = {"names.csv", "names.parquet", "pairs.csv", "data", "other.sqlite"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose ``cwd`` holds the inputs of all jobs, and soon an index."""
    import sqlite3

    import pyarrow
    from pyarrow import parquet

    made = tmp_path_factory.mktemp("confined")
    cwd = made / "cwd"
    cwd.mkdir()
    names = [f"{chr(97 + n % 26)}{n * 7919 % 99991} Works {n // 3 % 40}" for n in range(1100)]
    (cwd / "names.csv").write_text("name\n" + "\n".join(names) + "\n", encoding="utf-8")
    (cwd / "pairs.csv").write_text("name_1,name_2,label\nAcme,Acme Inc,1\nBeta,Gamma,0\n", encoding="utf-8")
    parquet.write_table(pyarrow.table({"name": names[:50]}), cwd / "names.parquet")
    with sqlite3.connect(cwd / "other.sqlite") as other:
        other.execute("CREATE TABLE t AS SELECT 'Acme' AS name")
    other.close()
    return made


@pytest.mark.parametrize(("job", "telemetry"), [("index", "0"), ("compare", "0"), *((job, "") for job in JOBS)])
def test_a_job_opens_no_socket_and_writes_nothing_else(folder: Path, job: str, telemetry: str) -> None:
    program, arguments, outputs = JOBS[job]
    if job == "train":
        pytest.importorskip("torch")
        from training_folder import write_training_folder

        write_training_folder(folder / "cwd" / "data")
    before = present(folder)
    given = [argument.replace("\xa0", " ") for argument in arguments.split(" ") if argument]
    seen = run_confined(folder, program, *given, ORT_DISABLE_TELEMETRY=telemetry)
    assert (seen.code, "Traceback" in seen.errors) == (0, False), seen.errors
    assert present(folder) - before <= outputs
    assert outputs <= present(folder)
    assert left(folder) == []
    assert seen.outside == []


def present(folder: Path) -> set[str]:
    return {path.name for path in (folder / "cwd").iterdir()}


def left(folder: Path) -> list[Path]:
    """What lies in the user's home and among the temporary files."""
    return [path for name in ("home", "tmp") for path in (folder / name).rglob("*")]


SOCKET = "import socket; socket.socket()"
IN_A_WORKER = (
    "from dedup.runtime.processes import Processes\nimport socket\nlist(Processes(1, 2).map(lambda_, [(1,)]))".replace(
        "lambda_", "socket.socket"
    )
)
IN_A_CHILD = "from dedup.runtime.children import start\nimport sys; sys.exit(-start('socket', 'socket').wait())"


def test_a_socket_is_noticed(tmp_path: Path) -> None:
    assert run_confined(tmp_path, SOCKET).code in (-31, 159)


def test_a_socket_of_a_worker_is_noticed(tmp_path: Path) -> None:
    seen = run_confined(tmp_path, IN_A_WORKER)
    assert seen.code == 1
    assert "code -31" in seen.errors


def test_a_socket_of_a_child_is_noticed(tmp_path: Path) -> None:
    assert run_confined(tmp_path, IN_A_CHILD).code == 31


def test_a_file_in_the_home_is_noticed(tmp_path: Path) -> None:
    run_confined(tmp_path, "from pathlib import Path; (Path.home() / 'id').touch()")
    assert left(tmp_path) == [tmp_path / "home" / "id"]


@pytest.mark.skipif(STRACE is None, reason="needs strace")
def test_a_file_anywhere_is_noticed(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    seen = run_confined(folder, f"open({str(elsewhere)!r}, 'w').close(); import os; os.remove({str(elsewhere)!r})")
    assert len(seen.outside) == 2
    assert not elsewhere.exists()
