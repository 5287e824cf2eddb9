"""The jobs that every proof breaks, and what each of their batches should leave behind.

The data are small, so that a job takes a tenth of a second: 36 rows in batches of 12. The model of a store is that
of ``store_model``, and the texts are encoded by the stub model of ``doubles``.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial, reduce
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "support"))

from doubles import Encoder, fake_model
from first_schema import to_first_schema
from store_model import NOTHING, Content, InputRow, as_rows, plus, read, upsert

from dedup.errors import UsageError, WriterBusy
from dedup.runtime.progress import Progress
from indexer.findings.history import prune
from indexer.ingest.safeguards import Safeguards
from indexer.jobs.delete import delete_records, delete_source
from indexer.jobs.index import index_rows, refresh_snapshot
from indexer.jobs.report import report
from indexer.jobs.reviewing.candidates import Candidate
from indexer.jobs.reviewing.exchange import import_judgements
from indexer.jobs.reviewing.judgement_table import Identity, judge_records
from indexer.jobs.reviewing.session import Review
from indexer.reading.rows import ColumnChoice
from indexer.store.runs import Accounts
from indexer.store.schema import VERDICTS
from indexer.store.store import Record, Store
from indexer.store.workspace import Workspace
from indexer.vectors.snapshot import Snapshots

SOURCE, OTHER, RIVAL = "names", "other", "rival"
"""The source that jobs work on, one that they must leave alone, and that of a second process."""
BATCH = 12
MIN_SIMILARITY = 0.3
WORDS = ("Acme", "Beta", "Gamma", "Delta", "Omega", "Nova", "Solar", "Luna", "Terra", "Vista", "Atlas", "Orion")
OTHER_ROWS: list[InputRow] = [(f"{n}", f"{WORDS[n]} {WORDS[n]}", "") for n in range(3)]
RIVAL_ROWS: list[InputRow] = [(f"{n}", f"Rival {WORDS[n]}", "") for n in range(2)]

Tell = Callable[..., None]
"""Called with ``rows`` and n once the job says that the first n rows are stored, with ``done`` at its end."""


class _Rotated(Encoder):
    """The stub's vectors, different for each model: rotated by its letter."""

    def __init__(self, letter: str) -> None:
        self._shift = ord(letter)

    def encode(self, normals: Sequence[str]) -> np.ndarray:
        return np.roll(super().encode(normals), self._shift, axis=1)


@cache
def model(letter: str = "a") -> Any:
    """Return the stub model whose id consists of this letter."""
    made = fake_model(letter)
    made.name, made.is_shipped = letter, letter == "a"
    made.encoder = _Rotated(letter)
    return made


@cache
def code(letter: str, normal: str) -> bytes:
    """Return the vector of a normal form."""
    return bytes(model(letter).encoder.encode([normal]).tobytes())


def ignore(*event: object) -> None:
    """Listen to nothing."""


def snapshots_of(workspace: Workspace, store: Store) -> Snapshots:
    """Return the snapshots of an open store; one is due after every change."""
    return Snapshots(store, workspace.snapshots, min_changes=0, max_changed_share=0)


@dataclass(frozen=True)
class Job:
    """A job on ``SOURCE``, which first holds ``start``.

    ``states[n]`` is the content of the source after n batches, ``accounts[n]`` what the next batch does to it.
    ``do`` can be repeated after a fault and returns ``result``: accounts, or the number of removed records.
    """

    kind: str
    start: list[InputRow]
    do: Callable[[Workspace, Tell], Any]
    result: Any
    states: list[Content]
    accounts: list[Accounts]
    letter: str = "a"
    publishes: bool = True
    is_old: bool = False
    judged: Sequence[tuple[str, str, str]] = ()
    """Judgements that the job stores, in this order: two ids and a verdict; each is told as a row once it is stored."""
    is_report: bool = False
    """Whether the job ends with the files of a report."""
    is_judged_at_once: bool = False
    """Whether all these judgements are stored in one step."""
    before: Sequence[Callable[[Workspace], Any]] = ()
    """What is done after ``start`` is indexed, before the job."""

    def prepare(self, workspace: Workspace) -> None:
        """Bring a new workspace to where the job starts."""
        if self.start:
            index(workspace, ignore, rows=self.start)
        for step in self.before:
            step(workspace)
        if self.is_old:
            to_first_schema(workspace)

    def done_by(self, rows: int) -> int:
        """Return how many batches the first ``rows`` rows of the input are."""
        ends = accumulate(accounts.rows_in for accounts in self.accounts if accounts.rows_in)
        return sum(end <= rows for end in ends)


def make_job(kind: str, rng: random.Random, *, refresh: bool = True) -> Job:
    """Return a job of one of ``KINDS`` on random names; without ``refresh``, deletions leave the snapshot as it is."""
    first = _first_input(rng)
    known = expected({}, first)[0][-1]
    ids = sorted(key for (key,) in known)
    if kind in ("index", "update", "overlap", "model", "fields"):
        rows = _second_input(rng, first) if kind in ("update", "overlap", "fields") else first
        states, accounts = expected({} if kind == "index" else known, rows)
        letter = "b" if kind == "model" else "a"
        do = partial(_overlap, first=first) if kind == "overlap" else partial(index, letter=letter)
        if kind == "fields":
            do = partial(index, field="city")
        start = [] if kind == "index" else first
        return Job(kind, start, partial(do, rows=rows), reduce(plus, accounts, NOTHING), states, accounts, letter)
    if kind in ("delete", "purge"):
        gone = sorted(rng.sample(ids, BATCH - 1)) if kind == "delete" else ids
        states, accounts = _removed([known], [], [(key,) for key in gone])
        do = partial(_delete, ids=gone if kind == "delete" else [], refresh=refresh)
        return Job(kind, first, do, len(gone), states, accounts, publishes=refresh and kind == "delete")
    if kind in ("review", "import"):
        answers = tuple((f"r{n:02}", f"r{n + 1:02}", VERDICTS[n // 2 % 3]) for n in range(0, 16, 2))
        do = partial(_review if kind == "review" else _import, answers=answers)
        at_once = kind == "import"
        return Job(
            kind, first, do, len(answers), [known], [], publishes=False, judged=answers, is_judged_at_once=at_once
        )
    if kind in ("report", "fielded", "prune"):
        rows = _second_input(rng, first)
        states, _ = expected(known, rows)
        fields = ("category", "city") if kind == "fielded" else (None, None)
        before = [partial(index, tell=ignore, rows=first, field=fields[0])] if kind == "fielded" else []
        before += [_report, partial(_judge_some, ids=ids), partial(index, tell=ignore, rows=rows, field=fields[1])]
        before += [_report, _report] if kind == "prune" else []
        do = _prune if kind == "prune" else _report
        is_report = kind != "prune"
        return Job(kind, first, do, None, [states[-1]], [], publishes=False, before=before, is_report=is_report)
    do = _migrate if kind == "migrate" else _publish
    return Job(kind, first, do, "published", [known], [], is_old=kind == "migrate")


KINDS = ("index", "update", "overlap", "delete", "purge", "snapshot", "migrate", "model", "review")
"""A first input, another one with ``--sync``, the same beside a second writer, some records or all of them deleted,
a snapshot, an upgrade from the first schema, all vectors computed anew, and pairs that a person judges."""
KINDS += ("import", "report", "prune", "fields", "fielded")
"""A file of judgements, a second report after some rows have changed, and old reports that are forgotten; an input that
makes a column a field, and a second report after the kind of a field has changed, too."""


def _first_input(rng: random.Random) -> list[InputRow]:
    return [(f"r{n:02}", "" if n % 10 == 9 else _name(rng), f"City {n % 7}") for n in range(36)]


def _second_input(rng: random.Random, first: list[InputRow]) -> list[InputRow]:
    """Rows of which some are as before, some changed, some new, and some no longer there, in a random order."""
    rows = [
        (key, f"Renamed {name}" if name and n % 8 == 3 else name, "Moved" if n % 11 == 0 else city)
        for n, (key, name, city) in enumerate(first)
        if n % 13 != 4
    ]
    rows += [(f"r{n}", "" if n == 39 else _name(rng), "") for n in range(36, 42)]
    return rng.sample(rows, len(rows))


def _name(rng: random.Random) -> str:
    return f"{rng.choice(WORDS)} {rng.choice(WORDS)}"


def expected(before: Content, rows: Sequence[InputRow]) -> tuple[list[Content], list[Accounts]]:
    """Return the contents of a source after each batch of an input with ``--sync``, and the accounts."""
    given = read(rows, "column", BATCH)
    states, accounts = [before], []
    for batch in given.batches:
        now = dict(states[-1])
        accounts.append(upsert(now, batch))
        states.append(now)
    return _removed(states, accounts, sorted(set(states[-1]) - given.held))


def _removed(states: list[Content], accounts: list[Accounts], gone: list[Any]) -> tuple[list[Content], list[Accounts]]:
    for start in range(0, len(gone), BATCH):
        page = gone[start : start + BATCH]
        states.append({key: value for key, value in states[-1].items() if key not in page})
        accounts.append(Accounts(removed=len(page)))
    return states, accounts


def load_rows(
    snapshots: Snapshots,
    rows: Sequence[InputRow],
    source: str,
    letter: str = "a",
    progress: Progress = ignore,
    **sizes: Any,
) -> Accounts:
    """Make ``rows`` the records of a source of an open store; ``sizes`` as for ``index_rows``."""
    given = as_rows(rows, "column")
    options: dict[str, Any] = {"identity": "column", "mirror": True, "on_reject": ignore, "progress": progress}
    return index_rows(snapshots, model(letter), source, given, **options, **sizes).rows


def index(
    workspace: Workspace,
    tell: Tell,
    *,
    rows: Sequence[InputRow],
    source: str = SOURCE,
    letter: str = "a",
    field: str | None = None,
) -> Accounts:
    """Make ``rows`` the records of a source, in transactions of ``BATCH`` rows; ``field`` is the kind of the city."""

    def progress(stage: str, done: int, total: int | None) -> None:
        if stage == "store":
            tell("rows", done)

    sizes: dict[str, Any] = dict.fromkeys(("batch_rows", "removal_rows", "texts_at_once"), BATCH)
    if field is not None:
        columns = ColumnChoice(("name",), False, "id", False, (("city", field),))
        sizes["safeguards"] = Safeguards(columns=columns)
    with workspace.open(for_writing=True) as store:
        accounts = load_rows(snapshots_of(workspace, store), rows, source, letter, progress, **sizes)
        tell("done")
    return accounts


def _overlap(workspace: Workspace, tell: Tell, *, rows: Sequence[InputRow], first: Sequence[InputRow]) -> Accounts:
    """Index ``rows`` while a second writer tries to bring back the ``first`` ones halfway."""

    def tell_and_compete(*event: object) -> None:
        tell(*event)
        if event == ("rows", 2 * BATCH):
            with suppress(WriterBusy):
                index(workspace, ignore, rows=first)

    return index(workspace, tell_and_compete, rows=rows)


def _delete(workspace: Workspace, tell: Tell, *, ids: list[str], refresh: bool) -> int:
    removed = 0
    with workspace.open(for_writing=True) as store:
        with suppress(UsageError):  # they are gone already: the job was killed after its last commit
            removed = delete_records(store, ids, SOURCE) if ids else delete_source(store, SOURCE, records_at_once=BATCH)
        if refresh:
            refresh_snapshot(snapshots_of(workspace, store), model().model_id, min_similarity=MIN_SIMILARITY)
        tell("done")
    return removed


def _review(workspace: Workspace, tell: Tell, *, answers: Sequence[tuple[str, str, str]]) -> int:
    """Judge these pairs but those that are judged already."""

    def asked() -> Iterator[Candidate]:
        for one, other, _ in answers:
            yield Candidate(*(Record(0, SOURCE, key, key, {}, 0) for key in (one, other)), 0.5, "uncertain")

    review, verdicts = Review(workspace, asked(), "ann"), {(one, other): verdict for one, other, verdict in answers}
    while question := review.next():
        one, other = question.pair
        review.answer(question, verdicts[one.id, other.id])
        tell("rows", list(verdicts).index((one.id, other.id)) + 1)
    tell("done")
    return len(answers)


def _import(workspace: Workspace, tell: Tell, *, answers: Sequence[tuple[str, str, str]]) -> int:
    """Import these judgements from a file outside of the folder that is watched."""
    file = workspace.directory.parents[1] / "judged.csv"
    lines = [f"{SOURCE},{one},{SOURCE},{other},{verdict}\n" for one, other, verdict in answers]
    file.write_text("".join(["source_1,id_1,source_2,id_2,verdict\n", *lines]))
    done = import_judgements(workspace, file, "ann", ignore)
    tell("rows", len(answers))
    tell("done")
    return done.added + done.unchanged


def report_folder(workspace: Path) -> Path:
    """Return the folder of the reports of a workspace."""
    return workspace.parent / "report"


def _report(workspace: Workspace, tell: Tell = ignore) -> None:
    report(workspace, model(), report_folder(workspace.directory))
    tell("done")


def _judge_some(workspace: Workspace, *, ids: list[str]) -> None:
    """Judge pairs of records, one of which is not there after the second input."""
    for one, other, verdict in ((0, 1, "same"), (1, 5, "different"), (4, 6, "same"), (7, 8, "unsure")):
        judge_records(workspace, Identity(SOURCE, ids[one]), Identity(SOURCE, ids[other]), verdict, "ann", "")


def _prune(workspace: Workspace, tell: Tell) -> None:
    prune(workspace, 1)
    tell("done")


def _publish(workspace: Workspace, tell: Tell) -> str:
    with workspace.open(for_writing=True) as store:
        snapshots_of(workspace, store).publish(model().model_id)
        tell("done")
    return "published"


def _migrate(workspace: Workspace, tell: Tell) -> str:
    workspace.migrate()
    return _publish(workspace, tell)
