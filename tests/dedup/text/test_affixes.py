import pytest

from dedup.text.names import parse
from dedup.text.normalise import normalise


def words(text):
    return parse(normalise(text)).words


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("مَطْعَم بَيْرُوت", "مطعم بيروت"),
        ("בַּיִת חָדָשׁ", "בית חדש"),
        ("Fîntîna Albă", "Fântâna Albă"),
        ("รพ. พระจอมเกล้า", "โรงพยาบาลพระจอมเกล้า"),
        ("อบต. หนองปลาไหล", "องค์การบริหารส่วนตำบลหนองปลาไหล"),
        ("서울대", "서울대학교"),
        ("전남대병원", "전남대학교병원"),
        ("한밭초", "한밭초등학교"),
        ("제3어린이집", "제삼어린이집"),
    ],
)
def test_two_ways_to_write_one_name_have_the_same_words(left, right):
    assert words(left) == words(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("한밭초등학교", "한밭중학교"),
        ("제일은행", "제이은행"),
        ("ธนาคารเพื่อการเกษตรภาคเหนือ", "ธนาคารเพื่อการเกษตรภาคใต้"),
        ("ประกันภัยไทยศิริ", "ประกันภัยต่อไทยศิริ"),
    ],
)
def test_other_bodies_have_other_words(left, right):
    assert words(left) != words(right)


def test_the_kind_of_body_is_split_off_a_thai_name():
    assert words("โรงเรียนวัดประชา")[1:] == words("วัดประชา")


def test_a_romanian_sign_is_changed_only_beside_another():
    assert words("Benoît") == ("benoit",)


def test_a_bulgarian_vowel_is_read():
    assert words("България") == ("balgariya",)
