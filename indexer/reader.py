"""What answers the queries of an ``Index``, and whether it is still current."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from dedup.matching.matcher import Matcher
from indexer.ingest import id_types
from indexer.jobs.query import Searcher
from indexer.progress_bar import ProgressOption, progress_of
from indexer.store.integrity import settings
from indexer.store.store import Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots


class Reader:
    """The store and the vectors, open for queries."""

    def __init__(self, workspace: Workspace, model: Matcher, progress: ProgressOption) -> None:
        self._opened = ExitStack()
        try:
            self._store = self._opened.enter_context(workspace.open(for_writing=False))
            report = self._opened.enter_context(progress_of(progress))
            self._state = state_of(self._store)
            snapshots = Snapshots(self._store, workspace.snapshots)
            self._search_in = partial(Searcher, snapshots, model, report)
            self._sources: frozenset[str] = frozenset()
            self._searcher = self._search_in()
            self._opened.callback(lambda: self._searcher.close())
        except BaseException:
            self._opened.close()
            raise

    def searcher(self, sources: Sequence[str] = ()) -> Searcher:
        """Return what searches in these sources, or in all; it is kept until others are asked for.

        Raises what ``Searcher`` raises.
        """
        if self._sources != frozenset(sources):
            searcher = self._search_in(sources=sources)
            self._searcher.close()
            self._searcher, self._sources = searcher, frozenset(sources)
        return self._searcher

    def parsers(self) -> dict[str, Callable[[str], Any]]:
        """Return the id parsers by source; not kept, because a source may be new."""
        return id_types.parsers(self._store)

    def is_current(self) -> bool:
        """Return whether nothing was written since this was opened."""
        return state_of(self._store) == self._state

    def close(self) -> None:
        """Close the database and end worker processes."""
        self._opened.close()


def state_of(store: Store) -> str | None:
    """Return what changes with every transaction of a writer."""
    return store.meta(settings.WRITER)
