"""``dedup review``: ask a person about pairs of records, the most useful first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.show.notes import say
from dedup.runtime.threads import compute_with
from indexer.progress_bar import progress_bar

if TYPE_CHECKING:
    from indexer.jobs.reviewing.candidates import Candidate
    from indexer.jobs.reviewing.session import Review

EXAMPLES = options.examples(
    "dedup review",
    "dedup review --source crm --limit 50",
    "dedup judgements -o judgements.csv",
)

_VERDICTS = {"y": "same", "n": "different", "u": "unsure"}
_KEYS = "y same, n different, u unsure, z undo, q quit"

By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who judges. Default: the login name.")]
Limit = Annotated[int | None, typer.Option("--limit", "-n", metavar="N", min=1, help="Stop after N answers.")]
Audit = Annotated[
    float, typer.Option("--audit", metavar="P", min=0, max=1, help="Share of the pairs that are drawn at random.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Decides which pairs are drawn at random.")]
SourceName = Annotated[
    str | None,
    typer.Option("--source", "-s", metavar="NAME", help="Ask only about pairs with a record of this source."),
]
ShowProbability = Annotated[
    bool, typer.Option("--show-probability", help="Show what the model thinks; by default you judge without it.")
]
Unsure = Annotated[bool, typer.Option("--unsure", help="Ask again about the pairs that were judged unsure.")]


def review(
    source: SourceName = None,
    limit: Limit = None,
    by: By = None,
    audit: Audit = 0.1,
    seed: Seed = 0,
    unsure: Unsure = False,
    show_probability: ShowProbability = False,
    columns: options.Columns = None,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
    model: options.Model = None,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
) -> None:
    """Judge pairs of records: the same, different or unsure.

    Shows two records side by side, with the characters that differ in brackets, and reads one key for an answer:
    y same, n different, u unsure, z undo, q quit. Pairs whose answer is most useful come first, and one of ten is drawn
    at random (--audit). Every answer is stored at once; the next review goes on where this one ended. Reports respect
    the answers. If standard input is no terminal, each of its lines is an answer.
    """
    compute_with(threads)

    from indexer.jobs.reviewing.candidates import Asked, find_candidates
    from indexer.jobs.reviewing.judgement_table import login, person_of
    from indexer.jobs.reviewing.session import Review
    from indexer.models.choice import model_for
    from indexer.store.workspace import Workspace

    who = login() if by is None else person_of(by)
    place = Workspace(workspace, database, schema=schema)
    with progress_bar(quiet=quiet) as progress:
        found = find_candidates(place, model_for(place, model), Asked(source, audit, seed), progress=progress)
    session = Review(place, iter(found), who, limit, asks_unsure=unsure)
    if not quiet:
        say(f"Up to {len(found):,} pairs, of which a share of {audit:g} is drawn at random (seed {seed}).")
        say(f"Keys: {_KEYS}.")
    _ask_all(session, options.columns_of(columns), show_probability=show_probability)
    counts = ", ".join(f"{session.counts.get(verdict, 0):,} {verdict}" for verdict in _VERDICTS.values())
    typer.echo(f"Judged {session.answered:,} {'pair' if session.answered == 1 else 'pairs'}: {counts}.")


def _ask_all(session: Review, columns: list[str] | None, *, show_probability: bool) -> None:
    """Ask until there is no pair left, or the person quits."""
    from cli.show.side_by_side import write_question

    while True:
        question = session.next()
        if question is None:
            say("No pair is left to judge." if session.limit != session.answered else "The limit is reached.")
            return
        write_question(question, session.answered + 1, columns, sys.stdout, show_probability=show_probability)
        sys.stdout.flush()
        if not _answer(session, question):
            return


def _answer(session: Review, question: Candidate) -> bool:
    """Read keys until the question is answered, or the last answer taken back; return False if the person quits."""
    from dedup.errors import UsageError, WriterBusy

    while True:
        key = _read_key()
        if key in ("", "q"):
            return False
        try:
            if key == "z":
                if session.undo(question):
                    typer.echo("Taken back.")
                    return True
                say("There is no answer of this review to take back.")
            elif key in _VERDICTS:
                for conflict in session.answer(question, _VERDICTS[key]):
                    say(f"Warning: this contradicts earlier answers: {conflict}. z takes it back.")
                return True
            else:
                say(f"{key!r} is no answer. Keys: {_KEYS}.")
        except WriterBusy as error:
            if not sys.stdin.isatty():
                raise
            say(f"Not stored: {error} Answer again.")
        except UsageError as error:
            say(str(error))


def _read_key() -> str:
    """Return one key of a terminal, or the first letter of a line; an empty text at the end of the input."""
    if sys.stdin.isatty():
        typer.echo("y/n/u/z/q? ", nl=False)
        key = typer.getchar().lower()
        typer.echo(key if key.isprintable() else "")
        return {"\x04": "q", "\x1b": "q"}.get(key, key)
    while line := sys.stdin.readline():
        if answer := line.strip().lower():
            return {"yes": "y", "no": "n", **{verdict: key for key, verdict in _VERDICTS.items()}}.get(answer, answer)
    return ""
