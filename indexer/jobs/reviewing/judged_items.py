"""Judgements of records as constraints on the texts that are clustered.

Clusters are made of texts, which stand for all their records. Records of one text that are judged different cannot be
clustered so: then the text is taken apart, and each part is an *item* of its own. All other items are the texts. Equal
texts say less than a judgement, but more than any probability: records of one text stay together unless judgements
keep them apart; a record that nobody judged stays in the first part of its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dedup.clustering.constraints import Constraints, Groups, constraints_of
from dedup.matching.batch import BatchComparison, RepeatedComparison
from indexer.jobs.reviewing.judgement_table import DIFFERENT, SAME, Conflict, Identity, Judgement, settled
from indexer.store.schema import record, source
from indexer.store.store import Ids, Record, Store

Ints = NDArray[np.int64]


class Probabilities(Protocol):
    """Compares items."""

    def probabilities(self, pairs: Ints) -> NDArray[np.float64]:
        """Return the probabilities (q,) of pairs (q, 2)."""

    def similarities(self, pairs: Ints) -> NDArray[np.float32]:
        """Return their cosines (q,)."""


class Pairs(NamedTuple):
    """Pairs of items (p, 2), the lower first, ascending, with probabilities (p,) and cosines (p,)."""

    pairs: Ints
    probabilities: NDArray[np.float64]
    similarities: NDArray[np.float32]

    def take(self, which: NDArray[Any]) -> Pairs:
        """Return some of the pairs."""
        return Pairs(self.pairs[which], self.probabilities[which], self.similarities[which])

    def with_more(self, others: Pairs) -> Pairs:
        """Return these pairs and others."""
        pairs = np.concatenate([self.pairs, others.pairs])
        order = np.lexsort(pairs.T[::-1])
        probabilities = np.concatenate([self.probabilities, others.probabilities])
        similarities = np.concatenate([self.similarities, others.similarities])
        return Pairs(pairs, probabilities, similarities).take(order)


@dataclass(frozen=True, slots=True)
class JudgedItems:
    """What people said about n items.

    Attributes:
        constraints: Which items are the same, and which must stay apart.
        text_of: The position of each item's text (n,); the first items are the texts, the others further parts.
        part_of: The item of each record that is in a further part, by ``record_id``.
        same: Pairs of items with records that were judged the same (s, 2), the lower first.
        verdicts: All pairs of items that were judged, 1 for the same and 0 for different (v, 3).
        conflicts: Judgements that contradict others, and so are left out.

    """

    constraints: Constraints
    text_of: Ints
    part_of: dict[int, int]
    same: Ints
    verdicts: Ints
    conflicts: list[Conflict]

    @property
    def n(self) -> int:
        """The number of items."""
        return len(self.text_of)

    def texts(self) -> Ints:
        """Return the positions of the texts that were judged."""
        judged = [self.constraints.ties, self.constraints.apart, self.same]
        parts = self.text_of[self.text_of != np.arange(self.n)]
        result: Ints = np.union1d(self.text_of[np.concatenate(judged)], parts)
        return result

    def among(self, rows: Ints) -> JudgedItems:
        """Return the same for some of the texts only, ascending, to which all that were judged belong."""
        n_texts = self.n - len(set(self.part_of.values()))
        of_item = np.concatenate([rows, np.arange(n_texts, self.n)])

        def places(items: Ints) -> Ints:
            result: Ints = np.searchsorted(of_item, items)
            return result

        constraints = Constraints(places(self.constraints.groups[of_item]), places(self.constraints.apart))
        numbers = places(np.array(list(self.part_of.values()), np.int64)).tolist()
        part_of = dict(zip(self.part_of, numbers, strict=True))
        verdicts = np.column_stack([places(self.verdicts[:, :2]), self.verdicts[:, 2]])
        text_of, same = places(self.text_of[of_item]), places(self.same)
        return JudgedItems(constraints, text_of, part_of, same, verdicts, self.conflicts)

    def comparison_of(self, comparison: BatchComparison) -> BatchComparison | RepeatedComparison:
        """Return what compares items, given what compares their texts."""
        n_texts = len(comparison.normal_forms)
        return comparison if self.n == n_texts else RepeatedComparison(comparison, self.text_of)

    def applied(self, found: Pairs, comparison: BatchComparison | RepeatedComparison) -> tuple[Pairs, Ints]:
        """Return the pairs of items, given those of texts, and the pairs that were left out as judged different.

        Pairs that were judged the same are added, however improbable.
        """
        parts = self._parts()
        kept, left_out = self.constrained(_expanded(found, parts), comparison)
        of_texts = [pair for group in parts.values() for pair in combinations(group, 2)]
        return kept, np.concatenate([left_out, np.array(of_texts, np.int64).reshape(-1, 2)])

    def constrained(self, found: Pairs, comparison: Probabilities) -> tuple[Pairs, Ints]:
        """Return pairs of items as people judged, and those that were left out as judged different.

        Pairs that were judged the same are added, however improbable.
        """
        apart = self.constraints.are_apart(found.pairs)
        left_out, found = found.pairs[apart], found.take(~apart)
        missing = self.same[~np.isin(_keys(self.same, self.n), _keys(found.pairs, self.n))]
        added = Pairs(missing, comparison.probabilities(missing), comparison.similarities(missing))
        return found.with_more(added), left_out

    def _parts(self) -> dict[int, list[int]]:
        """Return the items of each text that has several."""
        parts: dict[int, list[int]] = {}
        n_texts = self.n - len(set(self.part_of.values()))
        for item in range(n_texts, self.n):
            text = int(self.text_of[item])
            parts.setdefault(text, [text]).append(item)
        return parts


class Parts(Protocol):
    """Texts that are taken apart by something else than judgements, before these are applied."""

    @property
    def text_of(self) -> Ints:
        """The position of each item's text (n,)."""

    def part_of(self) -> dict[int, int]:
        """Return the item of each record that is in a further part, by ``record_id``."""


def judged_items(
    store: Store, judgements: Sequence[Judgement], text_ids: Ids, apart: Parts | None = None
) -> JudgedItems | None:
    """Return what judgements, oldest first, say about texts (n,), ascending; None if there are none.

    Texts that are ``apart`` already stay so.
    """
    if not judgements:
        return None if apart is None else items_without_judgements(apart)
    groups, conflicts = settled(judgements)
    records = _records(store, {identity for one in judgements for identity in one.pair})
    texts = _by_text(store, groups, records)
    items, part_of = dict[Identity, int](), dict[int, int]() if apart is None else apart.part_of()
    text_of = list(range(len(text_ids))) if apart is None else apart.text_of.tolist()
    for text_id in sorted(texts):
        place = int(np.searchsorted(text_ids, text_id))
        if place == len(text_ids) or text_ids[place] != text_id:
            continue  # a text that was added after those were read
        of_item: dict[int, list[Record]] = {}
        for one in texts[text_id]:
            of_item.setdefault(part_of.get(one.record_id, place), []).append(one)
        for first, listed in of_item.items():
            for number, part in enumerate(_parts_of(listed, groups)):
                item = first if not number else len(text_of)
                items |= dict.fromkeys(map(_identity, part), item)
                if number:
                    text_of.append(place)
                    part_of |= {one.record_id: item for one in part}
    constraints = constraints_of(groups, [(item, identity) for identity, item in items.items()], len(text_of))
    left_out = {conflict.left_out.pair for conflict in conflicts}
    numbers = {SAME: 1, DIFFERENT: 0}
    told = {
        (*sorted((items[one.left], items[one.right])), numbers[one.verdict])
        for one in judgements
        if one.verdict in numbers and one.pair not in left_out and one.left in items and one.right in items
    }
    verdicts = np.array(sorted(row for row in told if row[0] != row[1]), np.int64).reshape(-1, 3)
    same = verdicts[verdicts[:, 2] == 1, :2]
    return JudgedItems(constraints, np.array(text_of, np.int64), part_of, same, verdicts, conflicts)


def items_without_judgements(apart: Parts) -> JudgedItems:
    """Return items of which nobody judged any."""
    nothing = np.empty((0, 3), np.int64)
    constraints = Constraints(np.arange(len(apart.text_of)), nothing[:, :2])
    return JudgedItems(constraints, apart.text_of, apart.part_of(), nothing[:, :2], nothing, [])


def _identity(one: Record) -> Identity:
    return Identity(one.source, one.external_id)


def _records(store: Store, wanted: Iterable[Identity]) -> list[tuple[Identity, int]]:
    """Return the judged records that there are, with the ids of their texts."""
    by_source: dict[str, list[str]] = {}
    for name, id_ in wanted:
        by_source.setdefault(name, []).append(id_)
    known = store.find(source.c["source_id", "name"], source.c.name, by_source)
    return [
        (Identity(name, external_id), text_id)
        for source_id, name in known
        for external_id, text_id in store.find(
            record.c["external_id", "text_id"], record.c.external_id, sorted(by_source[name]), source_id=source_id
        )
    ]


def _by_text(store: Store, groups: Groups[Identity], found: Iterable[tuple[Identity, int]]) -> dict[int, list[Record]]:
    """Return the judged records of each text, in the order of ``record_id``; all of one that may come apart."""
    judged: dict[int, list[Identity]] = {}
    for identity, text_id in found:
        judged.setdefault(text_id, []).append(identity)
    records = store.records_of_texts(judged)
    return {
        text_id: [one for one in records.get(text_id, []) if _identity(one) in identities]
        if len({groups.find(one) for one in identities}) == 1
        else records.get(text_id, [])
        for text_id, identities in ((text_id, set(listed)) for text_id, listed in judged.items())
    }


def _parts_of(records: Sequence[Record], groups: Groups[Identity]) -> list[list[Record]]:
    """Take the records of a text apart where they must not be together; join the groups of those that stay."""
    parts: list[list[Record]] = []
    for one in sorted(records, key=lambda one: (not groups.is_known(_identity(one)), one.record_id)):
        part = next((part for part in parts if groups.join(_identity(part[0]), _identity(one))), None)
        if part is None:
            parts.append([one])
        else:
            part.append(one)
    return parts


def _expanded(found: Pairs, parts: dict[int, list[int]]) -> Pairs:
    """Let each pair of texts stand for all pairs of their parts."""
    if not parts:
        return found
    several: NDArray[np.bool_] = np.asarray(np.isin(found.pairs, list(parts)).any(axis=1))
    rows = np.flatnonzero(several)
    of_part = [
        (*sorted((one, other)), row)
        for row, (left, right) in zip(rows.tolist(), found.pairs[rows].tolist(), strict=True)
        for one in parts.get(left, [left])
        for other in parts.get(right, [right])
    ]
    added = np.array(of_part, np.int64).reshape(-1, 3)
    return found.take(~several).with_more(found.take(added[:, 2])._replace(pairs=added[:, :2]))


def _keys(pairs: Ints, n: int) -> Ints:
    keys: Ints = pairs[:, 0] * n + pairs[:, 1]
    return keys
