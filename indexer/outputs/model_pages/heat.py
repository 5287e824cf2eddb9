"""Texts whose pieces are coloured, and the attention of each head as a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dedup.evaluation.saliency import Part
from indexer.outputs.html_report.charts import safe

LEVELS = 8
"""Shades of a colour in the style sheet, ``h1`` and so on."""
MOST_TOKENS = 48
"""So many tokens of a text are drawn, the first ones."""

_CELL = 14


def coloured(parts: Sequence[Part], strongest: float) -> str:
    """Return a text whose pieces are shaded by their effects, the ``strongest`` in the darkest shade."""
    drawn = []
    for part in parts:
        level = round(LEVELS * abs(part.effect) / strongest) if strongest else 0
        kind = "up" if part.effect > 0 else "down"
        title = f"{part.text}: {part.effect:+.3f}"
        piece = safe(part.text)
        drawn.append(f'<span class="{kind} h{level}" title="{safe(title)}">{piece}</span>' if level else piece)
    return f'<p class="saliency" dir="auto">{"".join(drawn)}</p>'


def attention_of(tokens: Sequence[str], weights: NDArray[np.float32], name: str) -> str:
    """Return a map for each head of each block; ``weights`` are (blocks, heads, length, length)."""
    shown = [_short(token) for token in tokens[:MOST_TOKENS]]
    weights = weights[:, :, :MOST_TOKENS, :MOST_TOKENS]
    maps = [
        _map(shown, weights[block, head], 1 / len(tokens), f"block {block + 1}, head {head + 1}", name)
        for block in range(weights.shape[0])
        for head in range(weights.shape[1])
    ]
    return f'<div class="maps">{"".join(maps)}</div>'


def received(tokens: Sequence[str], weights: NDArray[np.float32], name: str) -> str:
    """Return one map of all heads: how much attention each token gets on average, one row for each head."""
    shown = [_short(token) for token in tokens[:MOST_TOKENS]]
    means = weights.mean(axis=2)[:, :, :MOST_TOKENS].reshape(-1, len(shown))
    rows = [f"{block + 1}.{head + 1}" for block in range(weights.shape[0]) for head in range(weights.shape[1])]
    said = f"Attention that each token of the {name} text gets in each head."
    return f"<figure><figcaption>{safe(said)}</figcaption>{_grid(rows, shown, means, 1 / len(tokens), said)}</figure>"


def _map(tokens: Sequence[str], weights: NDArray[np.float32], even: float, caption: str, name: str) -> str:
    row, column = divmod(int(weights.argmax()), weights.shape[1])
    said = (
        f"Attention of {caption} in the {name} text; the strongest is {tokens[row]} to {tokens[column]}, "
        f"{weights[row, column]:.2f}."
    )
    return f"<figure><figcaption>{safe(caption)}</figcaption>{_grid(tokens, tokens, weights, even, said)}</figure>"


def _grid(rows: Sequence[str], columns: Sequence[str], values: NDArray[np.float32], even: float, said: str) -> str:
    """Return cells shaded by shares that add up to 1 in each row; one path a shade, or the page would be large.

    An even share is white, all of it dark. Shades are on a square-root scale, or most of them would look white.
    """
    left = 8 + 7 * max(map(len, rows))
    top = 8 + 7 * max(map(len, columns))
    levels = np.round(LEVELS * np.sqrt(np.maximum(values - even, 0) / max(1 - even, 1e-9))).astype(int)
    frame = f'<rect class="frame" x="{left}" y="{top}" width="{_CELL * len(columns)}" height="{_CELL * len(rows)}"/>'
    paths = [frame]
    for level in range(1, LEVELS + 1):
        cells = "".join(
            f"M{left + _CELL * x} {top + _CELL * y}h{_CELL - 1}v{_CELL - 1}h-{_CELL - 1}z"
            for y, x in np.argwhere(levels == level).tolist()
        )
        if cells:
            paths.append(f'<path class="h{level}" d="{cells}"/>')
    names = [
        f'<text class="axis" x="{left - 4}" y="{top + _CELL * at + 10}" text-anchor="end">{safe(token)}</text>'
        for at, token in enumerate(rows)
    ] + [
        f'<text class="axis" transform="translate({left + _CELL * at + 10} {top - 4}) rotate(-90)">{safe(token)}</text>'
        for at, token in enumerate(columns)
    ]
    width, height = left + _CELL * len(columns) + 2, top + _CELL * len(rows) + 2
    return (
        f'<svg class="heat" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{safe(said)}">{"".join(paths)}{"".join(names)}</svg>'
    )


def _short(token: str) -> str:
    return "␣" if token == " " else token if len(token) <= 14 else f"{token[:13]}…"
