"""Pairs of records with fields, without a corpus: compared by the weights that ship with neardup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dedup.errors import UsageError
from dedup.evidence.fields.field_kinds import FieldKind, check_extra, kind_named
from dedup.evidence.fields.field_model import FieldModel
from dedup.evidence.fields.field_table import NO_CORPUS, FieldTable
from dedup.evidence.fields.normal_forms import Field
from indexer.jobs.fielding.field_evidence import FieldEvidence
from indexer.reading.columns import check_place
from indexer.reading.detection.field_columns import kind_of_column


def evidence_of_pairs(
    left: Sequence[str],
    right: Sequence[str],
    left_fields: Sequence[Mapping[str, str]],
    right_fields: Sequence[Mapping[str, str]],
) -> FieldEvidence | None:
    """Return what the fields of n pairs of records tell, given their normal forms; None if they have no fields.

    The items are the left records, then the right ones. Fields may be left out for a whole side. A name may end in a
    colon and a kind, as ``vat:id``; otherwise the kind is found by the name and the values.

    Raises:
        UsageError: a kind is unknown or not clear, two fields are one part of the place, or a library is missing.
    """
    given = [one for side, n in ((left_fields, len(left)), (right_fields, len(right))) for one in side or [{}] * n]
    named = {asked: _named(asked) for asked in dict.fromkeys(name for one in given for name in one)}
    fields = {}
    for label in dict.fromkeys(name for name, _ in named.values()):
        spelled = [asked for asked, (name, _) in named.items() if name == label]
        values = [_only(label, [one[asked] for asked in spelled if asked in one]) for one in given]
        kinds = {kind for name, kind in named.values() if name == label and kind is not None}
        if len(kinds) > 1:
            raise UsageError(f"The field {label!r} has two kinds, {' and '.join(sorted(kinds))}; give it one.")
        fields[label] = Field(kinds.pop() if kinds else _kind_of(label, values), values)
    if not fields:
        return None
    check_place({name: str(field.kind) for name, field in fields.items()})
    check_extra(field.kind for field in fields.values())
    table = FieldTable.of([*left, *right], fields, NO_CORPUS, are_normal=True)
    _, texts = np.unique([*left, *right], return_inverse=True)
    return FieldEvidence(table, np.arange(len(given)), texts.reshape(-1), FieldModel.shipped(table))


def _named(asked: str) -> tuple[str, FieldKind | None]:
    """Return the name of a field, and its kind if one follows after a colon."""
    name, colon, kind = asked.rpartition(":")
    return (name, kind_named(kind)) if colon else (asked, None)


def _only(label: str, values: Sequence[str]) -> str:
    if len(values) > 1:
        raise UsageError(f"Two values are given for the field {label!r}; give one.")
    return values[0] if values else ""


def _kind_of(name: str, values: Sequence[str]) -> FieldKind:
    kind = kind_of_column(name, values)
    if kind is None:
        raise UsageError(
            f"Neither its name nor its values tell what the field {name!r} holds; add its kind, as in "
            f"{name}:category. Kinds are {', '.join(FieldKind)}."
        )
    return kind
