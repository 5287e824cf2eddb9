"""The neighbours of all texts: those that the last report kept, brought up to date."""

from __future__ import annotations

from collections.abc import Callable

from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress
from indexer.findings.baseline import Baseline
from indexer.findings.ledger import Ledger
from indexer.store.store import Codes, Ids
from indexer.vectors.knn_update import search_all, search_changed
from indexer.vectors.neighbour_file import NeighbourFile, NeighbourFiles
from indexer.vectors.snapshot import Snapshots
from indexer.vectors.top_k import Keys

_WORTH_KEEPING = 0.1
"""Share of the texts whose search is worth keeping if the report is interrupted."""

Keep = Callable[[NeighbourFile], None]
"""Names a file of neighbours in the database, for the case that the report is interrupted."""


class Search:
    """The neighbours of all texts: those that were kept, brought up to date.

    Attributes:
        baseline: What decides which texts are compared.
        generation: Generation of the snapshot used, if any.
        now: The neighbours.
        before: Candidates of the last report among these texts (n, k) as keys; None if they are not known.
        searched: Number of texts that were searched.

    """

    def __init__(
        self,
        snapshots: Snapshots,
        model: Matcher,
        baseline: Baseline,
        generation: int | None,
        text_ids: Ids,
        codes: Codes,
        progress: Progress,
    ) -> None:
        self.baseline, self.generation = baseline, generation
        self._files = NeighbourFiles(snapshots.store, snapshots.directory)
        self._space = baseline.space(model)
        self._text_ids, self._codes, self._progress = text_ids, codes, progress
        self.before: Keys | None = None
        self.searched = 0

    def run(self, ledger: Ledger, *, full: bool) -> None:
        """Search what is not known; with ``full``, everything, and nothing that was kept is read."""
        if full:
            self._search_all()
            return
        known = {file.run_id: file for file in self._files.known()[::-1]}
        of_last = known.get(ledger.last.run_id) if ledger.last else None
        started = known.get(None)
        last = self._files.read(of_last, self._space) if of_last else None
        base = (self._files.read(started, self._space) if started else None) or last
        if last is not None:
            carried = last.with_candidates().carried(self._text_ids, self._space.min_similarity)
            self.before = carried.keys
        if base is None:
            self._search_all()
        else:
            self.now, self.searched = search_changed(base, self._text_ids, self._codes, self._space, self._progress)

    def _search_all(self) -> None:
        self.now = search_all(self._text_ids, self._codes, self._space, self._progress)
        self.searched = len(self._text_ids)

    def kept(self, keep: Keep) -> NeighbourFile:
        """Write the neighbours to a file, which ``keep`` names in the database if the search took long."""
        file = self._files.write(self.now, self._space)
        if self.searched > _WORTH_KEEPING * len(self._text_ids):
            keep(file)
        return file
