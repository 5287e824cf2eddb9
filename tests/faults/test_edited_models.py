"""A model whose files were edited is refused by name, or works."""

from pathlib import Path

import edit_model
import pytest

from dedup import model


def test_an_edited_model_is_refused_or_works() -> None:
    result = edit_model.run(1, 500, model.load_model().directory)
    assert result["first"] == []
    assert result["works"] > 50
    assert result["refused"] > 200


def test_a_reader_without_checks_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped: Path = model.load_model().directory
    monkeypatch.setattr(model, "_RANGES", {})
    monkeypatch.setattr(model, "_no_constant", float)
    assert edit_model.run(14, 10, shipped)["failures"] > 0  # one of its edits is of a number out of range
