"""The lines for cron, systemd, Airflow and CI in README and docs/nightly.md do what the page says."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from invocation import START
from paths import ROOT

PAGE = (ROOT / "docs" / "nightly.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
CRON = re.compile(r"^ {4}\d+ \d+ \* \* \*  (.+)$", re.MULTILINE)
ROWS = [f"{number},Harbor Works {number}\n" for number in range(40)]
REJECTED = (
    "Rejected 1 row; see .dedup/rejects/export.jsonl.\n"
    "  E_NAME_EMPTY: 1 row on line 42: The name is empty or has only punctuation.\n"
)


class Server:
    """A directory with an installation, and a shell as poor as that of cron."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        program = directory / ".venv" / "bin" / "dedup"
        program.parent.mkdir(parents=True)
        program.write_text(
            f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {sys.executable} -c '{START}' \"$@\"\n"
        )
        program.chmod(0o755)

    def export(self, *, rows: int = 40, bad: int = 0) -> None:
        text = "id,name\n" + "".join(ROWS[:rows]) + "".join(f"{100 + number},\n" for number in range(bad))
        (self.directory / "export.csv").write_text(text)

    def run(self, line: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = line.replace("/srv/names", str(self.directory)).replace(r"\%", "%")
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.directory), **variables}
        return subprocess.run(
            ["/bin/sh", "-c", command], cwd="/", env=environment, stdout=-1, stderr=subprocess.STDOUT, text=True
        )

    @property
    def reported(self) -> int:
        """The number of records in the report."""
        return json.loads((self.directory / "report" / "summary.json").read_text())["records"]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def lines_of_the_page() -> list[str]:
    return CRON.findall(PAGE)


def test_the_page_begins_with_the_line_of_the_readme() -> None:
    assert CRON.findall(README) == lines_of_the_page()[:1]


def test_the_line_of_the_readme(server: Server) -> None:
    (line,) = CRON.findall(README)
    server.export()
    first = server.run(line)
    assert (first.returncode, first.stdout, server.reported) == (0, "", 40)

    server.export(rows=40, bad=1)
    shutil.rmtree(server.directory / "report")
    bad = server.run(line)
    assert (bad.returncode, bad.stdout, server.reported) == (0, REJECTED, 40)

    server.export(rows=20)
    cut_off = server.run(line)
    assert cut_off.returncode == 9
    (error,) = cut_off.stdout.splitlines()
    assert error.startswith("Error: ") and "--max-removed" in error
    assert server.reported == 40


def test_a_log_of_everything_and_a_mail_if_a_command_fails(server: Server) -> None:
    line = lines_of_the_page()[1]
    (variable,) = re.findall(r"^ {4}(DEDUP_\w+)=(\w+)\n.*" + re.escape(line), PAGE, re.MULTILINE)
    server.export(bad=1)
    done = server.run(line, **dict([variable]))
    assert (done.returncode, done.stdout, server.reported) == (0, "", 40)
    log = (server.directory / "nightly.log").read_text()
    assert all(
        re.match(r"\d{4}-\d\d-\d\dT\S+ (INFO|WARNING) (index|report)( run \d+)?: ", one) for one in log.splitlines()
    )
    assert "Run 1 is done: 41 read, 1 rejected, 40 added" in log and "Run 2 is done" in log

    server.export(rows=20)
    cut_off = server.run(line, **dict([variable]))
    assert " ERROR index run 3: " in cut_off.stdout.splitlines()[-1]
    assert (server.directory / "nightly.log").read_text().startswith(log)


@pytest.mark.skipif(shutil.which("flock", path="/usr/bin:/bin") is None, reason="needs flock")
def test_the_line_that_waits_for_another(server: Server) -> None:
    (line,) = [one for one in lines_of_the_page() if "flock" in one]
    server.export(bad=1)
    done = server.run(line)
    assert (done.returncode, done.stdout) == (0, REJECTED)


def test_the_commands_of_the_service(server: Server) -> None:
    service = PAGE.partition("    [Unit]\n")[2].partition("\n\n`")[0]
    settings = re.findall(r"^ {4}(\w+)=(.*)$", service, re.MULTILINE)
    commands = [value for name, value in settings if name == "ExecStart"]
    variables = dict(value.split("=") for name, value in settings if name == "Environment")
    place = dict(settings)["WorkingDirectory"]
    assert len(commands) == 2 and all(command.startswith(f"{place}/") for command in commands)
    server.export(bad=1)
    ends = [server.run(f"cd {place} && exec {command}", **variables) for command in commands]
    assert [end.returncode for end in ends] == [0, 0]
    assert server.reported == 40


def test_the_tasks_of_airflow(server: Server) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    keywords = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.keyword)]
    commands = [ast.literal_eval(node.value) for node in keywords if node.arg == "bash_command"]
    server.export(bad=1)
    assert [server.run(command).returncode for command in commands] == [0, 0]
    assert server.reported == 40 and (server.directory / "report" / "report.html").exists()


def test_a_change_that_brings_duplicates_is_refused(server: Server) -> None:
    part = PAGE.partition("## CI: ")[2].partition("\n## ")[0]
    lines = re.findall(r"^ {4}(dedup .*)$", part, re.MULTILINE)
    command = f"cd /srv/names && {' && '.join(lines)}"
    path = f"{server.directory}/.venv/bin:/usr/bin:/bin"
    table = server.directory / "customers.csv"
    table.write_text("id,name\n" + "".join(ROWS) + "99,Contoso Shipping\n")
    for _ in range(2):
        done = server.run(command, PATH=path)
        assert (done.returncode, done.stdout) == (0, "")
    with table.open("a") as file:
        file.write("100,Contoso Shiping\n")
    refused = server.run(command, PATH=path)
    assert refused.returncode == 10
    assert re.fullmatch(r"Since run \d: clusters 1 new, new pairs 1, so the exit code is 10.\n", refused.stdout)
    assert len(lines) == 2


def test_the_result_as_json(server: Server) -> None:
    (line,) = re.findall(r"^dedup index .*last-run.json$", PAGE, re.MULTILINE)
    server.export(bad=1)
    path = f"{server.directory}/.venv/bin:/usr/bin:/bin"
    done = server.run(f"cd /srv/names && {line}", PATH=path, PYTHONDONTWRITEBYTECODE="1")
    assert (done.returncode, done.stdout) == (0, REJECTED)
    (entry,) = json.loads((server.directory / "last-run.json").read_text())
    assert (entry["rows"], entry["rejected"]) == (41, 1)


def test_a_backup_can_be_restored_while_it_is_made_of_a_file_in_use(server: Server) -> None:
    import sqlite3

    server.export()
    assert server.run("cd /srv/names && .venv/bin/dedup index export.csv --quiet").returncode == 0
    restored = server.directory / "restored"
    restored.mkdir(mode=0o700)
    with sqlite3.connect(server.directory / ".dedup/neardup.sqlite") as source:  # as `.backup` of the program sqlite3
        source.backup(sqlite3.connect(restored / "neardup.sqlite"))
    os.chmod(restored / "neardup.sqlite", 0o600)
    done = server.run(f"cd /srv/names && .venv/bin/dedup verify --repair --quiet --workspace {restored}")
    assert (done.returncode, done.stdout) == (0, "The snapshot was bad or missing and has been rebuilt.\n")
    assert server.run(f"cd /srv/names && .venv/bin/dedup verify --quiet --workspace {restored}").stdout == ""


def test_each_exit_code_is_explained() -> None:
    from cli import exit_codes

    section = PAGE.partition("## Exit codes")[2].partition("\n## ")[0]
    told = {int(code) for cell in re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE) for code in cell.split(",")}
    assert told == {*range(exit_codes.REMOVAL + 1), exit_codes.FOUND_NEW, exit_codes.INTERRUPTED, 143}
