"""``dedup report``: all duplicate pairs and clusters of the index."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli import options
from cli.commands.link import Keep, write_links
from cli.exit_codes import FOUND_NEW
from cli.options import BranchRule, Format, ReportFormat
from cli.show.notes import notes_unless, say, say_contradictions, shown_progress
from cli.show.render import spaced, write_summary
from cli.show.report_notes import changes_of, new_of, notes_of
from cli.show.rows_file import rows_file
from dedup.runtime.threads import compute_with
from indexer.outputs.record_pairs import MAX_PAIRS
from indexer.outputs.report_formats import FORMATS, report_formats

if TYPE_CHECKING:
    from indexer.jobs.report_tables import Tables
    from indexer.store.workspace import Workspace

_OF_CLUSTERS = ("explain", "max_pairs", "memory", "records", "full", "since", "fail_on_new", "keep", "branches")
"""Parameters that --between has no use for."""
_OF_FILES = (
    *("output", "between", "formats", "columns", "output_delimiter", "bom", "locale", "raw", "mode"),
    *_OF_CLUSTERS,
)
"""Parameters that --preview has no use for."""

EXAMPLES = options.examples(
    "dedup report",
    "dedup report -o duplicates --min-probability 0.9",
    "dedup report --format html,xlsx --columns city,country",
    "dedup report --preview",
    "dedup report --between leads crm",
    "dedup report --fail-on-new --quiet",
    "dedup report --since 12",
)

_SHOWN = (
    *("records", "distinct_texts", "exact_duplicate_records", "near_pairs", "expected_true_pairs"),
    *("pairs_total", "pairs_listed", "clusters", "records_in_clusters", "largest_cluster", "run"),
)


Directory = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="Directory for the files."),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="FORMATS",
        help=f"Formats of the files, of {', '.join(FORMATS)}, with commas or repeated; html is one page, report.html. "
        "Default: csv.",
    ),
]
Summary = Annotated[
    ReportFormat, typer.Option("--summary", metavar="FORMAT", help="What is printed, as a table or as json.")
]
Records = Annotated[
    bool, typer.Option("--records", help="Also write every record with its cluster, if it is in one, to records.csv.")
]
Preview = Annotated[
    bool,
    typer.Option(
        "--preview",
        help="Print how many pairs and clusters there are at each threshold, and the pairs next to the one chosen; "
        "write and store nothing.",
    ),
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


Full = Annotated[
    bool,
    typer.Option("--full", help="Search and compare everything again, not only what changed since the last report."),
]
Since = Annotated[
    int | None,
    typer.Option("--since", metavar="RUN", min=1, help="Tell changes since this report instead of the last one."),
]
FailOnNew = Annotated[
    bool, typer.Option("--fail-on-new", help="End with exit code 10 if there are new pairs or new members of clusters.")
]
Branches = Annotated[
    BranchRule,
    typer.Option(
        "--branches",
        metavar="RULE",
        help="Whether records of one name in different towns are one: merge, or separate unless an official number, a "
        "phone number or a domain tells otherwise. Needs a place among the fields.",
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
    context: typer.Context,
    output: Directory = Path("dedup-report"),
    min_probability: MinProbability = None,
    between: Between = None,
    formats: Formats = None,
    records: Records = False,
    preview: Preview = False,
    layout: Summary = ReportFormat.table,
    columns: options.Columns = None,
    explain: Explain = False,
    max_pairs: MaxPairs = MAX_PAIRS,
    full: Full = False,
    since: Since = None,
    fail_on_new: FailOnNew = False,
    keep: KeepRules = None,
    branches: Branches = BranchRule.separate,
    output_delimiter: OutputDelimiter = None,
    bom: options.Bom = False,
    locale: options.Locale = None,
    raw: options.Raw = False,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    schema: options.Schema = None,
    model: options.Model = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
    mode: options.Mode = None,
    quiet: options.Quiet = False,
    log_format: options.Log = None,
) -> None:
    """Find all duplicates in the index.

    Writes all duplicate pairs to pairs.csv, clusters of duplicates to clusters.csv, what changed since the last
    report to changes.csv, and counts to summary.json; with --format html a page to look at, report.html.
    docs/output-files.md describes them. Clusters keep their ids from one report to the next, and only what changed is
    searched and compared.
    """
    compute_with(threads)
    place = _place(workspace, database, schema)
    if preview:
        _preview(context, place, model, min_probability, layout, quiet=quiet)
        return

    from indexer.files import access_of
    from indexer.jobs.report import report as report_job
    from indexer.jobs.report_tables import Tables
    from indexer.jobs.reporting.cluster_facts import MOST_COMPLETE
    from indexer.jobs.reporting.cluster_facts import Keep as KeepRule
    from indexer.jobs.reporting.report_files import files_of
    from indexer.memory import parse_size
    from indexer.models.choice import model_for
    from indexer.outputs.table_files import style_of

    _check_folder(output)
    style = style_of(raw=raw, delimiter=output_delimiter, bom=bom, locale=locale)
    wanted, rule = report_formats(formats or ["csv"], "--format"), KeepRule(keep or (MOST_COMPLETE,))
    asked = Tables(wanted, style, options.columns_of(columns), explain, max_pairs, records, rule)
    if between is not None:
        _refuse(context, _OF_CLUSTERS, "--between, which writes only pairs")
        _between(place, model, between, output, min_probability, layout, asked, mode, quiet=quiet)
        return
    with shown_progress(quiet=quiet) as progress:
        summary = report_job(
            place,
            model_for(place, model),
            output,
            min_probability=min_probability,
            memory=None if memory is None else parse_size(memory),
            access=access_of(mode) if mode else None,
            tables=asked,
            full=full,
            since=since,
            merges_branches=branches is BranchRule.merge,
            progress=progress,
        )
    _say_notes(summary, output, asked, quiet=quiet)
    _write(summary, [output / name for name in files_of(asked)], layout, quiet=quiet)
    if fail_on_new and summary["has_new"]:
        _end_with_new(summary)


def _end_with_new(summary: Mapping[str, Any]) -> NoReturn:
    say(f"{new_of(summary)}, so the exit code is {FOUND_NEW}.")
    raise typer.Exit(FOUND_NEW)


def _say_notes(summary: Mapping[str, Any], output: Path, asked: Tables, *, quiet: bool) -> None:
    note = notes_unless(quiet)
    for sentence in notes_of(summary, output, asked):
        note(f"Note: {sentence}")
    say_contradictions(summary["contradictions"])


def _write(summary: Mapping[str, Any], files: Iterable[Path], layout: ReportFormat, *, quiet: bool) -> None:
    """Print a summary: all of it as JSON, or what people want to know as a table."""
    as_json = layout is ReportFormat.json
    counts = {name: summary[name] for name in _SHOWN}
    table = spaced(counts | changes_of(summary) | {"files": ", ".join(map(str, files))})
    write_summary(summary if as_json else table, sys.stdout, as_json=as_json, quiet=quiet)


def _refuse(context: typer.Context, names: Iterable[str], what: str) -> None:
    """Raise ``UsageError`` if an option was given that has no use beside another one."""
    from dedup.errors import UsageError

    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if parameter.name in names and source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"{parameter.opts[0]} does not apply to {what}; leave one of them out.")


def _check_folder(output: Path) -> None:
    """Raise ``UsageError`` unless ``--output`` may name a directory."""
    from dedup.errors import UsageError

    if str(output) == "-" or (output.exists() and not output.is_dir()):
        raise UsageError(f"--output {output} is not a directory; give a directory for the files of the report.")
    if (suffix := output.suffix.lower().removeprefix(".")) in FORMATS:
        raise UsageError(
            f"--output {output}: a report is several files; give a directory, and the format with --format {suffix}."
        )


def _between(
    place: Workspace,
    model: str | None,
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
    from dedup.errors import UsageError
    from indexer.files import make_directory
    from indexer.jobs.link import LINKS_OF_A_TEXT
    from indexer.jobs.report_tables import LINK_COLUMNS, beginning_of
    from indexer.linking import link_to_index
    from indexer.models.choice import model_for
    from indexer.outputs.destination import check_foreign
    from indexer.outputs.report_formats import suited

    if tables.formats.page:
        raise UsageError("--format html is a page of clusters, which --between does not make; name a table format.")
    place.check_readable()
    files = []
    for one in tables.formats.tables:
        path = folder / f"links.{one}"
        files.append(rows_file(path, Format(one), suited(tables.style, one, tables.formats), place, mode=mode))
        check_foreign(path, "a list of links", beginning_of(LINK_COLUMNS, one))
    matcher = model_for(place, model)
    with shown_progress(quiet=quiet) as progress:
        links = link_to_index(
            place,
            sources[:1],
            sources[1:],
            matcher,
            min_probability=matcher.default_probability if min_probability is None else min_probability,
            limit=LINKS_OF_A_TEXT,
            progress=progress,
        )
    make_directory(folder, 0o700)
    for file in files:
        write_links(file, links, Keep.all, tables.columns, with_unmatched=False)
    if links.cut_off:
        say(f"Warning: {links.cut_off:,} texts have {LINKS_OF_A_TEXT} similar ones, the most that are listed for one.")
    found = {
        "records": len(links.left) + len(links.right),
        "pairs": len(links.pairs),
        "linked": {
            sources[0]: len(links.left) - len(links.unmatched),
            sources[1]: len(links.right) - len(links.unmatched_right),
        },
        "files": ", ".join(str(file.path) for file in files),
    }
    as_json = layout is ReportFormat.json
    write_summary(found if as_json else spaced(found), sys.stdout, as_json=as_json, quiet=quiet)


def _place(workspace: Path, database: str | None, schema: str | None) -> Workspace:
    from indexer.store.workspace import Workspace

    return Workspace(workspace, database, schema=schema)


def _preview(
    context: typer.Context,
    place: Workspace,
    model: str | None,
    min_probability: float | None,
    layout: ReportFormat,
    *,
    quiet: bool,
) -> None:
    """Print what a report would find; options of its files are refused."""
    from cli.show.preview import write_preview
    from indexer.jobs.reporting.thresholds import preview
    from indexer.models.choice import model_for

    _refuse(context, _OF_FILES, "--preview, which writes no file")
    with shown_progress(quiet=quiet) as progress:
        found = preview(place, model_for(place, model), min_probability=min_probability, progress=progress)
    write_preview(found, sys.stdout, as_json=layout is ReportFormat.json)
