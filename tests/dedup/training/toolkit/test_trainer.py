"""The training loop: it continues bit for bit, stops with advice, and leaves its measures."""

import json
import os
import signal
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from named_pairs import pair_set  # noqa: E402
from small_networks import EMBEDDED  # noqa: E402

from dedup.encoder.token_reader import TokenReader  # noqa: E402
from dedup.errors import InputRefused, UsageError  # noqa: E402
from dedup.evaluation.pair_set import PairSet  # noqa: E402
from dedup.runtime.progress import no_progress  # noqa: E402
from dedup.training.data.negatives import hard_negatives, random_negatives  # noqa: E402
from dedup.training.data.splitting import entities_of, entity_of_text, folds, split  # noqa: E402
from dedup.training.toolkit.batches import Texts, order_of, weights_of  # noqa: E402
from dedup.training.toolkit.build import build  # noqa: E402
from dedup.training.toolkit.recipe import read_recipe  # noqa: E402
from dedup.training.toolkit.trainer import Trainer  # noqa: E402

SETTINGS = [
    "objective.kind=contrastive", "tower.hidden_size=5", "tower.dropout=0.3", "tower.bidirectional=true",
    "negatives.hard=1", "training.batch_size=8", "training.epochs=3", *EMBEDDED,
]  # fmt: skip


@pytest.fixture
def interruptible():
    """A job in the background of a shell ignores the signal of Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def trainer_of(folder, changes=(), progress=no_progress, notify=lambda line: None, pairs=None):
    own = [] if "objective.kind=in-batch" in changes else ["negatives.random=1"]
    recipe = read_recipe(None, None, [*SETTINGS, *own, *changes])
    pairs = pairs or pair_set(20)
    parts = split(pairs, 0.25, 1)
    learnt = pairs.select(parts.training)
    siamese = build(recipe, learnt.texts(), 2)
    return siamese, Trainer(siamese, recipe, learnt, pairs.select(parts.validation), folder, progress, notify)


def weights(siamese):
    return torch.cat([value.ravel() for value in siamese.state_dict().values()])


def journal(folder):
    return [{**json.loads(line), "seconds": 0} for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "changes",
    [(), ("objective.kind=in-batch",), ("training.schedule=cosine",)],
    ids=["contrastive", "in-batch", "cosine"],
)
@pytest.mark.parametrize("stop_at", [2, 5])
def test_an_interrupted_training_continues_bit_for_bit(tmp_path, changes, stop_at, interruptible):
    changes = ["training.evaluate_every=4", "training.checkpoint_every=3", *changes]
    siamese, trainer = trainer_of(tmp_path / "whole", changes)
    trainer.fit()

    def interrupt(stage, done, total):
        if done == stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    _, stopped = trainer_of(tmp_path / "parts", changes, interrupt)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit()
    again, resumed = trainer_of(tmp_path / "parts", changes)
    resumed.fit()
    assert torch.equal(weights(siamese), weights(again))
    assert journal(tmp_path / "whole") == journal(tmp_path / "parts")


def test_a_killed_training_continues_from_its_last_checkpoint(tmp_path):
    siamese, trainer = trainer_of(tmp_path / "whole", ["training.checkpoint_every=4"])
    trainer.fit()

    def die(stage, done, total):
        if done == 7:
            raise MemoryError

    _, dying = trainer_of(tmp_path / "parts", ["training.checkpoint_every=4"], die)
    with pytest.raises(MemoryError):
        dying.fit()
    again, resumed = trainer_of(tmp_path / "parts", ["training.checkpoint_every=4"])
    said = []
    resumed._notify = said.append
    resumed.fit()
    assert said[0] == "Continuing after step 4."
    assert torch.equal(weights(siamese), weights(again))


def test_a_checkpoint_of_another_training_is_not_continued(tmp_path):
    trainer_of(tmp_path)[1].fit()
    with pytest.raises(UsageError, match="other settings; go on with the same, or begin anew with --fresh"):
        trainer_of(tmp_path, ["training.learning_rate=0.1"])[1].fit()
    with pytest.raises(UsageError, match="other pairs"):
        trainer_of(tmp_path, pairs=pair_set(20, seed=9))[1].fit()
    next(tmp_path.rglob("step-*.pt")).write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(InputRefused, match="--fresh"):
        trainer_of(tmp_path)[1].fit()


def test_a_loss_that_is_not_a_number_stops_with_advice(tmp_path):
    advice = r"Lower training\.learning_rate \(now 0\.001\)"
    for hard, words in (
        (0, "The loss of step 1 is nan. "),
        (1, "After step 0 the network returns vectors that are not"),
    ):
        siamese, trainer = trainer_of(tmp_path, [f"negatives.hard={hard}"])
        with torch.no_grad():
            siamese.encoder.embedding.weight.fill_(float("nan"))
        with pytest.raises(UsageError, match=f"{words}.*{advice}"):
            trainer.fit()


def test_the_best_parameters_are_kept_and_training_stops_early(tmp_path):
    siamese, trainer = trainer_of(
        tmp_path, ["training.learning_rate=1e-9", "training.patience=2", "training.epochs=50"]
    )
    before = weights(siamese).clone()
    entries = trainer.fit()
    assert len(entries) < 10
    assert torch.allclose(before, weights(siamese), atol=1e-6)


def test_measures_and_curves_are_written(tmp_path):
    _, trainer = trainer_of(tmp_path)
    shown, said = [], []
    trainer._progress, trainer._notify = lambda *report: shown.append(report), said.append
    entries = trainer.fit()
    assert [entry["epoch"] for entry in journal(tmp_path)] == [1, 2, 3] == [entry["epoch"] for entry in entries]
    assert {"loss", "best_f1", "auc", "best_accuracy"} <= entries[0]["validation"].keys()
    drawing = ElementTree.parse(tmp_path / "curves.svg").getroot()
    assert len(drawing.findall("{*}polyline")) >= 4
    steps = entries[-1]["step"]
    assert shown[-1][0].startswith("train · loss ") and shown[-1][1:] == (steps, steps)
    assert said[0].startswith("Epoch 1, step ") and "about" in said[0] and "(best)" in said[0]


@pytest.mark.parametrize("objective", ["contrastive", "mse", "mae", "bce"])
def test_every_loss_learns(tmp_path, objective):
    head = "difference" if objective == "bce" else "scaled-distance"
    changes = [f"objective.kind={objective}", f"head.kind={head}", "training.epochs=12", "training.learning_rate=0.02",
               "tower.dropout=0", "negatives.hard=0"]  # fmt: skip
    entries = trainer_of(tmp_path, changes)[1].fit()
    assert entries[-1]["loss"] < 0.9 * entries[0]["loss"]


def test_no_text_is_learnt_and_held_back():
    rng = np.random.default_rng(0)
    for case in range(500):
        n, texts = int(rng.integers(2, 60)), int(rng.integers(2, 40))
        left, right = ([f"t{at}" for at in rng.integers(0, texts, n)] for _ in range(2))
        pairs = PairSet(left, right, rng.integers(0, 2, n).astype(float))
        parts = [split(pairs, 0.3, case), *folds(pairs, 3, case)]
        for part in parts:
            learnt, held = pairs.select(part.training), pairs.select(part.validation)
            assert not {*learnt.texts()} & {*held.texts()}
            assert len(learnt) + len(held) + part.crossing == n
        entity = entity_of_text(pairs)
        assert all(entity[a] == entity[b] for a, b, same in zip(left, right, pairs.positive, strict=True) if same)


def test_pairs_of_single_texts_are_not_lost():
    """The hypotheses of SNLI occur once each, with one premise."""
    left = [f"premise {at // 3}" for at in range(30)]
    pairs = PairSet(left, [f"hypothesis {at}" for at in range(30)], np.array([1.0, 0.0, 0.0] * 10))
    assert split(pairs, 0.3, 1).crossing == 0
    assert len({*entities_of(pairs)[0].tolist()}) == 10


@pytest.mark.parametrize("balance", ["none", "weights", "sampling"])
def test_random_negatives_are_of_the_batch_and_cost_no_encoding(tmp_path, balance):
    changes = ["negatives.hard=0", "negatives.random=3", f"training.balance={balance}", "training.epochs=1"]
    siamese, trainer = trainer_of(tmp_path, changes)
    texts, compared = [], []
    encode, compare = siamese.encoder.forward, siamese.head.forward

    def counted(inputs):
        if siamese.training:
            texts.append(len(inputs["tokens"]))
        return encode(inputs)

    def watched(a, b):
        if siamese.training:
            compared.append(len(a))
        return compare(a, b)

    siamese.encoder.forward, siamese.head.forward = counted, watched
    trainer.fit()
    assert max(texts) <= 16  # two for each of 8 labelled pairs
    assert max(compared) > 16


@pytest.mark.parametrize("negatives", [0, 1, 3])
@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_all_classes_weigh_the_same_with_random_negatives(balance, negatives):
    pairs = pair_set(20).with_more([f"x{n}" for n in range(60)], [f"y{n}" for n in range(60)], 0.0)
    weights = weights_of(pairs, balance, negatives)
    n, texts = len(pairs), Texts(TokenReader("character", (), 20), "cpu")
    drawn = np.concatenate([rows for seed in range(40) for rows in order_of(pairs, texts, 16, balance, seed)])
    same = pairs.positive[drawn].sum() / len(drawn) * n
    assert weights[1] * same == pytest.approx(weights[0] * (n - same + negatives * same), rel=0.05)


def test_negatives_are_of_other_entities():
    pairs = pair_set(20)
    entity = entity_of_text(pairs)
    drawn = random_negatives(pairs, 2, 1, entity)
    assert len(drawn) == 40 == len({*drawn})
    code = {text: np.eye(40, dtype=np.float32)[at % 40] for at, text in enumerate(pairs.texts())}
    hard = hard_negatives(pairs, 1, 1, lambda texts: np.array([code[text] for text in texts]))
    labelled = {frozenset(pair) for pair in zip(pairs.left, pairs.right, strict=True)}
    assert hard and all(entity[a] != entity[b] for a, b in [*drawn, *hard])
    assert not {frozenset(pair) for pair in hard} & labelled
