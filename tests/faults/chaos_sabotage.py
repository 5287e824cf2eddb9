"""The program broken on purpose: with each of these, rounds of ``chaos.py`` must fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError

from indexer.store import runs, schema
from indexer.store.engines import retrying
from indexer.store.runs import Accounts
from indexer.store.transactions import Writer

_KEY = schema.store_meta.c.key == "writer"
_VALUE = schema.store_meta.c.value


@dataclass(frozen=True, slots=True)
class Sabotage:
    """Replaces attributes, each given by its owner and name; ``kinds`` are the faults that should show it."""

    kinds: tuple[str, ...]
    patches: tuple[tuple[Any, str, Callable[..., Any]], ...]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Break the program for the time of a ``with`` block."""
        with ExitStack() as stack:
            for owner, name, new in self.patches:
                stack.enter_context(patch.object(owner, name, new))
            yield


def _blind_retry(self: Writer, connection: Connection) -> bool:
    """Move on whatever the number is: a transaction that was committed is done again."""
    value = connection.execute(select(_VALUE).where(_KEY).with_for_update()).scalar_one()
    if not str(value).startswith(f"{self._epoch}:"):
        return _MOVE_ON(self, connection)
    connection.execute(update(schema.store_meta).where(_KEY).values(value=f"{self._epoch}:{self._number + 1}"))
    return True


def _no_fence(self: Writer, connection: Connection) -> bool:
    """Go on from any epoch."""
    connection.execute(update(schema.store_meta).where(_KEY).values(value=f"{self._epoch}:{self._number + 1}"))
    return True


def _accounts_apart(connection: Connection, run_id: int, batch_no: int, accounts: Accounts) -> None:
    """Note a batch in a transaction of its own, before the one that does it is committed."""
    row = (run_id, batch_no, *astuple(accounts))
    with connection.engine.begin() as other:
        other.execute(upsert(schema.ingest_batch).values(row).on_conflict_do_nothing())


def _statement_by_statement(self: Writer, work: Callable[[Connection], Any]) -> Any:
    """Commit every statement by itself."""

    def attempt() -> Any:
        with self._engine.connect() as connection:
            return work(connection.execution_options(isolation_level="AUTOCOMMIT"))

    return retrying(self._engine, attempt, self._renew, pauses_s=self._pauses_s)


def _acknowledge_early(self: Writer, work: Callable[[Connection], Any]) -> Any:
    """Take a failed COMMIT for done."""

    def attempt() -> Any:
        with self._engine.connect() as connection:
            connection.begin()
            self._move_on(connection)
            result = work(connection)
            try:
                connection.commit()
            except DBAPIError:
                connection.invalidate()
            return result

    result = retrying(self._engine, attempt, self._renew, pauses_s=self._pauses_s)
    self._number = int(_current(self).partition(":")[2])
    return result


def _current(writer: Writer) -> str:
    def attempt() -> str:
        with writer._engine.connect() as connection:
            return str(connection.execute(select(_VALUE).where(_KEY)).scalar_one())

    return retrying(writer._engine, attempt, pauses_s=writer._pauses_s)


def _forget_batches(store: Any, run_id: int) -> tuple[int, Accounts]:
    """Begin every input from its first batch again, under numbers not used yet."""
    n, accounts = _BATCHES(store, run_id)
    return (0, accounts) if n else (n, accounts)


def _number_anew(connection: Connection, run_id: int, batch_no: int, accounts: Accounts) -> None:
    """Note a batch under the next number that is free."""
    taken = select(func.count()).select_from(schema.ingest_batch).where(schema.ingest_batch.c.run_id == run_id)
    number = connection.execute(taken).scalar_one()
    connection.execute(insert(schema.ingest_batch).values((run_id, number, *astuple(accounts))))


_MOVE_ON = Writer._move_on
_BATCHES = runs.batches
_LOST = ("COMMIT done, reply lost", "COMMIT done, half a reply")
_BROKEN = ("server away", "work session ended")
_GIVEN_UP = ("COMMIT lost, not tried again",)

SABOTAGES = {
    "a transaction is tried again blindly": Sabotage(_LOST, ((Writer, "_move_on", _blind_retry),)),
    "no fence between writers": Sabotage(("overtaken", "overtaken at work"), ((Writer, "_move_on", _no_fence),)),
    "accounts outside the transaction": Sabotage(_GIVEN_UP, ((runs, "add_batch", _accounts_apart),)),
    "every statement commits by itself": Sabotage(_BROKEN, ((Writer, "transact", _statement_by_statement),)),
    "a failed COMMIT taken for done": Sabotage(("COMMIT never arrives",), ((Writer, "transact", _acknowledge_early),)),
    "committed batches are done again": Sabotage(
        _GIVEN_UP, ((runs, "batches", _forget_batches), (runs, "add_batch", _number_anew))
    ),
}
