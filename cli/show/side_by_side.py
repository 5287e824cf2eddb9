"""Two records side by side, for a person who judges whether they are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from cli.show.table import write_table
from indexer.outputs.differences import differences, marked

if TYPE_CHECKING:
    from indexer.jobs.reviewing.candidates import Candidate

_WHY = {"uncertain": "", "new": " (new)", "random": " (drawn at random)"}


def write_question(
    question: Candidate, number: int, columns: Sequence[str] | None, out: TextIO, *, show_probability: bool
) -> None:
    """Write a question: the texts with what differs in brackets, then the other columns of either record.

    Of columns that are fields it says whether both are the same, similar or differ.
    """
    left, right, marks = question.left, question.right, question.marks
    texts = [marked(runs) for runs in differences(left.raw, right.raw)]
    wanted = list(dict.fromkeys((*left.fields, *right.fields))) if columns is None else columns
    filled = [name for name in wanted if left.fields.get(name) or right.fields.get(name)]
    rows = [
        ("id", f"{left.source}:{left.external_id}", f"{right.source}:{right.external_id}", ""),
        ("text", *texts, ""),
    ]
    rows += [(name, left.fields.get(name, ""), right.fields.get(name, ""), marks.get(name, "")) for name in filled]
    out.write(f"\nPair {number}{_WHY[question.reason]}\n")
    names = ("column", "A", "B", *(["field"] if marks else []))
    write_table((dict(zip(names, row, strict=False)) for row in rows), out)
    if show_probability:
        out.write(f"probability {question.probability:.3f}\n")
