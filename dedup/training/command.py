"""The whole training: from the data folder to a model directory, by one command."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.inputs import ALPHABET
from dedup.encoder.onnx import CODE_SCALE, Encoder, OnnxEncoder, pair_similarities
from dedup.errors import InputRefused
from dedup.evaluation.evaluate import evaluate_pairs
from dedup.evidence.features import evidence, evidence_of
from dedup.evidence.name_pairs import pair_names
from dedup.evidence.scorer import Scorer
from dedup.model import FILES, FORMAT_VERSION, load_model
from dedup.text.normalise import NORMALISER_VERSION
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights, clues, count_words
from dedup.training.data.generated_pairs import Generator
from dedup.training.data.sampling import Sampler
from dedup.training.data.sources import (
    ALIASES,
    GENERATED_WEIGHT,
    NAME_SOURCES,
    PAIRS,
    Entity,
    LabelledPairs,
    is_held_back,
    read_aliases_of_pairs,
    read_entities,
    read_names,
    read_pairs,
    read_rows,
    validation_cores,
)
from dedup.training.export import export
from dedup.training.loop import EncoderSettings, initial_tower, train_encoder
from dedup.training.network import DIMENSION, HIDDEN_SIZE, SYMBOL_SIZE, Tower
from dedup.training.scorer_fitting import fit_scorer, fit_spelling, fit_vetoes, fit_word_weights

DEFAULT_PROBABILITY = 0.5
VALIDATION_PAIRS = ("company_validation_h1b", "company_validation_nber")
_LEAST_COUNT = 8
_GENERATED_POOL = 100_000
_SCORER_VARIANTS = 20_000
_GENERATED_PAIR_WEIGHT = 0.1  # beside labelled company names
_RANDOM_PAIR_WEIGHT = 10.0
"""Retrieval and users meet far more random pairs than files of hard negatives hold; they only bend the low end."""

_MANY_SCRIPTS = "toponyms"
"""The pairs from which the worth of consonants is learnt."""

_FEW_AND_HARD = ("nber_assignees", 3.0)
"""A source whose labelled pairs are few and unlike the others, and how much more each of them weighs."""

_COMPANY_SOURCES = ("h1b_employers", "nber_assignees", "irs_nonprofits", "securities")
_ENCODER = {
    "alphabet": ALPHABET,
    "dimension": DIMENSION,
    "architecture": {
        "tower": "unidirectional character LSTM, maximum and mean pooling, bag of hashed grams",
        "symbol_size": SYMBOL_SIZE,
        "hidden_size": HIDDEN_SIZE,
    },
}
"""What the manifest says of the encoder that this version trains."""

Report = Callable[[str], None]


def train(data: Path, output: Path, steps: int | None, seed: int | None, progress: Report) -> None:
    """Train a model on the folder ``data`` and write it to ``output``; resumes an interrupted training.

    Where ``output`` holds a model whose encoder is of the same architecture and was trained with the same
    settings, that encoder is kept and the scorer alone is fitted anew.

    ``steps`` and ``seed`` stand in for those of ``EncoderSettings``. ``progress`` gets lines of text.

    Raises:
        InputRefused: ``data`` is not the training folder.
    """
    if not (data / "aliases").is_dir():
        raise InputRefused(f"{data} has no folder `aliases`; name the folder that holds the training data.")
    settings = EncoderSettings()
    settings = replace(settings, steps=steps or settings.steps, seed=settings.seed if seed is None else seed)
    output.mkdir(parents=True, exist_ok=True)
    entities, names = read_training_data(data, settings.seed)
    progress(f"{sum(map(len, entities.values())):,} entities and {len(names):,} single names")

    generated = min(_GENERATED_POOL, len(names) // 2)  # names the encoder learns from; the scorer, from the others
    checkpoint = output / "checkpoint.pt"
    if _has_encoder(output, settings):
        progress("an encoder of these settings is there")
    else:
        sampler = make_sampler(entities, names[:generated], settings.seed)
        tower = _train_tower(sampler, names, settings, checkpoint, progress)
        export(tower, output / "encoder.onnx")
    counts, n_names = count_words(names, least=_LEAST_COUNT)
    _write_json(output / "rarity.json", {"n_names": n_names, "counts": counts})
    progress("fitting the scorer")
    idf = InverseDocumentFrequency(counts, n_names)
    generator = Generator(names[generated:], counts, settings.seed)
    encoder = OnnxEncoder(output / "encoder.onnx")
    scorer, weights, min_similarity = _train_scorer(data, entities, generator, encoder, idf, settings.seed)
    _write_json(output / "scorer.json", scorer.to_json())
    _write_json(output / "words.json", weights.to_json())
    _write_manifest(output, settings, min_similarity, {})
    measures = _measures(data, output, progress)
    _write_manifest(output, settings, min_similarity, measures)
    checkpoint.unlink(missing_ok=True)


def read_training_data(data: Path, seed: int) -> tuple[dict[str, list[Entity]], list[str]]:
    """Return the entities by source and the single names, shuffled; nothing of the validation files."""
    held_out = validation_cores(data)
    entities = {source.name: read_entities(data, source, held_out) for source in ALIASES}
    entities |= {source.name: read_aliases_of_pairs(data, source, held_out) for source in PAIRS}
    names = read_names(data, held_out)
    random.Random(seed).shuffle(names)
    return entities, names


def _has_encoder(output: Path, settings: EncoderSettings) -> bool:
    """Whether the manifest in ``output`` names this architecture, these settings and the encoder that is there."""
    try:
        manifest = json.loads((output / "manifest.json").read_text(encoding="utf-8"))
        found = _sha256(output / "encoder.onnx")
    except (OSError, ValueError):
        return False
    wanted = _ENCODER | {"training": asdict(settings)}
    return manifest["files"]["encoder.onnx"] == found and all(manifest.get(k) == v for k, v in wanted.items())


def make_sampler(entities: dict[str, list[Entity]], names: list[str], seed: int) -> Sampler:
    """Return the sampler over entities by source, without those held back, and over ``names``."""
    pool: list[Entity] = []
    weights: list[float] = []
    for source in (*ALIASES, *PAIRS):
        shown = [entity for entity in entities[source.name] if not is_held_back(entity)]
        pool += shown
        weights += [source.weight / len(shown)] * len(shown)
    weights += [GENERATED_WEIGHT / len(names)] * len(names)
    return Sampler(pool, np.array(weights), names, seed)


def _train_tower(
    sampler: Sampler, names: list[str], settings: EncoderSettings, checkpoint: Path, report: Report
) -> Tower:
    losses: list[float] = []

    def progress(step: int, loss: float) -> None:
        losses.append(loss)
        if step % 100 == 0:
            report(f"step {step:,} of {settings.steps:,}, loss {np.mean(losses[-100:]):.3f}")

    return train_encoder(initial_tower(names[:200_000], settings.seed), sampler, settings, checkpoint, progress)


def _train_scorer(
    data: Path,
    entities: dict[str, list[Entity]],
    generator: Generator,
    encoder: Encoder,
    idf: InverseDocumentFrequency,
    seed: int,
) -> tuple[Scorer, WordWeights, float]:
    """Fit word weights, the additive model and the least similarity worth comparing.

    Words are weighed on pairs that the encoder may have seen. The additive model is fitted on pairs with
    an entity kept from both, for which similarities and word weights are as good as on names never met.
    """
    held_back = {
        name for s in _COMPANY_SOURCES for entity in entities[s] if is_held_back(entity) for name in entity.names
    }
    held_out = validation_cores(data)
    labelled = read_pairs(data / "pairs" / "company_train.csv.gz", held_out)
    sides = [(a in held_back) + (b in held_back) for a, b in zip(labelled.left, labelled.right, strict=True)]
    words = _word_weights(labelled.select([count == 0 for count in sides]), idf)
    word_model = WordModel(idf, words)

    labelled = labelled.select([count > 0 for count in sides])
    # A negative with one held-back side is twice as likely to be kept as a positive: half the weight.
    once = np.array([count == 1 for count in sides if count > 0])
    source, factor = _FEW_AND_HARD
    few = {name for entity in entities[source] for name in entity.names}
    weights = np.where(once, 0.5, 1.0)
    weights[[a in few or b in few for a, b in zip(labelled.left, labelled.right, strict=True)]] *= factor
    rows, labels = pair_evidence(labelled, encoder, word_model), np.array(labelled.labels, dtype=np.float64)
    scorer = fit_scorer(rows, labels, weights)
    generated = generator.pairs(_SCORER_VARIANTS)
    generated_rows = pair_evidence(generated, encoder, word_model)
    scorer = fit_vetoes(
        scorer,
        np.concatenate([rows, generated_rows]),
        np.concatenate([labels, generated.labels]),
        np.concatenate([weights, np.full(len(generated.labels), _GENERATED_PAIR_WEIGHT)]),
    )
    mixed, places = _shuffled(labelled, seed), _place_names(data, entities[_MANY_SCRIPTS], held_out)
    more = [pair_evidence(pairs, encoder, word_model) for pairs in (mixed, places)]
    scorer = fit_spelling(
        scorer,
        np.concatenate([rows, generated_rows, *more]),
        np.concatenate([labels, generated.labels, mixed.labels, places.labels]),
        np.concatenate(
            [
                weights,
                np.full(len(generated.labels), _GENERATED_PAIR_WEIGHT),
                np.full(len(mixed.labels), _RANDOM_PAIR_WEIGHT),
                _balanced(np.array(places.labels)),
            ]
        ),
    )
    accepted = (scorer.probabilities(rows) >= DEFAULT_PROBABILITY) & (labels == 1)
    return scorer, words, round(float(np.quantile(rows[accepted, 0], 0.005)), 3)


def _shuffled(pairs: LabelledPairs, seed: int) -> LabelledPairs:
    """Return the left names, each with the right name of any pair, as pairs of two names."""
    right = random.Random(seed).sample(pairs.right, len(pairs.right))
    return LabelledPairs(pairs.left, right, [0] * len(right))


def _place_names(data: Path, entities: list[Entity], held_out: frozenset[str]) -> LabelledPairs:
    """Return the labelled pairs of place names of which the encoder has not seen both."""
    shown = {name for entity in entities if not is_held_back(entity) for name in entity.names}
    pairs = read_pairs(data / "pairs" / f"{_MANY_SCRIPTS}_train.csv.gz", held_out)
    return pairs.select([not shown.issuperset(names) for names in zip(pairs.left, pairs.right, strict=True)])


def _balanced(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return weights of mean 1 under which both labels weigh the same."""
    counts = np.bincount(labels, minlength=2)
    return np.asarray(len(labels) / 2 / counts[labels])


def _word_weights(pairs: LabelledPairs, idf: InverseDocumentFrequency) -> WordWeights:
    unknown = np.zeros(len(pairs.labels), dtype=np.float32)
    compared = pair_names(pairs.left, pairs.right)
    rows = evidence_of(compared, unknown, WordModel(idf, WordWeights({})))
    seen = [list(clues(pair.pairing)) for pair in compared]
    return fit_word_weights(rows, seen, np.array(pairs.labels, dtype=np.float64))


def pair_evidence(pairs: LabelledPairs, encoder: Encoder, word_model: WordModel) -> NDArray[np.float32]:
    """Return the (n, features) evidence on labelled pairs."""
    return evidence(pairs.left, pairs.right, pair_similarities(encoder, pairs.left, pairs.right), word_model)


def _measures(data: Path, output: Path, report: Report) -> dict[str, Any]:
    model = load_model(output)
    measures = {}
    for name in VALIDATION_PAIRS:
        rows = list(read_rows(data / "pairs" / f"{name}.csv.gz"))
        left, right = ([row[column] for row in rows] for column in ("name_1", "name_2"))
        result = evaluate_pairs(model, left, right, [int(row["label"]) for row in rows])
        measures[name] = {k: round(v, 4) for k, v in result.items() if isinstance(v, float)}
        report(f"{name}: best F1 {result['best_f1']:.3f}, AUC {result['auc']:.3f}")
    return measures


def _write_manifest(output: Path, settings: EncoderSettings, min_similarity: float, measures: dict[str, Any]) -> None:
    _write_json(
        output / "manifest.json",
        {
            "format_version": FORMAT_VERSION,
            "normaliser_version": NORMALISER_VERSION,
            **_ENCODER,
            "code_scale": CODE_SCALE,
            "quantisation": {
                "vectors": f"int8, round(unit vector * {CODE_SCALE:g}) clipped to 127",
                "gram_table": "int8, one scale per dimension",
                "other_weights": "float32",
            },
            "default_probability": DEFAULT_PROBABILITY,
            "least_similarity": min_similarity,
            "files": {name: _sha256(output / name) for name in FILES},
            "training": asdict(settings),
            "command": f"dedup train DATA --output MODEL --steps {settings.steps} --seed {settings.seed}",
            "sources": {f"aliases/{source.name}_train": source.licence for source in ALIASES}
            | {f"pairs/{source.name}_train": source.licence for source in PAIRS}
            | {"pairs/company_train": "as the alias files it is made of"}
            | {f"names/organisations ({name})": licence for name, licence in NAME_SOURCES.items()},
            "measures": measures,
        },
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
