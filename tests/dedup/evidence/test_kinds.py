"""Each kind of texts has its own evidence: what decides between companies, persons and other texts."""

import numpy as np
import pytest

import neardup
from dedup.model import load_model


def probability(left: str, right: str, kind: str) -> float:
    return neardup.compare(left, right, kind=kind).probability


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Mohammed Ali", "Muhammad Ali"),
        ("Dr. Helen Marsh MD", "Helen Marsh"),
        ("The Honorable James A. Rea, PhD", "James A. Rea"),
        ("Marsh, Helen", "Helen Marsh"),
        ("Robert Whitcombe", "Bob Whitcombe"),
        ("Mikhail Gorbachev", "Mihail Gorbachov"),
        ("J. R. Whitcombe", "John Robert Whitcombe"),
        ("Dick Vandyke", "Dick Van Dyke"),
        ("Nathsn Morrison", "Nathan Morison"),
        ("Novak Benjamni", "Benjamin Novak"),
        ("Lauren Heenna", "Lauren Heenan"),
        ("歐陽震華", "欧阳震华"),
    ],
)
def test_one_person_is_recognised(left: str, right: str) -> None:
    assert probability(left, right, "person") > 0.5


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Michael Braun", "Michaela Braun"),
        ("Olga Baranova", "Oleg Baranov"),
        ("Marcia Alves dos Santos", "Roberto Alves dos Santos"),
        ("Valery Nikolaevich Ermakov", "Valery Konstantinovich Ermakov"),
        ("Douglas Silveira Pereira", "Paulo Ricardo Pereira da Silveira"),
        ("Helen Marsh", "Peter Marsh"),
        ("John Smith", "Jane Smith"),
        ("Lord Hamilton", "Lady Hamilton"),
        ("Mr. Okonjo", "Mrs. Okonjo"),
        ("Jozef Balážik", "Jozefína Balážiková"),
        ("Γεώργιος Σαμαράς", "Γεωργία Σαμαρά"),
        ("王秀兰", "王秀英"),
    ],
)
def test_two_persons_are_told_apart(left: str, right: str) -> None:
    assert probability(left, right, "person") < 0.5


@pytest.mark.parametrize("generation", ["Jr.", "II", "III", "2nd", "Filho"])
def test_father_and_son_may_have_one_name(generation: str) -> None:
    name = f"Henry Ford {generation}"
    assert 0.2 < probability("Henry Ford", name, "person") < 0.85
    assert probability("Henry Ford Sr.", name, "person") < 0.5
    assert probability(name, f"Ford {generation} Henry", "person") > 0.9 or generation in ("2nd", "Filho")
    assert probability("Elizabeth II", "Elizabeth I", "person") < 0.5
    assert probability("Henry I. Ford", "Henry Ford", "person") > 0.9


def test_korean_names_are_compared_by_their_syllables() -> None:
    assert probability("김민수", "김민호", "person") < 0.5
    assert probability("이영희", "이영미", "person") < 0.5
    assert probability("김민수", "김 민수", "person") > 0.9
    assert probability("김민수", "Kim Minsu", "person") > 0.9


def test_a_misspelt_given_name_is_nearer_than_its_feminine() -> None:
    assert probability("John Smith", "Jon Smith", "person") > probability("Michael Braun", "Michaela Braun", "person")


def test_another_form_of_the_name_and_a_common_surname_leave_it_open() -> None:
    assert 0.2 < probability("John Smith", "Jon Smith", "person") < 0.8
    assert probability("John Skeffington", "Jon Skeffington", "person") > probability(
        "John Smith", "Jon Smith", "person"
    )


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Sony Cyber-shot DSC-W120 Digital Camera", "Sony DSCW120 Cyber-shot digital camera 7.2 MP"),
        (
            "Query processing in main memory databases, T. Lehman, VLDB 1986",
            "T J Lehman: Query Processing in Main Memory Databases. VLDB, 1986",
        ),
        ("Garmin GPSMAP 78s handheld 2.6 inch", "Garmin gpsmap 78s hand held GPS 2.6in"),
        ("Computing capabilities of mediators, R. Yerneni 1999.0", "Capabilities of mediators, R Yerneni, 1999"),
        ("Sony earbud headphones black MDREX85LP/BLK", "Sony MDR-EX85LP black earbud headphones"),
    ],
)  # fmt: skip
def test_one_thing_described_twice_is_recognised(left: str, right: str) -> None:
    assert probability(left, right, "text") > 0.5


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Various artists: Rolling Stone new voices vol. 3", "Various artists: Rolling Stone new voices vol. 39"),
        ("Database tuning principles, part II", "Database tuning principles, part I"),
        ("Logitech V470 cordless laser mouse 910-000298", "Epson Stylus C88 colour inkjet printer C11C617121"),
        ("Panasonic DECT expandable cordless phone KXTG9341T", "Panasonic DECT expandable cordless phone KX-TG9343T"),
        ("Belkin Cush Top for laptop F8N044ORG", "Belkin Cush Top for laptop F8N044GRN"),
        ("Dance music free to be vol 8", "Dance music free to be volume 10"),
        ("Cruzamos el Missouri en vivo", "Cruzamos el Missouri en vivo CD2"),
        ("Synthesizer greats of the eighties", "Synthesizer greats of the eighties III"),
        ("Adobe Photoshop Elements 5.0", "Photoshop Elements 4.0"),
        ("Adobe Photoshop Elements 5.0", "Adobe Photoshop Elements 4.0 for Windows"),
        ("Acronis True Image 9 Home", "True Image 10 by Acronis"),
    ],
)
def test_two_things_are_told_apart(left: str, right: str) -> None:
    assert probability(left, right, "text") < 0.5


def test_company_names_are_what_they_were() -> None:
    model = load_model()
    assert model.kind == "company" and model.with_kind("company") is model
    assert model.with_kind("text").with_kind("company").fingerprint == model.fingerprint
    assert (
        probability("Acme Inc", "ACME Incorporated", "company")
        == neardup.compare("Acme Inc", "ACME Incorporated").probability
    )


def test_kinds_share_the_vectors_and_nothing_else() -> None:
    models = [load_model().with_kind(kind) for kind in ("company", "person", "text")]
    assert len({model.model_id for model in models}) == 1
    similarity = np.ones(1, np.float32)
    probabilities = {float(model.compare(["maria vogel"], ["mario vogel"], similarity)[0]) for model in models}
    assert len(probabilities) == 3
    assert {model.with_kind("company").fingerprint for model in models} == {load_model().fingerprint}


@pytest.mark.parametrize("kind", ["company", "person", "text"])
def test_reasons_add_up(kind: str) -> None:
    found = neardup.compare("Michael J. Braun 2000 gb", "Braun Michaela 3000 gb vol 2", kind=kind)
    assert sum(reason.log_odds for reason in found.reasons) == pytest.approx(found.log_odds)
    assert neardup.compare(
        "Braun Michaela 3000 gb vol 2", "Michael J. Braun 2000 gb", kind=kind
    ).probability == pytest.approx(found.probability)


def test_reasons_name_what_decides() -> None:
    labels = [reason.label for reason in neardup.compare("Michael Braun", "Michaela Braun", kind="person").reasons]
    assert "names of a woman and a man: ‘michael / michaela’" in labels
    labels = [
        reason.label for reason in neardup.compare("Sony case red DSC120", "Sony case blue DSC120", kind="text").reasons
    ]
    assert "colours ‘red’ and ‘blue’ differ" in labels
    assert any(label.startswith("same model number ‘dsc120’") for label in labels)


def test_an_unknown_kind_is_named_with_those_that_there_are() -> None:
    with pytest.raises(neardup.UsageError, match=r"kind is 'firm'; give company, person, text"):
        neardup.compare("a b", "a c", kind="firm")
