"""Tables on a terminal: what does not fit is folded or left out."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cli.show.table import NOTE, _folded, write_table

ROW = {"probability": 0.6872, "source": "companies", "text": "BLUECROSS BLUESHIELD OF N CAROLINA", "city": "Durham"}
REASON = "+2.06 words 77% shared, weighed by rarity"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(out: io.StringIO, *rows: dict[str, object]) -> list[str]:
    write_table(rows, out)
    return out.getvalue().splitlines()


def test_a_table_that_is_piped_is_as_wide_as_it_needs() -> None:
    assert shown(io.StringIO(), ROW, {NOTE: REASON}) == [
        "probability  source     text                                city",
        "      0.687  companies  BLUECROSS BLUESHIELD OF N CAROLINA  Durham",
        f"                          {REASON}",
    ]


def test_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "47")
    assert shown(Terminal(), ROW, {NOTE: REASON}) == [
        "probability  source     text",
        "      0.687  companies  BLUECROSS BLUESHIELD OF",
        "                        N CAROLINA",
        f"    {REASON}",
    ]
    assert capsys.readouterr().err.startswith("Columns that do not fit this terminal: city.")


def test_a_terminal_too_narrow_for_any_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "3")
    assert "companies" in "\n".join(shown(Terminal(), ROW, {NOTE: REASON}))


@given(st.text(st.sampled_from("ab 株会📦é")), st.integers(2, 9))
def test_folding_loses_nothing_but_spaces(text: str, width: int) -> None:
    lines = _folded(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) <= width for line in lines)
