import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.text.legal_forms import split_legal_forms
from dedup.text.names import parse, take_apart
from dedup.text.normalise import normalise


@pytest.mark.parametrize(
    ("text", "core", "forms"),
    [
        ("Deutsche Bank AG", "deutsche bank", ("ag",)),
        ("Siemens GmbH & Co. KG", "siemens", ("gmbh co kg",)),
        ("Foo S.A. de C.V.", "foo", ("sa de cv",)),
        ("Acme Holdings Co., Ltd.", "acme holdings", ("co ltd",)),
        ("ООО Ромашка", "ромашка", ("ooo",)),
        ("UAB Baltic", "baltic", ("uab",)),
        ("日立製作所株式会社", "日立製作所", ("kk",)),
        ("Limited Liability Company Horns", "horns", ("llc",)),
        ("AG", "ag", ()),
        ("AB Foods", "ab foods", ()),
        ("NV Energy", "nv energy", ()),
        ("AT&T Corp", "at & t", ("corp",)),  # no "ат"
        ("ЗАО Ромашка", "ромашка", ("ao",)),
        ("株式会社", "株式会社", ()),
    ],
)
def test_legal_forms_are_set_apart(text, core, forms):
    words, found = split_legal_forms(normalise(text))
    assert (" ".join(words), found) == (core, forms)


@given(st.lists(st.sampled_from(["ag", "co", "ltd", "gmbh", "&", "acme", "ооо", "株式会社", "the"]), min_size=1))
def test_the_core_is_never_empty(words):
    normal = " ".join(words)
    assert split_legal_forms(normal)[0]
    assert parse(normal).words


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Forever21", "Forever 21"),
        ("T0ronto Dominion Bank", "Toronto Dominion Bank"),
        ("Lube Store #101", "Lube Store No. 101"),
        ("Bank of New York", "Bank of N.Y."),
        ("N Dakota Wheat Commission", "North Dakota Wheat Commission"),
        ("Seven Eleven", "7-Eleven"),
        ("1st Federal", "First Federal"),
        ("Harbour Tyres", "Harbor Tires"),
        ("Heritage Svcs", "Heritage Services"),
        ("Fund II", "Fund 2"),
        ("Twenty First Century Fox", "21st Century Fox"),
        ("Ninety Nine Restaurants", "99 Restaurants"),
        ("Gebr. Knauf", "Gebrüder Knauf"),
    ],
)
def test_words_of_one_meaning_are_one(left, right):
    assert parse(normalise(left)).words == parse(normalise(right)).words


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Spark Svcs dba Build Group Inc", ["spark services", "build group"]),
        ("Larkspur Foods LLC d/b/a Golden Spoon", ["larkspur foods", "golden spoon"]),
        ("Jewelry Channel formerly known as Acme", ["jewelry channel", "acme"]),
        ("Royal Bank", ["royal bank"]),
        ("TA Associates", ["ta associates"]),
        ("Larkspur Foods t/a Golden Spoon", ["larkspur foods", "golden spoon"]),
        ("dba Golden Spoon", ["golden spoon"]),
        ("soft cmptr consultants in st louis db", ["soft computer consultants in saint louis"]),
    ],
)
def test_a_name_is_taken_apart_at_its_trade_names(text, parts):
    assert [part.core for part in take_apart(normalise(text)).parts] == parts
