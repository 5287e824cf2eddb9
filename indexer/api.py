"""``Index``: a persistent index from Python, by the same jobs as the commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from dedup.errors import UsageError
from dedup.matching.matcher import Matcher
from indexer.in_memory import TextColumns, checked_probability, default_model
from indexer.ingest import id_types
from indexer.jobs import delete as delete_job
from indexer.jobs.duplicates import find_duplicates
from indexer.jobs.index import InputIndexed, index_input
from indexer.jobs.query import Match as Found
from indexer.jobs.query import Searcher
from indexer.jobs.report import report as report_job
from indexer.jobs.status import status as status_of
from indexer.jobs.verify import verify_workspace
from indexer.progress_bar import ProgressOption, progress_of
from indexer.reading.formats.python_rows import PythonTable, rows_of
from indexer.reading.inputs import Input, inputs_of_files
from indexer.reading.rejects import Reject
from indexer.reading.rows import ReadOptions, Table
from indexer.results.deduplication import Duplicates
from indexer.results.indexing import Added, Status, Verification
from indexer.results.matches import ManyMatches, Matches
from indexer.results.records import Match, Record
from indexer.store import schema
from indexer.store import store as stored
from indexer.store.store import Ids, Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

DEFAULT_SOURCE = "python"
"""Source of rows that are given as Python objects, unless one is named."""


class Index:
    """A persistent index in a directory, or in a database that a URL names.

    ``location`` is the directory of a workspace, or the URL of a PostgreSQL or SQLite database; then ``workspace`` is
    the directory for its FAISS snapshots. Each method is the job of the command of that name: it takes the writer lock
    only while it writes, so other processes can use the index between calls. Close the index, or use it as a context
    manager.

    >>> import neardup, tempfile
    >>> with neardup.Index(tempfile.mkdtemp()) as index:
    ...     added = index.add([{"id": 7, "name": "Acme Holdings Inc"}, {"id": 8, "name": "Zenith Bank"}])
    ...     match = index.query("ACME Holdings Incorporated")[0]
    >>> (added.added, match.record.id, match.probability > 0.9)
    (2, 7, True)

    Raises:
        UsageError: the URL cannot be used, or its driver is not installed.
    """

    def __init__(
        self,
        location: str | os.PathLike[str] = ".dedup",
        *,
        workspace: str | os.PathLike[str] | None = None,
        model: Matcher | None = None,
        progress: ProgressOption = None,
    ) -> None:
        is_url = isinstance(location, str) and "://" in location
        if workspace is not None and not is_url:
            raise UsageError("workspace= goes with the URL of a database; a directory is its own workspace.")
        directory = Path(workspace or ".dedup") if is_url else Path(location)
        self._workspace = Workspace(directory, str(location) if is_url else None)
        self._model = model or default_model()
        self._progress = progress
        self._reader: _Reader | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Index({self._workspace.where!r})"

    def close(self) -> None:
        """Close the database and release the vectors. The index opens again when it is used."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def add(
        self,
        data: Any,  # noqa: ANN401 - a path or a table of any library
        *,
        text: TextColumns = None,
        id: str | None = None,
        source: str | None = None,
        sync: bool = False,
        max_reject_rate: float = 0.05,
        **reading: Any,  # noqa: ANN401 - as in ReadOptions
    ) -> Added:
        """Add the rows of a file or of Python objects; rows with known ids are updated.

        ``data`` is a path, or rows as ``deduplicate`` takes them. Columns that are not named are found by their names.
        ``source`` is the collection the rows belong to: the name of the file, or ``python``. Without an id column a
        row is known by its content. With ``sync``, records of the source that are not in ``data`` are removed; a file
        without ids always replaces its source. ``reading`` are further options for files: ``encoding``, ``delimiter``,
        ``quote``, ``header``, ``skip_lines``, ``lenient``, ``fix_mojibake`` and ``allow_empty``.

        Raises:
            UsageError, InputRefused: the rows cannot be read, or too many are rejected; nothing was changed.
            WriterBusy: another process is writing to this index.
            EnvironmentFault: the disk or the database fails.
        """
        options = _options(text, id, reading)
        rejects = _Kept()
        if isinstance(data, str | os.PathLike):
            (given,) = inputs_of_files([os.fspath(data)], source)
            mirror, id_type = None, None
        else:
            given, id_type = _rows_input(data, options, source or DEFAULT_SOURCE)
            mirror = sync
        notes: list[str] = []
        with progress_of(self._progress) as progress:
            done = index_input(
                self._workspace,
                self._model,
                given,
                rejects,
                options=options,
                sync=sync,
                mirror=mirror,
                id_type=id_type,
                max_reject_rate=max_reject_rate,
                notify=notes.append,
                progress=progress,
            )
        self.close()
        return _added(done, rejects.rejects, notes)

    def delete(self, ids: Iterable[Any] | None = None, *, source: str | None = None) -> int:
        """Delete the records with these ids, all or none of them, or a whole ``source``; return how many there were.

        Raises:
            UsageError: neither is given, or there is no such record or source; nothing was deleted.
            WriterBusy: another process is writing to this index.
        """
        wanted = [id_types.to_text(one) for one in ids] if ids is not None else []
        with progress_of(self._progress) as progress:
            deleted = delete_job.delete(self._workspace, wanted, source, progress)
        self.close()
        return deleted.records

    @overload
    def query(  # type: ignore[overload-overlap]  # a str is an Iterable[str] too; the first one wins
        self, text: str, *, limit: int = 10, min_probability: float = 0.05
    ) -> Matches: ...
    @overload
    def query(self, text: Iterable[str], *, limit: int = 10, min_probability: float = 0.05) -> ManyMatches: ...
    def query(
        self, text: str | Iterable[str], *, limit: int = 10, min_probability: float = 0.05
    ) -> Matches | ManyMatches:
        """Find the records that are probably the same as a text, or as each of many.

        At most ``limit`` distinct texts for each query, best first, with all their records. The vectors stay in memory
        for the next query; what other processes write is seen.

        Raises:
            UsageError: nothing is indexed, ``limit`` is less than 1, or ``min_probability`` is not between 0 and 1.
            InputRefused: a text holds no letter, digit or symbol, or is too long.
            VersionMismatch: the index was made with another model.
        """
        if limit < 1:
            raise UsageError(f"limit is {limit}; give at least 1.")
        least = checked_probability(min_probability)
        texts = [text] if isinstance(text, str) else list(text)
        reader = self._open_reader()
        found = reader.searcher.query(texts, limit=limit, min_probability=least)
        results = [
            Matches(query, _matches(query, hits, reader.parsers), least, reader.searcher.model.explain)
            for query, hits in zip(texts, found, strict=True)
        ]
        return results[0] if isinstance(text, str) else ManyMatches(tuple(results))

    def duplicates(self, *, min_probability: float | None = None) -> Duplicates:
        """Find all duplicates in the index. Pairs have at least ``min_probability`` (default: that of the model).

        Raises:
            UsageError: nothing is indexed.
            VersionMismatch: the index was made with another model.
        """
        least = checked_probability(self._model.default_probability if min_probability is None else min_probability)
        with self._workspace.open(for_writing=False) as store, progress_of(self._progress) as progress:
            snapshots = Snapshots(store, self._workspace.snapshots)
            found = find_duplicates(snapshots, self._model, min_probability=least, progress=progress)
            near = found.near
            records, of_text = _records_of_duplicates(store, found.text_ids, near.pairs, near.clusters.labels)
        return Duplicates(least, records, (), near, of_text, len(found.text_ids), near.model.explain)

    def report(self, output: str | os.PathLike[str], *, min_probability: float | None = None) -> dict[str, Any]:
        """Write ``pairs.csv``, ``clusters.csv`` and ``summary.json`` into the directory ``output``; return the summary.

        Raises:
            UsageError: nothing is indexed.
            EnvironmentFault: the files cannot be written.
        """
        least = None if min_probability is None else checked_probability(min_probability)
        with progress_of(self._progress) as progress:
            return report_job(self._workspace, self._model, Path(output), min_probability=least, progress=progress)

    def verify(self, *, repair: bool = False) -> Verification:
        """Check every record, text and vector, and the snapshot; true if nothing is wrong.

        With ``repair``, a snapshot that is bad or missing is built again.

        Raises:
            UsageError: nothing is indexed.
        """
        if repair:
            self.close()
        with progress_of(self._progress) as progress:
            checks, repaired = verify_workspace(self._workspace, self._model, repair=repair, progress=progress)
        return Verification(tuple(checks), repaired)

    def status(self) -> Status:
        """Return what the index holds.

        Raises:
            UsageError: nothing is indexed.
        """
        found = status_of(self._workspace, self._model.model_id)
        return Status(*(found[name] for name in ("records", "distinct_texts", "sources", "snapshot", "runs")))

    def _open_reader(self) -> _Reader:
        """Return what answers queries, opened again if the index has changed since."""
        if self._reader is not None and not self._reader.is_current():
            self.close()
        if self._reader is None:
            self._reader = _Reader(self._workspace, self._model, self._progress)
        return self._reader


class _Reader:
    """The store and the vectors, open for queries."""

    def __init__(self, workspace: Workspace, model: Matcher, progress: ProgressOption) -> None:
        self._opened = ExitStack()
        try:
            self._store = self._opened.enter_context(workspace.open(for_writing=False))
            report = self._opened.enter_context(progress_of(progress))
            self._state = _state(self._store)
            snapshots = Snapshots(self._store, workspace.snapshots)
            self.searcher = self._opened.enter_context(Searcher(snapshots, model, report))
            self.parsers = id_types.parsers(self._store)
        except BaseException:
            self._opened.close()
            raise

    def is_current(self) -> bool:
        """Return whether nothing was written since this was opened."""
        return _state(self._store) == self._state

    def close(self) -> None:
        """Close the database and end worker processes."""
        self._opened.close()


def _state(store: Store) -> str | None:
    """Return what changes with every transaction of a writer."""
    return store.meta("writer")


class _Kept:
    """Keeps the rows that are refused."""

    def __init__(self) -> None:
        self.rejects: list[Reject] = []

    def add(self, reject: Reject) -> None:
        self.rejects.append(reject)


def _options(text: TextColumns, id: str | None, reading: dict[str, Any]) -> ReadOptions:
    columns = [text] if isinstance(text, str) else text or ()
    try:
        return ReadOptions(text_columns=columns, id_column=id, **reading)
    except TypeError:
        known = ", ".join(name for name in ReadOptions.__dataclass_fields__ if not name.endswith(("columns", "column")))
        unknown = next(name for name in reading if name not in ReadOptions.__dataclass_fields__)
        raise UsageError(f"There is no option {unknown!r}; the options of reading are {known}.") from None


def _rows_input(data: object, options: ReadOptions, source: str) -> tuple[Input, str | None]:
    """Return Python rows as an input, and the type of their ids."""
    rows = rows_of(data)

    def opened(wanted: ReadOptions) -> Table:
        return PythonTable(rows, wanted, id_types.to_text)

    column = opened(options).choice.id
    return Input(source, (), opened), id_types.type_of(rows.columns[column]) if column else None


def _added(done: InputIndexed, rejects: Sequence[Reject], notes: Sequence[str]) -> Added:
    if done.result is None:
        return Added(done.source, 0, 0, 0, 0, 0, (), tuple(notes))
    rows = done.result.rows
    return Added(
        done.source, rows.rows_in, rows.added, rows.changed, rows.unchanged, rows.removed, tuple(rejects), tuple(notes)
    )


def _record(record: stored.Record, parsers: dict[str, Callable[[str], Any]]) -> Record:
    return Record(parsers[record.source](record.external_id), record.raw, record.source, record.fields)


def _matches(query: str, hits: list[Found], parsers: dict[str, Callable[[str], Any]]) -> tuple[Match, ...]:
    return tuple(
        Match(query, _record(record, parsers), hit.probability, hit.similarity, hit.exact)
        for hit in hits
        for record in hit.records
    )


def _records_of_duplicates(
    store: Store, text_ids: Ids, pairs: NDArray[np.int64], labels: NDArray[np.int64]
) -> tuple[list[Record], dict[int, list[Record]]]:
    """Return the records of texts that are in a pair or a cluster or have several records, in the order of their ids.

    Also by position of their text.
    """
    involved = (np.bincount(labels, minlength=len(labels)) > 1)[labels]
    involved[pairs.ravel()] = True
    several = select(schema.record.c.text_id).group_by(schema.record.c.text_id).having(func.count() > 1)
    ids = np.union1d(text_ids[involved], np.array([row[0] for row in store.read(several)], np.int64))
    parsers = id_types.parsers(store)
    places = dict(zip(ids.tolist(), np.searchsorted(text_ids, ids).tolist(), strict=True))
    found = [
        (record.record_id, places[text_id], _record(record, parsers))
        for text_id, records in store.records_of_texts(ids).items()
        for record in records
    ]
    found.sort(key=lambda one: one[0])
    of_text: dict[int, list[Record]] = {}
    for _, place, record in found:
        of_text.setdefault(place, []).append(record)
    return [record for _, _, record in found], of_text
