"""Generated pairs of all kinds: the order of the sides is irrelevant, reasons add up, odd texts are no error."""

import random

import numpy as np
import pytest

from dedup.model import load_model
from dedup.text.normalise import normalise

WORDS = (
    "sony", "camera", "black", "blk", "dsc-w120", "dscw120", "910-000298", "4gb", "4 gb", "10 in", "vol ii", "vol. 2",
    "part", "1999", "2004", "$ 12.99", "Dr.", "PhD", "Jr.", "III", "Michael", "Michaela", "Oleg", "Olga", "J", "R.",
    "van der", "Mohammed", "Мария", "名前", "株式会社", "ß", "é" * 40, "&", "+++", "x" * 300, "0", "00", "ph d", "the",
    "the honorable", "a", "in", "mr", "md", "ii", "vi", "ah", "h",
)  # fmt: skip
PAIRS = 700


def pairs(kind: str) -> tuple[list[str], list[str]]:
    chance = random.Random(kind)
    left, right = [], []
    while len(left) < PAIRS:
        words = chance.choices(WORDS, k=chance.randint(1, 7))
        other = list(words) if chance.random() < 0.5 else chance.choices(WORDS, k=chance.randint(1, 7))
        if chance.random() < 0.7:
            other[chance.randrange(len(other))] = chance.choice(WORDS)
        chance.shuffle(other)
        one, two = normalise(" ".join(words)), normalise(" ".join(other))
        if one and two:
            left.append(one)
            right.append(two)
    return left, right


@pytest.mark.parametrize("kind", ["company", "person", "text"])
def test_pairs_of_every_kind(kind: str) -> None:
    model = load_model().with_kind(kind)
    left, right = pairs(kind)
    similarities = np.linspace(-0.2, 1, PAIRS, dtype=np.float32)
    found = model.compare(left, right, similarities)
    assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
    assert np.array_equal(found, model.compare(right, left, similarities))
    assert np.array_equal(
        found[:50], model.compare(left[:50], right[:50], similarities[:50])
    )  # no pair depends on others
    explained = model.explain_pairs(left, right, similarities.tolist())
    assert np.allclose(found, [one.probability for one in explained])
    for one in explained:
        assert sum(reason.log_odds for reason in one.contributions) == pytest.approx(one.log_odds, abs=1e-6)
        assert all(reason.label for reason in one.contributions)


@pytest.mark.parametrize("kind", ["person", "text"])
def test_equal_evidence_supports_and_other_words_do_not(kind: str) -> None:
    model = load_model().with_kind(kind)
    left, _ = pairs(kind)
    equal = model.compare(left, left, np.ones(PAIRS, np.float32))
    other = model.compare(left, ["quizzical jabberwock"] * PAIRS, np.zeros(PAIRS, np.float32))
    assert (equal > other).all()
