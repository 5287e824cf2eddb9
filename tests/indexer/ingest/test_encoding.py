"""Encoding beside other work: the same vectors as without, and no process is left."""

from __future__ import annotations

from multiprocessing import active_children

import numpy as np
import pytest
from doubles import fake_model

from dedup.errors import VersionMismatch
from dedup.model import load_model
from indexer.ingest import encoding
from indexer.ingest.encoding import Encoding, encode

NORMALS = ["acme", "société générale", "blue ocean shipping", "株式会社 日立", "mit", "a" * 300, "at & t"]


@pytest.fixture(params=["1", "3"])
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(encoding, "_BATCH_TEXTS", 4)
    monkeypatch.setenv("OMP_NUM_THREADS", request.param)
    return request.param


def test_processes_change_nothing(workers: str) -> None:
    model = load_model()
    asked = (NORMALS, NORMALS[:2], NORMALS[::-1])
    with Encoding(model) as begun:
        waiting = [begun.begin(normals) for normals in asked]
        found = [codes() for codes in waiting]
    for normals, codes in zip(asked, found, strict=True):
        assert np.array_equal(codes, encode(model, normals))
    assert active_children() == []


def test_a_text_without_a_vector_is_refused(workers: str) -> None:
    with Encoding(fake_model()) as begun:
        codes = begun.begin(["acme", "beta", "nothing", "gamma", "delta"])
        with pytest.raises(VersionMismatch, match="'nothing'"):
            codes()


def test_what_nobody_waits_for_is_given_up(workers: str) -> None:
    with Encoding(fake_model()) as begun:
        begun.begin(NORMALS)
    assert active_children() == []
