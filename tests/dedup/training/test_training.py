"""Training: data, generated pairs, the encoder, its export, and the scorer."""

import json
import random
import shutil
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training_folder import TRADES, WORDS, write, write_training_folder  # noqa: E402

from dedup.encoder.onnx import OnnxEncoder, quantise  # noqa: E402
from dedup.evidence.features import FEATURES  # noqa: E402
from dedup.model import load_model  # noqa: E402
from dedup.text.normalise import normalise  # noqa: E402
from dedup.training.architectures.objectives import in_batch_loss  # noqa: E402
from dedup.training.command import train  # noqa: E402
from dedup.training.data.generated_pairs import Generator  # noqa: E402
from dedup.training.data.other_texts import OtherTexts  # noqa: E402
from dedup.training.data.sampling import Sampler  # noqa: E402
from dedup.training.data.sources import (  # noqa: E402
    ALIASES,
    PAIRS,
    Entity,
    core_of,
    read_aliases_of_pairs,
    read_entities,
    read_names,
    read_pairs,
    validation_cores,
)
from dedup.training.data.variants import sibling, variant  # noqa: E402
from dedup.training.export import export  # noqa: E402
from dedup.training.loop import embed  # noqa: E402
from dedup.training.network import Tower  # noqa: E402
from dedup.training.scorer_fitting import fit_scorer, fit_spelling, fit_vetoes, fit_word_weights  # noqa: E402

KEPT = "keeping the encoder that was trained with these settings"
train_small = partial(train, generated_pairs=200)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A miniature training folder, with a validation name among the training names."""
    return write_training_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A model that was trained in two steps."""
    model = tmp_path_factory.mktemp("trained") / "model"
    train_small(data, model, steps=2, seed=7, progress=lambda _: None)
    return model


def contents(model):
    return {file.name: file.read_bytes() for file in model.iterdir()}


def test_validation_names_are_excluded(data):
    held_out = validation_cores(data)
    names = read_names(data, held_out)
    assert core_of(normalise("planted NAME Inc.")) in held_out
    assert not {core_of(name) for name in names} & held_out
    assert "x y" not in names  # its source states no licence
    for source in ALIASES:
        assert all(core_of(n) not in held_out for e in read_entities(data, source, held_out) for n in e.names)
    for source in PAIRS:
        assert len(read_aliases_of_pairs(data, source, held_out)) == 80
        assert not read_aliases_of_pairs(data, source, frozenset(core_of(name) for name in names))
    labelled = read_pairs(data / "pairs" / "company_train.csv.gz")
    left_out = core_of(labelled.left[0])
    kept = read_pairs(data / "pairs" / "company_train.csv.gz", frozenset([left_out]))
    assert 0 < len(kept.labels) < len(labelled.labels)
    assert left_out not in {core_of(name) for name in kept.left + kept.right}


def test_acronyms_are_kept_and_translations_dropped(tmp_path):
    source = next(source for source in ALIASES if source.name == "ror_organisations")
    names = ("Acme Institute of Oil", "AIO", "Petrolforskning", "Acme Institute of Oils")
    rows = [("1", name) for name in names]
    write(tmp_path / "aliases" / f"{source.name}_train.csv.gz", ("entity_id", "name"), rows)
    (entity,) = read_entities(tmp_path, source, frozenset())
    assert set(entity.names) == {"acme institute of oil", "aio", "acme institute of oils"}


def test_a_batch_is_reproducible_and_marks_pairs_of_the_same_entity():
    entities = [Entity(f"g{i // 2}", (f"acme {i} inc", f"acme {i} llc", f"akme {i}")) for i in range(40)]
    names = [f"{a} {b} {t}" for a in WORDS for b in WORDS for t in TRADES]
    sampler = Sampler(entities, np.ones(40 + len(names)), names, seed=5)
    sampler.set_codes(np.random.default_rng(0).integers(-127, 128, (40 + len(names), 16)).astype(np.int8), 0)
    batch, again, other = (sampler.batch(60, step) for step in (3, 3, 4))
    assert (batch.left, batch.right) == (again.left, again.right) != (other.left, other.right)
    assert batch.same.shape == (len(batch.left), len(batch.right))
    assert batch.same[:, : len(batch.left)].diagonal().all()
    right_cores = np.array([core_of(text) for text in batch.right])
    for left, same in zip(batch.left, batch.same, strict=True):
        assert same[right_cores == core_of(left)].all()


def test_other_texts_have_words_in_common():
    rng = random.Random(0)
    texts = OtherTexts([f"{word} foods inc" for word in WORDS], WORDS, rng)
    pairs = [texts.pair() for _ in range(300)]
    assert all(left and right for left, right in pairs)
    assert sum(bool(set(left.split()) & set(right.split())) for left, right in pairs) > 290


def test_training_makes_a_model_that_loads_and_is_reproducible(data, trained, tmp_path):
    lines = []
    train_small(data, tmp_path / "two", steps=2, seed=7, progress=lines.append)
    first, second = load_model(trained), load_model(tmp_path / "two")
    assert first.manifest == second.manifest
    assert first.manifest["command"] == "dedup train DATA --output MODEL --steps 2 --seed 7"
    assert any("best F1" in line for line in lines)
    assert not (tmp_path / "two" / "checkpoint.pt").exists()


def test_the_scorer_is_refitted_with_a_finished_encoder(data, trained, tmp_path, monkeypatch):
    lines, model = [], shutil.copytree(trained, tmp_path / "model")
    (model / "scorer.json").unlink()
    monkeypatch.setattr("dedup.training.command.train_encoder", None)  # must not be called
    train_small(data, model, steps=2, seed=7, progress=lines.append)
    assert KEPT in lines
    assert contents(model) == contents(trained)
    with pytest.raises(TypeError):
        train_small(data, model, steps=3, seed=7, progress=lines.append)  # other settings


@pytest.mark.parametrize("key", ["alphabet", "dimension", "architecture"])
def test_an_encoder_of_another_architecture_is_not_reused(data, trained, tmp_path, monkeypatch, key):
    model = shutil.copytree(trained, tmp_path / "model")
    manifest = json.loads((model / "manifest.json").read_text(encoding="utf-8"))
    (model / "manifest.json").write_text(json.dumps({**manifest, key: "another"}), encoding="utf-8")
    monkeypatch.setattr("dedup.training.command.train_encoder", None)  # is called
    lines = []
    with pytest.raises(TypeError, match="NoneType"):
        train_small(data, model, steps=2, seed=7, progress=lines.append)
    assert KEPT not in lines


def test_word_weights_are_learnt_from_labelled_pairs():
    rng = np.random.default_rng(0)
    rows = rng.random((400, len(FEATURES))).astype(np.float32)
    labels = np.arange(400) % 2.0
    seen = [[("alone", "group" if label else "dental"), ("alone", f"rare{i}")] for i, label in enumerate(labels)]
    weights = fit_word_weights(rows, seen, labels)
    assert weights.of(("alone", "group")) > 0.5 > -0.5 > weights.of(("alone", "dental"))
    assert len(weights.weights) == 2  # words seen once have none


def test_vetoes_are_fitted_without_touching_other_curves():
    rng = np.random.default_rng(0)
    rows = rng.random((400, len(FEATURES))).astype(np.float32)
    labels = (rows[:, 0] > 0.5).astype(float)
    differ = FEATURES.index("numbers_differ")
    rows[:, differ] = 0
    scorer = fit_scorer(rows, labels, np.ones(400))
    generated = rows[labels == 1].copy()
    generated[:, differ] = 1
    veto = fit_vetoes(
        scorer,
        np.concatenate([rows, generated]),
        np.append(labels, np.zeros(len(generated))),
        np.ones(len(rows) + len(generated)),
    )
    assert veto.curves[0] == scorer.curves[0]
    assert np.ptp(veto.curves[differ].values) > 2
    assert veto.probabilities(generated).mean() < 0.5 < veto.probabilities(rows[labels == 1]).mean()


def test_spelling_is_fitted_without_touching_other_curves():
    rng = np.random.default_rng(0)
    rows = rng.random((400, len(FEATURES))).astype(np.float32)
    consonants = FEATURES.index("consonants")
    labels = (rows[:, consonants] > 0.5).astype(float)
    scorer = fit_scorer(rows, labels, np.ones(400))
    assert np.ptp(scorer.curves[consonants].values) == 0
    spelling = fit_spelling(scorer, rows, labels, np.ones(400))
    assert spelling.curves[1:consonants] == scorer.curves[1:consonants]
    assert (np.diff(spelling.curves[consonants].values) >= 0).all()
    assert (
        spelling.probabilities(rows[labels == 0]).mean() < 0.3 < 0.7 < spelling.probabilities(rows[labels == 1]).mean()
    )


def test_generated_pairs_are_seeded_and_of_both_kinds():
    names = [f"{a} {b} {t} inc" for a in WORDS for b in WORDS for t in TRADES]
    counts = dict.fromkeys(["meridian", "bank", "bark", "banks", "foods", "ups", "usps", "falcon"], 200)
    pairs = Generator(names, counts, 5).pairs(300)
    assert pairs == Generator(names, counts, 5).pairs(300)
    assert 0.3 < np.mean(pairs.labels) < 0.7
    assert all(a != b and a and b for a, b in zip(pairs.left, pairs.right, strict=True))
    different = {frozenset(p) for *p, label in zip(pairs.left, pairs.right, pairs.labels, strict=True) if not label}
    assert not any({"bank", "banks"} == set(pair) for pair in different)  # a plural is not a different name


def test_torch_and_onnx_agree(tmp_path):
    torch.manual_seed(3)
    tower = Tower()
    export(tower, tmp_path / "tower.onnx")
    texts = ["acme", "royal bank of scotland", "3m", "日立", "a long name of a company that goes on"]
    by_torch, by_onnx = (
        quantise(embed(tower, texts).detach().numpy()),
        OnnxEncoder(tmp_path / "tower.onnx").encode(texts),
    )
    assert np.abs(by_torch.astype(int) - by_onnx).max() <= 2  # the trigram table is rounded to int8


def test_other_names_of_the_entity_are_not_negatives():
    left = torch.nn.functional.normalize(torch.randn(3, 8), dim=1)
    same = torch.eye(3, dtype=torch.bool)
    loss = in_batch_loss(left, left[[0, 0, 2]], same, 0.1)
    same[1, 0] = same[0, 1] = True
    assert in_batch_loss(left, left[[0, 0, 2]], same, 0.1) < loss


def test_variants_are_never_empty_and_seeded():
    for seed in range(300):
        name = random.Random(seed).choice(["3m", "tetra pak materials llc", "first national bank of dallas", "日立"])
        assert variant(name, random.Random(seed)) == variant(name, random.Random(seed)) != ""


def test_siblings_are_different_names():
    rng = random.Random(0)
    for name in ("store 101 llc", "first national bank of dallas", "royal summit bank"):
        near = {sibling(name, rng, ["granite", "falcon"]) for _ in range(30)} - {None}
        assert near and name not in near
    assert sibling("3m", rng, ["granite"]) is None


def test_the_fitted_curves_are_monotone():
    rng = np.random.default_rng(0)
    rows = rng.random((400, len(FEATURES))).astype(np.float32)
    labels = (rows[:, 0] + 0.2 * rng.random(400) > 0.6).astype(float)
    scorer = fit_scorer(rows, labels, np.ones(400))
    steps = np.diff(scorer.curves[0].values)
    assert (steps >= 0).all() and steps.sum() > 1
    assert scorer.probabilities(rows[labels == 1]).mean() > 0.8
