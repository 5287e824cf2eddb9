"""``dedup link``: the best record of another list for each row of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cli import options
from cli.exit_codes import end_with_rejects
from cli.show.notes import notes_unless, say_rejected, shown_progress
from cli.show.rows_file import RowsFile, rejects_of, rows_file
from dedup.runtime.threads import compute_with
from indexer.outputs.reasons import DIGITS

if TYPE_CHECKING:
    from indexer.reading.rejects import Reject
    from indexer.reading.rows import ReadOptions
    from indexer.results.links import Links
    from indexer.results.sides import Side

EXAMPLES = options.examples(
    "dedup link leads.csv accounts.csv -o links.csv",
    "dedup link leads.csv accounts.csv -t company --right-text name --keep one-to-one",
    "dedup link leads.csv --against crm --columns city,country -o links.xlsx",
)
_TYPES = {"probability": float, "similarity": float, "exact": bool, "ties": int}


class Keep(StrEnum):
    """Which links to write."""

    best = "best"
    one_to_one = "one-to-one"
    all = "all"


Left = Annotated[str, typer.Argument(metavar="FILE", help="Each row of this file is linked.", show_default=False)]
Right = Annotated[
    str | None,
    typer.Argument(metavar="OTHER_FILE", help="The list to link with; or use --against.", show_default=False),
]
Against = Annotated[
    list[str] | None,
    typer.Option("--against", metavar="SOURCE", help="Link with this source of the index; repeat it for several."),
]
RightText = Annotated[
    list[str] | None,
    typer.Option("--right-text", metavar="COLUMN", help="Text column of OTHER_FILE. Default: that of --text."),
]
RightId = Annotated[
    str | None,
    typer.Option("--right-id", metavar="COLUMN", help="Id column of OTHER_FILE. Default: that of --id."),
]
RightFields = Annotated[
    list[str] | None,
    typer.Option("--right-field", metavar="COLUMN", help="Field of OTHER_FILE; repeat it. Default: those of --field."),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="COLUMN[:KIND]",
        help="Further column that serves as evidence, as in `dedup index`; repeat it. Default: none; with --against, "
        "columns with the name of a field of the index. '' for none.",
    ),
]
Which = Annotated[
    Keep,
    typer.Option(
        "--keep",
        metavar="LINKS",
        help="best: the best link of each row; one-to-one: the most probable links that use no record twice; "
        "all: every link.",
    ),
]
Limit = Annotated[
    int, typer.Option("--limit", "-n", metavar="N", min=1, help="Find at most N distinct texts for each row.")
]
MinProbability = Annotated[
    float | None,
    typer.Option(
        "--min-probability",
        metavar="P",
        min=0,
        max=1,
        help="Lowest probability of a link (0 to 1). Default: the threshold of the model.",
    ),
]
OutputFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write the links to FILE, or to standard output if it is -."),
]
OutputDelimiter = Annotated[str | None, options.output_delimiter("--output-delimiter")]


def link(
    file: Left,
    other_file: Right = None,
    against: Against = None,
    text_columns: options.TextColumns = None,
    id: options.IdColumn = None,
    right_text: RightText = None,
    right_id: RightId = None,
    field: Fields = None,
    right_field: RightFields = None,
    keep: Which = Keep.best,
    limit: Limit = 10,
    min_probability: MinProbability = None,
    kind: options.Kind = None,
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
    """Link the rows of a file with another file, or with a source of the index.

    Prints each row of FILE with the record it is linked to, the probability (0 to 1) that both are the same, and how
    many others are as probable as the best (ties). Columns of FILE end in _1, those of the other side in _2. Rows
    without a link are listed too, the other side empty. docs/linking.md says more.

    Reading options, --text, --id and --field apply to both files. Exit code 3: some rows were rejected.
    """
    compute_with(threads)

    from indexer.ingest.text_kinds import model_for_texts
    from indexer.linking import link_sides, link_to_index
    from indexer.models.choice import asked_or_shipped, model_for
    from indexer.outputs.table_files import style_of
    from indexer.store.workspace import Workspace

    _check_sides(file, other_file, against, kind, own_columns=bool(right_text or right_field) or right_id is not None)
    wanted = options.reading_of(locals(), text_columns)
    place = Workspace(workspace, database, schema=schema)
    files = [file] if other_file is None else [file, other_file]
    style = style_of(raw=raw, delimiter=output_delimiter, bom=bom, locale=locale)
    target = rows_file(output, layout, style, place, inputs=files, mode=mode)
    with rejects_of(files, rejects, place, mode, target) as refused, shown_progress(quiet=quiet) as progress:
        left = _read(file, wanted, refused.add, quiet=quiet)
        if other_file is None:
            matcher, find = model_for(place, model), partial(link_to_index, place, left, against or [])
        else:
            right = _read_right(other_file, wanted, refused.add, _Own(right_text, right_id, right_field), quiet=quiet)
            matcher, note = model_for_texts(asked_or_shipped(model), kind, [*left.groups, *right.groups])
            for sentence in filter(None, [note]):
                notes_unless(quiet)(sentence)
            find = partial(link_sides, left, right)
        least = matcher.default_probability if min_probability is None else min_probability
        links = find(matcher, min_probability=least, limit=limit, progress=progress)
        write_links(target, links, keep, options.columns_of(columns))
        say_rejected(refused)
    _say_what_was_found(links, keep, limit, quiet=quiet)
    end_with_rejects(refused.count, allowed=allow_rejects)


class _Own(NamedTuple):
    """The columns of the second file, where they are not those of the first."""

    text: list[str] | None
    id: str | None
    fields: list[str] | None


def _check_sides(
    file: str, other_file: str | None, against: list[str] | None, kind: str | None, *, own_columns: bool
) -> None:
    """Raise ``UsageError`` unless there is one other side, and its columns and kind are named only if it is a file."""
    from dedup.errors import UsageError

    if (other_file is None) == (not against):
        raise UsageError("Give either a second file, or --against SOURCE, once or several times.")
    if against and own_columns:
        raise UsageError("--right-text, --right-id and --right-field apply to a second file, not to --against.")
    if against and kind is not None:
        raise UsageError("--kind applies to two files; the texts of an index have the kind that they were indexed as.")
    if file == other_file == "-":
        raise UsageError("Standard input (-) can be read only once.")


def _read(file: str, wanted: ReadOptions, on_reject: Callable[[Reject], None], *, quiet: bool) -> Side:
    from indexer.reading.inputs import reading
    from indexer.reading.open import open_table
    from indexer.results.sides import side_of_table

    notify = notes_unless(quiet)
    with reading(open_table(file, wanted), lambda sentence: notify(_of_file(sentence, file))) as table:
        return side_of_table(table, on_reject)


def _of_file(sentence: str, file: str) -> str:
    """Say which of two files a note on the columns is about; warnings name their file themselves."""
    return sentence if sentence.startswith("Warning:") else f"{file}: {sentence}"


def _read_right(
    file: str,
    wanted: ReadOptions,
    on_reject: Callable[[Reject], None],
    own: _Own,
    *,
    quiet: bool,
) -> Side:
    """Read the second file, with the columns of the first unless it has its own.

    Raises what ``open_table`` raises.
    """
    from dedup.errors import InputRefused

    its = replace(
        wanted,
        text_columns=own.text or wanted.text_columns,
        id_column=wanted.id_column if own.id is None else own.id,
        field_columns=wanted.field_columns if own.fields is None else options.field_columns(own.fields),
    )
    try:
        return _read(file, its, on_reject, quiet=quiet)
    except InputRefused as error:
        if error.code not in ("E_MISSING_COLUMN", "E_NO_TEXT_COLUMN"):
            raise
        hint = "Name the columns of the second file with --right-text, --right-id and --right-field ('' for none)."
        raise InputRefused(f"{error} {hint}", error.code) from None


def write_links(
    file: RowsFile, links: Links, keep: Keep, columns: Sequence[str] | None, *, with_unmatched: bool = True
) -> None:
    """Write the rows with these other columns; raises ``InputRefused`` if neither side has one of them."""
    table = links.rows(keep.value, columns)
    rows = (
        {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in row.items()}
        for row in table.table_rows()
        if with_unmatched or row["id_2"] is not None
    )
    file.write(rows, {name: _TYPES.get(name, str) for name in table.column_names})


def _say_what_was_found(links: Links, keep: Keep, limit: int, *, quiet: bool) -> None:
    note = notes_unless(quiet)
    linked = len(links.one_to_one) if keep is Keep.one_to_one else len(links.matches)
    tied = sum(1 for row in links.rows() if row.ties)
    note(
        f"Linked {linked:,} of {len(links.left):,} rows"
        f"{f'; {tied:,} have several that are equally probable (ties)' if tied else ''}."
    )
    if keep is Keep.all and links.cut_off:
        note(
            f"Warning: {links.cut_off:,} {'text has' if links.cut_off == 1 else 'texts have'} {limit:,} links, the "
            "most that are found for one, so there may be more. Raise --limit."
        )
