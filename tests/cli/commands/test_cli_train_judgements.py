"""``dedup train --from-judgements``: what people judged makes a scorer, or it says what is missing."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from invocation import dedup_, write
from named_pairs import rows

from dedup.model import load_model


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("DEDUP_WORKSPACE", "DEDUP_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def index(pairs):
    """Index both texts of each pair; return them as judgements: the same where the label says so."""
    texts = [text for left, right, _ in pairs for text in (left, right)]
    with open("names.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "name"), *((f"r{at}", text) for at, text in enumerate(texts))])
    assert dedup_("index", "names.csv", "--quiet").exit_code == 0
    return [
        ("names", f"r{2 * at}", "names", f"r{2 * at + 1}", "same" if label else "different")
        for at, (_, _, label) in enumerate(pairs)
    ]


def judge(judged):
    with open("judged.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("source_1", "id_1", "source_2", "id_2", "verdict"), *judged])
    assert dedup_("judgements", "--import", "judged.csv").exit_code == 0


def misled(n):
    """Pairs that the shipped model judges wrongly: numbers do not count here, and other words do."""
    found = []
    for at, (left, _, _) in enumerate(rows(n)[::2]):
        name = left.rsplit(" ", 1)[0]
        found.append((f"{name} {at} 7", f"{name} {at} 9", 1))
        found.append((f"{name} {at}", f"{name} {at} Marine", 0))
    return found


def train(*options):
    return dedup_("train", "--from-judgements", "-o", "model", *options)


def test_a_better_scorer_is_made_of_judgements():
    judge(index(misled(60)))
    result = train()
    assert result.exit_code == 0, result.stderr
    assert "gain in best F1" in result.stdout and "pairs            120" in result.stdout
    manifest = json.loads(Path("model/manifest.json").read_text())
    assert manifest["sources"] == {"judgements": "given by the user"}
    before, after = load_model(), load_model("model")
    left, right = ["harbor works 500 7", "granite foods 501"], ["harbor works 500 9", "granite foods 501 marine"]
    similarities = np.full(2, 0.9, np.float32)
    changed = after.compare(left, right, similarities) - before.compare(left, right, similarities)
    assert changed[0] > 0 > changed[1]
    assert after.model_id == before.model_id


def test_too_few_judgements_are_refused_with_how_many_more():
    judged = index(misled(12))
    judge([*judged[:14], *((*one[:4], "unsure") for one in judged[14:])])
    result = train()
    assert result.exit_code == 4 and not Path("model/manifest.json").exists()
    assert "There are 7 pairs of texts judged the same and 7 pairs of texts judged different" in result.stderr
    assert "judge 3 more of the same texts and 3 more of different texts" in result.stderr
    assert "dedup review" in result.stderr


def test_what_contradicts_is_gone_or_equal_is_left_out_and_said():
    judged = index([*misled(12), ("Acme", "ACME.", 1)])
    contradiction = [("names", "r0", "names", "r2", "same"), ("names", "r2", "names", "r1", "different")]
    judge([*judged, *contradiction])
    assert dedup_("delete", "--id", "r23", "--source", "names").exit_code == 0
    result = train()
    assert "1 contradict others" in result.stderr
    assert "1 are of records no longer indexed" in result.stderr
    assert "1 are of equal texts" in result.stderr


def test_judgements_are_joined_with_labelled_pairs():
    judge(index(misled(30)))
    write("more.csv", "name_1,name_2,label\n" + "".join(f"{a},{b},{label}\n" for a, b, label in misled(60)[60:]))
    result = dedup_("train", "more.csv", "--from-judgements", "-o", "model")
    assert result.exit_code == 0, result.stderr
    assert "pairs            120" in result.stdout


def test_without_an_index_and_without_a_judgement_it_is_refused():
    result = train()
    assert result.exit_code == 2 and "index" in result.stderr
    index(misled(5))
    result = train()
    assert result.exit_code == 4 and "judge 10 more of the same texts and 10 more of different" in result.stderr


def test_the_scorer_needs_no_torch(monkeypatch):
    judge(index(misled(60)))
    for name in ("torch", "onnx"):  # importing them fails
        monkeypatch.setitem(sys.modules, name, None)
    assert train().exit_code == 0
