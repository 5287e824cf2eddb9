"""What ``Index.add``, ``Index.status`` and ``Index.verify`` return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from indexer.jobs.verify import Check
from indexer.results.records import Rejected


@dataclass(frozen=True, slots=True)
class Added:
    """What became of the rows of one input: ``rows = added + changed + unchanged + len(rejected)``.

    ``removed`` counts records that were removed because the input does not hold them. ``notes`` are sentences on the
    columns that were used, and on anything odd about the input or left undone.
    """

    source: str
    rows: int
    added: int
    changed: int
    unchanged: int
    removed: int
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        counts = ("rows", "added", "changed", "unchanged", "removed")
        shown = ", ".join(f"{name}={getattr(self, name):,}" for name in counts)
        return f"Added(source={self.source!r}, {shown}, rejected={len(self.rejected):,}, notes={list(self.notes)})"


@dataclass(frozen=True, slots=True)
class Status:
    """What an index holds; the same facts as ``dedup status`` shows. ``snapshot`` and ``runs`` are plain data."""

    records: int
    distinct_texts: int
    sources: dict[str, int]
    snapshot: dict[str, Any]
    runs: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Verification:
    """The checks of ``verify``; true if nothing is wrong. ``repaired`` tells that a snapshot was built again."""

    checks: tuple[Check, ...]
    repaired: bool

    def __bool__(self) -> bool:
        return not any(check.faults for check in self.checks if check.kind != "note")

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words: the first few faults of each check."""
        return [example for check in self.checks if check.kind != "note" for example in check.examples]
