"""A review: one pair after the other, each answer stored before the next pair is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from dedup.errors import UsageError
from indexer.jobs.reviewing.candidates import Candidate
from indexer.jobs.reviewing.judgement_table import (
    UNSURE,
    Conflict,
    Identity,
    Judgement,
    new_judgement,
    read_judgements,
    settled,
    write_judgements,
)
from indexer.store.store import Store
from indexer.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class _Answered:
    candidate: Candidate
    before: Judgement | None
    judged: Judgement


@dataclass(slots=True)
class Review:
    """A review of ``candidates`` by one person.

    The database is open only while an answer is stored, so other jobs and reviews can run beside this one, and an
    answer that was given is never lost. What others judged meanwhile is known from the next answer on. Pairs that
    earlier answers decide, also along a chain, are not asked about; those that were judged unsure only if
    ``asks_unsure``.
    """

    workspace: Workspace
    candidates: Iterator[Candidate]
    judged_by: str
    limit: int | None = None
    asks_unsure: bool = False
    _judgements: dict[tuple[Identity, Identity], Judgement] = field(default_factory=dict)
    _answers: list[_Answered] = field(default_factory=list)
    _again: list[Candidate] = field(default_factory=list)

    def __post_init__(self) -> None:
        with self.workspace.open(for_writing=False) as store:
            self._read(store)

    def _read(self, store: Store) -> None:
        self._judgements = {one.pair: one for one in read_judgements(store)}

    @property
    def counts(self) -> dict[str, int]:
        """The number of answers of this review by verdict."""
        return dict(Counter(one.judged.verdict for one in self._answers))

    @property
    def answered(self) -> int:
        """The number of answers of this review."""
        return len(self._answers)

    def next(self) -> Candidate | None:
        """Return the next pair to ask about; None if there is none, or ``limit`` is reached."""
        if self.limit is not None and self.answered >= self.limit:
            return None
        groups, _ = settled(list(self._judgements.values()))
        while (one := self._again.pop() if self._again else next(self.candidates, None)) is not None:
            left, right = one.pair
            judged = self._judgements.get(one.pair)
            is_open = judged is None or (self.asks_unsure and judged.verdict == UNSURE)
            if is_open and groups.find(left) != groups.find(right) and not groups.are_apart(left, right):
                return one
        return None

    def answer(self, candidate: Candidate, verdict: str) -> list[Conflict]:
        """Store an answer; return the contradictions that it makes.

        Raises:
            WriterBusy: another process is writing; nothing was stored.
        """
        judged = new_judgement(*candidate.pair, verdict, self.judged_by)
        with self.workspace.open(for_writing=True) as store:
            self._read(store)
            write_judgements(store, [judged])
        self._answers.append(_Answered(candidate, self._judgements.get(judged.pair), judged))
        self._judgements.pop(judged.pair, None)
        known = settled(list(self._judgements.values())).conflicts
        self._judgements[judged.pair] = judged
        return [one for one in settled(list(self._judgements.values())).conflicts if one not in known]

    def undo(self, current: Candidate | None) -> bool:
        """Take the last answer back, and ask about its pair again before ``current``; return False if there is none.

        Raises:
            UsageError: somebody has judged that pair since; what they said stays.
            WriterBusy: another process is writing; nothing was changed.
        """
        if not self._answers:
            return False
        last = self._answers[-1]
        pair, before = last.candidate.pair, last.before
        with self.workspace.open(for_writing=True) as store:
            self._read(store)
            if is_own := self._judgements.get(pair) == last.judged:
                write_judgements(store, [] if before is None else [before], [pair])
        self._answers.pop()
        if not is_own:
            raise UsageError("The answer is no longer yours: somebody has judged that pair since, and this stays.")
        self._judgements.pop(pair)
        if before is not None:
            self._judgements[pair] = before
        self._again += [*([] if current is None else [current]), last.candidate]
        return True
