import pytest

from dedup.text.names import parse
from dedup.text.normalise import normalise
from dedup.text.numbers import number_of


def parsed(text):
    return parse(normalise(text))


@pytest.mark.parametrize(
    ("word", "last", "number"),
    [
        ("101", False, "101"), ("007", False, "7"), ("2nd", False, "2"), ("ii", True, "2"), ("ix", True, "9"),
        ("i", True, "1"), ("i", False, None), ("two", False, "2"), ("2006a", False, "2006a"), ("o3b", False, None),
        ("mix", True, None), ("acme", True, None), ("1ro", False, "1"), ("1ere", False, "1"), ("2eme", False, "2"),
        ("2gi", False, "2"), ("1szy", False, "1"), ("3do", False, None), ("2go", False, None),
    ],
)  # fmt: skip
def test_numbers(word, last, number):
    assert number_of(word, last=last) == number


@pytest.mark.parametrize(
    ("digits", "names"),
    [
        ("1 Iglesia", ["1ra Iglesia", "Primera Iglesia", "1ª Iglesia", "1.ª Iglesia", "1a Iglesia"]),
        ("1 Cartório", ["1º Cartório", "1o Cartorio", "Primeiro Cartório", "PRIMEIRO CARTORIO"]),
        ("2 Chance", ["2e Chance", "Deuxième Chance", "2ème Chance", "2ᵉ Chance", "Seconde Chance"]),
        ("1 Régiment", ["1er Régiment", "Premier Régiment"]),
        ("16 Arrondissement", ["XVIe Arrondissement", "XVIème Arrondissement", "Seizième Arrondissement"]),
        ("5 korps", ["Femte korps"]),
        ("1 Gimnazija", ["I. Gimnazija", "Prva Gimnazija"]),
        ("1 Koperasi", ["Kesatu Koperasi", "Pertama Koperasi"]),
        ("5 Vara", ["Quinta Vara", "5ta Vara", "5.ª Vara"]),
        ("2 Donau", ["Zweite Donau", "Zweiter Donau"]),
        ("2 Sanayi", ["İkinci Sanayi", "Ikinci Sanayi", "2. Sanayi", "2inci Sanayi"]),
        ("1 Urząd", ["Pierwszy Urząd", "PIERWSZY URZAD"]),
        ("1 полоса", ["Первая полоса", "1-я полоса", "1я полоса"]),
        ("1 лікарня", ["Перша лікарня", "1-ша лікарня"]),
        ("3 школа", ["Трећа школа", "Трета школа"]),
        ("2 σχολείο", ["Δεύτερο σχολείο", "ΔΕΥΤΕΡΟ ΣΧΟΛΕΙΟ", "2ο σχολείο"]),
        ("3 مدرسة", ["الثالثة مدرسة"]),
        ("2 Raiffeisenbank", ["Druhá Raiffeisenbank", "Druga Raiffeisenbank", "Második Raiffeisenbank"]),
        ("2 huis", ["Tweede huis", "2de huis"]),
        ("3 hus", ["Tredje hus", "Kolmas hus"]),
        ("2 putra", ["Kedua putra"]),
        ("3 pyramidy", ["Tři pyramidy", "Trzy pyramidy"]),
    ],
)
def test_ordinals_of_many_languages_are_digits(digits, names):
    for name in names:
        assert (parsed(name).words, parsed(name).numbers) == (parsed(digits).words, parsed(digits).numbers), name


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("Thirty Three Capital", "33 Capital"),
        ("Studio Fifty-Four", "Studio 54"),
        ("Twenty-First Street", "21st Street"),
        ("One Hundred and Ten Main", "110 Main"),
        ("Two Hundred Fifty Six Colors", "256 Colors"),
        ("Hundred Acre Farm", "100 Acre Farm"),
        ("Thousand Oaks Dental", "1,000 Oaks Dental"),
        ("The Thousand Hills", "1000 Hills"),
        ("Ten Thousand Villages", "10000 Villages"),
        ("Two Million Trees", "2000000 Trees"),
        ("Nineteen Eighty Four Books", "1984 Books"),
        ("Three Sixty Group", "360 Group"),
        ("360° Group", "360 Group"),
        ("Treinta y Tres Orientales", "33 Orientales"),
        ("Vigésimo Segundo Batallón", "22 Batallón"),
        ("Décimo Primera Compañía", "11 Compañía"),
        ("Двадцать первая аптека", "21-я аптека"),
        ("Dwudziesty Pierwszy Oddział", "21 Oddział"),
        ("½ Price Books", "Half Price Books"),
    ],
)
def test_numbers_of_several_words_are_digits(written, digits):
    assert parsed(written).words == parsed(digits).words


@pytest.mark.parametrize(
    "name",
    ["Nr 5", "No 5", "№ 5", "№5", "Nº 5", "N.º 5", "n° 5", "no. 5", "#5", "Numero 5", "Número 5", "č. 5", "номер 5"],
)
def test_signs_of_numbers_are_left_out(name):
    assert parsed(f"Sokol {name}").words == ("sokol", "5")


@pytest.mark.parametrize(
    "name",
    [
        "La Quinta Inn", "Otto Group", "Premier Health", "Prima Foods", "Once Caldas", "Lima Cargo", "Erste Bank",
        "Sexton Law", "Fire Dept", "Tri City", "Công ty Tiên Sơn", "Muối Việt Nam", "Sam & Hundred", "2GO Travel",
        "Neuf Amsterdam", "Instituto dos Vinhos", "Sekolah Menengah Pertama", "Liceum i Gimnazjum w Pile",
        "La Vie Nouvelle",
    ],
)  # fmt: skip
def test_words_that_may_be_no_numbers_are_none(name):
    assert parsed(name).numbers == frozenset()


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("3M Company", {"3m"}), ("4H Club", {"4h"}), ("1C Bitrix", {"1c"}), ("3E Environmental", {"3e"}),
        ("1A Autoglas", {"1a"}), ("Trust 2006-2A", {"2006", "2a"}), ("Phase 1A Ltd", {"1a"}),
        ("Fifth Third Bank", {"5", "3"}), ("Seven Eleven", {"7", "11"}), ("Route 66 N", {"66", "n"}),
    ],
)  # fmt: skip
def test_digits_with_letters_are_kept_apart(name, numbers):
    assert parsed(name).numbers == numbers


def test_one_name_is_not_a_number():
    assert parse("v").numbers == frozenset()
    assert parse("fund ii").numbers == {"2"}


def test_series_letters_and_generations_are_numbers():
    assert parse("receivables 2003 a").numbers == {"2003", "a"}
    assert parse("trust series b").numbers == {"b"}
    assert parse("thurlow pennyfeather jr").numbers == parse("thurlow pennyfeather junior").numbers != frozenset()
