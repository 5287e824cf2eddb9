"""Charts as SVG: classes that the style sheet colours, and a sentence for those who cannot see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from indexer.outputs.html_report.contents import RunTotals, SourceTotals
from indexer.outputs.invisible import marked

_WIDTH, _HEIGHT = 360, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 6, 6, 22, 22
_SOURCES = 8
_LONGEST_NAME = 28
_SIZES = ((2, 2), (3, 3), (4, 4), (5, 5), (6, 10), (11, 20), (21, 100), (101, None))


def safe(text: str) -> str:
    """Return any text for HTML and its attributes: escaped, and nothing invisible in it."""
    return escape(marked(text))


def _name(text: str) -> str:
    return safe(text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…")


def histogram(counts: Sequence[int], start: float, threshold: float) -> str:
    """Return how many pairs have which probability, from ``start`` to 1, with the threshold as a line."""
    n, highest = len(counts), max(counts, default=0)
    step = (1 - start) / max(n, 1)
    bars = [
        _bar(at, n, count, highest, f"{start + at * step:.2f} to {start + (at + 1) * step:.2f}: {count:,} pairs")
        for at, count in enumerate(counts)
    ]
    x = _LEFT + (threshold - start) / max(1 - start, 1e-9) * (_WIDTH - _LEFT - _RIGHT)
    anchor = "start" if x < _WIDTH / 2 else "end"
    shift = 4 if anchor == "start" else -4
    line = (
        f'<line class="threshold" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 10}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text x="{x + shift:.1f}" y="{_TOP - 10}" text-anchor="{anchor}">threshold {threshold:g}</text>'
    )
    axis = _label(_LEFT, f"{start:.1f}", "start") + _label(_WIDTH - _RIGHT, "1.0", "end")
    total, likely = sum(counts), sum(count for at, count in enumerate(counts) if start + at * step >= 0.9 - 1e-9)
    said = f"Probabilities of {total:,} near pairs from the threshold {threshold:g} to 1; {likely:,} have 0.9 or more."
    return _svg("".join(bars) + line + axis, said)


def sizes(clusters: Mapping[int, int]) -> str:
    """Return how many clusters have how many records."""
    counts = [
        sum(count for size, count in clusters.items() if low <= size and (high is None or size <= high))
        for low, high in _SIZES
    ]
    last = max((at for at, count in enumerate(counts) if count), default=2)
    counts, names = counts[: last + 1], [_span(low, high) for low, high in _SIZES[: last + 1]]
    bars = "".join(
        _bar(at, len(counts), count, max(counts), f"{name} records: {count:,} clusters", f"{count:,}", name)
        for at, (count, name) in enumerate(zip(counts, names, strict=True))
    )
    said = "; ".join(f"{name} records: {count:,}" for name, count in zip(names, counts, strict=True) if count)
    return _svg(bars, f"Clusters by size. {said or 'There is none'}.")


def by_source(sources: Sequence[SourceTotals]) -> str:
    """Return the share of each source's records that are in a cluster."""
    rows, told = [], []
    for at, one in enumerate(sources[:_SOURCES]):
        y, share = 4 + at * 30, one.clustered / max(one.records, 1)
        name, figures = _name(one.source), f"{one.clustered:,} of {one.records:,} ({share:.0%})"
        rows.append(
            f'<text x="{_LEFT}" y="{y + 12}"><tspan class="name">{name}</tspan></text>'
            f'<text x="{_WIDTH - _RIGHT}" y="{y + 12}" text-anchor="end">{figures}</text>'
            f'<rect class="track" x="{_LEFT}" y="{y + 17}" width="{_WIDTH - _LEFT - _RIGHT}" height="6"/>'
            f'<rect class="bar" x="{_LEFT}" y="{y + 17}" width="{share * (_WIDTH - _LEFT - _RIGHT):.1f}" height="6"/>'
        )
        told.append(f"{name}: {figures}")
    others = len(sources) - _SOURCES
    more = f"; and {others:,} other sources" if others > 0 else ""
    height = max(_HEIGHT, 10 + 30 * min(len(sources), _SOURCES))
    return _svg("".join(rows), f"Records in clusters by source. {'; '.join(told)}{more}.", height)


def trend(runs: Sequence[RunTotals]) -> str:
    """Return the records in clusters of each run, the latest last."""
    values = [run.records_in_clusters for run in runs]
    low, high = min(values), max(values)
    gap, room = (_WIDTH - 2 * 30) / max(len(values) - 1, 1), _HEIGHT - _TOP - _BOTTOM - 8
    points = [
        (30 + at * gap, _TOP + 8 + (room * (high - value) / (high - low) if high > low else room / 2))
        for at, value in enumerate(values)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    titles = [f"<title>{_day(run.finished_at)}: {run.records_in_clusters:,}</title>" for run in runs]
    dots = "".join(
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3">{title}</circle>'
        for (x, y), title in zip(points, titles, strict=True)
    )
    named = {0, len(values) - 1, values.index(high), values.index(low)}
    labels = "".join(
        f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{values[at]:,}</text>'
        for at, (x, y) in enumerate(points)
        if at in named
    )
    axis = _label(_LEFT, _day(runs[0].finished_at), "start") + _label(
        _WIDTH - _RIGHT, _day(runs[-1].finished_at), "end"
    )
    said = f"Records in clusters over {len(runs)} runs, from {values[0]:,} to {values[-1]:,}."
    return _svg(f'<polyline class="line" points="{line}"/>{dots}{labels}{axis}', said)


def _bar(at: int, n: int, count: int, highest: int, title: str, above: str = "", below: str = "") -> str:
    """Return one of ``n`` bars side by side."""
    width = (_WIDTH - _LEFT - _RIGHT) / n
    height = (_HEIGHT - _TOP - _BOTTOM) * count / max(highest, 1)
    x, y, middle = _LEFT + at * width, _HEIGHT - _BOTTOM - height, _LEFT + (at + 0.5) * width
    bar = (
        f'<rect class="bar" x="{x + 1:.1f}" y="{y:.1f}" width="{max(width - 2, 1):.1f}" height="{height:.1f}">'
        f"<title>{title}</title></rect>"
    )
    number = f'<text x="{middle:.1f}" y="{y - 4:.1f}" text-anchor="middle">{above}</text>' if above else ""
    return bar + number + (_label(middle, below, "middle") if below else "")


def _label(x: float, text: str, anchor: str) -> str:
    return f'<text class="axis" x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{text}</text>'


def _svg(drawn: str, said: str, height: int = _HEIGHT) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{said}">{drawn}</svg>'


def _span(low: int, high: int | None) -> str:
    return f"{low}" if low == high else f"{low} or more" if high is None else f"{low}–{high}"


def _day(time: str) -> str:
    return safe(time[:10])
