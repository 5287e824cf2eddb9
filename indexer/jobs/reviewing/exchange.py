"""Judgements as rows: read from a table that people filled in, and written for people, programs and training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from dedup.errors import InputRefused
from indexer.jobs.reviewing.judgement_table import (
    DIFFERENT,
    SAME,
    UNSURE,
    Conflict,
    Identity,
    Judgement,
    is_storable,
    read_judgements,
    texts_of,
    write_judgements,
)
from indexer.outputs.csv import unguarded
from indexer.reading.formats.delimited import DelimitedTable
from indexer.reading.open import ReadOptions, Row, Table, open_table
from indexer.reading.rejects import Reject
from indexer.store.runs import now
from indexer.store.schema import MAX_ID_CHARACTERS
from indexer.store.store import Store
from indexer.store.workspace import Workspace

COLUMNS = ("source_1", "id_1", "source_2", "id_2", "verdict", "judged_by", "judged_at", "note")
CONTRADICTION_TYPES = dict.fromkeys(("left_out", "contradicts", "chain"), str)
LABELLED_TYPES = {"name_1": str, "name_2": str, "label": int}
"""The columns of other tables, and the types of their values."""
_NEEDED = COLUMNS[:5]
_WITHDRAWN = "none"
_VERDICTS = {
    **dict.fromkeys((SAME, "yes", "y", "1", "true"), SAME),
    **dict.fromkeys((DIFFERENT, "no", "n", "0", "false"), DIFFERENT),
    **dict.fromkeys((UNSURE, "u", "?"), UNSURE),
    _WITHDRAWN: _WITHDRAWN,
}


@dataclass(slots=True)
class Imported:
    """What became of the rows of a file: each is counted once, those of ``rejected`` in the list of rejected rows.

    ``older`` are those that say otherwise than a later judgement, which stays; ``without_verdict`` are of pairs that
    nobody judged. ``unknown`` counts those of the others that are about a record that is not in the index.
    """

    rows_read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    older: int = 0
    withdrawn: int = 0
    without_verdict: int = 0
    rejected: int = 0
    unknown: int = 0


def import_judgements(
    workspace: Workspace, file: str | Path, judged_by: str, on_reject: Callable[[Reject], None]
) -> Imported:
    """Store the judgements of a table with the columns ``COLUMNS``, of which the first five are needed; all or none.

    Raises:
        UsageError: nothing is indexed.
        InputRefused: the file cannot be read, or a column is missing; nothing was stored.
    """
    workspace.check_readable()
    with _opened(file) as table:
        read = _Reading(judged_by, _bare(table))
        for row in table:
            read.take(row, on_reject)
    with workspace.open(for_writing=True) as store:
        known = {one.pair: one for one in read_judgements(store)}
        accepted, gone = read.compared(known)
        write_judgements(store, accepted, gone)
        read.done.unknown = _unknown(store, [identity for one in accepted for identity in one.pair])
    return read.done


def rows_of(judgements: Sequence[Judgement]) -> Iterator[dict[str, Any]]:
    """Yield a row for each judgement."""
    for one in judgements:
        yield dict(
            zip(COLUMNS, (*one.left, *one.right, one.verdict, one.judged_by, one.judged_at, one.note), strict=True)
        )


def contradiction_rows(conflicts: Sequence[Conflict]) -> Iterator[dict[str, Any]]:
    """Yield a row for each contradiction: the judgement that is left out, what it contradicts, and the chain."""
    for one in conflicts:
        yield {
            "left_out": str(one.left_out),
            "contradicts": str(one.different),
            "chain": " = ".join(map(str, one.chain)),
        }


def labelled_pairs(store: Store, judgements: Sequence[Judgement]) -> Iterator[dict[str, Any]]:
    """Yield the texts that were judged the same (1) or different (0), in the layout that ``dedup evaluate`` reads.

    The texts are those of now; judgements of records that are not in the index are left out.
    """
    texts = texts_of(store, {identity for one in judgements for identity in one.pair})
    for one in judgements:
        if one.verdict != UNSURE and one.left in texts and one.right in texts:
            yield {"name_1": texts[one.left], "name_2": texts[one.right], "label": int(one.verdict == SAME)}


def _unknown(store: Store, identities: Sequence[Identity]) -> int:
    known = texts_of(store, set(identities))
    pairs = zip(identities[::2], identities[1::2], strict=True)
    return sum(1 for pair in pairs if not known.keys() >= set(pair))


def _opened(file: str | Path) -> Table:
    """Open a table of judgements. Raises ``InputRefused``: a column is missing."""
    table = open_table(file, ReadOptions(text_columns=["verdict"], id_column=""))
    missing = [name for name in _NEEDED if name not in table.columns]
    if missing:
        table.close()
        raise InputRefused(
            f"{table.name} has no column {missing[0]!r}; a table of judgements has {', '.join(_NEEDED)}, and may have "
            f"{', '.join(COLUMNS[5:])}.",
            "E_MISSING_COLUMN",
        )
    return table


def _bare(table: Table) -> Callable[[str], str]:
    """Return what gives the text of a cell: in CSV it may have a guard against formulas."""
    return partial(unguarded, delimiter=table.delimiter or ",") if isinstance(table, DelimitedTable) else str


@dataclass(slots=True)
class _Reading:
    """The rows of a table of judgements read so far; ``bare`` gives the text of a cell."""

    judged_by: str
    bare: Callable[[str], str]
    done: Imported = field(default_factory=Imported)
    judged: dict[tuple[Identity, Identity], Judgement] = field(default_factory=dict)
    withdrawn: dict[tuple[Identity, Identity], str] = field(default_factory=dict)
    """When each of these pairs was withdrawn."""

    def take(self, row: Row | Reject, on_reject: Callable[[Reject], None]) -> None:
        """Add a row, or say what is wrong with it."""
        self.done.rows_read += 1
        if isinstance(row, Row) and not row.raw.strip():
            self.done.without_verdict += 1
            return
        reject = row if isinstance(row, Reject) else self._add(row)
        if reject is not None:
            self.done.rejected += 1
            on_reject(reject)

    def _add(self, row: Row) -> Reject | None:
        verdict = _VERDICTS.get(row.raw.strip().lower())
        if verdict is None:
            known = "same, different, unsure or none"
            return row.reject("E_VERDICT", "verdict", f"The verdict is {row.raw!r}; give {known}.")
        unstorable = next((name for name in COLUMNS if not is_storable(row.fields.get(name, ""))), None)
        if unstorable is not None:
            message = "The cell has a NUL character or half of a surrogate pair, which cannot be stored."
            return row.reject("E_NUL", unstorable, message)
        sides = []
        for number in (1, 2):
            id_ = self.bare(row.fields.get(f"id_{number}", ""))
            if not id_:
                return row.reject("E_ID_EMPTY", f"id_{number}", "The id is empty.")
            if len(id_) > MAX_ID_CHARACTERS:
                return row.reject("E_ID_TOO_LONG", f"id_{number}", f"The id has {len(id_):,} characters.")
            sides.append(Identity(self.bare(row.fields.get(f"source_{number}", "")), id_))
        pair = min(sides), max(sides)
        if pair[0] == pair[1]:
            return row.reject("E_SAME_RECORD", "id_2", "A record cannot be judged against itself.")
        given = row.fields.get("judged_at", "").strip()
        judged_at = _time(given) if given else now()
        if judged_at is None:
            message = f"The time is {given!r}; give it in ISO 8601, as 2026-11-30T12:00:00+00:00."
            return row.reject("E_TIME", "judged_at", message)
        earlier = (
            _WITHDRAWN if pair in self.withdrawn else self.judged[pair].verdict if pair in self.judged else verdict
        )
        if earlier != verdict:
            message = f"An earlier row says {earlier!r} of these two records; keep one of both."
            return row.reject("E_JUDGED_TWICE", "verdict", message)
        if verdict == _WITHDRAWN:
            self.withdrawn[pair] = judged_at
            return None
        who = self.bare(row.fields.get("judged_by", "").strip()) or self.judged_by
        self.judged[pair] = Judgement(*pair, verdict, who, judged_at, self.bare(row.fields.get("note", "")))
        return None

    def compared(
        self, known: dict[tuple[Identity, Identity], Judgement]
    ) -> tuple[list[Judgement], list[tuple[Identity, Identity]]]:
        """Return what is to be stored and removed; of two judgements of a pair the later one holds."""
        accepted, done = [], self.done
        for pair, one in self.judged.items():
            before = known.get(pair)
            if before is None:
                done.added += 1
                accepted.append(one)
            elif before.verdict == one.verdict:
                done.unchanged += 1
            elif before.judged_at > one.judged_at:
                done.older += 1
            else:
                done.changed += 1
                accepted.append(one)
        there = [pair for pair in self.withdrawn if pair in known]
        gone = [pair for pair in there if known[pair].judged_at <= self.withdrawn[pair]]
        done.withdrawn, done.unchanged = len(gone), done.unchanged + len(self.withdrawn) - len(there)
        done.older += len(there) - len(gone)
        repeated = done.rows_read - done.rejected - done.without_verdict - len(self.judged) - len(self.withdrawn)
        done.unchanged += repeated
        return accepted, gone


def _time(given: str) -> str | None:
    """Return a time in UTC as the store writes it, None if it is none; without a zone it is taken for UTC."""
    try:
        found = datetime.fromisoformat(given)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return found.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return None
