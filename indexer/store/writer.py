"""Transactions of the one process that may write: each takes effect exactly once, or not at all.

Every transaction moves on the row ``writer`` of ``store_meta``, which holds ``epoch:number``. Whoever opens a
store for writing begins a new epoch, so a process that lost its lock without noticing (a restarted server, a
pooler) can commit nothing more: the epoch is a fencing token. Within an epoch the number tells whether a
transaction whose COMMIT was sent, but whose reply was lost, had been committed, so that it can be tried again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine, select, update

from dedup.errors import WriterBusy
from indexer.store import schema
from indexer.store.engines import retrying

T = TypeVar("T")

_KEY = schema.store_meta.c.key == "writer"
_VALUE = schema.store_meta.c.value


class Writer:
    """The writing end of a store; made by ``Workspace.open`` under the writer lock.

    ``renew`` is called before a transaction is tried again: it gets the lock back if it went with the
    connection, or raises ``WriterBusy``.
    """

    def __init__(self, engine: Engine, renew: Callable[[], None]) -> None:
        self._engine = engine
        self._renew = renew
        self._number = 0
        self._is_certain = True
        self._epoch = retrying(engine, self._begin_epoch)

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction and return what it returns.

        ``work`` may be called several times, each time in a new transaction of which only the last counts:
        it must leave nothing behind but what it does through the connection.

        Raises:
            WriterBusy: another process has begun to write meanwhile; nothing was written.

        """
        if not self._is_certain:
            self._number = retrying(self._engine, self._read_number, self._renew)
        results: list[T] = []

        def attempt() -> T:
            with self._engine.connect() as connection:
                connection = connection.execution_options(sqlite_begin="IMMEDIATE")
                with connection.begin():
                    if self._move_on(connection):
                        results[:] = [work(connection)]
            return results[0]

        self._is_certain = False  # should this end with an error, it may have been committed all the same
        result = retrying(self._engine, attempt, self._renew)
        self._is_certain = True
        self._number += 1
        return result

    def _move_on(self, connection: Connection) -> bool:
        """Take the next number; False if this very transaction was committed before."""
        now, following = f"{self._epoch}:{self._number}", f"{self._epoch}:{self._number + 1}"
        statement = update(schema.store_meta).where(_KEY, _VALUE.in_([now])).values(value=following)
        if connection.execute(statement).rowcount == 1:
            return True
        if connection.execute(select(_VALUE).where(_KEY)).scalar_one() == following:
            return False
        raise self._overtaken()

    def _read_number(self) -> int:
        with self._engine.connect() as connection:
            settled = select(_VALUE).where(_KEY).with_for_update()  # waits for a COMMIT that is still under way
            epoch, _, number = connection.execute(settled).scalar_one().partition(":")
        if int(epoch) != self._epoch:
            raise self._overtaken()
        return int(number)

    def _overtaken(self) -> WriterBusy:
        where = self._engine.url.render_as_string(hide_password=True)
        return WriterBusy(f"Another process has begun to write to {where}; try again when it is done.")

    def _begin_epoch(self) -> int:
        with self._engine.connect() as connection:
            connection = connection.execution_options(sqlite_begin="IMMEDIATE")
            with connection.begin():
                value = connection.execute(select(_VALUE).where(_KEY).with_for_update()).scalar_one()
                epoch = int(value.partition(":")[0]) + 1
                connection.execute(update(schema.store_meta).where(_KEY).values(value=f"{epoch}:0"))
        return epoch
