"""What further columns add to the log-odds of names, learnt in a corpus and explained in words.

    table = FieldTable.of(names, {"city": Field(FieldKind.CITY, cities), "vat": Field(FieldKind.ID, vats)})
    model = FieldModel.fit(table, pairs, name_log_odds)
    log_odds = name_log_odds + model.log_odds(table, pairs, name_log_odds)
    for reason in model.explain(table, pairs[0], name_log_odds[0]): ...

Missing values are no evidence: a pair whose records share no filled field keeps the log-odds of its names. For others,
the names themselves are worth more or less than their model says, as the fields of the corpus tell: in a list of clubs,
records with one name that many hold are mostly different ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.errors import VersionMismatch
from dedup.evidence.explain import Contribution
from dedup.evidence.fields.agreement import DIFFERS, LEVELS, PLACE, RANKS, Agreement, Levels, Pairs, Piece, pieces_of
from dedup.evidence.fields.fellegi_sunter import Fitted, Floats, Observed, Weights, any_present, fit
from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.field_table import FieldTable
from dedup.evidence.fields.sentences import sentence_of, sentence_of_names

FORMAT = 1
EQUAL_NAMES = 4.0
"""Log-odds of records with one name, before fields and the number of its records speak."""
SAMPLE = 200_000
"""Pairs that weights are learnt from at most."""
_MOVED, _OTHERWISE = -2.0, -0.5
"""The least weights of another place, and of any other piece but numbers, under one official number."""
_ELSEWHERE = np.array(
    [
        rank in ("none", FieldKind.COUNTRY, FieldKind.STATE) and differs not in ("nothing", FieldKind.STREET)
        for rank in RANKS
        for differs in DIFFERS
    ]
)
"""The levels of a place at which no part from the town on agrees or is near, and one differs."""
_CERTAIN = (LEVELS[FieldKind.ID].index("same valid"), LEVELS[FieldKind.ID].index("other valid"))
"""What official numbers say is not learnt from names: many records of one name with other numbers are many records."""
_HELD_BY = (2, 5, 20)
"""Bounds of the groups of equal names: how many records hold the name at most."""
_NAMES_FROM = (2.2, 0.0)
"""Bounds of the groups of other names: the least log-odds."""
_OF_EQUAL = len(_HELD_BY) + 1
GROUPS = _OF_EQUAL + len(_NAMES_FROM) + 1
"""The groups of equal names, then those of others."""


class Added(NamedTuple):
    """What fields say of p pairs.

    Attributes:
        log_odds: What they add to the log-odds of the names (p,).
        is_any: Whether the records share a field at all (p,).
        elsewhere: Whether they are in two places, from the town on (p,).
        two_numbers: Whether they have two valid official numbers of one register (p,).

    """

    log_odds: Floats
    is_any: NDArray[np.bool_]
    elsewhere: NDArray[np.bool_]
    two_numbers: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FieldModel:
    """The weights of the pieces of evidence of a corpus, by label, and what each group of names adds (groups,)."""

    pieces: Mapping[str, Weights]
    offsets: Floats

    @classmethod
    def fit(
        cls,
        table: FieldTable,
        pairs: Pairs,
        name_log_odds: Floats,
        labels: Levels | None = None,
        times: Floats | None = None,
    ) -> FieldModel:
        """Learn the weights among pairs of records (p, 2) whose names are near, with the log-odds of their names (p,).

        ``labels`` (p,) are judgements: 1 for the same, 0 for different, negative where there is none; they correct the
        weights learnt without them. ``times`` (p,) is how often each pair occurs; None: once. At most ``SAMPLE`` pairs
        are used, evenly drawn, and all with a judgement. The same input gives the same weights.
        """
        chosen = _sample(len(pairs))
        pieces = pieces_of(table)
        observed = _observe(pieces, table, pairs[chosen])
        groups = _groups(table, pairs[chosen], name_log_odds[chosen])
        often = None if times is None else times[chosen]
        fitted = fit(observed, name_log_odds[chosen], groups, shipped_for(pieces), times=often)
        learnt = cls._named(pieces, fitted)
        if labels is None:
            return learnt
        judged = labels >= 0
        return learnt.corrected(table, pairs[judged], name_log_odds[judged], labels[judged])

    def corrected(self, table: FieldTable, pairs: Pairs, name_log_odds: Floats, labels: Levels) -> FieldModel:
        """Return weights fitted to judged pairs (p, 2), 1 for the same and 0 for different, shrunk toward these."""
        if not len(pairs):
            return self
        pieces = pieces_of(table)
        observed, groups = _observe(pieces, table, pairs), _groups(table, pairs, name_log_odds)
        return self._named(
            pieces, fit(observed, name_log_odds, groups, self._fitted(pieces), labels.astype(np.float64))
        )

    def under_one_number(self, table: FieldTable) -> FieldModel:
        """Return the same weights for pairs with one valid official number, which outlasts moves and other names.

        It outlasts phone numbers, web pages and whatever else changes with these, too; but not other official numbers.
        """
        pieces = dict(self.pieces)
        for piece in pieces_of(table):
            if piece.kind is not FieldKind.ID:
                own, least = self._of(piece), _MOVED if piece.kind is None else _OTHERWISE
                pieces[piece.label] = replace(own, levels=np.maximum(own.levels, least))
        return FieldModel(pieces, np.maximum(self.offsets, 0.0))

    def merging_branches(self) -> FieldModel:
        """Return the same weights, but none against a pair because of its place or because many hold the name."""
        offsets = self.offsets.copy()
        offsets[:_OF_EQUAL] = np.maximum(offsets[:_OF_EQUAL], 0.0)
        if PLACE not in self.pieces:
            return replace(self, offsets=offsets)
        place = self.pieces[PLACE]
        merged = replace(place, levels=np.maximum(place.levels, 0.0))
        return FieldModel({**self.pieces, PLACE: merged}, offsets)

    @classmethod
    def shipped(cls, table: FieldTable) -> FieldModel:
        """Return the weights that ship with neardup for the columns of a table."""
        pieces = pieces_of(table)
        return cls._named(pieces, shipped_for(pieces))

    @classmethod
    def _named(cls, pieces: Sequence[Piece], fitted: Fitted) -> FieldModel:
        return cls(dict(zip([piece.label for piece in pieces], fitted.pieces, strict=True)), fitted.offsets)

    def _fitted(self, pieces: Sequence[Piece]) -> Fitted:
        return Fitted(tuple(self._of(piece) for piece in pieces), self.offsets)

    def log_odds(self, table: FieldTable, pairs: Pairs, name_log_odds: Floats) -> Floats:
        """Return what the fields add to the log-odds of the names of pairs of records (p, 2)."""
        return self.added(table, pairs, name_log_odds).log_odds

    def added(self, table: FieldTable, pairs: Pairs, name_log_odds: Floats) -> Added:
        """Return what the fields add for each pair (p, 2), given the log-odds of the names (p,)."""
        pieces = pieces_of(table)
        observed = _observe(pieces, table, pairs)
        found = self._fitted(pieces).log_odds(observed, _groups(table, pairs, name_log_odds))
        elsewhere, two_numbers = np.zeros((2, len(pairs)), dtype=bool)
        for piece, one in zip(pieces, observed, strict=True):
            if piece.kind is None:
                elsewhere = (one.levels >= 0) & _ELSEWHERE[one.levels]
            elif piece.kind is FieldKind.ID:
                two_numbers |= one.levels == _CERTAIN[1]
        return Added(found, any_present(observed, len(pairs)), elsewhere, two_numbers)

    def most_added(self, table: FieldTable, pairs: Pairs) -> Floats:
        """Return the most that the fields can add, whatever the log-odds of the names (p,)."""
        pieces = pieces_of(table)
        observed, weights = _observe(pieces, table, pairs), self._fitted(pieces)
        groups = _groups(table, pairs, np.full(len(pairs), np.inf))
        best = np.append(self.offsets[:_OF_EQUAL], np.full(GROUPS - _OF_EQUAL, self.offsets[_OF_EQUAL:].max()))
        return Fitted(weights.pieces, best).log_odds(observed, groups)

    def explain(self, table: FieldTable, pair: Sequence[int], name_log_odds: float) -> list[Contribution]:
        """Return what each piece of evidence on a pair adds, the strongest first; they sum to ``log_odds``."""
        pairs = np.array([pair], dtype=np.int64)
        (group,) = _groups(table, pairs, np.array([name_log_odds]))
        found: list[Contribution] = []
        for piece in pieces_of(table):
            agreement = piece.compare(pairs, table.names)
            if agreement.levels[0] >= 0:
                (added,) = self._of(piece).log_odds(_observed(piece, agreement))
                found.append(Contribution(sentence_of(piece, agreement, table, pairs[0]), float(added)))
        if found:
            found.append(Contribution(sentence_of_names(table, pairs[0]), float(self.offsets[group])))
        return sorted((one for one in found if one.log_odds), key=lambda one: -abs(one.log_odds))

    def _of(self, piece: Piece) -> Weights:
        own = self.pieces.get(piece.label)
        if own is None or not len(own.levels) == len(own.centres) == len(piece.levels):
            raise VersionMismatch(f"No weights were learnt for the field {piece.label!r}; learn them anew.")
        return own

    def to_json(self) -> dict[str, Any]:
        """Return the weights as plain JSON data."""
        return {
            "format": FORMAT,
            "pieces": {
                label: {"levels": own.levels.tolist(), "slope": own.slope, "centres": own.centres.tolist()}
                for label, own in self.pieces.items()
            },
            "offsets": self.offsets.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FieldModel:
        """Read weights in the form that ``to_json`` writes.

        Raises:
            VersionMismatch: they are of another format.
            LookupError, TypeError, ValueError: the data have another form.
        """
        if data["format"] != FORMAT:
            raise VersionMismatch(f"Weights of fields of format {data['format']!r} cannot be read; learn them anew.")
        pieces = {
            str(label): Weights(_finite(own["levels"]), float(own["slope"]), _finite(own["centres"]))
            for label, own in data["pieces"].items()
        }
        return cls(pieces, _finite(data["offsets"], GROUPS))


def _finite(values: Sequence[float], size: int | None = None) -> Floats:
    found = np.array(values, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all() or (size is not None and len(found) != size):
        raise ValueError(f"weights of fields are not finite numbers: {values!r}")
    return found


def _sample(n: int) -> NDArray[np.int64]:
    return np.arange(n) if n <= SAMPLE else np.linspace(0, n - 1, SAMPLE).astype(np.int64)


def _observe(pieces: Sequence[Piece], table: FieldTable, pairs: Pairs) -> list[Observed]:
    return [_observed(piece, piece.compare(pairs, table.names)) for piece in pieces]


def _observed(piece: Piece, agreement: Agreement) -> Observed:
    counts = agreement.counts
    rarity = np.where(counts > 0, -np.log(np.maximum(counts, 1)), np.nan)
    certain = _CERTAIN if piece.kind is FieldKind.ID else ()
    return Observed(agreement.levels, rarity, piece.kind is not None, certain)


def _groups(table: FieldTable, pairs: Pairs, name_log_odds: Floats) -> Levels:
    """Return the group of each pair's names: by their log-odds or, for equal names, by how many records hold them."""
    codes = table.names.codes[pairs]
    equal = (codes[:, 0] == codes[:, 1]) & (codes[:, 0] >= 0)
    held = table.names.counts[codes[:, 0]]
    of_equal = np.searchsorted(_HELD_BY, held)
    of_others = _OF_EQUAL + sum((name_log_odds < least).astype(np.int64) for least in _NAMES_FROM)
    return np.where(equal, of_equal, of_others).astype(np.int8)


@cache
def _shipped() -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(
        resources.files("dedup").joinpath("data/field_weights.json").read_text(encoding="utf-8")
    )
    return data


def shipped_for(pieces: Sequence[Piece]) -> Fitted:
    """Return the weights that ship with neardup for pieces of evidence."""
    data = _shipped()
    return Fitted(tuple(_shipped_weights(piece, data) for piece in pieces), np.array(data["names"], dtype=np.float64))


def _shipped_weights(piece: Piece, data: Mapping[str, Any]) -> Weights:
    own = data["pieces"][PLACE if piece.kind is None else piece.kind]
    if piece.kind is None:
        levels = [own["agree"][rank] + own["differ"][differs] for rank in RANKS for differs in DIFFERS]
    else:
        levels = [own["levels"][level] for level in piece.levels]
    return Weights(
        np.array(levels, dtype=np.float64), float(own["slope"]), np.full(len(levels), -np.log(data["usual count"]))
    )
