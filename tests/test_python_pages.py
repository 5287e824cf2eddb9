"""The Python code of the pages runs, on the example corpus."""

import re
import shutil
from pathlib import Path

import pytest
from paths import ROOT

PAGES = ("docs/python.md", "docs/coming-from.md", "README.md")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    found = [(page, code) for page in PAGES for code in BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))]
    return [(f"{page} {number}", code) for number, (page, code) in enumerate(found, 1)]


@pytest.mark.parametrize(("name", "code"), blocks(), ids=[name for name, _ in blocks()])
def test_the_code_runs(name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, name, "exec"), {"__name__": "page"})


def test_the_pages_have_code() -> None:
    assert {name.rpartition(" ")[0] for name, _ in blocks()} >= {"docs/python.md", "docs/coming-from.md", "README.md"}


def test_what_the_python_page_says_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line that shows a result shows that result."""
    test_the_code_runs(*blocks()[0], tmp_path, monkeypatch)
    said = re.search(r"# (Duplicates\(.*\))$", blocks()[0][1], re.MULTILINE)
    assert said is not None
    assert said[1] in capsys.readouterr().out
