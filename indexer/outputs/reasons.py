"""The reasons for a probability as rows, cells and lines; rounded weights still add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dedup.evidence.explain import Explanation

DIGITS = 6
"""Decimal places of probabilities and weights in files."""

_EQUAL = "the texts are equal after normalisation"


def reasons_of(explanation: Explanation | None) -> dict[str, Any]:
    """Return the log-odds and the evidence, whose rounded weights still add up; ``None`` stands for equal texts."""
    if explanation is None:
        return {"log_odds": None, "explanation": [{"label": _EQUAL, "log_odds": None}]}
    weights = rounded([item.log_odds for item in explanation.contributions], DIGITS)
    evidence = [
        {"label": item.label, "log_odds": weight}
        for item, weight in zip(explanation.contributions, weights, strict=True)
        if weight
    ]
    return {"log_odds": round(sum(weights), DIGITS), "explanation": evidence}


def contributions(reasons: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return evidence as lines such as ``+2.31 words in common``, without weights that round to 0."""
    if any(reason["log_odds"] is None for reason in reasons):
        return [reason["label"] for reason in reasons]
    weights = rounded([reason["log_odds"] for reason in reasons], 2)
    return [f"{weight:+.2f} {reason['label']}" for reason, weight in zip(reasons, weights, strict=True) if weight]


def in_a_cell(reasons: Sequence[Mapping[str, Any]]) -> str:
    """Return evidence as the text of one cell."""
    return " | ".join(contributions(reasons))


def rounded(values: Iterable[float], digits: int) -> list[float]:
    """Round values up or down so that their sum is the rounded sum of ``values``; no value changes its sign."""
    sums = [round(total, digits) for total in accumulate(values, initial=0.0)]
    return [round(after - before, digits) for before, after in pairwise(sums)]
