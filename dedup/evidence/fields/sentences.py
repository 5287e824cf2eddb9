"""What agrees or differs between two records, in words."""

from __future__ import annotations

from dedup.evidence.fields.agreement import DIFFERS, LEVELS, RANKS, Agreement, Piece
from dedup.evidence.fields.field_table import MISSING, Column, FieldTable
from dedup.evidence.phrases import plural, quote

_MIDDLE = {
    "near": "similar {label}: {left} and {right}",
    "same last digits": "same last digits of {label}: {left} and {right}",
    "other suffix": "same word in {label}: {left} and {right}",
    "same year": "same year of {label}: {left} and {right}",
    "differ": "{label} differs: {left} and {right}",
    "other valid": "another valid {label}: {left} and {right}",
}


def sentence_of(piece: Piece, agreement: Agreement, table: FieldTable, pair: tuple[int, int]) -> str:
    """Return what a piece of evidence says of one pair (``same postcode 89073 (12 of 40,000 records)``)."""
    level = int(agreement.levels[0])
    if piece.kind is None:
        return _place(piece, level, table, pair)
    left, right = (table.names if at == MISSING else piece.columns[at] for at in agreement.columns[0])
    name = LEVELS[piece.kind][level]
    if name in _MIDDLE:
        label = left.label if left is right else piece.label
        values = {"left": quote(_written(left, pair[0])), "right": quote(_written(right, pair[1]))}
        return str(_MIDDLE[name].format(label=label, **values))
    column = right if left is table.names else left
    return f"{name} {column.label} {_held(left, pair[0], int(agreement.counts[0]), table.records)}"


def sentence_of_names(table: FieldTable, pair: tuple[int, int]) -> str:
    """Return what the number of records with one name says, or that similar names are so often the same here."""
    here = "here" if table.records else "where records have fields"
    code, other = table.names.codes[list(pair)]
    if code != other or code == MISSING:
        return f"how often names as similar as these are the same {here}"
    count = int(table.names.counts[code])
    if not table.records:
        return f"records of one name {here}"
    return f"one name, held by {count:,} of {table.records:,} {plural('record', table.records)}"


def _place(piece: Piece, level: int, table: FieldTable, pair: tuple[int, int]) -> str:
    rank, differs = RANKS[level // len(DIFFERS)], DIFFERS[level % len(DIFFERS)]
    columns = {column.kind: column for column in piece.columns}
    parts = []
    for kind, column in columns.items():
        if rank == kind:
            code = column.codes[pair[0]]
            parts.append(f"same {column.label} {_held(column, pair[0], int(column.counts[code]), table.records)}")
        elif rank == f"{kind} near":
            parts.append(_MIDDLE["near"].format(label=column.label, **_both(column, pair)))
    for kind, column in columns.items():
        if differs == kind:
            parts.append(_MIDDLE["differ"].format(label=column.label, **_both(column, pair)))
    return "; ".join(parts)


def _both(column: Column, pair: tuple[int, int]) -> dict[str, str]:
    return {"left": quote(_written(column, pair[0])), "right": quote(_written(column, pair[1]))}


def _written(column: Column, record: int) -> str:
    return str(column.written[int(column.codes[record])])


def _held(column: Column, record: int, count: int, records: int) -> str:
    """Return a value and how many records hold it, if there is a corpus."""
    written = _written(column, record)
    return f"{written} ({count:,} of {records:,} {plural('record', records)})" if records else written
