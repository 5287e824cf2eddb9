"""neardup finds the same thing written twice: near-duplicates among company names and other short texts.

    import neardup

    neardup.compare("Acme Inc", "ACME Incorporated")     # probability and reasons
    neardup.deduplicate(table, text="name")              # pairs and clusters, in memory
    neardup.link(leads, accounts, text="name")           # pairs across two lists
    neardup.Index("workspace")                           # a persistent index

Every name is imported when it is first used, so ``import neardup`` is cheap. All of them are defined in ``indexer``
and ``dedup``; nothing here has logic of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dedup.errors import (
        CorruptStore,
        DedupError,
        EnvironmentFault,
        InputRefused,
        TooManyRemoved,
        UsageError,
        VersionMismatch,
        WriterBusy,
    )
    from dedup.model import Model, load_model
    from indexer.api import Index
    from indexer.in_memory import compare, compare_many, deduplicate, link
    from indexer.results.comparison import Comparison, Comparisons, Reason
    from indexer.results.deduplication import Duplicates
    from indexer.results.indexing import Added, Status, Verification
    from indexer.results.judged import Judged
    from indexer.results.links import Links
    from indexer.results.matches import ManyMatches, Matches
    from indexer.results.records import Cluster, Match, Pair, Record, Rejected

    __version__: str

__all__ = [
    "Added",
    "Cluster",
    "Comparison",
    "Comparisons",
    "CorruptStore",
    "DedupError",
    "Duplicates",
    "EnvironmentFault",
    "Index",
    "InputRefused",
    "Judged",
    "Links",
    "ManyMatches",
    "Match",
    "Matches",
    "Model",
    "Pair",
    "Reason",
    "Record",
    "Rejected",
    "Status",
    "TooManyRemoved",
    "UsageError",
    "Verification",
    "VersionMismatch",
    "WriterBusy",
    "__version__",
    "compare",
    "compare_many",
    "deduplicate",
    "link",
    "load_model",
]

_HOMES = {
    "dedup.errors": (
        "CorruptStore", "DedupError", "EnvironmentFault", "InputRefused", "TooManyRemoved", "UsageError",
        "VersionMismatch", "WriterBusy",
    ),
    "dedup.model": ("Model", "load_model"),
    "indexer.api": ("Index",),
    "indexer.in_memory": ("compare", "compare_many", "deduplicate", "link"),
    "indexer.results.comparison": ("Comparison", "Comparisons", "Reason"),
    "indexer.results.deduplication": ("Duplicates",),
    "indexer.results.indexing": ("Added", "Status", "Verification"),
    "indexer.results.judged": ("Judged",),
    "indexer.results.links": ("Links",),
    "indexer.results.matches": ("ManyMatches", "Matches"),
    "indexer.results.records": ("Cluster", "Match", "Pair", "Record", "Rejected"),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    if name == "__version__":
        from importlib import metadata

        value: Any = metadata.version("neardup")
    elif name in _HOME_OF:
        from importlib import import_module

        value = getattr(import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module 'neardup' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
