"""Kinds of texts, further columns and models of one's own together."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import neardup
from dedup.model import FILE_OF_KIND, shipped_directory

GIVEN = ("Helen", "Robert", "Maria", "Peter", "Susanne", "William", "Anna", "Thomas")
SURNAMES = ("Marsh", "Whitcombe", "Okafor", "Lindqvist", "Baranov", "Pereira")
TOWNS = ("Ulm", "Bonn", "Kiel", "Trier", "Mainz", "Fulda")
GOODS = ("digital camera", "laser mouse", "speaker stand", "inkjet printer")
PRODUCTS = [
    f"{brand} {goods} {colour} with {number} accessories {brand[:3].upper()}{number}X"
    for brand in ("Sony", "Canon", "Bosch", "Epson")
    for goods in GOODS
    for colour in ("black", "white")
    for number in (12, 40)
]
FIELDS = {"city": "city"}


def persons() -> list[dict[str, Any]]:
    """Persons in one town, and one of them with a degree, once in the same town and once in another."""
    rows = [
        {"no": f"{given}-{surname}", "name": f"{given} {surname}", "city": TOWNS[(i + j) % len(TOWNS)]}
        for i, given in enumerate(GIVEN)
        for j, surname in enumerate(SURNAMES)
    ]
    here, there = rows[0]["city"], TOWNS[3]
    return [
        *rows,
        {"no": "same", "name": "Dr. Helen Marsh MD", "city": here},
        {"no": "other", "name": "Helen Marsh", "city": there},
    ]


def pairs(folder: Path) -> dict[frozenset[str], float]:
    with (folder / "pairs.csv").open(newline="", encoding="utf-8") as file:
        return {frozenset((row["id_1"], row["id_2"])): float(row["probability"]) for row in csv.DictReader(file)}


def model_in(folder: Path, *, kinds: bool, intercept: float = 0.0) -> Path:
    """A copy of the shipped model with another intercept of its scorers, with or without those of further kinds."""
    shutil.copytree(shipped_directory(), folder)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    for name in ("scorer.json", *FILE_OF_KIND.values()):
        if name != "scorer.json" and not kinds:
            (folder / name).unlink()
            del manifest["files"][name]
            continue
        scorer = json.loads((folder / name).read_text("utf-8"))
        scorer["intercept"] += intercept
        content = json.dumps(scorer).encode()
        (folder / name).write_bytes(content)
        manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return folder


def test_persons_are_told_apart_by_fields_in_reports_reviews_and_queries(tmp_path: Path) -> None:
    with neardup.Index(tmp_path / "index") as index:
        assert index.add(persons(), text="name", id="no", source="s", fields=FIELDS).kind == "person"
        index.report(tmp_path / "out")
        found = pairs(tmp_path / "out")
        assert frozenset(("Helen-Marsh", "same")) in found and frozenset(("Helen-Marsh", "other")) not in found
        first = index.query("Helen Marsh", fields={"city": TOWNS[3]})[0]
        assert first.record.id == "other"
        at = index.preview()
        row = next(one for one in at.thresholds if one.min_probability == at.min_probability)
        assert row.pairs_total == len(found)


def test_weights_of_fields_follow_the_kind(tmp_path: Path) -> None:
    """As if the index had been made with the second kind."""
    for number, kinds in enumerate((["company", "person"], ["person"])):
        with neardup.Index(tmp_path / f"index{number}") as index:
            for kind in kinds:
                index.add(persons(), text="name", id="no", source="s", fields=FIELDS, kind=kind)
                index.report(tmp_path / f"out{number}")
    assert pairs(tmp_path / "out0") == pairs(tmp_path / "out1")


def test_weights_of_fields_follow_the_model(tmp_path: Path) -> None:
    """A model with the same encoder and another scorer finds what it would have found from the beginning."""
    own = model_in(tmp_path / "own", kinds=True, intercept=-0.7)
    for number, models in enumerate(([None, own], [own])):
        for model in models:
            with neardup.Index(tmp_path / f"index{number}", model=model) as index:
                index.add(persons(), text="name", id="no", source="s", fields=FIELDS)
                index.report(tmp_path / f"out{number}")
    assert pairs(tmp_path / "out0") == pairs(tmp_path / "out1")


def test_a_model_of_company_names_only_says_so(tmp_path: Path) -> None:
    own = model_in(tmp_path / "own", kinds=False)
    with neardup.Index(tmp_path / "index", model=own) as index:
        with pytest.raises(neardup.DedupError, match="compares company names only"):
            index.add(PRODUCTS, kind="text")
        added = index.add(PRODUCTS)
        assert added.kind == "company"
        assert any("the model compares names of companies only" in note for note in added.notes)
    neardup.deduplicate(PRODUCTS, model=own)


def test_an_index_of_texts_is_not_changed_to_such_a_model(tmp_path: Path) -> None:
    own = model_in(tmp_path / "own", kinds=False)
    with neardup.Index(tmp_path / "index") as index:
        index.add(PRODUCTS)
        before = [(one.record.text, one.probability) for one in index.query(PRODUCTS[0])]
    with (
        neardup.Index(tmp_path / "index", model=own) as index,
        pytest.raises(neardup.DedupError, match="--kind text"),
    ):
        index.add(PRODUCTS)
    with neardup.Index(tmp_path / "index") as index:
        assert [(one.record.text, one.probability) for one in index.query(PRODUCTS[0])] == before


def test_links_of_lists_follow_their_kind() -> None:
    left = ["Sony digital-camera black, 12 accessories, SON12X"]
    detected = neardup.link(left, PRODUCTS)
    assert [one.probability for one in detected.pairs] == [
        one.probability for one in neardup.link(left, PRODUCTS, kind="text").pairs
    ]
    assert [one.probability for one in detected.pairs] != [
        one.probability for one in neardup.link(left, PRODUCTS, kind="company").pairs
    ]
