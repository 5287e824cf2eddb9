"""``Index.link``, and the rows and the assignment of ``link``."""

from pathlib import Path

import pytest

import neardup

LEADS = [{"id": 1, "name": "Acme Holdings Inc", "city": "Bonn"}, {"id": 2, "name": "Acme Holding Inc"}]
LEADS += [{"id": 3, "name": "Nobody Knows"}]
ACCOUNTS = [{"id": 7, "name": "ACME HOLDINGS INC", "city": "Ulm"}, {"id": 8, "name": "Acme Holdings, Inc."}]


def found(links: neardup.Links, keep: str) -> list[tuple[object, object, int]]:
    return [(row.left.id, row.pair and row.pair.right.id, row.ties) for row in links.rows(keep)]


def test_rows_of_two_tables() -> None:
    links = neardup.link(LEADS, ACCOUNTS)
    assert found(links, "best") == [(1, 7, 1), (2, 7, 1), (3, None, 0)]
    assert found(links, "one-to-one") == [(1, 7, 1), (2, 8, 1), (3, None, 0)]
    assert found(links, "all") == [(1, 7, 1), (1, 8, 1), (2, 7, 1), (2, 8, 1), (3, None, 0)]
    assert [pair.right.id for pair in links.one_to_one] == [7, 8]
    rows = links.rows().to_dict()
    assert (rows["city_1"], rows["city_2"]) == (["Bonn", None, None], ["Ulm", "Ulm", None])
    with pytest.raises(neardup.UsageError, match="'some'"):
        links.rows("some")


def test_rows_without_any_link_have_all_columns() -> None:
    links = neardup.link(["Nobody Knows"], ["Zenith Bank"])
    assert len(links.one_to_one) == 0
    assert list(links.rows().to_dict()) == [
        "id_1",
        "text_1",
        "id_2",
        "text_2",
        *("probability", "similarity", "exact", "ties"),
    ]


def test_an_index_links_a_table_or_a_file_with_a_source(tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_text("id,name\n1,Acme Holdings Inc\n2,\n")
    with neardup.Index(tmp_path / "index") as index:
        index.add(ACCOUNTS, source="crm")
        index.add([{"id": 9, "name": "Acme Holdings Inc"}], source="other")
        assert found(index.link(LEADS, "crm"), "all")[:2] == [(1, 7, 1), (1, 8, 1)]
        links = index.link(file, ["crm", "other"])
        assert {pair.right.source for pair in links} == {"crm", "other"}
        assert [row.line for row in links.rejected_left] == [3]
        assert index.status().records == 3
        with pytest.raises(neardup.UsageError, match="no source 'cmr'"):
            index.link(LEADS, "cmr")


def test_records_of_one_id_are_no_ties() -> None:
    clusters = [{"id": "c1", "name": "Acme Holdings Inc"}, {"id": "c1", "name": "ACME HOLDINGS INC"}]
    assert found(neardup.link(LEADS[:1], clusters), "best") == [(1, "c1", 0)]
    others = [*clusters, {"id": "c2", "name": "Acme Holdings Inc."}]
    assert found(neardup.link(LEADS[:1], others), "best") == [(1, "c1", 1)]
