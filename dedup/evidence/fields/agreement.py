"""How far the fields of two records agree, as levels of each piece of evidence.

The columns of a place are one piece, since they depend on each other: its level is the finest part that agrees and the
coarsest that differs. Several columns of phone numbers, domains or further names are one piece too, with the level of
the best pair of values; further names are also compared with the name of the other record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cpdist

from dedup.evidence.fields.contacts import LOCAL_DIGITS, label_of
from dedup.evidence.fields.field_kinds import PLACES, FieldKind
from dedup.evidence.fields.field_table import MISSING, Column, FieldTable
from dedup.evidence.fields.identifiers import number_in, register_of
from dedup.evidence.fields.normal_forms import Codes
from dedup.evidence.fields.places import house_numbers, postcode_area
from dedup.text.names import parse

Pairs = NDArray[np.int64]
Levels = NDArray[np.int8]

PLACE = "place"
SAME = 0
_SAME, _NEAR, _DIFFER = "same", "near", "differ"
LEVELS: Mapping[FieldKind, tuple[str, ...]] = {
    FieldKind.ID: ("same valid", _SAME, _NEAR, _DIFFER, "other valid"),
    FieldKind.PHONE: (_SAME, "same last digits", _NEAR, _DIFFER),
    FieldKind.DOMAIN: (_SAME, "other suffix", _DIFFER),
    FieldKind.DATE: (_SAME, _NEAR, "same year", _DIFFER),
    FieldKind.NUMBER: (_SAME, _NEAR, _DIFFER),
    FieldKind.CATEGORY: (_SAME, _NEAR, _DIFFER),
    FieldKind.COMPANY: (_SAME, _NEAR, _DIFFER),
}
"""Levels of agreement of each kind but places, the best first."""
AGREES = frozenset({"same valid", _SAME, "same last digits"})
"""Levels at which the values are equal, so that their frequency counts."""
_OTHERS = frozenset({_DIFFER, "other valid"})

RANKS = ("none", "country", "state", "city near", "city", "postcode near", "postcode", "street near", "street")
"""The finest part of a place that agrees."""
_EXACT = {FieldKind(rank): i for i, rank in enumerate(RANKS) if rank in tuple(FieldKind)}
DIFFERS = ("nothing", *PLACES)
"""The coarsest part of a place that differs."""
_COARSE = (FieldKind.COUNTRY, FieldKind.STATE)
"""Parts of a place whose frequency tells nothing beyond that they agree."""
_BEST_OF = (FieldKind.PHONE, FieldKind.DOMAIN, FieldKind.COMPANY)
_ALIKE, _ALIKE_CITY, _ALIKE_STREET, _ALIKE_NAME = 0.8, 0.8, 0.75, 0.85
_NEAR_NUMBER = 0.05
_BEYOND = 127


class Agreement(NamedTuple):
    """The levels of one piece of evidence.

    Attributes:
        levels: Level of each pair (p,); ``MISSING`` where either record lacks the value.
        counts: Records of the corpus that hold the agreeing value, or either of two similar places (p,); 0 where
            no value agrees.
        columns: Columns whose values each pair was compared by (p, 2), as positions in the piece.

    """

    levels: Levels
    counts: NDArray[np.int64]
    columns: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Piece:
    """Columns that are one piece of evidence: those of a place, those of one kind, or a column of its own."""

    label: str
    kind: FieldKind | None
    columns: tuple[Column, ...]

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels; those of a place are finest part that agrees and coarsest that differs."""
        if self.kind is None:
            return tuple(f"{rank}/{differs}" for rank in RANKS for differs in DIFFERS)
        return LEVELS[self.kind]

    def compare(self, pairs: Pairs, names: Column) -> Agreement:
        """Compare the records of the pairs (p, 2)."""
        if self.kind is None:
            return _place(self.columns, pairs)
        sides = [(i, j) for i in range(len(self.columns)) for j in range(len(self.columns))]
        found = [(_compare(self.kind, self.columns[i], self.columns[j], pairs), (i, j)) for i, j in sides]
        if self.kind is FieldKind.COMPANY:
            for i, column in enumerate(self.columns):
                for left, right, at in ((column, names, (i, MISSING)), (names, column, (MISSING, i))):
                    levels = _compare(self.kind, left, right, pairs)
                    found.append((np.where(levels == len(self.levels) - 1, MISSING, levels).astype(np.int8), at))
        return self._best(found, pairs, names)

    def _best(self, found: Sequence[tuple[Levels, tuple[int, int]]], pairs: Pairs, names: Column) -> Agreement:
        stacked = np.stack([levels for levels, _ in found])
        best = np.where(stacked == MISSING, _BEYOND, stacked).argmin(axis=0)
        levels = np.take_along_axis(stacked, best[None], axis=0)[0]
        columns = np.array([at for _, at in found], dtype=np.int8)[best]
        counts = np.zeros(len(pairs), dtype=np.int64)
        agrees = np.isin(levels, [i for i, level in enumerate(self.levels) if level in AGREES])
        for own, sides in found:  # the commonest of the values that agree, so that sides do not matter
            at = np.flatnonzero(agrees & (own == levels))
            for side, i in enumerate(sides):
                column = names if i == MISSING else self.columns[i]
                counts[at] = np.maximum(counts[at], column.counts[column.codes[pairs[at, side]]])
        return Agreement(levels, counts, columns)


def pieces_of(table: FieldTable) -> tuple[Piece, ...]:
    """Return the pieces of evidence of a table, in the order of its columns."""
    pieces: list[Piece] = []
    for column in table.columns:
        if column.kind in PLACES:
            group = tuple(one for one in table.columns if one.kind in PLACES)
            piece = Piece(PLACE, None, group)
        elif column.kind in _BEST_OF:
            group = tuple(one for one in table.columns if one.kind is column.kind)
            piece = Piece(" or ".join(one.label for one in group), column.kind, group)
        else:
            piece = Piece(column.label, column.kind, (column,))
        if piece.columns[0] is column:
            pieces.append(piece)
    return tuple(pieces)


def marks_of(table: FieldTable, pair: Sequence[int]) -> dict[str, str]:
    """Return by the label of each column that both records have whether its values are the ``same``, or how far not."""
    pairs, found = np.array([pair], np.int64), {}
    for column in table.columns:
        (level,) = _compare(column.kind, column, column, pairs).tolist()
        if level != MISSING:
            name = LEVELS.get(column.kind, (_SAME, _NEAR, _DIFFER))[level]
            found[column.label] = "same" if name in AGREES else "differs" if name in _OTHERS else "similar"
    return found


def _compare(kind: FieldKind, left: Column, right: Column, pairs: Pairs) -> Levels:
    """Return the level of each pair (p,) of values of two columns."""
    worst = len(LEVELS[kind]) - 1 if kind in LEVELS else 2
    codes = left.codes[pairs[:, 0]], right.codes[pairs[:, 1]]
    levels = np.full(len(pairs), MISSING, dtype=np.int8)
    both = np.flatnonzero((codes[0] != MISSING) & (codes[1] != MISSING))
    of_pair, back = _distinct(codes[0][both], codes[1][both], len(right.forms))
    equal = of_pair[0] == of_pair[1] if left is right else left.forms[of_pair[0]] == right.forms[of_pair[1]]
    found = np.full(len(of_pair[0]), worst, dtype=np.int8)
    found[equal] = SAME
    rest = np.flatnonzero(~equal)
    found[rest] = _UNEQUAL[kind](left.forms[of_pair[0][rest]].tolist(), right.forms[of_pair[1][rest]].tolist())
    if kind is FieldKind.ID:
        same = np.flatnonzero(equal)
        found[same] = [SAME if register_of(form) else 1 for form in left.forms[of_pair[0][same]].tolist()]
    levels[both] = found[back]
    return levels


def _distinct(left: Codes, right: Codes, n: int) -> tuple[tuple[Pairs, Pairs], NDArray[np.intp]]:
    """Return the distinct pairs of codes, and the position of each pair among them."""
    keys, back = np.unique(left.astype(np.int64) * max(n, 1) + right, return_inverse=True)
    return divmod(keys, max(n, 1)), back


def _alike(left: Sequence[str], right: Sequence[str], least: float) -> NDArray[np.bool_]:
    """Return which strings have at least this similarity, 0 to 1, where exchanged neighbours are one edit."""
    similar = cpdist(left, right, scorer=OSA.normalized_similarity, dtype=np.float64)  # a cut-off would be rounded
    return np.asarray(similar) >= least


def _edits(left: Sequence[str], right: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of edits, 3 for more than two."""
    return np.asarray(cpdist(left, right, scorer=OSA.distance, score_cutoff=2, dtype=np.int64))


def _ids(left: Sequence[str], right: Sequence[str]) -> Levels:
    pairs = list(zip(left, right, strict=True))
    numbers = [_number_beside(a, b) for a, b in pairs], [_number_beside(b, a) for a, b in pairs]
    registers = [register_of(form) for form in left], [register_of(form) for form in right]
    both = np.array([bool(one and other) for one, other in zip(*registers, strict=True)], dtype=bool)
    one_register = np.array([one == other for one, other in zip(*registers, strict=True)], dtype=bool)
    edits = _edits(*numbers)
    unchecked = np.select([edits == 0, edits == 1], [1, 2], 3)
    return np.where(both, np.where(one_register, 4, MISSING), unchecked).astype(np.int8)


def _number_beside(form: str, other: str) -> str:
    """Return the number in a normal form, without the prefix that the other one has as its country."""
    country = register_of(other).rpartition(":")[2]
    return form.removeprefix(country) if country and not register_of(form) else number_in(form)


def _phones(left: Sequence[str], right: Sequence[str]) -> Levels:
    valid = np.array([a[0] == "+" and b[0] == "+" for a, b in zip(left, right, strict=True)], dtype=bool)
    ends = [form[-LOCAL_DIGITS:] for form in left], [form[-LOCAL_DIGITS:] for form in right]
    edits, end_edits = _edits(left, right), _edits(*ends)
    return np.select([~valid & (end_edits == 0), np.where(valid, edits, end_edits) == 1], [1, 2], 3).astype(np.int8)


def _domains(left: Sequence[str], right: Sequence[str]) -> Levels:
    pairs = zip(left, right, strict=True)
    return np.array([1 if label_of(one) == label_of(other) else 2 for one, other in pairs], dtype=np.int8)


def _dates(left: Sequence[str], right: Sequence[str]) -> Levels:
    return np.array(list(map(_date_level, left, right, _edits(left, right).tolist())), dtype=np.int8)


def _date_level(left: str, right: str, edits: int) -> int:
    is_swapped = left[:4] == right[:4] and left[4:6] == right[6:] and left[6:] == right[4:6]
    if edits <= 1 or is_swapped:
        return 1
    return 2 if left[:4] == right[:4] else 3


def _numbers(left: Sequence[str], right: Sequence[str]) -> Levels:
    one, other = np.array(left, dtype=np.float64), np.array(right, dtype=np.float64)
    is_near = np.abs(one - other) <= _NEAR_NUMBER * np.maximum(np.abs(one), np.abs(other))
    return np.where(is_near, 1, 2).astype(np.int8)


def _texts(left: Sequence[str], right: Sequence[str]) -> Levels:
    return np.where(_alike(left, right, _ALIKE), 1, 2).astype(np.int8)


def _names(left: Sequence[str], right: Sequence[str]) -> Levels:
    cores = [parse(form).core for form in left], [parse(form).core for form in right]
    equal = np.array([one == other for one, other in zip(*cores, strict=True)], dtype=bool)
    return np.select([equal, _alike(*cores, _ALIKE_NAME)], [SAME, 1], 2).astype(np.int8)


def _only_equal(left: Sequence[str], right: Sequence[str]) -> Levels:
    return np.full(len(left), 2, dtype=np.int8)


def _cities(left: Sequence[str], right: Sequence[str]) -> Levels:
    pairs = zip(left, right, strict=True)
    longer = [f"{one} ".startswith(f"{other} ") or f"{other} ".startswith(f"{one} ") for one, other in pairs]
    return np.where(np.array(longer, dtype=bool) | _alike(left, right, _ALIKE_CITY), 1, 2).astype(np.int8)


def _postcodes(left: Sequence[str], right: Sequence[str]) -> Levels:
    pairs = zip(left, right, strict=True)
    one_area = np.array([postcode_area(one) == postcode_area(other) for one, other in pairs], dtype=bool)
    return np.where(one_area | (_edits(left, right) == 1), 1, 2).astype(np.int8)


def _streets(left: Sequence[str], right: Sequence[str]) -> Levels:
    """One is near if all its numbers are in the other and its words are alike, or if it is the beginning of the other.

    ``12 2nd St`` and ``14 2nd St`` are two houses; a suite or a box may stand in one address only.
    """
    parts = [one.startswith(other) or other.startswith(one) for one, other in zip(left, right, strict=True)]
    levels = np.full(len(left), 2, dtype=np.int8)
    for at in np.flatnonzero(np.array(parts, dtype=bool) | _alike(left, right, _ALIKE_STREET)).tolist():
        one, other = house_numbers(left[at]), house_numbers(right[at])
        if bool(one) == bool(other) and (one <= other or other <= one):
            levels[at] = 1
    return levels


_UNEQUAL: Mapping[FieldKind, Callable[[Sequence[str], Sequence[str]], Levels]] = {
    FieldKind.ID: _ids,
    FieldKind.PHONE: _phones,
    FieldKind.DOMAIN: _domains,
    FieldKind.DATE: _dates,
    FieldKind.NUMBER: _numbers,
    FieldKind.CATEGORY: _texts,
    FieldKind.COMPANY: _names,
    FieldKind.COUNTRY: _only_equal,
    FieldKind.STATE: _only_equal,
    FieldKind.CITY: _cities,
    FieldKind.POSTCODE: _postcodes,
    FieldKind.STREET: _streets,
}


def _place(columns: Sequence[Column], pairs: Pairs) -> Agreement:
    rank, differs = np.zeros(len(pairs), dtype=np.int8), np.zeros(len(pairs), dtype=np.int8)
    counts, at = np.zeros(len(pairs), dtype=np.int64), np.zeros((len(pairs), 2), dtype=np.int8)
    known = np.zeros(len(pairs), dtype=bool)
    for i, column in sorted(enumerate(columns), key=lambda one: PLACES.index(one[1].kind)):  # coarse to fine
        levels = _compare(column.kind, column, column, pairs)
        known |= levels != MISSING
        differs = np.where((levels == 2) & (differs == 0), PLACES.index(column.kind) + 1, differs).astype(np.int8)
        same, near = levels == SAME, levels == 1
        counts[same | near] = 0
        if column.kind not in _COARSE:
            counts[same] = column.counts[column.codes[pairs[same, 0]]]
            counts[near] = column.counts[column.codes[pairs[near]]].sum(axis=1)
        rank[same], rank[near] = _EXACT[column.kind], _EXACT[column.kind] - 1
        at[same | near] = i
    return Agreement(np.where(known, rank * len(DIFFERS) + differs, MISSING).astype(np.int8), counts, at)
