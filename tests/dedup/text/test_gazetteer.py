import pytest

from dedup.text.gazetteer import any_body, are_opposites, opposites, unify
from dedup.text.names import parse
from dedup.text.normalise import normalise


def word(text):
    (result,) = parse(normalise(text)).words
    return result


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("North", "South"), ("Northern", "West"), ("Nord", "Sud"), ("Norte", "Sul"), ("Ost", "West"), ("Süd", "Nord"),
        ("Północ", "Południe"), ("Wschodni", "Zachodnia"), ("Северный", "Южная"), ("Vostochnyy", "Западный"),
        ("Kita", "Minami"), ("Higashi", "Nishi"), ("Kuzey", "Güney"), ("Utara", "Selatan"), ("Βόρεια", "ΝΟΤΙΑ"),
        ("Upper", "Lower"), ("Inner", "Outer"), ("Big", "Small"), ("Alte", "Neue"), ("Right", "Left"),
        ("Men's", "Women's"), ("Boys", "Girls"), ("Male", "Female"), ("Employers", "Employees"),
        ("Insurance", "Reinsurance"), ("Versicherung", "Rückversicherung"), ("Assurances", "Réassurances"),
        ("Seguros", "Reaseguros"), ("Страхование", "Перестрахование"), ("Onshore", "Offshore"), ("Senior", "Jr"),
        ("Public", "Private"), ("Import", "Export"), ("Buyers", "Sellers"), ("Urban", "Rural"), ("Day", "Night"),
        ("Schwarz", "Weiß"), ("Czarna", "Biała"), ("Primary", "Secondary"), ("Elementary", "Middle"),
        ("Undergraduate", "Graduate"), ("Equity", "Debt"), ("Growth", "Value"), ("Bull", "Bear"), ("Sommer", "Winter"),
        ("Catholic", "Baptist"), ("Civil", "Criminal"), ("Monday", "Friday"), ("Mayo", "Septiembre"),
        ("Νηπιαγωγείο", "Λύκειο"), ("Northeast", "Northwest"), ("Itä", "Länsi"), ("Kath.", "Ev."),
        ("Vakuutusyhtiö", "Jälleenvakuutus"), ("Draudimas", "Perdraudimas"), ("歯科", "眼科"), ("बालक", "बालिका"),
        ("Panificio", "Pastificio"), ("Stanisław", "Stanisława"), ("Иван", "Иванка"), ("Francesco", "Francesca"),
    ],
)  # fmt: skip
def test_opposites(left, right):
    assert are_opposites(word(left), word(right)) and are_opposites(word(right), word(left))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Norte", "North"), ("Северный", "Северная"), ("North", "Northern"), ("Bank", "Blood"), ("North", "Women"),
        ("Insurance", "Versicherung"), ("Primary", "Elementary"), ("North", "North"), ("Acme", "Acme"),
    ],
)  # fmt: skip
def test_words_of_one_meaning_and_of_two_subjects_are_no_opposites(left, right):
    assert not are_opposites(word(left), word(right))


def test_no_word_is_its_own_opposite():
    for found, meanings in opposites().items():
        groups = [group for group, _ in meanings]
        assert len(groups) == len(set(groups)), found


def test_the_words_with_opposites_are_unified():
    for found in opposites():
        assert unify([found]) == [found]


@pytest.mark.parametrize(
    ("body", "club"),
    [
        ("Hammarby IF", "Hammarby IF Supporterklubb"), ("Gymnasium Philippinum", "Förderverein Gymnasium Philippinum"),
        ("Динамо Київ", "Клуб вболівальників Динамо Київ"), ("Άρης Θεσσαλονίκης", "Σύνδεσμος Φίλων Άρης Θεσσαλονίκης"),
        ("Galatasaray Lisesi", "Galatasaray Lisesi Mezunlar Derneği"), ("מכבי", "מועדון האוהדים של מכבי"),
        ("阪神タイガース", "阪神タイガース後援会"), ("두산 베어스", "두산 베어스 팬클럽"),
    ],
)  # fmt: skip
def test_followers_of_a_body_are_another_body(body, club):
    assert any_body(parse(normalise(club)).words) and not any_body(parse(normalise(body)).words)
