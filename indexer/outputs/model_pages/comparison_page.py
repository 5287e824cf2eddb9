"""The page of ``dedup compare``: one pair of texts, and what the model makes of each part of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from dedup.evaluation.saliency import MOST_PARTS, Part
from indexer.outputs.html_report.charts import safe
from indexer.outputs.model_pages.frame import differing, table, tiles, write_page
from indexer.outputs.model_pages.heat import MOST_TOKENS, attention_of, coloured, received

_BAR = 120
_SIDES = ("first", "second")


@dataclass(frozen=True, slots=True)
class Attention:
    """The tokens of a text and how much each attends to each other, (blocks, heads, length, length)."""

    tokens: Sequence[str]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A pair of texts and what a model says of it.

    Attributes:
        model: The name of the model.
        texts: Both texts as given.
        normals: Their normal forms.
        probability: That they are the same.
        similarity: Cosine of their vectors.
        threshold: Probability from which an index calls a pair the same.
        reasons: For the probability, as ``outputs.reasons`` has them.
        predictions: What a network itself says: a similarity, or the probability of each class, by name.
        unit: Whether ``saliency`` is that of each character or of each word.
        saliency: The pieces of both normal forms, with what each adds to the similarity.
        attention: Of both texts, of an encoder with attention.

    """

    model: str
    texts: tuple[str, str]
    normals: tuple[str, str]
    probability: float
    similarity: float
    threshold: float
    reasons: Sequence[Mapping[str, Any]]
    predictions: Mapping[str, float]
    unit: str
    saliency: tuple[Sequence[Part], Sequence[Part]]
    attention: Sequence[Attention] = field(default_factory=tuple)


def write_comparison(out: TextIO, found: Comparison) -> None:
    """Write a pair of texts and what a model says of it. Raises ``OSError`` if the page cannot be written."""
    is_same = found.probability >= found.threshold
    said = f"{found.model}: {'the same' if is_same else 'not the same'}, probability {found.probability:.3f}"
    write_page(out, "Two texts compared", said, _sections(found))


def _sections(found: Comparison) -> Iterator[tuple[str, str]]:
    yield "The texts", _texts(found)
    yield "In figures", tiles(_figures(found))
    yield "Reasons for the probability", _reasons(found.reasons)
    yield f"What each {found.unit} does to the similarity", _saliency(found)
    if found.attention:
        yield "Attention", _attention(found.attention)


def _texts(found: Comparison) -> str:
    rows = [("as given", *map(safe, found.texts)), ("as compared", *differing(*found.normals))]
    return table(("", *(f"{side} text" for side in _SIDES)), rows)


def _figures(found: Comparison) -> Iterator[tuple[str, str, str]]:
    yield f"{found.probability:.3f}", "probability", f"the same from {found.threshold:g} on"
    yield f"{found.similarity:.3f}", "similarity", "cosine of the vectors"
    for name, value in found.predictions.items():
        yield f"{value:.3f}", name, "said by the network"


def _reasons(reasons: Sequence[Mapping[str, Any]]) -> str:
    weights = [one["log_odds"] for one in reasons]
    if None in weights:
        return f"<p>{safe('; '.join(one['label'] for one in reasons))}</p>"
    strongest = max(map(abs, weights), default=1.0) or 1.0
    rows = [(safe(one["label"]), f"{one['log_odds']:+.2f}", _bar(one["log_odds"] / strongest)) for one in reasons]
    rows.append(("<b>log-odds in total</b>", f"<b>{sum(weights):+.2f}</b>", ""))
    return f'<div class="reasons">{table(("reason", "log-odds", ""), rows)}</div>'


def _bar(share: float) -> str:
    width, kind = abs(share) * _BAR, "bar" if share > 0 else "minus"
    x = _BAR if share > 0 else _BAR - width
    return (
        f'<svg viewBox="0 0 {2 * _BAR} 12" aria-hidden="true"><rect class="{kind}" x="{x:.1f}" y="1" '
        f'width="{max(width, 1):.1f}" height="10"/></svg>'
    )


def _saliency(found: Comparison) -> str:
    effects = [abs(part.effect) for side in found.saliency for part in side]
    strongest = max(effects, default=0.0)
    legend = (
        f"Each {found.unit} is left out in turn. Blue, underlined: without it the texts would be less alike; orange, "
        f"dashed: more alike. The strongest shade is a change of {strongest:.3f}."
    )
    long = any(len(side) > MOST_PARTS for side in found.saliency)
    more = f" Only the first {MOST_PARTS} of a text were tried." if long else ""
    drawn = "".join(coloured(side, strongest) for side in found.saliency)
    rows = [
        (safe(part.text), side, f"{part.effect:+.3f}")
        for part, side in sorted(
            ((part, name) for name, side in zip(_SIDES, found.saliency, strict=True) for part in side if part.effect),
            key=lambda one: -abs(one[0].effect),
        )[:10]
    ]
    strong = (
        f"<details><summary>The strongest in figures</summary>{table((found.unit, 'text', 'effect'), rows)}</details>"
    )
    return f"<p>{safe(legend + more)}</p>{drawn}{strong if rows else ''}"


def _attention(attention: Sequence[Attention]) -> str:
    long = any(len(one.tokens) > MOST_TOKENS for one in attention)
    note = (
        "Rows are what reads, columns what is read. Cells without colour get an even share of the attention or less; "
        "full colour is all of it." + (f" Only the first {MOST_TOKENS} tokens are drawn." if long else "")
    )
    drawn = "".join(received(one.tokens, one.weights, side) for one, side in zip(attention, _SIDES, strict=True))
    heads = "".join(
        f"<details open><summary>Each head, {side} text</summary>"
        f"{attention_of(one.tokens, one.weights, side)}</details>"
        for one, side in zip(attention, _SIDES, strict=True)
    )
    return f'<p>{safe(note)}</p><div class="row">{drawn}</div>{heads}'
