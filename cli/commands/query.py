"""``dedup query``: find the indexed records that mean the same as a text, or as each text of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import batch, options
from cli.exit_codes import SOME_ROWS_REJECTED, say
from cli.options import Format
from cli.show import matches
from cli.show.progress_bar import progress_bar
from cli.show.render import output_to, write_rows
from dedup.runtime.threads import compute_with

EXAMPLES = options.examples(
    'dedup query "international flavor and fragrances"',
    'dedup query "Blue Cross of N. Carolina" --limit 3 --explain',
    "dedup query --input names.csv --text name --output matches.csv",
)


def query(
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="Text to look for.")] = None,
    input: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Look for each row of this file instead; - reads stdin."),
    ] = None,
    text_columns: options.TextColumns = None,
    id: options.IdColumn = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    quote: options.Quote = '"',
    no_header: options.NoHeader = False,
    skip_lines: options.SkipLines = 0,
    lenient: options.Lenient = False,
    fix_mojibake: options.FixMojibake = False,
    rejects: options.Rejects = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here. Default: standard output.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most distinct texts to find for one query.")] = 10,
    min_probability: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out matches that are less probable; 0 shows all.")
    ] = 0.05,
    layout: Annotated[
        Format | None,
        typer.Option("--format", help="Default: by the name of --output; csv with --input, else table."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show each piece of evidence and its weight in log-odds, as compare does.")
    ] = False,
    threads: options.Threads = None,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    quiet: options.Quiet = False,
) -> None:
    """Find the best matches for a text or a file.

    A match is a record with its probability of meaning the same (0 to 1), its similarity (-1 to 1), whether
    it is equal once normalised (exact), and its other columns. A column with a name that the result needs
    itself gets column_ before it. With --input, rows of the result carry the line, id and text of their query;
    a query without a match has no row. Exit code 3: some rows of --input were rejected.
    """
    compute_with(threads)

    from dedup.errors import UsageError
    from dedup.model import load_model
    from indexer.jobs.query import Searcher
    from indexer.reading.records import ReadOptions
    from indexer.store.workspace import Workspace

    if (text is None) == (input is None):
        raise UsageError("Give either a TEXT to look for or --input FILE, as in: dedup query 'Acme Inc'.")
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
        raise UsageError("--rejects and the options on how to read a file belong to --input FILE.")
    shape = layout or _format_of(output) or (Format.csv if input else Format.table)
    place = Workspace(workspace, database)
    with (
        place.open(for_writing=False) as store,
        progress_bar(quiet=quiet or text is not None) as progress,
        Searcher(store, place.snapshots, load_model(), progress) as searcher,
    ):
        asked = batch.Search(searcher, limit, min_probability, explain)
        if input is not None:
            if asked.write_all(batch.Reading(input, wanted, rejects, quiet), output, shape, progress):
                raise typer.Exit(SOME_ROWS_REJECTED)
            return
        assert text is not None
        _answer_one(asked, text, output, shape)


def _answer_one(asked: batch.Search, text: str, output: Path | None, shape: Format) -> None:
    from dedup.text.normalise import normalise

    normal = normalise(text)
    [found] = asked.find([text])
    as_rows = matches.table_rows if shape is Format.table else matches.match_rows
    rows = (row for match in found for row in as_rows(match, asked.reasons(normal, match)))
    nothing = f"No match above probability {asked.min_probability:g}."
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
