"""Which characters of two texts differ, for people who compare them."""

from __future__ import annotations

from itertools import groupby

from rapidfuzz.distance import Indel

Runs = list[tuple[str, bool]]
"""Pieces of a text, one after the other, and whether each differs from the other text."""


def differences(left: str, right: str) -> tuple[Runs, Runs]:
    """Return both texts in pieces; upper and lower case count as equal, as they do when names are compared.

    A short run of equal characters between longer changes is chance, so it counts as changed, too.
    """
    codes = Indel.opcodes([one.casefold() for one in left], [one.casefold() for one in right])
    sides: tuple[list[tuple[str, bool]], list[tuple[str, bool]]] = ([], [])
    changes = [(op.src_end - op.src_start) + (op.dest_end - op.dest_start) for op in codes]
    for place, op in enumerate(codes):
        around = sum(changes[at] for at in (place - 1, place + 1) if 0 <= at < len(codes))
        is_inside = 0 < place < len(codes) - 1
        differs = op.tag != "equal" or (is_inside and 2 * (op.src_end - op.src_start) < around)
        sides[0].append((left[op.src_start : op.src_end], differs))
        sides[1].append((right[op.dest_start : op.dest_end], differs))
    return _joined(sides[0]), _joined(sides[1])


def marked(runs: Runs, before: str = "[", after: str = "]") -> str:
    """Return a text in which the pieces that differ stand between two marks."""
    return "".join(f"{before}{piece}{after}" if differs else piece for piece, differs in runs)


def _joined(pieces: Runs) -> Runs:
    groups = groupby(((piece, differs) for piece, differs in pieces if piece), key=lambda run: run[1])
    return [("".join(piece for piece, _ in group), differs) for differs, group in groups]
