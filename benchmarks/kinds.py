"""Measure the kinds of texts: how well pairs of products, titles, citations and persons are told apart, and detected.

    python benchmarks/kinds.py --data DATA [--cases CASES] [--only text|person|detection] [--left-out] [--file NAME ...]
        [--sentence-model CACHE]

Reads ``DATA/pairs``, ``DATA/clusters`` and ``DATA/fields``. Of each labelled file it prints the best F1 and that at the
default threshold, the calibration error, and the best F1 of rivals on the same pairs: the best of six RapidFuzz
scorers, TF-IDF cosines of words and of letters, the vector similarity alone, and the scorer of company names; with
``--sentence-model`` also all-MiniLM-L6-v2, whose vectors are kept in that folder (``methods.Sentences``). Of files
with true clusters, the pairs are those of the ten nearest neighbours. ``--left-out`` fits the scorer of texts again
without each training set in turn.
"""

import argparse
import csv
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from methods import Sentences
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist
from scipy.sparse import csr_matrix

from dedup.encoder.onnx import pair_similarities
from dedup.evaluation import measures
from dedup.evidence.kinds import KINDS, TEXT
from dedup.evidence.scorer import Scorer
from dedup.evidence.texts.detection import detect_kind
from dedup.matching.batch import BatchComparison
from dedup.model import Model, load_model
from dedup.text.corpus import describe_corpus
from dedup.text.normalise import normalise
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights
from dedup.training.data.person_sets import read_person_pairs
from dedup.training.data.sources import read_pairs, read_rows
from dedup.training.data.text_sets import read_text_sets
from dedup.training.kind_scorers import fit_texts, with_strangers
from indexer.vectors.knn_graph import build_knn_graph

PAIRS = ("amazon_google", "walmart_amazon", "dblp_scholar", "beer", "itunes_amazon")
CLUSTERS = ("cddb", "abt_buy", "dblp_acm")
NEIGHBOURS = 10
SEED = 21
RIVALS: tuple[Callable[..., float], ...] = (
    fuzz.ratio, fuzz.partial_ratio, fuzz.token_sort_ratio, fuzz.token_set_ratio, fuzz.WRatio, fuzz.QRatio,
)  # fmt: skip


class Labelled(NamedTuple):
    """Pairs of normal forms with their cosines and labels, and the texts that are their corpus."""

    left: list[str]
    right: list[str]
    similarities: NDArray[np.float32]
    labels: NDArray[np.int64]
    texts: list[str]
    missed: int
    """True pairs that are no candidates."""


def labelled_pairs(model: Model, path: Path) -> Labelled:
    """Read a file of labelled pairs."""
    pairs = read_pairs(path)
    similarities = pair_similarities(model.encoder, pairs.left, pairs.right)
    return Labelled(pairs.left, pairs.right, similarities, np.array(pairs.labels), pairs.texts, 0)


def labelled_clusters(model: Model, rows: Sequence[tuple[str, str]]) -> Labelled:
    """Return the candidate pairs of texts with their clusters."""
    cluster_of: dict[str, str] = {}
    for text, cluster in rows:
        if normal := normalise(text):
            cluster_of.setdefault(normal, cluster)
    texts, clusters = list(cluster_of), np.array(list(cluster_of.values()))
    near = build_knn_graph(model.encoder.encode(texts), NEIGHBOURS, model.min_similarity, None)
    found = near.pairs(lambda done: None)
    pairs = found.pairs
    labels = (clusters[pairs[:, 0]] == clusters[pairs[:, 1]]).astype(np.int64)
    total = sum(n * (n - 1) // 2 for n in Counter(clusters.tolist()).values())
    left, right = ([texts[at] for at in side] for side in pairs.T.tolist())
    return Labelled(left, right, found.cosines, labels, texts, int(total - labels.sum()))


def best_f1(some: Labelled, scores: NDArray[Any]) -> float:
    """Return the best F1 of any threshold, where pairs that are no candidates count as missed."""
    order = np.argsort(-scores, kind="stable")
    hits, n = np.cumsum(some.labels[order]), np.arange(1, len(scores) + 1)
    last = np.append(np.diff(scores[order]) != 0, True)
    return round(float((2 * hits / (n + some.labels.sum() + some.missed))[last].max()), 3)


def at_threshold(some: Labelled, probabilities: NDArray[np.float64], threshold: float) -> float:
    """Return the F1 of the pairs of at least this probability."""
    chosen = probabilities >= threshold
    hits = some.labels[chosen].sum()
    return round(float(2 * hits / max(1, chosen.sum() + some.labels.sum() + some.missed)), 3)


def tf_idf(some: Labelled, parts: Callable[[str], Sequence[str]]) -> NDArray[np.float64]:
    """Return the TF-IDF cosine of each pair."""
    counts = Counter(part for text in some.texts for part in set(parts(text)))
    places = {part: at for at, part in enumerate(counts)}
    weight = np.array([math.log((1 + len(some.texts)) / (1 + n)) + 1 for n in counts.values()])

    def matrix(texts: Sequence[str]) -> csr_matrix:
        rows, columns, values = [], [], []
        for row, text in enumerate(texts):
            for part, n in Counter(parts(text)).items():
                rows.append(row)
                columns.append(places[part])
                values.append(n * weight[places[part]])
        found = csr_matrix((values, (rows, columns)), shape=(len(texts), len(places)))
        norms = np.sqrt(np.asarray(found.multiply(found).sum(axis=1))).ravel()
        return found.multiply(1 / norms[:, None]).tocsr()

    return np.asarray(matrix(some.left).multiply(matrix(some.right)).sum(axis=1)).ravel()


def trigrams(text: str) -> list[str]:
    """Return the trigrams of a text."""
    padded = f" {text} "
    return [padded[at : at + 3] for at in range(len(padded) - 2)]


def probabilities_of(model: Model, some: Labelled, *, with_corpus: bool = True, adapt: bool = False) -> NDArray[Any]:
    """Return the probability of each pair, as an index of these texts gives it."""
    if with_corpus:
        model = model.with_corpus(describe_corpus(some.texts, KINDS[model.kind].words_of))
    found = model.compare(some.left, some.right, some.similarities)
    if adapt:
        places = {text: at for at, text in enumerate(some.texts)}
        pairs = np.array([[places[one] for one in side] for side in (some.left, some.right)]).T
        with BatchComparison(model, np.zeros((len(some.texts), 1), np.int8), some.texts) as comparison:
            shift = comparison.adapt(pairs, some.similarities, lambda *_: None)
        found = 1 / (1 / found - 1) * math.exp(shift)
        found = found / (1 + found)
    return np.asarray(found)


def measured(some: Labelled, probabilities: NDArray[Any], threshold: float) -> dict[str, float]:
    """Return best F1, F1 at the threshold, and the calibration error."""
    error = measures.expected_calibration_error(some.labels, probabilities)
    return {
        "best_f1": best_f1(some, probabilities),
        "f1": at_threshold(some, probabilities, threshold),
        "calibration_error": round(error, 3),
    }


def rivals(company: Model, some: Labelled, sentences: Sentences | None = None) -> dict[str, Any]:
    """Return the best F1 of other measures on the same pairs."""
    by_sentences = {} if sentences is None else {sentences.name: best_f1(some, sentence_cosines(sentences, some))}
    of_fuzz = {one.__name__: best_f1(some, cpdist(some.left, some.right, scorer=one)) for one in RIVALS}
    best = max(of_fuzz, key=of_fuzz.__getitem__)
    return {
        "rapidfuzz": of_fuzz[best],
        "rapidfuzz_scorer": best,
        "tf_idf_words": best_f1(some, tf_idf(some, str.split)),
        "tf_idf_trigrams": best_f1(some, tf_idf(some, trigrams)),
        "similarity": best_f1(some, some.similarities),
        "company": best_f1(some, company.compare(some.left, some.right, some.similarities)),
        **by_sentences,
    }


def sentence_cosines(sentences: Sentences, some: Labelled) -> NDArray[np.float32]:
    """Return the cosine of the sentence model of each pair; each text is encoded once."""
    places = {text: at for at, text in enumerate(some.texts)}
    vectors = sentences.vectors(some.texts)
    left, right = (vectors[[places[text] for text in side]] for side in (some.left, some.right))
    return np.asarray(np.einsum("ij,ij->i", left, right))


def texts(data: Path, files: Sequence[str], sentences: Sentences | None, *, left_out: bool) -> Iterator[dict[str, Any]]:
    """Yield the measures of texts."""
    company = load_model()
    model = company.with_kind("text")
    for name in files or (*PAIRS, *CLUSTERS):
        if name in CLUSTERS:
            rows = [(row["text"], row["cluster_id"]) for row in read_rows(data / "clusters" / f"{name}.csv.gz")]
            some = labelled_clusters(model, rows)
        else:
            some = labelled_pairs(model, data / "pairs" / f"{name}_validation.csv.gz")
        found = probabilities_of(model, some, adapt=name in CLUSTERS)
        alone = probabilities_of(model, some, with_corpus=False)
        yield {
            "file": name,
            "pairs": len(some.labels),
            "true": int(some.labels.sum()) + some.missed,
            "missed": some.missed,
            **measured(some, found, model.default_probability),
            "without_corpus": measured(some, alone, model.default_probability),
            "rivals": rivals(company, some, sentences),
        }
        if left_out and name in PAIRS:
            sets = [one for one in read_text_sets(data) if one.name != name]
            stored = fit_texts(sets, model.encoder, model.manifest["training"]["seed"])
            words = WordModel(InverseDocumentFrequency.from_json(stored), WordWeights({}))
            scorer = Scorer.from_json(stored, TEXT.registry.names)
            other = replace(model, additive=scorer, word_model=words)
            found = probabilities_of(other, some)
            yield {"file": name, "left_out": True, **measured(some, found, model.default_probability)}


def persons(data: Path, cases: Path | None) -> Iterator[dict[str, Any]]:
    """Yield the measures of persons."""
    company = load_model()
    model = company.with_kind("person")
    pairs = read_person_pairs(data, model.encoder, held_back=True)
    if pairs is not None:
        cosines = pair_similarities(model.encoder, pairs.left, pairs.right)
        for drawn, negatives in (("hard", pairs.labels), ("random", None)):
            left, right, labels, near = pairs.left, pairs.right, np.array(pairs.labels), cosines
            if negatives is None:
                drawn_at_random = with_strangers(pairs, 1)
                left, right = drawn_at_random.left, drawn_at_random.right
                labels = np.array(drawn_at_random.labels)
                near = pair_similarities(model.encoder, left, right)
            some = Labelled(left, right, near, labels, [], 0)
            found = probabilities_of(model, some, with_corpus=False)
            yield {
                "file": f"person_aliases, held back, {drawn} negatives",
                "pairs": len(labels),
                "auc": round(measures.auc(labels, found), 4),
                "auc_company": round(measures.auc(labels, company.compare(left, right, near)), 4),
                "auc_similarity": round(measures.auc(labels, near), 4),
                **measured(some, found, model.default_probability),
            }
    rows = [
        (f"{row['given_name']} {row['surname']}".strip(), row["entity_id"])
        for row in read_rows(data / "fields" / "febrl3.csv.gz")
    ]
    some = labelled_clusters(model, rows)
    found = probabilities_of(model, some, adapt=True)
    yield {"file": "febrl3 names", **measured(some, found, model.default_probability), "rivals": rivals(company, some)}
    if cases is not None:
        yield from persons_of_cases(model, company, cases)


def persons_of_cases(model: Model, company: Model, cases: Path) -> Iterator[dict[str, Any]]:
    """Yield the probabilities of the cases on persons."""
    with cases.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if "erson" in row["kind"] or "degree" in row["kind"]]
    for row in rows:
        left, right = normalise(row["name_1"]), normalise(row["name_2"])
        near = pair_similarities(model.encoder, [left], [right])
        found, before = (float(one.compare([left], [right], near)[0]) for one in (model, company))
        is_unsure, is_same = 0.2 <= found <= 0.8, found >= model.default_probability
        is_right = is_unsure if row["wanted"] == "unsure" else is_same == (row["wanted"] == "same")
        yield {
            "case": f"{row['name_1']} / {row['name_2']}",
            "wanted": row["wanted"],
            "probability": round(found, 3),
            "company": round(before, 3),
            "right": is_right,
        }


FOLDERS = {"names": "company", "aliases": "company", "world": "company", "sentences": "text", "documents": "text"}
OTHERS = {
    "person_aliases": "person", "toponyms": "place", "company": "company", "sibur": "company", "h1b": "company",
    "nber": "company", "ror": "company", "wikidata": "company", "irs": "company",
}  # fmt: skip
"""The kinds of files in other folders by the beginning of their names; all others are texts."""

SAMPLE, MOST_READ = 200, 40_000


def detection(data: Path) -> Iterator[dict[str, Any]]:
    """Yield the share of files of which a sample of 200 rows is taken for what it is, and those that are not."""
    rng, right, wrong = random.Random(SEED), 0, []
    for path in sorted(data.glob("*/*.csv.gz")):
        rows = list(islice(read_rows(path), MOST_READ))
        column = next((one for one in ("text", "name", "name_1", "sentence_1") if rows and one in rows[0]), None)
        if column is None:
            continue
        by_name = [kind for beginning, kind in OTHERS.items() if path.name.startswith(beginning)]
        wanted = FOLDERS.get(path.parent.name) or ("company" if path.parent.name == "fields" else "text")
        wanted = by_name[0] if by_name else wanted
        texts = [normal for row in rows if (normal := normalise(row[column]))]
        found = detect_kind(rng.sample(texts, min(SAMPLE, len(texts))))
        if found == wanted or (wanted == "place" and found != "person"):
            right += 1
        else:
            wrong.append({"file": f"{path.parent.name}/{path.name}", "wanted": wanted, "found": found})
    yield {"detected": right, "of": right + len(wrong), "wrong": wrong}


def main() -> None:
    """Print a JSON line for each measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--only", choices=("text", "person", "detection"))
    parser.add_argument("--left-out", action="store_true")
    parser.add_argument("--sentence-model", type=Path)
    parser.add_argument("--file", action="append", default=[])
    given = parser.parse_args()
    sentences = None if given.sentence_model is None else Sentences(given.sentence_model)
    jobs: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "text": lambda: texts(given.data, given.file, sentences, left_out=given.left_out),
        "person": lambda: persons(given.data, given.cases),
        "detection": lambda: detection(given.data),
    }
    for name, job in jobs.items():
        if given.only in (None, name):
            for found in job():
                print(json.dumps(found, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
