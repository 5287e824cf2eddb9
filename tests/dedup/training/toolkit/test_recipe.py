"""Configurations: what is refused, and that every key changes something."""

import dataclasses
import hashlib
import json
import random

import pytest

torch = pytest.importorskip("torch")

from named_pairs import pair_set  # noqa: E402
from small_networks import EMBEDDED  # noqa: E402

from dedup.errors import UsageError  # noqa: E402
from dedup.runtime.progress import no_progress  # noqa: E402
from dedup.training.data.splitting import split  # noqa: E402
from dedup.training.toolkit.build import build  # noqa: E402
from dedup.training.toolkit.recipe import PARTS, TOWERS, presets, read_recipe  # noqa: E402
from dedup.training.toolkit.trainer import Trainer  # noqa: E402

WORDS = ["tokens.unit=word"]
RNN = ["tower.hidden_size=4"]
ATTENTION = ["tower.kind=attention", "tower.heads=2"]
IN_BATCH = ["objective.kind=in-batch", "head.kind=cosine"]
VECTORS = ["embedding.vectors=vectors.txt", *WORDS]
LONG = ["training.epochs=6"]

CHANGED = {
    "tokens.unit": ([], "word"), "tokens.max_length": ([], 3), "tokens.min_count": ([], 30),
    "tokens.max_vocabulary": ([], 4),
    "embedding.size": ([], 5), "embedding.spread": ([], 0.1), "embedding.vectors": (WORDS, "vectors.txt"),
    "embedding.words": (VECTORS, "all"), "embedding.unknown": (VECTORS, "zero"), "embedding.frozen": (VECTORS, True),
    "tower.kind": ([], "convolution"),
    "recurrent.cell": (RNN, "gru"), "recurrent.hidden_size": (RNN, 5), "recurrent.layers": (RNN, 2),
    "recurrent.bidirectional": (RNN, True), "recurrent.dropout": (RNN, 0.4),
    "convolution.filters": (["tower.kind=convolution"], [4, 4, 4]),
    "convolution.widths": (["tower.kind=convolution"], [1, 2, 3]),
    "convolution.dropout": (["tower.kind=convolution"], 0.4),
    "attention.blocks": (ATTENTION, 1), "attention.heads": (ATTENTION, 3), "attention.residual": (ATTENTION, True),
    "attention.layer_norm": (ATTENTION, True), "attention.dropout": (ATTENTION, 0.4),
    "bert.directory": (["tower.kind=bert", "tokens.unit=wordpiece", "tower.directory=BERT"], "nowhere"),
    "bert.frozen_layers": (["tower.kind=bert", "tokens.unit=wordpiece", "tower.directory=BERT"], 1),
    "bert.dropout": (["tower.kind=bert", "tokens.unit=wordpiece", "tower.directory=BERT"], 0.0),
    "pooling.kind": ([], "max"), "pooling.projection": ([], 3),
    "head.kind": ([], "exp-l1"),
    "objective.kind": ([], "mae"), "objective.margin": (["objective.kind=contrastive"], 0.3),
    "objective.temperature": (IN_BATCH, 0.5),
    "negatives.random": ([], 1), "negatives.hard": ([], 1),
    "negatives.refresh_every": (["negatives.hard=1", *LONG], 3),
    "training.batch_size": ([], 5), "training.epochs": ([], 3), "training.learning_rate": ([], 0.01),
    "training.schedule": ([], "linear"), "training.warmup": ([], 0.5), "training.weight_decay": ([], 0.5),
    "training.gradient_clip": ([], 1e-4), "training.evaluate_every": ([], 2), "training.checkpoint_every": (
        ["training.keep_checkpoints=5"], 2), "training.keep_checkpoints": ([], 2),
    "training.patience": (["training.learning_rate=1e-9", *LONG], 1),
    "training.measure": (["training.learning_rate=0.05", *LONG], "loss"),
    "training.validation_share": ([], 0.4), "training.balance": (["negatives.random=3"], "weights"),
    "training.seed": ([], 2), "training.device": ([], "cuda" if not torch.cuda.is_available() else "mps"),
    "training.mixed_precision": ([], True), "training.tensorboard": ([], True),
}  # fmt: skip
"""For each key: the settings with which it is tried, and another value."""


@pytest.fixture(autouse=True)
def vectors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["harbor", "granite", "works", "foods", "bank", "unheard"]
    rng = random.Random(1)
    lines = [" ".join([word, *(f"{rng.gauss(0, 1):.3f}" for _ in range(6))]) for word in words]
    (tmp_path / "vectors.txt").write_text("\n".join(lines) + "\n")


def outcome(changes, bert, folder):
    """A digest of all that a training leaves: parameters, journal, files; or the sentence with which it is refused."""
    changes = [change.replace("=BERT", f"={bert}") for change in changes]
    pairs = pair_set(24)
    base = (
        [*EMBEDDED] if not any("vectors" in one or "=bert" in one or "embedding.size" in one for one in changes) else []
    )
    try:
        recipe = read_recipe(None, None, ["objective.kind=mse", "training.batch_size=8", "training.epochs=2", *base,
                                          *changes])  # fmt: skip
        parts = split(pairs, recipe.training.validation_share, recipe.training.seed)
        learnt = pairs.select(parts.training)
        siamese = build(recipe, learnt.texts(), 2)
        said = []
        held = pairs.select(parts.validation)
        trainer = Trainer(
            siamese, recipe, learnt, held, folder, no_progress, lambda line: said.append(line.split(";")[0])
        )
        entries = trainer.fit()
        trainer.finish()
    except Exception as error:
        if not hasattr(error, "code") and not isinstance(error, UsageError):
            raise
        return str(error)
    digest = hashlib.sha256()
    for value in siamese.state_dict().values():
        digest.update(value.numpy().tobytes())
    for entry in entries:
        digest.update(json.dumps({**entry, "seconds": 0}).encode())
    tokens = getattr(siamese.encoder.reader, "vocabulary", ())
    return digest.hexdigest(), tokens, sorted(path.name for path in folder.rglob("*.pt")), said


def test_the_table_lists_every_key():
    keys = {f"{part}.{one.name}" for part, kind in {**PARTS, **TOWERS}.items() for one in dataclasses.fields(kind)}
    assert {*keys, "tower.kind"} == {*CHANGED}


@pytest.mark.parametrize("key", CHANGED)
def test_every_key_changes_something(key, tmp_path, bert_directory):
    base, value = CHANGED[key]
    part, name = key.split(".")
    given = json.dumps(value) if not isinstance(value, str) else value
    change = f"{'tower' if part in TOWERS else part}.{name}={given}"
    before, after = (
        outcome(base, bert_directory, tmp_path / "a"),
        outcome([*base, change], bert_directory, tmp_path / "b"),
    )
    assert isinstance(before, tuple), before
    assert before != after


def test_the_source_is_kept():
    assert read_recipe("word-cnn").to_json()["source"].endswith("multihead-siamese-nets")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("training.epoch=3", "unknown key training.epoch; did you mean training.epochs?"),
        ("trainin.epochs=3", "did you mean training?"),
        ("tower.hiden_size=3", "did you mean tower.hidden_size?"),
        ("tower.epochs=3", "did you mean training.epochs?"),
        ("training.epochs=0", "give a value from 1 to"),
        ("training.epochs=many", "give a whole number"),
        ("training.learning_rate=nan", "give a value from"),
        ("training.mixed_precision=1", "give true or false"),
        ("training.schedule=steps", "give one of constant, linear, cosine"),
        ("tower.kind=cnn", "give one of recurrent, convolution"),
        ("tokens.unit=wordpiece", 'does not read tokens.unit = "wordpiece"'),
        ("objective.kind=bce", 'does not work with head.kind = "cosine"'),
        ("embedding.unknown=zero", "embedding.unknown has no effect"),
        ("objective.temperature=0.1", "objective.temperature has no effect"),
        ("nonsense", "is not SECTION.KEY=VALUE"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_remedy(change, words):
    with pytest.raises(UsageError) as error:
        read_recipe(None, None, [change])
    assert words in str(error.value)


def test_a_file_may_begin_with_a_preset(tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text('preset = "word-rnn"\n[training]\nepochs = 3\n[tower]\ncell = "lstm"\n')
    recipe = read_recipe(None, config, ["training.epochs=4"])
    assert (recipe.tower.cell, recipe.tower.hidden_size, recipe.training.epochs) == ("lstm", 128, 4)
    with pytest.raises(UsageError, match="names the preset 'word-rnn'"):
        read_recipe("word-cnn", config)
    with pytest.raises(UsageError, match="did you mean word-cnn"):
        read_recipe("word-cn")


VOCABULARY = 1_000
COUNTS = {
    # Filters of 2, 3 and 4 words of 64 numbers, 50 each, with one bias a filter (tf.layers.conv2d).
    "word-cnn": 50 * 64 * (2 + 3 + 4) + 150,
    # A GRU cell of TensorFlow has three matrices of (64 + 128) x 128 and three biases, in two directions; torch has a
    # second bias for each.
    "word-rnn": 2 * (3 * ((64 + 128) * 128 + 128)) + 2 * 3 * 128,
    # Five dense layers a block: query, key, value, the merged heads and the feed-forward layer.
    "word-multihead": 2 * 5 * (64 * 64 + 64),
    # Keras counts 4 * ((300 + 256) * 256 + 256) for each direction and 512 + 1 for the dense unit; torch has a second
    # bias for each gate.
    "bilstm-l1": 2 * 4 * ((300 + 256) * 256 + 256) + 512 + 1 + 2 * 4 * 256,
}


@pytest.mark.parametrize("preset", COUNTS)
def test_a_preset_has_as_many_parameters_as_its_recipe(preset):
    recipe = read_recipe(preset)
    siamese = build(recipe, [f"w{number}" for number in range(VOCABULARY - 2)], 2)  # padding and unknown are rows, too
    assert siamese.count() - VOCABULARY * recipe.embedding.size == COUNTS[preset]


def test_every_preset_names_its_source():
    assert all(read_recipe(name).source for name in presets())
