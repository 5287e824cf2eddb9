"""``dedup query``: find the records that mean the same as a text, or as each text of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.exit_codes import SOME_ROWS_REJECTED
from cli.options import Format
from cli.show import match_rows
from cli.show.notes import notes_unless, say, say_rejected
from cli.show.render import output_to, write_rows
from dedup.runtime.progress import with_total
from dedup.runtime.threads import compute_with
from indexer.progress_bar import progress_bar

if TYPE_CHECKING:
    from indexer.jobs.query import Answer, Match, Searcher

EXAMPLES = options.examples(
    'dedup query "international flavor and fragrances"',
    'dedup query "Blue Cross of N. Carolina" -n 3 --explain',
    "dedup query --input names.csv -t name -o match_rows.csv",
)


Text = Annotated[str | None, typer.Argument(metavar="TEXT", help="Text to search for; put it in quotes.")]
InputFile = Annotated[
    str | None,
    typer.Option("--input", metavar="FILE", help="Search for each row of FILE instead; - reads standard input."),
]
Limit = Annotated[
    int, typer.Option("--limit", "-n", metavar="N", min=1, help="Return at most N distinct texts for each query.")
]
MinProbability = Annotated[
    float,
    typer.Option(
        "--min-probability", metavar="P", min=0, max=1, help="Leave out matches below probability P (0 to 1)."
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Show the evidence for each match with its weight in log-odds.")
]
OutputFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write the matches to FILE instead of standard output."),
]
Layout = Annotated[
    Format | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="Output format: table, json, jsonl or csv. Default: the extension of --output, or else csv with --input "
        "and table without.",
    ),
]


def query(
    text: Text = None,
    input: InputFile = None,
    text_columns: options.TextColumns = None,
    id: options.IdColumn = None,
    limit: Limit = 10,
    min_probability: MinProbability = 0.05,
    explain: Explain = False,
    output: OutputFile = None,
    layout: Layout = None,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    quote: options.Quote = '"',
    no_header: options.NoHeader = False,
    skip_lines: options.SkipLines = 0,
    lenient: options.Lenient = False,
    fix_mojibake: options.FixMojibake = False,
    rejects: options.Rejects = None,
) -> None:
    """Find the best matches for a text or a file.

    Prints each matching record with the probability that it means the same (0 to 1), the similarity of the
    vectors (-1 to 1), whether both are equal after normalisation (exact), and its other columns. A column whose
    name is already taken gets the prefix column_.

    With --input, each match also has the line, id and text of its query; queries without a match are left out.
    Exit code 3: some rows of --input were rejected.
    """
    compute_with(threads)

    from dedup.errors import UsageError
    from dedup.model import load_model
    from dedup.text.normalise import normalise
    from indexer.jobs.query import Searcher
    from indexer.reading.inputs import open_rejects, reading, refuse_overwriting
    from indexer.reading.open import open_table
    from indexer.reading.records import ReadOptions
    from indexer.store.workspace import Workspace
    from indexer.vectors.snapshot import Snapshots

    if (text is None) == (input is None):
        raise UsageError("Give either a TEXT, as in `dedup query 'Acme Inc'`, or --input FILE.")
    wanted = ReadOptions(
        text_columns=text_columns or (),
        id_column=id,
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        header=not no_header,
        skip_lines=skip_lines,
        lenient=lenient,
        fix_mojibake=fix_mojibake,
    )
    if text is not None and (wanted != ReadOptions() or rejects):
        raise UsageError("--text, --id and the reading options can be used with --input FILE only.")
    shape = layout or _format_of(output) or (Format.csv if input else Format.table)
    place = Workspace(workspace, database)
    with (
        place.open(for_writing=False) as store,
        progress_bar(quiet=quiet or text is not None) as progress,
        Searcher(Snapshots(store, place.snapshots), load_model(), progress) as searcher,
    ):
        if text is not None:
            found = searcher.query([text], limit=limit, min_probability=min_probability)[0]
            reasons = partial(_reasons, searcher, normalise(text)) if explain else None
            _write_one(found, reasons, min_probability, output, shape)
            return
        assert input is not None
        refuse_overwriting(input, output, "--output")
        table = open_table(input, wanted)
        with open_rejects([input], rejects, "stdin") as refused, reading(table, notes_unless(quiet)):
            answers = searcher.answer(
                table,
                limit=limit,
                min_probability=min_probability,
                on_reject=refused.add,
                progress=with_total(progress, table, "queries"),
            )
            with output_to(output) as out:
                write_rows(_rows(answers, searcher if explain else None, shape), shape, out)
            say_rejected(refused.count, refused.commit())
        if refused.count:
            raise typer.Exit(SOME_ROWS_REJECTED)


def _reasons(searcher: Searcher, normal: str, match: Match) -> dict[str, Any]:
    return match_rows.reasons_of(searcher.explain(normal, match))


def _rows(answers: Iterable[Answer], explaining: Searcher | None, shape: Format) -> Iterator[dict[str, Any]]:
    """Yield the rows of the matches of a file of queries, with the reasons if ``explaining``."""
    as_rows = match_rows.table_rows if shape is Format.table else match_rows.match_rows
    for row, normal, found in answers:
        head = {"query_line": row.line, "query_id": row.external_id, "query": row.raw}
        for rank, match in enumerate(found, 1):
            for result in as_rows(match, _reasons(explaining, normal, match) if explaining else {}):
                yield {**head, "rank": rank, **result}


def _write_one(
    found: list[Match],
    reasons: Callable[[Match], dict[str, Any]] | None,
    min_probability: float,
    output: Path | None,
    shape: Format,
) -> None:
    as_rows = match_rows.table_rows if shape is Format.table else match_rows.match_rows
    rows = (row for match in found for row in as_rows(match, reasons(match) if reasons else {}))
    nothing = f"No match with probability {min_probability:g} or more."
    with output_to(output) as out:
        if found or shape is not Format.table:
            write_rows(rows, shape, out)
        else:
            out.write(f"{nothing}\n")
    if not found and shape is not Format.table:
        say(nothing)


def _format_of(output: Path | None) -> Format | None:
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    return Format(suffix) if suffix in ("csv", "json", "jsonl") else None
