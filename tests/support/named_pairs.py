"""A few labelled pairs for training: each name has a misspelt and an abbreviated form."""

import csv
import random

import numpy as np

from dedup.evaluation.pair_set import PairSet

PLACES = ("Harbor", "Granite", "Willow", "Summit", "Copper", "Juniper", "Falcon", "Meadow", "Cobalt", "Birch")
TRADES = ("Works", "Logistics", "Foods", "Systems", "Bank", "Textiles", "Shipping", "Dairy")


def rows(n: int, seed: int = 0) -> list[tuple[str, str, int]]:
    """n names, each with one pair of the same and one of different names."""
    rng = random.Random(seed)
    names = [f"{place} {trade} {number}" for number in range(10) for place in PLACES for trade in TRADES]
    rng.shuffle(names)
    found = []
    for at, name in enumerate(names[:n]):
        cut = rng.randrange(1, 5)
        found.append((name, name[:cut] + name[cut + 1 :] + " Ltd", 1))
        found.append((name, names[at + n], 0))
    return found


def pair_set(n: int, seed: int = 0) -> PairSet:
    """The same as normal forms."""
    some = [(left.lower(), right.lower(), label) for left, right, label in rows(n, seed)]
    left, right, labels = zip(*some, strict=True)
    return PairSet(list(left), list(right), np.array(labels, dtype=np.float64))


def write_pairs(path, n: int, seed: int = 0, header=("name_1", "name_2", "label")) -> str:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows(n, seed)])
    return str(path)
