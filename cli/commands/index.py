"""``dedup index``: load files or the result of an SQL query into the index."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.exit_codes import SOME_ROWS_REJECTED
from cli.inputs import Input, announced, inputs
from cli.show.notes import say, say_rejected
from cli.show.progress_bar import progress_bar, with_total
from cli.show.render import recall_of, spaced, write_summary
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
    "dedup index suppliers.parquet -t name -t city --id supplier_no",
    "dedup index 2024.csv.gz 2025.jsonl.zst -s customers",
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
FromSql = Annotated[
    str | None,
    typer.Option("--from-sql", metavar="QUERY", help="Index the rows of an SQL query instead of files."),
]
SourceUrl = Annotated[
    str | None,
    typer.Option("--source-url", metavar="URL", help="Database for --from-sql; it is never written to."),
]
AllowEmpty = Annotated[
    bool,
    typer.Option(
        "--allow-empty",
        help="Accept an empty file: change nothing and exit with code 0.",
        rich_help_panel=options.READING,
    ),
]
MaxRejectRate = Annotated[
    float,
    typer.Option(
        "--max-reject-rate",
        metavar="SHARE",
        min=0,
        max=1,
        help="Refuse the input if more than this share of its rows (0 to 1) is rejected.",
        rich_help_panel=options.READING,
    ),
]


def index(
    files: Files = None,
    text: options.TextColumns = None,
    id: options.IdColumn = None,
    source: Source = None,
    sync: Sync = False,
    from_sql: FromSql = None,
    source_url: SourceUrl = None,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
    quiet: options.Quiet = False,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    quote: options.Quote = '"',
    no_header: options.NoHeader = False,
    skip_lines: options.SkipLines = 0,
    lenient: options.Lenient = False,
    fix_mojibake: options.FixMojibake = False,
    allow_empty: AllowEmpty = False,
    rejects: options.Rejects = None,
    max_reject_rate: MaxRejectRate = 0.05,
) -> None:
    """Load files or SQL results into the index.

    With an id column, rows with a known id update their record and other rows are added. Without one, rows are
    identified by their content, and records that are missing from the input are removed.

    Indexing the same file again changes nothing. An interrupted run continues when it is started again. Several
    files are indexed one after the other until one is refused. Exit code 3: done, but some rows were rejected.
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
    """The settings that all inputs share."""

    place: Workspace
    model: Model
    wanted: ReadOptions
    sync: bool
    rejects: Path | None
    max_reject_rate: float
    memory: int | None
    quiet: bool

    def index(self, one: Input, *, alone: bool) -> int:
        """Index one input and print the result; return the number of rejected rows."""
        with one.open_rejects(self.rejects) as refused:
            with one.opener(self.wanted) as opened:
                if opened.columns:
                    self._store(one, opened, refused, alone=alone)
                else:  # an empty file, which --allow-empty accepts; this prints its warning
                    with announced(opened, quiet=self.quiet):
                        pass
            say_rejected(refused.count, refused.commit())
        return refused.count

    def _store(self, one: Input, opened: Table, refused: RejectsFile | RejectsStream, *, alone: bool) -> None:
        from indexer.ingest.identity import recorded_identity, with_identity

        rejected_of: Counter[str | None] = Counter()

        def on_reject(reject: Reject) -> None:
            rejected_of[reject.file] += 1
            refused.add(reject)

        # Opened before the input is read, so that a second writer fails at once.
        with self.place.open(for_writing=True) as store:
            table, note = with_identity(opened, one.opener, self.wanted, recorded_identity(store, one.source))
            with announced(table, note, quiet=self.quiet):
                result = self._load(store, one.source, table, on_reject, refused)
            recall = spaced(recall_of(store.current_snapshot())) if result.snapshot_built else {}
        head = {} if alone else {"source": one.source}
        write_summary(head | _parts(table, rejected_of) | _summary(result, recall), sys.stdout, as_json=False)
        _say_notes(result)

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


def _say_notes(result: IndexResult) -> None:
    if result.went_on:
        say("Continued an interrupted run; the figures cover both parts.")
    if result.withheld:
        say(
            f"Kept {result.withheld:,} {'record' if result.withheld == 1 else 'records'} missing from the input: "
            "they may belong to rejected rows without a readable id. Correct these rows and run the command again."
        )


def _parts(table: Table, rejected_of: Counter[str | None]) -> dict[str, str]:
    """Return for each of several files how many rows were read and how many of them rejected."""
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
        "snapshot": "built" if result.snapshot_built else "unchanged",
        **recall,
        "seconds": f"{sum(result.seconds.values()):.1f}",
    }
