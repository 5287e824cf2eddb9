"""What an index finds out by itself and is told by people: reports, their runs, and judgements."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import Any, Unpack

from dedup.matching.matcher import Matcher
from indexer.arguments import ReportOptions, limit_of, merges_branches, path_of, probability_of, tables_of
from indexer.findings.history import runs_of
from indexer.jobs.report import report as report_job
from indexer.jobs.reporting.thresholds import Preview, preview
from indexer.jobs.reviewing.judgement_table import judge_records
from indexer.progress_bar import ProgressOption, progress_of
from indexer.results.judged import Judged, RecordOrIdentity, identity_of, judged_rows
from indexer.results.tables import Rows
from indexer.store.runs import Run
from indexer.store.workspace import Workspace


class Findings(ABC):
    """The reports and judgements of an ``Index``."""

    _workspace: Workspace
    _progress: ProgressOption

    @property
    @abstractmethod
    def _model(self) -> Matcher:
        """The model to report with."""

    def judge(
        self,
        left: RecordOrIdentity,
        right: RecordOrIdentity,
        verdict: str | None,
        *,
        by: str | None = None,
        note: str = "",
    ) -> list[str]:
        """Store that two records are the ``same``, ``different`` or ``unsure``; None withdraws the judgement.

        A record is one of a result (``pair.left``), or a tuple of source and id. ``by`` defaults to the login name.
        Reports and ``duplicates`` respect judgements. Returns the contradictions between all judgements, in words; what
        contradicts them is left out, the newest first.

        Raises:
            UsageError: there is no such record or verdict, or the two are one record.
            WriterBusy: another process is writing.
        """
        return judge_records(self._workspace, identity_of(left), identity_of(right), verdict, by, note)

    def judgements(self) -> Rows[Judged]:
        """Return all judgements, the oldest first; as a table, in the layout that `dedup judgements --import` reads.

        Raises:
            UsageError: nothing is indexed.
        """
        with self._workspace.open(for_writing=False) as store:
            return judged_rows(store)

    def report(
        self, output: str | os.PathLike[str], *, min_probability: float | None = None, **how: Unpack[ReportOptions]
    ) -> dict[str, Any]:
        """Write tables of pairs, clusters and changes and ``summary.json`` into ``output``; return the summary.

        ``how`` are the options of ``dedup report``: ``formats`` (of ``csv``, ``tsv``, ``jsonl``, ``xlsx``, ``parquet``
        and ``html``, one or a list), ``columns``, ``explain``, ``max_pairs``, ``records`` (a table of every
        record with its cluster), ``keep`` (a rule or several), ``delimiter``, ``bom``, ``locale``, ``raw``, ``full``,
        which compares everything again, ``since``, the number of the run that changes are told from, and ``branches``,
        ``"merge"`` or ``"separate"`` for records of one name in different towns. The findings are stored as a run:
        clusters keep their ids, and ``changes.csv`` says what is new.

        Raises:
            UsageError: nothing is indexed, there is no such run, or an option cannot be used.
            WriterBusy: another process is writing; nothing was stored.
            InputRefused: there is no such column.
            EnvironmentFault: the files cannot be written.
        """
        least, folder = probability_of(min_probability, self._model.default_probability), path_of(output, "output")
        since = how.get("since")
        asked: dict[str, Any] = {
            "min_probability": least,
            "tables": tables_of(how),
            "full": bool(how.get("full")),
            "since": None if since is None else limit_of(since, "since"),
            "merges_branches": merges_branches(how.get("branches", "separate")),
        }
        with progress_of(self._progress) as progress:
            return report_job(self._workspace, self._model, folder, **asked, progress=progress)

    def preview(self, *, min_probability: float | None = None) -> Preview:
        """Return how many pairs and clusters a report would have at each threshold, and the pairs next to one.

        Nothing is stored or written.

        Raises:
            UsageError: nothing is indexed.
            VersionMismatch: the index was made with another model.
        """
        least = probability_of(min_probability, self._model.default_probability)
        with progress_of(self._progress) as progress:
            return preview(self._workspace, self._model, min_probability=least, progress=progress)

    def runs(self) -> list[Run]:
        """Return all runs, latest first: number, kind, state, times, and a manifest of what was done.

        Raises:
            UsageError: nothing is indexed.
        """
        return runs_of(self._workspace)
