"""The preview of a report, as people and as programs read it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, TextIO

from cli.show.render import write_summary
from cli.show.table import write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from indexer.jobs.reporting.thresholds import BoundaryPair, Preview


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
        for row in rows:  # rounded down, so that no pair seems to reach a threshold that it misses
            row["probability"] = math.floor(row["probability"] * 1000 + 1e-6) / 1000
        write_table(rows, out)
