"""``Index``: a persistent index from Python, by the same jobs as the commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from threading import RLock
from typing import Any, Self, TypedDict, Unpack, overload

from sqlalchemy import URL

from dedup.errors import UsageError, WriterBusy
from dedup.matching.matcher import Matcher
from indexer.arguments import (
    Label,
    ModelOption,
    TextColumns,
    id_column_of,
    limit_of,
    model_of,
    path_of,
    probability_of,
    share_of,
    source_of,
    text_columns_of,
    text_of,
    texts_of,
)
from indexer.ingest import id_types
from indexer.jobs import delete as delete_job
from indexer.jobs.duplicates import find_duplicates, places_of
from indexer.jobs.index import index_input
from indexer.jobs.query import Match as Found
from indexer.jobs.query import Searcher
from indexer.jobs.report import report as report_job
from indexer.jobs.status import status as status_of
from indexer.jobs.verify import verify_workspace
from indexer.progress_bar import ProgressOption, progress_of
from indexer.reading.formats.python_rows import PythonTable, rows_of
from indexer.reading.inputs import Input, inputs_of_files
from indexer.reading.rejects import Reject
from indexer.reading.rows import ReadOptions
from indexer.results.deduplication import Duplicates
from indexer.results.indexing import Added, Status, Verification
from indexer.results.matches import ManyMatches, Matches
from indexer.results.records import Match, Record, Rejected
from indexer.store import store as stored
from indexer.store.database_url import parse_url
from indexer.store.integrity import settings
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

DEFAULT_SOURCE = "python"
"""Source of rows that are given as Python objects, unless one is named."""


class ReadingOptions(TypedDict, total=False):
    """How to read a file; what is not given is detected. See docs/cli.md."""

    encoding: str
    delimiter: str
    quote: str
    header: bool
    skip_lines: int
    lenient: bool
    fix_mojibake: bool
    allow_empty: bool


_OF_FILES = ReadingOptions.__annotations__.keys() - {"fix_mojibake"}


class Index:
    """A persistent index in a directory, or in a database that a URL names.

    ``location`` is the directory of a workspace, or the URL of a PostgreSQL or SQLite database; then ``workspace`` is
    the directory for its FAISS snapshots, and ``schema`` the schema of PostgreSQL (``public`` by default). Each method
    is the job of the command of that name: it takes the writer lock only while it writes, so other processes can use
    the index between calls. Close the index, or use it as a context manager. ``progress=True`` draws a bar in a
    terminal or notebook; a function gets (stage, done, total).

    >>> import neardup, tempfile
    >>> with neardup.Index(tempfile.mkdtemp()) as index:
    ...     added = index.add([{"id": 7, "name": "Acme Holdings Inc"}, {"id": 8, "name": "ACME HOLDINGS INCORPORATED"}])
    ...     match = index.query("Acme Hldgs")[0]
    ...     found = index.duplicates()
    ...     status, verification = index.status(), index.verify()
    ...     deleted = index.delete(8)
    >>> (added, match.record.id)
    (Added(2 rows: 2 added, 0 changed, 0 unchanged, 0 removed, 0 rejected; source 'python'), 7)
    >>> found, deleted
    (Duplicates(1 pair, 1 cluster, min_probability=0.5), 1)
    >>> status, verification
    (Status(2 records, 2 texts, 1 source), Verification(no faults))

    Raises:
        UsageError: the URL cannot be used, or its driver is not installed.
    """

    def __init__(
        self,
        location: str | os.PathLike[str] = ".dedup",
        *,
        workspace: str | os.PathLike[str] | None = None,
        schema: str | None = None,
        model: ModelOption = None,
        progress: ProgressOption = None,
    ) -> None:
        url = location if isinstance(location, str) and "://" in location else None
        if workspace is not None and not url:
            raise UsageError("workspace= applies only to the URL of a database; a directory is its own workspace.")
        given = (workspace or ".dedup", "workspace") if url else (location, "location", "a directory or a URL")
        directory = path_of(*given)
        self._workspace = Workspace(directory.absolute(), url and _absolute(url), schema=schema)
        self._model = model_of(model)
        self._progress = progress
        self._reader: _Reader | None = None
        self._lock = RLock()  # several threads may share an index

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is open; a copy opens the index for itself."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_reader", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._reader, self._lock = None, RLock()

    def __repr__(self) -> str:
        return f"Index({self._workspace.where!r})"

    def close(self) -> None:
        """Close the database and release the vectors. The index opens again when it is used."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def add(
        self,
        data: Any,  # noqa: ANN401 - a path or a table of any library
        *,
        text: TextColumns = None,
        id: Label | None = None,
        source: str | None = None,
        sync: bool = False,
        max_reject_rate: float = 0.05,
        **reading: Unpack[ReadingOptions],
    ) -> Added:
        """Add the rows of a file or of Python objects; rows with known ids are updated.

        ``data`` is a path, or rows as ``deduplicate`` takes them. Columns that are not named are found by their names.
        ``source`` is the collection the rows belong to: the name of the file, or ``python``. Without an id column a
        row is known by its content. With ``sync``, records of the source that are not in ``data`` are removed; a file
        without ids always replaces its source. Of 100 rows or more, at most the share ``max_reject_rate`` may be
        rejected. ``reading`` are further options for files: ``encoding``, ``delimiter``, ``quote``, ``header``,
        ``skip_lines``, ``lenient``, ``fix_mojibake`` and ``allow_empty``.

        Raises:
            UsageError, InputRefused: the rows cannot be read, or too many are rejected; nothing was changed.
            WriterBusy: another process is writing to this index.
            EnvironmentFault: the disk or the database fails.
        """
        if unknown := sorted(reading.keys() - ReadingOptions.__annotations__.keys()):
            known = ", ".join(ReadingOptions.__annotations__)
            raise UsageError(f"There is no option {unknown[0]!r}; the options of reading are {known}.")
        options = ReadOptions(text_columns=text_columns_of(text), id_column=id_column_of(id), **reading)
        rejects = _Rejects()
        mirror, table = None, None
        if isinstance(data, str | os.PathLike):
            (given,) = inputs_of_files([os.fspath(data)], None if source is None else source_of(source))
        else:
            if for_files := sorted(reading.keys() & _OF_FILES):
                raise UsageError(f"{for_files[0]}= applies only to files.")
            rows = rows_of(data)
            table = PythonTable(rows, options, id_types.to_text)
            name = source_of(DEFAULT_SOURCE if source is None else source)
            given = Input(name, (), lambda wanted: PythonTable(rows, wanted, id_types.to_text))
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
                id_type=id_types.type_of(table.ids) if table and table.ids else None,
                max_reject_rate=share_of(max_reject_rate, "max_reject_rate"),
                notify=notes.append,
                progress=progress,
            )
        self.close()
        return Added.of(done, [_rejected(reject, table) for reject in rejects.rows], notes)

    def delete(
        self,
        ids: Any = None,  # noqa: ANN401 - one id or several
        *,
        source: str | None = None,
    ) -> int:
        """Delete the records with these ids, all or none of them, or a whole ``source``; return how many there were.

        ``ids`` is one id or several; an empty list deletes nothing.

        Raises:
            UsageError: neither is given, or there is no such record or source; nothing was deleted.
            WriterBusy: another process is writing to this index.
        """
        one = isinstance(ids, str) or not isinstance(ids, Iterable)
        wanted = None if ids is None else id_types.to_stored([ids] if one else ids)
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
            UsageError: nothing is indexed, a query is not a string, ``limit`` is less than 1, or ``min_probability`` is
                not between 0 and 1.
            InputRefused: a text holds no letter, digit or symbol, or is too long.
            VersionMismatch: the index was made with another model.
        """
        limit, least = limit_of(limit), probability_of(min_probability, 0)
        single = isinstance(text, str) or not isinstance(text, Iterable)
        texts = [text_of(text, "text")] if single else texts_of(text, "text")
        with self._lock:
            reader = self._open_reader()
            found = reader.searcher.query(texts, limit=limit, min_probability=least)
            parsers, model = reader.parsers(), reader.searcher.model
        results = [
            Matches(query, least, _matches(query, hits, parsers), model)
            for query, hits in zip(texts, found, strict=True)
        ]
        return results[0] if single else ManyMatches(tuple(results), model)

    def duplicates(self, *, min_probability: float | None = None) -> Duplicates:
        """Find all duplicates in the index.

        Pairs have at least ``min_probability`` (default: the model's, 0.5 for the one that ships with neardup). The
        result holds every record of the index in memory; ``report`` does not.

        Raises:
            UsageError: nothing is indexed.
            VersionMismatch: the index was made with another model.
            WriterBusy: another process has changed the index meanwhile.
        """
        least = probability_of(min_probability, self._model.default_probability)
        with self._workspace.open(for_writing=False) as store, progress_of(self._progress) as progress:
            before = _state(store)
            snapshots = Snapshots(store, self._workspace.snapshots)
            found = find_duplicates(snapshots, self._model, min_probability=least, progress=progress)
            parsers = id_types.parsers(store)
            stored_records = sorted(store.iter_records(), key=lambda one: one.record_id)
            if _state(store) != before:
                raise WriterBusy("Another process has changed the index while its duplicates were searched; try again.")
        places = places_of(stored_records, found.text_ids)
        records = [_record(one, parsers) for one in stored_records]
        of_text: dict[int, list[Record]] = {}
        for place, record in zip(places, records, strict=True):
            of_text.setdefault(place, []).append(record)
        return Duplicates(records, (), least, (), None, found.near, of_text, len(found.text_ids))

    def report(self, output: str | os.PathLike[str], *, min_probability: float | None = None) -> dict[str, Any]:
        """Write ``pairs.csv``, ``clusters.csv`` and ``summary.json`` into the directory ``output``; return the summary.

        Raises:
            UsageError: nothing is indexed.
            EnvironmentFault: the files cannot be written.
        """
        least, folder = probability_of(min_probability, self._model.default_probability), path_of(output, "output")
        with progress_of(self._progress) as progress:
            return report_job(self._workspace, self._model, folder, min_probability=least, progress=progress)

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
        except BaseException:
            self._opened.close()
            raise

    def parsers(self) -> dict[str, Callable[[str], Any]]:
        """Return the id parsers by source; not kept, because a source may be new."""
        return id_types.parsers(self._store)

    def is_current(self) -> bool:
        """Return whether nothing was written since this was opened."""
        return _state(self._store) == self._state

    def close(self) -> None:
        """Close the database and end worker processes."""
        self._opened.close()


def _state(store: Store) -> str | None:
    """Return what changes with every transaction of a writer."""
    return store.meta(settings.WRITER)


class _Rejects:
    """Keeps the rows that are rejected."""

    def __init__(self) -> None:
        self.rows: list[Reject] = []

    def add(self, reject: Reject) -> None:
        self.rows.append(reject)


def _absolute(url: str) -> str:
    """Return the URL of a SQLite file with an absolute path, so that it stays the same file in another directory."""
    parsed: URL = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        parsed = parsed.set(database=os.path.abspath(parsed.database))
    return parsed.render_as_string(hide_password=False)


def _rejected(reject: Reject, table: PythonTable | None) -> Rejected:
    """Return a rejected row, with its id if it comes from Python."""
    place = reject.record_no - 1
    if table is None:
        return Rejected(place, None, reject.message, reject.error, reject.line)
    return Rejected(place, table.ids[place] if table.ids else None, reject.message, reject.error)


def _record(record: stored.Record, parsers: dict[str, Callable[[str], Any]]) -> Record:
    fields = {name: value for name, value in record.fields.items() if value}
    return Record(parsers[record.source](record.external_id), record.raw, record.source, fields)


def _matches(query: str, hits: list[Found], parsers: dict[str, Callable[[str], Any]]) -> tuple[Match, ...]:
    """Return a match for each record of each hit."""
    return tuple(
        Match(query, _record(record, parsers), hit.probability, hit.similarity, hit.exact)
        for hit in hits
        for record in hit.records
    )
