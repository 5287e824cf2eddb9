"""What the repository promises to whoever installs it: pins, limits and a sound example."""

import csv
import re
import tomllib
from collections import Counter

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TORCH_FAMILY = {"torch", "onnx"}


def declared() -> list[Requirement]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    lists = [PROJECT["build-system"]["requires"], PROJECT["project"]["dependencies"], *extras]
    return [Requirement(line) for lines in lists for line in lines]


def pinned() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def table(name: str) -> list[dict[str, str]]:
    with (ROOT / "examples" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_every_dependency_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    assert pinned()[canonicalize_name(requirement.name)] in requirement.specifier


def test_the_base_package_does_not_depend_on_torch() -> None:
    base = {canonicalize_name(Requirement(line).name) for line in PROJECT["project"]["dependencies"]}
    assert not base & TORCH_FAMILY


def test_the_makefile_and_the_constraints_pin_the_same_torch() -> None:
    pin = re.search(r"^TORCH := torch==(\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert pin is not None
    assert Version(pin[1]) == pinned()["torch"]


def test_the_pins_carry_no_local_suffix() -> None:
    assert [name for name, version in pinned().items() if version.local] == []


def test_the_example_and_its_truth_are_the_same_records() -> None:
    companies, truth = table("companies.csv"), table("truth.csv")
    assert [(row["id"], row["name"]) for row in companies] == [(row["id"], row["text"]) for row in truth]
    assert len({row["id"] for row in companies}) == len(companies)
    assert all(row["name"].strip() for row in companies)
    assert {row["source"] for row in companies} == {"h1b", "irs"}


def test_the_example_has_duplicates_and_singles() -> None:
    sizes = Counter(Counter(row["cluster_id"] for row in table("truth.csv")).values())
    assert sizes[1] > 1000
    assert sum(count for size, count in sizes.items() if size > 1) > 1000


def test_the_wheel_holds_what_a_page_is_made_of() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    made_of = sorted(path.name for path in (ROOT / "indexer" / "outputs" / "html_report").glob("page.*"))
    assert "indexer" in wheel["only-include"] and "exclude" not in wheel
    assert made_of == ["page.css", "page.html", "page.js"]
    assert '"indexer/outputs/html_report/page.": 3' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["companies.csv", "truth.csv"])
def test_the_example_is_small(name: str) -> None:
    assert (ROOT / "examples" / name).stat().st_size < 300_000


def test_every_code_of_a_fault_or_warning_is_documented() -> None:
    files = [ROOT / "cli" / "exit_codes.py", *(ROOT / "indexer").rglob("*.py")]
    files += (ROOT / "dedup" / "training").rglob("*.py")
    used = {
        code for path in files for code in re.findall(r"(?<!os\.)\b[EW]_[A-Z_]+\b", path.read_text(encoding="utf-8"))
    }
    documented = set(re.findall(r"\b[EW]_[A-Z_]+\b", (ROOT / "docs" / "bad-input.md").read_text(encoding="utf-8")))
    assert used == documented
