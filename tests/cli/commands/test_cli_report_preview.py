"""``dedup report --preview``: what each threshold would give, before anything is stored."""

import csv
import json
from pathlib import Path

import pytest
from invocation import corpus, dedup_, write

import dedup.model
import neardup

EXAMPLE = Path(__file__).parents[3] / "examples" / "companies.csv"
COUNTS = ("near_pairs", "pairs_total", "clusters", "records_in_clusters", "largest_cluster")


@pytest.fixture(autouse=True)
def a_list() -> None:
    assert dedup_("index", corpus(), "--quiet").exit_code == 0


def preview(*arguments: str) -> dict:
    result = dedup_("report", "--preview", "--summary", "json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_each_threshold_gives_what_a_report_with_it_finds() -> None:
    found = preview("--min-probability", "0.85")
    thresholds = [row["min_probability"] for row in found["thresholds"]]
    assert found["min_probability"] == 0.85 and thresholds == [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99]
    for row in found["thresholds"]:
        assert dedup_("report", "--quiet", "--min-probability", str(row["min_probability"])).exit_code == 0
        summary = json.loads(Path("dedup-report/summary.json").read_text())
        assert {name: row[name] for name in COUNTS} == {name: summary[name] for name in COUNTS}
    assert len({row["near_pairs"] for row in found["thresholds"]}) > 3


def test_after_a_report_it_is_what_the_next_one_finds() -> None:
    """Although the share of true pairs and the words of the list are others by then."""
    lines = EXAMPLE.read_text("utf-8").splitlines(keepends=True)
    for rows in (300, 350):
        write("companies.csv", "".join(lines[:rows]))
        assert dedup_("index", "companies.csv", "--quiet", "--max-removed", "1", "--sync").exit_code == 0
        found = preview("--min-probability", "0.5")
        assert dedup_("report", "--quiet", "--min-probability", "0.5").exit_code == 0
    summary = json.loads(Path("dedup-report/summary.json").read_text())
    assert not summary["is_full"]
    assert {name: found["thresholds"][0][name] for name in COUNTS} == {name: summary[name] for name in COUNTS}
    with Path("dedup-report/pairs.csv").open(newline="", encoding="utf-8") as file:
        probabilities = sorted(float(row["probability"]) for row in csv.DictReader(file))
    assert [pair["probability"] for pair in found["above"]] == probabilities[:10]


def test_the_pairs_next_to_the_threshold() -> None:
    found = preview("--min-probability", "0.7")
    above, below = ([pair["probability"] for pair in found[side]] for side in ("above", "below"))
    assert len(above) == len(below) == 10
    assert above == sorted(above) and below == sorted(below, reverse=True)
    assert below[0] < 0.7 <= above[0]
    everything = preview("--min-probability", "0.5")["thresholds"]
    assert dedup_("report", "--quiet", "--min-probability", "0.7").exit_code == 0
    lines = Path("dedup-report/pairs.csv").read_text("utf-8").splitlines()
    assert f"{above[0]:.6f}" in "".join(lines[1:]) and len(lines) - 1 == everything[2]["pairs_total"]
    pair = found["above"][0]
    assert {pair["source_1"], pair["source_2"]} == {"companies"} and pair["id_1"] != pair["id_2"]


@pytest.mark.parametrize(("threshold", "above", "below"), [("1", 0, 10), ("0", 10, 0)])
def test_a_threshold_at_an_end(threshold: str, above: int, below: int) -> None:
    found = preview("--min-probability", threshold)
    assert (len(found["above"]), len(found["below"])) == (above, below)


def test_nothing_is_stored_or_written() -> None:
    before = dedup_("status", "--format", "json").stdout
    files = sorted(str(path) for path in Path().rglob("*"))
    result = dedup_("report", "--preview", "--quiet")
    assert result.exit_code == 0 and result.stderr == ""
    assert dedup_("status", "--format", "json").stdout == before
    assert sorted(str(path) for path in Path().rglob("*")) == files


def test_as_people_read_it() -> None:
    lines = dedup_("report", "--preview", "--min-probability", "0.6").stdout.splitlines()
    assert lines[0].split("  ")[0] == "min probability" and lines[2].startswith("0.6 (chosen)")
    assert "Pairs that just reach 0.6:" in lines and "Pairs that just miss 0.6:" in lines
    assert "Pairs that just reach 1: none" in dedup_("report", "--preview", "--min-probability", "1").stdout


@pytest.mark.parametrize(
    "option",
    [
        *(("--output", "out"), ("--format", "csv"), ("--columns", "city"), ("--explain",), ("--max-pairs", "5")),
        *(("--delimiter", ";"), ("--locale", "de"), ("--raw",), ("--mode", "600"), ("--memory", "1G"), ("--bom",)),
        *(("--records",), ("--between", "a", "b")),
    ],
    ids=lambda option: option[0],
)
def test_what_is_for_files_is_refused(option: tuple[str, ...]) -> None:
    result = dedup_("report", "--preview", *option)
    assert result.exit_code == 2 and f"{option[0]} does not apply to --preview" in result.stderr, result.output


def test_without_an_index() -> None:
    result = dedup_("report", "--preview", "--workspace", "elsewhere")
    assert result.exit_code == 2 and not Path("elsewhere").exists()


def test_from_python() -> None:
    with neardup.Index(model=dedup.model.load_model()) as index:
        found = index.preview(min_probability=0.8)
        assert json.loads(json.dumps(found.to_dict())) == preview("--min-probability", "0.8")
        with pytest.raises(neardup.UsageError, match="min_probability"):
            index.preview(min_probability=2)
