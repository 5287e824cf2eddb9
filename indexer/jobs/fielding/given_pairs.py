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
    fields = {}
    for asked in dict.fromkeys(name for one in given for name in one):
        values = [one.get(asked, "") for one in given]
        name, colon, kind = asked.rpartition(":")
        fields[name if colon else asked] = Field(kind_named(kind) if colon else _kind_of(asked, values), values)
    if not fields:
        return None
    check_place({name: str(field.kind) for name, field in fields.items()})
    check_extra(field.kind for field in fields.values())
    table = FieldTable.of([*left, *right], fields, NO_CORPUS, are_normal=True)
    _, texts = np.unique([*left, *right], return_inverse=True)
    return FieldEvidence(table, np.arange(len(given)), texts.reshape(-1), FieldModel.shipped(table))


def _kind_of(name: str, values: Sequence[str]) -> FieldKind:
    kind = kind_of_column(name, values)
    if kind is None:
        raise UsageError(
            f"Neither its name nor its values tell what the field {name!r} holds; add its kind, as in "
            f"{name}:category. Kinds are {', '.join(FieldKind)}."
        )
    return kind
