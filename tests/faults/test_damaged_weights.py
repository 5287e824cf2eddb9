"""Weights of fields that are damaged in the database are refused by name, wherever they are damaged."""

from __future__ import annotations

import copy
import json
import random
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from town_rows import FIELDS, town_rows

from dedup.errors import CorruptStore, VersionMismatch
from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.field_model import FieldModel
from dedup.evidence.fields.field_table import Field, FieldTable
from indexer.findings.baseline import FieldBaseline
from neardup import Index

CASES = 600
VALUES = (None, "x", -1, 0, 1e308, [], {}, "NaN", [1], True, 10**30, float("nan"), float("inf"), [["a", "b"]])
ASKED = {"city": "Bonn", "vat": "DE136695977", "phone": "+49 731 1234567"}


def stored(folder: Path) -> bytes:
    with Index(folder) as index:
        index.add(town_rows(), text="name", id="no", source="s", fields=FIELDS)
        index.report(folder / "report")
    with closing(sqlite3.connect(folder / "neardup.sqlite")) as connection:
        found: bytes = connection.execute("SELECT fields FROM baseline").fetchone()[0]
    return found


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each part of a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*above, key)
        yield from places(part, (*above, key))


def damaged(good: Any, chance: random.Random) -> Any:
    found = copy.deepcopy(good)
    *way, last = chance.choice(list(places(good)))
    target = found
    for key in way:
        target = target[key]
    if chance.random() < 0.4:
        del target[last]
    else:
        target[last] = chance.choice(VALUES)
    return found


def weighed(packed: bytes, table: FieldTable) -> bool:
    """Weigh pairs by these weights; return whether they could be read."""
    pairs = np.array([(0, 1), (0, 2), (1, 3), (2, 3), (3, 3)])
    try:
        model: FieldModel = FieldBaseline.unpacked(packed).model
        assert np.isfinite(model.log_odds(table, pairs, np.zeros(len(pairs)))).all()
    except (CorruptStore, VersionMismatch):
        return False
    return True


def test_damaged_weights_are_refused_or_do_no_harm(tmp_path: Path) -> None:
    packed, chance = stored(tmp_path), random.Random(5)
    good = json.loads(zlib.decompress(packed))
    values = {
        "city": ["Ulm", "Bonn", "Ulm", ""],
        "vat": ["DE136695976", "DE136695976", "DE129273398", "x1"],
        "phone": ["+49 731 1234567", "0731 1234567", "", "+49 731 1234567"],
    }
    fields = {name: Field(FieldKind(kind), values[name]) for name, kind in FIELDS.items()}
    table = FieldTable.of(["Kessler Bau", "Kessler Bau", "Brandt Druck", "Kessler"], fields)
    assert weighed(packed, table)  # a control
    refused = 0
    for _ in range(CASES):
        refused += not weighed(zlib.compress(json.dumps(damaged(good, chance)).encode()), table)
        refused += not weighed(packed[: chance.randrange(len(packed))], table)
    assert CASES < refused < 2 * CASES


def test_a_query_names_damaged_weights(tmp_path: Path) -> None:
    good = json.loads(zlib.decompress(stored(tmp_path)))
    for cut in (0, 1, 3):
        bad = copy.deepcopy(good)
        bad["model"]["pieces"]["place"]["levels"] = bad["model"]["pieces"]["place"]["levels"][:cut]
        with closing(sqlite3.connect(tmp_path / "neardup.sqlite")) as connection, connection:
            connection.execute("UPDATE baseline SET fields = ?", (zlib.compress(json.dumps(bad).encode()),))
        with Index(tmp_path) as index:
            try:
                index.query("Kessler Bau GmbH", fields=ASKED)
            except (CorruptStore, VersionMismatch) as error:
                assert "weights" in str(error).lower()
            else:
                raise AssertionError(cut)
