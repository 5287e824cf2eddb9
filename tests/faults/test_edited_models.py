"""A model whose files were edited is refused by name, or works."""

import json
from pathlib import Path

import edit_model
import pytest
from own_models import make_model, with_hashes

from dedup import model


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The shipped model with the frequencies of few words, which takes a third of the time to load."""
    made = make_model(tmp_path / "small")
    rarity = json.loads((made / "rarity.json").read_text())
    rarity["counts"] = dict(list(rarity["counts"].items())[:500])
    (made / "rarity.json").write_text(json.dumps(rarity))
    return with_hashes(made)


def test_an_edited_model_is_refused_or_works(small: Path) -> None:
    result = edit_model.run(1, 500, small)
    assert result["first"] == []
    assert result["works"] > 50
    assert result["refused"] > 200


def test_a_reader_without_checks_is_found_out(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_RANGES", {})
    monkeypatch.setattr(model, "_no_constant", float)
    assert edit_model.run(14, 10, small)["failures"] > 0  # one of its edits is of a number out of range
