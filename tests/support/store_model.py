"""What a store should hold, in plain dictionaries, and a process that can be killed at any of its transactions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psycopg
import pytest
from sqlalchemy import Connection, Engine

from dedup.text.normalise import normalise
from indexer.reading.open import Row
from indexer.reading.rejects import Reject
from indexer.store import runs
from indexer.store.runs import Accounts
from indexer.store.store import Store
from indexer.store.transactions import Writer

Key = tuple[str, ...]
"""What tells a record of a source from others: its id, or its content and the number of its repetition."""
Content = dict[Key, tuple[str, str]]
"""Name and city of each record."""
InputRow = tuple[str, str, str]
"""Id, name and city; the id ``ragged`` stands for a row that the reader rejected."""
Identity = Literal["column", "content"]
Where = Literal["before", "inside", "after", "reply lost"]

RAGGED = "ragged"
NOTHING = Accounts()


def as_rows(entries: Sequence[InputRow], identity: Identity) -> list[Row | Reject]:
    """Return the rows of an input as a reader gives them."""
    rows: list[Row | Reject] = []
    for n, (key, raw, city) in enumerate(entries, 1):
        if key == RAGGED:
            rows.append(Reject(n + 1, n, "E_MISSING_CELL", None, "Cells are missing.", raw))
        else:
            rows.append(Row(n + 1, n, key if identity == "column" else None, raw, {"city": city}, [key, raw, city]))
    return rows


@dataclass
class Load:
    """What an input means: its batches of sound rows with their accounts, and the records that it holds.

    ``unidentified`` counts the rows that may be any record's: nothing is removed then.
    """

    batches: list[tuple[int, int, Content]]
    held: set[Key]
    unidentified: int

    @property
    def rows_in(self) -> int:
        return sum(batch[0] for batch in self.batches)

    @property
    def rejected(self) -> int:
        return sum(batch[1] for batch in self.batches)


def read(entries: Sequence[InputRow], identity: Identity, size: int) -> Load:
    """Return what an input of these rows means, in batches of ``size``."""
    load = Load([], set(), 0)
    repeats: Counter[tuple[str, str]] = Counter()
    rejected_ids: set[Key] = set()
    for start in range(0, len(entries), size):
        part = entries[start : start + size]
        items: Content = {}
        for identifier, raw, city in part:
            is_sound = identifier != RAGGED and bool(normalise(raw)) and (identity == "content" or identifier != "")
            key: Key = (identifier,)
            if identity == "content":
                repeats[raw, city] += is_sound
                key = (raw, city, str(repeats[raw, city]))
            if is_sound and key not in load.held:
                items[key] = (raw, city)
                load.held.add(key)
            elif identifier == RAGGED or (identity == "column" and identifier == ""):
                load.unidentified += 1
            elif identity == "column":
                rejected_ids.add(key)
        load.batches.append((len(part), len(part) - len(items), items))
    load.held |= rejected_ids
    return load


def upsert(now: Content, batch: tuple[int, int, Content]) -> Accounts:
    """Do a batch to ``now`` and return its accounts."""
    rows_in, rejected, items = batch
    added = sum(key not in now for key in items)
    changed = sum(key in now and now[key] != value for key, value in items.items())
    now.update(items)
    return Accounts(rows_in, rejected, added, changed, len(items) - added - changed)


def plus(left: Accounts, right: Accounts) -> Accounts:
    """Return the sum of two accounts."""
    names = Accounts.__dataclass_fields__
    return Accounts(*(getattr(left, name) + getattr(right, name) for name in names))


@dataclass
class Begun:
    """The last job on a source: what it is, its accounts so far by batch, and whether it is done."""

    what: Any
    batches: list[Accounts] = field(default_factory=list)
    done: bool = False


@dataclass
class Noted:
    """What a process has committed of its job: that it began, its batches, and that it is done."""

    has_begun: bool = False
    batches: list[Accounts] = field(default_factory=list)
    is_done: bool = False


class Killed(BaseException):
    """The end of the process, as by a signal that cannot be caught."""


class Process:
    """Stands between jobs and their transactions: strikes at one of them, and notes what was committed.

    Where it strikes: ``before`` the transaction, ``inside``, that is with all of its work done and nothing
    committed, ``after`` it, or so that the reply to its COMMIT is ``lost``. But for the last one, nothing more
    can be written then.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._transact = Writer.transact
        self._resume_run, self._add_batch, self._finish_run = runs.resume_run, runs.add_batch, runs.finish_run
        self._pending = Noted()
        self._is_finishing = False
        self.expect(0, "before")
        process = self

        def transact(writer: Writer, work: Callable[[Connection], Any]) -> Any:
            return process._run(writer, work)

        patch.setattr(Writer, "transact", transact)
        patch.setattr(runs, "resume_run", self._noting_resume)
        patch.setattr(runs, "add_batch", self._noting_batch)
        patch.setattr(runs, "finish_run", self._noting_finish)

    def expect(self, number: int, where: Where) -> None:
        """Begin a process that is struck at its ``number``-th transaction from now, never with 0."""
        self._left, self._where, self._is_dead = number, where, False
        self.noted = Noted()

    def _noting_resume(self, *given: Any) -> int:
        self._pending.has_begun = True
        return self._resume_run(*given)

    def _noting_batch(self, connection: Connection, run_id: int, number: int, accounts: Accounts) -> None:
        self._pending.batches.append(accounts)
        self._add_batch(connection, run_id, number, accounts)

    def _noting_finish(self, store: Store, run_id: int, state: str, manifest: Any) -> None:
        self._is_finishing = state == "done"
        try:
            self._finish_run(store, run_id, state, manifest)
        finally:
            self._is_finishing = False

    def _run(self, writer: Writer, work: Callable[[Connection], Any]) -> Any:
        self._left -= 1
        is_struck = self._left == 0
        if self._is_dead or (is_struck and self._where == "before"):
            self._die()
        if is_struck and self._where == "reply lost":
            lose_reply(writer._engine)

        def traced(connection: Connection) -> Any:
            self._pending = Noted(is_done=self._is_finishing)
            result = work(connection)
            if is_struck and self._where == "inside":
                self._die()
            return result

        try:
            result = self._transact(writer, traced)
        except Exception:
            if is_struck:  # it was the reply: the transaction is committed all the same
                self._note()
            raise
        self._note()
        if is_struck and self._where == "after":
            self._die()
        return result

    def _note(self) -> None:
        self.noted.has_begun |= self._pending.has_begun
        self.noted.batches += self._pending.batches
        self.noted.is_done |= self._pending.is_done

    def _die(self) -> None:
        self._is_dead = True
        raise Killed


def lose_reply(engine: Engine) -> None:
    """Let the next COMMIT take effect and fail all the same."""
    dialect: Any = engine.dialect
    commit = dialect.do_commit

    def commit_and_fail(connection: Any) -> None:
        dialect.do_commit = commit
        commit(connection)
        if dialect.name == "postgresql":
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        raise dialect.loaded_dbapi.OperationalError("disk I/O error")

    dialect.do_commit = commit_and_fail


def spoil(path: Path, how: str, rng: random.Random) -> None:
    """Flip a bit of a file, cut it, remove it, or put something else in its place."""
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content))
    if how == "remove":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[:at])
    elif how == "junk":
        path.write_bytes(rng.randbytes(at))
    else:
        content[at] ^= 1 << rng.randrange(8)
        path.write_bytes(content)


def cosine(model: Any, left: str, right: str) -> float:
    """Return the cosine of two texts by brute force."""
    one, other = model.encoder.encode([left, right]).astype(np.float64)
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
