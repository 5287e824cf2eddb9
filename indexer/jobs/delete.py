"""The job ``dedup delete``: delete records from the store."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, Select, func, select

from dedup.errors import UsageError
from dedup.runtime.progress import Progress, no_progress
from indexer.ingest.upsert import remove_records
from indexer.jobs.index import compact
from indexer.store import runs
from indexer.store.engines import PAGE, chunks
from indexer.store.runs import Accounts, CurrentRun, recorded_run
from indexer.store.schema import record, source
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots


class Deleted(NamedTuple):
    """The source of the deleted records, and their number."""

    source: str
    records: int


def delete(
    workspace: Workspace, external_ids: Sequence[str] | None, source_name: str | None, progress: Progress = no_progress
) -> Deleted:
    """Delete the records with these ids, or a whole source if ``external_ids`` is None; an empty list deletes nothing.

    Either all of the records are deleted or none. Without ``source_name``, the ids must belong to only one source.
    Stages reported to ``progress``: ``delete`` and those of ``refresh_snapshot``.

    Raises:
        UsageError: neither is given, nothing is indexed, or there is no such source or record; nothing was deleted.
    """
    if external_ids is None and not source_name:
        raise UsageError(
            "Say what to delete: records by their ids (--id, or ids= in Python), or a whole source (--source, or "
            "source= in Python)."
        )
    workspace.check_readable()
    if external_ids is not None and not external_ids:
        return Deleted(source_name or "", 0)
    with workspace.open(for_writing=True) as store:
        name = source_name or _only_source(store, external_ids or ())
        deleted = delete_records(store, external_ids, name) if external_ids else delete_source(store, name, progress)
        compact(Snapshots(store, workspace.snapshots), progress)
    return Deleted(name, deleted)


def delete_records(store: Store, external_ids: Sequence[str], source_name: str) -> int:
    """Delete these records of a source, all or none, and return their number.

    Raises:
        UsageError: there is no such source, or it has no record with one of these ids.

    """
    source_id = _source(store, source_name)
    wanted = list(dict.fromkeys(external_ids))
    with recorded_run(store, "delete") as run:
        run.manifest |= {"source": source_name, "ids": len(wanted)}
        run.run_id = store.write(lambda connection: _begin(connection, run, source_id, "\0".join(wanted)))
        is_done, accounts = runs.batches(store, run.run_id)
        if is_done:  # by a job that was killed before it returned
            return accounts.removed
        statements = (_records(source_id).where(record.c.external_id.in_(chunk)) for chunk in chunks(wanted))
        found = {row.external_id: (row.record_id, row.text_id) for row in store.read(*statements)}
        missing = [external_id for external_id in wanted if external_id not in found]
        if missing:
            raise UsageError(
                f"Source {source_name!r} has no record with the id {missing[0]!r}"
                f"{f' (nor {len(missing) - 1} more of those given)' if missing[1:] else ''}; nothing was deleted."
            )
        _remove(store, run, list(found.values()))
    return len(found)


def delete_source(
    store: Store, source_name: str, progress: Progress = no_progress, *, records_at_once: int = PAGE
) -> int:
    """Delete all records of a source, ``records_at_once`` per transaction, and return their number.

    An interrupted deletion continues when it is started again; the number then includes the records deleted before.
    Stages reported to ``progress``: ``delete``.

    Raises:
        UsageError: there is no such source.

    """
    source_id = _source(store, source_name)
    with recorded_run(store, "delete") as run:
        run.manifest |= {"source": source_name}
        run.run_id = store.write(lambda connection: _begin(connection, run, source_id, ""))
        removed = runs.batches(store, run.run_id)[1].removed
        total = removed + store.read(select(func.count()).where(record.c.source_id == source_id))[0][0]
        while page := store.read(_records(source_id).limit(records_at_once)):
            _remove(store, run, [(row.record_id, row.text_id) for row in page])
            removed += len(page)
            progress("delete", removed, total)
    return removed


def _only_source(store: Store, external_ids: Sequence[str]) -> str:
    """Return the only source that has records with these ids."""
    columns = select(source.c.name).join_from(source, record).distinct()
    found = store.read(*(columns.where(record.c.external_id.in_(chunk)) for chunk in chunks(external_ids)))
    names: list[str] = sorted({name for (name,) in found})
    if not names:
        raise UsageError(f"No source has a record with the id {external_ids[0]!r}; nothing was deleted.")
    if len(names) > 1:
        raise UsageError(
            f"Several sources have records with these ids: {', '.join(names)}. Choose one with --source, or source= in "
            "Python."
        )
    return names[0]


def _source(store: Store, name: str) -> int:
    rows = store.read(select(source.c.source_id, source.c.name).order_by(source.c.name))
    keys = {known: source_id for source_id, known in rows}
    if name not in keys:
        raise UsageError(f"There is no source {name!r}. Sources: {', '.join(map(repr, keys)) or 'none'}.")
    return int(keys[name])


def _records(source_id: int) -> Select[tuple[str, int, int]]:
    columns = select(record.c.external_id, record.c.record_id, record.c.text_id)
    return columns.where(record.c.source_id == source_id).order_by(record.c.external_id)


def _begin(connection: Connection, run: CurrentRun, source_id: int, what: str) -> int:
    return runs.resume_run(connection, run, source_id, sha256(f"delete\0{what}".encode()).hexdigest())


def _remove(store: Store, run: CurrentRun, records: list[tuple[int, int]]) -> None:
    number, _ = runs.batches(store, run.run_id)

    def work(connection: Connection) -> None:
        remove_records(connection, records)
        runs.add_batch(connection, run.run_id, number, Accounts(removed=len(records)))

    store.write(work)
