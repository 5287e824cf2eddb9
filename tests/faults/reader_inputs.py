"""Damaged inputs for the readers: seeds of each format, mutated, compressed, and options to read them with."""

import io
import random
from dataclasses import dataclass
from functools import cache
from typing import Any

from tables import PACK

from indexer.reading.open import ReadOptions

PARQUET_SHARE = 0.03
COSTLY_SHARE = 0.0005
"""Bombs, cells of megabytes, JSON nested 100,000 deep."""

CSV = (
    'id,name,city\r\n1,"Acme, Inc",Bonn\n2,Müller,Köln\n\n3,"two\nlines ""x""",Rome\r4,株式会社,東京\n'
    '5,"open,x\n6,Beta,\n7,Gam\0ma,Oslo\n8,"ACME "Best" Ltd",x\n',
    "name\nAcme\nBeta, Inc\n'quoted'\n",
    'sep=;\nID;Firma\n="00123";Acme\n1.23E+15;NULL\n',
    "id\tname\n1\tMÃ¼ller\n2\tAcme\t\t\n3\n",
    "Export of today\n\nid|name\n1|Acme\n2|Beta\n",
    "id,name,name,,name_2\n1,a,b,c,d\n",
    "1,Acme\n2,Beta\n",
    "\ufeffid,name\n" + "".join(f'{n},"Company {n}"\n' for n in range(40)),
)
JSONL = (
    '{"id": 1, "name": "Acme", "city": null}\n{"id": "2", "name": "Müller", "n": 1.50, "ok": true}\n\n'
    '{"id": 3, "name": {"a": [1]}}\n{"id": 4, "id": 5, "name": "x"}\n{"id": 6.0, "name": "y"}\n',
    '{"name": "\\ud800"}\n{"name": "\\u0000"}\n{"name": NaN}\n{"name": 1e400, "x": -0}\n[1]\n"s"\n{}\n',
    "".join(f'{{"id": {n}, "name": "Company {n}"}}\n' for n in range(40)),
    '{"id": 1, "name": 3.14, "open": true}\n{"id": 2, "name": false, "open": 1e5}\n{"id": 3, "name": 7}\n',
    '[{"id": 1, "name": "a"}]\n',
    '{\n "id": 1,\n "name": "a"\n}\n',
)
TOKENS = (
    *(b'"', b'""', b"'", b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh91AY&SY", b"PAR1", b"PK\3\4"),
    *(b"{", b"}", b"[", b"]", b":", b"\\u", b"\\ud800", b"\\u0000", b"null", b"NaN", b"1e400", b"-0", b"true", b"{}\n"),
    *(b'=""', b"sep=,\n", b"1.5E+10", b"\xe2\x80\xa8", b"\xc2\x85", b" " * 300, b"," * 300, b'"\n' * 250, b"9" * 5000),
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "cp1252", "shift_jis", "gb18030", "cp037")


@dataclass
class Case:
    """One input: its bytes, its text if that is known, and how to read it."""

    kind: str
    data: bytes
    text: bytes | None
    options: ReadOptions


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Change some bytes: flip bits, cut, insert tokens, repeat, delete, take from another seed."""
    for _ in range(chance.choice((0, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(data) + 1)
        length = chance.choice((1, 2, 5, 40, 300))
        match chance.randrange(7):
            case 0 if data:
                at = min(at, len(data) - 1)
                data = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
            case 1:
                data = data[:at]
            case 2 | 3:
                data = data[:at] + chance.choice(TOKENS) + data[at:]
            case 4:
                data = data[:at] + data[at : at + length] * chance.choice((2, 3, 30)) + data[at + length :]
            case 5:
                data = data[:at] + data[at + length :]
            case _:
                other = chance.choice(CSV + JSONL).encode()
                data = data[:at] + other[chance.randrange(len(other)) :] + data[at:]
    return data


def options_of(chance: random.Random) -> ReadOptions:
    """Draw how to read an input; mostly with the defaults."""
    if chance.random() < 0.6:
        return ReadOptions()
    return ReadOptions(
        text_columns=chance.choice(((), (), ("name",), ("name", "id"))),
        id_column=chance.choice((None, None, "id", "")),
        encoding=chance.choice((None, "auto", *ENCODINGS)) if chance.random() < 0.3 else None,
        delimiter=chance.choice((None, None, ",", ";", "tab", "|")),
        quote=chance.choice(('"', '"', '"', "'", "")),
        header=chance.random() < 0.8,
        skip_lines=chance.choice((0, 0, 0, 1, 2, 50)),
        lenient=chance.random() < 0.3,
        fix_mojibake=chance.random() < 0.3,
        allow_empty=chance.random() < 0.2,
    )


def case_of(chance: random.Random, tables: list[bytes]) -> Case:
    """Draw one input."""
    options = options_of(chance)
    draw = chance.random()
    if draw < PARQUET_SHARE:
        return Case("parquet", mutated(chance.choice(tables), chance), None, options)
    if draw < PARQUET_SHARE + COSTLY_SHARE:
        return Case("costly", chance.choice(costly_inputs()), None, options)
    kind, seeds = chance.choice((("csv", CSV), ("csv", CSV), ("jsonl", JSONL), ("jsonl", JSONL[:1])))
    text = chance.choice(seeds).encode(chance.choice(ENCODINGS[:5]) if chance.random() < 0.1 else "utf-8")
    text = mutated(text, chance)
    packing = chance.choice(("", "", "", *PACK))
    if not packing:
        return Case(kind, text, text, options)
    data = PACK[packing](text)
    if chance.random() < 0.2:  # several members
        data = PACK[packing](text[: len(text) // 2]) + PACK[packing](text[len(text) // 2 :])
    if chance.random() < 0.25:
        return Case(f"{kind}.{packing}", mutated(data, chance), None, options)
    return Case(f"{kind}.{packing}", data, text, options)


@cache
def costly_inputs() -> list[bytes]:
    """Return inputs meant to cost time or memory."""
    nested = [b'{"name": ' + start * 100_000 + b"\n" for start in (b"[", b'{"a":')]
    blocks = [b"\0" * (1 << 20), b" " * (1 << 20), (b"1," + b"a" * 1021 + b"\n") * 1024]
    return [
        *nested,
        *(b'{"name": "a"}\n' + line + b'{"name": "b"}\n' for line in nested),
        b"id,name\n1," + b"x" * (3 << 20) + b"\n2,b\n",
        b'id,name\n1,"' + b"x\n" * (1 << 19),
        b"id,name\n1," + b"x" * (20 << 20) + b"\n2,b\n",
        b'{"name": "' + b"x" * (18 << 20) + b'"}\n{"name": "b"}\n',
        b'{"name": ' + b"9" * (2 << 20) + b'}\n{"name": "b"}\n',
        b"," * (2 << 20),
        b"name\n" * 300_000 + b'"x""\n' * 100_000,
        PACK["zstd"](b"x") * 300_000,
        *(pack(b"id,name\n") + pack(block) * 96 for pack in PACK.values() for block in blocks),
    ]


def parquet_seeds() -> list[bytes]:
    """Return Parquet files of many types and layouts."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    names = [f"Company {n % 7}" for n in range(60)]
    plain = pa.table({"id": range(60), "name": names, "share": [n / 7 for n in range(60)]})
    nested = pa.table({"name": ["a", None], "l": [[1], []], "s": [{"x": 1}, {"x": 2}], "m": [b"\xff", b"ok"]})
    coded = pa.array(["a", "b"]).dictionary_encode()
    dated = pa.table({"id": ["1", "2"], "name": coded, "day": pa.array([1, 2], "date32")})
    layouts: list[tuple[Any, dict[str, Any]]] = [
        (plain, {}),
        (plain, {"compression": "none", "row_group_size": 7, "use_dictionary": False}),
        (plain, {"compression": "zstd", "write_page_checksum": True, "data_page_version": "2.0"}),
        (plain, {"compression": "gzip"}),
        (plain.slice(0, 0), {}),
        (nested, {}),
        (dated, {"compression": "none"}),
    ]
    files = [io.BytesIO() for _ in layouts]
    for file, (table, options) in zip(files, layouts, strict=True):
        pq.write_table(table, file, **options)
    return [file.getvalue() for file in files]
