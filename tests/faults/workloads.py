"""The jobs that are broken, on data so small that a job takes a tenth of a second.

A workload knows what its source holds before and after, so that everything in between can be judged: rows
that were acknowledged are there as they are after the job, others as before or as after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any

import numpy as np
from first_schema import to_first_schema
from numpy.typing import NDArray

from dedup.errors import UsageError, WriterBusy
from indexer.ingest import intake, load
from indexer.jobs import delete
from indexer.jobs.index import index_rows, refresh_snapshot
from indexer.reading.open import Row
from indexer.reading.rejects import Reject
from indexer.store import engines
from indexer.store.workspace import Workspace
from indexer.vectors import snapshot

SOURCE = "names"
ROWS_PER_BATCH = 12
DIMENSION = 32

Ack = Callable[..., None]
"""Called with ``rows`` and n when the program says that the first n rows are stored, with ``done`` at the end."""
Content = tuple[str, str]
"""What a record holds as given: its text and its other columns, a JSON object."""

intake.BATCH_ROWS = load.SIZE_OF_REMOVAL = delete.PAGE = ROWS_PER_BATCH
snapshot.LEAST_CHANGES = 5
RETRY_PAUSES_S = (0.01,) * len(engines.RETRY_PAUSES_S)


def encode(normal: str) -> bytes:
    """Return the vector of a text: its digest, a byte a number."""
    code = np.frombuffer(blake2b(normal.encode(), digest_size=DIMENSION).digest(), np.int8)
    return np.maximum(code, -127).tobytes()


class _Encoder:
    dimension = DIMENSION

    def encode(self, normals: Sequence[str]) -> NDArray[np.int8]:
        return np.frombuffer(b"".join(map(encode, normals)), np.int8).reshape(len(normals), DIMENSION)


MODEL: Any = SimpleNamespace(model_id="c" * 64, dimension=DIMENSION, encoder=_Encoder(), min_similarity=0.3)


@dataclass(frozen=True)
class Workload:
    """A job, and how to bring a workspace to where it starts.

    ``before`` and ``after`` are the records of the source by external id; ``steps`` tells for each row of the
    input which record it is, or None if it is rejected.
    """

    prepare: Callable[[Workspace], None]
    run: Callable[[Workspace, Ack], None]
    before: dict[str, Content]
    after: dict[str, Content]
    steps: list[str | None] = field(default_factory=list)


def _row(number: int, key: str, name: str, city: str) -> Row:
    return Row(number + 1, number, key, name, {"city": city}, [key, name, city])


def _table(cities: dict[int, str], names: dict[int, str], keys: Sequence[int]) -> list[Row | Reject]:
    """Return rows of which every tenth is without a name; every sixth shares its text with the one before."""
    rows: list[Row | Reject] = []
    for number, key in enumerate(keys, 1):
        name = names.get(key, f"Company {key - (key % 6 == 5)} Works")
        rows.append(_row(number, f"r{key:02}", "" if key % 10 == 9 else name, cities.get(key, f"City {key % 7}")))
    return rows


def _contents(rows: Sequence[Row | Reject]) -> dict[str, Content]:
    found = {}
    for row in rows:
        if isinstance(row, Row) and row.raw:
            found[str(row.external_id)] = row.raw, json.dumps(row.fields, separators=(",", ":"))
    return found


def _steps(rows: Sequence[Row | Reject]) -> list[str | None]:
    return [row.external_id if isinstance(row, Row) and row.raw else None for row in rows]


FIRST = _table({}, {}, range(36))
SECOND = _table(
    {key: "Moved" for key in range(0, 36, 11)},
    {key: f"Renamed {key} Trading" for key in range(3, 36, 8)},
    [key for key in range(42) if key % 13 != 4],
)


def _index(rows: Sequence[Row | Reject]) -> Callable[[Workspace, Ack], None]:
    def run(workspace: Workspace, ack: Ack) -> None:
        def progress(stage: str, done: int, total: int | None) -> None:
            if stage == "store":
                ack("rows", done)

        with workspace.open(for_writing=True) as store:
            index_rows(
                store,
                workspace.snapshots,
                MODEL,
                SOURCE,
                iter(rows),
                identity="column",
                sync=True,
                on_reject=lambda reject: None,
                max_reject_rate=0.2,
                progress=progress,
            )
            ack("done")

    return run


def _index_beside_another(workspace: Workspace, ack: Ack) -> None:
    """Index ``SECOND``, while another writer wants to bring back ``FIRST`` halfway."""

    def tell(event: str, *values: int) -> None:
        ack(event, *values)
        if values == (2 * ROWS_PER_BATCH,):
            with suppress(WriterBusy):
                _index(FIRST)(workspace, lambda *event: None)

    _index(SECOND)(workspace, tell)


def _publish(workspace: Workspace, ack: Ack) -> None:
    with workspace.open(for_writing=True) as store:
        snapshot.publish(store, workspace.snapshots, MODEL.model_id)
        ack("done")


def _migrate(workspace: Workspace, ack: Ack) -> None:
    workspace.migrate()
    _publish(workspace, ack)


def _delete_some(workspace: Workspace, ack: Ack) -> None:
    with workspace.open(for_writing=True) as store:
        with suppress(UsageError):  # all of them are gone: done before it was killed
            delete.delete_records(store, DELETED, SOURCE)
        refresh_snapshot(store, workspace.snapshots, MODEL.model_id, min_similarity=0.3)
        ack("done")


def _delete_all(workspace: Workspace, ack: Ack) -> None:
    with workspace.open(for_writing=True) as store:
        delete.delete_source(store, SOURCE)
        refresh_snapshot(store, workspace.snapshots, MODEL.model_id, min_similarity=0.3)
        ack("done")


def _nothing(workspace: Workspace) -> None:
    """Start without a workspace."""


def _indexed(workspace: Workspace) -> None:
    _index(FIRST)(workspace, lambda *event: None)


def _of_first_schema(workspace: Workspace) -> None:
    """Make a workspace as the first release left it: without batches, with a snapshot that it can still find."""
    _indexed(workspace)
    to_first_schema(workspace)


DELETED = [f"r{key:02}" for key in range(36) if key % 3 == 1 and key % 10 != 9]

WORKLOADS = {
    "index": Workload(_nothing, _index(FIRST), {}, _contents(FIRST), _steps(FIRST)),
    "update": Workload(_indexed, _index(SECOND), _contents(FIRST), _contents(SECOND), _steps(SECOND)),
    "overlap": Workload(_indexed, _index_beside_another, _contents(FIRST), _contents(SECOND), _steps(SECOND)),
    "delete": Workload(
        _indexed, _delete_some, _contents(FIRST), {k: v for k, v in _contents(FIRST).items() if k not in DELETED}
    ),
    "purge": Workload(_indexed, _delete_all, _contents(FIRST), {}),
    "snapshot": Workload(_indexed, _publish, _contents(FIRST), _contents(FIRST)),
    "migrate": Workload(_of_first_schema, _migrate, _contents(FIRST), _contents(FIRST)),
}
