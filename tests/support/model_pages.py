"""Pages about a model as tests make them."""

import io

import numpy as np

from dedup.evaluation.labelled import Predicted
from dedup.evaluation.pair_set import PairSet
from dedup.evaluation.saliency import Part
from indexer.outputs.model_pages.comparison_page import Attention, Comparison, write_comparison
from indexer.outputs.model_pages.evaluation_page import write_evaluation


def predicted(labels="binary", n=60, **values):
    rng = np.random.default_rng(1)
    left = [f"harbor works {at}" for at in range(n)]
    right = [f"harbour works {at}" for at in range(n)]
    probabilities = rng.random(n)
    if labels == "classes":
        targets = np.arange(n) % 3.0
        pairs = PairSet(left, right, targets, "classes", ("contradiction", "entailment", "neutral"), frozenset({1}))
        found = rng.dirichlet(np.ones(3), n)
    elif labels == "graded":
        pairs = PairSet(left, right, np.round(rng.random(n) * 5) / 5, "graded", (), frozenset())
        found = pairs.targets * 0.9
    else:
        pairs, found = PairSet(left, right, np.arange(n) % 2.0), probabilities
    given = {"probabilities": probabilities, "similarities": probabilities.astype(np.float32), "threshold": 0.5}
    whole = {"pairs": pairs, "found": found, "default_probability": 0.5, "truth": pairs.positive, **given, **values}
    return Predicted(**whole)


def evaluation(found, model="The model m", files=("pairs.csv",)):
    out = io.StringIO()
    write_evaluation(out, model, files, found)
    return out.getvalue()


def comparison(**values):
    given = {
        "model": "The model m", "texts": ("Acme Ltd", "Acne Ltd"), "normals": ("acme ltd", "acne ltd"),
        "probability": 0.25, "similarity": 0.5, "threshold": 0.5,
        "reasons": [{"label": "starting point", "log_odds": -2.0}, {"label": "spelling alike", "log_odds": 0.9}],
        "predictions": {}, "unit": "character",
        "saliency": ([Part("a", 0.2), Part("b", -0.1)], [Part("a", 0.0)]), "attention": [], **values,
    }  # fmt: skip
    out = io.StringIO()
    write_comparison(out, Comparison(**given))
    return out.getvalue()


def attention(*tokens, heads=2):
    weights = np.full((1, heads, len(tokens), len(tokens)), 0.0, np.float32)
    weights[..., 0] = 1.0
    return Attention(tokens, weights)
