"""An index holds texts of one kind: as asked for, or as its first rows look."""

from pathlib import Path

import pytest

import neardup

GIVEN = ("helen", "robert", "maria", "peter", "susanne", "william", "anna", "thomas", "julia", "george")
SURNAMES = ("Marsh", "Whitcombe", "Okafor", "Lindqvist", "Baranov", "Pereira", "Nakamura", "Vogel", "Dubois", "Haddad")
GOODS = ("digital camera", "laser mouse", "speaker stand", "inkjet printer", "washing machine")
COLOURS = ("black", "white", "silver", "red")
PERSONS = [f"{given.title()} {surname}" for given in GIVEN for surname in SURNAMES]
PRODUCTS = [
    f"{brand} {goods} {colour} with {number} accessories {brand[:3].upper()}{number}{place}X"
    for place, brand in enumerate(("Sony", "Canon", "Bosch", "Epson", "Garmin"))
    for goods in GOODS
    for colour in COLOURS
    for number in (12, 40)
]
NOTICES = [
    f"This {goods} is provided as is by {brand} Inc. and its suppliers, without warranty of any kind, express or "
    f"implied, for {colour} or other use, and in no event shall they be liable."
    for goods in GOODS
    for brand in SURNAMES
    for colour in COLOURS
]
COMPANIES = [f"{surname} {trade} GmbH" for surname in SURNAMES for trade in ("Bau", "Handel", "Logistik", "Werke")]


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (PERSONS, "person"),
        (PRODUCTS, "text"),
        (COMPANIES, "company"),
        (NOTICES, "text"),
        (PERSONS[:10], "person"),
        (PRODUCTS[:10], "text"),
        (COMPANIES[:10], "company"),
    ],
)
def test_the_kind_is_detected_and_said(tmp_path: Path, texts: list[str], kind: str) -> None:
    with neardup.Index(tmp_path) as index:
        added = index.add(texts)
        assert added.kind == kind
        said = [note for note in added.notes if f"(--kind {kind})" in note]
        assert len(said) == (kind != "company")
        assert index.add(texts).kind == kind  # as before, and not said again


def test_too_few_texts_are_company_names_and_that_is_said(tmp_path: Path) -> None:
    with neardup.Index(tmp_path) as index:
        added = index.add(PERSONS[:6])
    assert added.kind == "company"
    assert [note for note in added.notes if "6 are too few to be sure" in note and "--kind person" in note]
    with neardup.Index(tmp_path / "companies") as index:
        assert not [note for note in index.add(COMPANIES[:6]).notes if "too few" in note]


def test_the_arabic_article_is_no_given_name(tmp_path: Path) -> None:
    texts = [f"al-{first}{last} {what}" for first in ("har", "bar") for last in ("amain", "akat", "amayn", "amein")
             for what in ("foundation", "relief", "committee", "exchange", "charity")]  # fmt: skip
    with neardup.Index(tmp_path) as index:
        assert index.add(texts).kind == "company"


def test_the_kind_decides_in_query_and_duplicates(tmp_path: Path) -> None:
    with neardup.Index(tmp_path) as index:
        index.add([*PERSONS, "Dr. Helen Marsh MD", "Michaela Braun", "Michael Braun"])
        match = next(match for match in index.query("Helen Marsh") if not match.exact)
        assert (match.record.text, match.probability > 0.5) == ("Dr. Helen Marsh MD", True)
        found = {frozenset((pair.left.text, pair.right.text)) for pair in index.duplicates().pairs}
        assert frozenset(("Dr. Helen Marsh MD", "Helen Marsh")) in found
        assert frozenset(("Michael Braun", "Michaela Braun")) not in found


def test_a_surname_alone_says_little_if_many_bear_it(tmp_path: Path) -> None:
    with neardup.Index(tmp_path) as index:
        index.add([*PERSONS, "Selma Okonjo-Brandt", "Okonjo-Brandt", "Whitcombe"], kind="person")
        pairs = {frozenset((pair.left.text, pair.right.text)) for pair in index.duplicates().pairs}
        assert frozenset(("Selma Okonjo-Brandt", "Okonjo-Brandt")) in pairs
        assert not any("Whitcombe" in pair for pair in pairs)


def test_in_memory_as_in_an_index(tmp_path: Path) -> None:
    texts = [*PRODUCTS, "Sony digital-camera black, 12 accessories, SON120X"]
    with neardup.Index(tmp_path) as index:
        index.add(texts)
        stored = [(pair.left.text, pair.right.text, pair.probability) for pair in index.duplicates().pairs]
    found = [(pair.left.text, pair.right.text, pair.probability) for pair in neardup.deduplicate(texts).pairs]
    assert found == stored


def test_another_kind_beside_the_first_is_refused(tmp_path: Path) -> None:
    with neardup.Index(tmp_path) as index:
        index.add(COMPANIES, source="firms")
        with pytest.raises(neardup.UsageError, match=r"Source 'firms' of this index holds names of companies"):
            index.add(PRODUCTS, source="goods", kind="text")
        assert index.status().sources == {"firms": len(COMPANIES)}
        added = index.add(PRODUCTS, source="goods")
        assert added.kind == "company"
        assert any(note.startswith("Warning: The texts look like other texts") for note in added.notes)


def test_the_kind_of_the_only_source_can_be_corrected(tmp_path: Path) -> None:
    with neardup.Index(tmp_path) as index:
        index.add([*PERSONS, "Dr. Helen Marsh MD"], kind="company")
        index.report(tmp_path / "first")
        before = index.query("Dr. Helen Marsh MD")[1].probability
        assert index.add([*PERSONS, "Dr. Helen Marsh MD"], kind="person").kind == "person"
        assert index.query("Dr. Helen Marsh MD")[1].probability > max(before, 0.5)
        summary = index.report(tmp_path / "second")
        assert summary["near_pairs"] >= 1
        assert index.verify()


def test_an_unknown_kind_stores_nothing(tmp_path: Path) -> None:
    with neardup.Index(tmp_path) as index:
        with pytest.raises(neardup.UsageError, match="kind is 'firm'"):
            index.add(COMPANIES, kind="firm")
        with pytest.raises(neardup.UsageError, match="Nothing is indexed"):
            index.status()
