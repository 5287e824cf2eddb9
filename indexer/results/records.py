"""Records, pairs, clusters and matches, as the Python API gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """A row that was given: its ``id`` as given, its text, its source (empty outside an index), its other columns."""

    id: Any
    text: str
    source: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __repr__(self) -> str:
        source = f", source={self.source!r}" if self.source else ""
        return f"Record(id={self.id!r}, text={self.text!r}{source})"

    def columns(self, suffix: str = "") -> dict[str, Any]:
        """Return source, id and text as columns of a table, their names ending in ``suffix``."""
        source = {f"source{suffix}": self.source} if self.source else {}
        return {**source, f"id{suffix}": self.id, f"text{suffix}": self.text}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records, the probability (0 to 1) that they are the same, and the cosine of their vectors (-1 to 1).

    ``exact`` tells that their texts are equal once normalised.
    """

    left: Record
    right: Record
    probability: float
    similarity: float
    exact: bool

    def columns(self) -> dict[str, Any]:
        """Return the columns of a table of pairs."""
        measures = {"probability": self.probability, "similarity": self.similarity, "exact": self.exact}
        return self.left.columns("_1") | self.right.columns("_2") | measures


@dataclass(frozen=True, slots=True)
class Cluster:
    """Records that are the same. ``weakest_probability`` is the lowest of any pair of their texts.

    ``id`` is that of the first record.
    """

    id: Any
    records: tuple[Record, ...]
    weakest_probability: float

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True, slots=True)
class Match:
    """A record of an index, and the probability (0 to 1) that it is the same as the ``query``; see ``Pair``."""

    query: str
    record: Record
    probability: float
    similarity: float
    exact: bool

    def columns(self) -> dict[str, Any]:
        """Return the columns of a table of matches."""
        measures = {"probability": self.probability, "similarity": self.similarity, "exact": self.exact}
        own = {"query": self.query, **measures, **self.record.columns()}
        return own | {name: value for name, value in self.record.fields.items() if name not in own}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not used: its number (from 1), its id as given, and what is wrong with it."""

    row: int
    id: Any
    message: str
