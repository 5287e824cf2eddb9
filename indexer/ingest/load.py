"""Load one input into the store: check all of it, then commit it in batches.

Nothing is stored until the whole input is read and accepted. Each batch is one transaction with its records, their
texts and vectors, and its counts. A killed job leaves complete batches; if it is started again with the same input, it
continues after the last of them in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, insert, select, update

from dedup.errors import InputRefused, UsageError
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from indexer.ingest import id_types
from indexer.ingest.encoding import Encoding
from indexer.ingest.intake import Identity, Intake, take_in
from indexer.ingest.keyset import keys_of
from indexer.ingest.safeguards import (
    Safeguards,
    check_elsewhere,
    check_id_column,
    check_removal,
    record_columns,
)
from indexer.ingest.spool import Spool
from indexer.ingest.text_kinds import DETECTION_ROWS, chosen_kind, record_kind
from indexer.ingest.upsert import Plan, apply_batch, plan_batch, remove_records
from indexer.memory import INDEX
from indexer.memory import check as check_memory
from indexer.reading.open import ColumnChoice, Row
from indexer.reading.rejects import Reject
from indexer.store import runs
from indexer.store.engines import PAGE
from indexer.store.integrity.fetch import fetch
from indexer.store.runs import Accounts, CurrentRun
from indexer.store.schema import record, source
from indexer.store.store import Codes, Store
from indexer.store.transactions import next_key

NO_SAFEGUARDS = Safeguards()

SIZE_OF_REMOVAL = PAGE
"""Records removed in one transaction."""

_OTHER_IDENTITY: dict[Identity, str] = {
    "content": "with ids from a column, but this input has no id column. Name it with --id (id= in Python)",
    "column": "without an id column, but this input has one. Ignore it with --id '' (id='' in Python)",
}
"""For the identity of an input, how its source and the input differ, and the remedy."""


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """The result of loading an input.

    Attributes:
        accounts: Counts over all batches of the run.
        went_on: Whether an interrupted job had stored some of the batches.
        withheld: Records that are not in the input but were kept, because a rejected row without a readable id or
            content may be theirs.
        texts_encoded: Texts encoded by this job.
        kind: The kind of the texts of the source.
        kind_note: What the user should know about how it was found.

    """

    accounts: Accounts
    went_on: bool
    withheld: int
    texts_encoded: int
    kind: str
    kind_note: str | None


def ingest(
    store: Store,
    source_name: str,
    rows: Iterable[Row | Reject],
    *,
    model: Matcher,
    run: CurrentRun,
    identity: Identity,
    scratch: Path,
    on_reject: Callable[[Reject], None],
    mirror: bool,
    id_type: str | None = None,
    kind: str | None = None,
    safeguards: Safeguards = NO_SAFEGUARDS,
    max_reject_rate: float = 0.05,
    memory: int | None = None,
    prepare: Callable[[], None] = lambda: None,
    progress: Progress = no_progress,
    batch_rows: int | None = None,
    removal_rows: int | None = None,
) -> IngestSummary:
    """Store the rows of one input as records of the source ``source_name``.

    Records of the source that are not in the input are removed with ``mirror``. ``id_type`` is recorded for a source
    without records (``id_types``). ``kind`` is the kind of the texts; None: as before, or as they look
    (``text_kinds``). ``safeguards`` may refuse the input. ``run`` becomes the earlier run if the same
    input was begun before. ``scratch`` is the directory for a temporary file, and ``memory`` limits the estimated peak
    memory in bytes (``indexer.memory``). ``on_reject`` is called with every rejected row. One transaction stores
    ``batch_rows`` rows (default ``BATCH_ROWS``) or removes ``removal_rows`` records (default ``SIZE_OF_REMOVAL``).
    ``prepare`` is called once the input is accepted, before anything is stored.
    Stages reported to ``progress``: ``read``, ``store`` (after each commit), ``remove``.

    Raises:
        InputRefused: All rows were rejected, or more than ``max_reject_rate`` of at least 100; or the input is empty
            and would remove every record of the source, the source has the other identity, or the rows are those of
            another source. Nothing was written.
        TooManyRemoved: More records would be removed than ``safeguards`` allow. Nothing was written.
        UsageError: The source was indexed with the other identity or by other ids, or the job would need more than
            ``memory``.
        VersionMismatch: The model has no vector for a text; earlier batches are stored.
        WriterBusy: Another process has started writing; earlier batches are stored.

    """
    known = _check_source(store, source_name, identity, rows)
    with Spool(scratch) as spool:
        intake = take_in(
            rows,
            spool,
            identity=identity,
            on_reject=on_reject,
            max_reject_rate=max_reject_rate,
            progress=progress,
            batch_rows=batch_rows,
        )
        missing = _missing_records(store, known, intake, mirror=mirror)
        _check(store, known, spool, intake, safeguards, missing=len(missing))
        if memory is not None:
            texts = _most_texts(store, known, intake, mirror=mirror)
            check_memory(INDEX, texts, intake.largest_batch, memory)
        kind, kind_note = chosen_kind(store, source_name, kind, _first_texts(spool), model)
        prepare()
        digest = sha256("\0".join((source_name, identity, str(mirror), spool.digest)).encode()).hexdigest()
        begin = partial(_begin, name=source_name, identity=identity, run=run, digest=digest, columns=safeguards.columns)
        source_id, run.run_id = store.write(partial(begin, is_empty=known.size == 0, id_type=id_type, kind=kind))
        loading = _Loading(store, source_id, run.run_id, model)
        went_on = loading.number > 0
        loading.store(spool, intake.rows_in, is_new=known.size == 0, progress=progress)
    withheld = len(missing) if intake.unidentified else 0
    if not withheld:
        _remove(loading, missing, removal_rows or SIZE_OF_REMOVAL, progress)
    return IngestSummary(runs.batches(store, run.run_id)[1], went_on, withheld, loading.texts_encoded, kind, kind_note)


def _first_texts(spool: Spool) -> list[str]:
    """Return distinct texts of the first batch."""
    first = next(iter(spool)).items if spool.batches else ()
    return list(dict.fromkeys(item.normal for item in first))[:DETECTION_ROWS]


class _Known(NamedTuple):
    """A source as it was before the input: its name, key and number of records; zeros if it is new."""

    name: str
    key: int
    size: int


def _check(store: Store, known: _Known, spool: Spool, intake: Intake, safeguards: Safeguards, *, missing: int) -> None:
    """Refuse an input that ``safeguards`` forbid, or one without rows that would remove the ``missing`` records.

    Raises:
        InputRefused, TooManyRemoved, UsageError: as ``ingest``.
    """
    if missing and not intake.rows_in:
        raise InputRefused(
            f"The input has no rows, which would remove all {known.size:,} records of source {known.name!r}. Check the "
            "input, or index it into a new workspace.",
            "E_EMPTY",
        )
    first = next(iter(spool)).items if spool.batches else ()
    if known.size:
        check_id_column(store, known.key, known.name, first, safeguards.columns)
    elif not safeguards.is_named:
        check_elsewhere(store, known.name, first)
    if not intake.unidentified:
        check_removal(known.name, known.size, missing, intake.rows_in, safeguards.max_removed)


def _most_texts(store: Store, known: _Known, intake: Intake, *, mirror: bool) -> int:
    """Return an upper bound on the number of distinct texts after the input is stored.

    It adds the texts of other sources, the records of this source that stay, and the rows, which may all be new.
    """
    columns = select(func.count(record.c.text_id.distinct())).join_from(record, source)
    of_others = store.read(columns.where(source.c.name != known.name))[0][0]
    stay = 0
    if intake.unidentified or not mirror:
        stay = len(_missing_records(store, known, intake, mirror=True))
    return int(of_others) + stay + intake.rows_in


def _check_source(store: Store, name: str, identity: Identity, rows: Iterable[Row | Reject]) -> _Known:
    """Return what is known of a source.

    Raises:
        UsageError: The source has the other identity.
        InputRefused: The source has the other identity and there are no rows; they may lack columns for that reason.

    """
    counted = select(func.count()).where(record.c.source_id == source.c.source_id).scalar_subquery()
    found = store.read(select(source.c.source_id, source.c.identity, counted).where(source.c.name == name))
    if not found:
        return _Known(name, 0, 0)
    source_id, before, size = found[0]
    if size and before != identity:
        if next(iter(rows), None) is None:
            raise InputRefused(f"The input has no rows, so source {name!r} was not changed.", "E_EMPTY")
        raise UsageError(
            f"Source {name!r} was indexed {_OTHER_IDENTITY[identity]}, or use another source with --source (source= in "
            "Python)."
        )
    return _Known(name, int(source_id), int(size))


def _begin(
    connection: Connection,
    *,
    name: str,
    identity: Identity,
    run: CurrentRun,
    digest: str,
    is_empty: bool,
    id_type: str | None,
    kind: str,
    columns: ColumnChoice | None,
) -> tuple[int, int]:
    """Return the keys of the source, created if it is new, and of the run to continue."""
    rows = fetch(connection, select(source.c.source_id).where(source.c.name == name))
    source_id = int(rows[0][0]) if rows else next_key(connection, source.c.source_id)
    if not rows:
        connection.execute(insert(source).values(source_id=source_id, name=name, identity=identity))
    else:
        connection.execute(update(source).where(source.c.source_id == source_id).values(identity=identity))
    if is_empty:
        id_types.record(connection, source_id, id_type)
    record_columns(connection, source_id, columns)
    record_kind(connection, source_id, kind)
    return source_id, runs.resume_run(connection, run, source_id, digest)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A batch to commit: its number, plan, vectors (once computed), and rows read up to its end."""

    number: int
    plan: Plan
    codes: Callable[[], Codes]
    done: int


class _Loading:
    """Commits the batches of one run; batches that are already committed are skipped."""

    def __init__(self, store: Store, source_id: int, run_id: int, model: Matcher) -> None:
        self.source_id = source_id
        self.texts_encoded = 0
        self._store = store
        self._run_id = run_id
        self._model = model
        self.number, _ = runs.batches(store, run_id)
        """Number of the next batch."""

    def store(self, spool: Spool, total: int, *, is_new: bool, progress: Progress) -> None:
        """Commit the spooled batches of ``total`` rows; ``is_new`` if the source has no records yet.

        The texts of the next batch are encoded while one is committed.
        """
        done, begun = 0, self.number
        waiting: _Prepared | None = None

        def commit(batch: _Prepared) -> dict[str, int]:
            text_ids = self._commit(batch)
            progress("store", batch.done, total)
            return text_ids

        with Encoding(self._model) as encoding:
            for number, batch in enumerate(spool):
                done += batch.rows_in
                if number < begun:
                    progress("store", done, total)
                    continue
                if waiting and waiting.plan.changes:  # they can delete texts that the next plan would rely on
                    commit(waiting)
                    waiting = None
                coming = waiting.plan.new_texts if waiting else []
                plan = plan_batch(self._store, self.source_id, batch, is_new=is_new, coming=coming)
                codes = encoding.begin(plan.new_texts)
                if waiting:
                    plan.text_ids.update(commit(waiting))
                waiting = _Prepared(number, plan, codes, done)
            if waiting:
                commit(waiting)
        self.number = max(begun, spool.batches)

    def _commit(self, batch: _Prepared) -> dict[str, int]:
        """Commit a batch and return the ids of its new texts."""
        plan = batch.plan
        codes = batch.codes() if plan.new_texts else np.empty((0, 0), np.int8)
        self.texts_encoded += len(codes)

        def work(connection: Connection) -> dict[str, int]:
            text_ids = apply_batch(
                connection,
                plan,
                source_id=self.source_id,
                run_id=self._run_id,
                model_id=self._model.model_id,
                codes=codes,
            )
            runs.add_batch(connection, self._run_id, batch.number, plan.accounts)
            return text_ids

        return self._store.write(work)

    def remove(self, records: list[tuple[int, int]]) -> None:
        """Commit the removal of records (``record_id``, ``text_id``) as a batch."""

        def work(connection: Connection) -> None:
            remove_records(connection, records)
            runs.add_batch(connection, self._run_id, self.number, Accounts(removed=len(records)))

        self._store.write(work)
        self.number += 1


def _missing_records(store: Store, known: _Known, intake: Intake, *, mirror: bool) -> NDArray[np.int64]:
    """Return ``record_id`` and ``text_id`` (n, 2) of the records that are not in the input; none unless ``mirror``."""
    columns, after = record.c["external_id", "record_id", "text_id"], ""
    found = [np.empty((0, 2), np.int64)]
    while mirror and known.size:
        here = (record.c.source_id == known.key, record.c.external_id > after)
        page = store.read(select(*columns).where(*here).order_by(record.c.external_id).limit(PAGE))
        if not page:
            break
        held = intake.keys.contains(keys_of(external_id for external_id, *_ in page))
        found.append(np.array([row[1:] for row in page], np.int64)[~held])
        after = page[-1][0]
    return np.concatenate(found)


def _remove(loading: _Loading, missing: NDArray[np.int64], removal_rows: int, progress: Progress) -> None:
    """Remove the records missing from the input."""
    for start in range(0, len(missing), removal_rows):
        page = missing[start : start + removal_rows].tolist()
        loading.remove([(record_id, text_id) for record_id, text_id in page])
        progress("remove", start + len(page), len(missing))
