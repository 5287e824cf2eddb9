"""``dedup report``: every duplicate pair and cluster of a workspace."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.exit_codes import say
from cli.options import ReportFormat
from cli.show.progress_bar import progress_bar
from cli.show.render import spaced, write_summary
from dedup.runtime.threads import compute_with

EXAMPLES = options.examples(
    "dedup report",
    "dedup report --output duplicates --min-probability 0.9",
)

_SHOWN = (
    *("records", "distinct_texts", "exact_duplicate_records", "near_pairs", "pairs_total"),
    *("clusters", "records_in_clusters", "largest_cluster"),
)


def report(
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Directory for pairs.csv, clusters.csv and summary.json.")
    ] = Path("dedup-report"),
    min_probability: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Least probability of a pair. Default: that of the model."),
    ] = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    database: options.Database = None,
    layout: options.Output = ReportFormat.table,
    quiet: options.Quiet = False,
) -> None:
    """Find all duplicates in the index.

    Writes every duplicate pair and cluster to pairs.csv, clusters.csv and summary.json.
    """
    compute_with(threads)

    from dedup.errors import UsageError
    from dedup.model import load_model
    from indexer.jobs.report import report_workspace
    from indexer.memory import parse_size
    from indexer.store.workspace import Workspace

    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output} is a file; name a folder for the report.")
    limit = parse_size(memory) if memory else None
    place = Workspace(workspace, database)
    with place.open(for_writing=False):  # nothing indexed yet: say so, rather than make a workspace
        pass
    model = load_model()
    least = model.default_probability if min_probability is None else min_probability
    with place.open(for_writing=True) as store, progress_bar(quiet=quiet) as progress:
        summary = report_workspace(
            store, place.snapshots, model, output, min_probability=least, memory=limit, progress=progress
        )
    if summary["components_skipped"]:
        _say_skipped(summary["components_skipped"], summary["texts_skipped"])
    as_json = layout is ReportFormat.json
    if not as_json:
        summary = spaced({name: summary[name] for name in _SHOWN} | {"files": _files(output)})
    write_summary(summary, sys.stdout, as_json=as_json)


def _say_skipped(groups: int, texts: int) -> None:
    from dedup.clustering.cluster import LARGEST_COMPONENT

    say(
        f"Warning: {groups:,} {'group' if groups == 1 else 'groups'} of more than {LARGEST_COMPONENT:,} texts each, "
        f"{texts:,} in all, hold together by nearly certain pairs and could not be clustered: none of these texts is "
        "together with another in clusters.csv. Their pairs are in pairs.csv."
    )


def _files(output: Path) -> str:
    return ", ".join(str(output / name) for name in ("pairs.csv", "clusters.csv", "summary.json"))
