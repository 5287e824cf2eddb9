import json
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.text.legal_forms import split_legal_forms
from dedup.text.names import parse
from dedup.text.normalise import normalise

TABLE = json.loads(resources.files("dedup").joinpath("data/legal_forms.json").read_text("utf-8"))


def split(text: str) -> tuple[str, tuple[str, ...]]:
    core, forms = split_legal_forms(normalise(text))
    return " ".join(core), forms


@pytest.mark.parametrize(
    ("text", "core", "forms"),
    [
        ("Deutsche Bank AG", "deutsche bank", ("ag",)),
        ("Siemens GmbH & Co. KG", "siemens", ("gmbh co kg",)),
        ("Foo S.A. de C.V.", "foo", ("sa de cv",)),
        ("Acme Holdings Co., Ltd.", "acme holdings", ("co ltd",)),
        ("Acme Company, Inc.", "acme", ("inc",)),
        ("ООО Ромашка", "ромашка", ("llc",)),
        ("UAB Baltic", "baltic", ("uab",)),
        ("日立製作所株式会社", "日立製作所", ("kk",)),
        ("Limited Liability Company Horns", "horns", ("llc",)),
        ("ЗАО Ромашка", "ромашка", ("jsc",)),
        ("Brzoza Sp. z o.o. Sp. k.", "brzoza", ("sp k", "sp zoo")),
        ("Padaria Silva Ltda - ME", "padaria silva", ("ltd",)),
        ("Abedul S.A. en liquidación", "abedul", ("sa",)),
        ("SCI Les Lilas", "les lilas", ("sc",)),
        ("Juroku Bank, Ltd., The", "juroku bank", ("ltd",)),
        ("Solana d.d. Tuzla", "solana tuzla", ("dd",)),
        ("Acar San. ve Tic. A.Ş.", "acar san ve tic", ("as",)),
        ("Linha PNA", "linha", ()),
        ("Linha S/A ON", "linha", ("sa",)),
        ("Birke AG VZO", "birke", ("ag",)),
        ("Birke AG ST O.N.", "birke", ("ag",)),
        ("Rowan OAO Pref A", "rowan", ("jsc",)),
        ("Raiffeisenbank Birke -alt-", "raiffeisenbank birke", ()),
        ("AO Rubin", "rubin", ("jsc",)),
        ("KAMAZ Publicly Traded Company", "kamaz", ("jsc",)),
    ],
)
def test_legal_forms_are_set_apart(text, core, forms):
    assert split(text) == (core, forms)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Brzoza Spółka z ograniczoną odpowiedzialnością", "Brzoza sp. z o.o."),
        ("Spółka z ograniczoną odpowiedzialnością Brzoza", "Brzoza Spolka z ograniczona odpowiedzialnoscia"),
        ("Bříza s.r.o.", "Bříza společnost s ručením omezeným"),
        ("Nyírfa Korlátolt Felelősségű Társaság", "Nyírfa Kft."),
        ("Bouleau Société par actions simplifiée unipersonnelle", "Bouleau SASU"),
        ("S.à r.l. Bouleau", "Bouleau Société à Responsabilité Limitée"),
        ("SC Brad SRL", "Societatea cu Răspundere Limitată Brad"),
        ("Kask osaühing", "OÜ Kask"),
        ("SIA Bērzs", "Sabiedrība ar ierobežotu atbildību Bērzs"),
        ("Birke UG (haftungsbeschränkt)", "Birke Unternehmergesellschaft (haftungsbeschraenkt)"),
        ("Breza d.o.o.", "Društvo s ograničenom odgovornošću Breza"),
        ("Oy Karl Fazer Ab", "Karl Fazer AB"),
        ("Silva Sociedade Unipessoal Lda.", "Silva Limitada"),
        ("ТОО Береке", 'Товарищество с ограниченной ответственностью "Береке"'),
        ("OOO Vympel", "Obshchestvo s ogranichennoi otvetstvennostiu Vympel"),
        ("Vympel LLC", "Obschestvo s ogranichennoy otvetstvennostyu Vympel"),
        ("ФОП Козленко", "Фізична особа-підприємець Козленко"),
        ("ИП Козлов", "Индивидуальный предприниматель Козлов"),
        ("АО Гранит", "Гранит (Открытое акционерное общество)"),
        ("ΣΗΜΥΔΑ Α.Ε.", "Σημυδα Ανώνυμη Εταιρεία"),
        ("ΣΗΜΥΔΑ ΜΟΝΟΠΡΟΣΩΠΗ ΙΚΕ", "ΣΗΜΥΔΑ Ιδιωτική Κεφαλαιουχική Εταιρεία"),
        ("არყი შპს", "შეზღუდული პასუხისმგებლობის საზოგადოება არყი"),
        ("Qayın MMC", "Qayın Məhdud Məsuliyyətli Cəmiyyəti"),
        ("شركة البتولا ذ.م.م", "البتولا ذات مسؤولية محدودة"),
        ('תנובה בע"מ', "תנובה בע״מ"),
        ("Công ty Cổ phần Bạch Dương", "CTCP Bạch Dương"),
        ("CÔNG TY TNHH MTV LINH SAM", "Công ty Trách nhiệm hữu hạn Một thành viên Linh Sam"),
        ("Ngân hàng TMCP Linh Sam", "Ngân hàng Thương mại Cổ phần Linh Sam"),
        ("บริษัท เอบีซี จำกัด (มหาชน)", "บริษัทเอบีซีจำกัด(มหาชน)"),
        ("บจก. เอบีซี", "บริษัทเอบีซีจำกัด"),
        ("㈱ヒタチ", "ヒタチカブシキガイシャ"),
        ("(有)ヒタチ", "有限会社ヒタチ"),
        ("삼성전자(주)", "주식회사삼성전자"),
        ("华为控股有限公司", "华为控股有限责任公司"),
        ("PT Gudang Garam Tbk", "PT. Gudang Garam (Persero)"),
        ("Birke GmbH & Co. KG", "Birke GmbH and Co KG"),
        ("Birke GmbH & Co. KG", "Birke GmbH u. Co. KG"),
    ],
)
def test_spellings_of_one_form_are_equal(one, other):
    core, forms = split(one)
    assert forms
    assert split(other) == (core, forms)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Breza d.o.o.", "Breza d.d."),
        ("Brzoza sp. z o.o.", "Brzoza spółka akcyjna"),
        ("Birke GmbH", "Birke AG"),
        ("ООО Ромашка", "АО Ромашка"),
        ("Foo S.A. de C.V.", "Foo S. de R.L. de C.V."),
        ("中国电子股份有限公司", "中国电子有限公司"),
    ],
)
def test_different_forms_stay_apart(one, other):
    assert split(one)[0] == split(other)[0]
    assert split(one)[1] != split(other)[1]


@pytest.mark.parametrize(
    ("misspelt", "core"),
    [
        ("Spolka z ogranczona odpowiedzialnoscia Brzoza", "brzoza"),
        ("Общество с ограниченой ответственностью Вымпел", "вымпел"),
        ("Обшество с ограниченной ответственностью Вымпел", "вымпел"),
        ("Acme Corportion", "acme"),
        ("Acme Limtied", "acme"),
        ("Bouleau Societe Anonme", "bouleau"),
    ],
)
def test_one_letter_of_a_long_word_may_be_wrong(misspelt, core):
    assert split(misspelt)[0] == core
    assert split(misspelt)[1]


@pytest.mark.parametrize(
    "name",
    [
        "ag", "ab foods", "nv energy", "株式会社", "ооо", "campania", "regione campania", "dream beyond limits",
        "realty professionals", "smith fincorp", "professional association of teachers", "university of sc",
        "ford foundation", "caixa geral de depositos", "kreissparkasse", "cooperative bank", "pão de açúcar",
        "ao smith", "sin limites", "ubnd huyện sa pa",
        "corporation street garage", "historical society of cheshire cty", "股份有限公司", "日本リミテッド",
    ],
)  # fmt: skip
def test_words_of_a_name_are_left_on(name):
    assert split(name) == (normalise(name), ())


@pytest.mark.parametrize(
    ("text", "core", "forms"),
    [
        ("AT&T Corp", "at & t", ("corp",)),  # no "ат"
        ("Day Spa LLC", "day spa", ("llc",)),
        ("Telkom SA (Pty) Ltd", "telkom sa", ("pty ltd",)),
        ("Greenfield Professionals LLC", "greenfield professionals", ("llc",)),
        ("SC Johnson & Son Inc", "sc johnson & son", ("inc",)),
        ("SCI Solutions Inc", "sci solutions", ("inc",)),
    ],
)
def test_short_words_beside_another_form_are_left_on(text, core, forms):
    assert split(text) == (core, forms)


WORDS = ["ag", "co", "ltd", "gmbh", "&", "acme", "ооо", "株式会社", "the", "ngân", "hàng", "tmcp", "dd", "oy", "status"]


@given(st.lists(st.sampled_from([*WORDS, "acme株式会社", "en liquidacion", "บริษัท", "limted"]), min_size=1))
def test_the_core_is_never_empty(words):
    normal = " ".join(words)
    assert split_legal_forms(normal)[0]
    assert parse(normal).words


def test_the_table_holds_each_spelling_once_in_normal_form():
    spellings = [spelling for form in TABLE.values() for spelling in form]
    assert all(normalise(spelling) == spelling for spelling in spellings)
    assert len(set(spellings)) == len(spellings)
    assert all(form == sorted(form) for form in TABLE.values())


@pytest.mark.parametrize("form", TABLE)
def test_every_spelling_is_found_at_one_end(form):
    lost = [
        spelling
        for spelling in TABLE[form]
        if "qwerty" not in {split(f"qwerty {spelling}")[0], split(f"{spelling} qwerty")[0]}
    ]
    assert not lost
