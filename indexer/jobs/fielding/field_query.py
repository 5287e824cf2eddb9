"""Queries with values of fields: the names found are told apart by the fields of their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from dedup.evidence.explain import Explanation
from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.field_model import FieldModel
from dedup.evidence.fields.field_table import FieldTable, Frequencies
from dedup.evidence.fields.normal_forms import Field
from indexer.findings.baseline import read_field_baseline
from indexer.jobs.fielding.field_evidence import FieldEvidence
from indexer.jobs.fielding.field_records import read_fields
from indexer.jobs.fielding.slots import Slot, columns_by_label, kinds_of, slots_of_store, values_by_slot
from indexer.store.store import Record, Store

Given = Mapping[str, str]
"""Values of a query by the label of their field."""


@dataclass(frozen=True, slots=True, eq=False)
class FieldsOfMatch:
    """Why a match has its probability: the evidence, and the rows of the query and of the match."""

    evidence: FieldEvidence
    pair: tuple[int, int]

    def explain(self, of_names: Explanation | None) -> Explanation | None:
        """Return the reasons, given those of the names; None for equal texts without a field in common."""
        return self.evidence.explain(self.pair, of_names)


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A text that a query found by name, with its records; ``query`` is the number of the query."""

    query: int
    normal: str
    probability: float
    records: list[Record]


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """Records of a text that agree in the fields asked, and their probability by names and fields."""

    records: list[Record]
    probability: float
    fields: FieldsOfMatch


@dataclass
class QueryFields:
    """The fields of a store as queries use them: with the weights of the last report, or those shipped before it."""

    store: Store
    _columns: dict[str, dict[str, str]] = field(default_factory=dict)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The fields."""
        return slots_of_store(self.store)

    @cached_property
    def _known(self) -> tuple[FieldModel | None, Frequencies]:
        pinned = read_field_baseline(self.store)
        if pinned is not None and pinned.columns == kinds_of(self.slots):
            return pinned.model, pinned.frequencies
        text_ids = self.store.all_text_ids()
        normals = [normal for _, page in self.store.iter_texts() for normal in page]
        table = read_fields(self.store, self.slots, text_ids, lambda: normals).table
        return FieldModel.shipped(table), table.frequencies()

    def given(self, values: Mapping[str, str]) -> Given:
        """Return values that were given by name.

        Raises:
            UsageError: there is no such field.
        """
        return values_by_slot(self.slots, values)

    def in_row(self, fields: Mapping[str, str]) -> Given:
        """Return those columns of a row that have the name of a field, one for each field."""
        key = "\0".join(fields)
        if key not in self._columns:
            self._columns[key] = columns_by_label(self.slots, list(fields))
        return {label: fields[column] for label, column in self._columns[key].items()}

    def _asked(self, values: Given) -> set[FieldKind]:
        """Return the kinds of the fields that a query gives, and the country, by which numbers are read."""
        return {slot.kind for slot in self.slots if values.get(slot.label)} | {FieldKind.COUNTRY}

    def matches(
        self, normals: Sequence[str], given: Sequence[Given], found: Sequence[NameMatch]
    ) -> list[list[FieldMatch]]:
        """Return for each text found the groups of its records that agree in the fields asked, with probabilities."""
        asked = [self._asked(values) for values in given]
        slots = [slot for slot in self.slots if any(slot.kind in kinds for kinds in asked)]
        rows = [record for one in found for record in one.records]
        names = [*normals, *(one.normal for one in found for _ in one.records)]
        fields = {
            slot.label: Field(
                slot.kind,
                [
                    *(values.get(slot.label, "") for values in given),
                    *(record.fields.get(slot.columns.get(record.source, ""), "") for record in rows),
                ],
            )
            for slot in slots
        }
        model, frequencies = self._known
        table = FieldTable.of(names, fields, frequencies, are_normal=True)
        places = {normal: place for place, normal in enumerate(dict.fromkeys(names))}
        texts = np.array([places[name] for name in names], np.int64)
        evidence = FieldEvidence(table, np.arange(len(names)), texts, model)
        queries = np.array([one.query for one in found for _ in one.records], np.int64)
        of_names = np.array([one.probability for one in found for _ in one.records])
        pairs = np.column_stack([queries, len(normals) + np.arange(len(rows))]).astype(np.int64)
        probabilities = evidence.probabilities(pairs, of_names).tolist() if len(pairs) else []
        codes = np.column_stack([column.codes for column in table.columns])
        columns_of = [[at for at, slot in enumerate(slots) if slot.kind in kinds] for kinds in asked]
        result, at = [], 0
        for one in found:
            groups: dict[tuple[int, ...], FieldMatch] = {}
            for record in one.records:
                pair = one.query, len(normals) + at
                new = FieldMatch([], probabilities[at], FieldsOfMatch(evidence, pair))
                groups.setdefault(tuple(codes[pair[1], columns_of[one.query]].tolist()), new).records.append(record)
                at += 1
            result.append(list(groups.values()))
        return result
