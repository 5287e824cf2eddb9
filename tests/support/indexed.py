"""A store with a few names in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from doubles import fake_model

from indexer.jobs import index as index_job
from indexer.reading.open import Row
from indexer.vectors.snapshot import Snapshots

NAMES = (
    *("Northwind Trading", "Northwind Tradng", "NORTHWIND TRADING", "Blue Ocean Shipping", "Contoso Foods"),
    *("Blue Ocean Shiping", "Fabrikam Steel", "Initech Software"),
)


MODEL = fake_model()


def table(names: Sequence[str]) -> list[Row]:
    return [
        Row(n + 1, n, f"r{n}", name, {"city": f"City {len(name)}"}, [f"r{n}", name]) for n, name in enumerate(names, 1)
    ]


def with_cells(snapshots: Snapshots, above: int = 16) -> Snapshots:
    """The same snapshots, of which those with more vectors have cells."""
    return Snapshots(snapshots.store, snapshots.directory, flat_up_to=above)


def index(
    snapshots: Snapshots, names: Sequence[str], model: Any = MODEL, identity: Any = "content", **options: Any
) -> index_job.IndexResult:
    """Make ``names`` the only records of the source."""
    rows = table(names)
    if identity == "content":
        rows = [row._replace(external_id=None) for row in rows]
    return index_job.index_rows(
        snapshots,
        model,
        "names",
        rows,
        identity=identity,
        mirror=identity == "content",
        on_reject=lambda reject: None,
        **options,
    )
