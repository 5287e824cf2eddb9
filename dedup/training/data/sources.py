"""The training data: aliases by entity, hundreds of thousands of names, labelled pairs.

Names of the validation files are excluded everywhere: from positives and from the names used to generate variants.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

from rapidfuzz import fuzz

from dedup.encoder.tokens import initials
from dedup.text.legal_forms import split_legal_forms
from dedup.text.normalise import fold, normalise


@dataclass(frozen=True, slots=True)
class Source:
    """A file of aliases: its licence, its share of the draws, and how similar two aliases must be.

    ``min_ratio`` (0 to 100, RapidFuzz ``token_set_ratio`` of the folded forms) excludes translations, which cannot be
    learnt from characters; names that are the initials of another are kept.
    """

    name: str
    licence: str
    weight: float
    min_ratio: float = 0.0


ALIASES = (
    Source("h1b_employers", "US government record (public domain)", 0.26),
    Source("nber_assignees", "names from US patent records; carried by a package under GPL-3.0", 0.06),
    Source("irs_nonprofits", "US government record (public domain)", 0.06, 50.0),
    Source("securities", "MIT", 0.04, 50.0),
    Source("ror_organisations", "CC0 1.0", 0.20, 55.0),
    Source("brands_nsi", "BSD-3-Clause", 0.07, 60.0),
    Source("wikidata_companies", "CC0 (data), MIT (repository)", 0.08, 55.0),
)
PAIRS = (
    Source("toponyms", "MIT (repository), GeoNames CC BY 4.0", 0.06),
    Source("person_aliases", "MIT", 0.02),
)
"""Files of pairs whose true pairs serve as aliases: other scripts, persons."""

GENERATED_WEIGHT = 0.24
WORLD_WEIGHT = 0.14
"""The share of the entities of the world (``dedup.training.data.world``)."""

NAME_SOURCES = {
    "irs": "US government record (public domain)",
    "h1b": "US government record (public domain)",
    "ppp": "US government record (public domain)",
    "oflc_h2": "US government record (public domain)",
    "ror": "CC0 1.0",
    "wikidata": "CC0 (data), MIT (repository)",
    "nsi": "BSD-3-Clause",
    "securities": "MIT",
    "sec": "MIT",
    "isin_in": "MIT",
    "uk_gpg": "Open Government Licence",
}
"""Sources of ``names/organisations`` whose licence allows training; all others are left out."""

VALIDATION_CLUSTERS = ("h1b_employers", "nber_assignees", "ror_organisations", "wikidata_companies")


@dataclass(frozen=True, slots=True)
class Entity:
    """The names of an entity as normal forms; entities that may be the same company share a ``group``."""

    group: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelledPairs:
    """Pairs of normal forms with labels (1 same, 0 different)."""

    left: list[str]
    right: list[str]
    labels: list[int]

    @property
    def texts(self) -> list[str]:
        """The distinct texts, which are their corpus."""
        return list(dict.fromkeys([*self.left, *self.right]))

    def select(self, keep: Sequence[bool]) -> LabelledPairs:
        """Return the pairs where ``keep`` is true, in order."""
        return LabelledPairs(
            list(compress(self.left, keep)),
            list(compress(self.right, keep)),
            list(compress(self.labels, keep)),
        )


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a gzipped CSV file with a header line."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def is_held_back(entity: Entity) -> bool:
    """Return whether an entity is held back from the encoder to fit the scorer on; one in eight, by hash.

    The similarities of pairs that the encoder was trained on are unrealistically good.
    """
    return is_one_in(8, entity.group)


def is_one_in(n: int, text: str) -> bool:
    """Return whether a text is in a certain one of ``n`` equal parts of all texts, by hash."""
    return hashlib.blake2b(text.encode(), digest_size=1).digest()[0] % n == 0


def core_of(normal_form: str) -> str:
    """Return the folded name without its legal forms."""
    return fold(" ".join(split_legal_forms(normal_form)[0]))


def validation_cores(data: Path) -> frozenset[str]:
    """Return the cores of every name of the company validation files."""
    return frozenset(
        core_of(normalise(row["text"]))
        for name in VALIDATION_CLUSTERS
        for row in read_rows(data / "clusters" / f"{name}_validation.csv.gz")
    )


def read_entities(data: Path, source: Source, held_out: frozenset[str]) -> list[Entity]:
    """Return the entities of an alias file with at least two names, without held-out names."""
    by_entity: dict[str, list[str]] = {}
    for row in read_rows(data / "aliases" / f"{source.name}_train.csv.gz"):
        normal = normalise(row["name"])
        if normal and core_of(normal) not in held_out:
            by_entity.setdefault(row["entity_id"], []).append(normal)
    entities = []
    for entity_id, names in by_entity.items():
        distinct = list(dict.fromkeys(names))
        folded = [fold(name) for name in distinct]
        kept = [name for at, name in enumerate(distinct) if _is_learnable(at, folded, source.min_ratio)]
        if len(kept) > 1:
            entities.append(Entity(entity_id.split(".")[0], tuple(kept)))
    return entities


def read_aliases_of_pairs(data: Path, source: Source, held_out: frozenset[str]) -> list[Entity]:
    """Return the true pairs of a pair file as entities of two names; pairs that share a name share a group."""
    pairs = read_pairs(data / "pairs" / f"{source.name}_train.csv.gz", held_out)
    group_of: dict[str, str] = {}
    entities = []
    for left, right, label in zip(pairs.left, pairs.right, pairs.labels, strict=True):
        if label and left != right:
            group = group_of.setdefault(left, group_of.get(right, f"{source.name} {len(group_of)}"))
            group_of.setdefault(right, group)
            entities.append(Entity(group, (left, right)))
    return entities


def _is_learnable(at: int, folded: list[str], min_ratio: float) -> bool:
    """Return whether the name at index ``at`` is similar to another name, or one is the initials of the other."""
    name, others = folded[at], folded[:at] + folded[at + 1 :]
    return not min_ratio or any(
        fuzz.token_set_ratio(name, other) >= min_ratio or _is_initials(name, other) for other in others
    )


def _is_initials(left: str, right: str) -> bool:
    short, long = sorted((left, right), key=len)
    return len(short) > 2 and short in initials(long)


def read_names(data: Path, held_out: frozenset[str]) -> list[str]:
    """Return the distinct normal forms from the permitted sources of ``names/organisations``."""
    names = (
        normalise(row["name"])
        for row in read_rows(data / "names" / "organisations.csv.gz")
        if row["source"] in NAME_SOURCES
    )
    return [name for name in dict.fromkeys(names) if name and core_of(name) not in held_out]


def read_pairs(path: Path, held_out: frozenset[str] = frozenset()) -> LabelledPairs:
    """Read a labelled pair file as normal forms, without pairs that have an empty side or a held-out core."""
    left, right, labels = [], [], []
    for row in read_rows(path):
        first, second = normalise(row["name_1"]), normalise(row["name_2"])
        if first and second and held_out.isdisjoint((core_of(first), core_of(second))):
            left.append(first)
            right.append(second)
            labels.append(int(row["label"]))
    return LabelledPairs(left, right, labels)
