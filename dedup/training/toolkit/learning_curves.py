"""Learning curves: an SVG of our own and, where matplotlib is installed, a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 260, 64, 36, 44
_COLOURS = ("#1b6ca8", "#c44536", "#3c8d53", "#8a5a9e", "#b8860b")
_TICKS = 5

Series = dict[str, list[tuple[float, float]]]


def draw_curves(entries: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write ``curves.svg``, and ``curves.png`` if matplotlib is installed; nothing without an evaluation."""
    if not entries:
        return
    panels = {"loss": _losses(entries), "validation": _measures(entries)}
    shown = {title: series for title, series in panels.items() if series}
    drawn = "".join(_panel(title, series, at * _HEIGHT) for at, (title, series) in enumerate(shown.items()))
    height = _HEIGHT * len(shown)
    (folder / "curves.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12" role="img" aria-label="Learning curves">'
        f'<rect width="100%" height="100%" fill="white"/>{drawn}</svg>\n',
        encoding="utf-8",
    )
    if find_spec("matplotlib") is not None:
        _draw_png(shown, folder / "curves.png")


def _losses(entries: Sequence[dict[str, Any]]) -> Series:
    found = {
        "training": [(entry["step"], entry["loss"]) for entry in entries],
        "validation": [(entry["step"], entry["validation"].get("loss")) for entry in entries],
    }
    return {name: [(x, y) for x, y in points if y is not None] for name, points in found.items()}


def _measures(entries: Sequence[dict[str, Any]]) -> Series:
    names = [name for name in ("best_f1", "auc", "best_accuracy", "class_accuracy", "macro_f1", "spearman", "pearson")
             if all(name in entry["validation"] for entry in entries)]  # fmt: skip
    return {name.replace("_", " "): [(e["step"], e["validation"][name]) for e in entries] for name in names[:5]}


def _panel(title: str, series: Series, top: int) -> str:
    points = [point for some in series.values() for point in some]
    (x0, x1), (y0, y1) = (_range([point[axis] for point in points]) for axis in (0, 1))
    right, bottom = _WIDTH - 150, top + _HEIGHT - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return (_LEFT + (x - x0) / (x1 - x0) * (right - _LEFT), bottom - (y - y0) / (y1 - y0) * (bottom - top - _TOP))

    parts = [f'<text x="{_LEFT}" y="{top + 22}" font-size="14" font-weight="bold">{title}</text>']
    for tick in range(_TICKS):
        value = y0 + (y1 - y0) * tick / (_TICKS - 1)
        _, line = place(x0, value)
        parts.append(f'<line x1="{_LEFT}" x2="{right}" y1="{line:.1f}" y2="{line:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{line + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for x, anchor in ((x0, "start"), (x1, "end")):
        parts.append(f'<text x="{place(x, y0)[0]:.1f}" y="{bottom + 18}" text-anchor="{anchor}">{x:,.0f}</text>')
    parts.append(f'<text x="{(_LEFT + right) / 2}" y="{bottom + 34}" text-anchor="middle">steps</text>')
    for at, ((name, some), colour) in enumerate(zip(series.items(), _COLOURS, strict=False)):
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in some))
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(some) == 1:
            x, y = place(*some[0])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        parts.append(f'<text x="{right + 12}" y="{top + _TOP + 12 + 18 * at}" fill="{colour}">{name}</text>')
    return "".join(parts)


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _draw_png(panels: dict[str, Series], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2 * len(panels)))
    for axes, (title, series) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels.items(), strict=True):
        for name, points in series.items():
            axes.plot(*zip(*points, strict=True), label=name)
        axes.set_title(title)
        axes.set_xlabel("steps")
        axes.legend()
    figure.tight_layout()
    FigureCanvasAgg(figure).print_png(str(path))
