"""A training folder that is small enough for a test."""

import csv
import gzip
import random
from itertools import pairwise

from dedup.training.command import VALIDATION_PAIRS
from dedup.training.data.sources import ALIASES, PAIRS, VALIDATION_CLUSTERS

WORDS = ["acme", "royal", "pioneer", "harbor", "summit", "granite", "meridian", "cobalt", "juniper", "falcon"]
TRADES = ["bank", "foods", "systems", "consulting services", "logistics", "holdings international"]


def write(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def write_training_folder(folder):
    """Write a miniature training folder, with a validation name among the training names."""
    rng = random.Random(1)
    names = [f"{a} {b} {t} inc" for a in WORDS for b in WORDS if a != b for t in TRADES]
    rng.shuffle(names)
    for source in ALIASES:
        rows = [(f"{source.name}{i}.0", n) for i, name in enumerate(names[:80]) for n in (name, name + "orporated")]
        write(folder / "aliases" / f"{source.name}_train.csv.gz", ("entity_id", "name"), rows)
    rows = [("1", name, "irs", "US") for name in names] + [
        ("2", "Planted Name LLC", "irs", "US"),
        ("3", "x y", "sibur", ""),
    ]
    write(folder / "names" / "organisations.csv.gz", ("id", "name", "source", "country"), rows)
    for name in VALIDATION_CLUSTERS:
        write(
            folder / "clusters" / f"{name}_validation.csv.gz",
            ("id", "text", "cluster_id"),
            [("1", "PLANTED, name", "c")],
        )
    pairs = [(name, name + "orporated", 1) for name in names[:80]] + [(a, b, 0) for a, b in pairwise(names[:80])]
    for name in ("company_train", *VALIDATION_PAIRS, *(f"{source.name}_train" for source in PAIRS)):
        write(folder / "pairs" / f"{name}.csv.gz", ("name_1", "name_2", "label"), pairs)
    return folder
