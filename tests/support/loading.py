"""Rows brought into a store, and what the store then holds."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from doubles import fake_model
from sqlalchemy import event

from indexer.ingest.intake import Identity
from indexer.ingest.load import ingest
from indexer.reading.open import Row
from indexer.reading.rejects import Reject
from indexer.store.runs import recorded_run
from indexer.store.store import Store

MODEL = fake_model()


def row(number: int, identifier: str | None, raw: str, **fields: str) -> Row:
    return Row(number + 1, number, identifier, raw, fields, [identifier or "", raw, *fields.values()])


def with_ids(*pairs: tuple[str, str]) -> list[Row | Reject]:
    return [row(number, identifier, raw) for number, (identifier, raw) in enumerate(pairs, 1)]


def without_ids(*raws: str) -> list[Row | Reject]:
    return [row(number, None, raw) for number, raw in enumerate(raws, 1)]


class Load:
    """One ingest: its summary and its rejects."""

    def __init__(
        self,
        store: Store,
        rows: Iterable[Row | Reject],
        identity: Identity = "column",
        source: str = "names",
        sync: bool = False,
        batch_rows: int | None = None,
        removal_rows: int | None = None,
    ) -> None:
        self.rejects: list[Reject] = []
        self.told: list[tuple[str, int, int | None]] = []
        with recorded_run(store, "index") as run:
            self.run = run
            summary = ingest(
                store,
                source,
                rows,
                model=MODEL,
                run=run,
                identity=identity,
                scratch=Path(tempfile.gettempdir()),
                on_reject=self.rejects.append,
                mirror=sync or identity == "content",
                batch_rows=batch_rows,
                removal_rows=removal_rows,
                progress=lambda *step: self.told.append(step),
            )
        self.summary, self.withheld = summary.accounts, summary.withheld
        self.errors = [reject.error for reject in self.rejects]


def content(store: Store) -> dict[tuple[str, str], str]:
    return {(record.source, record.external_id): record.raw for record in store.iter_records()}


def raws(store: Store) -> Counter[str]:
    return Counter(record.raw for record in store.iter_records())


def normals(store: Store) -> list[str]:
    return sorted(normal for _, page in store.iter_texts() for normal in page)


@contextmanager
def writes(store: Store) -> Iterator[list[str]]:
    """Collect the statements that change rows."""
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE", "COPY"):
            statements.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    yield statements
    event.remove(store.engine, "before_cursor_execute", note)
