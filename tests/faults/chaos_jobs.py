"""Small jobs on a known store, what each of their batches should leave behind, and a judge in plain SQL."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import psycopg
from numpy.typing import NDArray

from dedup.text.normalise import normalise
from indexer.ingest import intake, load
from indexer.jobs import delete
from indexer.jobs import index as index_job
from indexer.jobs.delete import delete_records, delete_source
from indexer.jobs.index import index_rows
from indexer.reading.open import Row
from indexer.store.runs import Accounts
from indexer.store.store import Store
from indexer.vectors import snapshot
from indexer.vectors.faiss_index import digest_text, row_digests, total

Content = dict[tuple[str, str], str]
"""The raw text of each record, by source and external id."""

BATCH = 3
PAGE = 2
DIMENSION = 16
BEFORE = 2
"""Snapshots of the known content."""
RIVAL = "rival"
"""The source of a second process."""

_WORDS = ("Acme", "Beta", "Gamma", "Delta", "Omega", "Nova", "Solar", "Luna", "Terra", "Vista", "Atlas", "Orion")


class _Encoder:
    """A digest for a vector: different for every text and model, the same everywhere."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def encode(self, normals: Sequence[str]) -> NDArray[np.int8]:
        codes = (blake2b(normal.encode(), digest_size=DIMENSION, key=self._salt).digest() for normal in normals)
        return np.frombuffer(b"".join(codes), np.int8).reshape(len(normals), DIMENSION)


def model(letter: str) -> Any:
    """Return the stand-in for a model of this name."""
    return SimpleNamespace(
        model_id=letter * 64, dimension=DIMENSION, encoder=_Encoder(letter.encode()), min_similarity=0.3
    )


@dataclass(frozen=True, slots=True)
class Job:
    """A job on the source ``names``: ``states[n]`` is the content after n batches, ``accounts`` tells what each does.

    ``do`` is begun again after a fault; it returns the accounts in sum, or the number of removed records.
    """

    kind: str
    do: Callable[[Store, Path], Any]
    result: Any
    states: list[Content]
    accounts: list[Accounts]
    model: Any


@contextmanager
def small_batches() -> Iterator[None]:
    """Make batches and pages so small that few rows take several transactions, and any change a snapshot."""
    with ExitStack() as stack:
        for owner, name, value in (
            (intake, "BATCH_ROWS", BATCH),
            (load, "SIZE_OF_REMOVAL", PAGE),
            (delete, "PAGE", PAGE),
            (index_job, "CHUNK", PAGE),
            (snapshot, "LEAST_CHANGES", 0),
            (snapshot, "LARGEST_CHANGED_SHARE", 0.0),
        ):
            stack.enter_context(patch.object(owner, name, value))
        yield


def rows(content: Content, source: str) -> list[Row]:
    """Return the records of a source as rows of an input."""
    ours = [(key, raw) for (of, key), raw in content.items() if of == source]
    return [Row(n + 1, n, key, raw, {"no": key}, [key, raw, key]) for n, (key, raw) in enumerate(ours, 1)]


def index(store: Store, snapshots: Path, content: Content, source: str, of: Any) -> Accounts:
    """Make a source what ``content`` says, with a snapshot."""
    return index_rows(
        store,
        snapshots,
        of,
        source,
        rows(content, source),
        identity="column",
        on_reject=lambda reject: None,
        sync=True,
    ).rows


def a_name(rng: random.Random) -> str:
    """Return one of 144 names; records share texts."""
    return f"{rng.choice(_WORDS)} {rng.choice(_WORDS)}"


def known_content(rng: random.Random) -> Content:
    """Return nine records of ``names`` and three of ``other``."""
    return {("names", f"{n:02}"): a_name(rng) for n in range(9)} | {("other", f"{n}"): a_name(rng) for n in range(3)}


def make_job(kind: str, rng: random.Random, before: Content) -> Job:
    """Return a job ``index``, ``delete``, ``purge`` (a source), ``model`` (all vectors anew) or ``publish``."""
    jobs = {"index": _index, "delete": _delete, "purge": _purge, "model": _model, "publish": _publish}
    return jobs[kind](rng, before)


JOBS = ("index", "delete", "purge", "model", "publish")
PUBLISHING = ("index", "model", "publish")


def _index(rng: random.Random, before: Content) -> Job:
    """Two rows stay, three change, five are new, four are gone: four batches of rows, two of removals."""
    keys = sorted(key for source, key in before if source == "names")
    rng.shuffle(keys)
    wanted = {("names", key): before["names", key] for key in keys[:2]}
    wanted |= {("names", key): f"{before['names', key]} {rng.choice(_WORDS)}" for key in keys[2:5]}
    wanted |= {("names", f"{n:02}"): a_name(rng) for n in range(20, 25)}
    wanted = dict(rng.sample(sorted(wanted.items()), len(wanted)))
    states, accounts = _upserts(before, wanted)
    gone = [key for key in sorted(states[-1]) if key[0] == "names" and key not in wanted]
    _removals(states, accounts, gone)
    of = model("a")
    do = partial(index, content=wanted, source="names", of=of)
    return Job("index", do, _sum(accounts), states, accounts, of)


def _model(rng: random.Random, before: Content) -> Job:
    """Rows of which none changed, then every vector anew: texts in twos."""
    wanted = {key: raw for key, raw in before.items() if key[0] == "names"}
    states, accounts = _upserts(before, wanted)
    of = model("b")
    do = partial(index, content=wanted, source="names", of=of)
    return Job("model", do, _sum(accounts), states, accounts, of)


def _delete(rng: random.Random, before: Content) -> Job:
    gone = rng.sample(sorted(key for key in before if key[0] == "names"), 4)
    states: list[Content] = [before]
    accounts: list[Accounts] = []
    _removals(states, accounts, gone, size=len(gone))
    of = model("a")

    ids = [key for _, key in gone]

    def do(store: Store, snapshots: Path) -> int:
        return delete_records(store, ids, "names")

    return Job("delete", do, len(gone), states, accounts, of)


def _purge(rng: random.Random, before: Content) -> Job:
    gone = sorted(key for key in before if key[0] == "names")
    states: list[Content] = [before]
    accounts: list[Accounts] = []
    _removals(states, accounts, gone)
    of = model("a")

    def do(store: Store, snapshots: Path) -> int:
        return delete_source(store, "names")

    return Job("purge", do, len(gone), states, accounts, of)


def _publish(rng: random.Random, before: Content) -> Job:
    of = model("a")

    def do(store: Store, snapshots: Path) -> str:
        snapshot.publish(store, snapshots, of.model_id)
        return "published"

    return Job("publish", do, "published", [before], [], of)


def _upserts(before: Content, wanted: Content) -> tuple[list[Content], list[Accounts]]:
    states, accounts = [before], []
    items = list(wanted.items())
    for start in range(0, len(items), BATCH):
        batch = dict(items[start : start + BATCH])
        now = states[-1]
        added = sum(key not in now for key in batch)
        changed = sum(key in now and now[key] != raw for key, raw in batch.items())
        accounts.append(Accounts(len(batch), added=added, changed=changed, unchanged=len(batch) - added - changed))
        states.append(now | batch)
    return states, accounts


def _removals(states: list[Content], accounts: list[Accounts], gone: list[tuple[str, str]], size: int = PAGE) -> None:
    for start in range(0, len(gone), size):
        batch = gone[start : start + size]
        states.append({key: raw for key, raw in states[-1].items() if key not in batch})
        accounts.append(Accounts(removed=len(batch)))


def _sum(accounts: list[Accounts]) -> Accounts:
    return Accounts(*map(sum, zip(*map(astuple, accounts), strict=True)))


RIVAL_CONTENT: Content = {(RIVAL, f"{n}"): f"Rival {_WORDS[n]}" for n in range(2)}


def judge(
    session: psycopg.Connection[Any], job: Job, *, after_run: int, done: bool, attempts: int, places: list[Path]
) -> Counter[str]:
    """Compare a store with what a job should have left; ``after_run`` is the last run before it.

    While the job is not ``done``, the content must be that after the batches that are accounted for. If it took
    one of the ``attempts``, there are one run and one snapshot more than before.
    Counts ``lost`` and ``duplicated`` records, wrong ``accounts``, ``runs``, ``vectors``, and ``snapshot``.
    """
    problems: Counter[str] = Counter()
    batches = session.execute(
        "SELECT run_id, rows_in, rejected, added, changed, unchanged, removed, batch_no FROM ingest_batch "
        "JOIN run USING (run_id) JOIN source USING (source_id) WHERE run_id > %s AND name = 'names' "
        "ORDER BY run_id, batch_no",
        [after_run],
    ).fetchall()
    n = len(batches)
    expected = [(*astuple(accounts), number) for number, accounts in enumerate(job.accounts)]
    problems["accounts"] += [batch[1:] for batch in batches] != expected[:n] or len({batch[0] for batch in batches}) > 1
    problems["accounts"] += done and n != len(expected)
    found = Counter(
        ((source, key), raw, fields, normal)
        for source, key, raw, fields, normal in session.execute(
            "SELECT name, external_id, raw, fields, normal FROM record "
            "JOIN source USING (source_id) JOIN text USING (text_id)"
        )
    )
    has_rival = any(key[0] == RIVAL for key, *_ in found)
    content = job.states[min(n, len(expected))] | (RIVAL_CONTENT if has_rival else {})
    wanted = Counter(
        (key, raw, json.dumps({"no": key[1]}, separators=(",", ":")), normalise(raw)) for key, raw in content.items()
    )
    problems["lost"] += (wanted - found).total()
    problems["duplicated"] += (found - wanted).total()
    problems["vectors"] += not _vectors_are_right(
        session, {normalise(raw) for raw in content.values()}, job.model, done
    )
    if done:
        problems["runs"] += not _runs_are_right(session, after_run, attempts, job.kind != "publish")
        is_published = job.kind in PUBLISHING
        problems["snapshot"] += not _snapshot_is_right(session, places, is_published)
        (published,) = session.execute("SELECT count(*) FROM snapshot").fetchone() or (0,)
        problems["snapshot"] += attempts == 1 and published != BEFORE + is_published + has_rival
    return +problems


def _vectors_are_right(session: psycopg.Connection[Any], normals: set[str], of: Any, done: bool) -> bool:
    """Tell whether the texts are those of the records, each once, and each with its vector."""
    texts = Counter(normal for (normal,) in session.execute("SELECT normal FROM text"))
    found: Counter[str] = Counter()
    for normal, code, model_id in session.execute(
        "SELECT normal, code, model_id FROM text JOIN text_vector USING (text_id) JOIN model USING (model_key)"
    ):
        found[normal] += model_id == of.model_id or not done
        if code != model(model_id[0]).encoder.encode([normal]).tobytes():
            return False
        if done and model_id != of.model_id:
            return False
    return texts == Counter(normals) and set(found) == normals and (not done or set(found.values()) == {1})


def is_noted_as_done(session: psycopg.Connection[Any], after_run: int) -> bool:
    """Tell whether a run after this one ended well: if the reply to that was lost, the job need not be told again."""
    query = "SELECT FROM run JOIN source USING (source_id) WHERE run_id > %s AND name = 'names' AND state = 'done'"
    return session.execute(query, [after_run]).fetchone() is not None


def _runs_are_right(session: psycopg.Connection[Any], after_run: int, attempts: int, has_run: bool) -> bool:
    """Tell whether one run did the job, and those of other attempts did nothing and are noted as ended."""
    states = session.execute(
        "SELECT state, EXISTS (SELECT FROM ingest_batch b WHERE b.run_id = run.run_id) FROM run "
        "LEFT JOIN source USING (source_id) WHERE run_id > %s AND name IS DISTINCT FROM %s",
        [after_run, RIVAL],
    ).fetchall()
    with_batches = [state for state, is_accounted in states if is_accounted]
    others = {state for state, is_accounted in states if not is_accounted}
    return with_batches == ["done"] * has_run and others <= {"failed", "interrupted"} and len(states) <= attempts


def _snapshot_is_right(session: psycopg.Connection[Any], places: list[Path], is_new: bool) -> bool:
    """Tell whether the current snapshot is on disk as noted; if ``is_new``, it holds the database's vectors."""
    current = session.execute(
        "SELECT file_name, n_bytes, sha256, n_vectors, digest, max_text_id FROM snapshot "
        "ORDER BY generation DESC LIMIT 1"
    ).fetchone()
    stored = session.execute("SELECT text_id, code FROM text_vector ORDER BY text_id").fetchall()
    if current is None:
        return False
    file_name, n_bytes, sha256, n_vectors, digest, max_text_id = current
    files = [place / file_name for place in places if (place / file_name).exists()]
    if len(files) != 1:
        return False
    content = files[0].read_bytes()
    if (len(content), hashlib.sha256(content).hexdigest()) != (n_bytes, sha256):
        return False
    ids = np.array([text_id for text_id, _ in stored], np.int64)
    codes = np.frombuffer(b"".join(code for _, code in stored), np.int8).reshape(len(stored), -1)
    noted = (len(ids), int(ids.max()), digest_text(total(row_digests(ids, codes))))
    return not is_new or noted == (n_vectors, max_text_id, digest)
