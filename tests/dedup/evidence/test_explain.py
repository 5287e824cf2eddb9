"""Reasons must be true, agree with the sign of their weight, and add up to the log-odds."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.encoder.cosine import cosine
from dedup.evidence.explain import explain
from dedup.evidence.features import REGISTRY
from dedup.evidence.scorer import Curve, Scorer
from dedup.model import load_model
from dedup.text.normalise import normalise
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights

FOR = re.compile(r"\b(in both names|match|matched|similar|acronym|equivalent|often|sounds)\b")
AGAINST = re.compile(r"\b(differ|in one name only|differently|separate|apart)\b")
QUOTED = re.compile("‘.*?’")


@pytest.fixture(scope="module")
def model():
    return load_model()


def check(explanation):
    """Check that the reasons add up, and that the wording of each agrees with its sign."""
    first, *others = explanation.contributions
    assert first.label.startswith("starting point")
    assert sum(c.log_odds for c in explanation.contributions) == pytest.approx(explanation.log_odds)
    assert explanation.probability == pytest.approx(1 / (1 + np.exp(-explanation.log_odds)))
    assert len({c.label for c in others}) == len(others)
    for c in others:
        words = QUOTED.sub("", c.label)
        assert c.log_odds != 0, c
        assert c.log_odds > 0 or not FOR.search(words), c
        assert c.log_odds < 0 or not AGAINST.search(words), c


def test_the_reasons_of_every_behaviour_add_up_and_agree_with_their_signs(model):
    with (Path(__file__).parent / "behaviour.csv").open(encoding="utf-8", newline="") as file:
        pairs = [(normalise(row["left"]), normalise(row["right"])) for row in csv.DictReader(file)]
    left, right = (model.encoder.encode(list(side)) for side in zip(*pairs, strict=True))
    similarities = cosine(left, right).tolist()
    explained = [model.explain(*pair, similarity) for pair, similarity in zip(pairs, similarities, strict=True)]
    for one in explained:
        check(one)
    assert model.explain_pairs(*zip(*pairs, strict=True), similarities) == explained
    assert model.explain_pairs([], [], []) == []


def scorer(slopes):
    """Return a scorer whose curves are nowhere flat, and not 0 for neutral evidence."""
    curves = (
        Curve((-3.0, 15.0), (-slope, 17 * slope) if feature.direction >= 0 else (slope, -17 * slope))
        for slope, feature in zip(slopes, REGISTRY, strict=True)
    )
    return Scorer(-1.0, tuple(curves))


names = st.lists(
    st.sampled_from(["royal", "bnak", "bank", "101", "ii", "a", "b", "3d", "ag", "llc", "intl", "dba", "iowa", "ohio"]),
    min_size=1,
    max_size=6,
).map(" ".join)
IDF = InverseDocumentFrequency({"bank": 1000, "royal": 300, "ii": 90}, 10_000)
WORD_MODEL = WordModel(IDF, WordWeights({("alone", "royal"): 0.5, ("exchanged", "iowa"): -0.7}))


@given(names, names, st.floats(-1, 1), st.lists(st.floats(0.1, 3), min_size=len(REGISTRY), max_size=len(REGISTRY)))
def test_reasons_agree_with_their_signs_whatever_the_curves(left, right, similarity, slopes):
    check(explain(left, right, similarity, scorer(slopes), WORD_MODEL))


@pytest.fixture(scope="module")
def reasons(model):
    """A function from two texts to the labels of all their evidence."""

    def labels(left, right):
        every = scorer([1.0] * len(REGISTRY))
        explanation = explain(normalise(left), normalise(right), 0.8, every, model.word_model)
        return [c.label for c in explanation.contributions]

    return labels


@pytest.mark.parametrize(
    ("left", "right", "label"),
    [
        ("Store 101 LLC", "Store 102 Inc", "numbers ‘101’ and ‘102’ differ"),
        ("Home Equity 2006-1", "Home Equity 2006-2", "numbers ‘2006 1’ and ‘2006 2’ differ"),
        ("John A. Smith", "John B. Smith", "letters ‘a’ and ‘b’ differ"),
        ("M Holloway", "J Holloway", "letters ‘m’ and ‘j’ differ"),
        ("Acme A", "Acme 2", "characters ‘a’ and ‘2’ differ"),
        ("John Smith Jr", "John Smith Sr", "generations ‘junior’ and ‘senior’ differ"),
        ("Route 2 4 Diner", "Route 4 2 Diner", "numbers ‘2 4’ in both names"),
        ("Studio 3 D", "Studio 3D", "numbers ‘3 d’ in both names"),
        ("Delta Dental of Iowa", "Delta Rental of Ohio", "places ‘iowa’ and ‘ohio’ differ"),
        ("Delta Dental of Iowa", "Delta Rental of Ohio", "‘dental’ and ‘rental’ exclude each other"),
        ("Delta Rental of Ohio", "Delta Dental of Iowa", "‘rental’ and ‘dental’ exclude each other"),
        ("Royal Mail", "Royal Bank", "words ‘mail’ and ‘bank’ differ"),
        ("Siemens (China) Co Ltd", "Siemens", "word ‘china’ in one name only"),
        ("Siemens (China) Co Ltd", "Siemens", "legal form ‘co ltd’ in one name"),
        ("Deutsche Bank GmbH", "Deutsche Bank AG", "legal forms ‘gmbh’ and ‘ag’ differ"),
        ("Acme Works Aktiengesellschaft", "Acme Works AG", "legal forms ‘aktiengesellschaft’ and ‘ag’ are equivalent"),
        ("日立製作所株式会社", "株式会社日立製作所", "legal form ‘株式会社’ in both names"),
        ("IBM", "International Business Machines", "‘ibm’ is the other name's acronym"),
        ("General Electric", "General Electric Pension Plan", "‘pension’ suggests a separate organisation"),
        ("VFW Post 77", "Veterans Foreign Wars Post 77", "acronym ‘vfw’ for ‘veterans foreign wars’"),
        ("Employers Union", "Employees Union", "‘employers’ and ‘employees’ exclude each other"),
        ("HP", "BP", "short names ‘hp’ and ‘bp’ differ"),
        ("Jubayliyah", "الجبيلية", "sounds 86% similar"),
        ("Acme Inc dba Zenith", "Zenith 2006", "several names given; compared ‘zenith’ with ‘zenith 2006’"),
        ("Acme Inc dba Zenith", "Zenith", "several names given; both texts contain ‘zenith’"),
        ("Acme", "Acme Laboratories", "‘laboratories’ is often added or dropped"),
        ("General Harbor", "International Harbor", "‘general’ and ‘international’ usually tell names apart"),
        ("Advanced Technologies", "Advanced Technology", "‘technologies/technology’ usually tell names apart"),
        ("Springfield School District", "Springfield School Dist", "‘dist/district’ are often spellings of one word"),
        ("Royal Mail Inc", "Royal Mail", "all words match (rarest: ‘mail’)"),
        ("Royal Mail", "Royal Bank", "starting point for names of 10 characters"),
    ],
)
def test_reasons_name_what_differs_in_the_order_given(reasons, left, right, label):
    assert label in reasons(left, right)


def test_absent_evidence_has_no_reason(reasons):
    assert {label.split(" ")[0] for label in reasons("Acme", "Acme Inc")} == {
        *("starting", "vector", "spelling", "all", "rarest", "legal"),
    }
    assert not any("organisation" in label for label in reasons("Acme Pension Plan", "Acme Retirement Foundation"))
    assert not any("differ" in label for label in reasons("Route 2 4 Diner", "Route 4 2 Diner"))


def test_long_texts_have_short_reasons(reasons):
    words = [f"{a}{b}{c}ola" for a in "bdfgk" for b in "aeiou" for c in "mnprs"]
    numbers = [str(number) for number in range(1900, 1925)]
    found = reasons(" ".join(words + numbers), " ".join([*words[:40], "7"]))
    assert max(map(len, found)) < 200
    assert any(re.fullmatch(r"words ‘.* .* .*’ \(and 107 more\) and ‘7’ differ", label) for label in found)
    assert any(re.fullmatch(r"numbers ‘.* .* .*’ \(and 22 more\) and ‘7’ differ", label) for label in found)
    assert max(map(len, reasons("ж" * 300, "a" * 300))) < 200
