"""The command line as a test calls it: in this process or as one of its own, and what it printed."""

import csv
import io
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import typer.testing
from paths import ROOT
from typer.main import get_command
from typer.testing import CliRunner, Result

from cli.main import app

START = "from cli.main import main; main()"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

typer.testing._get_command = cache(get_command)  # not made anew of all annotations at each call

WORDS = ("Harbor", "Granite", "Willow", "Summit", "Copper", "Juniper", "Falcon", "Meadow", "Cobalt", "Birch")
NAMES = [f"{WORDS[n % 10]} {WORDS[(n * 3 + n // 10) % 10]} Works {n}" for n in range(27)]
NAMES += ["Acme Widgets Inc", "ACME WIDGETS, INC.", "Acme Widget Inc"]


def dedup_(*arguments: str | Path, input: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=input)


def write(path: str, text: str | bytes) -> str:
    Path(path).write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def corpus(path: str = "companies.csv") -> str:
    rows = [f'{number},"{name}",city {number}\n' for number, name in enumerate(NAMES, 1)]
    return write(path, "id,name,city\n" + "".join(rows))


def rows_of(result: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(result.stdout)))


def counts_of(result: Result) -> dict[str, str]:
    pairs = (line.rsplit("  ", 1) for line in result.stdout.splitlines())
    return {name.strip(): value for name, value in pairs}


def start(*arguments: str, program: str = START) -> subprocess.CompletedProcess[str]:
    """Run the program as a process of its own."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
