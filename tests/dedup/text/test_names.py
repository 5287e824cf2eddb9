import pytest

from dedup.text.names import parse, take_apart
from dedup.text.normalise import normalise


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
        ("Bao bì và In", "Bao bì & In"),
        ("Союз и Дело", "Союз & Дело"),
        ("Handel i Usługi", "Handel & Usługi"),
        ("Cabos e Fios", "Cabos & Fios"),
        ("Fisk og Brød", "Fisk & Brød"),
        ("Завод им. Лихачёва", "Завод имени Лихачёва"),
        ("Turborus (Turborus)", "Turborus"),
        ("Apex DTVM", "Apex Distribuidora de Títulos e Valores Mobiliários"),
        ("NPP Topaz", "Research and Production Enterprise Topaz"),
        ("НПО Орион", "Scientific-Production Association Orion"),
        ("NII Kulon", "Scientific Research Institute Kulon"),
        ("Kr Spk Höchstadt", "Kreissparkasse Höchstadt"),
        ("Lương thực TP. HCM", "Lương thực Thành phố Hồ Chí Minh"),
        ("Military Commercial Bank", "Military Commercial Joint Stock Bank"),
        ("Элитан Трейд", "Elitan Trade"),
        ("Univ. i Agder", "Universitetet i Agder"),
        ("Den Haag Taxi", "'s-Gravenhage Taxi"),
        ("Caf de l'Aude", "Caf Aude"),
    ],
)
def test_words_of_one_meaning_are_one(left, right):
    assert parse(normalise(left)).words == parse(normalise(right)).words


@pytest.mark.parametrize(
    ("text", "core"),
    [
        ("JA Solar", "ja solar"),
        ("Robert E Lee School", "robert e lee school"),
        ("SCI E&C", "sci e c"),
        ("Tan Kai Hong", "tan kai hong"),
        ("Growth Fund I Partners", "growth fund i partners"),
        ("Ökofonds I Beteiligung", "okofonds i beteiligung"),
        ("Richmond VA Hospital", "richmond virginia hospital"),
        ("Baden-Baden", "baden baden"),
        ("New York New York", "new york new york"),
        ("Named After", "named after"),
    ],
)
def test_words_that_are_not_small_are_left(text, core):
    assert parse(normalise(text)).core == core


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
        ("梅沙第四中学（青原大学附属中学）", ["梅沙 4 中学", "青原 大学 附属 中学"]),
        ("梅沙双语学校/宏达科技有限公司", ["梅沙 双语 学校", "宏达 科技"]),
        ("梅沙第一中学（原名青原第二中学）", ["梅沙 1 中学", "青原 2 中学"]),
        ("梅沙实验学校（光华校区）", ["梅沙 实验 学校 光华 校区"]),  # a branch
        ("梅沙外国语学校（集团）学府小学", ["梅沙 外国语 学校 集团 学府 小学"]),
        ("梅沙理工学校 附属中学", ["梅沙 理工 学校 附属 中学"]),
        ("Завод Прогресс (бывший Завод Кирова)", ["plant progress", "plant kirova"]),
    ],
)
def test_a_name_is_taken_apart_at_its_trade_names(text, parts):
    assert [part.core for part in take_apart(normalise(text)).parts] == parts


def test_the_rest_of_a_marker_is_dropped_only_where_the_corpus_cuts_names_off():
    cut = normalise("soft cmptr consultants in st louis db")
    assert take_apart(cut, frozenset({len(cut)})).whole.core == "soft computer consultants in saint louis db"
    assert take_apart(cut, frozenset({len(cut)})).parts[0].core == "soft computer consultants in saint louis"
    assert take_apart(cut).parts[0].core == "soft computer consultants in saint louis db"


def test_the_initials_of_a_transliterated_name_are_those_of_its_acronym():
    assert parse(normalise("Российские железные дороги")).initials == parse(normalise("РЖД")).core
