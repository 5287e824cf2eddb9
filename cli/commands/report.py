"""``dedup report``: all duplicate pairs and clusters of the index."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.commands.link import Keep, rows_of
from cli.options import Format, ReportFormat
from cli.show.notes import say
from cli.show.render import spaced, write_summary
from cli.show.rows_file import rows_file
from dedup.runtime.threads import compute_with
from indexer.outputs.record_pairs import MAX_PAIRS
from indexer.outputs.table_files import TableFormat
from indexer.progress_bar import progress_bar

if TYPE_CHECKING:
    from indexer.jobs.report_tables import Tables
    from indexer.store.workspace import Workspace

TABLES = ("pairs", "clusters")
_LINKS_OF_A_TEXT = 100
"""So many distinct texts of the other source are listed for one."""

EXAMPLES = options.examples(
    "dedup report",
    "dedup report -o duplicates --min-probability 0.9",
    "dedup report --tables xlsx --columns city,country",
    "dedup report --between leads crm",
)

_SHOWN = (
    *("records", "distinct_texts", "exact_duplicate_records", "near_pairs", "expected_true_pairs"),
    *("pairs_total", "pairs_listed", "clusters", "records_in_clusters", "largest_cluster"),
)


Directory = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="Directory for pairs.csv, clusters.csv and summary.json."),
]
TableLayout = Annotated[
    TableFormat,
    typer.Option("--tables", metavar="FORMAT", help="Format of pairs and clusters: csv, tsv, xlsx or parquet."),
]
Explain = Annotated[bool, typer.Option("--explain", help="Add the reasons for the probability to each pair.")]
MaxPairs = Annotated[
    int,
    typer.Option(
        "--max-pairs",
        metavar="N",
        min=1,
        help="List at most N pairs of records for two similar texts, or for records of the same text; of more, those "
        "with the first record of each source.",
    ),
]
KeepRules = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        metavar="RULE",
        help="The record of each cluster to mark in the column keep: most-complete, newest, oldest, newest:COLUMN, "
        "oldest:COLUMN or source:NAME; further ones decide ties. Default: most-complete.",
    ),
]
OutputDelimiter = Annotated[str | None, options.output_delimiter("--delimiter")]
MinProbability = Annotated[
    float | None,
    typer.Option(
        "--min-probability",
        metavar="P",
        min=0,
        max=1,
        help="Lowest probability of a pair (0 to 1). Default: the threshold of the model.",
    ),
]


Between = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--between",
        metavar="SOURCE SOURCE",
        help="Write only the pairs across these two sources of the index, to links.csv.",
    ),
]


def report(
    output: Directory = Path("dedup-report"),
    min_probability: MinProbability = None,
    between: Between = None,
    layout: options.Output = ReportFormat.table,
    tables: TableLayout = TableFormat.csv,
    columns: options.Columns = None,
    explain: Explain = False,
    max_pairs: MaxPairs = MAX_PAIRS,
    keep: KeepRules = None,
    output_delimiter: OutputDelimiter = None,
    bom: options.Bom = False,
    locale: options.Locale = None,
    raw: options.Raw = False,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
    mode: options.Mode = None,
    quiet: options.Quiet = False,
) -> None:
    """Find all duplicates in the index.

    Writes all duplicate pairs to pairs.csv, clusters of duplicates to clusters.csv, and counts to summary.json.
    docs/output-files.md describes their columns.
    """
    compute_with(threads)

    from dedup.errors import UsageError
    from dedup.model import load_model
    from indexer.files import access_of
    from indexer.jobs.report import report as report_job
    from indexer.jobs.report_tables import Tables
    from indexer.jobs.reporting.cluster_facts import MOST_COMPLETE, Keep
    from indexer.memory import parse_size
    from indexer.outputs.table_files import style_of
    from indexer.store.workspace import Workspace

    if str(output) == "-" or (output.exists() and not output.is_dir()):
        raise UsageError(f"--output {output} is not a directory; give a directory for the files of the report.")
    if (suffix := output.suffix.lower().removeprefix(".")) in list(TableFormat):
        raise UsageError(
            f"--output {output}: a report is several files; give a directory, and the format with --tables {suffix}."
        )
    style = style_of(raw=raw, delimiter=output_delimiter, bom=bom, locale=locale)
    asked = Tables(tables, style, options.columns_of(columns), explain, max_pairs, Keep(keep or (MOST_COMPLETE,)))
    limit = None if memory is None else parse_size(memory)
    place = Workspace(workspace, database, schema=schema)
    if between is not None:
        if memory is not None or explain or max_pairs != MAX_PAIRS or keep:
            raise UsageError("--memory, --explain, --max-pairs and --keep do not apply to --between; leave them out.")
        _between(place, between, output, min_probability, layout, asked, mode, quiet=quiet)
        return
    with progress_bar(quiet=quiet) as progress:
        summary = report_job(
            place,
            load_model(),
            output,
            min_probability=min_probability,
            memory=limit,
            access=access_of(mode) if mode else None,
            tables=asked,
            progress=progress,
        )
    _say_notes(summary, max_pairs)
    _say_what_is_older(output, tables)
    as_json = layout is ReportFormat.json
    if not as_json:
        summary = spaced({name: summary[name] for name in _SHOWN} | {"files": _files(output, tables)})
    write_summary(summary, sys.stdout, as_json=as_json)


def _between(
    place: Workspace,
    sources: tuple[str, str],
    folder: Path,
    min_probability: float | None,
    layout: ReportFormat,
    tables: Tables,
    mode: str | None,
    *,
    quiet: bool,
) -> None:
    """Write every pair of a record of one source and one of the other."""
    from dedup.model import load_model
    from indexer.files import make_directory
    from indexer.jobs.report_tables import LINK_COLUMNS, beginning_of
    from indexer.linking import link_to_index
    from indexer.outputs.destination import check_foreign

    path, model = folder / f"links.{tables.layout}", load_model()
    place.check_readable()
    file = rows_file(path, Format(tables.layout), tables.style, place, mode=mode)
    check_foreign(path, "a list of links", beginning_of(LINK_COLUMNS) if tables.layout.is_text else None)
    with progress_bar(quiet=quiet) as progress:
        links = link_to_index(
            place,
            sources[:1],
            sources[1:],
            model,
            min_probability=model.default_probability if min_probability is None else min_probability,
            limit=_LINKS_OF_A_TEXT,
            progress=progress,
        )
    make_directory(folder, 0o700)
    file.write(row for row in rows_of(links, Keep.all, tables.columns) if row["id_2"] is not None)
    if links.cut_off:
        say(f"Warning: {links.cut_off:,} texts have {_LINKS_OF_A_TEXT} similar ones, the most that are listed for one.")
    found = {
        "records": len(links.left) + len(links.right),
        "pairs": len(links.pairs),
        "linked": {
            sources[0]: len(links.left) - len(links.unmatched),
            sources[1]: len(links.right) - len(links.unmatched_right),
        },
        "files": str(path),
    }
    as_json = layout is ReportFormat.json
    write_summary(found if as_json else spaced(found), sys.stdout, as_json=as_json)


def _say_notes(summary: Mapping[str, Any], max_pairs: int) -> None:
    _say_what_is_estimated(summary)
    _say_what_is_not_listed(summary, max_pairs)
    _say_what_is_judged(summary)


def _say_what_is_estimated(summary: Mapping[str, Any]) -> None:
    from dedup.clustering.cluster import LARGEST_COMPONENT
    from dedup.text.names import LONG_TEXT

    if groups := summary["components_sampled"]:
        subject, verb = ("group", "was") if groups == 1 else ("groups", "were")
        say(
            f"Note: {groups:,} {subject} of more than {LARGEST_COMPONENT:,} texts each that pairs connect, "
            f"{summary['texts_sampled']:,} texts in all, {verb} clustered by a sample of the pairs, so a few texts may "
            "be in another cluster than if all were compared. weakest_probability is the lowest of the pairs compared."
        )
    if texts := summary["long_texts"]:
        say(
            f"Note: {texts:,} {'text' if texts == 1 else 'texts'} of {LONG_TEXT:,} characters or more "
            f"{'was' if texts == 1 else 'were'} compared by equal words and one measure of spelling."
        )


def _say_what_is_not_listed(summary: Mapping[str, Any], max_pairs: int) -> None:
    total, listed = summary["pairs_total"], summary["pairs_listed"]
    if listed < total:
        say(
            f"Note: {listed:,} of {total:,} pairs are listed. Where two similar texts, or the records of one text, "
            f"make more than {max_pairs:,} pairs, only those with the first record of each source are; --max-pairs N "
            "sets another limit. Clusters list every record."
        )


def _say_what_is_judged(summary: Mapping[str, Any]) -> None:
    from cli.show.notes import say_contradictions

    if different := summary["pairs_judged_different"]:
        say(f"Note: {different:,} {'pair was' if different == 1 else 'pairs were'} judged different and left out.")
    say_contradictions(summary["contradictions"])


def _say_what_is_older(output: Path, tables: TableFormat) -> None:
    others = [output / f"{name}.{other}" for name in TABLES for other in TableFormat if other is not tables]
    if older := [str(path) for path in others if path.exists()]:
        say(f"Note: {', '.join(older)} {'is' if len(older) == 1 else 'are'} not of this report.")


def _files(output: Path, tables: TableFormat) -> str:
    return ", ".join(str(output / name) for name in (*(f"{name}.{tables}" for name in TABLES), "summary.json"))
