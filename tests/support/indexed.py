"""A store with a few names in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from doubles import fake_model

from indexer.jobs import index as index_job
from indexer.reading.open import Row
from indexer.store.store import Store

NAMES = (
    *("Northwind Trading", "Northwind Tradng", "NORTHWIND TRADING", "Blue Ocean Shipping", "Contoso Foods"),
    *("Blue Ocean Shiping", "Fabrikam Steel", "Initech Software"),
)


MODEL = fake_model()


def table(names: Sequence[str]) -> list[Row]:
    return [
        Row(n + 1, n, f"r{n}", name, {"city": f"City {len(name)}"}, [f"r{n}", name]) for n, name in enumerate(names, 1)
    ]


def index(
    store: Store, snapshots: Path, names: Sequence[str], model: Any = MODEL, identity: Any = "content"
) -> index_job.IndexResult:
    """Make ``names`` the only records of the source."""
    rows = table(names)
    if identity == "content":
        rows = [row._replace(external_id=None) for row in rows]
    return index_job.index_rows(
        store, snapshots, model, "names", rows, identity=identity, on_reject=lambda reject: None
    )
