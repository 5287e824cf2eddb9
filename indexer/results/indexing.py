"""What ``Index.add``, ``Index.status`` and ``Index.verify`` return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from indexer.jobs.index import InputIndexed
from indexer.jobs.verify import Check
from indexer.reading.rejects import Reason, Reasons
from indexer.results.records import Rejected
from indexer.results.tables import count_of


@dataclass(frozen=True, slots=True)
class Added:
    """Counts for the rows of one input: ``rows = added + changed + unchanged + len(rejected)``.

    ``removed`` counts records that were removed because the input does not hold them. ``notes`` are sentences on the
    columns that were used, and on anything odd about the input or left undone. ``reasons`` tell why rows were rejected,
    the most frequent first. ``fields`` are the columns that serve as evidence, each with its kind. ``run_id`` is the
    run of ``Index.status().runs``; None if an empty file was allowed. ``kind`` is the kind of the texts: company,
    person or text.
    """

    source: str
    rows: int
    added: int
    changed: int
    unchanged: int
    removed: int
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()
    run_id: int | None = None
    text_columns: tuple[str, ...] = ()
    id_column: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)
    kind: str = "company"

    @classmethod
    def of(cls, done: InputIndexed, rejected: Sequence[Rejected], reasons: Reasons, notes: Sequence[str]) -> Added:
        """Build the counts from the result of a job, its rejected rows, why they were, and the notes on it."""
        if done.result is None:
            return cls(done.source, 0, 0, 0, 0, 0, (), tuple(notes))
        rows, notes = done.result.rows, (*notes, *reasons.sentences(), *done.result.notes)
        counts = rows.rows_in, rows.added, rows.changed, rows.unchanged, rows.removed
        more = tuple(reasons.all()), done.result.run_id, done.text_columns, done.id_column, dict(done.fields)
        return cls(done.source, *counts, tuple(rejected), notes, *more, kind=done.result.kind)

    def __repr__(self) -> str:
        counts = ", ".join(f"{getattr(self, name):,} {name}" for name in ("added", "changed", "unchanged", "removed"))
        rejected = f"{len(self.rejected):,} rejected"
        return f"Added({count_of(self.rows, 'row')}: {counts}, {rejected}; source {self.source!r})"


@dataclass(frozen=True, slots=True)
class Status:
    """What an index holds; the same facts as ``dedup status`` shows. ``snapshot`` and ``runs`` are plain data.

    ``kind`` is that of its texts; ``fields`` are the columns of each source that serve as evidence, with their kinds.
    """

    records: int
    distinct_texts: int
    sources: dict[str, int]
    kind: str
    fields: dict[str, dict[str, str]]
    snapshot: dict[str, Any]
    runs: list[dict[str, Any]]

    def __repr__(self) -> str:
        counts = (self.records, "record"), (self.distinct_texts, "text"), (len(self.sources), "source")
        return f"Status({', '.join(count_of(number, noun) for number, noun in counts)})"


@dataclass(frozen=True, slots=True)
class Verification:
    """The checks of ``verify``; true if nothing is wrong. ``repaired`` is whether a snapshot was built again."""

    checks: tuple[Check, ...]
    repaired: bool

    def __bool__(self) -> bool:
        return not any(check.faults for check in self._counting)

    def __repr__(self) -> str:
        faults = sum(check.faults for check in self._counting)
        repaired = ", snapshot built again" if self.repaired else ""
        return f"Verification({count_of(faults, 'fault') if faults else 'no faults'}{repaired})"

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words: the first few faults of each check."""
        return [example for check in self._counting for example in check.examples]

    @property
    def _counting(self) -> list[Check]:
        """The checks whose faults count: all but notes."""
        return [check for check in self.checks if check.kind != "note"]
