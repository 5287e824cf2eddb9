"""Tables of other libraries in, tables out, and what a notebook shows."""

from __future__ import annotations

import sys
import uuid
from typing import Any

import pytest

import neardup

ROWS = {"id": [10, 11, 12], "name": ["Acme Holdings Inc", "Zenith Bank", "ACME HOLDINGS INCORPORATED"]}


def frames() -> list[Any]:
    duckdb, pandas, polars, pyarrow = map(pytest.importorskip, ("duckdb", "pandas", "polars", "pyarrow"))
    rows = ", ".join(f"({one}, '{name}')" for one, name in zip(*ROWS.values(), strict=True))
    return [
        pandas.DataFrame(ROWS),
        polars.DataFrame(ROWS),
        pyarrow.table(ROWS),
        pyarrow.table(ROWS).to_reader(),
        duckdb.sql(f"SELECT * FROM (VALUES {rows}) AS t(id, name)"),
    ]


def pairs_of(data: Any) -> list[tuple[Any, Any]]:
    return [(pair.left.id, pair.right.id) for pair in neardup.deduplicate(data).pairs]


@pytest.mark.parametrize("which", range(5), ids=["pandas", "polars", "arrow", "arrow reader", "duckdb"])
def test_data_frames_are_read(which: int) -> None:
    assert pairs_of(frames()[which]) == [(10, 12)]


@pytest.mark.parametrize("which", [0, 1, 4], ids=["pandas", "polars", "duckdb"])
def test_data_frames_are_read_without_arrow(which: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = frames()[which]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert pairs_of(frame) == [(10, 12)]


def test_missing_values_of_pandas_are_missing() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"name": ["Acme", None, pandas.NA, float("nan")], "mixed": [1, "a", None, 2.5]})
    found = neardup.deduplicate(frame)
    assert [record.text for record in found.records] == ["Acme"]
    assert len(found.rejected) == 3
    assert dict(found.records[0].fields) == {"mixed": 1}


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_results_become_tables(library: str) -> None:
    pytest.importorskip(library)
    method = {"pandas": "to_pandas", "polars": "to_polars", "pyarrow": "to_arrow"}[library]
    found = neardup.deduplicate(ROWS)
    linked = neardup.link(ROWS, ROWS)
    for result, rows, columns in (
        (found, 1, ["id_1", "text_1", "id_2", "text_2", "probability", "similarity", "exact", "cluster_id"]),
        (found.clusters, 2, ["cluster_id", "id", "text", "weakest_probability"]),
        (linked, 5, ["id_1", "text_1", "id_2", "text_2", "probability", "similarity", "exact"]),
        (linked.matches, 3, ["id_1", "text_1", "id_2", "text_2", "probability", "similarity", "exact"]),
    ):
        table = getattr(result, method)()
        assert len(table) == rows
        assert list(table.columns if library != "pyarrow" else table.column_names) == columns


def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(neardup.UsageError, match="pip install pandas"):
        neardup.deduplicate(ROWS).to_pandas()


def test_a_notebook_shows_an_escaped_table() -> None:
    found = neardup.deduplicate(["<script>alert(1)</script> Inc", "<SCRIPT>alert(1)</script>, INC"])
    shown = found._repr_html_()
    assert "<script>" not in shown.lower()
    assert "&lt;script&gt;alert(1)" in shown
    assert neardup.compare("Acme", "Acmee")._repr_html_().count("<tr>") > 2
    assert "0 rows" in neardup.deduplicate([]).pairs._repr_html_()
    assert found.clusters._repr_html_().startswith("<p>1 cluster</p>")


def test_many_rows_are_shown_by_the_first() -> None:
    pairs = neardup.deduplicate(["Acme Inc"] * 30).pairs
    assert repr(pairs).endswith("… and 425 more]")
    assert pairs[-1].right.id == 29
    assert [pair.right.id for pair in pairs[:2]] == [1, 2]
    with pytest.raises(IndexError):
        pairs[435]


def test_an_index_of_pandas_is_no_column() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"firm": ["Acme Inc", "Zenith", "ACME INC."], "x": [1, 2, 3]}, index=[7, 8, 9])
    found = neardup.deduplicate(frame[frame.x != 2], text="firm")
    assert [(pair.left.id, pair.right.id) for pair in found] == [(0, 1)]
    assert dict(found.records[0].fields) == {"x": 1}
    assert pairs_of(frame[["firm"]]) == pairs_of(frame["firm"]) == [(0, 2)]
    assert neardup.deduplicate(frame["firm"], text="firm").text_columns == ("firm",)


def test_a_column_that_is_there_twice_is_refused() -> None:
    duckdb, pandas, pyarrow = map(pytest.importorskip, ("duckdb", "pandas", "pyarrow"))
    frames = [
        duckdb.sql("SELECT 'Acme' AS name, 'Zenith' AS name, 1 AS id"),
        pandas.DataFrame([["Acme", "Zenith", 1]], columns=["name", "name", "id"]),
        pyarrow.Table.from_arrays([["Acme"], ["Zenith"], [1]], names=["name", "name", "id"]),
    ]
    for frame in frames:
        with pytest.raises(neardup.InputRefused, match="2 columns"):
            neardup.deduplicate(frame)


def test_a_stream_that_breaks_off_is_an_error() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    schema = pyarrow.schema([("name", pyarrow.string())])

    def batches() -> Any:
        yield pyarrow.record_batch({"name": ["Acme", "Acme Inc"]}, schema=schema)
        raise ValueError("line 3 has 2 columns")

    with pytest.raises(neardup.UsageError, match="line 3 has 2 columns"):
        neardup.deduplicate(pyarrow.RecordBatchReader.from_batches(schema, batches()))


def test_a_lazy_frame_is_collected() -> None:
    polars = pytest.importorskip("polars")
    assert pairs_of(polars.LazyFrame(ROWS)) == [(10, 12)]


def test_values_keep_their_types() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"id": [uuid.UUID(int=1), uuid.UUID(int=2)], "name": ["Acme", "ACME"]})
    assert [record.id for record in neardup.deduplicate(frame).records] == [uuid.UUID(int=1), uuid.UUID(int=2)]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_without_rows_have_their_columns(library: str) -> None:
    pytest.importorskip(library)
    method = {"pandas": "to_pandas", "polars": "to_polars", "pyarrow": "to_arrow"}[library]
    found = neardup.deduplicate(["Zenith", "Qwerty"])
    for result in (found, found.pairs, neardup.link(["Zenith"], ["Qwerty"])):
        table = getattr(result, method)()
        assert "probability" in (table.columns if library != "pyarrow" else table.column_names)
    clusters = getattr(found.clusters, method)()
    assert "cluster_id" in (clusters.columns if library != "pyarrow" else clusters.column_names)


@pytest.mark.parametrize("method", ["to_polars", "to_arrow"])
def test_ids_of_several_types_are_refused_by_typed_tables(method: str) -> None:
    found = neardup.deduplicate([{"id": 1, "name": "Acme"}, {"id": 2, "name": "ACME"}, {"id": "a", "name": "acme."}])
    assert set(found.clusters.to_pandas()["id"]) == {1, 2, "a"}
    with pytest.raises(neardup.UsageError, match=r"'id_2' \(int, str\) do not fit into one column"):
        getattr(found, method)()
