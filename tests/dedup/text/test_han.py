"""Names in Chinese characters and kana fall into words; variants are one character, numerals are numbers."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dedup.text.gazetteer import is_place
from dedup.text.han import has_han, has_kana, separate, split
from dedup.text.names import parse
from dedup.text.normalise import normalise


def words(name):
    return parse(normalise(name)).words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("深圳市宏达电子有限公司", "深圳 宏达 电子"),
        ("广州多益网络科技有限公司", "广州 多益 网络 科技"),
        ("上海逸橙信息科技有限公司", "上海 逸橙 信息 科技"),
        ("东海中鹰物流", "东海 中鹰 物流"),  # no known word cuts a brand of two characters
        ("東京海上日動火災保険長崎支店", "东京 海上 日动 火灾 保险 长崎 支店"),
        ("松崎町役場", "松崎 町役场"),
        ("厦门外国语学校集美分校", "厦门 外国语 学校 集美 分校"),
        ("新晃侗族自治县第一中学", "新晃 1 中学"),
        ("茌平区实验中学", "茌平 实验 中学"),  # a county that became a district
        ("杭州市临平区临平第一中学", "杭州 临平 临平 1 中学"),
        ("豊田市加茂県税事務所", "丰田 加茂 县税 事务所"),
        ("NTT東日本", "ntt 东日本"),
        ("サカタ種苗", "sakata 种苗"),
        ("日立製作所", "日立 制作所"),
    ],
)
def test_names_without_spaces_are_split(name, expected):
    assert " ".join(words(name)) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("華為", "华为"),
        ("斉藤工業", "齋藤工業"),
        ("斎藤工業", "齊藤工業"),
        ("髙島屋", "高島屋"),
        ("宮﨑製作所", "宮崎製作所"),
        ("渡邉建設", "渡辺建設"),
        ("廣澤国際", "広沢國際"),
        ("佐々木商店", "佐佐木商店"),
        ("関ヶ原製作所", "関ケ原製作所"),
        ("北京市育才中学", "北京育才中学"),
        ("第十二中学", "第12中学"),
        ("中铁12局集团", "中铁十二局集团"),
        ("三号工厂", "3号工厂"),
        ("北京市第一〇一中学", "北京一零一中学"),
        ("赤峰二中", "赤峰市第二中学"),
        ("第百十二中学", "第112中学"),
        ("華東師大附中", "华东师范大学附属中学"),
        ("安师大附属外国语学校", "安徽师范大学附属外国语学校"),
        ("北大附中", "北京大学附属中学"),
        ("大连经济技术开发区第七中学", "大连市开发区第七中学"),
        ("渡島信金", "渡島信用金庫"),
        ("アインフアーマシーズ", "アインファマシーズ"),
        ("キヤノン", "キャノン"),
        ("たきかわ", "タキカワ"),
    ],
)
def test_spellings_of_one_name_are_equal(left, right):
    assert words(left) == words(right)
    assert parse(normalise(left)).numbers == parse(normalise(right)).numbers


@pytest.mark.parametrize(
    ("left", "right", "difference"),
    [
        ("深圳市宏达电子", "深圳市鸿达电子", {"宏达", "鸿达"}),
        ("高石建設", "高市建設", {"高石", "高市"}),
        ("第一生命保険", "第二生命保険", {"1", "2"}),
        ("多迪科技宝安分公司", "多迪科技福田分公司", {"宝安", "福田"}),
        ("広島銀行東京支店", "広島銀行", {"东京", "支店"}),
    ],
)
def test_other_names_differ_in_a_word(left, right, difference):
    assert set(words(left)) ^ set(words(right)) == difference


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("第一生命", {"1"}),
        ("中铁十二局", {"12"}),
        ("第3工場", {"3"}),
        ("一百零五中学", {"105"}),
        ("二十一世紀不動産", {"21"}),
        *(
            (name, set())
            for name in ("三菱商事", "三井物産", "万达集团", "千代田化工", "四川大学", "九州電力", "八幡製鉄")
        ),
        *((name, set()) for name in ("一汽集团", "百度", "五洲国际", "十和田市役所", "三星電子", "八百屋", "统一企业")),
    ],
)
def test_numerals_count_where_they_are_numbers(name, numbers):
    assert parse(normalise(name)).numbers == numbers


def test_places_in_chinese_characters_are_in_the_gazetteer():
    assert all(map(is_place, ("北京", "深圳", "大阪")))
    assert not any(map(is_place, ("科技", "和平")))


def test_scripts_are_recognised():
    assert [has_han(text) for text in ("日立", "トヨタ", "acme", "삼성")] == [True, False, False, False]
    assert [has_kana(text) for text in ("日立", "トヨタ", "acme", "さかた")] == [False, True, False, True]


@example("々々")
@given(st.text("第一三〇百十中小学科技深圳市宏达アヤー々の3a", min_size=1))
def test_words_are_never_empty_and_parts_add_up(text):
    assert all(separate([text]))
    assert "".join(split(text, as_written=True)) == text
