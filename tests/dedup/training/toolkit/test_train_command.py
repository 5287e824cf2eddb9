"""``dedup train`` and ``dedup evaluate`` on labelled pairs, from the command line to the model directory."""

import fcntl
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from invocation import dedup_, write  # noqa: E402
from named_pairs import rows, write_pairs  # noqa: E402

from dedup.encoder.onnx import pair_similarities  # noqa: E402
from dedup.errors import VersionMismatch  # noqa: E402
from dedup.model import load_model  # noqa: E402

QUICK = ("--set", "tower.hidden_size=6", "--set", "embedding.size=8", "--epochs", "2", "--batch-size", "32")


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    for name in ("DEDUP_WORKSPACE", "DEDUP_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_network_is_trained_evaluated_and_indexes_texts(tmp_path, monkeypatch):
    write_pairs("pairs.csv", 80)
    result = dedup_("train", "pairs.csv", "--preset", "word-rnn", *QUICK, "-o", "model")
    assert result.exit_code == 0, result.stderr
    assert "pairs to learn from" in result.stderr and "Epoch 2, step" in result.stderr
    assert "RapidFuzz token sort ratio" in result.stdout and "majority class" in result.stdout
    files = {"encoder.onnx", "head.onnx", "manifest.json", "rarity.json", "scorer.json", "words.json", "training"}
    assert {path.name for path in Path("model").iterdir()} == files
    assert {path.name for path in Path("model/training").iterdir()} >= {"metrics.jsonl", "curves.svg"}
    assert not list(Path("model").rglob("*.pt"))
    manifest = json.loads(Path("model/manifest.json").read_text())
    assert manifest["architecture"]["tower"]["hidden_size"] == 6 and manifest["tokeniser"]["unit"] == "word"
    assert manifest["architecture"]["training"]["epochs"] == 2 and manifest["sources"] == {
        "pairs.csv": "given by the user"
    }

    measured = dedup_("evaluate", "pairs.csv", "--model", "model", "--format", "json")
    assert measured.exit_code == 0, measured.stderr
    found = json.loads(measured.stdout)
    assert {"accuracy", "precision", "recall", "f1", "auc", "confusion", "best_accuracy"} <= found.keys()
    assert found["n"] == 160 and sum(sum(row.values()) for row in found["confusion"].values()) == 160

    import dedup.model

    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: load_model("model"))
    write("names.csv", "id,name\n" + "".join(f"{at},{left}\n" for at, (left, _, _) in enumerate(rows(40)[::2])))
    assert dedup_("index", "names.csv", "--quiet").exit_code == 0
    name = rows(40)[0][0]
    answer = dedup_("query", name[:3] + name[4:], "--format", "json", "--limit", "3", "--min-probability", "0")
    assert answer.exit_code == 0 and name in answer.stdout
    assert dedup_("report", "--output", "out").exit_code == 0


def test_the_same_command_gives_the_same_model():
    write_pairs("pairs.csv", 60)
    for output in ("one", "two"):
        dedup_("train", "pairs.csv", "--preset", "char-lstm-classifier", *QUICK, "-o", output)
    for name in ("encoder.onnx", "head.onnx", "scorer.json"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


def test_classes_and_grades_are_learnt_and_measured():
    header = ("sentence1", "sentence2", "gold_label")
    names = ("entailment", "neutral", "contradiction")
    some = [(left, right, names[at % 3]) for at, (left, right, _) in enumerate(rows(90))]
    write("nli.csv", "\n".join(",".join(row) for row in [header, *some]) + "\n")
    result = dedup_("train", "nli.csv", "--preset", "char-lstm-classifier", *QUICK, "-o", "nli")
    assert result.exit_code == 0, result.stderr
    found = json.loads(dedup_("evaluate", "nli.csv", "--model", "nli", "--format", "json").stdout)
    assert {*found["class_confusion"]} == {*names} and 0 <= found["class_accuracy"] <= 1 and "macro_f1" in found
    assert dedup_("train", "nli.csv", "--preset", "word-cnn", "--epochs", "1", "-o", "cnn").exit_code == 0

    graded = [(left, right, str(at % 6)) for at, (left, right, _) in enumerate(rows(90))]
    write("sts.csv", "\n".join(",".join(row) for row in [("sentence1", "sentence2", "score"), *graded]) + "\n")
    refused = dedup_("train", "sts.csv", "--preset", "char-bilstm-contrastive", *QUICK, "-o", "sts")
    assert refused.exit_code == 2 and 'use "mse", "mae" or "bce"' in refused.stderr
    assert dedup_("train", "sts.csv", "--preset", "word-rnn", *QUICK, "-o", "sts").exit_code == 0
    found = json.loads(dedup_("evaluate", "sts.csv", "--model", "sts", "--format", "json").stdout)
    assert found["labels"] == "graded" and {"pearson", "spearman"} <= found.keys()


def test_the_shipped_scorer_is_fine_tuned_only_if_that_helps():
    """Here the label says whether the trade is the same, whatever the place: not what the shipped model thinks."""
    pairs = [(a, f"{b.split()[0]} {a.split()[1]} {b.split()[2]}", 1) for a, b, same in rows(150) if not same]
    pairs += [(a, f"{a.split()[0]} {b.split()[1]} {a.split()[2]}", 0) for a, b, same in rows(150, 1) if not same
              and a.split()[1] != b.split()[1]]  # fmt: skip
    write("trades.csv", "name_1,name_2,label\n" + "".join(f"{a},{b},{same}\n" for a, b, same in pairs))
    result = dedup_("train", "trades.csv", "-o", "tuned", "--seed", "1")
    assert result.exit_code == 0, result.stderr
    assert float(re.search(r"gain in best F1 +(\S+)", result.stdout)[1]) > 0.002
    tuned, shipped = load_model("tuned"), load_model()
    assert tuned.model_id == shipped.model_id and tuned.scorer != shipped.scorer

    write_pairs("usual.csv", 60)
    refused = dedup_("train", "usual.csv", "-o", "useless")
    assert (
        refused.exit_code == 4
        and "do not make the model better" in refused.stderr
        and "Keep the model" in refused.stderr
    )
    assert not Path("useless/manifest.json").exists()
    few = dedup_("train", write_pairs("few.csv", 5), "-o", "few")
    assert few.exit_code == 4 and "fine-tuning needs 10 pairs" in few.stderr


def test_a_model_is_trained_further():
    write_pairs("pairs.csv", 60)
    assert dedup_("train", "pairs.csv", "--preset", "word-rnn", *QUICK, "-o", "first").exit_code == 0
    result = dedup_("train", write_pairs("more.csv", 60, 7), "--init", "first", "--tune", "encoder", "-o", "second")
    assert result.exit_code == 0, result.stderr
    first, second = load_model("first"), load_model("second")
    assert first.manifest["tokeniser"] == second.manifest["tokeniser"] and first.model_id != second.model_id
    other = dedup_("train", "pairs.csv", "--init", "first", "--preset", "word-cnn", "-o", "third")
    assert other.exit_code == 4 and "has other parameters" in other.stderr


def test_pairs_are_made_of_a_corpus():
    write("names.csv", "id,name\n" + "".join(f"{at},{left}\n" for at, (left, _, _) in enumerate(rows(200)[::2])))
    result = dedup_("train", "--from-corpus", "names.csv", "--preset", "char-lstm-classifier", *QUICK, "-o", "model")
    assert result.exit_code == 0, result.stderr
    assert load_model("model").dimension == 6


def test_labels_that_nobody_gave_teach_the_scorer_nothing(tmp_path):
    """Real pairs have probabilities as before; fitted to generated labels, the scorer would call most of them 0."""
    write("names.csv", "id,name\n" + "".join(f"{at},{left}\n" for at, (left, _, _) in enumerate(rows(300)[::2])))
    refused = dedup_("train", "--from-corpus", "names.csv", "-o", "scorer")
    assert refused.exit_code == 2 and "add --tune encoder or --preset" in refused.stderr
    assert not Path("scorer").exists()

    same = "".join(f"{left},{right},1\n" for left, right, label in rows(100) if label)
    write("same.csv", "name_1,name_2,label\n" + same)
    shipped = load_model()
    texts = [(left.lower(), right.lower()) for left, right, _ in rows(60, 5)]
    left, right = ([pair[side] for pair in texts] for side in (0, 1))
    before = shipped.compare(left, right, pair_similarities(shipped.encoder, left, right))
    for given, why in ((["--from-corpus", "names.csv"], "All pairs are generated"),
                       (["same.csv"], "are drawn at random")):  # fmt: skip
        result = dedup_("train", *given, "--preset", "word-rnn", *QUICK, "-o", "made")
        assert result.exit_code == 0, result.stderr
        assert why in result.stderr and "`dedup evaluate`" in result.stderr
        made = load_model("made")
        after = made.compare(left, right, pair_similarities(made.encoder, left, right))
        assert np.abs(after - before).mean() < 0.1, np.abs(after - before).mean()
        shutil.rmtree("made")


def test_labelled_pairs_are_held_back_rather_than_generated_ones():
    write("names.csv", "id,name\n" + "".join(f"{at},{left}\n" for at, (left, _, _) in enumerate(rows(200, 3)[::2])))
    write_pairs("pairs.csv", 80)
    both = ["train", "pairs.csv", "--from-corpus", "names.csv", "--preset", "word-rnn", *QUICK]
    result = dedup_(*both, "-o", "model")
    assert result.exit_code == 0 and "generated" not in result.stderr
    learnt, held = (int(re.search(pattern, result.stderr)[1].replace(",", ""))
                    for pattern in (r"([\d,]+) pairs to learn", r"([\d,]+) held back"))  # fmt: skip
    assert learnt > 160 and 2 <= held <= 40


def test_a_tuned_encoder_says_what_an_index_gains():
    write_pairs("pairs.csv", 80)
    result = dedup_("train", "pairs.csv", "--tune", "encoder", "--epochs", "1", "-o", "model")
    assert result.exit_code == 0 and re.search(r"^gain in best F1 +[+-]\d\.\d{4}$", result.stdout, re.M), result.stdout


def test_classes_none_of_which_is_the_same_by_its_name():
    some = [(left, right, str(at % 3)) for at, (left, right, _) in enumerate(rows(90))]
    write("nli.csv", "\n".join(",".join(row) for row in [("sentence1", "sentence2", "gold_label"), *some]) + "\n")
    result = dedup_("train", "nli.csv", "--preset", "char-lstm-classifier", *QUICK, "-o", "nli")
    assert result.exit_code == 0 and "None of the classes 0, 1, 2 counts as the same" in result.stderr
    assert "class accuracy" in result.stdout and "best accuracy" not in result.stdout
    for refused in (dedup_("train", "nli.csv", "-o", "scorer"), dedup_("evaluate", "nli.csv", "--model", "nli")):
        assert refused.exit_code == 4 and "name those that do with --same" in refused.stderr

    told = dedup_("train", "nli.csv", "--same", "2", "--preset", "char-lstm-classifier", *QUICK, "-o", "told")
    assert told.exit_code == 0, told.stderr
    found = json.loads(dedup_("evaluate", "nli.csv", "--model", "told", "--format", "json").stdout)
    assert found["positives"] == 60 and {*found["class_confusion"]} == {"0", "1", "2"}  # as the model has learnt


def test_rejected_rows_are_listed_and_the_code_says_so():
    path = write_pairs("pairs.csv", 80)
    with open(path, "a") as file:
        file.write("Acme,...,1\nAcme,Acme Inc,maybe\n")
    result = dedup_("train", path, "--preset", "word-rnn", *QUICK, "-o", "model")
    assert result.exit_code == 3 and "Rejected 2 rows; see model/training/rejects.jsonl" in result.stderr
    listed = [json.loads(line)["error"] for line in Path("model/training/rejects.jsonl").read_text().splitlines()]
    assert listed == ["E_NAME_EMPTY", "E_LABEL"]
    measured = dedup_("evaluate", path, "--model", "model", "--rejects", "bad.csv")
    assert measured.exit_code == 3 and len(Path("bad.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "Give files of labelled pairs"),
        (("pairs.csv", "--steps", "3"), 2, "--steps is for a directory"),
        (("pairs.csv", "--epochs", "3"), 2, "add --preset NAME"),
        (("pairs.csv", "--preset", "word-rn"), 2, "did you mean word-rnn"),
        (("pairs.csv", "--preset", "word-rnn", "--tune", "scorer"), 2, "--tune fine-tunes a model"),
        (("pairs.csv", "--preset", "word-rnn", "--set", "training.epoch=1"), 2, "did you mean training.epochs?"),
        (("pairs.csv", "--preset", "word-rnn", "--learning-rate", "nan"), 2, "training.learning_rate is nan"),
        (("pairs.csv", "--preset", "transformer"), 4, "--set tower.directory=DIR"),
        (("pairs.csv", "--config", "none.toml"), 4, "does not exist"),
        (("pairs.csv", "--init", "nowhere"), 2, "There is no model in nowhere"),
        (("none.csv",), 4, "none.csv"),
        ((".", "--preset", "word-rnn"), 2, "is a directory of training data"),
        (("one.csv", "--preset", "word-rnn"), 4, "cannot be divided"),
    ],
)
def test_what_cannot_be_trained_is_refused(arguments, code, words):
    write_pairs("pairs.csv", 30)
    write("one.csv", "name_1,name_2,label\nAcme,Acme Inc,1\nAcme,Beta,0\n")
    result = dedup_("train", *arguments, "-o", "model")
    assert (result.exit_code, words in result.stderr) == (code, True), result.stderr
    assert not Path("model/manifest.json").exists()


def test_one_training_at_a_time_writes_to_a_directory():
    write_pairs("pairs.csv", 60)
    train = ["train", "pairs.csv", "--preset", "word-rnn", *QUICK, "-o", "model"]
    Path("model").mkdir()
    handle = os.open("model", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    for command in (train, ["train", "pairs.csv", "-o", "model"]):
        busy = dedup_(*command)
        assert busy.exit_code == 6 and "Another process trains in model" in busy.stderr, busy.stderr
    assert not list(Path("model").iterdir())
    os.close(handle)
    assert dedup_(*train).exit_code == 0 and load_model("model").dimension == 12
    refused = dedup_("train", write_pairs("few.csv", 5), "-o", "nothing")
    assert refused.exit_code == 4 and not Path("nothing").exists()


def test_a_damaged_model_is_refused():
    write_pairs("pairs.csv", 60)
    assert dedup_("train", "pairs.csv", "--preset", "word-rnn", *QUICK, "-o", "model").exit_code == 0
    content = Path("model/head.onnx").read_bytes()
    Path("model/head.onnx").write_bytes(content + b" ")
    with pytest.raises(VersionMismatch, match=r"head\.onnx does not match"):
        load_model("model")
    Path("model/head.onnx").unlink()
    with pytest.raises(VersionMismatch):
        load_model("model")
    assert dedup_("evaluate", "pairs.csv", "--model", "model").exit_code == 7


@pytest.mark.parametrize("tuned", [("--preset", "word-rnn", *QUICK), ("--tune", "encoder", "--epochs", "1")])
def test_the_command_says_so_if_a_model_is_no_better_than_the_one_before(tuned):
    write_pairs("pairs.csv", 80)  # which the shipped model tells apart without a mistake
    result = dedup_("train", "pairs.csv", *tuned, "--set", "training.learning_rate=1e-9", "-o", "model")
    assert result.exit_code == 0, result.stderr
    said = " ".join(result.stderr.split())
    assert "the new model is no better than with the one it is based on (best F1" in said and "keep that one" in said


def test_as_many_negatives_are_held_back_as_are_learnt():
    same = "".join(f"{left},{right}\n" for left, right, label in rows(60) if label)
    write("same.csv", "name_1,name_2,label\n" + same.replace("\n", ",1\n"))
    held = {}
    for each in (1, 2):
        result = dedup_("train", "same.csv", "--preset", "word-rnn", *QUICK, "--set", f"negatives.random={each}",
                        "--set", "training.validation_share=0.3", "-o", f"model-{each}")  # fmt: skip
        assert result.exit_code == 0, result.stderr
        held[each] = int(re.search(r"held back pairs +(\d+)", result.stdout)[1])
    assert held[1] % 2 == 0 and held[2] == held[1] * 3 // 2
