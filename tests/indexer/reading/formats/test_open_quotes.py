"""Quotes that are never closed: what is looked ahead stays proportional to what is read, and no other row is lost."""

from __future__ import annotations

import pytest
from tables import errors, names, read

from indexer.reading.lines import MAX_RECORD_LINES, Lines

N = 3_000
HEAD = "id,name,city\n"
OPEN = 'a",b,"c\n'  # opens a quote; read inside one, it closes that and opens another

BAD_FILES = {
    "never closed": OPEN * N,
    "closed badly after 150 lines": (OPEN * 150 + 'x"y\n') * (N // 150),
    "closed badly after 30 lines": (OPEN * 30 + 'x"y\n') * (N // 30),
    "closed into too many cells": (OPEN * 150 + 'd"\n') * (N // 150),
    "among good rows": (OPEN + "1,Acme,Bonn\n") * (N // 2),
    "half a megabyte each": ('a",b,"' + "c" * 400_000 + "\n") * 30,
    "short ones before a long one": (OPEN * 40 + "x" * 400_000 + "\n") * 10,
}


@pytest.fixture
def lines_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collects the characters of each line that is given to the parser, each time it is."""
    sizes: list[int] = []
    before = Lines.__next__

    def counted(self: Lines) -> str:
        text = before(self)
        sizes.append(len(text))
        return text

    monkeypatch.setattr(Lines, "__next__", counted)
    return sizes


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_quote_costs_a_bounded_look_ahead(tmp_path, lines_read, kind, lenient):
    data = HEAD + BAD_FILES[kind]
    items = read(tmp_path, data, lenient=lenient)
    assert {error for _, error in errors(items)} <= {"E_UNCLOSED_QUOTE", "E_MISSING_CELL", "E_QUOTE"}
    assert len(items) > 0.9 * len(data.splitlines()) - 2
    assert len(lines_read) < 15 * len(data.splitlines())
    assert sum(lines_read) < 15 * len(data)


def test_rows_of_several_lines_among_bad_quotes_are_read(tmp_path):
    row = '7,"' + "of several lines\n" * 14 + 'Ltd",Rome\n'
    items = read(tmp_path, HEAD + (OPEN * 5 + row + 'x,1",2"\n') * 40)
    assert names(items).count("of several lines\n" * 14 + "Ltd") == 40


def test_a_long_row_right_after_a_bad_quote_is_read(tmp_path):
    long = '7,"' + "line\n" * (MAX_RECORD_LINES - 2) + 'Ltd",Rome\n'
    items = read(tmp_path, HEAD + '1,"open,Bonn\n' + long + "2,Acme,Ulm\n")
    assert names(items) == ["line\n" * (MAX_RECORD_LINES - 2) + "Ltd", "Acme"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('1,"a "b" c",x', 'a "b" c'),
        ('1,"",x"y"', ""),
        ('1,"a "" "b"",c",x', 'a " "b",c'),
        ('1,"a" "",x', None),
        ('1,"""a"" "b""",x', '"a" "b"'),
    ],
)
def test_a_lenient_cell_ends_with_an_odd_run_of_quotes(tmp_path, line, name):
    items = read(tmp_path, f"{HEAD}{line}\n2,Beta,y\n", lenient=True)
    assert names(items) == ([name, "Beta"] if name is not None else ["Beta"])
