"""Further columns as evidence, from the reading of an input to reports and queries."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from town_rows import FIELDS, NAMES, TOWNS, VATS, row, town_rows

import neardup
from neardup import UsageError


def clusters(folder: Path) -> set[frozenset[str]]:
    found: dict[str, set[str]] = {}
    with (folder / "clusters.csv").open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            found.setdefault(line["cluster_id"], set()).add(line["id"])
    return set(map(frozenset, found.values()))


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def report_of(folder: Path, rows: list[dict[str, Any]], fields: Any = FIELDS, **how: Any) -> dict[str, Any]:
    with neardup.Index(folder / "index") as index:
        index.add(rows, text="name", id="no", source="s", fields=fields)
        return index.report(folder / "out", **how)


def test_branches_are_told_apart_and_merged_if_asked(tmp_path: Path) -> None:
    rows = town_rows()
    summary = report_of(tmp_path, rows)
    branches = {(one["no"].split("-")[0], one["city"]) for one in rows}
    expected = {frozenset({f"{number}-{town}-1", f"{number}-{town}-2"}) for number, town in branches}
    assert clusters(tmp_path / "out") == expected
    assert summary["fields"] == FIELDS and summary["pairs_of_one_text_apart"] == 2 * len(NAMES)
    with neardup.Index(tmp_path / "index") as index:
        merged = index.report(tmp_path / "merged", branches="merge")
        assert {len(one) for one in clusters(tmp_path / "merged")} == {4} and merged["pairs_of_one_text_apart"] == 0
        assert {len(one.records) for one in index.duplicates().clusters} == {4}  # as in the last report
        assert index.preview().thresholds[0].clusters == len(NAMES)
        index.report(tmp_path / "again")
        assert {len(one.records) for one in index.duplicates().clusters} == {2}


def test_one_official_number_joins_what_names_do_not(tmp_path: Path) -> None:
    rows = [
        *town_rows(),
        row("a", "Hartwig Holding AG", "Ulm", VATS[0]),
        row("b", "Sonnentor Reisen KG", "Ulm", VATS[0]),
    ]
    rows += [row("c", "Kessler Bau GmbH", "Ulm", VATS[1]), row("d", "Lindner Mode", "Bonn", "DE000")]
    report_of(tmp_path, rows, explain=True)
    assert frozenset("ab") in clusters(tmp_path / "out")
    (pair,) = (one for one in table(tmp_path / "out", "pairs") if {one["id_1"], one["id_2"]} == {"a", "b"})
    assert f"same valid vat {VATS[0]} (2 of " in pair["explanation"]
    assert not any({"d", "a"} <= one for one in clusters(tmp_path / "out"))


def test_reasons_add_up(tmp_path: Path) -> None:
    report_of(tmp_path, town_rows(), explain=True)
    pairs = table(tmp_path / "out", "pairs")
    assert pairs
    for pair in pairs:
        weights = [float(part.strip("'").split()[0]) for part in pair["explanation"].split(" | ")]
        assert sum(weights) == pytest.approx(float(pair["log_odds"]), abs=0.02)
        assert float(pair["probability"]) == pytest.approx(1 / (1 + 2.718281828 ** -float(pair["log_odds"])), abs=1e-3)


def test_nothing_changes_without_fields_in_common(tmp_path: Path) -> None:
    rows = [row(number, name) for number, name in enumerate([*NAMES, *NAMES[:3], "Kesler Bau GmbH"])]
    report_of(tmp_path / "plain", rows, fields={})
    report_of(tmp_path / "with", rows)
    plain, found = (table(tmp_path / name / "out", "pairs") for name in ("plain", "with"))
    assert plain and plain == found


def test_reports_agree_with_full_ones_after_changes(tmp_path: Path) -> None:
    rows = town_rows()
    with neardup.Index(tmp_path / "index") as index:
        index.add(rows, text="name", id="no", source="s", fields=FIELDS)
        index.report(tmp_path / "out")
        moved = {**rows[1], "city": rows[2]["city"]}
        steps = [
            lambda: index.add([moved], text="name", id="no", source="s"),
            lambda: index.judge(("s", rows[0]["no"]), ("s", rows[2]["no"]), "same"),
            lambda: index.judge(("s", rows[4]["no"]), ("s", rows[5]["no"]), "different"),
            lambda: index.delete(rows[8]["no"], source="s"),
        ]
        for number, step in enumerate(steps):
            step()
            part, whole = tmp_path / f"part{number}", tmp_path / f"whole{number}"
            assert index.report(part, records=True)["why_full"] == "the records have fields"
            index.report(whole, records=True, full=True)
            assert [table(part, name) for name in ("pairs", "records")] == [
                table(whole, name) for name in ("pairs", "records")
            ]
            assert table(whole, "changes") == []
            if not number:
                assert {(one["source_1"], one["id_1"], one["row_1"]) for one in table(part, "changes")} >= {
                    ("s", moved["no"], "changed")
                }
        assert index.verify()
        last = clusters(tmp_path / "part3")
        assert any({rows[0]["no"], rows[2]["no"]} <= one for one in last)
        assert not any({rows[4]["no"], rows[5]["no"]} <= one for one in last)


def test_records_of_one_name_and_place_may_be_judged_different(tmp_path: Path) -> None:
    rows = [row(1, NAMES[0], "Ulm"), row(2, NAMES[0], "Ulm"), row(3, NAMES[0], "Bonn")]
    with neardup.Index(tmp_path / "index") as index:
        index.add(rows, text="name", id="no", source="s", fields=FIELDS)
        index.judge(("s", "1"), ("s", "2"), "different")
        summary = index.report(tmp_path / "out")
    assert not any({"1", "2"} <= one for one in clusters(tmp_path / "out"))
    assert summary["pairs_judged_different"] >= 1


def test_a_query_with_fields_finds_the_branch(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "index") as index:
        index.add(town_rows(), text="name", id="no", source="s", fields=FIELDS)
        for after_report in (False, True):
            if after_report:
                index.report(tmp_path / "out")
            found = index.query(NAMES[0], fields={"City": TOWNS[1]})
            assert found[0].record.fields["city"] == TOWNS[1]
            elsewhere = [one for one in found if one.record.text == NAMES[0] and one.record.fields["city"] == TOWNS[0]]
            assert elsewhere and elsewhere[0].probability < 0.5 < found[0].probability
            reasons = found.explain(elsewhere[0])
            assert any("city differs" in str(reason) for reason in reasons.reasons) and elsewhere[0].exact
            assert sum(reason.log_odds or 0 for reason in reasons.reasons) == pytest.approx(reasons.log_odds)
        plain, same = index.query(NAMES[0]), index.query(NAMES[0], fields={"city": ""})
        assert [one.probability for one in plain] == [one.probability for one in same]
        many = index.query([NAMES[0], NAMES[1]], fields=[{"city": TOWNS[1]}, {"city": TOWNS[2]}])
        assert [matches[0].record.fields["city"] for matches in many] == [TOWNS[1], TOWNS[2]]
        with pytest.raises(UsageError, match="no field 'town'"):
            index.query(NAMES[0], fields={"town": "Ulm"})
        with pytest.raises(UsageError, match="2 dicts for 1 texts"):
            index.query([NAMES[0]], fields=[{}, {}])


def test_records_that_differ_in_fields_not_asked_are_one_match(tmp_path: Path) -> None:
    rows = [row(number, "Kessler Bau GmbH", "Ulm", VATS[number], f"+49 731 555000{number}") for number in range(3)]
    with neardup.Index(tmp_path / "index") as index:
        index.add([*rows, row("x", "Kessler Bau GmbH", "Bonn")], text="name", id="no", source="s", fields=FIELDS)
        found = index.query("Kessler Bau", fields={"city": "Ulm"}, limit=1)
        assert [one.record.id for one in found] == ["0", "1", "2"]
        found = index.query("Kessler Bau", fields={"city": "Ulm", "vat": VATS[1]}, limit=1)
        assert [one.record.id for one in found] == ["1"]
        both = index.query(["Kessler Bau"] * 2, fields=[{"city": "Ulm"}, {"city": "Ulm", "vat": VATS[1]}], limit=1)
        assert [[one.record.id for one in matches] for matches in both] == [["0", "1", "2"], ["1"]]


def test_duplicates_of_an_index_use_fields(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "index") as index:
        index.add(town_rows(), text="name", id="no", source="s", fields=FIELDS)
        found = index.duplicates()
        assert {len(cluster.records) for cluster in found.clusters} == {2}
        explained = found.explain(found.pairs[0])
        assert any("same city" in reason.label for reason in explained.reasons)
        low = index.duplicates(min_probability=0.01)
        branch = next(
            pair for pair in low.pairs if pair.exact and pair.left.fields["city"] != pair.right.fields["city"]
        )
        assert branch.probability < 0.5 and low.explain(branch).exact
        assert len(low.at(0.5).clusters) == len(found.clusters)
        assert index.preview().thresholds[0].clusters == len(found.clusters)


def test_columns_of_several_sources_are_one_field(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "index") as index:
        index.add(
            [row(1, NAMES[0], "Ulm"), row(2, NAMES[1], "Bonn")], text="name", id="no", source="a", fields=["city"]
        )
        other = [{"no": "1", "name": NAMES[0], "Ort": "ULM"}, {"no": "2", "name": NAMES[1], "Ort": "Ulm"}]
        added = index.add(other, text="name", id="no", source="b", fields=["Ort"])
        assert added.fields == {"Ort": "city"} and any("'Ort' is city" in note for note in added.notes)
        summary = index.report(tmp_path / "out")
        assert summary["fields"] == {"city": "city"}
        assert len(clusters(tmp_path / "out")) == 1  # the other name is in two towns
        assert index.query(NAMES[0], fields={"Ort": "Ulm"})[0].probability > 0.9


def test_fields_stay_until_others_are_named(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "index") as index:
        assert index.add(town_rows(), text="name", id="no", source="s", fields={"city": None}).fields == {
            "city": "city"
        }
        assert index.add(town_rows(), source="s").fields == {"city": "city"}
        assert "fields" in index.report(tmp_path / "out")
        lacking = index.add([{"no": "x", "name": "Neu GmbH"}], source="s")
        assert lacking.fields == {"city": "city"} and any("lacks 'city'" in note for note in lacking.notes)
        assert index.add(town_rows(), source="s", fields=[]).fields == {}
        summary = index.report(tmp_path / "out")
        assert "fields" not in summary and summary["why_full"] == "the fields have changed"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "company"}, "is the text"),
        ({"no": "id"}, "is the id"),
        ({"city": "town"}, "no kind of field"),
        ({"city": "city", "phone": "city"}, "both of kind city"),
        (["wherever"], "no column 'wherever'"),
        (["city", "city"], "named twice"),
        ({"city": 7}, "the kind 7"),
    ],
)
def test_bad_fields_are_named_and_nothing_is_stored(tmp_path: Path, fields: Any, message: str) -> None:
    with neardup.Index(tmp_path / "index") as index:
        with pytest.raises((UsageError, neardup.InputRefused), match=message):
            index.add(town_rows(), text="name", id="no", source="s", fields=fields)
        with pytest.raises(UsageError, match=r"Nothing is indexed|no index"):
            index.report(tmp_path / "out")


def test_a_phone_number_of_many_names_joins_nobody(tmp_path: Path) -> None:
    rows = [row(n, f"{a} {b} KG", "", "", "+49 731 1234567") for n, (a, b) in enumerate(_names(24))]
    summary = report_of(tmp_path, rows)
    assert clusters(tmp_path / "out") == set() and summary["values_of_many_names"] == {"phone": 1}


def _names(count: int) -> list[tuple[str, str]]:
    first = ("Amsel", "Birke", "Cordoba", "Dorn", "Esche", "Falke", "Ginster", "Hafen")
    last = ("Logistik", "Optik", "Verlag")
    return [(a, b) for a in first for b in last][:count]


def test_findings_survive_in_json(tmp_path: Path) -> None:
    report_of(tmp_path, town_rows())
    assert json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["fields"] == FIELDS
