"""Bring one input into the store, all of it or nothing.

A record is known by its source and an external id: that of a column, or else one made of the record's own
content, so that an edited file adds and removes only what was edited. The whole input is one transaction.
Memory is that of one batch, one byte per record id ever given, and the ids of the texts that lost a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Literal

from sqlalchemy import Connection, func, insert, select

from dedup.errors import InputRefused, UsageError
from dedup.normalise import normalise
from indexer import schema
from indexer.readers import Row
from indexer.rejects import Reject
from indexer.store import PAGE, Store
from indexer.upsert import DIGEST_BYTES, Item, Known, SourceWriter

Identity = Literal["column", "content"]

MAX_NAME_CHARACTERS = 1024
"""Longest normal form of a name."""
MAX_ID_CHARACTERS = 512
"""Longest id: an index of PostgreSQL takes keys of up to 2.7 kB."""
MIN_ROWS_FOR_RATE = 100
"""Rows to be seen before the share of rejects means anything."""

_BATCH_CHARACTERS = 1 << 24
_CONTENT_ID_DIGITS = 16  # 64 bits; two rows that collide are numbered as if they were equal


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What became of an input: ``rows_in = added + changed + unchanged + rejected``.

    ``removed`` counts the records that the store held and the input no longer has.
    """

    rows_in: int
    added: int
    changed: int
    unchanged: int
    removed: int
    rejected: int


def ingest(
    store: Store,
    source_name: str,
    rows: Iterable[Row | Reject],
    *,
    identity: Identity,
    run_id: int,
    on_reject: Callable[[Reject], None],
    on_progress: Callable[[int], None] | None = None,
    max_reject_rate: float = 0.05,
) -> IngestSummary:
    """Make the rows of one input records of the source ``source_name``, in one transaction.

    With identity ``column``, every row has an ``external_id``, and records of the source that are not in the
    input stay. With identity ``content``, the id is made of ``raw`` and ``fields``, and records that are not
    in the input are removed. ``on_reject`` gets every reject, the reader's and those found here;
    ``on_progress`` the number of rows read so far, after each batch.

    Raises:
        InputRefused: all rows were rejected, or more than ``max_reject_rate`` of at least 100; or the input
            is empty and would remove every record of its source. Nothing was written.
        UsageError: the source was indexed with the other identity.

    """
    with store.writing() as connection:
        source_id, size = _find_source(connection, source_name, identity)
        writer = SourceWriter(connection, source_id, run_id, is_new=size == 0)
        name = _ContentIdentity(writer) if identity == "content" else _ColumnIdentity(writer)
        reading = _Reading(writer, name, on_reject, max_reject_rate)
        for batch in reading.batches(rows):
            reading.write(batch)
            if on_progress:
                on_progress(reading.rows_in)
        reading.check_end()
        removed = 0
        if identity == "content":
            if reading.rows_in == 0 and size:
                raise InputRefused(
                    f"The input has no rows, which would remove all {size} records of source "
                    f"{source_name!r}; give the right file, or index into a new --workspace.",
                    "E_EMPTY",
                )
            removed = writer.remove_unseen()
        writer.finish()
    return IngestSummary(reading.rows_in, writer.added, writer.changed, writer.unchanged, removed, reading.rejected)


def _find_source(connection: Connection, name: str, identity: Identity) -> tuple[int, int]:
    """Return the key of a source, made if it is new, and how many records it has."""
    columns = schema.source.c
    found = connection.execute(select(columns.source_id, columns.identity).where(columns.name == name)).first()
    if found is None:
        connection.execute(insert(schema.source).values(name=name, identity=identity))
        key = select(columns.source_id).where(columns.name == name)
        return connection.execute(key).scalar_one(), 0
    if found.identity != identity:
        before, now = "ids from a column", "no id column"
        if identity == "column":
            before, now = "no id column", "one"
        raise UsageError(
            f"Source {name!r} was indexed with {before}, and this input has {now}; "
            "name its id column with --id, or give this input another name with --source NAME."
        )
    counted = select(func.count()).where(schema.record.c.source_id == found.source_id)
    return found.source_id, connection.execute(counted).scalar_one()


class _ColumnIdentity:
    """Ids as the rows give them; of equal ids in one input, the first has it."""

    def __init__(self, writer: SourceWriter) -> None:
        self._writer = writer

    def name(self, batch: list[Item]) -> tuple[list[Item], dict[str, Known], list[Reject]]:
        """Return the items to write, what the store has of them, and the rows whose id is taken."""
        known = self._writer.find(item.external_id for item in batch)
        items: dict[str, Item] = {}
        repeated = []
        for item in batch:
            identifier = item.external_id
            if identifier in items or self._writer.is_seen(known.get(identifier)):
                message = f"The id {identifier!r} was used by an earlier row of this input."
                repeated.append(item.row.reject("E_ID_DUPLICATE", None, message))
            else:
                items[identifier] = item
        return list(items.values()), known, repeated


class _ContentIdentity:
    """Ids made of the content; the further ones of equal rows end in -2, -3 and so on."""

    def __init__(self, writer: SourceWriter) -> None:
        self._writer = writer
        self._repeats: dict[str, int] = {}  # only of rows that occur more than once

    def name(self, batch: list[Item]) -> tuple[list[Item], dict[str, Known], list[Reject]]:
        """Return the items to write under their final ids, what the store has of them, and no rejects."""
        known = self._writer.find({item.external_id for item in batch})
        items: dict[str, Item] = {}
        further: list[str] = []
        for item in batch:
            base = item.external_id
            if base in items or self._writer.is_seen(known.get(base)):
                self._repeats[base] = self._repeats.get(base, 1) + 1
                further.append(f"{base}-{self._repeats[base]}")
                item = item._replace(external_id=further[-1])
            items[item.external_id] = item
        known.update(self._writer.find(further))
        return list(items.values()), known, []


class _Reading:
    """Check rows, gather the sound ones in batches, and account for every row."""

    def __init__(
        self,
        writer: SourceWriter,
        identity: _ColumnIdentity | _ContentIdentity,
        on_reject: Callable[[Reject], None],
        max_reject_rate: float,
    ) -> None:
        self.rows_in = 0
        self.rejected = 0
        self._writer = writer
        self._identity = identity
        self._on_reject = on_reject
        self._max_reject_rate = max_reject_rate

    def batches(self, rows: Iterable[Row | Reject]) -> Iterator[list[Item]]:
        """Yield the sound rows in lists bounded in rows and in characters; count and hand on the others."""
        by_content = isinstance(self._identity, _ContentIdentity)
        batch: list[Item] = []
        room = _BATCH_CHARACTERS
        for entry in rows:
            self.rows_in += 1
            checked = entry if isinstance(entry, Reject) else _check(entry, by_content)
            if isinstance(checked, Reject):
                self._reject(checked)
            else:
                batch.append(checked)
                room -= sum(map(len, checked.row.cells))
            if self.rows_in % PAGE == 0 or room < 0:
                yield batch
                batch, room = [], _BATCH_CHARACTERS
        if batch:
            yield batch

    def write(self, batch: list[Item]) -> None:
        """Write one batch, and stop an input that is mostly rejected before all of it is read."""
        items, known, repeated = self._identity.name(batch)
        for reject in repeated:
            self._reject(reject)
        self._writer.write(items, known)
        self._check_rate()

    def check_end(self) -> None:
        """Refuse an input of which too little, or nothing, was accepted."""
        self._check_rate()
        if 0 < self.rows_in == self.rejected:
            raise InputRefused(
                f"All {self.rows_in} rows were rejected, so nothing was written; "
                "see the rejects, and check --text, --id, --delimiter and --encoding.",
                "E_TOO_MANY_REJECTS",
            )

    def _check_rate(self) -> None:
        if self.rows_in >= MIN_ROWS_FOR_RATE and self.rejected > self._max_reject_rate * self.rows_in:
            raise InputRefused(
                f"{self.rejected} of the first {self.rows_in} rows were rejected, more than "
                f"{self._max_reject_rate:.3g} of them, so nothing was written; correct the input, "
                "or allow it with --max-reject-rate.",
                "E_TOO_MANY_REJECTS",
            )

    def _reject(self, reject: Reject) -> None:
        self.rejected += 1
        self._on_reject(reject)


def _check(row: Row, by_content: bool) -> Item | Reject:
    """Return the row with what is derived from it, or the reject that says what is wrong with it."""
    parts = (row.raw, *chain.from_iterable(sorted(row.fields.items())))
    content = "\0".join(parts)
    external_id = "" if by_content else row.external_id or ""
    if content.count("\0") >= len(parts) or "\0" in external_id:
        return row.reject("E_NUL", None, "The row holds a NUL character, which a database cannot store.")
    try:
        digest = blake2b(content.encode(), digest_size=DIGEST_BYTES).digest()
        external_id.encode()
    except UnicodeEncodeError:
        return row.reject("E_ENCODING_ROW", None, "The row holds half of a surrogate pair.")
    if by_content:
        external_id = digest.hex()[:_CONTENT_ID_DIGITS]
    elif not external_id:
        return row.reject("E_ID_EMPTY", None, "The id is empty.")
    elif len(external_id) > MAX_ID_CHARACTERS:
        return row.reject(
            "E_ID_TOO_LONG",
            None,
            f"The id has {len(external_id)} characters, more than {MAX_ID_CHARACTERS}.",
        )
    normal = normalise(row.raw)
    if fault := fault_of(normal):
        return row.reject(fault[0], None, fault[1])
    return Item(row, external_id, digest, normal)


def fault_of(normal: str) -> tuple[str, str] | None:
    """Return the error code and the message for a normal form that is no name, None for a name."""
    if not normal:
        return "E_NAME_EMPTY", "The name is empty, or punctuation only."
    if len(normal) > MAX_NAME_CHARACTERS:
        return (
            "E_NAME_TOO_LONG",
            f"The name has {len(normal)} characters after normalisation, more than {MAX_NAME_CHARACTERS}.",
        )
    return None
