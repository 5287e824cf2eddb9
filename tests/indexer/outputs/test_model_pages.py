"""The pages about a model: what they say, and that they can do nothing."""

import base64
import hashlib
import re

import numpy as np
import pytest
from model_pages import attention, comparison, evaluation, predicted
from report_pages import Structure

from dedup.errors import InputRefused
from dedup.evaluation.saliency import Part

PAGES = {
    "binary": lambda: evaluation(predicted()),
    "classes": lambda: evaluation(predicted("classes")),
    "graded": lambda: evaluation(predicted("graded")),
    "compared": lambda: comparison(attention=[attention("a", "b"), attention("c")]),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_nothing_and_requests_nothing(name):
    html = PAGES[name]()
    structure = Structure(html)
    (policy,) = [value for _, key, value in structure.attributes if key == "content" and "default-src" in value]
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "script" not in structure.tags
    assert not [one for one in structure.attributes if one[1] in ("src", "href", "style") or one[1].startswith("on")]
    assert "http:" not in html and "https:" not in html and "url(" not in html and "@import" not in html
    assert html == PAGES[name]()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed(name):
    tags = [tag for tag in Structure(PAGES[name]()).tags if tag not in ("meta", "line", "circle", "rect", "path")]
    opened = []
    for tag in tags:
        if tag.startswith("/"):
            if tag[1:] in ("line", "circle", "rect", "path", "polyline"):
                continue
            assert opened.pop() == tag[1:]
        elif tag != "polyline":
            opened.append(tag)
    assert opened == []


def test_the_figures_are_those_of_the_measures():
    found = predicted()
    measures = found.measures()
    text = Structure(evaluation(found)).text
    assert "The model m on pairs.csv" in text and "60 pairs, 30 of them the same (50.0%)" in text
    for name in ("accuracy", "precision", "recall", "auc", "best_f1"):
        assert f"{measures[name]:.3f}" in text
    counts = measures["confusion"]["same"]
    shown = f"same {counts['called same']} {counts['called same'] / 30:.1%} {counts['called different']}"
    assert shown in text
    assert "0.5 the threshold" in text and "best F1" in text


def test_the_worst_errors_are_the_surest_ones_with_what_differs():
    found = predicted()
    html = evaluation(found)
    wrong = np.flatnonzero(~found.truth & (found.scores >= 0.5))
    missed = np.flatnonzero(found.truth & (found.scores < 0.5))
    text = Structure(html).text
    assert f"Called the same, but different: all {len(wrong)}" in text
    assert f"The same, but not called so: all {len(missed)}" in text
    first = text.split("Called the same, but different")[1].split("cosine")[1]
    assert first.strip().startswith(f"{found.scores[wrong].max():.3f} harbor works")
    assert "harbo<mark>u</mark>r works" in html


def test_many_errors_are_cut_and_a_page_says_so():
    scores = np.where(np.arange(120) % 2, 0.9, 0.8)
    found = predicted(n=120, found=scores, probabilities=scores)
    assert "Called the same, but different: the worst 25 of 60" in Structure(evaluation(found)).text
    assert "There are none." in Structure(evaluation(found)).text


def test_classes_have_a_table_of_confusion_and_grades_a_scatter():
    classes = Structure(evaluation(predicted("classes"))).text
    assert "called contradiction called entailment called neutral" in classes and "accuracy of the classes" in classes
    graded = predicted("graded")
    html = evaluation(graded)
    assert "Spearman 1.000, Pearson 1.000." in Structure(html).text
    assert html.count('class="cloud"') == 60
    assert "Grades" not in classes


def test_pairs_of_one_label_have_no_curves_and_are_refused():
    with pytest.raises(InputRefused, match="both labels"):
        evaluation(predicted(truth=np.ones(60, bool)))


def test_a_comparison_shows_the_reasons_and_what_the_network_says():
    html = comparison(predictions={"entailment": 0.75, "neutral": 0.25})
    text = Structure(html).text
    assert "not the same, probability 0.250" in text and "0.750 entailment" in text
    assert "starting point -2.00" in text and "log-odds in total -1.10" in text
    assert "ac<mark>m</mark>e ltd" in html and "ac<mark>n</mark>e ltd" in html
    assert "the same, probability 0.700" in Structure(comparison(probability=0.7)).text
    equal = comparison(reasons=[{"label": "the texts are equal", "log_odds": None}])
    assert "the texts are equal" in Structure(equal).text and "total" not in Structure(equal).text


def test_the_saliency_is_shaded_by_its_sign_and_strength():
    html = comparison()
    assert '<span class="up h8" title="a: +0.200">a</span><span class="down h4" title="b: -0.100">b</span>' in html
    assert "a change of 0.200" in html
    assert "<span" not in comparison(saliency=([Part("a", 0.0)], [])).split("<main>")[1].split("character does")[1]


def test_each_head_has_a_map_of_each_text():
    html = comparison(attention=[attention("acme", "ltd", heads=3), attention(*"abc" * 40, heads=3)])
    labels = [value for tag, name, value in Structure(html).attributes if (tag, name) == ("svg", "aria-label")]
    maps = [label for label in labels if label.startswith("Attention of block")]
    assert len(maps) == 6 and maps[0].startswith(
        "Attention of block 1, head 1 in the first text; the strongest is acme"
    )
    assert "Only the first 48 tokens are drawn." in html
    assert "Attention" not in Structure(comparison()).text
