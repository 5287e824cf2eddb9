"""``--html`` of ``dedup compare`` and ``dedup evaluate``: a page beside what is printed, with the shipped model."""

import json
import os
import stat
from pathlib import Path

import pytest
from invocation import dedup_, write
from named_pairs import write_pairs
from report_pages import Structure


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def test_compare_writes_what_it_prints():
    plain = dedup_("compare", "Acme Widgets Inc", "Acme Widgts Ltd")
    result = dedup_("compare", "Acme Widgets Inc", "Acme Widgts Ltd", "--html", "page.html")
    assert result.exit_code == 0 and result.stdout == plain.stdout
    html = Path("page.html").read_text()
    text = Structure(html).text
    found = json.loads(dedup_("compare", "Acme Widgets Inc", "Acme Widgts Ltd", "--format", "json").stdout)
    assert f"{found['probability']:.3f} probability" in text and f"{found['similarity']:.3f} similarity" in text
    for reason in found["explanation"]:
        assert reason["label"] in text
    assert 'class="up' in html and "What each character does to the similarity" in text and "Attention" not in text


def test_equal_texts_have_a_page_too():
    assert dedup_("compare", "Acme", "ACME.", "--html", "page.html").exit_code == 0
    assert "equal after normalisation" in Structure(Path("page.html").read_text()).text


def test_evaluate_writes_what_it_prints():
    write_pairs("pairs.csv", 30)
    result = dedup_("evaluate", "pairs.csv", "--format", "json", "--html", "page.html")
    assert result.exit_code == 0
    found, text = json.loads(result.stdout), Structure(Path("page.html").read_text()).text
    assert "Model shipped on pairs.csv" in text and "60 pairs, 30 of them the same" in text
    for name in ("accuracy", "precision", "recall", "f1", "auc"):
        assert f"{found[name]:.3f}" in text


@pytest.mark.parametrize(("mode", "wanted"), [(None, 0o640), ("604", 0o604)])
def test_a_page_may_be_read_by_those_who_may_read_the_pairs(mode, wanted):
    write_pairs("pairs.csv", 10)
    os.chmod("pairs.csv", 0o640)
    options = ["--mode", mode] if mode else []
    assert dedup_("evaluate", "pairs.csv", "--html", "page.html", *options).exit_code == 0
    assert stat.S_IMODE(os.stat("page.html").st_mode) == wanted


def test_a_page_replaces_a_page_but_no_other_file():
    for _ in range(2):
        assert dedup_("compare", "Acme", "Acne", "--html", "page.html").exit_code == 0
    write("mine.html", "<p>mine")
    refused = dedup_("compare", "Acme", "Acne", "--html", "mine.html")
    assert refused.exit_code == 2 and "not a page of neardup" in refused.stderr and refused.stdout == ""
    assert Path("mine.html").read_text() == "<p>mine"
    assert dedup_("compare", "Acme", "Acne", "--html", "-").exit_code == 2


def test_clusters_have_no_page():
    write("clusters.csv", "id,text,cluster_id\n1,Acme,x\n2,Acme Inc,x\n")
    result = dedup_("evaluate", "--clusters", "clusters.csv", "--html", "page.html")
    assert result.exit_code == 2 and "--html" in result.stderr and not Path("page.html").exists()


def test_another_model_compares():
    result = dedup_("compare", "a", "b", "--model", "nowhere")
    assert result.exit_code == 2 and "nowhere" in result.stderr
