"""Two databases whose snapshots are in one directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import neardup


def test_databases_keep_the_snapshots_of_each_other(
    directory: Path, new_database: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    names = ["Acme Holdings Inc", "Zenith Bank"]
    urls = [new_database(), new_database()]
    for round_ in range(2):
        for url in urls:
            with neardup.Index(url, workspace=directory) as index:
                index.add([f"{name} {round_}" for name in names])
                index.verify(repair=True)
    for url in urls:
        with neardup.Index(url, workspace=directory) as index:
            assert index.query("Acme Holdings Inc 0")[0].exact
            assert index.verify()
    assert not caplog.records
    assert len(list((directory / "snapshots").glob("*.faiss"))) == 2
