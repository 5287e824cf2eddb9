"""The command line: ``dedup COMMAND``.

Neither this module nor a command's module imports anything heavy at the top, so that help appears at once.
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
from typing import Annotated, Any

import typer

from cli.commands import compare, delete, evaluate, index, link, migrate, query, report, runs, status, train, verify
from cli.commands.models import comparing, keeping
from cli.commands.reviewing import judgements, review
from cli.exit_codes import INTERRUPTED, ending, exit_code, guarded
from cli.options import examples
from cli.show.help import Command, Group
from cli.show.notes import begin_log
from cli.show.standard_streams import occupy_descriptors, require_output
from dedup.errors import EnvironmentFault
from dedup.runtime.versions import version_of

SECONDS_TO_STOP = 1.8
"""Time for a command to roll back after a signal before it is ended."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STDERR = 2

_received: list[int] = []
"""The signal that the program is ending for."""


class _Program(Group):
    """The group of all commands; what goes wrong in parsing or in a help page has an exit code, too."""

    def make_context(self, info_name: str | None, args: list[str], *others: Any, **extra: Any) -> Any:  # noqa: ANN401
        """Parse the arguments of the program itself."""
        begin_log(args)
        with ending():
            return super().make_context(info_name, args, *others, **extra)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as typer's
        """Run a command."""
        with ending():
            return super().invoke(ctx)


app = typer.Typer(
    name="dedup",
    cls=_Program,
    epilog=examples("dedup index companies.csv", 'dedup query "Acme Inc"', "dedup report"),
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for _name, _command, _examples in (
    ("index", index.index, index.EXAMPLES),
    ("query", query.query, query.EXAMPLES),
    ("link", link.link, link.EXAMPLES),
    ("report", report.report, report.EXAMPLES),
    ("runs", runs.runs, runs.EXAMPLES),
    ("review", review.review, review.EXAMPLES),
    ("judgements", judgements.judgements, judgements.EXAMPLES),
    ("delete", delete.delete, delete.EXAMPLES),
    ("compare", compare.compare, compare.EXAMPLES),
    ("status", status.status, status.EXAMPLES),
    ("migrate", migrate.migrate, migrate.EXAMPLES),
    ("verify", verify.verify, verify.EXAMPLES),
    ("evaluate", evaluate.evaluate, evaluate.EXAMPLES),
    ("train", train.train, train.EXAMPLES),
):
    app.command(_name, cls=Command, epilog=_examples)(guarded(_command))

_models = typer.Typer(
    cls=Group, epilog=keeping.EXAMPLES, add_help_option=True, rich_markup_mode=None, invoke_without_command=True
)
_models.callback()(guarded(keeping.models))
for _action, _work, _lines in (
    ("list", keeping.list_models, keeping.LIST_EXAMPLES),
    ("show", keeping.show, keeping.SHOW_EXAMPLES),
    ("compare", comparing.compare, comparing.EXAMPLES),
    ("add", keeping.add, keeping.ADD_EXAMPLES),
    ("remove", keeping.remove, keeping.REMOVE_EXAMPLES),
):
    _models.command(_action, cls=Command, epilog=_lines)(guarded(_work))
app.add_typer(_models, name="models")


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
    """Find near-duplicates among company names and other short texts.

    `dedup COMMAND -h` shows the options of a command.
    """


def main() -> None:
    """Run the command line; ``docs/bad-input.md`` lists its exit codes."""
    occupy_descriptors()
    begin_log(sys.argv[1:])
    try:
        require_output()
    except EnvironmentFault as error:
        sys.exit(exit_code(error))
    for signum in _SIGNALS:
        if signal.getsignal(signum) != signal.SIG_IGN:  # ignored under nohup and in background jobs of a script
            signal.signal(signum, _stop)
    _watch_signals()
    # Rows are never part of a reference cycle. At Python's default frequency, looking for cycles takes half of the
    # time of reading a file.
    gc.set_threshold(200_000, 20, 100)
    # At exit Python would scan all objects twice, which takes a quarter of a cold query, and nothing needs it.
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a text may have characters that the terminal cannot encode
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    finally:
        if _received:  # a library may have swallowed what the handler raised in one of its callbacks, as SQLite does
            sys.exit(_code_of(_received[0]))


def _stop(signum: int, frame: FrameType | None) -> None:
    """Roll back and end. Ending at once loses nothing, either: the next command cleans up and continues."""
    _received.append(signum)
    for other in _SIGNALS:
        if signal.getsignal(other) == _stop:
            signal.signal(other, _leave_to_watcher)
    if signum == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(_code_of(signum))  # unlike the default action, this rolls back


def _leave_to_watcher(signum: int, frame: FrameType | None) -> None:
    """Do nothing: a second signal ends the program (``_watch_signals``)."""


def _watch_signals() -> None:
    """Start a thread that ends the program at the second signal, or if it has not ended soon after the first.

    Python calls ``_stop`` only between two of its own instructions, so not while a library computes, for example a
    database an endless query. The thread learns of signals from a pipe that they are written to as they arrive.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def watch() -> None:
        (first,) = os.read(reading, 1)
        select([reading], [], [], SECONDS_TO_STOP)
        _end(_code_of(first))

    threading.Thread(target=watch, daemon=True).start()


def _code_of(signum: int) -> int:
    return INTERRUPTED if signum == signal.SIGINT else 128 + signum


def _end(code: int) -> None:
    """End at once, but show the cursor again, which a progress bar may have hidden."""
    with suppress(OSError):
        if os.isatty(_STDERR) and select([], [_STDERR], [], 0)[1]:  # a stopped terminal would block
            os.write(_STDERR, b"\x1b[?25h")
    os._exit(code)


if __name__ == "__main__":
    main()
