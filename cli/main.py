"""The command line: ``dedup COMMAND``.

Nothing heavy is imported here or at the top of a command's file, so that help comes at once.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from cli import compare, evaluate, index, query, report, status, train
from cli.errors import TERMINATED, guarded
from cli.versions import version_of

app = typer.Typer(
    name="dedup",
    help="Find near-duplicates among company names and other short texts.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for _name, _command, _examples in (
    ("index", index.index, index.EXAMPLES),
    ("query", query.query, query.EXAMPLES),
    ("report", report.report, report.EXAMPLES),
    ("compare", compare.compare, compare.EXAMPLES),
    ("status", status.status, status.EXAMPLES),
    ("evaluate", evaluate.evaluate, evaluate.EXAMPLES),
    ("train", train.train, train.EXAMPLES),
):
    app.command(_name, epilog=_examples)(guarded(_command))


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"dedup {version_of('neardup')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Find near-duplicates among company names and other short texts."""


def main() -> None:
    """Run the command line and exit with a code of ``docs/bad-input.md``."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name may hold what the terminal's encoding does not
            stream.reconfigure(errors="backslashreplace")
    app()


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)  # unlike the default, this takes back what was begun
