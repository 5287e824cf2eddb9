"""Of the URLs of databases only those are accepted that are understood, and they keep what they acknowledge."""

from __future__ import annotations

import odd_urls
import pytest
from doubles import fake_model

import dedup.model
from indexer.store import database_url

pytestmark = pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dedup.model, "load_model", lambda directory=None: fake_model())
    for name in ("DEDUP_WORKSPACE", "DEDUP_DATABASE_URL", "DEDUP_DATABASE_SCHEMA"):
        monkeypatch.delenv(name, raising=False)


def test_a_url_keeps_what_it_acknowledges_or_is_refused(engine_url: str) -> None:
    good, bad, faults = odd_urls.play(engine_url)
    assert faults == []
    assert good >= 50
    assert bad >= 420


def test_urls_that_are_not_checked_are_found_out(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_url, "_sqlite_fault", lambda url, _: "")
    monkeypatch.setattr(database_url, "_postgresql_fault", lambda url, _: "")
    assert len(odd_urls.play(engine_url, every=10)[2]) > 10
