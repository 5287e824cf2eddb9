"""What a model is: architecture, data, measures, size and speed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dedup.model
from dedup.errors import VersionMismatch
from dedup.model import MANIFEST, SHIPPED, Model
from indexer.models.registry import Registered, registered_models

_TEXTS = 2_000
"""Texts encoded to measure the speed."""


def summary_of(model: Model) -> dict[str, Any]:
    """Return a line about a model: its hash, what it is, the length of its vectors, and its size in bytes."""
    manifest = model.manifest
    return {
        "hash": model.fingerprint[:16],
        "architecture": _architecture(manifest),
        "dimension": model.dimension,
        "bytes": sum((model.directory / name).stat().st_size for name in (MANIFEST, *model.files)),
    }


def listed() -> list[dict[str, Any]]:
    """Return a line about the shipped model and about each registered one; of a damaged one, what is wrong."""
    rows: list[dict[str, Any]] = [{"name": SHIPPED, **summary_of(dedup.model.load_model()), "added": None}]
    return rows + [{"name": one.name, **_line(one), "added": _day(one.added_at)} for one in registered_models()]


def described(model: Model) -> dict[str, Any]:
    """Return all that the manifest says, the size, and how many names it encodes in a second on this machine."""
    manifest = model.manifest
    return {
        "name": model.name,
        "directory": str(model.directory),
        "fingerprint": model.fingerprint,
        "encoder": model.model_id,
        "architecture": manifest.get("architecture", {}),
        "parameters": manifest.get("parameters"),
        "dimension": model.dimension,
        "default_probability": model.default_probability,
        "bytes": {name: (model.directory / name).stat().st_size for name in (MANIFEST, *model.files)},
        "texts_a_second": _speed(model),
        "command": manifest.get("command"),
        "sources": manifest.get("sources", {}),
        "measures": manifest.get("measures", {}),
    }


def compared(first: Mapping[str, Any], second: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[float, float]]:
    """Return the measures that two evaluations have in common, nested ones with the path to them."""
    found: dict[str, tuple[float, float]] = {}
    for name, value in first.items():
        other = second.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            found |= compared(value, other, f"{prefix}{name} ")
        elif isinstance(value, int | float) and isinstance(other, int | float) and not isinstance(value, bool):
            found[f"{prefix}{name}"] = (value, other)
    return found


def _line(one: Registered) -> dict[str, Any]:
    try:
        return summary_of(one.load())
    except VersionMismatch as error:
        return {"hash": one.hash, "architecture": f"damaged: {error}", "dimension": None, "bytes": None}


def _architecture(manifest: Mapping[str, Any]) -> str:
    """Return the parts of a network in a few words."""
    parts = manifest.get("architecture", {})
    if not isinstance(parts, Mapping):
        return str(parts)
    tower = parts.get("tower", "")
    if not isinstance(tower, Mapping):
        return str(tower)
    unit = parts.get("tokens", {}).get("unit", "")
    layers = tower.get("cell", tower.get("kind", ""))
    return " ".join(filter(None, (unit, layers, parts.get("head", {}).get("kind", ""))))


def _day(added_at: str) -> str | None:
    return datetime.fromisoformat(added_at).date().isoformat() if added_at else None


def _speed(model: Model) -> int:
    """Return how many short names the model encodes in a second, by all threads."""
    names = [f"harbour works {number} of the north" for number in range(_TEXTS)]
    model.encoder.encode(names[:100])
    start = time.perf_counter()
    model.encoder.encode(names)
    return round(_TEXTS / (time.perf_counter() - start))
