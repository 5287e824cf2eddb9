"""Whatever a text, a class or a file name holds, a page about a model has the same tags as with a harmless one."""

import itertools
import re
from collections import Counter

from hostile_names import PIECES, WORDS
from model_pages import attention, comparison, evaluation, predicted
from report_pages import Structure

from dedup.evaluation.pair_set import PairSet
from dedup.evaluation.saliency import Part

_RAW = re.compile("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x1b\x0c]")
PLACES = ("text", "normal", "model", "reason", "class", "part", "token", "evaluated")


def page(place, name):
    if place == "evaluated":
        found = predicted(n=6)
        pairs = PairSet([name, *found.pairs.left[1:]], found.pairs.right, found.pairs.targets)
        return evaluation(predicted(n=6, pairs=pairs), model=name, files=[name])
    values = {
        "text": {"texts": (name, "b")}, "normal": {"normals": (name, "b")}, "model": {"model": name},
        "reason": {"reasons": [{"label": name, "log_odds": 1.0}]}, "class": {"predictions": {name: 0.5}},
        "part": {"saliency": ([Part(name, 0.5)], [])},
        "token": {"attention": [attention(name, "b"), attention("b")]},
    }  # fmt: skip
    return comparison(**values[place])


def tags(html):
    """The tags but those of what differs, which depend on the text."""
    return [tag for tag in Structure(html).tags if tag not in ("mark", "/mark")]


def cases():
    for piece, word in itertools.product(PIECES, WORDS):
        for place in PLACES:
            yield place, word.format(piece, piece) if word else piece


def test_no_text_leaves_its_place():
    controls = {place: tags(page(place, "Acme")) for place in PLACES}
    count, wrong = Counter(), []
    for place, name in cases():
        html = page(place, name)
        count[place] += 1
        if tags(html) != controls[place]:
            wrong.append((place, name, "other tags"))
        if _RAW.search(html):
            wrong.append((place, name, "invisible characters"))
    assert count.total() >= 500 and wrong == []


def test_a_page_that_does_not_escape_is_noticed(monkeypatch):
    monkeypatch.setattr("indexer.outputs.html_report.charts.escape", str)
    name = "<script>alert(1)</script>"
    assert [place for place in PLACES if tags(page(place, name)) == tags(page(place, "Acme"))] == []
