"""The transcript of the README is what the demo prints."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def transcript() -> list[tuple[str, str]]:
    """The commands of the transcript, each with what it prints."""
    section = README.partition("## What it looks like\n")[2].partition("\n## ")[0]
    text = re.sub(r"^ {4}", "", section, flags=re.MULTILINE).strip()
    steps = re.split(r"^\$ dedup (.*)\n", text, flags=re.MULTILINE)[1:]
    return [(command, printed.strip()) for command, printed in zip(steps[::2], steps[1::2], strict=True)]


def without_seconds(text: str) -> str:
    return re.sub(r"^(seconds +)[\d.]+$", r"\1", text, flags=re.MULTILINE)


def test_the_commands_are_those_of_the_demo() -> None:
    steps = re.findall(r"^\t\$\(call step,(.*)\)$", MAKEFILE, re.MULTILINE)
    assert [command for command, _ in transcript()] == [step for step in steps if step in dict(transcript())]
    assert len(transcript()) == 4


def test_the_transcript_is_what_they_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.setenv("DEDUP_WORKSPACE", ".demo")
    for command, expected in transcript():
        arguments = [sys.executable, "-c", "from cli.main import main; main()", *shlex.split(command)]
        done = subprocess.run(
            arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
        assert without_seconds(done.stdout.strip()) == without_seconds(expected)


def test_it_is_short() -> None:
    assert len(README.splitlines()) < 200
