"""Notes on standard error: one line each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from cli.show.standard_streams import discard
from cli.show.text import visible

if TYPE_CHECKING:
    from indexer.reading.rejects import RejectsFile, RejectsStream


def say(message: str) -> None:
    """Print one line on stderr, if that can be written: there is no other place to say that it cannot."""
    try:
        typer.echo(visible(message), err=True)
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


def say_rejected(rejects: RejectsFile | RejectsStream) -> None:
    """Complete the list of rejected rows, and say how many there are, where they are listed, and why."""
    path, count = rejects.commit(), rejects.count
    if count:
        say(f"Rejected {count:,} {'row' if count == 1 else 'rows'}{f'; see {path}' if path else ''}.")
    for sentence in rejects.reasons.sentences() if path else ():  # what was written to a stream has been told
        say(f"  {sentence}")
