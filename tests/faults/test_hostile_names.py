"""Whatever a name holds, the page has the same tags as with a harmless one, and the data give the name back."""

import re

from hostile_names import cases
from report_pages import Structure, data_of, html_of

from indexer.outputs.html_report.packed import _MAX_CELL, _MAX_TEXT

_RAW = re.compile("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x1b\x0c]")


def test_no_name_leaves_its_place() -> None:
    count, wrong = 0, []
    controls: dict[str, list[str]] = {}
    for case in cases():
        count += 1
        html = html_of(case.page)
        if case.place not in controls:
            controls[case.place] = Structure(html_of(case.control)).tags
        if Structure(html).tags != controls[case.place]:
            wrong.append((case.place, case.name, "other tags"))
        if case.is_packed:
            data = data_of(html)
            _, _, _, _, [_, second] = data["clusters"][0]
            source, id, text, _, _, reasons, cells = second
            found = {"text": text, "id": id, "source": source, "cell": cells[0], "reason": reasons[0]}
            found["column"] = data["columns"][0]
            limit = {"text": _MAX_TEXT, "reason": 10_000, "column": 10_000}.get(case.place, _MAX_CELL)
            if found[case.place][:limit] != case.name[:limit]:
                wrong.append((case.place, case.name, "other data"))
        elif _RAW.search(html):
            wrong.append((case.place, case.name, "invisible characters"))
    assert count >= 500 and wrong == []


def test_a_page_that_does_not_escape_is_noticed(monkeypatch) -> None:
    monkeypatch.setattr("indexer.outputs.html_report.charts.escape", str)
    noticed = {
        case.place
        for case in cases()
        if not case.is_packed
        and case.name == "<script>alert(1)</script>"
        and Structure(html_of(case.page)).tags != Structure(html_of(case.control)).tags
    }
    assert noticed == {"source total", "since", "kind", "version", "elsewhere", "time"}
