"""Acronyms, implied places, and names that a field of fixed width cuts off, in pairings."""

import pytest

from dedup.text.names import take_apart
from dedup.text.normalise import normalise
from dedup.text.pairing import Pairing, pair_parts


def paired(left: str, right: str, width: int | None = None) -> Pairing:
    widths = frozenset() if width is None else frozenset({width})
    one, other = take_apart(left, widths), take_apart(right, widths)
    return pair_parts(one, other, one.parts[-1], other.parts[-1])


@pytest.mark.parametrize(
    ("short", "long", "word", "words"),
    [
        ("chu rennes", "centre hospitalier universitaire rennes", "chu", ("center", "hospitalier", "universitaire")),
        ("vfw post 77", "veterans of foreign wars post 77", "vfw", ("veterans", "foreign", "wars")),
        ("cb ravensford", "castle brewery ravensford", "cb", ("castle", "brewery")),
    ],
)
def test_an_acronym_is_paired_with_the_words_it_stands_for(short, long, word, words):
    for found in (paired(short, long), paired(long, short)):
        assert found.acronyms == ((word, words),)
        assert not found.left_only and not found.right_only


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("cb", "castle brewery"),  # two letters, and no word in common
        ("cb dunmore", "castle brewery ravensford"),
        ("vfw post", "veterans wars foreign post"),  # another order
        ("vfw post", "veterans foreign post wars"),  # not consecutive
        ("v4w post", "veterans foreign wars post"),
        ("abcdefg post", "a1 b1 c1 d1 e1 f1 g1 post"),
    ],
)
def test_other_words_are_no_acronyms(short, long):
    assert not paired(short, long).acronyms


def test_a_cut_name_is_paired_with_what_it_begins():
    whole = "society for the advancement of ironmongers in ravensford"
    for size in (30, 36, 43):  # at the end of a word, or in the middle of one
        cut = whole[:size].strip()
        found = paired(cut, whole, len(cut))
        assert found.is_cut and not found.left_only and not found.right_only
        assert paired(whole, cut, len(cut)).is_cut
        for width in (None, len(cut) + 1):
            assert not paired(cut, whole, width).is_cut
            assert "ravensford" in paired(cut, whole, width).right_only


@pytest.mark.parametrize(
    ("cut", "whole"),
    [
        ("ravensford lodge", "ravensford lodge 1415"),
        ("ravensford lodge no 14", "ravensford lodge no 1415"),
        ("ravensford lodge of ironmo", "ravensford lodge of ironmongers 1415"),
        ("ravensford lodge of iron", "ravensford lodge of iron4you"),
    ],
)
def test_a_number_is_never_taken_to_be_cut_off(cut, whole):
    found = paired(cut, whole, len(cut))
    assert not found.is_cut and found.right_only


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("浙江省余姚中学", "余姚中学"),
        ("广东省汕头市澄海中学", "汕头市澄海中学"),
        ("广东省汕头市澄海中学", "澄海中学"),
        ("安徽省阜阳市第三中学", "阜阳第三中学"),
        ("福建省惠安第一中学", "泉州惠安一中"),
        ("杭州市临平区临平第一中学", "杭州市临平第一中学"),
        ("天津市天津中学", "天津中学"),
        ("吉林省吉林市第一中学", "吉林市第一中学"),
        ("山东省莒县第一中学", "莒县第一中学"),
        ("岩手県盛岡市役所", "盛岡市役所"),
        ("中国银行浙江省宁波分行", "中国银行宁波分行"),
        ("长沙市岳麓区中加学校", "长沙中加学校"),  # beside a distinctive word
        ("南京市鼓楼区梅沙学校", "南京市梅沙学校"),  # other cities have a Gulou, too
    ],
)
def test_a_region_before_a_place_in_it_says_nothing_new(long, short):
    for found in (paired(normalise(long), normalise(short)), paired(normalise(short), normalise(long))):
        assert not found.left_only and not found.right_only


@pytest.mark.parametrize(
    ("left", "right", "places"),
    [
        ("浙江省中学", "中学", {"浙江"}),
        ("江苏省余姚中学", "余姚中学", {"江苏"}),  # Yuyao is in Zhejiang
        ("江苏银行南京分行", "南京银行分行", {"江苏"}),
        ("南京市鼓楼区第一中学", "鼓楼区第一中学", {"南京"}),  # other cities have a Gulou, too
        ("沈阳市沈河区第七中学", "沈阳市第七中学", {"沈河"}),
        ("北京市朝阳区第一中学", "辽宁省朝阳市第一中学", {"北京", "辽宁"}),
        ("海南东方工业", "东方工业", {"海南"}),  # a county, and a brand
        ("长沙市岳麓区实验小学", "长沙市实验小学", {"岳麓"}),
        ("长沙市岳麓区中加学校", "长沙市雨花区中加学校", {"岳麓", "雨花"}),
        ("梅沙银行广东省佛山分行", "梅沙银行广东省分行", {"佛山"}),  # no address of the bank
    ],
)
def test_another_place_stays_unpaired(left, right, places):
    found = paired(normalise(left), normalise(right))
    assert {*found.left_only, *found.right_only} == places
