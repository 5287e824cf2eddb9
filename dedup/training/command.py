"""Train a model: from a data folder to a model directory."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import CODE_SCALE, OnnxEncoder
from dedup.encoder.tokens import ALPHABET
from dedup.errors import InputRefused
from dedup.evaluation.evaluate import evaluate_pairs
from dedup.evidence.scorer import Scorer
from dedup.model import FILE_OF_KIND, FILES, FORMAT_VERSION, load_model
from dedup.text.normalise import NORMALISER_VERSION
from dedup.text.word_weights import InverseDocumentFrequency, WordWeights, clues
from dedup.training.data.generated_pairs import Generator
from dedup.training.data.sampling import Sampler
from dedup.training.data.sources import (
    ALIASES,
    GENERATED_WEIGHT,
    NAME_SOURCES,
    PAIRS,
    WORLD_WEIGHT,
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
from dedup.training.data.text_sets import SETS
from dedup.training.data.world import SOURCES as WORLD_SOURCES
from dedup.training.data.world import read_world_entities, read_world_names
from dedup.training.export import export
from dedup.training.kind_scorers import train_kinds
from dedup.training.loop import EncoderSettings, initial_tower, train_encoder
from dedup.training.network import DIMENSION, HIDDEN_SIZE, SYMBOL_SIZE, Tower
from dedup.training.scorer_data import (
    CANDIDATE_SHARE,
    COMPANY_SOURCES,
    Evidence,
    ScorerData,
    ScorerPairs,
    count_world_words,
    read_scorer_data,
)
from dedup.training.scorer_fitting import fit_scorer, fit_spelling, fit_vetoes, fit_word_weights

DEFAULT_PROBABILITY = 0.5
MIN_SIMILARITY = 0.46
"""Cosine below which no pair is compared: of the true pairs above the threshold, about one in a hundred."""
VALIDATION_PAIRS = ("company_validation_h1b", "company_validation_nber")
GENERATED_PAIRS = 20_000
"""Generated pairs with each label that the scorer is fitted on."""

_MIN_WORD_COUNT = 8
_GENERATED_POOL = 100_000
_GENERATED_PAIR_WEIGHT = 0.12  # relative to labelled company names
_RANDOM_PAIR_WEIGHT = 10.0
"""In use, random pairs are far more common than in files of hard negatives; they affect only low probabilities."""

_MULTISCRIPT_SOURCE = "toponyms"
"""The source of the pairs on which the curve of ``consonants`` is fitted."""

_ENCODER = {
    "alphabet": ALPHABET,
    "dimension": DIMENSION,
    "architecture": {
        "tower": "unidirectional character LSTM, maximum and mean pooling, bag of hashed grams",
        "symbol_size": SYMBOL_SIZE,
        "hidden_size": HIDDEN_SIZE,
    },
}
"""The manifest's description of the encoder that this version trains."""

WriteLine = Callable[[str], None]


def train(
    data: Path,
    output: Path,
    steps: int | None,
    seed: int | None,
    progress: WriteLine,
    *,
    generated_pairs: int = GENERATED_PAIRS,
) -> None:
    """Train a model on the folder ``data`` and write it to ``output``; resume if training was interrupted.

    If ``output`` holds a model whose encoder has the same architecture and was trained with the same settings, only
    the scorer is fitted again. ``steps`` and ``seed`` override those of ``EncoderSettings``; ``generated_pairs`` is
    the number of generated pairs with each label for the scorer. ``progress`` receives lines of text.

    Raises:
        InputRefused: ``data`` is not the training folder.
    """
    if not (data / "aliases").is_dir():
        raise InputRefused(f"{data} has no folder `aliases`; give the folder of the training data.")
    settings = EncoderSettings()
    settings = replace(settings, steps=steps or settings.steps, seed=settings.seed if seed is None else seed)
    output.mkdir(parents=True, exist_ok=True)
    entities, names = read_training_data(data, settings.seed)
    progress(f"{sum(map(len, entities.values())):,} entities and {len(names):,} single names")

    held_out = validation_cores(data)
    split = min(_GENERATED_POOL, len(names) // 2)  # the encoder learns from names[:split], the scorer from the rest
    checkpoint = output / "checkpoint.pt"
    if _has_encoder(output, settings):
        progress("keeping the encoder that was trained with these settings")
    else:
        world = read_world_entities(data, held_out)
        learnt = names[:split] + read_world_names(data, settings.seed, held_out)
        progress(f"{sum(map(len, world.values())):,} entities and {len(learnt) - split:,} names of the world")
        sampler = make_sampler(entities, world, learnt, settings.seed)
        tower = _train_tower(sampler, learnt, settings, checkpoint, progress)
        export(tower, output / "encoder.onnx")
    encoder = OnnxEncoder(output / "encoder.onnx")
    found = read_scorer_data(data, entities, encoder, held_out, settings.seed)
    counts, n_names = count_world_words(names, [found.corpora[key] for key in sorted(found.corpora)])
    _write_json(output / "rarity.json", {"n_names": n_names, "counts": counts})
    progress("fitting the scorer")
    evidence = Evidence(encoder, InverseDocumentFrequency(counts, n_names), found.corpora)
    common = {word: count for word, count in counts.items() if count >= _MIN_WORD_COUNT}
    generated = Generator(names[split:], common, settings.seed).pairs(generated_pairs)
    places = _place_names(data, entities[_MULTISCRIPT_SOURCE], held_out)
    scorer, weights = _train_scorer(found, places, generated, evidence, settings.seed)
    _write_json(output / "scorer.json", scorer.to_json())
    _write_json(output / "words.json", weights.to_json())
    for kind, stored in train_kinds(data, encoder, settings.seed, progress).items():
        _write_json(output / FILE_OF_KIND[kind], stored)
    _write_manifest(output, settings, {})
    measures = _measures(data, output, progress)
    _write_manifest(output, settings, measures)
    checkpoint.unlink(missing_ok=True)


def read_training_data(data: Path, seed: int) -> tuple[dict[str, list[Entity]], list[str]]:
    """Return the entities by source and the single names, shuffled, without the names of the validation files."""
    held_out = validation_cores(data)
    entities = {source.name: read_entities(data, source, held_out) for source in ALIASES}
    entities |= {source.name: read_aliases_of_pairs(data, source, held_out) for source in PAIRS}
    names = read_names(data, held_out)
    random.Random(seed).shuffle(names)
    return entities, names


def _has_encoder(output: Path, settings: EncoderSettings) -> bool:
    """Return whether ``output`` holds the encoder that its manifest names, with this architecture and settings."""
    wanted = _ENCODER | {"training": asdict(settings)}
    try:
        manifest = json.loads((output / "manifest.json").read_text(encoding="utf-8"))
        named, found = manifest["files"]["encoder.onnx"], {key: manifest[key] for key in wanted}
        return bool(named == _sha256(output / "encoder.onnx")) and found == wanted
    except (LookupError, OSError, TypeError, ValueError):  # none, or of another form
        return False


def make_sampler(
    entities: dict[str, list[Entity]], world: dict[str, list[Entity]], names: list[str], seed: int
) -> Sampler:
    """Return the sampler over ``names``, the entities by source, and those of the ``world`` by country.

    Those held back for the scorer are left out. Countries are drawn by the square roots of their sizes.
    """
    pool: list[Entity] = []
    weights: list[float] = []
    for source in (*ALIASES, *PAIRS):
        usable = [entity for entity in entities[source.name] if not is_held_back(entity)]
        pool += usable
        weights += [source.weight / len(usable)] * len(usable)
    roots = sum(len(some) ** 0.5 for some in world.values())
    for some in world.values():
        pool += some
        weights += [WORLD_WEIGHT / len(some) ** 0.5 / roots] * len(some)
    weights += [GENERATED_WEIGHT / len(names)] * len(names)
    return Sampler(pool, np.array(weights), names, seed)


def _train_tower(
    sampler: Sampler, names: list[str], settings: EncoderSettings, checkpoint: Path, progress: WriteLine
) -> Tower:
    losses: list[float] = []

    def on_step(step: int, loss: float) -> None:
        losses.append(loss)
        if step % 100 == 0:
            progress(f"step {step:,} of {settings.steps:,}, loss {np.mean(losses[-100:]):.3f}")

    return train_encoder(initial_tower(names[:200_000], settings.seed), sampler, settings, checkpoint, on_step)


def _train_scorer(
    found: ScorerData,
    places: LabelledPairs,
    generated: LabelledPairs,
    evidence: Evidence,
    seed: int,
) -> tuple[Scorer, WordWeights]:
    """Fit the scorer and the word weights.

    Word weights are fitted on pairs that the encoder may have seen. The additive model is fitted on other pairs, most
    of which the encoder has not seen, so their similarities and word weights are as realistic as those of new names.
    """
    words = _word_weights(found.for_words, evidence)
    rows, labels, weights = _stacked(found.for_curves, evidence, words)
    scorer = fit_scorer(rows, labels, weights)
    generated_rows = _rows_of(generated, evidence, words)
    scorer = fit_vetoes(
        scorer,
        np.concatenate([rows, generated_rows]),
        np.concatenate([labels, generated.labels]),
        np.concatenate([weights, np.full(len(generated.labels), _GENERATED_PAIR_WEIGHT)]),
    )
    random_pairs = _shuffled(found.for_curves, seed)
    more_rows = [_rows_of(pairs, evidence, words) for pairs in (random_pairs, places)]
    scorer = fit_spelling(
        scorer,
        np.concatenate([rows, generated_rows, *more_rows]),
        np.concatenate([labels, generated.labels, random_pairs.labels, places.labels]),
        np.concatenate(
            [
                weights,
                np.full(len(generated.labels), _GENERATED_PAIR_WEIGHT),
                np.full(len(random_pairs.labels), _RANDOM_PAIR_WEIGHT),
                _balanced(np.array(places.labels)),
            ]
        ),
    )
    return scorer, words


def _stacked(
    sets: Sequence[ScorerPairs], evidence: Evidence, words: WordWeights
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Return the evidence, labels and weights of all sets."""
    rows = np.concatenate([evidence.rows(some, words, evidence.compared(some)) for some in sets])
    labels = np.concatenate([np.array(some.pairs.labels, np.float64) for some in sets])
    return rows, labels, np.concatenate([some.weights for some in sets])


def _rows_of(pairs: LabelledPairs, evidence: Evidence, words: WordWeights) -> NDArray[np.float32]:
    """Return the evidence on pairs of no corpus."""
    some = ScorerPairs("", pairs, np.ones(len(pairs.labels)))
    return evidence.rows(some, words, evidence.compared(some))


def _shuffled(sets: Sequence[ScorerPairs], seed: int) -> LabelledPairs:
    """Return the left names of pairs of US companies, each with the right name of a random pair, labelled 0."""
    left, right = (
        [name for some in sets if some.corpus in COMPANY_SOURCES for name in getattr(some.pairs, side)]
        for side in ("left", "right")
    )
    return LabelledPairs(left, random.Random(seed).sample(right, len(right)), [0] * len(right))


def _place_names(data: Path, entities: list[Entity], held_out: frozenset[str]) -> LabelledPairs:
    """Return the labelled pairs of place names with at least one name that the encoder has not seen."""
    seen = {name for entity in entities if not is_held_back(entity) for name in entity.names}
    pairs = read_pairs(data / "pairs" / f"{_MULTISCRIPT_SOURCE}_train.csv.gz", held_out)
    return pairs.select([not seen.issuperset(names) for names in zip(pairs.left, pairs.right, strict=True)])


def _balanced(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return weights with mean 1 that give both labels the same total weight."""
    counts = np.bincount(labels, minlength=2)
    return np.asarray(len(labels) / 2 / counts[labels])


def _word_weights(sets: Sequence[ScorerPairs], evidence: Evidence) -> WordWeights:
    rows, seen = [], []
    for some in sets:
        compared = evidence.compared(some)
        rows.append(evidence.rows(some, WordWeights({}), compared))
        seen += [list(clues(pair.pairing)) for pair in compared]
    labels = np.concatenate([np.array(some.pairs.labels, np.float64) for some in sets])
    return fit_word_weights(np.concatenate(rows), seen, labels)


def _measures(data: Path, output: Path, progress: WriteLine) -> dict[str, Any]:
    model = load_model(output)
    measures = {}
    for name in VALIDATION_PAIRS:
        rows = list(read_rows(data / "pairs" / f"{name}.csv.gz"))
        left, right = ([row[column] for row in rows] for column in ("name_1", "name_2"))
        result = evaluate_pairs(model, left, right, [int(row["label"]) for row in rows])
        measures[name] = {k: round(v, 4) for k, v in result.items() if isinstance(v, float)}
        progress(f"{name}: best F1 {result['best_f1']:.3f}, AUC {result['auc']:.3f}")
    return measures


def _write_manifest(output: Path, settings: EncoderSettings, measures: dict[str, Any]) -> None:
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
            "least_similarity": MIN_SIMILARITY,
            "candidate_share": CANDIDATE_SHARE,
            "files": {
                name: _sha256(output / name)
                for name in (*FILES, *FILE_OF_KIND.values())
                if name in FILES or (output / name).is_file()
            },
            "training": asdict(settings),
            "command": f"dedup train DATA --output MODEL --steps {settings.steps} --seed {settings.seed}",
            "sources": {f"aliases/{source.name}_train": source.licence for source in ALIASES}
            | {f"pairs/{source.name}_train": source.licence for source in PAIRS}
            | {"pairs/company_train": "as the alias files it is made of"}
            | {f"names/organisations ({name})": licence for name, licence in NAME_SOURCES.items()}
            | {f"world ({name})": licence for name, licence in WORLD_SOURCES.items()}
            | {f"pairs/{name}_train": licence for name, licence in SETS.items()},
            "measures": measures,
        },
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
