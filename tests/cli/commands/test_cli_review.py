"""``dedup review`` and ``dedup judgements``: answers are stored at once, and leave and come back as a file."""

import itertools
import json
import re
from pathlib import Path

import pytest
from invocation import dedup_, rows_of, write

import neardup
from indexer.jobs.reviewing.session import Review
from indexer.store.workspace import Workspace

COMPANIES = """id,name,city
1,Acme Widgets Inc,Boston
2,Acme Widgets Inc.,Boston
3,Acme Widget Inc,
4,Harbor Granite Works,Rome
5,Harbor Granit Works,Milan
6,Willow Copper,Oslo
"""


@pytest.fixture(autouse=True)
def companies(surroundings):
    assert dedup_("index", write("crm.csv", COMPANIES), "--quiet").exit_code == 0


def review(answers, *options):
    return dedup_("review", "--audit", "0", *options, input=answers)


def stored():
    return [(row["id_1"], row["id_2"], row["verdict"]) for row in rows_of(dedup_("judgements", "--format", "csv"))]


def asked(result):
    lines = [line.split() for line in result.stdout.splitlines() if line.startswith("id ")]
    return [tuple(cell.removeprefix("crm:") for cell in cells[1:]) for cells in lines]


def test_answers_are_stored_with_who_and_when():
    result = review("y\nn\n", "--by", "ann")
    assert result.exit_code == 0
    assert "Judged 2 pairs: 1 same, 1 different, 0 unsure." in result.stdout
    rows = rows_of(dedup_("judgements", "--format", "csv"))
    assert [row["verdict"] for row in rows] == ["same", "different"]
    assert {row["judged_by"] for row in rows} == {"ann"}
    assert all(row["judged_at"].endswith("+00:00") for row in rows)


def test_the_differing_characters_are_in_brackets_and_other_columns_beside_them():
    lines = [line.split() for line in review("q\n", "--source", "crm").stdout.splitlines()]
    texts = [" ".join(line) for line in lines]
    assert any(text.startswith("text") and "[" in text for text in texts)
    assert ["city", "Rome", "Milan"] in lines or ["city", "Boston"] in lines
    assert not any("probability" in text for text in texts)
    assert "probability 0." in review("q\n", "--show-probability").stdout


def test_pairs_are_those_next_to_the_threshold_of_the_last_report():
    def number_of_pairs():
        return int(re.search(r"Up to (\d+) pairs", review("q\n").stderr)[1])

    more = "7,APOGEE MEDICAL GROUP IOWA PC,\n8,APOGEE MEDICAL GROUP ILLINOIS PC,\n"  # far below the model's threshold
    assert dedup_("index", write("crm.csv", COMPANIES + more), "--quiet").exit_code == 0
    assert dedup_("report", "--quiet").exit_code == 0
    by_default = number_of_pairs()
    assert dedup_("report", "--quiet", "--min-probability", "0.1").exit_code == 0
    assert number_of_pairs() > by_default


def test_a_review_goes_on_where_it_ended():
    first = asked(review("y\nq\n"))
    assert stored() == [(*first[0], "same")]
    assert first[0] not in asked(review("u\nq\n"))
    assert len(stored()) == 2
    again = asked(review("q\n", "--unsure"))
    assert again[0] == tuple(stored()[1][:2])


def test_undo_takes_the_last_answer_back_and_asks_again():
    result = review("y\nz\nn\nz\nz\nq\n")
    pairs = asked(result)
    assert pairs[0] == pairs[2] == pairs[4] and stored() == []
    assert "no answer of this review to take back" in result.stderr
    assert "Judged 0 pairs" in result.stdout


def test_what_answers_decide_is_not_asked():
    """Same is transitive: after 1 = 3 (the exact duplicate 2 goes with 1) nothing is left among these three."""
    dedup_("judgements", "--import", write("j.csv", verdicts("1,3,same")))
    assert ("1", "3") not in asked(review("u\n" * 9))
    assert len(asked(review("y\n" * 9))) == 0


def test_a_pair_that_waits_is_not_asked_once_it_is_decided():
    dedup_("index", write("crm.csv", COMPANIES + "7,Acme Widgetz Inc,\n"), "--quiet")
    dedup_("judgements", "--import", write("j.csv", verdicts("1,3,same")))
    first, second, again, *others = asked(review("u\nz\ny\n" + "u\n" * 9))
    assert {first, second} == {("1", "7"), ("3", "7")} and again == first
    assert others == [("4", "5")]


def test_an_answer_that_cannot_be_stored_is_refused_and_nothing_is_lost():
    with Workspace(Path(".dedup")).open(for_writing=True):
        result = review("y\n")
    assert result.exit_code == 6 and "Judged" not in result.stdout
    assert stored() == []
    with Workspace(Path(".dedup")).open(for_writing=True):
        assert review("q\n").exit_code == 0  # asking needs no lock


def test_the_end_of_the_input_quits_and_a_wrong_key_is_told():
    result = review("x\n\nsame\n")
    assert "'x' is no answer" in result.stderr and result.exit_code == 0
    assert [verdict for *_, verdict in stored()] == ["same"]


def test_limit_and_source():
    assert len(asked(review("y\ny\ny\n", "--limit", "1"))) == 1
    result = review("", "--source", "nobody")
    assert result.exit_code == 2 and "no source 'nobody'" in result.stderr


def test_a_random_share_is_said_and_repeatable():
    first, second = (dedup_("review", "--audit", "1", "--seed", "7", input="u\nu\nq\n") for _ in range(2))
    assert "share of 1 is drawn at random (seed 7)" in first.stderr
    assert "(drawn at random)" in first.stdout
    assert asked(first)[:2] != asked(second)[:2]  # those are judged now


def test_an_answer_that_contradicts_others_is_told():
    dedup_("judgements", "--import", write("j.csv", verdicts("1,4,same", "3,5,same", "1,3,different")))
    assert ("4", "5") not in asked(review("y\n"))  # decided: they are different
    result = dedup_("judgements", "--import", write("k.csv", verdicts("4,5,same")))
    assert "1 judgement contradicts others" in result.stderr
    (row,) = rows_of(dedup_("judgements", "--contradictions", "--format", "csv"))
    assert row["left_out"].startswith("crm:4 = crm:5") and row["contradicts"].startswith("crm:1 ≠ crm:3")
    assert row["chain"] in ("crm:1 = crm:4 = crm:5 = crm:3", "crm:3 = crm:5 = crm:4 = crm:1")
    assert "1 judgement contradicts others" in dedup_("report", "--quiet").stderr


def verdicts(*rows):
    cells = (row.split(",") for row in rows)
    lines = [f"crm,{one},crm,{other},{verdict}" for one, other, verdict in cells]
    return "source_1,id_1,source_2,id_2,verdict\n" + "".join(f"{line}\n" for line in lines)


def test_judgements_leave_and_come_back_as_a_file():
    review("y\nn\nu\n", "--by", "=ann")
    before = dedup_("judgements", "--format", "jsonl").stdout
    assert dedup_("judgements", "-o", "out.csv").exit_code == 0
    dedup_("judgements", "--import", write("gone.csv", Path("out.csv").read_text().replace("same", "none")))
    write("none.csv", verdicts(*(f"{one},{other},none" for one, other, _ in stored())))
    assert dedup_("judgements", "--import", "none.csv").exit_code == 0 and stored() == []
    assert dedup_("judgements", "--import", "out.csv").exit_code == 0
    assert dedup_("judgements", "--format", "jsonl").stdout == before
    assert json.loads(before.splitlines()[0])["judged_by"] == "=ann"


@pytest.mark.parametrize("layout", ["csv", "tsv", "jsonl", "xlsx", "parquet"])
def test_ids_that_look_like_formulas_or_like_their_guards_come_back(layout):
    ids = ["=1", "'=1", "a,=1", "a,'=1", "a;=1", "''-x", "-5"]
    write("odd.csv", "id,name\n" + "".join(f'"{id_}",Acme Widgets {n} Inc\n' for n, id_ in enumerate(ids)))
    assert dedup_("index", "odd.csv", "--id", "id", "--quiet").exit_code == 0
    with neardup.Index() as index:
        for one, other in itertools.pairwise(ids):
            index.judge(("odd", one), ("odd", other), "different", by="'=ann", note="x,=1\n'\t+2")
    before = dedup_("judgements", "--format", "jsonl").stdout
    assert dedup_("judgements", "-o", f"out.{layout}").exit_code == 0
    with neardup.Index() as index:
        for one, other in itertools.pairwise(ids):
            index.judge(("odd", one), ("odd", other), None)
    assert dedup_("judgements", "--import", f"out.{layout}").exit_code == 0
    assert dedup_("judgements", "--format", "jsonl").stdout == before


def test_a_withdrawal_is_not_of_a_later_judgement():
    dedup_("judgements", "--import", write("j.csv", verdicts("1,3,same")))
    header = "source_1,id_1,source_2,id_2,verdict,judged_at\n"
    result = dedup_("judgements", "--import", write("old.csv", f"{header}crm,1,crm,3,none,2020-01-01\n"))
    assert "older            1" in result.stdout and stored() == [("1", "3", "same")]
    dedup_("judgements", "--import", write("new.csv", f"{header}crm,1,crm,3,none,2999-01-01\n"))
    assert stored() == []


def test_what_another_reviewer_said_since_is_not_taken_back(monkeypatch):
    def other(self, current):
        with neardup.Index() as index:
            index.judge(*(("crm", id_) for id_ in stored()[0][:2]), "different", by="bob")
        return undo(self, current)

    undo = Review.undo
    monkeypatch.setattr(Review, "undo", other)
    result = review("y\nz\nq\n", "--by", "ann")
    assert result.exit_code == 0 and "somebody has judged that pair since" in result.stderr
    assert [verdict for *_, verdict in stored()] == ["different"]


def test_what_another_reviewer_decides_is_not_asked(monkeypatch):
    def beside(self, candidate, verdict):
        with neardup.Index() as index:
            index.judge(("crm", "4"), ("crm", "5"), "same", by="bob")
        return answer(self, candidate, verdict)

    answer = Review.answer
    monkeypatch.setattr(Review, "answer", beside)
    pairs = asked(review("u\n" * 9))
    assert ("4", "5") not in pairs[1:] and len(pairs) >= 1


def test_pairs_of_a_report_with_a_verdict_can_be_imported():
    dedup_("report", "--quiet")
    header, *lines = Path("dedup-report/pairs.csv").read_text().splitlines()
    table = [f"{header},verdict", f"{lines[0]},yes", *(f"{line}," for line in lines[1:])]
    result = dedup_("judgements", "--import", write("judged.csv", "\n".join(table) + "\n"))
    assert result.exit_code == 0 and len(stored()) == 1 and stored()[0][2] == "same"
    assert f"without verdict  {len(lines) - 1}" in result.stdout


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("crm,1,crm,1,same", "E_SAME_RECORD"),
        ("crm,1,crm,,same", "E_ID_EMPTY"),
        ("crm,1,crm,2,perhaps", "E_VERDICT"),
        (f"crm,1,crm,{'9' * 513},same", "E_ID_TOO_LONG"),
        ("crm,4,crm,3,different", "E_JUDGED_TWICE"),
    ],
)
def test_bad_rows_are_listed_and_the_others_stored(row, code):
    result = dedup_("judgements", "--import", write("j.csv", verdicts("3,4,same") + f"{row}\n"))
    assert result.exit_code == 3 and code in result.stderr
    assert stored() == [("3", "4", "same")]


def test_of_two_judgements_the_later_one_holds():
    review("y\nq\n")
    one, other, _ = stored()[0]
    head = "source_1,id_1,source_2,id_2,verdict,judged_at\n"
    old = f"{head}crm,{other},crm,{one},different,2020-01-01\n"
    assert "older            1" in dedup_("judgements", "--import", write("old.csv", old)).stdout
    assert stored()[0][2] == "same"
    dedup_("judgements", "--import", write("new.csv", old.replace("2020", "2090")))
    assert stored() == [(one, other, "different")]


def test_judgements_of_unknown_records_are_kept_and_counted():
    result = dedup_("judgements", "--import", write("j.csv", verdicts("1,99,same")))
    assert result.exit_code == 0 and "unknown          1" in result.stdout
    assert rows_of(dedup_("judgements", "--pairs", "--format", "csv")) == []
    dedup_("index", write("crm.csv", COMPANIES + "99,Willow Coper,\n"), "--quiet")
    (pair,) = rows_of(dedup_("judgements", "--pairs", "--format", "csv"))
    assert pair == {"name_1": "Acme Widgets Inc", "name_2": "Willow Coper", "label": "1"}


def test_labelled_pairs_are_what_evaluate_reads():
    review("y\nn\n")
    dedup_("judgements", "--pairs", "-o", "labelled.csv")
    assert Path("labelled.csv").read_text().splitlines()[0] == "name_1,name_2,label"


def test_a_file_without_the_columns_is_refused():
    result = dedup_("judgements", "--import", write("j.csv", "source_1,id_1,verdict\ncrm,1,same\n"))
    assert result.exit_code == 4 and "no column 'source_2'" in result.stderr


def test_nothing_is_indexed():
    for command in (["review"], ["judgements"], ["judgements", "--import", "crm.csv"]):
        result = dedup_(*command, "-w", "elsewhere", input="")
        assert result.exit_code == 2 and "Nothing is indexed" in result.stderr
        assert not Path("elsewhere").exists()
