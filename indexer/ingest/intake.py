"""Read an input to its end, check every row, and spool the sound ones: nothing is stored meanwhile.

A record is known by its source and an external id: that of a column, or else one made of the record's own
content, so that an edited file adds and removes only what was edited. Memory is that of one batch, 16 bytes
for each row, the ids of rejected rows, and without a column of ids an entry for each content that is repeated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Literal

from dedup.errors import InputRefused
from dedup.runtime.progress import Progress
from dedup.text.normalise import normalise
from indexer.ingest.keyset import KEY_BYTES, KeySet, keys_of
from indexer.ingest.spool import Batch, Item, Spool
from indexer.reading.records import Row
from indexer.reading.rejects import Reject

Identity = Literal["column", "content"]

BATCH_ROWS = 50_000
"""Rows that are stored in one transaction."""
MAX_NAME_CHARACTERS = 4096
"""Longest normal form of a name."""
MAX_ID_CHARACTERS = 512
"""Longest id: an index of PostgreSQL takes keys of up to 2.7 kB."""
MIN_ROWS_FOR_RATE = 100
"""Rows to be seen before the share of rejects means anything."""

_BATCH_CHARACTERS = 1 << 25
_PROGRESS_ROWS = 5_000
_CONTENT_ID_DIGITS = 16  # 64 bits; two rows that collide are numbered as if they were equal

_quoted = json.encoder.encode_basestring


@dataclass(frozen=True, slots=True)
class Intake:
    """What an input holds besides the spooled batches.

    ``keys`` of the ids of all sound rows and of those rejected rows whose id is known; ``unidentified`` counts
    the rejected rows of which neither id nor content is known. ``largest_batch`` are the characters of the texts
    and other columns of that batch which has most.
    """

    rows_in: int
    rejected: int
    unidentified: int
    largest_batch: int
    keys: KeySet


def take_in(
    rows: Iterable[Row | Reject],
    spool: Spool,
    *,
    identity: Identity,
    on_reject: Callable[[Reject], None],
    max_reject_rate: float,
    progress: Progress,
) -> Intake:
    """Spool the sound rows and hand every reject, the reader's and those found here, to ``on_reject``.

    With identity ``column``, every row has an ``external_id``, and of rows with equal ids the first has it.
    With ``content``, the id is made of ``raw`` and ``fields``; of equal rows the further ones are numbered.

    Raises:
        InputRefused: all rows were rejected, or more than ``max_reject_rate`` of at least 100.

    """
    reading = _Reading(spool, identity, on_reject, max_reject_rate)
    for row in rows:
        reading.take(row)
        if reading.rows_in % _PROGRESS_ROWS == 0:
            progress("read", reading.rows_in, None)
    reading.finish()
    progress("read", reading.rows_in, reading.rows_in)
    return Intake(reading.rows_in, reading.rejected, reading.unidentified, reading.largest_batch, reading.keys)


class _Reading:
    """Gathers sound rows into batches bounded in rows and in characters, and accounts for every row."""

    def __init__(
        self, spool: Spool, identity: Identity, on_reject: Callable[[Reject], None], max_reject_rate: float
    ) -> None:
        self.rows_in = self.rejected = self.unidentified = self.largest_batch = 0
        self.keys = KeySet()
        self._spool = spool
        self._by_content = identity == "content"
        self._on_reject = on_reject
        self._max_reject_rate = max_reject_rate
        self._repeats: dict[str, int] = {}  # how often a content came that came more than once
        self._rejected_ids: list[str] = []
        self._begin_batch()

    def _begin_batch(self) -> None:
        self._batch: list[tuple[Row, Item]] = []
        self._room = _BATCH_CHARACTERS
        self._before = self.rows_in, self.rejected

    def take(self, row: Row | Reject) -> None:
        self.rows_in += 1
        checked = row if isinstance(row, Reject) else _check(row, self._by_content)
        if isinstance(checked, Reject):
            self._reject(checked)
            if isinstance(row, Reject) or not (self._by_content or row.external_id):
                self.unidentified += 1
            elif row.external_id:
                self._rejected_ids.append(row.external_id)
        elif isinstance(row, Row):
            self._batch.append((row, checked))
            self._room -= len(checked.raw) + len(checked.fields)
        if self.rows_in - self._before[0] >= BATCH_ROWS or self._room < 0:
            self._end_batch()

    def finish(self) -> None:
        """Spool the last batch, and refuse an input of which nothing was accepted."""
        if self.rows_in > self._before[0]:
            self._end_batch()
        if 0 < self.rows_in == self.rejected:
            raise InputRefused(
                f"All {self.rows_in} rows were rejected, so nothing was written; "
                "see the rejects, and check --text, --id, --delimiter and --encoding.",
                "E_TOO_MANY_REJECTS",
            )
        self.keys.add(keys_of(self._rejected_ids))

    def _end_batch(self) -> None:
        items = self._numbered() if self._by_content else self._first_of_each_id()
        if self.rows_in >= MIN_ROWS_FOR_RATE and self.rejected > self._max_reject_rate * self.rows_in:
            raise InputRefused(
                f"{self.rejected} of the first {self.rows_in} rows were rejected, more than "
                f"{self._max_reject_rate:.3g} of them, so nothing was written; correct the input, "
                "or allow it with --max-reject-rate.",
                "E_TOO_MANY_REJECTS",
            )
        self.largest_batch = max(self.largest_batch, _BATCH_CHARACTERS - self._room)
        self._spool.add(Batch(self.rows_in - self._before[0], self.rejected - self._before[1], items))
        self._begin_batch()

    def _first_of_each_id(self) -> list[Item]:
        items = []
        known = self.keys.add(keys_of(item.external_id for _, item in self._batch))
        for (row, item), is_known in zip(self._batch, known.tolist(), strict=True):
            if is_known:
                message = f"The id {item.external_id!r} was used by an earlier row of this input."
                self._reject(row.reject("E_ID_DUPLICATE", None, message))
            else:
                items.append(item)
        return items

    def _numbered(self) -> list[Item]:
        """Return the items under their final ids: the further ones of equal rows end in -2, -3 and so on."""
        items = []
        known = self.keys.add(keys_of(item.external_id for _, item in self._batch))
        for (_, item), is_known in zip(self._batch, known.tolist(), strict=True):
            if is_known:
                number = self._repeats[item.external_id] = self._repeats.get(item.external_id, 1) + 1
                item = item._replace(external_id=f"{item.external_id}-{number}")
            items.append(item)
        self.keys.add(keys_of(item.external_id for item in items))
        return items

    def _reject(self, reject: Reject) -> None:
        self.rejected += 1
        self._on_reject(reject)


def content_digest(raw: str, fields: dict[str, str]) -> bytes:
    """Return the digest of a record's text and other columns, whatever the order of these."""
    return blake2b(_content(raw, fields).encode(), digest_size=KEY_BYTES).digest()


def _content(raw: str, fields: dict[str, str]) -> str:
    return raw if not fields else "\0".join((raw, *chain.from_iterable(sorted(fields.items()))))


def _to_json(fields: dict[str, str]) -> str:
    """Return a JSON object of strings, several times faster than the library does for small ones."""
    if not fields:
        return "{}"
    return f"{{{','.join([f'{_quoted(name)}:{_quoted(value)}' for name, value in fields.items()])}}}"


def _check(row: Row, by_content: bool) -> Item | Reject:
    """Return the row with what is derived from it, or the reject that says what is wrong with it."""
    external_id = "" if by_content else row.external_id or ""
    content = _content(row.raw, row.fields)
    if content.count("\0") > 2 * len(row.fields) or "\0" in external_id:
        return row.reject("E_NUL", None, "The row holds a NUL character, which a database cannot store.")
    try:
        digest = blake2b(content.encode(), digest_size=KEY_BYTES).digest()
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
    return Item(external_id, row.raw, _to_json(row.fields), digest, normal)


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
