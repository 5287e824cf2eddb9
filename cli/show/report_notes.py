"""What is said of a report beside its counts: changes, what is estimated, what is not listed, and older files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexer.jobs.report_tables import Tables


def notes_of(summary: Mapping[str, Any], output: Path, asked: Tables) -> Iterator[str]:
    """Yield what a reader of the files has to know, a sentence or two each."""
    yield from _model(summary)
    yield from _estimates(summary)
    yield from _unlisted(summary, asked.max_pairs)
    yield from _of_fields(summary)
    yield from _judged(summary)
    yield from _older(output, asked)


def changes_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is new in a few words; nothing for the first report."""
    if summary["since_run"] is None:
        return {}
    counts = {kind: number for kind, number in summary["changes"].items() if number}
    pairs = {kind.replace("_", " "): counts.pop(kind) for kind in ("new_pairs", "gone_pairs") if kind in counts}
    clusters = ", ".join(f"{number:,} {kind}" for kind, number in counts.items())
    changes: dict[str, Any] = {"clusters": clusters or "the same"}
    return {f"since_run_{summary['since_run']}": changes | pairs}


def _model(summary: Mapping[str, Any]) -> Iterator[str]:
    from indexer.findings.baseline import MODEL_CHANGED

    if summary["why_full"] == MODEL_CHANGED:
        yield "Everything was compared again, because the model has changed since the last report."


def new_of(summary: Mapping[str, Any]) -> str:
    """Return what is new since an earlier report as the beginning of a sentence."""
    changes = summary["changes"]
    of_clusters = [f"{changes[kind]:,} {kind}" for kind in ("new", "grown", "merged", "changed") if changes[kind]]
    clusters = ", ".join(of_clusters) or "the same"
    return f"Since run {summary['since_run']}: clusters {clusters}, new pairs {changes['new_pairs']:,}"


def _estimates(summary: Mapping[str, Any]) -> Iterator[str]:
    from dedup.clustering.cluster import LARGEST_COMPONENT
    from dedup.text.names import LONG_TEXT

    if groups := summary["components_sampled"]:
        subject, verb = ("group", "was") if groups == 1 else ("groups", "were")
        yield (
            f"{groups:,} {subject} of more than {LARGEST_COMPONENT:,} texts each that pairs connect, "
            f"{summary['texts_sampled']:,} texts in all, {verb} clustered by a sample of the pairs, so a few texts may "
            "be in another cluster than if all were compared. weakest_probability is the lowest of the pairs compared."
        )
    if texts := summary["long_texts"]:
        yield (
            f"{texts:,} {'text' if texts == 1 else 'texts'} of {LONG_TEXT:,} characters or more "
            f"{'was' if texts == 1 else 'were'} compared by equal words and one measure of spelling."
        )


def _of_fields(summary: Mapping[str, Any]) -> Iterator[str]:
    if "fields" not in summary:
        return
    if pairs := summary["pairs_of_one_text_apart"]:
        subject, verb = ("pair", "is") if pairs == 1 else ("pairs", "are")
        yield (
            f"{pairs:,} {subject} of records with one name {verb} told apart by their fields."
            f"{'' if summary['branches'] == 'merge' else ' --branches merge lets another town count for nothing.'}"
        )
    for label, number in summary["values_of_many_names"].items():
        yield (
            f"{number:,} {'value' if number == 1 else 'values'} of {label!r} {'is' if number == 1 else 'are'} held by "
            "records of so many names that they identify nobody; they are not used."
        )


def _unlisted(summary: Mapping[str, Any], max_pairs: int) -> Iterator[str]:
    total, listed = summary["pairs_total"], summary["pairs_listed"]
    if listed < total:
        yield (
            f"{listed:,} of {total:,} pairs are listed. Where two similar texts, or the records of one text, "
            f"make more than {max_pairs:,} pairs, only those with the first record of each source are; --max-pairs N "
            "sets another limit. Clusters list every record."
        )


def _judged(summary: Mapping[str, Any]) -> Iterator[str]:
    if different := summary["pairs_judged_different"]:
        yield f"{different:,} {'pair was' if different == 1 else 'pairs were'} judged different and left out."


def _older(output: Path, asked: Tables) -> Iterator[str]:
    from indexer.jobs.report_tables import Tables
    from indexer.jobs.reporting.report_files import files_of
    from indexer.outputs.report_formats import ReportFormats
    from indexer.outputs.table_files import TableFormat

    possible = files_of(Tables(ReportFormats(tuple(TableFormat), page=True), records=True))
    of_others = [output / name for name in possible if name not in files_of(asked)]
    if older := [str(path) for path in of_others if path.exists()]:
        yield f"{', '.join(older)} {'is' if len(older) == 1 else 'are'} not of this report."
