"""The rules by which benchmarks judge: what a found pair is worth, how steep a curve is, what is kept and shown."""

import gzip
import json

import numpy as np
import peers
import pytest
import results
import scaling
import speed
from corpora import TRUTH, Planted, script_of
from results import BARS, Result, result
from scaling import exponent

PLANTED = Planted(
    ["Acme Inc", "ACME, INC.", "Acme Incorporated", "Acme Holdings", "Zenith Ltd", "Acme Inc", "!", "Other Name"],
    ["a.0", "a.0", "a.0", "a.1", "b.0"],
)


def judged(*pairs):
    verdict = PLANTED.judge(np.array(pairs, dtype=np.int64).reshape(-1, 2))
    return verdict.pairs, verdict.true, verdict.false


def test_a_pair_of_two_spellings_of_one_entity_is_true():
    assert judged((0, 2)) == (1, 1, 0)


def test_a_pair_counts_once_however_it_was_found():
    assert judged((0, 2), (2, 0), (1, 2), (5, 2)) == (1, 1, 0)


def test_equal_normal_forms_and_empty_ones_count_for_nobody():
    assert judged((0, 1), (0, 5), (0, 6), (3, 3)) == (0, 0, 0)


def test_entities_under_one_outside_key_are_neither_true_nor_false():
    assert judged((0, 3)) == (1, 0, 0)


def test_other_pairs_of_planted_names_are_false_and_those_with_others_not_judged():
    assert judged((0, 4), (0, 7)) == (2, 0, 1)


def test_recall_and_precision_are_of_what_can_be_judged():
    verdict = PLANTED.judge(np.array([(0, 2), (0, 3), (0, 4), (0, 7)]))
    assert (verdict.wanted, verdict.recall, verdict.precision) == (1, 1.0, 0.5)
    assert verdict.f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_the_exponent_is_the_power_of_the_cost(power):
    assert exponent({size: 3 * size**power for size in (10, 100, 1000)}) == pytest.approx(power)


def test_no_exponent_of_one_size():
    assert exponent({10: 1.0, 100: 0.0}) is None


# Bars


@pytest.mark.parametrize(
    ("value", "bar", "passed"), [(3, "<= 3", True), (3.1, "<= 3", False), (0.3, "< 0.3", False), (1, "", None)]
)
def test_a_value_reaches_its_bar_or_not(value, bar, passed):
    assert Result("query", "p50, ms", value, bar).passed is passed


@pytest.mark.parametrize(("value", "code"), [(2.0, 0), (4.0, 1)])
def test_a_missed_bar_is_printed_and_told_by_the_exit_code(value, code, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        measured = [Result("query", "p50, ms", value, "<= 3"), Result("query", "p90, ms", 9.0)]
        results.show(measured, tmp_path / "all.json")
    assert int(ended.value.code) == code
    assert ("MISSED" in capsys.readouterr().out) is bool(code)
    assert [row["passed"] for row in json.loads((tmp_path / "all.json").read_text())["results"]] == [not code, None]


def test_a_result_has_the_bar_of_its_measure():
    assert result("help", "median, s", 0.2) == Result("help", "median, s", 0.2, BARS["help", "median, s"])
    assert result("help", "slowest, s", 0.2).bar == ""


# What is kept


def test_what_is_kept_of_this_code_is_read_again(tmp_path):
    results.keep(tmp_path / "one.json", {"seconds": 1.0})
    assert results.kept(tmp_path / "one.json") == {"seconds": 1.0, "code": results.code()}
    assert results.kept(tmp_path / "none.json") is None


@pytest.mark.parametrize("of_other_code", [{"seconds": 1.0}, {"seconds": 1.0, "code": "0" * 16}])
def test_what_is_kept_of_other_code_is_not_used_and_that_is_said(of_other_code, tmp_path, capsys):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(of_other_code))
    assert results.kept(path) is None
    assert f"{path} is of other code" in capsys.readouterr().err


def of_size(size):
    seconds = {"index": 1.0 * size, "in all": 1.0 * size}
    peaks = {"peak memory, index": 1e3, "peak memory, report": 9e9}
    return {"size": size, "seconds": seconds, "bytes": peaks, "counts": {"clusters": size}}


def test_the_scaling_table_is_of_one_code(tmp_path):
    for size in (10, 100):
        results.keep(tmp_path / f"scaling-{size}.json", of_size(size))
    (tmp_path / "scaling-1000.json").write_text(json.dumps(of_size(1000)))
    measured = scaling.measured_in(tmp_path)
    assert [one["size"] for one in measured] == [10, 100]
    assert "1,000" not in scaling.page(measured)
    assert [(one.measure, one.passed) for one in scaling.judged(measured)] == [("exponent", True)]


def test_ten_million_names_have_bars_of_their_own():
    judged = {one.measure: one.passed for one in scaling.judged([of_size(1_000), of_size(10_000_000)])}
    assert judged == {"exponent": True, "index and report, min": False, "peak GB": False}


# The tables of peers


def run_of(seconds, true=9, false=1):
    verdict = {"pairs": 12, "true": true, "false": false, "wanted": 10}
    return {"seconds": seconds, "peak_gib": 1.0, "found": {"pairs": verdict}}


def keep_runs(work, name, size, **record):
    results.keep(peers.kept_at(work, name, size), {"name": name, "size": size, "runs": [], **record})


def test_a_method_that_was_not_run_has_no_row(tmp_path):
    keep_runs(tmp_path, peers.OURS, 50, runs=[run_of(2.0)])
    keep_runs(tmp_path, peers.THEIRS, 50, failure="not finished in 60 s")
    keep_runs(tmp_path, "ING emm", 50, at_least=7200.0)
    text = peers.table(50, peers.records_of(tmp_path, 50))
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    assert rows == ["| method", "| ---", f"| **{peers.OURS}**, pairs.csv", f"| {peers.THEIRS}"]
    assert text.endswith("Not run, as it would take too long: ING emm (at least 7,200 s).\n")


def test_the_bars_beside_a_peer_are_of_the_median_of_runs_of_this_code(tmp_path):
    keep_runs(tmp_path, peers.OURS, 50, runs=[run_of(2.0), run_of(3.0), run_of(90.0)])
    keep_runs(tmp_path, peers.THEIRS, 50, runs=[run_of(10.0)])
    judged = {one.measure: (one.value, one.passed) for one in peers.judged(peers.records_of(tmp_path, 50))}
    assert judged == {
        f"share of {peers.THEIRS}": (0.3, False),
        "recall of pairs.csv": (0.9, True),
        "precision of pairs.csv": (0.9, True),
    }
    peers.kept_at(tmp_path, peers.OURS, 50).write_text(json.dumps({"runs": [run_of(1.0)]}))
    assert not list(peers.judged(peers.records_of(tmp_path, 50)))


# Pages, groups, the search


def test_a_page_of_results_replaces_the_one_before(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "PAGES", tmp_path / "results")
    results.put("one", "old")
    results.put("one", results.table(("a", "b"), [(1, "x")]))
    assert (tmp_path / "results" / "one.md").read_text() == "| a | b |\n| --- | --- |\n| 1 | x |\n"


@pytest.mark.parametrize(
    ("text", "script"),
    [("acme", "Latin, ASCII"), ("müller", "Latin, diacritics"), ("会社トヨタ", "Hiragana, Katakana"), ("3", "other")],
)
def test_the_script_of_a_text_is_that_of_most_letters(text, script):
    assert script_of(text) == script


def test_the_exact_search_of_some_rows_leaves_out_each_itself():
    codes = np.random.default_rng(1).integers(-127, 128, (300, 8), dtype=np.int8)
    rows = np.array([3, 77, 299])
    wide = codes.astype(float) / np.linalg.norm(codes.astype(float), axis=1)[:, None]
    cosines = wide[rows] @ wide.T
    cosines[np.arange(3), rows] = -2
    assert speed.exact_neighbours_of(rows, codes).tolist() == np.argsort(-cosines, axis=1)[:, :10].tolist()
    assert speed.exact_neighbours_of(np.array([1]), codes[:3]).tolist()[0][2:] == [-1] * 8


class Known:
    """A store that knows some texts by their ids."""

    def text_ids(self, normals):
        ids = {"acme inc": 40, "acme incorporated": 10, "zenith ltd": 30}
        return {text: ids[text] for text in normals if text in ids}


def test_planted_texts_and_their_mates_are_known_by_row(tmp_path):
    path = tmp_path / TRUTH
    path.parent.mkdir()
    rows = ["Acme Inc,a", "ACME INC.,a", "Acme Incorporated,a", "Acme Holdings,a", "Zenith Ltd,b"]
    path.write_bytes(gzip.compress("\n".join(["text,cluster_id", *rows]).encode()))
    found, mates = speed.planted_rows(tmp_path, Known(), np.array([10, 20, 30, 40]))
    assert dict(zip(found.tolist(), mates, strict=True)) == {3: {0}, 0: {3}}
