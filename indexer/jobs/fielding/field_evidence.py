"""The probability of pairs of items: the log-odds of names and of fields add up.

Names come first: their log-odds are the prior by which the weights of fields are learnt in the corpus, unless an
earlier report pinned these. What people judged corrects them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.explain import Contribution, Explanation
from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.field_model import EQUAL_NAMES, Added, FieldModel
from dedup.evidence.fields.field_table import FieldTable
from dedup.evidence.fields.identifiers import register_of
from dedup.evidence.scorer import logistic
from dedup.runtime.string_arrays import Strings
from indexer.jobs.fielding.field_candidates import Items, pairs_of_texts, pairs_within_texts, sharing_pairs
from indexer.jobs.fielding.field_records import FieldRecords
from indexer.jobs.reviewing.judged_items import Ints, Pairs

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEAR = 0.02
"""Names with this probability are near enough that fields may decide; the weights are learnt among them."""
EQUAL = Explanation(
    float(logistic(np.array([EQUAL_NAMES]))[0]),
    1.0,
    EQUAL_NAMES,
    (Contribution("the texts are equal after normalisation", EQUAL_NAMES),),
)
"""What names say whose texts are equal."""
BRANCHES = -0.2
"""The most log-odds of records in two towns where branches are told apart: they are shown, but not merged."""
TWO_NUMBERS = -3.0
"""The most log-odds of records with two valid official numbers of one register and none in common."""
OTHER_NAMES = -4.0
"""The least log-odds of names under one valid official number: a name changes sooner than a number."""
MOST_TIMES = 100
"""A pair of items stands for so many pairs of records at most, so that no single one decides."""
_MORE, _LESS = "names alone tell no more than equal ones", "under one official number, other names tell less"
_BRANCHES = "records in two towns are branches, which are told apart (--branches)"
_TWO_NUMBERS = "two valid numbers of one register are those of two records"
_CERTAIN = 1e-12
_AT_ONCE = 200_000
"""Pairs that are compared at once."""


class TextComparison(Protocol):
    """Compares texts by their positions."""

    @property
    def normal_forms(self) -> Strings:
        """The texts (n,)."""

    @property
    def long_texts(self) -> int:
        """Number of texts that are compared by cheaper evidence."""

    def probabilities(self, pairs: Ints) -> Floats:
        """Return the probabilities (q,) of pairs of texts (q, 2)."""

    def upper_bounds(self, pairs: Ints) -> Floats:
        """Return upper bounds on them (q,)."""

    def similarities(self, pairs: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return their cosines (q,)."""


@dataclass(frozen=True, slots=True)
class FieldEvidence:
    """What fields say of pairs of items, which stand for rows of a table.

    Attributes:
        table: The fields.
        row_of: The row of each item (n,).
        text_of: The position of each item's text (n,).
        model: Their weights as learnt without judgements; None before.
        judged_model: Their weights with what people judged.
        merges_branches: Whether another town does not tell records of one name apart; otherwise it always does, unless
            something else than names and places speaks for them.
        sizes: The number of records of each item (n,), by which weights are learnt; None: one.

    """

    table: FieldTable
    row_of: Ints
    text_of: Ints
    model: FieldModel | None = None
    judged_model: FieldModel | None = None
    merges_branches: bool = False
    sizes: Ints | None = None

    @classmethod
    def of(
        cls, records: FieldRecords, model: FieldModel | None = None, *, merges_branches: bool = False
    ) -> FieldEvidence:
        """Return the evidence of records of which nobody judged any."""
        sizes = np.bincount(records.item_of)
        return cls(records.table, records.row_of, records.text_of, model, None, merges_branches, sizes)

    @property
    def weights(self) -> FieldModel:
        """The weights as learnt, and as judgements correct them."""
        found = self.judged_model or self.model
        assert found is not None
        return found

    def probabilities(self, pairs: Ints, of_names: Floats) -> Floats:
        """Return the probabilities of pairs of items (p, 2), given those of their names (p,)."""
        found = np.empty(len(pairs))
        for start in range(0, len(pairs), _AT_ONCE):  # the values of all pairs at once would take gigabytes
            block = slice(start, start + _AT_ONCE)
            found[block] = self._probabilities(pairs[block], of_names[block])
        return found

    def _probabilities(self, pairs: Ints, of_names: Floats) -> Floats:
        equal, log_odds = self.of_names(pairs, of_names)
        rows, total, is_any = self.row_of[pairs], log_odds.copy(), np.zeros(len(pairs), np.bool_)
        for rule, at in self._by_rule(pairs):
            found = rule.model.added(self.table, rows[at], log_odds[at])
            is_any[at] = found.is_any
            total[at] = np.minimum(total[at] + found.log_odds, rule.most(found))
        return np.where(is_any, logistic(total), np.where(equal, 1.0, of_names))

    def upper_bounds(self, pairs: Ints, of_names: Floats) -> Floats:
        """Return upper bounds on the probabilities, given those of the names (p,)."""
        equal, log_odds = self.of_names(pairs, of_names)
        rows, most = self.row_of[pairs], np.zeros(len(pairs))
        for rule, at in self._by_rule(pairs):
            most[at] = rule.model.most_added(self.table, rows[at])
        found = np.maximum(logistic(log_odds + most), of_names)
        return np.where(equal, self.probabilities(pairs, of_names), found)

    def explain(self, pair: Sequence[int], of_names: Explanation | None) -> Explanation | None:
        """Return the reasons for a pair of items, given those of its names; None if equal texts decide alone."""
        names = EQUAL if of_names is None else of_names
        pairs = np.array([list(pair)], np.int64)
        known = float(self._bounded(pairs, np.array([names.log_odds]))[0])
        ((rule, _),) = self._by_rule(pairs)
        rows = self.row_of[pairs]
        found = rule.model.added(self.table, rows, np.array([known]))
        if not found.is_any[0]:
            return of_names
        reasons = [*names.contributions, *rule.model.explain(self.table, rows[0].tolist(), known)]
        if known != names.log_odds:
            reasons.append(Contribution(_MORE if known < names.log_odds else _LESS, known - names.log_odds))
        unbounded, most = known + float(found.log_odds[0]), float(rule.most(found)[0])
        if unbounded > most:
            is_branch = found.elsewhere[0] and most == rule.elsewhere
            reasons.append(Contribution(_BRANCHES if is_branch else _TWO_NUMBERS, most - unbounded))
        total = sum(reason.log_odds for reason in reasons)
        (probability,) = logistic(np.array([total]))
        return Explanation(float(probability), names.similarity, total, tuple(reasons))

    def of_names(self, pairs: Ints, of_names: Floats) -> tuple[Bools, Floats]:
        """Return which texts are equal, and the log-odds of the names as fields take them."""
        equal = self.have_one_text(pairs)
        return equal, np.where(equal, EQUAL_NAMES, self._bounded(pairs, _log_odds(of_names)))

    def have_one_text(self, pairs: Ints) -> Bools:
        """Return which pairs of items (p, 2) have equal texts."""
        result: Bools = self.text_of[pairs[:, 0]] == self.text_of[pairs[:, 1]]
        return result

    def _bounded(self, pairs: Ints, log_odds: Floats) -> Floats:
        """Return log-odds of names: at most those of equal ones, and under one official number not far below even."""
        least = np.where(self._share(pairs, (FieldKind.ID,)), OTHER_NAMES, -np.inf)
        result: Floats = np.clip(log_odds, least, EQUAL_NAMES)
        return result

    def _by_rule(self, pairs: Ints) -> Iterator[tuple[_Rule, Ints]]:
        """Yield rules, and which pairs they are for.

        A number or a domain in common tells that two places are those of one record; else they are branches, which are
        told apart unless they are to be merged.
        """
        one_number = self._share(pairs, (FieldKind.ID,))
        one_contact = self._share(pairs, (FieldKind.PHONE, FieldKind.DOMAIN)) & ~one_number
        branches = np.inf if self.merges_branches else BRANCHES
        rules = (
            (one_number, self.weights.under_one_number(self.table), np.inf, np.inf),
            (one_contact, self.weights, np.inf, TWO_NUMBERS),
            (~one_number & ~one_contact, self.weights, branches, TWO_NUMBERS),
        )
        for chosen, model, elsewhere, two_numbers in rules:
            if chosen.any():
                own = model.merging_branches() if self.merges_branches else model
                yield _Rule(own, elsewhere, two_numbers), np.flatnonzero(chosen)

    def _share(self, pairs: Ints, kinds: tuple[FieldKind, ...]) -> Bools:
        """Return which pairs of items share a valid number, a phone number or a domain (p,)."""
        left, right = self.row_of[pairs].T
        found = np.zeros(len(pairs), np.bool_)
        for column in self.table.columns:
            if column.kind in kinds:
                codes = column.codes[left]
                same = np.flatnonzero((codes == column.codes[right]) & (codes >= 0))
                if column.kind is FieldKind.ID:
                    numbers, of_pair = np.unique(codes[same], return_inverse=True)
                    is_official = np.array([bool(register_of(form)) for form in column.forms[numbers]], np.bool_)
                    same = same[is_official[of_pair]]
                found[same] = True
        return found


class _Rule(NamedTuple):
    """Weights of fields, and the most log-odds of records in two places and of those with two numbers."""

    model: FieldModel
    elsewhere: float
    two_numbers: float

    def most(self, found: Added) -> Floats:
        """Return the most log-odds of each pair (p,)."""
        of_numbers = np.where(found.two_numbers, self.two_numbers, np.inf)
        result: Floats = np.minimum(np.where(found.elsewhere, self.elsewhere, np.inf), of_numbers)
        return result


def _log_odds(probabilities: Floats) -> Floats:
    inside = np.clip(probabilities, _CERTAIN, 1 - _CERTAIN)
    result: Floats = np.log(inside) - np.log1p(-inside)
    return result


class FieldComparison:
    """Compares items by names and fields."""

    def __init__(self, texts: TextComparison, evidence: FieldEvidence) -> None:
        self._texts, self.evidence = texts, evidence

    @cached_property
    def normal_forms(self) -> Strings:
        """The texts of the items (n,)."""
        found: Strings = self._texts.normal_forms[self.evidence.text_of]
        return found

    @property
    def long_texts(self) -> int:
        """As for ``BatchComparison``."""
        return self._texts.long_texts

    def probabilities(self, pairs: Ints) -> Floats:
        """Return the probabilities (q,) of pairs of items (q, 2)."""
        return self.evidence.probabilities(pairs, self.of_names(pairs))

    def upper_bounds(self, pairs: Ints) -> Floats:
        """Return upper bounds on them (q,)."""
        return self.evidence.upper_bounds(pairs, self._each_once(pairs, self._texts.upper_bounds))

    def similarities(self, pairs: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return the cosines (q,) of pairs of items (q, 2)."""
        return self._texts.similarities(self.evidence.text_of[pairs])

    def of_names(self, pairs: Ints) -> Floats:
        """Return the probabilities (q,) of their names alone."""
        return self._each_once(pairs, self._texts.probabilities)

    def _each_once(self, pairs: Ints, measure: Callable[[Ints], Floats]) -> Floats:
        """Return what is measured on pairs of different texts; 1 for equal ones."""
        texts = np.sort(self.evidence.text_of[pairs], axis=1)
        found, differ = np.ones(len(pairs)), np.flatnonzero(texts[:, 0] != texts[:, 1])
        if len(differ):
            distinct, back = np.unique(texts[differ], axis=0, return_inverse=True)
            found[differ] = measure(distinct)[back.reshape(-1)]
        return found


class Compared(NamedTuple):
    """Pairs of items that are probable enough, what compares any others, and the number of candidates."""

    pairs: Pairs
    comparison: FieldComparison
    candidates: int


def compare_items(
    found: Pairs, texts: TextComparison, evidence: FieldEvidence, verdicts: Ints, least: float
) -> Compared:
    """Return the pairs of items of at least the probability ``least``.

    ``found`` are all pairs of texts whose names are near. Weights that are not known yet are learnt among these and the
    pairs of one text. ``verdicts`` (v, 3) are pairs of items that people judged, 1 for the same and 0 for different.
    """
    items, table = Items(evidence.text_of, evidence.row_of, len(texts.normal_forms)), evidence.table
    near, of = pairs_of_texts(found.pairs, items, table)
    within = pairs_within_texts(items, table)
    pairs, first = _distinct(np.concatenate([near, within]), len(items.text_of))
    names = np.concatenate([found.probabilities[of], np.ones(len(within))])[first]
    cosines = np.concatenate([found.similarities[of], np.ones(len(within), np.float32)])[first]
    evidence = _learnt(evidence, pairs, names)
    comparison = FieldComparison(texts, evidence)
    evidence = _corrected(evidence, comparison, verdicts)
    comparison = FieldComparison(texts, evidence)
    shared, _ = _distinct(sharing_pairs(items, table), len(items.text_of))
    shared = shared[~np.isin(_keys(shared, len(items.text_of)), _keys(pairs, len(items.text_of)))]
    known = Pairs(pairs, evidence.probabilities(pairs, names), cosines)
    all_ = known.with_more(Pairs(shared, comparison.probabilities(shared), comparison.similarities(shared)))
    return Compared(all_.take(all_.probabilities >= least), comparison, len(all_.pairs))


def compare_across(
    found: Pairs, texts: TextComparison, evidence: FieldEvidence, items: Items, is_left: Bools, least: float
) -> Compared:
    """Return the pairs of an item of the left side and one of the right of at least the probability ``least``.

    ``found`` are all pairs of texts across both sides whose names are near or equal, the left one first; an equal text
    of the other side is a text of its own in ``items``, but not in ``evidence``. ``is_left`` tells of each item whether
    it is of the left side.
    """
    near, of = pairs_of_texts(found.pairs, items, evidence.table)
    evidence = _learnt(evidence, near, found.probabilities[of])
    comparison = FieldComparison(texts, evidence)
    shared, _ = _distinct(sharing_pairs(items, evidence.table), len(items.text_of))
    shared = shared[is_left[shared[:, 0]] != is_left[shared[:, 1]]]
    shared = np.where(is_left[shared[:, :1]], shared, shared[:, ::-1])
    shared = shared[~np.isin(_keys(shared, len(items.text_of)), _keys(near, len(items.text_of)))]
    known = Pairs(near, evidence.probabilities(near, found.probabilities[of]), found.similarities[of])
    all_ = known.with_more(Pairs(shared, comparison.probabilities(shared), comparison.similarities(shared)))
    return Compared(all_.take(all_.probabilities >= least), comparison, len(all_.pairs))


def _learnt(evidence: FieldEvidence, pairs: Ints, of_names: Floats) -> FieldEvidence:
    """Return the evidence with weights learnt among these pairs of items and those of one item, unless it has some."""
    if evidence.model is not None:
        return evidence
    sizes = np.ones(len(evidence.row_of), np.int64) if evidence.sizes is None else evidence.sizes
    several = np.flatnonzero(sizes > 1)
    within = sizes[several] * (sizes[several] - 1) // 2
    times = np.concatenate([sizes[pairs].prod(axis=1), within])
    pairs = np.concatenate([pairs, np.column_stack([several, several])])
    log_odds = evidence.of_names(pairs, np.append(of_names, np.ones(len(several))))[1]
    often = np.minimum(times, MOST_TIMES).astype(np.float64)
    return replace(evidence, model=FieldModel.fit(evidence.table, evidence.row_of[pairs], log_odds, times=often))


def _corrected(evidence: FieldEvidence, comparison: FieldComparison, verdicts: Ints) -> FieldEvidence:
    """Return the evidence with weights that fit what people judged."""
    assert evidence.model is not None
    pairs = verdicts[:, :2]
    log_odds = evidence.of_names(pairs, comparison.of_names(pairs))[1]
    rows, labels = evidence.row_of[pairs], verdicts[:, 2].astype(np.int8)
    return replace(evidence, judged_model=evidence.model.corrected(evidence.table, rows, log_odds, labels))


def pairs_by_text(pairs: Pairs, text_of: Ints) -> Pairs:
    """Return pairs of texts for pairs of items, each with the highest probability; none of a text with itself."""
    texts = np.sort(text_of[pairs.pairs], axis=1)
    differ = np.flatnonzero(texts[:, 0] != texts[:, 1])
    order = differ[np.lexsort((-pairs.probabilities[differ], texts[differ, 1], texts[differ, 0]))]
    ordered = texts[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return pairs.take(order[is_first])._replace(pairs=ordered[is_first])


def _distinct(pairs: Ints, n: int) -> tuple[Ints, Ints]:
    """Return pairs of n items once each, the lower first, ascending, and the position of each; none with itself."""
    pairs = np.sort(pairs, axis=1)
    differ = np.flatnonzero(pairs[:, 0] != pairs[:, 1])
    keys, first = np.unique(_keys(pairs[differ], n), return_index=True)
    return np.column_stack(divmod(keys, n)), differ[first]


def _keys(pairs: Ints, n: int) -> Ints:
    keys: Ints = pairs[:, 0] * n + pairs[:, 1]
    return keys
