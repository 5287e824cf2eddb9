"""By sound, names in Chinese characters, kana and Latin letters can be compared."""

import pytest

from dedup.evidence.name_pairs import pair_names
from dedup.text.normalise import normalise
from dedup.text.sound import romaji


def pair(left, right):
    return pair_names([normalise(left)], [normalise(right)])[0]


@pytest.mark.parametrize(
    ("kana", "letters"),
    [
        ("ショップ", "shoppu"),
        ("シンジユク", "shinjuku"),
        ("ホツカイドウ", "hokkaidou"),
        ("マッチ", "matchi"),
        ("ファーマシー", "famashi"),
        ("きょうと", "kyouto"),
        ("ー", "ー"),
    ],
)
def test_kana_are_written_in_hepburn(kana, letters):
    assert romaji(kana) == letters


def both_orders_with_all_words_shared(left, right):
    both = pair(left, right), pair(right, left)
    for names in both:
        assert names.pairing.shared
        assert not (names.pairing.left_only or names.pairing.right_only or names.pairing.respelt)
    return both


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("新宿ワシントンホテル", "シンジユクワシントンホテル"),
        ("住友商事", "スミトモシヨウジ"),
        ("三菱商事", "Mitsubishi Shouji"),
        ("阿里巴巴", "Alibaba"),
        ("华为", "Huawei"),
        ("日立", "Hitachi"),
        ("トヨタ", "Toyota"),
        ("たきかわのうきよう", "takikawanoukiyou"),
        ("深圳市宏达", "Shenzhen Hongda"),
    ],
)
def test_names_that_sound_alike_in_two_scripts_share_their_words(left, right):
    both_orders_with_all_words_shared(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("インフォメティス株式会社", "インフォメティスカブシキガイシャ"),
        ("かっこ株式会社", "カッコカブシキガイシャ"),
        ("株式会社 ＮＴＴデータ・スマートソーシング", "カブシキガイシヤ エヌテイテイデ-タ・スマ-トソ-シング"),
        ("ＳＢＩアセットマネジメント株式会社", "エスビーアイアセットマネジメントカブシキカイシャ"),
        ("Ｍ＆Ｇインベストメント・マネジメント・リミテッド", "エムアンドジーインベストメントマネジメントリミテッド"),
        ("ＪＡみねのぶ", "ジエイエイミネノブ"),
        ("株式会社ＭＡＲＵＷＡ", "カブシキガイシャマルワ"),
        ("愛知トヨタＷＥＳＴ 株式会社", "アイチトヨタウエスト カブシキガイシヤ"),
        ("ザ・ホンコン・アンド・シャンハイ・リミテッド", "ザホンコンアンドシャンハイリミテッド"),
        ("文化ファッション大学院大学", "ブンカフアツシヨンダイガクインダイガク"),
        ("総合メディカルホールディングス株式会社", "ソウゴウメディカルホールディングスカブシキガイシャ"),
        ("日本パワーファスニング株式会社", "ニッポンパワーファスニングカブシキガイシャ"),
        ("さが美グループ", "サガミグループ"),
        ("三洋電機サービス", "サンヨウデンキサービス"),
        ("いすみ市役所", "イスミシヤクシヨ"),
        ("株式会社 やまやコミュニケーションズ", "カブシキガイシヤ ヤマヤコミユニケ-シヨンズ"),
        ("パークタワーホテル （株） 東京", "パ-クタワ-ホテル カブシキガイシヤ トウキヨウ"),
        ("ピーエス・コンストラクション 株式会社 本社", "ピ-エス・コンストラクシヨン (カ ホンシヤ"),
    ],
)
def test_japanese_names_share_all_words_however_they_are_written_in_kana(left, right):
    for names in both_orders_with_all_words_shared(left, right):
        assert names.left_part.core == names.right_part.core
        assert names.left_part.forms == names.right_part.forms


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("ソニー本社", "ソニーシテン"),
        ("マルニ", "マルニシ伊那店"),
        ("川スミ", "カスミ"),
        ("ＮＴＴデータ", "エヌエスケーデータ"),
        ("大野製作所", "オノセイサクシヨ"),
        ("タスキホールディングス", "タスキ"),
    ],
)
def test_japanese_names_that_sound_different_keep_different_words(left, right):
    pairing = pair(left, right).pairing
    assert pairing.left_only or pairing.right_only or pairing.respelt


@pytest.mark.parametrize(
    ("left", "right", "are_of_two_scripts"),
    [
        ("日立", "Hitachi", True),
        ("日立", "ヒタチ", False),  # both are read in kana
        ("サカタ種苗", "サカタ", False),  # both in kana
        ("日立", "华为", False),
        ("Acme", "Zenith", False),
    ],
)
def test_names_are_of_two_scripts_if_they_share_none(left, right, are_of_two_scripts):
    assert pair(left, right).are_of_two_scripts is are_of_two_scripts


def test_characters_that_sound_alike_are_other_words():
    assert pair("青木", "鈴木").pairing.shared == ()
    assert pair("宏达", "鸿达").pairing == pair("宏达", "鸿达").pairing._replace(shared=(), respelt=())
