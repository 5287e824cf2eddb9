"""Plots as SVG: axes of whole shares, lines, dots and bars that the style sheet colours, and a sentence in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from indexer.outputs.html_report.charts import safe

Point = tuple[float, float]

_WIDTH, _HEIGHT = 360, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 12, 40
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Axes:
    """The names and the ranges of both axes, and from where to where there are ticks."""

    x: str
    y: str
    x_range: Point = (0.0, 1.0)
    y_range: Point = (0.0, 1.0)
    x_ticks: Point = (0.0, 1.0)

    def place(self, point: Point) -> Point:
        """Return where a point is drawn."""
        shares = [
            (value - low) / (high - low) for value, (low, high) in zip(point, (self.x_range, self.y_range), strict=True)
        ]
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return _LEFT + shares[0] * width, _HEIGHT - _BOTTOM - shares[1] * height


def line(axes: Axes, points: Iterable[Point], kind: str) -> str:
    """Return a line of the class ``kind``."""
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(axes.place, points))
    return f'<polyline class="{kind}" points="{drawn}"/>'


def dots(axes: Axes, points: Iterable[Point], kind: str, titles: Sequence[str] = (), radius: float = 4) -> str:
    """Return dots of the class ``kind``, each with a title if there are any."""
    drawn = []
    for at, point in enumerate(points):
        x, y = axes.place(point)
        title = f"<title>{safe(titles[at])}</title>" if titles else ""
        drawn.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}">{title}</circle>')
    return "".join(drawn)


def bars(axes: Axes, heights: Iterable[tuple[float, float, float, str]]) -> str:
    """Return bars from the x axis: where each begins and ends, how high it is, and its title."""
    drawn = []
    for start, stop, height, title in heights:
        (left, top), (right, bottom) = axes.place((start, height)), axes.place((stop, axes.y_range[0]))
        drawn.append(
            f'<rect class="track" x="{left + 1:.1f}" y="{top:.1f}" width="{max(right - left - 2, 1):.1f}" '
            f'height="{max(bottom - top, 0):.1f}"><title>{safe(title)}</title></rect>'
        )
    return "".join(drawn)


def note(axes: Axes, point: Point, text: str, anchor: str = "start") -> str:
    """Return words beside a point."""
    x, y = axes.place(point)
    x += 8 if anchor == "start" else -8
    return f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">{safe(text)}</text>'


def plot(axes: Axes, drawn: str, said: str) -> str:
    """Return a plot; ``said`` tells it to those who cannot see it."""
    grid = []
    for tick in range(_TICKS + 1):
        share = tick / _TICKS
        at = tuple(low + share * (high - low) for low, high in (axes.x_ticks, axes.y_range))
        (x, bottom), (_, y) = axes.place((at[0], axes.y_range[0])), axes.place((axes.x_range[0], at[1]))
        grid.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        grid.append(f'<text class="axis" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{at[1]:.3g}</text>')
        grid.append(f'<text class="axis" x="{x:.1f}" y="{bottom + 15:.1f}" text-anchor="middle">{at[0]:.3g}</text>')
    middle, centre = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + _HEIGHT - _BOTTOM) / 2
    names = (
        f'<text class="axis" x="{middle:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{safe(axes.x)}</text>'
        f'<text class="axis" transform="translate(11 {centre:.1f}) rotate(-90)" text-anchor="middle">'
        f"{safe(axes.y)}</text>"
    )
    frame = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{safe(said)}">'
    return f"{frame}{''.join(grid)}{drawn}{names}</svg>"


def figure(caption: str, svg: str, legend: Iterable[tuple[str, str]] = ()) -> str:
    """Return a plot with its caption and the lines in it: their class and what each is."""
    items = "".join(
        f'<li><svg viewBox="0 0 24 8" aria-hidden="true"><line class="{kind}" x1="0" x2="24" y1="4" y2="4"/></svg>'
        f" {safe(what)}</li>"
        for kind, what in legend
    )
    key = f'<ul class="key">{items}</ul>' if items else ""
    return f"<figure><figcaption>{safe(caption)}</figcaption>{svg}{key}</figure>"
