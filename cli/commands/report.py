"""``dedup report``: all duplicate pairs and clusters of the index."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.commands.link import Keep, rows_of
from cli.options import Format, ReportFormat
from cli.show.notes import say
from cli.show.render import output_to, spaced, write_rows, write_summary
from dedup.runtime.threads import compute_with
from indexer.progress_bar import progress_bar

if TYPE_CHECKING:
    from indexer.store.workspace import Workspace

_LINKS_OF_A_TEXT = 100
"""So many distinct texts of the other source are listed for one."""

EXAMPLES = options.examples(
    "dedup report",
    "dedup report -o duplicates --min-probability 0.9",
    "dedup report --between leads crm",
)

_SHOWN = (
    *("records", "distinct_texts", "exact_duplicate_records", "near_pairs", "expected_true_pairs"),
    *("pairs_total", "clusters", "records_in_clusters", "largest_cluster"),
)


Directory = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="Directory for pairs.csv, clusters.csv and summary.json."),
]
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
    """
    compute_with(threads)

    from dedup.errors import UsageError
    from dedup.model import load_model
    from indexer.files import access_of
    from indexer.jobs.report import report as report_job
    from indexer.memory import parse_size
    from indexer.store.workspace import Workspace

    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output} is a file; give a directory for the report.")
    limit = None if memory is None else parse_size(memory)
    place = Workspace(workspace, database, schema=schema)
    if between is not None:
        if memory is not None:
            raise UsageError("--memory does not apply to --between; leave one of them out.")
        _between(place, between, output, min_probability, layout, mode, raw=raw, quiet=quiet)
        return
    with progress_bar(quiet=quiet) as progress:
        summary = report_job(
            place,
            load_model(),
            output,
            min_probability=min_probability,
            memory=limit,
            access=access_of(mode) if mode else None,
            raw=raw,
            progress=progress,
        )
    _say_what_is_estimated(summary)
    as_json = layout is ReportFormat.json
    if not as_json:
        summary = spaced({name: summary[name] for name in _SHOWN} | {"files": _files(output)})
    write_summary(summary, sys.stdout, as_json=as_json)


def _between(
    place: Workspace,
    sources: tuple[str, str],
    folder: Path,
    min_probability: float | None,
    layout: ReportFormat,
    mode: str | None,
    *,
    raw: bool,
    quiet: bool,
) -> None:
    """Write every pair of a record of one source and one of the other."""
    from dedup.model import load_model
    from indexer.files import access_of, make_directory
    from indexer.linking import link_to_index
    from indexer.outputs.destination import check_destination, check_foreign

    file, model = folder / "links.csv", load_model()
    place.check_readable()
    check_destination(file, "--output", owns=place.owns)
    check_foreign(file, "a list of links", re.compile(rb"source_1,id_1,text_1,source_2,"))
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
    with output_to(file, access_of(mode) if mode else place.access_with()) as out:
        write_rows((row for row in rows_of(links, Keep.all) if row["id_2"] is not None), Format.csv, out, raw=raw)
    if links.cut_off:
        say(f"Warning: {links.cut_off:,} texts have {_LINKS_OF_A_TEXT} similar ones, the most that are listed for one.")
    found = {
        "records": len(links.left) + len(links.right),
        "pairs": len(links.pairs),
        "linked": {
            sources[0]: len(links.left) - len(links.unmatched),
            sources[1]: len(links.right) - len(links.unmatched_right),
        },
        "files": str(file),
    }
    as_json = layout is ReportFormat.json
    write_summary(found if as_json else spaced(found), sys.stdout, as_json=as_json)


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


def _files(output: Path) -> str:
    return ", ".join(str(output / name) for name in ("pairs.csv", "clusters.csv", "summary.json"))
