"""The preview of a report, as people and as programs read it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, TextIO

from cli.show.render import write_summary
from cli.show.table import write_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from indexer.jobs.reporting.thresholds import BoundaryPair, Preview

_VERBS = (("same", "same"), ("similar", "similar"), ("differs", "differ"))


def write_preview(preview: Preview, out: TextIO, *, as_json: bool) -> None:
    """Write what would be found at each threshold, then the pairs on both sides of the one chosen."""
    if as_json:
        write_summary(preview.to_dict(), out, as_json=True)
        return
    chosen = preview.min_probability
    rows = [{name.replace("_", " "): value for name, value in asdict(row).items()} for row in preview.thresholds]
    for row, at in zip(rows, preview.thresholds, strict=True):
        row["min probability"] = f"{at.min_probability:g}{' (chosen)' if at.min_probability == chosen else ''}"
    write_table(rows, out)
    _write_pairs(f"Pairs that just reach {chosen:g}:", preview.above, out)
    _write_pairs(f"Pairs that just miss {chosen:g}:", preview.below, out)


def _write_pairs(heading: str, pairs: Sequence[BoundaryPair], out: TextIO) -> None:
    out.write(f"\n{heading}\n" if pairs else f"\n{heading} none\n")
    if pairs:
        shown = ("probability", "text_1", "text_2", "id_1", "id_2")
        rows = [{name: getattr(pair, name) for name in shown} for pair in pairs]
        for row, pair in zip(rows, pairs, strict=True):
            # rounded down, so that no pair seems to reach a threshold that it misses
            row["probability"] = math.floor(row["probability"] * 1000 + 1e-6) / 1000
            if pair.fields:
                row["fields"] = _told(pair.fields)
        write_table(rows, out)


def _told(fields: Mapping[str, str]) -> str:
    """Return which fields are the same, similar and different (``same: city, vat; differ: phone``)."""
    found = {verb: [label for label, is_ in fields.items() if is_ == mark] for mark, verb in _VERBS}
    return "; ".join(f"{verb}: {', '.join(labels)}" for verb, labels in found.items() if labels)
