"""Read an input to its end, check every row and spool the valid ones; nothing is stored yet.

A record is identified by its source and an external id: the value of the id column or, without one, a hash of its
content, so that an edited file adds and removes only the edited rows. Memory is needed for one batch, 16 bytes for each
row, the ids of rejected rows and, without an id column, one entry for each repeated content.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Literal

from dedup.errors import InputRefused
from dedup.evidence.fields.placeholders import is_placeholder
from dedup.runtime.progress import Progress
from dedup.text.normalise import normalise
from indexer.ingest.keyset import KEY_BYTES, KeySet, keys_of
from indexer.ingest.reject_rate import RejectRate
from indexer.ingest.spool import Batch, Item, Spool
from indexer.reading.rejects import Reject
from indexer.reading.rows import Row
from indexer.store.schema import MAX_ID_CHARACTERS, MAX_TEXT_CHARACTERS

Identity = Literal["column", "content"]

BATCH_ROWS = 50_000
"""Rows stored in one transaction."""

_BATCH_CHARACTERS = 1 << 25
_PROGRESS_ROWS = 5_000
_CONTENT_ID_DIGITS = 16  # 64 bits; colliding rows are numbered as if they were equal

_quoted = json.encoder.encode_basestring
_plain = str.__str__


@dataclass(frozen=True, slots=True)
class Intake:
    """What is known about an input after reading it, besides the spooled batches.

    Attributes:
        rows_in: Rows read.
        rejected: Rows rejected.
        unidentified: Rejected rows whose id or content is unknown.
        largest_batch: Characters of texts and other columns in the largest batch.
        keys: Keys of the ids of all valid rows, and of rejected rows whose id is known.

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
    batch_rows: int | None = None,
) -> Intake:
    """Spool the valid rows and pass every reject, from the reader or found here, to ``on_reject``.

    With identity ``column``, every row needs an ``external_id``, and a row that repeats an id is rejected. With
    ``content``, the id is a hash of ``raw`` and ``fields``, and repeated rows are numbered. ``batch_rows`` is
    ``BATCH_ROWS`` by default.

    Raises:
        InputRefused: All rows were rejected, or more than ``max_reject_rate`` of at least 100.

    """
    batches = _Batches(spool, identity, on_reject, max_reject_rate, batch_rows or BATCH_ROWS)
    for row in rows:
        batches.take(row)
        if batches.rows_in % _PROGRESS_ROWS == 0:
            progress("read", batches.rows_in, None)
    batches.finish()
    progress("read", batches.rows_in, batches.rows_in)
    return Intake(batches.rows_in, batches.rejected, batches.unidentified, batches.largest_batch, batches.keys)


class _Batches:
    """Collects valid rows into batches of limited rows and characters, and counts every row."""

    def __init__(
        self,
        spool: Spool,
        identity: Identity,
        on_reject: Callable[[Reject], None],
        max_reject_rate: float,
        batch_rows: int,
    ) -> None:
        self.rows_in = self.unidentified = self.largest_batch = 0
        self.keys = KeySet()
        self._rate = RejectRate(max_reject_rate)
        self._spool = spool
        self._by_content = identity == "content"
        self._on_reject = on_reject
        self._batch_rows = batch_rows
        self._repeats: dict[str, int] = {}  # number of rows by content id, for repeated contents only
        self._rejected_ids: list[str] = []
        self._begin_batch()

    def _begin_batch(self) -> None:
        self._batch: list[tuple[Row, Item]] = []
        self._room = _BATCH_CHARACTERS
        self._start = self.rows_in, self.rejected

    def take(self, row: Row | Reject) -> None:
        self.rows_in = self._rate.rows_in = self.rows_in + 1
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
        if self.rows_in - self._start[0] >= self._batch_rows or self._room < 0:
            self._end_batch()

    def finish(self) -> None:
        """Spool the last batch, and refuse the input if no row was accepted."""
        if self.rows_in > self._start[0]:
            self._end_batch()
        self._rate.finish()
        self.keys.add(keys_of(self._rejected_ids))

    def _end_batch(self) -> None:
        items = self._numbered() if self._by_content else self._first_of_each_id()
        self._rate.judge(self.rows_in)
        self.largest_batch = max(self.largest_batch, _BATCH_CHARACTERS - self._room)
        self._spool.add(Batch(self.rows_in - self._start[0], self.rejected - self._start[1], items))
        self._begin_batch()

    @property
    def rejected(self) -> int:
        """Rows rejected so far."""
        return self._rate.rejected

    def _first_of_each_id(self) -> list[Item]:
        items = []
        known = self.keys.add(keys_of(item.external_id for _, item in self._batch))
        for (row, item), is_known in zip(self._batch, known.tolist(), strict=True):
            if is_known:
                message = f"An earlier row of this input has the id {item.external_id!r} too."
                self._reject(row.reject("E_ID_DUPLICATE", None, message))
            else:
                items.append(item)
        return items

    def _numbered(self) -> list[Item]:
        """Return the items with their final ids: those of repeated rows end in -2, -3 and so on."""
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
        self._rate.reject(reject.message)
        self._on_reject(reject)
        self._rate.judge(
            max(self.rows_in, self._start[0] + self._batch_rows)
        )  # no good row of the batch can help it now


def content_digest(raw: str, fields: dict[str, str]) -> bytes:
    """Return a digest of the text and other columns of a record; the order of columns does not matter."""
    return blake2b(_content(raw, fields).encode(), digest_size=KEY_BYTES).digest()


def _content(raw: str, fields: dict[str, str]) -> str:
    return raw if not fields else "\0".join((raw, *chain.from_iterable(sorted(fields.items()))))


def _to_json(fields: dict[str, str]) -> str:
    """Return a JSON object of strings; for small objects several times faster than ``json.dumps``."""
    if not fields:
        return "{}"
    return f"{{{','.join([f'{_quoted(name)}:{_quoted(value)}' for name, value in fields.items()])}}}"


def _check(row: Row, by_content: bool) -> Item | Reject:
    """Return the row as an item, or a reject if it is bad."""
    # A reader may pass on a string of a subclass, such as np.str_, which the spool cannot write.
    external_id, raw = "" if by_content else _plain(row.external_id or ""), _plain(row.raw)
    content = _content(raw, row.fields)
    if content.count("\0") > 2 * len(row.fields) or "\0" in external_id:
        return row.reject("E_NUL", None, "The row contains a NUL character, which a database cannot store.")
    try:
        digest = blake2b(content.encode(), digest_size=KEY_BYTES).digest()
        external_id.encode()
    except UnicodeEncodeError:
        return row.reject("E_ENCODING_ROW", None, "The row contains half of a surrogate pair.")
    if by_content:
        external_id = digest.hex()[:_CONTENT_ID_DIGITS]
    elif not external_id:
        return row.reject("E_ID_EMPTY", None, "The id is empty.")
    elif len(external_id) > MAX_ID_CHARACTERS:
        return row.reject(
            "E_ID_TOO_LONG",
            None,
            f"The id has {len(external_id):,} characters; the maximum is {MAX_ID_CHARACTERS}.",
        )
    normal = normalise(raw)
    if error := fault_of_row(raw, normal):
        return row.reject(error[0], None, error[1])
    return Item(external_id, raw, _to_json(row.fields), digest, normal)


def normal_form_of(text: str, if_empty: str) -> str:
    """Return the normal form of a text to search for or to compare.

    Raises:
        InputRefused: it cannot be used; ``if_empty`` is the message if nothing of the text is left.
    """
    normal = normalise(text)
    if fault := fault_of(normal):
        raise InputRefused(fault[1] if normal else if_empty, fault[0])
    return normal


def fault_of_row(raw: str, normal: str) -> tuple[str, str] | None:
    """Return the error code and message for the text of a row, which must be a name; None for a valid one."""
    if is_placeholder(raw):
        return "E_NAME_PLACEHOLDER", f"{raw.strip()!r} stands for no name. Leave the row out, or name it."
    return fault_of(normal)


def fault_of(normal: str) -> tuple[str, str] | None:
    """Return the error code and message for a text that cannot be stored; None for a valid text."""
    if not normal:
        return "E_NAME_EMPTY", "The name is empty or has only punctuation."
    if len(normal) > MAX_TEXT_CHARACTERS:
        return (
            "E_NAME_TOO_LONG",
            f"The name has {len(normal):,} characters after normalisation; the maximum is {MAX_TEXT_CHARACTERS:,}.",
        )
    return None
