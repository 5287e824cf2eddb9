"""Judgements in the store: what people said about two records, who and when.

A judgement belongs to two record identities, source name and external id, so it outlives the records, their texts and
the model. A pair has one judgement, the last one.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from dedup.clustering.constraints import Contradiction, Groups, settle
from dedup.errors import CorruptStore, UsageError
from indexer.store.engines import chunks
from indexer.store.integrity.values import damaged, fault_of
from indexer.store.runs import now
from indexer.store.schema import VERDICTS, judgement, record, source
from indexer.store.store import Store
from indexer.store.transactions import next_key
from indexer.store.workspace import Workspace

SAME, DIFFERENT, UNSURE = VERDICTS

_COLUMNS = judgement.c["source_1", "id_1", "source_2", "id_2", "verdict", "judged_by", "judged_at", "note"]


class Identity(NamedTuple):
    """What a record is known by, whatever becomes of its text."""

    source: str
    id: str

    def __str__(self) -> str:
        return f"{self.source}:{self.id}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a person said about two records: ``same``, ``different`` or ``unsure``; the lower identity is first."""

    left: Identity
    right: Identity
    verdict: str
    judged_by: str
    judged_at: str = field(default_factory=now)
    note: str = ""

    @property
    def pair(self) -> tuple[Identity, Identity]:
        """The two records."""
        return self.left, self.right

    def __str__(self) -> str:
        sign = {SAME: "=", DIFFERENT: "≠"}.get(self.verdict, "?")
        return f"{self.left} {sign} {self.right} ({self.judged_by}, {self.judged_at[:10]})"


def new_judgement(
    one: Identity, other: Identity, verdict: str, judged_by: str | None = None, note: str = ""
) -> Judgement:
    """Return a judgement of now; ``judged_by`` defaults to the login name.

    Raises:
        UsageError: the two are one record, there is no such verdict, or a text cannot be stored.
    """
    if one == other:
        raise UsageError(f"A record cannot be judged against itself: {one}.")
    if verdict not in VERDICTS:
        raise UsageError(f"The verdict is {verdict!r}; give one of {', '.join(VERDICTS)}.")
    who = login() if judged_by is None else person_of(judged_by)
    if not isinstance(note, str) or not is_storable(note):
        raise UsageError(f"The note is {note!r}; give a text that can be stored as UTF-8.")
    return Judgement(min(one, other), max(one, other), verdict, who, note=note)


def person_of(name: str) -> str:
    """Return the name of a person. Raises ``UsageError`` if it cannot be stored."""
    if not isinstance(name, str) or not name.strip() or not is_storable(name):
        raise UsageError(f"The name of who judges is {name!r}; give a text that can be stored as UTF-8.")
    return name.strip()


def is_storable(text: str) -> bool:
    """Return whether a database can hold a text: it has no NUL character and no half of a surrogate pair."""
    return "\0" not in text and text == text.encode(errors="replace").decode()


def login() -> str:
    """Return the name of the user who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may know no name for its user
        return "unknown"


def digest_of(pair: Iterable[Identity]) -> bytes:
    """Return the key of a pair of records, in either order."""
    return blake2b(json.dumps(sorted(pair)).encode(), digest_size=16).digest()


def read_judgements(store: Store) -> list[Judgement]:
    """Return all judgements, the oldest first.

    Raises:
        CorruptStore: the records of a judgement are not those of its digest, or not in their order.
    """
    columns = (*_COLUMNS, judgement.c.pair_digest, judgement.c.judgement_id)
    found = []
    for row in store.read(select(*columns).order_by(judgement.c.judged_at, judgement.c.judgement_id)):
        one = Judgement(Identity(*row[:2]), Identity(*row[2:4]), *row[4:8])
        if digest_of(one.pair) != row.pair_digest or one.left >= one.right:
            place = f"judgement_id={row.judgement_id}"
            raise damaged(fault_of("judgement", place, "pair_digest", row.pair_digest, "the digest of two records"))
        found.append(one)
    return found


def faults_of_judgements(store: Store) -> Iterator[str]:
    """Describe the first judgement that is damaged."""
    try:
        read_judgements(store)
    except CorruptStore as error:
        yield str(error)


def write_judgements(
    store: Store, judged: Sequence[Judgement], withdrawn: Iterable[tuple[Identity, Identity]] = ()
) -> None:
    """Store judgements in place of those of the same pairs, and remove those ``withdrawn``, in one transaction."""
    digests = [digest_of(one.pair) for one in judged]
    gone = [*digests, *map(digest_of, withdrawn)]

    def work(connection: Connection) -> None:
        for chunk in chunks(gone):
            connection.execute(delete(judgement).where(judgement.c.pair_digest.in_(chunk)))
        key = next_key(connection, judgement.c.judgement_id)
        rows = [
            {
                "judgement_id": key + place,
                **{
                    "source_1": one.left.source,
                    "id_1": one.left.id,
                    "source_2": one.right.source,
                    "id_2": one.right.id,
                },
                **{"pair_digest": digest, "verdict": one.verdict, "judged_by": one.judged_by},
                **{"judged_at": one.judged_at, "note": one.note},
            }
            for place, (one, digest) in enumerate(zip(judged, digests, strict=True))
        ]
        if rows:
            connection.execute(insert(judgement), rows)

    store.write(work)


def judge_records(
    workspace: Workspace, one: Identity, other: Identity, verdict: str | None, judged_by: str | None, note: str
) -> list[str]:
    """Store a judgement of two records of an index, or withdraw it; return all contradictions, in words.

    Raises:
        UsageError: nothing is indexed, there is no such record or verdict, or the two are one record.
    """
    workspace.check_readable()
    judged = [] if verdict is None else [new_judgement(one, other, verdict, judged_by, note)]
    with workspace.open(for_writing=True) as store:
        known = texts_of(store, {one, other})
        if missing := [identity for identity in (one, other) if identity not in known and judged]:
            raise UsageError(f"The source {missing[0].source!r} has no record with the id {missing[0].id!r}.")
        write_judgements(store, judged, [(one, other)])
        return [str(conflict) for conflict in settled(read_judgements(store)).conflicts]


def texts_of(store: Store, wanted: set[Identity]) -> dict[Identity, str]:
    """Return the texts, as given, of those of these records that are in the index."""
    columns = record.c["external_id", "raw"]
    return {
        Identity(name, external_id): raw
        for name, source_id in store.find(source.c["name", "source_id"], source.c.name, {one.source for one in wanted})
        for external_id, raw in store.find(
            columns, record.c.external_id, [one.id for one in wanted if one.source == name], source_id=source_id
        )
    }


@dataclass(frozen=True, slots=True)
class Conflict:
    """A judgement *same* that does not hold, because a chain of others says *different*.

    Attributes:
        left_out: It; all other judgements hold.
        different: The judgement that it contradicts.
        chain: Records from one side of ``different`` to the other, each judged the same as the next.

    """

    left_out: Judgement
    different: Judgement
    chain: tuple[Identity, ...]

    def __str__(self) -> str:
        chain = " = ".join(map(str, self.chain))
        return f"{chain}, but {self.different}; left out is the newest, {self.left_out}"


class Settled(NamedTuple):
    """What judgements say together: groups of records, and the judgements that do not fit in."""

    groups: Groups[Identity]
    conflicts: list[Conflict]


def settled(judgements: Sequence[Judgement]) -> Settled:
    """Return what judgements, the oldest first, say together: each *different* holds, and each *same* that can."""
    same = [one for one in judgements if one.verdict == SAME]
    different = [one for one in judgements if one.verdict == DIFFERENT]
    groups, found = settle([one.pair for one in same], [one.pair for one in different])

    def conflict(one: Contradiction[Identity]) -> Conflict:
        return Conflict(same[one.left_out], different[one.different], one.chain)

    return Settled(groups, [conflict(one) for one in found])
