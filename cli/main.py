"""The command line: ``dedup COMMAND``.

Nothing heavy is imported here or at the top of a command's file, so that help comes at once.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
from contextlib import suppress
from select import select
from types import FrameType
from typing import Annotated

import typer

from cli.commands import compare, delete, evaluate, index, migrate, query, report, status, train, verify
from cli.exit_codes import INTERRUPTED, guarded
from dedup.runtime.versions import version_of

SECONDS_TO_STOP = 1.8
"""How long a command that was told to stop may take to do it in good order."""
_STDERR = 2

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
    ("delete", delete.delete, delete.EXAMPLES),
    ("compare", compare.compare, compare.EXAMPLES),
    ("status", status.status, status.EXAMPLES),
    ("migrate", migrate.migrate, migrate.EXAMPLES),
    ("verify", verify.verify, verify.EXAMPLES),
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
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) != signal.SIG_IGN:  # as under nohup, or in the background of a script
            signal.signal(signum, _stop)
    # Millions of rows pass through, and none is part of a cycle: looking for cycles as often as Python does
    # by default takes half of the time of reading a file.
    gc.set_threshold(200_000, 20, 100)
    # As Python ends, it would look at every object twice, for a quarter of a cold query: nothing in a cycle needs it.
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name may hold what the terminal's encoding does not
            stream.reconfigure(errors="backslashreplace")
    app()


def _stop(signum: int, frame: FrameType | None) -> None:
    """Take back what was begun and end; at a second signal, or after two seconds, end at once.

    Ending at once loses nothing: the next command finds what a killed one leaves, and goes on from there.
    """
    code = INTERRUPTED if signum == signal.SIGINT else 128 + signum
    signal.signal(signum, lambda *_: _end(code))
    limit = threading.Timer(SECONDS_TO_STOP, _end, (code,))
    limit.daemon = True
    limit.start()
    if signum == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(code)  # unlike the default, this takes back what was begun


def _end(code: int) -> None:
    """End at once; a progress bar may have hidden the cursor of the terminal."""
    with suppress(OSError):
        if os.isatty(_STDERR) and select([], [_STDERR], [], 0)[1]:  # one that was stopped takes nothing
            os.write(_STDERR, b"\x1b[?25h")
    os._exit(code)
