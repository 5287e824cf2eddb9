"""``dedup index``: bring files, or the result of a query, into a workspace."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.exit_codes import SOME_ROWS_REJECTED, say
from cli.inputs import Input, inputs
from cli.show.progress_bar import progress_bar, with_total
from cli.show.render import recall_of, spaced, write_summary
from cli.tables import reading, say_rejected
from dedup.runtime.threads import compute_with

if TYPE_CHECKING:
    from dedup.model import Model
    from indexer.jobs.index import IndexResult
    from indexer.reading.open import ReadOptions, Table
    from indexer.reading.rejects import Reject, RejectsFile, RejectsStream
    from indexer.store.store import Store
    from indexer.store.workspace import Workspace

EXAMPLES = options.examples(
    "dedup index companies.csv",
    "dedup index suppliers.parquet --text name --text city --id supplier_no",
    "dedup index 2024.csv.gz 2025.jsonl.zst --source customers",
    "zcat export.gz | dedup index - --source crm",
    'dedup index --from-sql "SELECT id, name FROM customers" --source-url postgresql://reader@host/crm',
)


def index(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="CSV, TSV, JSON Lines, also as gz, bz2, xz or zst, or Parquet; - reads standard input.",
            show_default=False,
        ),
    ] = None,
    text: options.TextColumns = None,
    id: options.IdColumn = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of this collection; several files are one then. Default: each file's own name.",
        ),
    ] = None,
    sync: Annotated[
        bool,
        typer.Option("--sync", help="Make the source what the input holds: delete its records that are not in it."),
    ] = False,
    from_sql: Annotated[
        str | None, typer.Option("--from-sql", metavar="QUERY", help="Index the rows of a SELECT instead of files.")
    ] = None,
    source_url: Annotated[
        str | None,
        typer.Option("--source-url", metavar="URL", help="Database of --from-sql; it is only read."),
    ] = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    quote: options.Quote = '"',
    no_header: options.NoHeader = False,
    skip_lines: options.SkipLines = 0,
    lenient: options.Lenient = False,
    fix_mojibake: options.FixMojibake = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="An empty file is no fault: nothing is changed, exit code 0.")
    ] = False,
    rejects: options.Rejects = None,
    max_reject_rate: Annotated[
        float,
        typer.Option(min=0, max=1, help="Refuse the input if a larger share of its rows is rejected."),
    ] = 0.05,
    threads: options.Threads = None,
    memory: options.Memory = None,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    quiet: options.Quiet = False,
) -> None:
    """Bring files into the index, or the rows of a query.

    With an id column, rows with a known id are updated and others added; without one, a row is known by its
    content, and the source becomes what the file holds. Indexing the same file again changes nothing; a job
    that was interrupted goes on where it stopped. Several files are indexed one after the other, up to the
    first that is refused. Exit code 3: done, but some rows were rejected.
    """
    compute_with(threads)

    from dedup.model import load_model
    from indexer.memory import parse_size
    from indexer.reading.open import ReadOptions
    from indexer.store.workspace import Workspace

    place = Workspace(workspace, database)
    wanted = ReadOptions(
        text_columns=text or (),
        id_column=id,
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        header=not no_header,
        skip_lines=skip_lines,
        lenient=lenient,
        fix_mojibake=fix_mojibake,
        allow_empty=allow_empty,
    )
    given = inputs(files or [], from_sql=from_sql, source_url=source_url, source=source, rejects=rejects)
    limit = parse_size(memory) if memory else None
    job = _Job(place, load_model(), wanted, sync, rejects, max_reject_rate, limit, quiet)
    rejected = 0
    for number, one in enumerate(given):
        if number:
            sys.stdout.write("\n")
        rejected += job.index(one, alone=len(given) == 1)
    if rejected:
        raise typer.Exit(SOME_ROWS_REJECTED)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is done with each of the inputs."""

    place: Workspace
    model: Model
    wanted: ReadOptions
    sync: bool
    rejects: Path | None
    max_reject_rate: float
    memory: int | None
    quiet: bool

    def index(self, one: Input, *, alone: bool) -> int:
        """Index one input and say what became of it; return how many rows were rejected."""
        with one.open_rejects(self.rejects) as refused:
            with one.opener(self.wanted) as opened:
                if opened.columns:
                    self._store(one, opened, refused, alone=alone)
                else:  # an empty file that may be empty: all there is to say is a warning
                    with reading(opened, quiet=self.quiet):
                        pass
            say_rejected(refused.count, refused.commit())
        return refused.count

    def _store(self, one: Input, opened: Table, refused: RejectsFile | RejectsStream, *, alone: bool) -> None:
        from indexer.ingest.identity import recorded_identity, with_identity

        rejected_of: Counter[str | None] = Counter()

        def on_reject(reject: Reject) -> None:
            rejected_of[reject.file] += 1
            refused.add(reject)

        # Opened before all is read, so that who comes too late hears it early.
        with self.place.open(for_writing=True) as store:
            table, note = with_identity(opened, one.opener, self.wanted, recorded_identity(store, one.source))
            with reading(table, note, quiet=self.quiet):
                result = self._load(store, one.source, table, on_reject, refused)
            recall = spaced(recall_of(store.current_snapshot())) if result.snapshot_built else {}
        head = {} if alone else {"source": one.source}
        write_summary(head | _parts(table, rejected_of) | _summary(result, recall), sys.stdout, as_json=False)
        _say_more(result)

    def _load(
        self,
        store: Store,
        source: str,
        table: Table,
        on_reject: Callable[[Reject], None],
        refused: RejectsFile | RejectsStream,
    ) -> IndexResult:
        from dedup.errors import InputRefused
        from indexer.jobs.index import index_rows

        with progress_bar(quiet=self.quiet) as progress:
            try:
                return index_rows(
                    store,
                    self.place.snapshots,
                    self.model,
                    source,
                    table,
                    identity="column" if table.choice.id else "content",
                    on_reject=on_reject,
                    sync=self.sync,
                    max_reject_rate=self.max_reject_rate,
                    memory=self.memory,
                    progress=with_total(progress, table, "read"),
                )
            except InputRefused as error:
                if error.code == "E_TOO_MANY_REJECTS":
                    say_rejected(refused.count, refused.commit())
                raise


def _say_more(result: IndexResult) -> None:
    if result.went_on:
        say("Went on where the same job had been interrupted; the figures are of both together.")
    if result.withheld:
        say(
            f"Kept {result.withheld:,} {'record' if result.withheld == 1 else 'records'} that the input does not "
            "hold: rows without a readable id were rejected, and may be theirs. Correct them and run it again."
        )


def _parts(table: Table, rejected_of: Counter[str | None]) -> dict[str, str]:
    """Say of each of several files how many rows it had, and how many of them were rejected."""
    return {name: f"{rows:,} read, {rejected_of[name]:,} rejected" for name, rows in table.rows_of.items()}


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
        "snapshot": "built" if result.snapshot_built else "not due",
        **recall,
        "seconds": f"{sum(result.seconds.values()):.1f}",
    }
