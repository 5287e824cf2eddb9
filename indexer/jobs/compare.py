"""The job ``dedup compare``: compare pairs of texts without an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.cosine import cosine
from dedup.encoder.onnx import OnnxEncoder
from dedup.evaluation.saliency import saliency, similarity_of, unit_of
from dedup.evidence.explain import Explanation
from dedup.matching.batch import BatchComparison
from dedup.matching.matcher import Matcher
from dedup.model import Model
from indexer.ingest.intake import normal_form_of
from indexer.jobs.duplicates import encode_in_blocks
from indexer.jobs.fielding.given_pairs import evidence_of_pairs
from indexer.outputs.model_pages.comparison_page import Attention, Comparison
from indexer.outputs.reasons import reasons_of

_NOTHING: Mapping[str, str] = MappingProxyType({})


def compare(
    model: Matcher,
    left: str,
    right: str,
    left_fields: Mapping[str, str] = _NOTHING,
    right_fields: Mapping[str, str] = _NOTHING,
) -> tuple[Explanation | None, bool]:
    """Return the probability that two texts are the same and the reasons, and whether they are equal once normalised.

    Fields are values by name, whose kind may follow the name after a colon. Equal texts without a field in common
    need no reasons.

    Raises:
        InputRefused: a text holds no letter, digit or symbol, or is too long.
        UsageError: as ``evidence_of_pairs``.
    """
    normals = [_normal_form(text) for text in (left, right)]
    evidence = evidence_of_pairs(normals[:1], normals[1:], [left_fields], [right_fields])
    found, is_equal = None, normals[0] == normals[1]
    if not is_equal:
        codes = model.encoder.encode(normals)
        found = model.explain(normals[0], normals[1], float(cosine(codes[:1], codes[1:])[0]))
    return (found if evidence is None else evidence.explain((0, 1), found)), is_equal


def compare_many(
    model: Matcher,
    left: Sequence[str],
    right: Sequence[str],
    left_fields: Sequence[Mapping[str, str]] = (),
    right_fields: Sequence[Mapping[str, str]] = (),
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]]:
    """Compare n pairs of texts: return probabilities, similarities, and whether normal forms are equal, (n,) each.

    Fields are those of each text, as in ``compare``; none of any if they are left out.

    Raises:
        InputRefused: a text holds no letter, digit or symbol, or is too long.
        UsageError: as ``evidence_of_pairs``.
        ValueError: the sides differ in length.
    """
    if len(left) != len(right):
        raise ValueError(f"cannot compare {len(left)} texts with {len(right)}; give the same number on both sides")
    normals = [[_normal_form(text) for text in side] for side in (left, right)]
    at = {text: place for place, text in enumerate(dict.fromkeys([*normals[0], *normals[1]]))}
    pairs = np.array([[at[text] for text in side] for side in normals], np.int64).T.reshape(-1, 2)
    codes = encode_in_blocks(model, list(at))
    exact = pairs[:, 0] == pairs[:, 1]
    probabilities, similarities = np.ones(len(pairs)), np.ones(len(pairs), np.float32)
    similarities[~exact] = cosine(*(codes[side] for side in pairs[~exact].T))
    with BatchComparison(model, codes, list(at)) as comparison:
        probabilities[~exact] = comparison.probabilities(pairs[~exact])
    evidence = evidence_of_pairs(normals[0], normals[1], left_fields, right_fields)
    if evidence is not None:
        both = np.arange(2 * len(pairs)).reshape(2, -1).T
        probabilities = evidence.probabilities(both, probabilities)
    return probabilities, similarities, exact


def _normal_form(text: str) -> str:
    return normal_form_of(text, f"{text!r} has no letter, digit or symbol to compare.")


def look(
    model: Model,
    left: str,
    right: str,
    left_fields: Mapping[str, str] = _NOTHING,
    right_fields: Mapping[str, str] = _NOTHING,
) -> Comparison:
    """Compare two texts as ``compare`` does and look into the model: what it makes of each part of them, for a page.

    Raises what ``compare`` raises.
    """
    found, _ = compare(model, left, right, left_fields, right_fields)
    normals = _normal_form(left), _normal_form(right)
    unit, compare_parts = unit_of(model), similarity_of(model)
    predictions: dict[str, float] = {}
    if model.head is not None:
        said = np.atleast_1d(model.head.compare([normals[0]], [normals[1]])[0]).tolist()
        names = ["similarity of the network"] if len(said) == 1 else model.manifest["head"]["classes"]
        predictions = dict(zip(names, said, strict=True))
    encoder = model.encoder
    weights = [encoder.attention(normal) for normal in normals] if isinstance(encoder, OnnxEncoder) else []
    return Comparison(
        model=f"Model {model.name}",
        texts=(left, right),
        normals=normals,
        probability=1.0 if found is None else found.probability,
        similarity=1.0 if found is None else found.similarity,
        threshold=model.default_probability,
        reasons=reasons_of(found)["explanation"],
        predictions=predictions,
        unit=unit,
        saliency=saliency(*normals, unit, compare_parts),
        attention=[Attention(*one) for one in weights if one is not None],
    )
