"""The pairs that people are asked about: most useful first, and some drawn at random.

An answer is the more useful the less certain the model is, and the more pairs of records it decides: it splits a
cluster or merges two. Pairs that the last report found for the first time come first among equals. The random share is
an honest sample of what a report lists: what people say of it measures the report, as answers on hard pairs do not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from dedup.evidence.fields.agreement import marks_of
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from indexer.findings.ledger import last_report
from indexer.jobs import increment
from indexer.jobs.duplicates import Duplicates
from indexer.jobs.fielding.field_evidence import FieldEvidence
from indexer.jobs.fielding.slots import Slot, slots_of_store
from indexer.jobs.reviewing.item_records import ItemRecords
from indexer.jobs.reviewing.judgement_table import Identity
from indexer.store.schema import pair_event
from indexer.store.store import Record, Store, check_sources
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

BELOW = 0.2
"""Pairs up to so much below the threshold are asked about, too."""
DEFAULT_AUDIT = 0.1
_AT_ONCE = 200
_NEW = 2.0
"""How much more useful a pair is that the last report found for the first time."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which pairs are asked about.

    Attributes:
        source: One of the two records is of this source; None for any.
        audit: Share of the pairs that are drawn at random.
        seed: Decides which.

    """

    source: str | None = None
    audit: float = DEFAULT_AUDIT
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two records to judge; ``reason`` says why they are asked about: ``uncertain``, ``new`` or ``random``.

    ``marks`` says of the columns that are fields whether their values are the same, similar or differ.
    """

    left: Record
    right: Record
    probability: float
    reason: str
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def pair(self) -> tuple[Identity, Identity]:
        """The identities of the records, the lower one first."""
        one, other = (Identity(record.source, record.external_id) for record in (self.left, self.right))
        return min(one, other), max(one, other)


@dataclass(slots=True)
class Candidates:
    """Pairs of items in the order in which they are asked about; records are read when they are needed."""

    workspace: Workspace
    asked: Asked
    records: ItemRecords
    items: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))
    probabilities: Sequence[float] = ()
    reasons: Sequence[str] = ()
    evidence: FieldEvidence | None = None
    slots: Sequence[Slot] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Candidate]:
        for start in range(0, len(self.items), _AT_ONCE):
            page = self.items[start : start + _AT_ONCE].tolist()
            with self.workspace.open(for_writing=False) as store:
                records = self.records.read(store, {item for pair in page for item in pair})
            for number, (one, other) in enumerate(page, start):
                wanted = self.asked.source
                sides = ((left, right) for left in records.get(one, ()) for right in records.get(other, ()))
                first = next((both for both in sides if wanted in (None, both[0].source, both[1].source)), None)
                if first is not None:
                    marks = self._marks((one, other), first)
                    yield Candidate(*first, self.probabilities[number], self.reasons[number], marks)

    def _marks(self, items: tuple[int, int], records: tuple[Record, Record]) -> dict[str, str]:
        if self.evidence is None:
            return {}
        found = marks_of(self.evidence.table, self.evidence.row_of[list(items)].tolist())
        marked = [slot for slot in self.slots if slot.label in found]
        return {slot.columns[record.source]: found[slot.label] for slot in marked for record in records}


def find_candidates(
    workspace: Workspace,
    model: Matcher,
    asked: Asked,
    *,
    min_probability: float | None = None,
    progress: Progress = no_progress,
) -> Candidates:
    """Return the pairs to ask about, in order; ``min_probability`` defaults to that of the last report.

    Pairs that are judged already, directly or along a chain, are not among them; ``unsure`` is an answer, too.

    Raises:
        UsageError: nothing is indexed, or there is no such source.
        VersionMismatch: the store was indexed with another model.
    """
    workspace.check_readable()
    with workspace.open(for_writing=False) as store:
        threshold = _threshold(store, model) if min_probability is None else min_probability
        check_sources(store, [] if asked.source is None else [asked.source])
        snapshots = Snapshots(store, workspace.snapshots)
        least = max(0.0, threshold - BELOW)
        found = increment.find_all(snapshots, model, min_probability=least, progress=progress)
        records = found.records_of_items()
        counts, new, slots = records.counts(store), _new_pairs(store), slots_of_store(store)
    items, probabilities, order, reasons = _ordered(found, counts, new, threshold, asked)
    listed = items[order], probabilities[order].tolist(), reasons
    return Candidates(workspace, asked, records, *listed, found.near.evidence, slots)


def _threshold(store: Store, model: Matcher) -> float:
    last = last_report(store)
    return model.default_probability if last is None or last.min_probability is None else last.min_probability


def _new_pairs(store: Store) -> set[tuple[int, int]]:
    """Return the pairs of texts that the last report found for the first time."""
    last = select(func.max(pair_event.c.run_id)).scalar_subquery()
    columns = pair_event.c["text_id_1", "text_id_2"]
    rows = store.read(select(*columns).where(pair_event.c.run_id == last, pair_event.c.kind == "new"))
    return {(one, other) for one, other in rows}


def _ordered(
    found: Duplicates, counts: NDArray[np.int64], new: set[tuple[int, int]], threshold: float, asked: Asked
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], list[str]]:
    """Return pairs of items, their probabilities, and which of these to ask about, in what order and why."""
    near = found.near.at(threshold, len(found.text_ids))
    edges = np.array([pair for pair in near.clusters.weakest_pairs.values() if pair[0] != pair[1]], np.int64)
    pairs = np.unique(np.concatenate([found.near.pairs, edges.reshape(-1, 2)]), axis=0)
    pairs = pairs[~near.are_judged_same(pairs)]
    if near.judged is not None:
        pairs = pairs[~near.judged.constraints.are_apart(pairs)]
    if near.judged is not None and near.evidence is None:  # nothing tells the parts of a text apart but judgements
        text_of = near.judged.text_of
        pairs = pairs[text_of[pairs[:, 0]] != text_of[pairs[:, 1]]]
    pairs = near.sides(pairs)
    probabilities = near.comparison.probabilities(pairs)
    texts = found.item_ids[pairs]
    is_new = np.array([pair in new for pair in map(tuple, texts.tolist())], bool)
    labels = near.clusters.labels
    sizes = np.bincount(labels, counts, len(labels))
    decided = np.log2(1 + sizes[labels[pairs]].prod(axis=1))
    doubt = 1 - np.abs(probabilities - threshold) / max(threshold, 1 - threshold)
    useful = doubt * decided * np.where(is_new, _NEW, 1)
    best_first = np.lexsort((pairs[:, 1], pairs[:, 0], texts[:, 1], texts[:, 0], -useful)).tolist()
    drawn = _drawn(np.flatnonzero(probabilities >= threshold), asked)
    order, is_drawn = _mixed(best_first, drawn, asked.audit)
    reasons = [
        "random" if random_ else "new" if is_new[at] else "uncertain"
        for at, random_ in zip(order, is_drawn, strict=True)
    ]
    return pairs, probabilities, np.array(order, np.int64), reasons


def _drawn(listed: NDArray[np.int64], asked: Asked) -> list[int]:
    drawn: list[int] = listed.tolist()
    random.Random(asked.seed).shuffle(drawn)
    return drawn


def _mixed(useful: Sequence[int], drawn: Sequence[int], share: float) -> tuple[list[int], list[bool]]:
    """Return each pair once; of any number of them, ``share`` are the next ones of ``drawn``."""
    order, is_drawn, seen = list[int](), list[bool](), set[int]()
    queues = {True: iter(drawn), False: iter(useful)}
    debt = 0.0
    while queues:
        debt += share
        is_random = True in queues and (debt >= 1 or False not in queues)
        pair = next((one for one in queues[is_random] if one not in seen), None) if is_random in queues else None
        if pair is None:
            queues.pop(is_random, None)
            continue
        debt -= is_random
        seen.add(pair)
        order.append(pair)
        is_drawn.append(is_random)
    return order, is_drawn
