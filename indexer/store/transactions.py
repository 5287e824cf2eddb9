"""Transactions: those that read are retried, and each that writes takes effect exactly once or not at all.

Every writing transaction advances the row ``writer`` of ``store_meta``, which holds ``epoch:number``. Opening a store
for writing begins a new epoch, so a process that lost its lock without noticing (after a server restart, behind a
pooler) cannot commit any more: the epoch is a fencing token. Within an epoch, the number tells whether a transaction
whose COMMIT was sent but never answered took effect, so that it can be retried safely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Engine, Select, select, update

from dedup.errors import WriterBusy
from indexer.store import schema
from indexer.store.database_url import shown
from indexer.store.engines import RETRY_PAUSES_S, chunks, retrying, rows_with, translated_errors
from indexer.store.integrity import settings
from indexer.store.integrity.fetch import decoded, fetch
from indexer.store.integrity.values import check_rows

T = TypeVar("T")

_KEY = schema.store_meta.c.key == settings.WRITER
_VALUE = schema.store_meta.c.value


class Writer:
    """The writing side of a store; created by ``Workspace.open`` under the writer lock.

    ``renew`` is called before each retry: it takes the lock again if it was lost with the connection, or raises
    ``WriterBusy``. ``retry_pauses_s`` as for ``engines.retrying``.
    """

    def __init__(
        self, engine: Engine, renew: Callable[[], None], *, retry_pauses_s: Iterable[float] = RETRY_PAUSES_S
    ) -> None:
        self._engine = engine
        self._renew = renew
        self._pauses_s = tuple(retry_pauses_s)
        self._number = 0
        self._is_number_known = True
        self.found = ""
        """The value of ``writer`` before this one began: what the last transaction of another left."""
        self._epoch = retrying(engine, self._begin_epoch, pauses_s=self._pauses_s)

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction and return its result.

        ``work`` may be called several times, each time in a new transaction of which only the last counts, so its
        only side effects must be those on the connection.

        Raises:
            WriterBusy: another process has begun to write; nothing was written.

        """
        if not self._is_number_known:
            self._number = retrying(self._engine, self._read_number, self._renew, pauses_s=self._pauses_s)
        results: list[T] = []

        def attempt() -> T:
            with self._engine.connect() as connection:
                connection = connection.execution_options(sqlite_begin="IMMEDIATE")
                with connection.begin():
                    if self._move_on(connection):
                        results[:] = [work(connection)]
            return results[0]

        self._is_number_known = False  # after an error the transaction may still have been committed
        result = retrying(self._engine, attempt, self._renew, pauses_s=self._pauses_s)
        self._is_number_known = True
        self._number += 1
        return result

    def _move_on(self, connection: Connection) -> bool:
        """Take the next number; return False if this very transaction was already committed."""
        now, following = f"{self._epoch}:{self._number}", f"{self._epoch}:{self._number + 1}"
        statement = update(schema.store_meta).where(_KEY, _VALUE.in_([now])).values(value=following)
        if connection.execute(statement).rowcount == 1:
            return True
        if settings.required(connection, settings.WRITER) == following:
            return False
        raise self._overtaken()

    def _read_number(self) -> int:
        with self._engine.connect() as connection:
            epoch, _, number = _locked_writer(connection).partition(":")  # waits for a COMMIT still in progress
        if int(epoch) != self._epoch:
            raise self._overtaken()
        return int(number)

    def _overtaken(self) -> WriterBusy:
        where = shown(self._engine.url)
        return WriterBusy(f"Another process has begun to write to {where}; try again when it is done.")

    def _begin_epoch(self) -> int:
        with self._engine.connect() as connection:
            connection = connection.execution_options(sqlite_begin="IMMEDIATE")
            with connection.begin():
                self.found = _locked_writer(connection)
                epoch = int(self.found.partition(":")[0]) + 1
                connection.execute(update(schema.store_meta).where(_KEY).values(value=f"{epoch}:0"))
        return epoch


def _locked_writer(connection: Connection) -> str:
    return settings.required(connection, settings.WRITER, is_locked=True)


class Database:
    """Reads and writes on one engine; without a ``writer`` it is read-only, and ``write`` is a bug.

    ``retry_pauses_s`` as for ``engines.retrying``; a ``writer`` has its own.
    """

    def __init__(
        self, engine: Engine, writer: Writer | None = None, *, retry_pauses_s: Iterable[float] = RETRY_PAUSES_S
    ) -> None:
        self.engine = engine
        self._writer = writer
        self._pauses_s = tuple(retry_pauses_s)

    @property
    def found(self) -> str | None:
        """What the last transaction of another writer left in the setting ``writer``; None for a reader."""
        return self._writer.found if self._writer else None

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction, exactly once (``Writer.transact``), and return its result."""
        if self._writer is None:
            raise RuntimeError("this store was opened for reading")
        return self._writer.transact(work)

    def read(self, *statements: Select[Any], is_checked: bool = True) -> list[Any]:
        """Return the rows of all ``statements``, read in one transaction that is retried if the connection breaks.

        Raises:
            CorruptStore: as ``fetch``, unless the rows are read without ``is_checked``.

        """

        def attempt() -> list[Any]:
            with self.engine.connect() as connection:
                return [row for each in statements for row in fetch(connection, each, is_checked=is_checked)]

        with translated_errors(self.engine):
            return retrying(self.engine, attempt, pauses_s=self._pauses_s)

    def required(self, key: str) -> str:
        """Return a value of ``store_meta`` that every store has. Raises ``CorruptStore`` if it is missing or wrong."""

        def attempt() -> str:
            with self.engine.connect() as connection:
                return settings.required(connection, key)

        with translated_errors(self.engine):
            return retrying(self.engine, attempt, pauses_s=self._pauses_s)

    def find(
        self, columns: Iterable[Column[Any]], key: Column[Any], values: Iterable[Any], **fixed: object
    ) -> list[tuple[Any, ...]]:
        """Select ``columns`` of one table where ``key`` is in ``values`` and each column in ``fixed`` has its value.

        Raises:
            CorruptStore: as ``fetch``.

        """
        listed, parts = list(columns), list(chunks(values))

        def attempt() -> list[tuple[Any, ...]]:
            with self.engine.connect() as connection:
                return [row for part in parts for row in self._found(connection, listed, key, part, fixed)]

        with translated_errors(self.engine):
            return retrying(self.engine, attempt, pauses_s=self._pauses_s)

    def _found(
        self,
        connection: Connection,
        columns: list[Column[Any]],
        key: Column[Any],
        values: list[Any],
        fixed: dict[str, object],
    ) -> list[tuple[Any, ...]]:
        rows = decoded(connection, lambda: rows_with(connection, columns, key, values, **fixed))
        check_rows(columns, rows)
        return rows


def next_key(connection: Connection, column: Column[int]) -> int:
    """Return the key after the largest; unlike a sequence's, it is the same when a transaction is retried."""
    largest = fetch(connection, select(column).order_by(column.desc()).limit(1))
    return int(largest[0][0]) + 1 if largest else 1
