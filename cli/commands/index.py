"""``dedup index``: load files or the result of an SQL query into the index."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.exit_codes import end_with_rejects
from cli.options import ReportFormat
from cli.show.notes import notes_unless, say, say_rejected, shown_progress
from cli.show.render import spaced, write_summary
from dedup.runtime.threads import compute_with

if TYPE_CHECKING:
    from indexer.jobs.index import IndexResult, InputIndexed
    from indexer.reading.inputs import Input
    from indexer.reading.rejects import RejectsFile, RejectsStream
    from indexer.store.workspace import Workspace

EXAMPLES = options.examples(
    "dedup index companies.csv",
    "dedup index suppliers.parquet -t name -t city --id supplier_no",
    "dedup index customers.csv --field city --field postcode --field vat:id",
    "dedup index products.csv -w .products --kind text",
    "dedup index 2024.csv.gz 2025.jsonl.zst -s customers",
    "dedup index companies.csv --model my_model",
    "zcat export.gz | dedup index - -s crm",
    'dedup index --from-sql "SELECT id, name FROM customers" --source-url postgresql://reader@host/crm',
)


Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE",
        help="CSV, TSV or JSON Lines file, also compressed (gz, bz2, xz, zst), or Parquet file; - reads standard "
        "input.",
    ),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        "-s",
        metavar="NAME",
        help="Name under which the records are kept; joins several files into one source. Default: the name of each "
        "file.",
    ),
]
Sync = Annotated[
    bool, typer.Option("--sync", help="Also delete records of the source that are missing from the input.")
]
MaxRemoved = Annotated[
    float | None,
    typer.Option(
        "--max-removed",
        metavar="SHARE",
        min=0,
        max=1,
        help="Refuse the input if more than this share of the records of its source (0 to 1) would be removed. "
        "Default: 0.1, but up to 10 records if that is at most half of them.",
    ),
]
FromSql = Annotated[
    str | None,
    typer.Option("--from-sql", metavar="QUERY", help="Index the rows of an SQL query instead of files."),
]
SourceUrl = Annotated[
    str | None,
    typer.Option("--source-url", metavar="URL", help="Database for --from-sql; it is never written to."),
]


def index(
    files: Files = None,
    text: options.TextColumns = None,
    id: options.IdColumn = None,
    field: options.FieldColumns = None,
    source: Source = None,
    kind: options.Kind = None,
    sync: Sync = False,
    max_removed: MaxRemoved = None,
    from_sql: FromSql = None,
    source_url: SourceUrl = None,
    layout: options.Output = ReportFormat.table,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
    model: options.Model = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
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
    max_reject_rate: options.MaxRejectRate = 0.05,
) -> None:
    """Load files or SQL results into the index.

    With an id column, rows with a known id update their record and other rows are added. Without one, rows are
    identified by their content, and records that are missing from the input are removed. Fields are further columns
    that tell records apart or bring them together: an address, an official number, a phone number, an e-mail address.

    With --model, an index of another model is changed to it: all texts are encoded anew, while queries are answered by
    the old one. Without FILE nothing else is done.

    Indexing the same file again changes nothing. An interrupted run continues when it is started again. Several
    files are indexed one after the other until one is refused. Exit code 3: done, but some rows were rejected. Exit
    code 9: nothing was changed, because too many records would be removed.
    """
    compute_with(threads)

    from indexer.jobs.index import index_input
    from indexer.memory import parse_size
    from indexer.models.choice import hint_to_register, model_for
    from indexer.store.workspace import Workspace

    place = Workspace(workspace, database, schema=schema)
    if model is not None and not files and from_sql is None and source_url is None:
        _change_model(place, model, layout, quiet=quiet)
        return
    wanted = options.reading_of(locals(), text)
    given = _inputs(files or [], from_sql=from_sql, source_url=source_url, source=source, rejects=rejects)
    limit = None if memory is None else parse_size(memory)
    matcher = model_for(place, model, may_change=True)
    job = partial(
        index_input,
        place,
        matcher,
        options=wanted,
        sync=sync,
        kind=kind,
        max_removed=max_removed,
        max_reject_rate=max_reject_rate,
        memory=limit,
        notify=notes_unless(quiet),
    )
    refused = _rejects_of(given, rejects, place, files or [], mode)
    rejected = _index_all(given, job, refused, as_json=layout is ReportFormat.json, quiet=quiet)
    if (hint := hint_to_register(matcher)) and not quiet:
        say(hint)
    end_with_rejects(rejected, allowed=allow_rejects)


def _change_model(place: Workspace, asked: str, layout: ReportFormat, *, quiet: bool) -> None:
    """Change an index to another model, and add nothing."""
    from indexer.jobs.index import use_model
    from indexer.models.choice import hint_to_register, named_model

    model = named_model(asked)
    with shown_progress(quiet=quiet) as progress:
        done = use_model(place, model, notify=notes_unless(quiet), progress=progress)
    as_json = layout is ReportFormat.json
    result = {
        "model": model.name,
        "fingerprint": model.fingerprint,
        "texts_encoded": done.texts_encoded,
        "snapshot_built": done.snapshot_built,
    }
    if not as_json:
        result |= {"fingerprint": model.fingerprint[:12]}
        result["snapshot_built"] = "yes" if done.snapshot_built else "no"
    if as_json or not quiet:
        write_summary(result if as_json else spaced(result), sys.stdout, as_json=as_json)
    if (hint := hint_to_register(model)) and not quiet:
        say(hint)


def _rejects_of(
    given: Sequence[Input], asked: Path | None, place: Workspace, files: Sequence[str], mode: str | None
) -> list[RejectsFile | RejectsStream]:
    """Return where the rejected rows of each input go; raises what ``open_rejects`` raises."""
    from indexer.files import access_of
    from indexer.reading.inputs import open_rejects, place_of_rejects

    access = access_of(mode) if mode else None
    defaults = [place_of_rejects(place.directory, one.source) for one in given]
    return [
        open_rejects(one.files, asked, default, inputs=files, owns=place.owns, access=access)
        for one, default in zip(given, defaults, strict=True)
    ]


def _inputs(
    files: Sequence[str], *, from_sql: str | None, source_url: str | None, source: str | None, rejects: Path | None
) -> list[Input]:
    """Return the inputs to index: one for each file, or a single one if ``source`` is given.

    Raises ``UsageError`` if the arguments contradict each other.
    """
    from dedup.errors import UsageError
    from indexer.arguments import source_of
    from indexer.reading.inputs import input_of_query, inputs_of_files

    source = None if source is None else source_of(source)
    if (from_sql is None) != (source_url is None):
        raise UsageError("--from-sql QUERY and --source-url URL must be given together.")
    if bool(files) == (from_sql is not None):
        raise UsageError("Give either files, as in `dedup index names.csv`, or --from-sql QUERY.")
    if from_sql is not None and source_url is not None:
        return [input_of_query(from_sql, source_url, source)]
    found = inputs_of_files(files, source)
    if len(found) > 1 and rejects not in (None, Path("-")):
        raise UsageError("--rejects FILE works for one source only; add --source NAME, or leave out --rejects.")
    return found


def _index_all(
    given: Sequence[Input],
    job: Callable[..., InputIndexed],
    rejects: Sequence[RejectsFile | RejectsStream],
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Index one input after the other and print what became of each; return the number of rejected rows."""
    entries: list[dict[str, Any]] = []
    try:
        for number, (one, listed) in enumerate(zip(given, rejects, strict=True)):
            with listed as refused:
                done = _index(job, one, refused, quiet=quiet)
                if not as_json and not quiet:
                    sys.stdout.write("\n" if number else "")
                    _print(done, alone=len(given) == 1)
                for note in done.result.notes if done.result else ():
                    notes_unless(quiet)(note)
                entries.append(_entry(done, refused, say_rejected(refused)))
    finally:  # inputs before one that is refused stay indexed
        if as_json:
            write_summary(entries, sys.stdout, as_json=True)
    return sum(entry["rejected"] for entry in entries)


def _index(
    job: Callable[..., InputIndexed], one: Input, refused: RejectsFile | RejectsStream, *, quiet: bool
) -> InputIndexed:
    """Index one input. Of one that has too many bad rows, the list of these rows is kept."""
    from dedup.errors import InputRefused

    try:
        with shown_progress(quiet=quiet) as progress:
            return job(one, refused, progress=progress)
    except InputRefused as error:
        if error.code == "E_TOO_MANY_REJECTS":
            say_rejected(refused)
        raise


def _print(done: InputIndexed, *, alone: bool) -> None:
    if done.result is None:  # an empty file, which --allow-empty accepts
        return
    head = {} if alone else {"source": done.source}
    summary = head | _parts(done) | _summary(done.result, spaced(done.recall))
    write_summary(summary, sys.stdout, as_json=False)


def _entry(done: InputIndexed, refused: RejectsFile | RejectsStream, listed_in: Path | None) -> dict[str, Any]:
    """Return what JSON says of an input; ``docs/output-files.md`` describes it."""
    from indexer.store.runs import Accounts

    result, rejected = done.result, done.rejected_of
    rows = asdict(result.rows if result else Accounts())
    return {
        "source": done.source,
        "run_id": result and result.run_id,
        "text_columns": done.text_columns,
        "id_column": done.id_column,
        "kind": result.kind if result else None,
        "fields": dict(done.fields),
        "rows": rows.pop("rows_in"),
        **rows,
        "withheld": result.withheld if result else 0,
        "rejects_file": listed_in and str(listed_in),
        "reasons": [asdict(reason) for reason in refused.reasons.all()],
        "files": {name: {"rows": rows, "rejected": rejected.get(name, 0)} for name, rows in done.rows_of.items()},
        "texts_encoded": result.texts_encoded if result else 0,
        "snapshot_built": bool(result and result.snapshot_built),
        **done.recall,
        "seconds": round(sum(result.seconds.values()), 1) if result else 0.0,
    }


def _parts(done: InputIndexed) -> dict[str, str]:
    """Return for each of several files how many rows were read and how many of them rejected."""
    rejected = done.rejected_of
    return {name: f"{rows:,} read, {rejected.get(name, 0):,} rejected" for name, rows in done.rows_of.items()}


def _summary(result: IndexResult, recall: dict[str, float]) -> dict[str, Any]:
    rows = result.rows
    return {
        "rows read": rows.rows_in,
        "added": rows.added,
        "changed": rows.changed,
        "unchanged": rows.unchanged,
        "removed": rows.removed,
        "rejected": rows.rejected,
        "distinct texts encoded": result.texts_encoded,
        "snapshot": "built" if result.snapshot_built else "unchanged",
        **recall,
        "seconds": f"{sum(result.seconds.values()):.1f}",
    }
