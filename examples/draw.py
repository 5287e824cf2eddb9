"""Draw `examples/companies.csv` and `examples/truth.csv` from the data folder.

    python examples/draw.py --data ../shared/data --output examples

Only names from US-government records are taken: employers of H-1B petitions and tax-exempt organisations of the IRS.
The draw is seeded, and a record keeps the number of its name in `names/organisations`, so the same data folder gives
the same files, byte for byte.
"""

import argparse
import csv
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz import fuzz, process

from dedup.training.data.sources import read_rows

SOURCES = {"h1b": "h1b_employers", "irs": "irs_nonprofits"}  # as named in record ids, and in the alias files
SEED = 2026
MAX_NAMES = 8  # of one entity
MAX_OF_A_STEM = 4  # entities that begin with the same distinctive word
SAME = 90  # RapidFuzz token sort ratio, 0-100, from which two names may belong to one entity
WORD = re.compile(r"[A-Z0-9]+")
COMMON = frozenset(  # words that do not distinguish two organisations
    WORD.findall(
        "A AND ASSOC ASSOCIATES ASSOCIATION CO COMPANY CORP CORPORATION DBA FOUNDATION GROUP INC "
        "INCORPORATED LIMITED LLC LLP LP LTD NA OF PA PC PLC PLLC THE US USA"
    )
)


@dataclass(frozen=True, slots=True)
class Entity:
    """One organisation: its key, its source, and its names, each with its number of occurrences or ""."""

    key: str
    source: str
    names: tuple[tuple[str, str], ...]

    @property
    def stem(self) -> str:
        """The first distinctive word of the first name."""
        return next(word for word in WORD.findall(self.names[0][0]) if word not in COMMON)


def words(name: str) -> frozenset[str]:
    """Return the distinctive words of a name."""
    return frozenset(WORD.findall(name)) - COMMON


def usable(name: str) -> bool:
    """Tell whether a name starts like a name and has a distinctive word."""
    return name[0].isalnum() and bool(words(name))


def alias_file(data: Path, source: str) -> Path:
    """Return the path of the alias file of a source."""
    return data / "aliases" / f"{SOURCES[source]}_train.csv.gz"


def read_entities(path: Path, source: str) -> list[Entity]:
    """Return the entities of an alias file whose outside key (the id up to the dot) is theirs alone."""
    names: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in read_rows(path):
        names[row["entity_id"]].append((row["name"], row.get("count", "")))
    owners = Counter(name for members in names.values() for name, _ in members)
    groups = Counter(key.partition(".")[0] for key in names)
    return [
        Entity(key, source, tuple(members))
        for key, members in names.items()
        if groups[key.partition(".")[0]] == 1
        and 2 <= len(members) <= MAX_NAMES
        and all(usable(name) and owners[name] == 1 for name, _ in members)
    ]


class Draw:
    """The entities taken so far, none of which can be mistaken for another."""

    def __init__(self) -> None:
        self.entities: list[Entity] = []
        self._names: list[str] = []
        self._by_word: dict[str, set[int]] = defaultdict(set)
        self._stems: Counter[str] = Counter()

    def take(self, pool: Iterable[Entity], count: int, *, near: bool = False) -> None:
        """Take the first `count` of the pool that fit; with `near`, only those with a stem taken before."""
        stems = frozenset(self._stems)
        wanted = len(self.entities) + count
        for entity in pool:
            if (not near or entity.stem in stems) and self._fits(entity):
                self._add(entity)
            if len(self.entities) == wanted:
                return
        raise SystemExit(f"The data folder has {wanted - len(self.entities)} organisations too few for this draw.")

    def _fits(self, entity: Entity) -> bool:
        if self._stems[entity.stem] >= MAX_OF_A_STEM:
            return False
        return not any(self._may_be_known(name) for name, _ in entity.names)

    def _may_be_known(self, name: str) -> bool:
        """Tell whether a name may belong to an entity already taken, whatever the sources' keys say."""
        own = words(name)
        sharing = set().union(*(self._by_word[word] for word in own))
        if any(own <= words(self._names[at]) or words(self._names[at]) <= own for at in sharing):
            return True
        return process.extractOne(name, self._names, scorer=fuzz.token_sort_ratio, score_cutoff=SAME) is not None

    def _add(self, entity: Entity) -> None:
        self.entities.append(entity)
        self._stems[entity.stem] += 1
        for name, _ in entity.names:
            for word in words(name):
                self._by_word[word].add(len(self._names))
            self._names.append(name)


def draw(data: Path, numbers: dict[str, str]) -> list[Entity]:
    """Return the drawn entities: about 1,150 with two names or more, and 1,350 with one."""
    rng = random.Random(SEED)
    employers, nonprofits = (read_entities(alias_file(data, source), source) for source in SOURCES)
    tied = {row["name"] for source in SOURCES for row in read_rows(alias_file(data, source))}
    tied.update(row["text"] for row in read_rows(data / "clusters" / "h1b_employers_validation.csv.gz"))
    singles = [
        Entity(number, number.partition("-")[0], ((name, ""),))
        for name, number in numbers.items()
        if name not in tied and usable(name)
    ]
    for pool in (employers, nonprofits, singles):
        rng.shuffle(pool)
    drawn = Draw()
    drawn.take(employers, 600)
    drawn.take(employers, 300, near=True)
    drawn.take(nonprofits, 250)
    for source, near_misses, others in (("h1b", 600, 400), ("irs", 150, 200)):
        own = [single for single in singles if single.source == source]
        drawn.take(own, near_misses, near=True)
        drawn.take(own, others)
    return drawn.entities


def write(path: Path, header: list[str], lines: Iterable[tuple[str, ...]]) -> None:
    """Write a CSV file with Unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *lines])


def main() -> None:
    """Draw, and write both files."""
    parser = argparse.ArgumentParser(description="Draw the example corpus from the data folder.")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--output", type=Path, required=True, help="the folder for the two files")
    asked = parser.parse_args()
    numbers = {}
    for row in read_rows(asked.data / "names" / "organisations.csv.gz"):
        if row["source"] in SOURCES:
            source, _, number = row["id"].partition(":")
            numbers[row["name"]] = f"{source}-{int(number):06d}"
    entities = draw(asked.data, numbers)
    records = [(numbers[name], name, one.source, count, one.key) for one in entities for name, count in one.names]
    random.Random(SEED).shuffle(records)
    write(asked.output / "companies.csv", ["id", "name", "source", "occurrences"], (record[:4] for record in records))
    truth = ((number, name, key) for number, name, _, _, key in records)
    write(asked.output / "truth.csv", ["id", "text", "cluster_id"], truth)


if __name__ == "__main__":
    main()
