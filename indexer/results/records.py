"""Records, pairs, clusters and matches, as the Python API gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from indexer.jobs.fielding.field_query import FieldsOfMatch
from indexer.reading.formats.python_rows import PythonTable
from indexer.reading.rejects import Reject

MEASURES = ("probability", "similarity", "exact")


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """A row that was given, with a text.

    Attributes:
        id: Its id as given; without an id column, its position.
        text: Its text as given; several text columns are joined with a space.
        source: The source it belongs to; empty outside an index.
        fields: Its other columns, without missing values.
        position: Its position in the rows given, from 0; None for a record of an index.

    """

    id: Any
    text: str
    source: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
    position: int | None = None

    def __repr__(self) -> str:
        source = f", source={self.source!r}" if self.source else ""
        return f"Record(id={self.id!r}, text={self.text!r}{source})"

    def columns(self, suffix: str = "") -> dict[str, Any]:
        """Return source, id and text as columns of a table, their names ending in ``suffix``."""
        source = {f"source{suffix}": self.source} if self.source else {}
        return {**source, f"id{suffix}": self.id, f"text{suffix}": self.text}


RECORD_COLUMNS = ("id", "text")
"""The columns of a table without records."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records, the probability (0 to 1) that they are the same, and the cosine of their vectors (-1 to 1).

    ``exact`` is whether their texts are equal once normalised. ``cluster_id`` is the cluster that holds both; None if
    there is none, as in a pair of two lists. ``judged`` is whether people judged them to be the same, directly or along
    a chain; the probability is still the model's.
    """

    left: Record
    right: Record
    probability: float
    similarity: float
    exact: bool
    cluster_id: int | None = None
    judged: bool = False

    def columns(self) -> dict[str, Any]:
        """Return the columns of a table of pairs: a field ``city`` of the records is ``city_1`` and ``city_2``.

        A field with one of our names gets the prefix ``column_``.
        """
        measures = {name: getattr(self, name) for name in MEASURES}
        return self.left.columns("_1") | self.right.columns("_2") | measures | self._fields()

    def clustered_columns(self) -> dict[str, Any]:
        """Return the columns of a table of pairs with the cluster of each."""
        columns = self.columns()
        others = {name: columns.pop(name) for name in self._fields()}
        return columns | {"cluster_id": self.cluster_id} | others

    def _fields(self) -> dict[str, Any]:
        left, right, found = self.left.fields, self.right.fields, dict[str, Any]()
        for field_name in dict.fromkeys((*left, *right)):
            name = field_name
            while name in ("source", "id", "text") or (name != field_name and (name in left or name in right)):
                name = f"column_{name}"
            found |= {f"{name}_1": left.get(field_name), f"{name}_2": right.get(field_name)}
        return found


PAIR_COLUMNS = ("id_1", "text_1", "id_2", "text_2", *MEASURES)
"""The columns of a table without pairs."""
CLUSTERED_PAIR_COLUMNS = (*PAIR_COLUMNS, "cluster_id")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Records that are the same. ``weakest_probability`` is the lowest of any two of their texts.

    ``id`` is its position in ``Duplicates.clusters``, from 0.
    """

    id: int
    records: tuple[Record, ...]
    weakest_probability: float

    def __len__(self) -> int:
        return len(self.records)


CLUSTER_COLUMNS = ("cluster_id", "id", "text", "weakest_probability")


@dataclass(frozen=True, slots=True)
class Match:
    """A record of an index, and the probability (0 to 1) that it is the same as the ``query``; see ``Pair``.

    ``fields`` is what values of fields tell, if the query had some.
    """

    query: str
    record: Record
    probability: float
    similarity: float
    exact: bool
    fields: FieldsOfMatch | None = field(default=None, repr=False, compare=False)

    def columns(self) -> dict[str, Any]:
        """Return the columns of a table of matches; a field with one of our names gets the prefix ``column_``."""
        measures = {name: getattr(self, name) for name in MEASURES}
        own = {"query": self.query, **measures, **self.record.columns()}
        fields = self.record.fields
        for field_name, value in fields.items():
            name = field_name
            while name in own or (name != field_name and name in fields):
                name = f"column_{name}"
            own[name] = value
        return own


MATCH_COLUMNS = ("query", *MEASURES, "source", "id", "text")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not used.

    Attributes:
        position: Its position in the rows given, from 0.
        id: Its id as given; None if it has none, or comes from a file.
        message: What is wrong with it.
        code: The error code, as ``E_NAME_EMPTY``; see docs/bad-input.md.
        line: The line of the file on which it begins, from 1; None for rows of Python.

    """

    position: int
    id: Any
    message: str
    code: str
    line: int | None = None


def rejected_of(reject: Reject, table: PythonTable | None = None) -> Rejected:
    """Return a rejected row, with its id if it comes from Python, else with its line."""
    place = reject.record_no - 1
    if table is None:
        return Rejected(place, None, reject.message, reject.error, reject.line)
    return Rejected(place, table.ids[place] if table.ids else None, reject.message, reject.error)
