"""Each test of the command line has an empty directory to itself, and a model that is small."""

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from invocation import corpus, dedup_
from rapidfuzz import fuzz

import dedup.model
import dedup.training.command  # before a test puts a stand-in in place of ``load_model``, which it would keep
from dedup.evidence.explain import Contribution, Explanation


class FakeModel:
    """Trigrams for an encoder and a ratio of edits for a scorer: enough to find a typo."""

    model_id = "f" * 64
    fingerprint = "fake"
    name = "shipped"
    is_shipped = True
    dimension = 64
    default_probability = 0.9
    min_similarity = 0.3
    scorer = None
    candidate_share = None
    kind = "company"
    kinds = ("company",)

    @property
    def encoder(self):
        return self

    def encode(self, normals: Sequence[str]):
        codes = np.zeros((len(normals), 64))
        for row, text in enumerate(normals):
            padded = f" {text} "
            for start in range(len(padded) - 2):
                codes[row, crc32(padded[start : start + 3].encode()) % 64] += 1
        return np.rint(codes * 127 / np.linalg.norm(codes, axis=1, keepdims=True)).astype(np.int8)

    def with_corpus(self, corpus):
        return self

    def with_kind(self, name):
        assert name in self.kinds
        return self

    def compare(self, left, right, similarities):
        return np.array([fuzz.ratio(*pair) / 100 for pair in zip(left, right, strict=True)], np.float64)

    def explain_pairs(self, left, right, similarities):
        return list(map(self.explain, left, right, similarities))

    def explain(self, left, right, similarity):
        parts = {"starting point": -1.0, "letters in common": 2.504, "length": 0.003, "vowels": 0.001, "case": 0.004}
        contributions = tuple(Contribution(label, log_odds) for label, log_odds in parts.items())
        return Explanation(fuzz.ratio(left, right) / 100, similarity, sum(parts.values()), contributions)


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, and the small model."""
    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: FakeModel())
    monkeypatch.delenv("DEDUP_WORKSPACE", raising=False)
    monkeypatch.delenv("DEDUP_DATABASE_URL", raising=False)
    monkeypatch.delenv("DEDUP_MODEL", raising=False)
    monkeypatch.setenv("DEDUP_MODELS", str(tmp_path / "models"))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # --threads sets them
        monkeypatch.setenv(name, "1")
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def indexed() -> None:
    assert dedup_("index", corpus(), "--quiet").exit_code == 0
