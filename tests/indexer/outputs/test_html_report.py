"""The page of a report: what it says without a script, what the script reads, and that it can do nothing else."""

import base64
import hashlib
import re

import pytest
import report_page
from report_pages import RUN, Structure, cluster, data_of, html_of, member, page

from indexer.outputs.html_report import packed
from indexer.outputs.html_report.contents import Changes, ClusterItem, RunTotals, SourceTotals


def test_the_policy_allows_the_one_style_and_the_one_script() -> None:
    html = html_of(page(cluster("Acme", "Acme Inc")))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    for tag in ("script", "style"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_nothing_is_requested() -> None:
    html = html_of(page(cluster("Acme", "Acme Inc"), runs=[RUN, RUN]))
    structure = Structure(html)
    referring = {(name, value) for _, name, value in structure.attributes if name in ("src", "href", "action", "data")}
    assert referring == {("href", "#clusters")}
    assert not [one for one in structure.attributes if one[1].startswith("on") or one[1] == "style"]
    assert "http:" not in html and "https:" not in html and "url(" not in html and "@import" not in html


def test_the_data_are_those_of_the_clusters() -> None:
    exact = member("Ácme\u202e <b>", 1.0, exact=True, id="r2", cells=[""])
    wanted = ClusterItem("c9", 0.77777, 12, [member("株式会社", None, reasons=[]), exact], "grown")
    found = data_of(html_of(page(wanted)))
    assert found["columns"] == ["city"]
    assert found["clusters"] == [
        [
            *("c9", 0.7778, 12, "grown"),
            [
                ["crm", "r1", "株式会社", None, 0, [], ["Ulm"]],
                ["crm", "r2", "Ácme\u202e <b>", 1.0, 1, ["+1.00 alike"], [""]],
            ],
        ]
    ]
    assert html_of(page(wanted)) == html_of(page(wanted))


def test_what_is_new_and_the_trend_need_no_script() -> None:
    runs = [RunTotals(f"2026-11-{day}T02:15:00+00:00", 90 + day, day, 2 * day) for day in (28, 29, 30)]
    changes = Changes("run 7 of 29 November", {"new": 1_412, "merged": 3})
    text = Structure(html_of(page(runs=runs, changes=changes))).text
    assert "Since run 7 of 29 November: 1,412 + new 3 ⇉ merged" in text
    assert "30 clusters +1 since the last run 60 records in clusters 50.0% of all; +2 since the last run" in text
    assert "2026-11-30 30 60 120" in text and "2026-11-28 28 56 118" in text


def test_a_night_without_changes_and_a_report_without_clusters_say_so() -> None:
    text = Structure(html_of(page(runs=[RUN, RUN], changes=Changes("run 7 of 29 November", {})))).text
    assert "Nothing has changed since run 7 of 29 November." in text
    assert "No duplicates were found." in text and "Lowest probability first" not in text


def test_the_files_with_all_clusters_are_a_list() -> None:
    html = html_of(page(elsewhere=["clusters.csv", "clusters.tsv", "clusters.xlsx"]))
    assert "Every cluster is in clusters.csv, clusters.tsv and clusters.xlsx beside this file" in Structure(html).text


def test_a_first_report_and_one_without_a_comparison_say_so() -> None:
    first = Structure(html_of(page())).text
    assert "first report of this index" in first and "The trend begins with the second report" in first
    assert "was not compared with an earlier one" in Structure(html_of(page(runs=[RUN, RUN]))).text


def test_charts_are_told_in_words() -> None:
    sources = [
        SourceTotals("crm", 100, 20),
        SourceTotals("leads", 10, 0),
        *[SourceTotals(f"s{n}", 1, 0) for n in range(9)],
    ]
    html = html_of(page(sources=sources, sizes={2: 7, 3: 1, 250: 1}, runs=[RUN, RUN]))
    told = [value for tag, name, value in Structure(html).attributes if (tag, name) == ("svg", "aria-label")]
    assert told[0] == "Records in clusters over 2 runs, from 20 to 20."
    assert told[1] == "Probabilities of 8 near pairs from the threshold 0.5 to 1; 0 have 0.9 or more."
    assert told[2] == "Clusters by size. 2 records: 7; 3 records: 1; 101 or more records: 1."
    assert told[3].startswith("Records in clusters by source. crm: 20 of 100 (20%); leads: 0 of 10 (0%); s0: ")
    assert told[3].endswith("; and 3 other sources.")


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_an_index_without_duplicates(threshold: float) -> None:
    empty = page(probabilities=[0] * 25, sizes={}, sources=[], min_probability=threshold, histogram_from=threshold)
    assert data_of(html_of(empty))["clusters"] == []


def test_only_the_worst_clusters_are_in_the_page_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MAX_CLUSTERS", 2)
    clusters = [cluster("Acme", "Acmé", name=f"c{n}") for n in range(3)]
    html = html_of(page(*clusters, elsewhere=["clusters.csv", "clusters.xlsx"]))
    assert [one[0] for one in data_of(html)["clusters"]] == ["c0", "c1"]
    told = "The 2 worst of 3 clusters are here, lowest probability first. All are in clusters.csv and clusters.xlsx."
    assert told in Structure(html).text
    assert "Write a table as well" in Structure(html_of(page(*clusters))).text
    monkeypatch.setattr(packed, "_MAX_JSON", 150)
    assert len(data_of(html_of(page(*clusters)))["clusters"]) == 1


def test_long_texts_are_cut_and_say_so() -> None:
    (found,) = data_of(html_of(page(cluster("x" * 5_000, "y"))))["clusters"]
    assert found[4][0][2] == "x" * 600 + " … and 4,400 more characters"


def test_ten_thousand_clusters_are_under_two_megabytes() -> None:
    html = html_of(page(*report_page.clusters(10_000)))
    assert len(data_of(html)["clusters"]) == 10_000
    assert len(html.encode()) < 2_000_000
