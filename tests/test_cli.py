"""The command line from outside: what it prints, where, and the exit code."""

import csv
import gzip
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from doubles import NoCeiling
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz
from typer.testing import CliRunner, Result

import dedup.model
from cli.errors import exit_code
from cli.main import app
from cli.render import rounded
from cli.text import visible
from dedup import errors, threads
from dedup.explain import Contribution, Explanation
from indexer import snapshot
from indexer.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ("index", "query", "report", "delete", "compare", "status", "migrate", "verify", "evaluate", "train")
HEAVY = {"numpy", "scipy", "torch", "faiss", "onnxruntime", "sqlalchemy", "alembic", "rapidfuzz", "rich"}
HEAVY |= {"pyarrow", "ftfy", "charset_normalizer", "backports"}
START = "from cli.main import main; main()"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

WORDS = ("Harbor", "Granite", "Willow", "Summit", "Copper", "Juniper", "Falcon", "Meadow", "Cobalt", "Birch")
NAMES = [f"{WORDS[n % 10]} {WORDS[(n * 3 + n // 10) % 10]} Works {n}" for n in range(27)]
NAMES += ["Acme Widgets Inc", "ACME WIDGETS, INC.", "Acme Widget Inc"]


class FakeModel:
    """Trigrams for an encoder and a ratio of edits for a scorer: enough to find a typo."""

    model_id = "f" * 64
    dimension = 64
    default_probability = 0.9
    least_similarity = 0.3

    @property
    def encoder(self):
        return self

    def encode(self, normals: Sequence[str]):
        codes = np.zeros((len(normals), 64))
        for row, text in enumerate(normals):
            padded = f" {text} "
            for start in range(len(padded) - 2):
                codes[row, crc32(padded[start : start + 3].encode()) % 64] += 1
        return np.rint(codes * 127 / np.linalg.norm(codes, axis=1, keepdims=True)).astype(np.int8)

    def with_corpus(self, counts, n_names):
        return self

    def compare(self, left, right, similarities):
        return np.array([fuzz.ratio(*pair) / 100 for pair in zip(left, right, strict=True)], np.float64)

    def ceiling(self, blocks):
        return NoCeiling()

    def explain(self, left, right, similarity):
        parts = {"starting point": -1.0, "letters in common": 2.504, "length": 0.003, "vowels": 0.001, "case": 0.004}
        contributions = tuple(Contribution(label, log_odds) for label, log_odds in parts.items())
        return Explanation(fuzz.ratio(left, right) / 100, similarity, sum(parts.values()), contributions)


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, and the small model."""
    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: FakeModel())
    monkeypatch.delenv("DEDUP_WORKSPACE", raising=False)
    monkeypatch.delenv("DEDUP_DATABASE_URL", raising=False)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # --threads sets them
        monkeypatch.setenv(name, "1")
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dedup_(*arguments: str | Path, input: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=input)


def write(path: str, text: str | bytes) -> str:
    Path(path).write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def corpus(path: str = "companies.csv") -> str:
    rows = [f'{number},"{name}",city {number}\n' for number, name in enumerate(NAMES, 1)]
    return write(path, "id,name,city\n" + "".join(rows))


@pytest.fixture
def indexed() -> None:
    assert dedup_("index", corpus(), "--quiet").exit_code == 0


def rows_of(result: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(result.stdout)))


def counts_of(result: Result) -> dict[str, str]:
    pairs = (line.rsplit("  ", 1) for line in result.stdout.splitlines())
    return {name.strip(): value for name, value in pairs}


def start(*arguments: str, program: str = START) -> subprocess.CompletedProcess[str]:
    """Run the program as a process of its own."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)


# Help and documentation


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys\ntry:\n    {START.replace('; ', chr(10) + '    ')}\nfinally:\n    print(*sys.modules)"
    run = start("--help", program=code)
    loaded = {name.split(".")[0] for name in run.stdout.splitlines()[-1].split()}
    assert not loaded & HEAVY


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_is_documented(command: str) -> None:
    help_text = dedup_(command, "--help").stdout
    assert f"Example:\n    dedup {command} " in help_text or f"Example:\n    dedup {command}\n" in help_text
    documented = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert documented_help(command) in documented


def documented_help(command: str) -> str:
    """The section of docs/cli.md on a command; ``python tests/test_cli.py`` writes them all."""
    arguments = [command, "--help"] if command else ["--help"]
    result = CliRunner().invoke(app, arguments, prog_name="dedup", env={"COLUMNS": "100"})
    title = f"## dedup {command}\n\n" if command else ""
    return f"{title}```text\n{result.stdout.strip()}\n```\n"


def test_the_list_of_commands_is_documented() -> None:
    assert documented_help("") in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_version() -> None:
    result = dedup_("--version")
    assert (result.exit_code, result.stdout.split()[0]) == (0, "dedup")


# The whole flow


def test_index_query_report_status(indexed: None) -> None:
    found = rows_of(dedup_("query", "acme widgets inc", "--limit", "2", "--format", "csv"))
    assert [(row["id"], row["exact"]) for row in found] == [("28", "true"), ("29", "true"), ("30", "false")]
    assert list(found[0]) == ["probability", "similarity", "exact", "source", "id", "text", "city"]
    assert found[0] | {"similarity": ""} == {
        "probability": "1.0",
        "similarity": "",
        "exact": "true",
        "source": "companies",
        "id": "28",
        "text": "Acme Widgets Inc",
        "city": "city 28",
    }

    report = dedup_("report", "--output", "found", "--format", "json")
    assert report.exit_code == 0, report.stderr
    assert json.loads(report.stdout) == json.loads(Path("found/summary.json").read_text())
    assert {path.name for path in Path("found").iterdir()} == {"pairs.csv", "clusters.csv", "summary.json"}

    status = json.loads(dedup_("status", "--format", "json").stdout)
    assert (status["records"], status["distinct_texts"], status["vectors"]) == (30, 29, 29)
    assert status["sources"] == {"companies": 30}
    assert status["model"] == "f" * 12
    assert [(run["kind"], run["state"]) for run in status["runs"]] == [("report", "done"), ("index", "done")]
    assert status["runs"][1]["rows"] == 30
    assert set(status["versions"]) == {"neardup", "python", "onnxruntime", "faiss", "sqlalchemy"}
    assert dedup_("status").stdout.startswith("workspace")


def test_a_job_that_would_take_too_much_memory_changes_nothing(indexed: None) -> None:
    for command in (("index", write("more.csv", "id,name\n1,Acme\n")), ("report", "--output", "found")):
        refused = dedup_(*command, "--memory", "100M")
        assert refused.exit_code == 2
        assert "--memory allows 100M; allow more" in refused.stderr
        assert dedup_(*command, "--memory", "lots").exit_code == 2
    assert json.loads(dedup_("status", "--format", "json").stdout)["sources"] == {"companies": 30}
    assert not Path("found").exists()
    assert dedup_("index", "more.csv", "--memory", "1.5 GiB").exit_code == 0
    assert dedup_("report", "--output", "found", "--memory", "2g").exit_code == 0


def test_status_shows_what_a_search_in_cells_finds(indexed: None) -> None:
    assert "recall_of_all" not in json.loads(dedup_("status", "--format", "json").stdout)["snapshot"]
    place = Workspace(Path(".dedup"), None)
    with place.open(for_writing=True) as store:
        model_id = store.current_snapshot().model_id
        snapshot.publish(store, place.snapshots, model_id, least_similarity=0.3, flat_up_to=16)
    shown = json.loads(dedup_("status", "--format", "json").stdout)["snapshot"]
    assert 0 < shown["recall_of_all"] <= 1
    assert shown["recall_of_queries"] == 1  # all cells are searched


def test_threads_are_those_that_were_asked_for(indexed: None) -> None:
    usable = threads.count()
    assert dedup_("query", "acme").exit_code == 0
    assert threads.count() == usable
    for command in (("index", "companies.csv"), ("report",), ("query", "acme"), ("evaluate", "--pairs", "no.csv")):
        dedup_(*command, "--threads", str(usable + 3))
        assert os.environ.pop("OMP_NUM_THREADS") == str(usable + 3)
    assert dedup_("query", "acme", "--threads", "0").exit_code == 2


def test_index_counts_and_a_second_run_changes_nothing() -> None:
    first = dedup_("index", corpus())
    assert first.exit_code == 0
    assert "Text from column 'name', id from column 'id'." in first.stderr
    counts = counts_of(first)
    assert float(counts.pop("seconds")) >= 0
    assert counts.pop("snapshot") in ("built", "not due")
    assert counts == {
        **{"rows read": "30", "added": "30", "changed": "0", "unchanged": "0", "removed": "0"},
        **{"rejected": "0", "distinct texts encoded": "29"},
    }
    second = counts_of(dedup_("index", "companies.csv", "--text", "name", "--id", "id"))
    assert (second["unchanged"], second["distinct texts encoded"]) == ("30", "0")


def test_without_an_id_column_only_the_difference_is_added_and_removed() -> None:
    write("plain.csv", "name\nAlpha Inc\nBeta Inc\n")
    assert "no id: a row is known by its content" in dedup_("index", "plain.csv").stderr
    write("plain.csv", "name\nAlpha Inc\nGamma Inc\n")
    counts = counts_of(dedup_("index", "plain.csv"))
    assert (counts["added"], counts["removed"], counts["unchanged"]) == ("1", "1", "1")


def test_standard_input_and_sources() -> None:
    text = "name\nAcme Widgets\n"
    assert dedup_("index", "-", input=text).exit_code == 0
    assert dedup_("index", "-", "--source", "crm", input=text).exit_code == 0
    found = rows_of(dedup_("query", "acme widgets", "--format", "csv"))
    assert [row["source"] for row in found] == ["stdin", "crm"]


def test_the_environment_names_the_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEDUP_WORKSPACE", "elsewhere")
    assert dedup_("index", corpus()).exit_code == 0
    assert Path("elsewhere/neardup.sqlite").exists()
    monkeypatch.delenv("DEDUP_WORKSPACE")
    monkeypatch.setenv("DEDUP_DATABASE_URL", "sqlite:///elsewhere/neardup.sqlite")
    assert "Acme Widgets Inc" in dedup_("query", "acme widgets inc").stdout


# Query


def test_query_as_a_table(indexed: None) -> None:
    lines = dedup_("query", "acme widgets inc", "--min-probability", "0.5").stdout.splitlines()
    assert lines[0].split() == ["probability", "similarity", "exact", "source", "id", "text", "city"]
    assert lines[1].split() == [*("1.000", "1.000", "yes", "companies", "28", "Acme", "Widgets", "Inc", "city", "28")]
    assert len(lines) == 4


def test_query_as_json_and_json_lines(indexed: None) -> None:
    as_json = json.loads(dedup_("query", "acme widgets inc", "--format", "json").stdout)
    lines = dedup_("query", "acme widgets inc", "--format", "jsonl").stdout.splitlines()
    assert as_json == [json.loads(line) for line in lines]
    assert as_json[0]["exact"] is True
    assert "explanation" not in as_json[0]


def test_query_explains(indexed: None) -> None:
    table = dedup_("query", "acme widgets inc", "--limit", "2", "--explain").stdout
    assert "the texts are equal once normalised" in table
    assert "+2.50 letters in common" in table
    assert "-1.00 starting point" in table
    assert "+1.51 log-odds, all together" in table
    rows = json.loads(dedup_("query", "acme widget", "--limit", "1", "--explain", "--format", "json").stdout)
    assert rows[0]["explanation"][1] == {"label": "letters in common", "log_odds": 2.504}
    assert rows[0]["log_odds"] == 1.512
    [row] = rows_of(dedup_("query", "acme widget", "--limit", "1", "--explain", "--format", "csv"))
    assert row["log_odds"] == "1.512"
    assert row["explanation"] == "-1.00 starting point; +2.50 letters in common; +0.01 length"
    [equal, *_] = json.loads(dedup_("query", "acme widgets inc", "--explain", "--format", "json").stdout)
    assert (equal["exact"], equal["log_odds"], len(equal["explanation"])) == (True, None, 1)


@given(st.lists(st.floats(-9, 9)), st.integers(1, 6))
def test_rounded_values_still_add_up(values: list[float], digits: int) -> None:
    found = rounded(values, digits)
    assert sum(found) == pytest.approx(sum(values), abs=0.51 * 10**-digits)
    assert all(abs(a - b) < 1.01 * 10**-digits and a * b >= 0 for a, b in zip(values, found, strict=True))


def test_a_text_with_many_records_is_cut_in_the_table_only() -> None:
    write("many.csv", "id,name\n" + "".join(f"{n},Acme\n" for n in range(8)))
    dedup_("index", "many.csv")
    table = dedup_("query", "acme").stdout.splitlines()
    assert len(table) == 1 + 5 + 1
    assert table[-1].strip() == "… and 3 more"
    assert len(rows_of(dedup_("query", "acme", "--format", "csv"))) == 8


def test_no_match(indexed: None) -> None:
    result = dedup_("query", "zzzz", "--min-probability", "0.95")
    assert (result.exit_code, result.stdout) == (0, "No match above probability 0.95.\n")
    result = dedup_("query", "zzzz", "--min-probability", "0.95", "--format", "json")
    assert (result.exit_code, result.stdout) == (0, "[]\n")


def test_a_column_called_as_one_of_ours_is_renamed() -> None:
    write("clash.csv", "id,name,source,column_source\n1,Acme,h1b,other\n")
    dedup_("index", "clash.csv")
    [row] = json.loads(dedup_("query", "acme", "--format", "json").stdout)
    assert row["source"] == "clash"
    assert sorted(value for name, value in row.items() if name.startswith("column_")) == ["h1b", "other"]


def test_many_queries(indexed: None) -> None:
    write("asked.csv", "key,name\nA,Acme Widgets Inc\nB,\nC,qqqq\n")
    arguments = ("query", "--input", "asked.csv", "--text", "name", "--id", "key", "--limit", "1")
    result = dedup_(*arguments, "--min-probability", "0.8", "--output", "matches.csv")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "Rejected 1 row; see asked.csv.rejects.jsonl." in result.stderr
    assert json.loads(Path("asked.csv.rejects.jsonl").read_text())["error"] == "E_NAME_EMPTY"
    assert Path("matches.csv").read_text().splitlines() == [
        "query_line,query_id,query,rank,probability,similarity,exact,source,id,text,city",
        "2,A,Acme Widgets Inc,1,1.0,1.0,true,companies,28,Acme Widgets Inc,city 28",
        '2,A,Acme Widgets Inc,1,1.0,1.0,true,companies,29,"ACME WIDGETS, INC.",city 29',
    ]
    assert sorted(path.name for path in Path().iterdir() if path.name.endswith(".tmp")) == []


def test_many_queries_by_name_of_the_output_and_from_standard_input(indexed: None) -> None:
    text = "name\nAcme Widgets Inc\n"
    assert dedup_("query", "--input", "-", "--output", "m.jsonl", input=text).exit_code == 0
    first = json.loads(Path("m.jsonl").read_text().splitlines()[0])
    assert (first["query_line"], first["query_id"], first["rank"], first["id"]) == (2, None, 1, "28")
    assert dedup_("query", "--input", "-", "--output", "m.json", input=text).exit_code == 0
    assert json.loads(Path("m.json").read_text())[0] == first
    assert rows_of(dedup_("query", "--input", "-", input=text))[0]["id"] == "28"
    assert "rank" in dedup_("query", "--input", "-", "--format", "table", input=text).stdout


def test_a_failed_batch_leaves_the_old_output(indexed: None) -> None:
    write("matches.csv", "old")
    write("asked.csv.gz", b"\x1f\x8b broken")
    assert dedup_("query", "--input", "asked.csv.gz", "--output", "matches.csv").exit_code == 4
    assert Path("matches.csv").read_text() == "old"


@pytest.mark.parametrize(
    "arguments",
    [
        ("query",),
        ("query", "acme", "--input", "x.csv"),
        ("query", "acme", "--text", "name"),
        ("query", "acme", "--limit", "0"),
        ("query", "acme", "--min-probability", "1.5"),
        ("evaluate",),
        ("evaluate", "--pairs", "a.csv", "--distractors", "b.csv"),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_usage_errors(arguments: tuple[str, ...]) -> None:
    result = dedup_(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


# Bad input: one sentence, the remedy, the exit code

BAD_FILES = {
    "missing file": (None, (), "E_NO_FILE", 4, "missing.csv"),
    "missing column": ("id,name\n1,Acme\n", ("--text", "nme"), "", 4, "'id', 'name'"),
    "no text column": ("a,b\n1,2\n", (), "", 4, "--text"),
    "undecodable bytes": (b"id,name\n" + b"1,M\xfcller\n" * 9, (), "", 4, "--encoding"),
    "empty file": ("", (), "", 4, "is empty"),
    "all rejected": ("id,name\n1,\n2,--\n", (), "", 4, "All 2 rows were rejected"),
    "unknown encoding": ("id,name\n1,Acme\n", ("--encoding", "klingon"), "", 2, "klingon"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_is_refused_in_one_sentence(case: str) -> None:
    content, arguments, _, code, words = BAD_FILES[case]
    name = "missing.csv" if content is None else write("bad.csv", content)
    result = dedup_("index", name, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("Error: ")
    assert words in lines[-1]
    assert "Traceback" not in result.stderr


def test_bad_rows_are_rejected_and_counted() -> None:
    write("bad.csv", "id,name\n1,Acme\n2\n3,\n1,Again\n4,Beta,,x\n5,Gamma\n")
    result = dedup_("index", "bad.csv")
    assert result.exit_code == 3
    assert "Rejected 4 rows; see bad.csv.rejects.jsonl." in result.stderr
    rejects = [json.loads(line) for line in Path("bad.csv.rejects.jsonl").read_text().splitlines()]
    assert [reject["error"] for reject in sorted(rejects, key=lambda reject: reject["line"])] == [
        *("E_MISSING_CELL", "E_NAME_EMPTY", "E_ID_DUPLICATE", "E_EXTRA_CELL")
    ]
    counts = counts_of(result)
    assert (counts["rows read"], counts["added"], counts["rejected"]) == ("6", "2", "4")
    write("bad.csv", "id,name\n1,Acme\n")
    assert dedup_("index", "bad.csv").exit_code == 0
    assert not Path("bad.csv.rejects.jsonl").exists()


def test_the_rejects_are_kept_when_there_are_too_many() -> None:
    write("bad.csv", "id,name\n1,\n2,\n")
    result = dedup_("index", "bad.csv", "--rejects", "mine.jsonl")
    assert result.exit_code == 4
    assert len(Path("mine.jsonl").read_text().splitlines()) == 2


def test_a_header_without_rows_is_a_warning() -> None:
    result = dedup_("index", write("empty.csv", "id,name\n"))
    assert result.exit_code == 0
    assert "Warning: " in result.stderr


def test_query_report_and_status_before_any_index() -> None:
    for command in (("query", "acme"), ("report",), ("status",)):
        result = dedup_(*command)
        assert result.exit_code == 2
        assert "dedup index FILE" in result.stderr
    assert not Path(".dedup").exists()


def test_an_empty_query_is_refused(indexed: None) -> None:
    assert dedup_("query", "--", "---").exit_code == 4
    assert dedup_("compare", "...", "acme").exit_code == 4


def test_a_newer_workspace(indexed: None) -> None:
    import sqlite3

    connection = sqlite3.connect(".dedup/neardup.sqlite")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for command in (("query", "acme"), ("index", "companies.csv"), ("status",)):
        assert dedup_(*command).exit_code == 7


def test_a_second_writer_is_told_to_wait(indexed: None) -> None:
    from indexer.workspace import Workspace

    with Workspace(Path(".dedup")).open(for_writing=True):
        result = dedup_("index", "companies.csv")
    assert result.exit_code == 6
    assert "try again" in result.stderr


def test_a_damaged_database(indexed: None) -> None:
    write(".dedup/neardup.sqlite", b"SQLite format 3\0" + b"\xff" * 5000)
    assert dedup_("status").exit_code == 8


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 2),
        (errors.InputRefused("x"), 4),
        (errors.EnvironmentFault("x"), 5),
        (MemoryError(), 5),
        (OSError(28, "No space left on device"), 5),
        (errors.WriterBusy("x"), 6),
        (errors.VersionMismatch("x"), 7),
        (errors.CorruptStore("x"), 8),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_codes(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


def test_a_bug_leaves_its_traceback_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(directory=None):
        raise RuntimeError("what\x1b[31m is\nthis")

    monkeypatch.setattr(dedup.model, "load_model", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = dedup_("index", corpus())
    assert result.exit_code == 1
    line = result.stderr.splitlines()[-1]
    assert line.startswith("Error: RuntimeError: what\\u001b[31m is␤this.")
    [file] = tmp_path.glob("dedup-error-*.txt")
    assert str(file) in line
    assert "Traceback" in file.read_text()


@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_the_program_with_its_code(signal: str, code: int) -> None:
    kill = f"lambda: os.kill(os.getpid(), signal.{signal})"
    # A shell that starts the tests in the background has SIGINT ignored, nohup SIGHUP, and children inherit that.
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGHUP, signal.SIG_DFL)"
    program = f"import os, signal, dedup.model as m; {heard}; m.load_model = {kill}; {START}"
    run = start("index", corpus(), program=program)
    assert (run.returncode, run.stdout) == (code, "")
    assert "Traceback" not in run.stderr
    assert not Path(".dedup").exists()


def test_a_program_that_does_not_stop_in_time_is_ended() -> None:
    deaf = (
        "import os, signal, threading\ndef deaf():\n try: os.kill(os.getpid(), signal.SIGTERM)\n"
        " except SystemExit: pass"
    )
    program = (
        f"{deaf}\n threading.Event().wait()\nimport cli.main, dedup.model as m\n"
        "cli.main.SECONDS_TO_STOP = 0.01\nm.load_model = deaf\ncli.main.main()"
    )
    assert start("index", corpus(), program=program).returncode == 143


def test_an_output_that_cannot_be_written(indexed: None) -> None:
    result = dedup_("query", "acme", "--output", "no/such/folder.csv")
    assert result.exit_code == 5
    assert "no/such/folder.csv" in result.stderr


def test_a_reader_that_leaves_early_is_no_error() -> None:
    code = f'"{sys.executable}" -c "{START}" compare acme acme --format json | true; echo "${{PIPESTATUS[0]}}"'
    run = subprocess.run(["bash", "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    assert (run.stdout, run.stderr) == ("0\n", "")


# What is printed is safe to look at


def test_a_table_shows_control_characters_as_escapes() -> None:
    write("evil.csv", 'id,name\n1,"Acme\x1b[2J \u202eTxt\nInc"\n')
    dedup_("index", "evil.csv")
    table = dedup_("query", "acme 2j txt inc").stdout
    assert "Acme\\u001b[2J \\u202eTxt␤Inc" in table
    [row] = json.loads(dedup_("query", "acme 2j txt inc", "--format", "json").stdout)
    assert row["text"] == "Acme\x1b[2J \u202eTxt\nInc"


def test_other_scripts_stay_as_they_are() -> None:
    assert visible("Газпром 株式会社 Müller 🏢") == "Газпром 株式会社 Müller 🏢"


# Compare, evaluate, train


def test_compare() -> None:
    result = json.loads(dedup_("compare", "Acme Widget", "Acme Widgets", "--format", "json").stdout)
    assert result["exact"] is False
    assert result["probability"] == pytest.approx(fuzz.ratio("acme widget", "acme widgets") / 100, abs=1e-6)
    assert list(result) == ["probability", "similarity", "exact", "log_odds", "explanation"]
    assert result["log_odds"] == 1.512 == round(sum(item["log_odds"] for item in result["explanation"]), 6)
    assert dedup_("compare", "Acme Widget", "Acme Widgets").stdout.splitlines()[3:] == [
        "explanation",
        "  -1.00 starting point",
        "  +2.50 letters in common",
        "  +0.01 length",
        "  +1.51 log-odds, all together",
    ]
    assert json.loads(dedup_("compare", "ACME", "acme.", "--format", "json").stdout)["probability"] == 1.0


def test_evaluate_reads_the_named_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    import dedup.evaluate

    seen = {}
    monkeypatch.setattr(
        dedup.evaluate, "evaluate_pairs", lambda model, *columns: seen.update(pairs=columns) or {"n": 2}
    )
    monkeypatch.setattr(
        dedup.evaluate, "evaluate_clusters", lambda model, *columns: seen.update(clusters=columns) or {"n": 2}
    )
    write("pairs.csv", "label,name_2,name_1\n1,b,a\n0,d,c\n")
    write("clusters.csv", "id,text,cluster_id\n1,Acme,x\n2,Beta,y\n")
    write("others.csv", "id,name\n9,Gamma\n")
    assert dedup_("evaluate", "--pairs", "pairs.csv").stdout == "n  2\n"
    assert dedup_("evaluate", "--clusters", "clusters.csv", "--distractors", "others.csv").exit_code == 0
    assert seen == {
        "pairs": (["a", "c"], ["b", "d"], [1, 0]),
        "clusters": (["Acme", "Beta"], ["x", "y"], ["Gamma"]),
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name_1,label\na,1\n", "'name_2'; it has 'name_1', 'label'"),
        ("left,name_2,label\na,b,1\n", "'name_1'; it has 'left', 'name_2', 'label'"),
        ("name_1,name_2,label\na,b,1\nc,d,maybe\n", "Line 3 of pairs.csv: the label is 'maybe'"),
        ("name_1,name_2,label\na,b\n", "Line 2 of pairs.csv"),
    ],
)
def test_evaluate_refuses_a_file_it_cannot_use(content: str, words: str) -> None:
    result = dedup_("evaluate", "--pairs", write("pairs.csv", content))
    assert result.exit_code == 4
    assert words in result.stderr
    assert "--text" not in result.stderr


def test_train_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = dedup_("train", "data", "--output", "model")
    assert result.exit_code == 2
    assert "pip install 'neardup[train]'" in result.stderr


def write_documentation() -> None:
    """Write docs/cli.md anew."""
    intro = (
        "# Command line\n\nData goes to standard output, everything else to standard error; "
        "a progress bar is drawn on a terminal only.\nExit codes: [bad-input.md](bad-input.md). "
        "This page is what `--help` says; `python tests/test_cli.py` writes it anew.\n\n"
    )
    text = intro + "\n".join(documented_help(command) for command in ("", *COMMANDS))
    (ROOT / "docs" / "cli.md").write_text(text, encoding="utf-8")


# Verify and migrate


def snapshot_file() -> Path:
    (path,) = Path(".dedup/snapshots").iterdir()
    return path


def test_verify_and_repair(indexed: None) -> None:
    sound = dedup_("verify")
    assert (sound.exit_code, sound.stderr) == (0, "")
    assert [line.split()[-1] for line in sound.stdout.splitlines()[1:]] == ["ok"] * 8
    whole = snapshot_file().read_bytes()
    snapshot_file().write_bytes(whole[:-1])
    Path(".dedup/notes.txt").touch()
    bad = dedup_("verify", "--format", "json")
    assert bad.exit_code == 7
    assert "is damaged" in bad.stderr and "dedup verify --repair" in bad.stderr
    assert {check["check"]: check["faults"] for check in json.loads(bad.stdout) if check["faults"]} == {
        "snapshot": 1,
        "files": 1,
    }
    repaired = dedup_("verify", "--repair")
    assert (repaired.exit_code, repaired.stderr) == (0, "The snapshot was bad or missing, and has been built anew.\n")
    assert "notes.txt is not neardup's." in repaired.stdout
    assert snapshot_file().read_bytes() == whole
    assert dedup_("verify", "--repair").stderr == ""


def test_verify_leaves_a_damaged_database_alone(indexed: None) -> None:
    import sqlite3

    with sqlite3.connect(".dedup/neardup.sqlite") as connection:
        connection.execute("UPDATE record SET raw = 'Forged' WHERE record_id < 9")
    connection.close()
    snapshot_file().unlink()
    result = dedup_("verify", "--repair")
    assert result.exit_code == 8
    assert "Record 1 is not what its digest was made of." in result.stderr and "backup" in result.stderr
    assert "And 3 more." in result.stdout
    assert not list(Path(".dedup/snapshots").iterdir())


def test_verify_sends_to_index_for_vectors(indexed: None) -> None:
    import sqlite3

    with sqlite3.connect(".dedup/neardup.sqlite") as connection:
        connection.execute("DELETE FROM text_vector WHERE text_id = 2")
    connection.close()
    result = dedup_("verify", "--repair")
    assert result.exit_code == 7 and "dedup index" in result.stderr
    assert dedup_("index", "companies.csv", "--quiet").exit_code == 0
    assert dedup_("verify").exit_code == 0


def test_a_database_that_is_no_utf8_is_damaged(indexed: None) -> None:
    import sqlite3

    with sqlite3.connect(".dedup/neardup.sqlite") as connection:
        connection.execute("UPDATE record SET raw = CAST(x'ff41' AS TEXT) WHERE record_id = 3")
    connection.close()
    result = dedup_("verify")
    assert result.exit_code == 8 and "is damaged" in result.stderr


@pytest.mark.parametrize("command", ["verify", "migrate"])
def test_nothing_to_verify_or_migrate(command: str) -> None:
    result = dedup_(command)
    assert result.exit_code == 2 and "run `dedup index FILE` first" in result.stderr
    assert not Path(".dedup").exists()


def test_an_older_workspace_is_migrated_on_request_only(surroundings: Path) -> None:
    shutil.copytree(ROOT / "tests" / "fixtures" / "schema-0001", ".dedup")
    for command in (("index", corpus()), ("query", "Contoso"), ("report",), ("status",), ("verify",)):
        result = dedup_(*command)
        assert result.exit_code == 7 and "run `dedup migrate` on it once" in result.stderr
    result = dedup_("migrate")
    assert result.exit_code == 0
    assert ".dedup was upgraded from schema 0001 to " in result.stdout
    assert ".dedup/neardup.sqlite.0001.backup" in result.stdout
    assert "dedup verify --repair" in result.stderr
    assert "nothing to do" in dedup_("migrate").stdout
    assert dedup_("status").exit_code == 0


if __name__ == "__main__":
    write_documentation()


def test_a_guessed_id_that_repeats_is_an_ordinary_column() -> None:
    rows = "".join(f"org-{i // 2},Name Number {i}\n" for i in range(120))
    Path("aliases.csv").write_text("id,name\n" + rows)
    result = dedup_("index", "aliases.csv")
    assert result.exit_code == 0
    assert "repeats its value in 50.0% of the rows" in result.stderr
    assert "120" in result.stdout
    assert json.loads(dedup_("query", "Name Number 7", "--format", "json").stdout)[0]["id"] != "org-3"


def test_a_guessed_id_that_hardly_repeats_stays_the_id() -> None:
    rows = "".join(f"org-{max(i, 1)},Name Number {i}\n" for i in range(120))
    Path("aliases.csv").write_text("id,name\n" + rows)
    result = dedup_("index", "aliases.csv")
    assert result.exit_code == 3
    assert "Rejected 1 row" in result.stderr


def test_no_output_replaces_its_input() -> None:
    write("names.csv", "id,name\n1,Acme Widgets Inc\n2,Beta Foods Ltd\n")
    before = Path("names.csv").read_text()
    assert dedup_("index", "names.csv", "--rejects", "names.csv").exit_code == 2
    assert dedup_("index", "names.csv").exit_code == 0
    asked = ("query", "--input", "names.csv", "--text", "name")
    assert dedup_(*asked, "--output", "names.csv").exit_code == 2
    assert Path("names.csv").read_text() == before


def test_only_a_rejects_file_is_removed_by_a_clean_run() -> None:
    write("names.csv", "id,name\n1,Acme Widgets Inc\n")
    Path("notes.txt").write_text("precious\n")
    assert dedup_("index", "names.csv", "--rejects", "notes.txt").exit_code == 0
    assert Path("notes.txt").read_text() == "precious\n"


def test_a_record_without_a_cluster_is_refused() -> None:
    write("truth.csv", "id,text,cluster_id\n1,Acme Inc,a\n2,Acme,\n")
    result = dedup_("evaluate", "--clusters", "truth.csv")
    assert result.exit_code == 4
    assert "Line 3 of truth.csv has no cluster_id" in result.stderr


def test_a_report_into_a_file_is_refused(indexed: None) -> None:
    Path("out").write_text("x")
    result = dedup_("report", "--output", "out")
    assert result.exit_code == 2
    assert "name a folder" in result.stderr


def test_a_growing_file_keeps_its_identity() -> None:
    def grown(rows: int) -> str:
        return "id,name\n" + "".join(f"org-{max(i, 6)},Name Number {i}\n" for i in range(rows))

    write("grows.csv", grown(98))
    assert dedup_("index", "grows.csv").exit_code == 3
    write("grows.csv", grown(102))
    result = dedup_("index", "grows.csv", "--max-reject-rate", "0.1")
    assert result.exit_code == 3
    assert "ordinary column" not in result.stderr


# What is indexed: several files, queries, other formats

TWO = ("id,name\n1,Acme Widgets\n2,Beta Foods\n", '{"id": 3, "name": "Gamma Steel"}\n{"id": 1, "name": "Again"}\n')


def sources() -> dict[str, str]:
    rows = json.loads(dedup_("query", "acme", "--format", "json", "--min-probability", "0").stdout)
    return {row["text"]: row["source"] for row in rows}


def test_each_file_is_a_source_of_its_own() -> None:
    result = dedup_("index", write("a.csv", TWO[0]), write("b.jsonl.gz", gzip.compress(TWO[1].encode())))
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.stdout.splitlines() if line.startswith("source")] == ["a", "b"]
    assert sources() == {"Acme Widgets": "a", "Beta Foods": "a", "Gamma Steel": "b", "Again": "b"}
    states = [(run["kind"], run["state"]) for run in json.loads(dedup_("status", "--format", "json").stdout)["runs"]]
    assert states == [("index", "done"), ("index", "done")]


def test_several_files_of_one_source_are_one_input() -> None:
    result = dedup_("index", write("a.csv", TWO[0]), write("b.jsonl", TWO[1]), "--source", "all")
    assert result.exit_code == 3
    counts = counts_of(result)
    assert (counts["a.csv"], counts["b.jsonl"]) == ("2 read, 0 rejected", "2 read, 1 rejected")
    assert (counts["rows read"], counts["added"], counts["rejected"]) == ("4", "3", "1")
    [reject] = map(json.loads, Path("all.rejects.jsonl").read_text().splitlines())
    assert (reject["file"], reject["line"], reject["error"]) == ("b.jsonl", 2, "E_ID_DUPLICATE")
    assert reject["raw"] == '{"id": 1, "name": "Again"}'
    assert set(sources().values()) == {"all"}


def test_the_first_refused_file_ends_the_command() -> None:
    write("a.csv", TWO[0])
    result = dedup_("index", "a.csv", "missing.csv", "b.csv")
    assert result.exit_code == 4
    assert "missing.csv" in result.stderr
    assert set(sources().values()) == {"a"}


def test_a_refused_file_of_one_source_takes_all_of_it_back() -> None:
    write("a.csv", TWO[0])
    assert dedup_("index", "a.csv", "missing.csv", "--source", "all").exit_code == 4
    assert json.loads(dedup_("status", "--format", "json").stdout)["records"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a.csv", "--from-sql", "SELECT 1", "--source-url", "sqlite:///x"),
        ("--from-sql", "SELECT 1"),
        ("--source-url", "sqlite:///x"),
        ("a.csv", "folder/a.csv"),
        ("-", "-", "--source", "x"),
        ("a.csv", "b.csv", "--rejects", "r.jsonl"),
        ("--from-sql", "SELECT 1", "--source-url", "nonsense"),
        ("a.csv", "--quote", "''"),
    ],
    ids=" ".join,
)
def test_inputs_that_do_not_go_together(arguments: tuple[str, ...]) -> None:
    write("a.csv", TWO[0])
    result = dedup_("index", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


def test_a_query_of_a_database_is_indexed() -> None:
    with sqlite3.connect("crm.sqlite") as connection:
        connection.execute("CREATE TABLE customers (id INTEGER, name TEXT)")
        connection.executemany("INSERT INTO customers VALUES (?, ?)", [(7, "Acme Widgets"), (8, None), (9, "Beta")])
    connection.close()
    query = ("index", "--from-sql", "SELECT id, name FROM customers", "--source-url", "sqlite:///crm.sqlite")
    result = dedup_(*query)
    assert result.exit_code == 3
    assert "see crm.rejects.jsonl" in result.stderr
    assert sources() == {"Acme Widgets": "crm", "Beta": "crm"}
    assert counts_of(dedup_(*query))["unchanged"] == "2"
    assert dedup_("index", "--from-sql", "SELEC", *query[3:]).exit_code == 4


def test_rejects_on_standard_error() -> None:
    result = dedup_("index", write("bad.csv", "id,name\n1,Acme\n,Beté\x9b\n"), "--rejects", "-", "--quiet")
    assert result.exit_code == 3
    first, last = result.stderr.splitlines()
    assert json.loads(first)["raw"] == ",Beté\x9b"
    assert first.isascii()
    assert last == "Rejected 1 row."
    assert [path.name for path in Path().glob("*rejects*")] == []


def test_an_empty_file_that_may_be_empty_changes_nothing() -> None:
    write("night.csv", "name\nAcme\n")
    assert dedup_("index", "night.csv").exit_code == 0
    write("night.csv", "")
    assert dedup_("index", "night.csv").exit_code == 4
    result = dedup_("index", "night.csv", "--allow-empty")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Warning: W_EMPTY" in result.stderr
    assert sources() == {"Acme": "night"}


def test_options_on_how_to_read_reach_the_reader() -> None:
    data = "Export\n1;'Müller; \"x\"'\n2;'A 'B' C'\n3;MÃ¼ller\n".encode()
    options = ("--skip-lines", "1", "--no-header", "--quote", "'", "--lenient", "--fix-mojibake", "--delimiter", ";")
    columns = ("--text", "column_2", "--id", "column_1")
    result = dedup_("index", write("odd.csv", data), *options, *columns)
    assert result.exit_code == 0, result.stderr
    assert set(sources()) == {'Müller; "x"', "A 'B' C", "Müller"}
    assert "Warning: W_MOJIBAKE" in result.stderr
    found = dedup_("query", "--input", "odd.csv", *options, *columns, "--format", "jsonl", "--limit", "1")
    queries = [json.loads(line)["query"] for line in found.stdout.splitlines()]
    assert queries == ['Müller; "x"', "A 'B' C", "Müller"]
    assert "Warning: W_MOJIBAKE" in found.stderr
    write("latin.csv", "id,name\n1,Müller & Söhne\n2,Café\n".encode("cp1252"))
    assert "W_ENCODING" in dedup_("index", "latin.csv", "--encoding", "auto").stderr
