"""``dedup query``: find the records that are the same as a text, or as each text of a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.exit_codes import end_with_rejects
from cli.options import Format
from cli.show import match_rows
from cli.show.notes import notes_unless, say_rejected, shown_progress
from cli.show.rows_file import RowsFile, rejects_of, rows_file
from dedup.runtime.progress import Progress, with_total
from dedup.runtime.threads import compute_with
from indexer.outputs.reasons import reasons_of

if TYPE_CHECKING:
    from indexer.jobs.query import Answer, Match, Searcher
    from indexer.reading.rejects import RejectsFile, RejectsStream
    from indexer.reading.rows import Table
    from indexer.store.store import Store
    from indexer.store.workspace import Workspace

EXAMPLES = options.examples(
    'dedup query "international flavor and fragrances"',
    'dedup query "Blue Cross of N. Carolina" -n 3 --explain',
    "dedup query --input names.csv -t name -o matches.csv",
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
    typer.Option("--output", "-o", metavar="FILE", help="Write the matches to FILE, or to standard output if it is -."),
]
FieldValues = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="FIELD=VALUE",
        help="Value of a field of the index, such as city=Ulm; repeat it. Columns of --input with the name of a field "
        "are used without it.",
    ),
]
OutputDelimiter = Annotated[str | None, options.output_delimiter("--output-delimiter")]

Source = Annotated[
    list[str] | None,
    typer.Option("--source", "-s", metavar="NAME", help="Search in this source only; repeat it for several."),
]
Unmatched = Annotated[bool, typer.Option("--unmatched", help="List rows of --input without a match as well.")]
ExcludeSelf = Annotated[
    bool,
    typer.Option(
        "--exclude-self",
        help="Leave out the record that a row of --input is itself: the one with its id in the source named as the "
        "file, or in that of --source.",
    ),
]


def query(
    text: Text = None,
    input: InputFile = None,
    text_columns: options.TextColumns = None,
    id: options.IdColumn = None,
    field: FieldValues = None,
    limit: Limit = 10,
    min_probability: MinProbability = 0.05,
    source: Source = None,
    unmatched: Unmatched = False,
    exclude_self: ExcludeSelf = False,
    explain: Explain = False,
    output: OutputFile = None,
    layout: options.Layout = None,
    columns: options.Columns = None,
    output_delimiter: OutputDelimiter = None,
    bom: options.Bom = False,
    locale: options.Locale = None,
    raw: options.Raw = False,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
    model: options.Model = None,
    threads: options.Threads = None,
    mode: options.Mode = None,
    quiet: options.Quiet = False,
    log_format: options.Log = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    quote: options.Quote = '"',
    no_header: options.NoHeader = False,
    skip_lines: options.SkipLines = 0,
    lenient: options.Lenient = False,
    escape: options.Escape = "",
    short_rows: options.ShortRows = False,
    sheet: options.Sheet = None,
    fix_mojibake: options.FixMojibake = False,
    allow_empty: options.AllowEmpty = False,
    rejects: options.Rejects = None,
    allow_rejects: options.AllowRejects = False,
) -> None:
    """Find the best matches for a text or a file.

    Prints each matching record with the probability that it is the same (0 to 1), the similarity of the
    vectors (-1 to 1), whether both are equal after normalisation (exact), and its other columns. A column whose
    name is already taken gets the prefix column_.

    Where the index has fields, --field, or columns of --input with their names, tell the records of a text apart.

    With --input, each match also has the line, id, text and other columns of its query, as query_city (its own
    column line is query_column_line). Exit code 3: some rows of --input were rejected.
    """
    compute_with(threads)

    from dedup.errors import UsageError
    from indexer.outputs.table_files import style_of
    from indexer.reading.open import open_table
    from indexer.reading.rows import ReadOptions
    from indexer.store.store import check_columns
    from indexer.store.workspace import Workspace

    if (text is None) == (input is None):
        raise UsageError("Give either a TEXT, as in `dedup query 'Acme Inc'`, or --input FILE.")
    values = _values_of(field or (), input)
    wanted = options.reading_of({**locals(), "field": None}, text_columns)
    if text is not None and (wanted != ReadOptions() or rejects or unmatched or exclude_self):
        raise UsageError(
            "--text, --id, --unmatched, --exclude-self and the reading options can be used with --input FILE only."
        )
    style = style_of(raw=raw, delimiter=output_delimiter, bom=bom, locale=locale)
    place, chosen = Workspace(workspace, database, schema=schema), options.columns_of(columns)
    files, default = ([], Format.table) if input is None else ([input], Format.csv)
    target = rows_file(output, layout, style, place, inputs=files, mode=mode, default=default)
    asked = _Asked(limit, min_probability, explain, unmatched, chosen, target, notes_unless(quiet))
    with (
        place.open(for_writing=False) as store,
        shown_progress(quiet=quiet or text is not None) as progress,
        _searcher(place, store, model, progress, source or ()) as searcher,
    ):
        check_columns(store, chosen)
        if text is not None:
            _answer_text(searcher, text, values, asked)
        elif input is not None:
            own = _own_source(store, input, source or []) if exclude_self else None
            listed = rejects_of([input], rejects, place, mode, target)
            rejected = _answer_file(searcher, open_table(input, wanted), listed, asked, own, progress)
            end_with_rejects(rejected, allowed=allow_rejects)


def _values_of(given: Sequence[str], file: str | None) -> dict[str, str]:
    """Return values of fields by name. Raises ``UsageError`` if they cannot be read, or are given beside a file."""
    from dedup.errors import UsageError

    if given and file is not None:
        raise UsageError("--field FIELD=VALUE is for a TEXT; of --input FILE, columns named as a field are used.")
    return options.values_of(given)


def _searcher(
    place: Workspace, store: Store, asked: str | None, progress: Progress, sources: Sequence[str]
) -> Searcher:
    """Return what searches an index with its model, also if another process changes the model meanwhile."""
    from dedup.errors import VersionMismatch
    from indexer.jobs.query import Searcher
    from indexer.models.choice import model_for
    from indexer.vectors.snapshot import Snapshots

    model = model_for(place, asked)
    while True:
        try:
            return Searcher(Snapshots(store, place.snapshots), model, progress, sources=sources)
        except VersionMismatch:
            before, model = model, model_for(place, asked)
            if model.fingerprint == before.fingerprint:
                raise


def _own_source(store: Store, file: str, sources: Sequence[str]) -> str:
    """Return the source that the rows of a file are in.

    Raises ``UsageError``: there is none of its name, and ``sources`` do not name one.
    """
    from dedup.errors import UsageError
    from indexer.reading.inputs import source_name

    if len(sources) == 1:
        return sources[0]
    name, known = source_name(file), sources or list(store.counts().sources)
    if name not in known:
        raise UsageError(
            f"--exclude-self: the rows of {file} are not in source {name!r}, only in one of "
            f"{', '.join(map(repr, known))}; name it with --source."
        )
    return name


@dataclass(frozen=True, slots=True)
class _Asked:
    """What to find for each query, and how to write it."""

    limit: int
    min_probability: float
    explain: bool
    unmatched: bool
    columns: list[str] | None
    file: RowsFile
    note: Callable[[str], None]

    def rows(self, searcher: Searcher, normal: str, match: Match) -> Iterator[dict[str, Any]]:
        """Return the rows of a match of the query with this normal form, with the reasons if asked for."""
        reasons = reasons_of(searcher.explain(normal, match)) if self.explain else {}
        as_rows = match_rows.table_rows if self.file.layout is Format.table else match_rows.match_rows
        return as_rows(match, reasons, self.columns)


def _answer_text(searcher: Searcher, text: str, values: dict[str, str], asked: _Asked) -> None:
    from dedup.text.normalise import normalise

    fields = [searcher.fields.given(values)]
    (found,) = searcher.query([text], limit=asked.limit, min_probability=asked.min_probability, fields=fields)
    nothing = f"No match with probability {asked.min_probability:g} or more."
    if found or asked.file.layout is not Format.table:
        rows = (row for match in found for row in asked.rows(searcher, normalise(text), match))
        asked.file.write(rows, match_rows.TYPES)
    else:
        with asked.file.opened() as out:
            out.write(f"{nothing}\n")
    if not found and asked.file.layout is not Format.table:
        asked.note(nothing)


def _answer_file(
    searcher: Searcher,
    table: Table,
    listed: RejectsFile | RejectsStream,
    asked: _Asked,
    own: str | None,
    progress: Progress,
) -> int:
    """Write the matches of every row of a file, and say how many have one; return the number of rejected rows."""
    from indexer.reading.inputs import reading

    counts = Counter[bool]()
    with listed as refused, reading(table, asked.note):
        answers = searcher.answer(
            table,
            limit=asked.limit,
            min_probability=asked.min_probability,
            on_reject=refused.add,
            without=own,
            progress=with_total(progress, table, "queries"),
        )
        asked.file.write(_rows(searcher, _counted(answers, counts), asked), match_rows.QUERY_TYPES)
        say_rejected(refused)
        asked.note(f"Matched {counts[True]:,} of {counts.total():,} rows.")
    return refused.count


def _counted(answers: Iterable[Answer], counts: Counter[bool]) -> Iterator[Answer]:
    """Yield the answers, and count those that have a match and those that have none."""
    for answer in answers:
        counts[bool(answer[2])] += 1
        yield answer


def _rows(searcher: Searcher, answers: Iterable[Answer], asked: _Asked) -> Iterator[dict[str, Any]]:
    """Yield the rows of the matches of a file of queries."""
    for row, normal, found in answers:
        head: dict[str, Any] = {"query_line": row.line, "query_id": row.external_id, "query": row.raw}
        head |= match_rows.query_columns(row.fields)
        if not found and asked.unmatched:
            yield {**head, "rank": None, "probability": None, "similarity": None, "exact": None}
        for rank, match in enumerate(found, 1):
            for result in asked.rows(searcher, normal, match):
                yield {**head, "rank": rank, **result}
