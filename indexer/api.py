"""``Index``: a persistent index from Python, by the same jobs as the commands."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from threading import RLock
from typing import Any, Self, Unpack, overload

from dedup.errors import UsageError, WriterBusy
from dedup.matching.matcher import Matcher
from indexer.arguments import (
    FieldColumns,
    FieldValues,
    Label,
    ModelOption,
    Sources,
    TextColumns,
    default_model,
    field_values_of,
    kind_named,
    limit_of,
    model_of,
    path_of,
    probability_of,
    python_input_of,
    read_options_of,
    share_of,
    source_of,
    sources_of,
    text_of,
    texts_of,
)
from indexer.in_memory import left_side
from indexer.index_findings import Findings
from indexer.ingest import id_types
from indexer.jobs import delete as delete_job
from indexer.jobs.duplicates import find_duplicates
from indexer.jobs.index import index_input
from indexer.jobs.link import LINKS_OF_A_TEXT
from indexer.jobs.status import status as status_of
from indexer.jobs.verify import verify_workspace
from indexer.linking import link_to_index
from indexer.models.choice import model_for
from indexer.outputs.record_pairs import MAX_PAIRS
from indexer.progress_bar import ProgressOption, progress_of
from indexer.reader import Reader, state_of
from indexer.reading.inputs import inputs_of_files
from indexer.reading.rejects import RejectsList
from indexer.reading.rows import ReadingOptions
from indexer.results.deduplication import Duplicates
from indexer.results.indexing import Added, Status, Verification
from indexer.results.links import Links
from indexer.results.matches import ManyMatches, Matches, matches_of
from indexer.results.records import Record, Rejected, rejected_of
from indexer.results.sides import Side, record_of
from indexer.store.database_url import absolute_url
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots


class Index(Findings):
    """A persistent index in a directory, or in a database that a URL names.

    ``location`` is the directory of a workspace, or the URL of a PostgreSQL or SQLite database; then ``workspace`` is
    the directory for its FAISS snapshots, and ``schema`` the schema of PostgreSQL (``public`` by default). Each method
    is the job of the command of that name: it takes the writer lock only while it writes, so other processes can use
    the index between calls. Close the index, or use it as a context manager. ``progress=True`` draws a bar in a
    terminal or notebook; a function gets (stage, done, total).

    ``model`` is a model, its directory, or the name of a registered one. Without it the index has the model that it was
    made with, if that is registered, or the one that ships with neardup. Another model is refused, but ``add`` changes
    the index to it: all texts are encoded anew, and the old model answers until then.

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
        self._workspace = Workspace(directory.absolute(), url and absolute_url(url), schema=schema)
        self._given = None if model is None else model_of(model)
        self._progress = progress
        self._reader: Reader | None = None
        self._lock = RLock()  # several threads may share an index

    @property
    def _model(self) -> Matcher:
        """The model that was given, or else that of the index; raises as ``model_for``."""
        return model_for(self._workspace, self._given, shipped=default_model)

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
        fields: FieldColumns = None,
        source: str | None = None,
        kind: str | None = None,
        sync: bool = False,
        max_removed: float | None = None,
        max_reject_rate: float = 0.05,
        **reading: Unpack[ReadingOptions],
    ) -> Added:
        """Add the rows of a file or of Python objects; rows with known ids are updated.

        ``data`` is a path, or rows as ``deduplicate`` takes them. Columns that are not named are those of the source,
        or found by their names and values. ``fields`` are further columns that serve as evidence: their names, or a
        dict with their kinds, ``{"city": "city", "vat": "id"}`` (``dedup index --field``). ``source`` is the collection
        the rows belong to: the name of the file, or ``python``. ``kind`` is that of the texts: ``company`` and
        ``person`` for names, ``text`` for products, titles, addresses and the like; without it, it is that of the
        index, or detected. Without an id column a row is known by its content. With ``sync``, records of the source
        that are not in ``data`` are removed; a file without ids always replaces its source. At most the share
        ``max_removed`` of the records is removed (default: 0.1, but up to 10 if that is at most half of them). Of 100
        rows or more, at most the share ``max_reject_rate`` may be rejected. ``reading`` are further options for files:
        ``encoding``, ``delimiter``, ``quote``, ``header``, ``skip_lines``, ``lenient``, ``escape``, ``short_rows``,
        ``sheet``, ``fix_mojibake`` and ``allow_empty``.

        Raises:
            UsageError, InputRefused: the rows cannot be read, too many are rejected, or most are in another source and
                ``source`` is not given; nothing was changed.
            TooManyRemoved: more records than ``max_removed`` would be removed; nothing was changed.
            WriterBusy, EnvironmentFault: another process is writing; the disk or the database fails.
        """
        options, rejects = read_options_of(data, text, id, reading, fields), RejectsList()
        table = None
        if is_file := isinstance(data, str | os.PathLike):
            (given,) = inputs_of_files([os.fspath(data)], None if source is None else source_of(source))
        else:
            table, given = python_input_of(data, options, source)
        notes: list[str] = []
        with progress_of(self._progress) as progress:
            done = index_input(
                self._workspace,
                model_for(self._workspace, self._given, may_change=True, shipped=default_model),
                given,
                rejects,
                options=options,
                sync=sync,
                mirror=None if is_file else sync,
                id_type=id_types.type_of(table.ids) if table and table.ids else None,
                kind=kind_named(kind),
                max_removed=None if max_removed is None else share_of(max_removed, "max_removed"),
                max_reject_rate=share_of(max_reject_rate, "max_reject_rate"),
                notify=notes.append,
                progress=progress,
            )
        self.close()
        return Added.of(done, [rejected_of(reject, table) for reject in rejects.rows], rejects.reasons, notes)

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
        self,
        text: str,
        *,
        limit: int = 10,
        min_probability: float = 0.05,
        source: Sources | None = None,
        fields: FieldValues | None = None,
    ) -> Matches: ...
    @overload
    def query(
        self,
        text: Iterable[str],
        *,
        limit: int = 10,
        min_probability: float = 0.05,
        source: Sources | None = None,
        fields: Sequence[FieldValues] | None = None,
    ) -> ManyMatches: ...
    def query(
        self,
        text: str | Iterable[str],
        *,
        limit: int = 10,
        min_probability: float = 0.05,
        source: Sources | None = None,
        fields: FieldValues | Sequence[FieldValues] | None = None,
    ) -> Matches | ManyMatches:
        """Find the records that are probably the same as a text, or as each of many.

        At most ``limit`` distinct texts for each query, best first, with all their records, or with those of one or
        several sources only. ``fields`` are values of fields of the index, ``{"city": "Ulm"}``, or a list of such
        dicts, one for each text: they tell the records of a text apart. The vectors stay in memory for the next query
        in the same sources; what other processes write is seen.

        Raises:
            UsageError: nothing is indexed, there is no such source or field, a query is not a string, ``limit`` is
                less than 1, or ``min_probability`` is not between 0 and 1.
            InputRefused: a text holds no letter, digit or symbol, or is too long.
            VersionMismatch: the index was made with another model.
        """
        limit, least = limit_of(limit), probability_of(min_probability, 0)
        sources = [] if source is None else sources_of(source)
        single = isinstance(text, str) or not isinstance(text, Iterable)
        texts = [text_of(text, "text")] if single else texts_of(text, "text")
        values = field_values_of(fields, len(texts), single=single)
        with self._lock:
            reader = self._open_reader()
            searcher = reader.searcher(sources)
            given = [searcher.fields.given(one) for one in values]
            found = searcher.query(texts, limit=limit, min_probability=least, fields=given)
            parsers, model = reader.parsers(), searcher.model
        results = [
            Matches(query, least, matches_of(query, hits, parsers), model)
            for query, hits in zip(texts, found, strict=True)
        ]
        return results[0] if single else ManyMatches(tuple(results), model)

    def link(
        self,
        data: Any,  # noqa: ANN401 - a path or a table of any library
        against: Sources,
        *,
        text: TextColumns = None,
        id: Label | None = None,
        fields: FieldColumns = None,
        min_probability: float | None = None,
        limit: int = 10,
        **reading: Unpack[ReadingOptions],
    ) -> Links:
        """Find the records of the sources ``against`` that are the same as the rows of a file or of Python objects.

        The rows are not added. Columns with the name of a field of the index serve as evidence, or those that
        ``fields`` names; ``[]`` for none. Otherwise as ``neardup.link``; ``reading`` as in ``add``.

        Raises:
            UsageError, InputRefused: the rows cannot be read, or there is no such source.
            VersionMismatch: the index was made with another model.
        """
        least = probability_of(min_probability, self._model.default_probability)
        side, rejected = left_side(data, read_options_of(data, text, id, reading, fields))
        return self._link(side, sources_of(against), least, limit_of(limit), rejected)

    def between(
        self, left: str, right: str, *, min_probability: float | None = None, limit: int = LINKS_OF_A_TEXT
    ) -> Links:
        """Find the pairs across two sources of the index; for each left text at most ``limit`` right ones.

        Raises:
            UsageError: nothing is indexed, there is no such source, or both are the same.
            VersionMismatch: the index was made with another model.
        """
        least = probability_of(min_probability, self._model.default_probability)
        return self._link([source_of(left)], [source_of(right)], least, limit_of(limit))

    def _link(
        self, left: Side | list[str], right: list[str], least: float, limit: int, rejected: Sequence[Rejected] = ()
    ) -> Links:
        with progress_of(self._progress) as report:
            return link_to_index(
                *(self._workspace, left, right, self._model),
                min_probability=least,
                limit=limit,
                progress=report,
                rejected=rejected,
            )

    def duplicates(
        self, *, min_probability: float | None = None, max_pairs: int = MAX_PAIRS, judgements: bool = True
    ) -> Duplicates:
        """Find all duplicates in the index.

        Pairs have at least ``min_probability`` (default: the model's, 0.5 for the one that ships with neardup);
        ``max_pairs`` as in ``Duplicates.pairs``. What people judged holds, unless ``judgements`` is False. The result
        holds every record in memory; ``report`` does not.

        Raises:
            UsageError: nothing is indexed.
            VersionMismatch: the index was made with another model.
            WriterBusy: another process has changed the index meanwhile.
        """
        least = probability_of(min_probability, self._model.default_probability)
        most = limit_of(max_pairs, "max_pairs")
        with self._workspace.open(for_writing=False) as store, progress_of(self._progress) as progress:
            before = state_of(store)
            snapshots = Snapshots(store, self._workspace.snapshots)
            found = find_duplicates(
                snapshots, self._model, min_probability=least, judgements=judgements, progress=progress
            )
            parsers = id_types.parsers(store)
            stored_records = sorted(store.iter_records(), key=lambda one: one.record_id)
            if state_of(store) != before:
                raise WriterBusy("Another process has changed the index while its duplicates were searched; try again.")
        places = found.places_of(stored_records)
        records = [record_of(one, parsers) for one in stored_records]
        of_text: dict[int, list[Record]] = {}
        for place, record in zip(places, records, strict=True):
            of_text.setdefault(place, []).append(record)
        return Duplicates(records, (), least, (), None, found.near, of_text, len(found.text_ids), most)

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
        found = status_of(self._workspace)
        shown = ("records", "distinct_texts", "sources", "kind", "fields", "snapshot", "runs")
        return Status(*(found[name] for name in shown))

    def _open_reader(self) -> Reader:
        """Return what answers queries, opened again if the index has changed since."""
        if self._reader is not None and not self._reader.is_current():
            self.close()
        if self._reader is None:
            self._reader = Reader(self._workspace, self._model, self._progress)
        return self._reader
