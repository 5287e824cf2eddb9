"""Several files read as one table."""

from __future__ import annotations

import gzip

from tables import BASIC, drain, names, refused, write, write_parquet

from indexer.ingest.identity import with_identity
from indexer.reading.open import ReadOptions, Row, Table, open_tables


def test_several_files_are_one_table(tmp_path):
    files = [
        write(tmp_path, "id,name,city\n1,Acme,Bonn\n2,Beta\n", "a.csv"),
        write(tmp_path, gzip.compress(b'{"ID": 3, "Name": "Gamma", "city": "Rome"}\n'), "b.jsonl.gz"),
        write_parquet(tmp_path, "c.parquet", id=[4], name=["Delta"], land=["NO"]),
    ]
    with open_tables(files) as table:
        assert table.size == sum(file.stat().st_size for file in files)
        items = list(table)
        assert table.bytes_read == table.size
        assert table.rows_in == 4
        assert table.rows_of == {str(files[0]): 2, str(files[1]): 1, str(files[2]): 1}
        codes = [sentence.partition(":")[0] for sentence in table.warnings]
    assert [(item.file, item.line) for item in items] == [
        (str(files[0]), 2),
        (str(files[0]), 3),
        (str(files[1]), 1),
        (str(files[2]), 1),
    ]
    assert [item.external_id for item in items if isinstance(item, Row)] == ["1", "3", "4"]
    assert names(items) == ["Acme", "Gamma", "Delta"]
    assert codes == ["W_COLUMNS_DIFFER", "W_COLUMNS_DIFFER"]


def test_the_columns_of_the_first_file_are_asked_of_the_others(tmp_path):
    first = write(tmp_path, "firm,key\nAcme,1\n", "a.csv")
    second = write(tmp_path, "name,key\nBeta,2\n", "b.csv")
    table = open_tables([first, second], ReadOptions(text_columns=["firm"], id_column="key"))
    assert "b.csv" in refused(lambda: drain(table), "E_MISSING_COLUMN")
    without = write(tmp_path, "name\nBeta\n", "c.csv")
    with_id = write(tmp_path, "name,id\nBeta,2\n", "d.csv")
    refused(lambda: drain(open_tables([with_id, without])), "E_MISSING_COLUMN")
    assert [row.external_id for row in drain(open_tables([without, with_id]))] == [None, None]


def test_a_float_id_in_a_later_file_is_refused(tmp_path):
    files = [
        write_parquet(tmp_path, "a", id=[1], name=["a"]),
        write_parquet(tmp_path, "b", id=[2.0], name=["b"]),
    ]
    refused(lambda: drain(open_tables(files)), "E_ID_TYPE")


def test_empty_files_among_several(tmp_path):
    empty, full = write(tmp_path, b"", "empty"), write(tmp_path, BASIC, "full")
    refused(lambda: drain(open_tables([full, empty])), "E_EMPTY")
    for files in ([empty, full, empty], [full, empty, empty]):
        with open_tables(files, ReadOptions(allow_empty=True)) as table:
            assert names(table) == ["Acme", "Beta"]
            assert [sentence[:7] for sentence in table.warnings] == ["W_EMPTY", "W_EMPTY"]
    with open_tables([empty, empty], ReadOptions(allow_empty=True)) as table:
        assert (table.columns, list(table)) == ((), [])


def test_a_guessed_id_is_judged_over_all_files(tmp_path):
    rows = "".join(f"{n},Company {n}\n" for n in range(60))
    files = [write(tmp_path, "id,name\n" + rows, name) for name in ("a.csv", "b.csv")]

    def opener(options: ReadOptions) -> Table:
        return open_tables(files, options)

    table, note = with_identity(opener(ReadOptions()), opener, ReadOptions(), None)
    assert table.choice.id is None
    assert "50.0%" in note
    assert len(drain(table)) == 120
    table, note = with_identity(opener(ReadOptions()), opener, ReadOptions(), "column")
    assert (table.choice.id, note) == ("id", None)
    table.close()


def test_a_missing_file_is_refused_before_it_is_looked_for_twice(tmp_path):
    refused(lambda: open_tables([tmp_path / "no", tmp_path / "nor"]), "E_NO_FILE")
