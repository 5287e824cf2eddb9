import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dedup.text.normalise import MAX_MARKS_PER_BASE, fold, normalise


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("ACME, Inc.", "acme inc"),
        ("J. P. Morgan & Co.", "jp morgan & co"),
        ("AT&T", "at & t"),
        ("Foo S.A. de C.V.", "foo sa de cv"),
        ("McDonald’s", "mcdonalds"),
        ("  two\u00a0\u200bwords\t", "two words"),
        ("ＡＢＣ　１２３", "abc 123"),
        ("株式会社 日立製作所", "株式会社 日立製作所"),
        ("İSTANBUL A.Ş.", "istanbul aş"),
        ("Straße", "strasse"),
        ("3M", "3m"),
        ("C++ Corp", "c++ corp"),
        ("北 京 公司", "北 京 公司"),
        ("☂", "☂"),
        ("O&#39;Reilly &#x26; Sons", "oreilly & sons"),
        ("A&amp;B", "a & b"),
        ("M&uuml;ller", "müller"),
        ("M&UUML;LLER", "müller"),
        ("S&atilde;o&nbsp;Jorge", "são jorge"),
        ("A&amp;amp;B", "a & b"),
        ("M&amp;uuml;ller", "müller"),
        ("AT&T; Bell", "at & t bell"),
        ("A & B; Cars", "a & b cars"),
        ("&#0;1&#99999999;", "& 0 1 & 99999999"),
        ("1º Ofício, 2.ª Vara", "1 ofício 2 vara"),
        ("360° N° 5", "360 no 5"),
        ("-- ?! --", ""),
        ("スマ-トソ‐シング セコムセンタ-", "スマートソーシング セコムセンター"),
        ("アイ－ホ−", "アイーホー"),
        ("トヨタ-1 パン-ケ オオ-A さくら - 花", "トヨタ 1 パン ケ オオ a さくら 花"),
        ("\u200b\ufeff", ""),
    ],
)
def test_normal_form(text, normal):
    assert normalise(text) == normal


@given(
    st.text()
    | st.lists(st.sampled_from(["&", "amp;", "amp", "uuml;", "#38;", "#59;", "1", "°", "ª", ".", "n"])).map("".join)
)
def test_normalising_twice_changes_nothing(text):
    once = normalise(text)
    assert normalise(once) == once


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_normalised_as_everything_else(text):
    """An invisible character beyond ASCII leaves the normal form as it is, but not the way to it."""
    assert normalise(text) == normalise(text + "\u200b")


@given(st.text())
def test_a_letter_or_digit_is_never_emptied(text):
    if any(unicodedata.category(char)[0] in "LN" for char in text):
        assert normalise(text)


@given(st.text(min_size=1))
def test_case_does_not_matter_for_ascii(text):
    text = text.encode("ascii", "ignore").decode()
    assert normalise(text.upper()) == normalise(text.lower())


def test_marks_beyond_the_limit_are_dropped():
    normal = normalise("a" + "\u0301\u0323" * 40)
    assert sum(unicodedata.combining(char) > 0 for char in unicodedata.normalize("NFD", normal)) <= MAX_MARKS_PER_BASE


@pytest.mark.parametrize(
    ("normal", "folded"),
    [
        ("газпром", "gazprom"),
        ("société générale", "societe generale"),
        ("acme", "acme"),
        ("日立", "rili"),
        ("1⁄2", "half"),
    ],
)
def test_folding(normal, folded):
    assert fold(normal) == folded


@given(st.text())
@example("\u2800")  # a symbol that is written as a space in ASCII
def test_folding_never_empties(text):
    normal = normalise(text)
    assert bool(fold(normal).strip()) == bool(normal)
