"""A base install names the extra that a file, an output or a database needs."""

import sys
import tomllib

import pytest
from invocation import dedup_, write
from paths import ROOT

_MODULES = {
    "xlsx": ("openpyxl", "xlsxwriter"),
    "parquet": ("pyarrow",),
    "mojibake": ("ftfy",),
    "postgres": ("psycopg",),
}
_COMMANDS = [
    (("index", "list.xlsx"), "xlsx"),
    (("link", "list.csv", "list.xlsx"), "xlsx"),
    (("query", "Acme", "--output", "out.xlsx"), "xlsx"),
    (("report", "--format", "xlsx"), "xlsx"),
    (("index", "list.parquet"), "parquet"),
    (("query", "Acme", "--format", "parquet", "--output", "-"), "parquet"),
    (("link", "list.csv", "list.csv", "--output", "out.parquet"), "parquet"),
    (("index", "list.csv", "--fix-mojibake"), "mojibake"),
    (("status", "--database", "postgresql://localhost/none"), "postgres"),
    (("index", "--from-sql", "SELECT 1", "--source-url", "postgresql://localhost/none", "--source", "s"), "postgres"),
]


@pytest.mark.parametrize(("command", "extra"), _COMMANDS, ids=lambda value: value if isinstance(value, str) else None)
def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], extra: str) -> None:
    write("list.csv", "id,name\n1,Acme Widgets\n")
    assert dedup_("index", "list.csv", "-q").exit_code == 0
    for suffix in ("xlsx", "parquet"):
        assert dedup_("query", "Acme", "--output", f"list.{suffix}").exit_code == 0
    for module in _MODULES[extra]:
        monkeypatch.setitem(sys.modules, module, None)
    result = dedup_(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"pip install 'neardup[{extra}]'" in result.stderr.replace("\n", " ")


def test_an_extra_has_all_that_it_is_named_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for extra, modules in _MODULES.items():
        assert len(extras[extra]) == len(modules)
        assert all(any(needed.casefold().startswith(module) for needed in extras[extra]) for module in modules)
