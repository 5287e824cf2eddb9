"""``--help`` and ``--version``, and docs/cli.md, which is made of the help pages."""

import re

import pytest
from invocation import ROOT, START, dedup_, start
from typer.testing import CliRunner

from cli.main import app

COMMANDS = (
    "index",
    "query",
    "link",
    "report",
    "runs",
    "delete",
    "compare",
    "status",
    "migrate",
    "verify",
    "evaluate",
    "train",
    "models",
    *(f"models {action}" for action in ("list", "show", "compare", "add", "remove")),
)
HEAVY = {"numpy", "scipy", "torch", "faiss", "onnxruntime", "sqlalchemy", "alembic", "rapidfuzz", "rich"}
HEAVY |= {"pyarrow", "ftfy", "chardet", "backports", "pydantic"}


@pytest.mark.parametrize("arguments", [("--help",), ("index", "--help")], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code = f"import sys\ntry:\n    {START.replace('; ', chr(10) + '    ')}\nfinally:\n    print(*sys.modules)"
    run = start(*arguments, program=code)
    loaded = {name.split(".")[0] for name in run.stdout.splitlines()[-1].split()}
    assert not loaded & HEAVY


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_is_documented(command: str) -> None:
    help_text = dedup_(*command.split(), "--help").stdout
    assert f"Examples:\n  dedup {command} " in help_text or f"Examples:\n  dedup {command}\n" in help_text
    documented = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert documented_help(command) in documented


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_metavar_and_each_short_option_one_meaning(command: str) -> None:
    help_text = dedup_(*command.split(), "--help").stdout
    assert not re.search(r"<\w|\{\w|x[<>]=", help_text)
    short = {"-t": "--text", "-s": "--source", "-n": "--limit", "-o": "--output", "-w": "--workspace", "-q": "--quiet"}
    found = dict(re.findall(r"^  (-\w), (--\S+)", help_text, re.MULTILINE))
    assert found == {key: name for key, name in (short | {"-h": "--help"}).items() if f"{name} " in help_text}
    assert dedup_(*command.split(), "-h").stdout == help_text


def test_reading_options_come_last() -> None:
    for command in ("index", "query", "link"):
        titles = re.findall(r"^(\w.*):$", dedup_(command, "-h").stdout, re.MULTILINE)
        assert titles == ["Arguments", "Options", "Common options", "Reading options", "Examples"]


def documented_help(command: str) -> str:
    """The section of docs/cli.md on a command."""
    arguments = [*command.split(), "--help"]
    result = CliRunner().invoke(app, arguments, prog_name="dedup", env={"COLUMNS": "100"})
    title = f"## dedup {command}\n\n" if command else ""
    return f"{title}```text\n{result.stdout.strip()}\n```\n"


def test_the_list_of_commands_is_documented() -> None:
    assert documented_help("") in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_version() -> None:
    result = dedup_("--version")
    assert (result.exit_code, result.stdout.split()[0]) == (0, "dedup")


def write_documentation() -> None:
    """Rewrite docs/cli.md."""
    intro = (
        "# Command line\n\nResults go to standard output, everything else to standard error; "
        "progress bars are drawn on a terminal only.\nExit codes: [bad-input.md](bad-input.md). "
        "This page is the output of `--help`. To rewrite it, run\n"
        "`PYTHONPATH=.:tests/support python tests/cli/test_cli_help.py`.\n\n"
    )
    text = intro + "\n".join(documented_help(command) for command in ("", *COMMANDS))
    (ROOT / "docs" / "cli.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_documentation()
