"""Messages on standard error: plain sentences or, with ``--log-format``, lines of a log.

What the jobs log by ``logging`` is printed here as well: warnings always, the beginning and end of runs only in a log.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.options import LOG_FORMAT, LOG_FORMAT_VARIABLE, LogFormat
from cli.show.standard_streams import discard
from cli.show.text import visible
from dedup.runtime.progress import Progress
from indexer.progress_bar import progress_bar

if TYPE_CHECKING:
    from indexer.reading.rejects import RejectsFile, RejectsStream

_LEVELS = {"Error: ": "error", "Warning: ": "warning", "Note: ": "info"}
"""The level of a message by how it begins; others are ``info``."""


@dataclass(slots=True)
class _Log:
    """How messages look, and what the lines of a log say besides: the command and the run that it is or was in."""

    layout: LogFormat | None = None
    command: str = ""
    run_id: int | None = None


_log = _Log()


def begin_log(arguments: Sequence[str]) -> None:
    """Choose how messages look by the arguments of the program, whose errors have that format, too."""
    asked = os.environ.get(LOG_FORMAT_VARIABLE, "")
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, _, value = argument.partition("=")
        if argument == "--":
            break
        if name == LOG_FORMAT:
            asked = value or following
    _log.layout = LogFormat(asked) if asked in list(LogFormat) else None
    _log.command = next(iter(arguments), "").lstrip("-")
    _log.run_id = None


def is_log() -> bool:
    """Return whether messages are lines of a log."""
    return _log.layout is not None


def say(message: str, level: str | None = None) -> None:
    """Print one line on stderr, if that can be written: there is no other place to say that it cannot.

    ``level`` is for a message that does not begin with its level, such as ``Warning:``.
    """
    try:
        typer.echo(_line(message, level), err=True)
    except OSError:
        discard(sys.stderr)


def notes_unless(quiet: bool) -> Callable[[str], None]:
    """Return what prints notes on stderr; if ``quiet``, only warnings."""

    def note(sentence: str) -> None:
        if not quiet or sentence.startswith("Warning:"):
            say(sentence)

    return note


def say_contradictions(found: Sequence[object]) -> None:
    """Warn of judgements that contradict others."""
    if found:
        verb = "judgement contradicts" if len(found) == 1 else "judgements contradict"
        say(f"Warning: {len(found):,} {verb} others; `dedup judgements --contradictions` shows them.")


def say_rejected(rejects: RejectsFile | RejectsStream) -> Path | None:
    """Complete the list of rejected rows, and say how many there are, where they are listed, and why.

    Returns where they are listed; None if nowhere.
    """
    path, count = rejects.commit(), rejects.count
    if count:
        where = f"; see {path}" if path else ""
        say(f"Rejected {count:,} {'row' if count == 1 else 'rows'}{where}.", "warning")
    for sentence in rejects.reasons.sentences() if path else ():  # what was written to a stream has been told
        say(sentence if is_log() else f"  {sentence}", "warning")
    return path


@contextmanager
def shown_progress(*, quiet: bool = False) -> Iterator[Progress]:
    """Provide the function that a job reports to: it draws a bar on a terminal; a log has a line for each stage."""
    if not is_log():
        with progress_bar(quiet=quiet) as progress:
            yield progress
        return
    last, note = "", notes_unless(quiet)

    def report(stage: str, done: int, total: int | None) -> None:
        nonlocal last
        if stage != last:
            note(f"Stage: {stage}.")
        last = stage

    yield report


@contextmanager
def listening(*, quiet: bool) -> Iterator[None]:
    """Print what is logged in the block."""
    handler, root, jobs = _Handler(quiet=quiet), logging.getLogger(), logging.getLogger("indexer")
    level = jobs.level
    root.addHandler(handler)
    jobs.setLevel(logging.INFO)
    try:
        yield
    finally:
        jobs.setLevel(level)
        root.removeHandler(handler)


class _Handler(logging.Handler):
    """Prints warnings and, in a log, notes unless ``quiet``; remembers the run that a record belongs to."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(logging.INFO)
        self._quiet = quiet

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record if it is wanted."""
        _log.run_id = getattr(record, "run_id", _log.run_id)
        if record.levelno >= logging.WARNING or (is_log() and not self._quiet):
            say(record.getMessage(), record.levelname.lower())


def _line(message: str, level: str | None) -> str:
    if _log.layout is None:
        return visible(message)
    prefix = next(filter(message.startswith, _LEVELS), "")
    level, message = level or _LEVELS.get(prefix, "info"), message.removeprefix(prefix)
    time = datetime.now(UTC).isoformat(timespec="seconds")
    if _log.layout is LogFormat.json:
        own = {"time": time, "level": level, "command": _log.command, "run_id": _log.run_id, "message": message}
        return json.dumps(own)  # ASCII, which every locale can write
    run = "" if _log.run_id is None else f" run {_log.run_id}"
    return visible(f"{time} {level.upper()} {_log.command}{run}: {message}")
