"""The job ``dedup verify``: check the database, and the snapshot against the database.

Each table is read once, page by page, with one transaction per page, so a writer never waits longer than a page takes.
Only data of the same page is compared. That is enough: a text and its vector never change and are committed together,
and no id is reused. If a text is deleted during the check, it is either seen or not, and both are valid. The next free
id is read last, so it is above every id seen. Only SQLite's own checks read a whole table in one statement.

Memory: the snapshot, 24 bytes for each of its vectors, and one page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, func, select

from dedup.errors import CorruptStore
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from dedup.text.normalise import normalise
from indexer.findings.checks import faults_of_findings
from indexer.ingest.intake import content_digest
from indexer.jobs.reviewing.judgement_table import faults_of_judgements
from indexer.models.stored import coming_model
from indexer.store.engines import PAGE
from indexer.store.integrity.audit import audit
from indexer.store.integrity.settings import next_id_key
from indexer.store.integrity.values import json_object, strings_of
from indexer.store.runs import Accounts
from indexer.store.schema import (
    ingest_batch,
    metadata,
    model,
    near_pair,
    next_vector,
    record,
    run,
    source,
    text,
    text_vector,
)
from indexer.store.store import Ids, Store
from indexer.store.texts import text_digest
from indexer.store.workspace import Workspace
from indexer.vectors.faiss_index import digest_text, iter_content, row_digests, total
from indexer.vectors.neighbour_file import FILE_NAME as NEIGHBOURS
from indexer.vectors.neighbour_file import NeighbourFiles
from indexer.vectors.snapshot import Snapshots
from indexer.vectors.snapshot_file import FILE_NAME, BadSnapshot

Kind = Literal["truth", "vectors", "snapshot", "note"]
"""What a fault means: the database is damaged, a text has no vector, the snapshot is bad, or nothing is wrong."""

MAX_EXAMPLES = 5
"""Faults of a check that are described; all are counted."""
_KNOWN_FILES = ("neardup.sqlite", "lock", "snapshots", "rejects")

Pages = Callable[[Select[Any], ColumnElement[int]], Iterator[list[Any]]]
"""Reads the rows of a statement page by page (``_pages``)."""


@dataclass(slots=True)
class Check:
    """The result of a check: the number of items checked, the number of faults, and descriptions of the first few."""

    name: str
    kind: Kind
    checked: int = 0
    faults: int = 0
    examples: list[str] = field(default_factory=list)

    def fault(self, description: str) -> None:
        """Record a fault."""
        self.faults += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(description)


@dataclass(frozen=True, slots=True)
class _Published:
    """The content of the current snapshot: ids (n,), ascending, and the digests (n, 2) of their vectors."""

    max_text_id: int
    ids: Ids
    digests: NDArray[np.uint64]


def verify_workspace(
    workspace: Workspace, model: Matcher, *, repair: bool = False, progress: Progress = no_progress
) -> tuple[list[Check], bool]:
    """Check a workspace; with ``repair``, rebuild a bad or missing snapshot and check again.

    Returns the checks, and whether a snapshot was built. Stages reported to ``progress``: those of ``verify``, and of
    ``Snapshots.publish`` for a repair.

    Raises:
        UsageError: nothing is indexed.
        CorruptStore: the tables are not those of the schema, or a page of the file cannot be read.
    """
    workspace.check_readable()
    with workspace.open(for_writing=repair) as store:
        snapshots = Snapshots(store, workspace.snapshots)
        arguments = (snapshots, workspace.directory, model.model_id, model.dimension, progress)
        checks = verify(*arguments)
        if not repair or worst_kind(checks) != "snapshot":
            return checks, False
        snapshots.publish(model.model_id, min_similarity=model.min_similarity, progress=progress)
        return verify(*arguments), True


def verify(
    snapshots: Snapshots,
    directory: Path,
    model_id: str,
    dimension: int,
    progress: Progress = no_progress,
    *,
    rows_at_once: int = PAGE,
) -> list[Check]:
    """Check the store, its snapshot, and the files in the workspace ``directory``.

    Every text must have a vector of this model with ``dimension`` int8 values, and the snapshot must hold those of all
    texts up to its ``max_text_id``. Pages have ``rows_at_once`` rows. Stages reported to ``progress``: ``database``,
    ``values``, ``check snapshot``, ``checksum``, ``texts`` and ``records``.
    """
    store = snapshots.store
    checks = [_check_sqlite(store, progress)] if store.engine.dialect.name == "sqlite" else []
    if not worst_kind(checks):
        checks.append(_check_values(store, rows_at_once, progress))
    if worst_kind(checks):  # nothing else read from it can be trusted
        return checks
    snapshot, published = _check_snapshot(snapshots, model_id, progress)
    pages = partial(_pages, store, rows_at_once)
    of_texts = _check_texts(store, pages, model_id, dimension, published, snapshot, progress)
    _check_coming(store, of_texts[-1])
    records = _check_records(store, pages, progress)
    findings = [_check_findings(store, model_id, dimension), _check_neighbours(snapshots)]
    return [*checks, records, *of_texts, _check_runs(store, pages), snapshot, *findings, _check_files(directory)]


def worst_kind(checks: list[Check]) -> Kind | None:
    """Return the most serious kind with a fault; None if the workspace is sound."""
    kinds: tuple[Kind, ...] = ("truth", "vectors", "snapshot")
    return next((kind for kind in kinds if any(check.faults and check.kind == kind for check in checks)), None)


def _check_sqlite(store: Store, progress: Progress) -> Check:
    """Check the pages of the file, then each table with its indexes; a writer can write in between."""
    check = Check("database file", "truth", 1)
    pragmas = ["quick_check", *(f"integrity_check('{name}')" for name in metadata.tables), "foreign_key_check"]
    for done, pragma in enumerate(pragmas):
        progress("database", done, len(pragmas))
        with store.engine.connect() as connection:
            for line, *reference in connection.exec_driver_sql(f"PRAGMA {pragma}"):
                if reference:
                    check.fault(f"Row {reference[0]} of {line} refers to a missing row of {reference[1]}.")
                elif line != "ok":
                    check.fault(line)
    progress("database", len(pragmas), len(pragmas))
    return check


def _check_values(store: Store, rows_at_once: int, progress: Progress) -> Check:
    """Check every value of every table by itself."""
    check = Check("values", "truth")
    for rows, faults in audit(lambda statement: store.read(statement, is_checked=False), rows_at_once):
        check.checked += rows
        for fault in faults:
            check.fault(fault)
        progress("values", check.checked, None)
    return check


def _check_snapshot(snapshots: Snapshots, model_id: str, progress: Progress) -> tuple[Check, _Published | None]:
    """Check the file of the snapshot and its content; return the content unless it is bad."""
    check = Check("snapshot", "snapshot")
    try:
        opened = snapshots.read_current(model_id, progress)
    except BadSnapshot as error:
        check.fault(str(error))
        return check, None
    if opened is None:
        if snapshots.store.count_vectors(model_id):
            check.fault("There is no snapshot of the vectors of this model.")
        return check, None
    current, index = opened
    parts, done = [], 0
    for page_ids, codes in iter_content(index):
        parts.append((page_ids.copy(), row_digests(page_ids, codes)))
        done += len(page_ids)
        progress("checksum", done, current.n_vectors)
    ids, digests = np.concatenate([ids for ids, _ in parts]), np.concatenate([part for _, part in parts])
    if digest_text(sum(total(part) for _, part in parts)) != current.digest or ids.max() > current.max_text_id:
        check.fault(f"The vectors in {current.file_name} are not those that were published.")
        return check, None
    if ids.max() < current.max_text_id:
        check.fault(f"The last text in {current.file_name} is {ids.max()}, not {current.max_text_id}.")
    order = np.argsort(ids)
    return check, _Published(current.max_text_id, ids[order], digests[order])


def _check_texts(
    store: Store,
    pages: Pages,
    model_id: str,
    dimension: int,
    published: _Published | None,
    snapshot: Check,
    progress: Progress,
) -> list[Check]:
    """Check every text and its vector, also against the snapshot, whose faults are added to ``snapshot``."""
    texts, encoded, vectors = Check("texts", "truth"), Check("texts encoded", "vectors"), Check("vectors", "truth")
    number = store.counts().texts
    last = 0
    for rows in pages(_texts_of(model_id), text.c.text_id):
        sound = []
        for text_id, normal, digest, code, any_record in rows:
            if text_digest(normal) != digest:
                texts.fault(f"Text {text_id} does not match its digest.")
            if any_record is None:
                texts.fault(f"Text {text_id} has no record.")
            if code is None:
                encoded.fault(f"Text {text_id} has no vector of this model.")
            elif len(code) != dimension or not any(code):
                vectors.fault(f"The vector of text {text_id} is zero or does not have {dimension} dimensions.")
            else:
                sound.append((text_id, code))
        if sound and published:
            _compare(sound, published, vectors, snapshot)
        last = rows[-1].text_id
        texts.checked += len(rows)
        vectors.checked += len(sound)
        progress("texts", texts.checked, number)
    encoded.checked = texts.checked
    for normal, text_ids in _equal_texts(store):
        texts.fault(f"Texts {' and '.join(map(str, text_ids))} are equal: {normal!r}.")
    _check_next_id(store, "text", last, texts)
    return [texts, encoded, vectors]


def _check_coming(store: Store, vectors: Check) -> None:
    """Check the vectors of a model that the store is changing to; the faults are added to ``vectors``."""
    coming = coming_model(store)
    try:
        for _ in store.iter_vectors(coming[0], table=next_vector) if coming else ():
            pass
    except CorruptStore as error:
        vectors.fault(str(error))


def _texts_of(model_id: str) -> Select[Any]:
    """Select each text with its vector of this model and one of its records, each None if missing."""
    key = select(model.c.model_key).where(model.c.model_id == model_id).scalar_subquery()
    of_text = (text_vector.c.text_id == text.c.text_id) & (text_vector.c.model_key == key)
    any_record = select(func.min(record.c.record_id)).where(record.c.text_id == text.c.text_id).scalar_subquery()
    columns = select(text.c.text_id, text.c.normal, text.c.digest, text_vector.c.code, any_record)
    return columns.outerjoin_from(text, text_vector, of_text)


def _compare(rows: list[tuple[int, bytes]], published: _Published, vectors: Check, snapshot: Check) -> None:
    """Compare vectors of the database with the snapshot, whose own checksum was verified."""
    ids = np.array([text_id for text_id, _ in rows], np.int64)
    digests = row_digests(ids, np.frombuffer(b"".join(code for _, code in rows), np.int8).reshape(len(ids), -1))
    places = np.minimum(np.searchsorted(published.ids, ids), len(published.ids) - 1)
    is_there = published.ids[places] == ids
    snapshot.checked += int(is_there.sum())
    for text_id in ids[~is_there & (ids <= published.max_text_id)].tolist():
        snapshot.fault(f"Text {text_id} is missing from the snapshot.")
    for text_id in ids[is_there & (digests != published.digests[places]).any(axis=1)].tolist():
        vectors.fault(f"The vector of text {text_id} differs from the one in the snapshot.")


def _check_records(store: Store, pages: Pages, progress: Progress) -> Check:
    check = Check("records", "truth")
    columns = record.c["record_id", "raw", "fields", "content_digest"]
    number = store.counts().records
    last = 0
    for rows in pages(select(*columns, text.c.normal).outerjoin_from(record, text), record.c.record_id):
        for record_id, raw, fields, digest, normal in rows:
            if _content_digest(raw, fields) != digest:
                check.fault(f"Record {record_id} does not match its digest.")
            elif normalise(raw) != normal:
                check.fault(f"The text of record {record_id} is missing or is not the normal form of {raw!r}.")
        last = rows[-1].record_id
        check.checked += len(rows)
        progress("records", check.checked, number)
    _check_next_id(store, "record", last, check)
    return check


def _content_digest(raw: str, fields: str) -> bytes | None:
    """Return the digest of a stored record; None if its other columns are not a JSON object of strings."""
    try:
        return content_digest(raw, strings_of(fields))
    except ValueError:
        return None


def _equal_texts(store: Store) -> Iterator[tuple[str, list[int]]]:
    """Yield each normal form that several texts share, with their ids; equal digests can be coincidence."""
    several = select(text.c.digest).group_by(text.c.digest).having(func.count() > 1)
    found: dict[str, list[int]] = {}
    for text_id, normal in store.read(select(text.c.text_id, text.c.normal).where(text.c.digest.in_(several))):
        found.setdefault(normal, []).append(text_id)
    return ((normal, sorted(ids)) for normal, ids in found.items() if len(ids) > 1)


def _check_next_id(store: Store, kind: str, last: int, check: Check) -> None:
    """Check that the next id is above ``last``, the largest in use."""
    free = store.meta(next_id_key(kind)) or ""
    if int(free) <= last:
        check.fault(f"The next {kind} id is recorded as {free!r}, but {last} is already in use.")


def _check_runs(store: Store, pages: Pages) -> Check:
    """Check that the batches of each run account for their rows and add up to the totals of a finished run."""
    check = Check("runs", "truth")
    columns = run.c["run_id", "kind", "state", "finished_at", "input_digest", "manifest"]
    for rows in pages(select(*columns, source.c.name).outerjoin_from(run, source), run.c.run_id):
        batches = _batches(store, rows[0].run_id, rows[-1].run_id)  # read last: those of a finished run never change
        for run_id, kind, state, finished_at, input_digest, manifest, name in rows:
            check.checked += 1
            numbers, accounts = batches.get(run_id, ([], Accounts()))
            found = json_object(manifest)
            if numbers != list(range(len(numbers))):
                check.fault(f"Run {run_id} has {len(numbers)} batches, but the last one has number {numbers[-1]}.")
            if accounts.rows_in != accounts.rejected + accounts.added + accounts.changed + accounts.unchanged:
                check.fault(f"The batches of run {run_id} do not account for all of their rows.")
            is_accounted = (kind, state) == ("index", "done") and input_digest is not None  # since schema 0002
            if is_accounted and found.get("rows") != asdict(accounts):
                check.fault(f"The batches of run {run_id} do not add up to its totals.")
            if (state == "running") != (finished_at is None):
                check.fault(f"Run {run_id} is {state}, but its end is {finished_at or 'missing'}.")
            if name is not None and state == "done" and found.get("source") != name:
                check.fault(f"Run {run_id} was of source {found.get('source')!r}, which now has the name {name!r}.")
    return check


def _batches(store: Store, first: int, last: int) -> dict[int, tuple[list[int], Accounts]]:
    """Return the numbers of the batches of each run from ``first`` to ``last``, ascending, and their total counts."""
    columns = ingest_batch.c["run_id", "batch_no", *Accounts.__dataclass_fields__]
    of_runs: defaultdict[int, list[Any]] = defaultdict(list)
    for run_id, *batch in store.read(select(*columns).where(ingest_batch.c.run_id.between(first, last))):
        of_runs[run_id].append(batch)
    return {
        run_id: (sorted(row[0] for row in rows), Accounts(*map(sum, list(zip(*rows, strict=True))[1:])))
        for run_id, rows in of_runs.items()
    }


def _check_findings(store: Store, model_id: str, dimension: int) -> Check:
    """Check pairs and clusters of the last report, and what people judged."""
    check = Check("findings", "truth")
    ((check.checked,),) = store.read(select(func.count()).select_from(near_pair))
    for fault in chain(faults_of_findings(store, model_id, dimension), faults_of_judgements(store)):
        check.fault(fault)
    return check


def _check_neighbours(snapshots: Snapshots) -> Check:
    """Check the files of neighbours; without them the next report searches all texts."""
    files = NeighbourFiles(snapshots.store, snapshots.directory)
    check = Check("neighbours", "note")
    for file in files.known():
        check.checked += file.n_texts
        if (fault := files.fault_of(file)) is not None:
            check.fault(f"{fault}; the next report searches all texts.")
    return check


def _check_files(directory: Path) -> Check:
    """List the files in the workspace that do not belong to neardup."""
    check = Check("files", "note")
    for path in sorted(directory.rglob("*")):
        check.checked += 1
        inside = path.relative_to(directory)
        first, *below = inside.parts
        if not (first == "rejects" or (_is_cache(path.name) if below else first.startswith(_KNOWN_FILES))):
            check.fault(f"{inside} does not belong to neardup.")
    return check


def _is_cache(name: str) -> bool:
    return bool(FILE_NAME.fullmatch(name) or NEIGHBOURS.fullmatch(name))


def _pages(store: Store, size: int, statement: Select[Any], key: ColumnElement[int]) -> Iterator[list[Any]]:
    """Yield the rows of a statement in the order of ``key``, its first column, in pages of ``size`` rows."""
    rest = statement
    while rows := store.read(rest.order_by(key).limit(size), is_checked=False):
        yield rows
        rest = statement.where(key > rows[-1][0])
