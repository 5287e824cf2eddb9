"""What the names of columns say, in the languages of usual exports and registers.

A name is compared by its key: letters and digits in lower case, without accents. Words of up to three letters must be
words of the name; longer ones, and all in scripts without spaces, may be part of a compound (``Kundennummer``).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

_UNDECOMPOSED = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-zà-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)")
_SHORT = 3
_WITHOUT_SPACES = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff]")


def key_of(text: str) -> str:
    """Return the letters and digits of a text in lower case, without accents and spaces."""
    return "".join(_words(text))


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKD", _CAMEL.sub(" ", text).casefold())
    plain = "".join(char for char in folded if not unicodedata.combining(char)).translate(_UNDECOMPOSED)
    return _WORD.findall(plain)


def _vocabulary(text: str) -> frozenset[str]:
    return frozenset(key_of(word) for word in text.split(",") if word.strip())


_TEXT = _vocabulary("""
    name, company name, companyname, legal name, organisation name, organization name, business name,
    employer name, entity name, full name, display name, registered name, primary name, conformed name, Firma,
    Firmenname, Firmenbezeichnung, Unternehmensname, Firmenwortlaut, Name des Unternehmens, name1,
    raison sociale, dénomination, dénomination sociale, dénomination unité légale, nom, nom complet,
    nom entreprise, razón social, denominación, denominación social, nombre, nombre completo, razão social,
    denominação social, designação social, nome, nome empresarial, firma ou denominação, ragione sociale,
    denominazione, denominazione sociale, naam, bedrijfsnaam, handelsnaam, statutaire naam, nazwa, nazwa firmy,
    nazwa pełna, pełna nazwa, firma spółki, название, наименование, полное наименование, наименование полное,
    наименование организации, найменування, назва, unvan, ünvanı, ticaret unvanı, şirket adı, firma adı, adı,
    isim, ad soyad, 名称, 企业名称, 公司名称, 单位名称, 名稱, 公司名稱, 客户名称, 供应商名称, 名字, 会社名,
    企業名, 法人名, 商号, 商号又は名称, 名前, 氏名, 社名, 取引先名, 顧客名, 회사명, 상호, 상호명, 법인명,
    기업명, 업체명, 이름, 거래처명, namn, företagsnamn, navn, virksomhedsnavn, foretaksnavn, firmanavn, nimi,
    toiminimi, yrityksen nimi, název, obchodní firma, obchodní název, cégnév, név, denumire, denumire firmă,
    επωνυμία, الاسم, اسم الشركة, naziv
""")
"""Names of a column of names as a whole."""

_NAME = _vocabulary("""
    name, names, nom, nombre, nome, naam, nazwa, namn, navn, nimi, název, naziv, név, denumire, ad, adı, ünvan,
    unvan, название, наименование, найменування, назва, επωνυμία, 名称, 名稱, 名, 이름, 명, اسم, dénomination,
    bezeichnung, denominación, denominazione, intitulé, libellé, legalname, nm
""")

_OWNER = _vocabulary("""
    company, companies, organisation, organization, org, corporation, business, enterprise, employer, entity,
    firm, account, customer, client, lead, supplier, vendor, partner, institution, school, hospital, provider,
    recipient, applicant, assignee, payee, merchant, member, debtor, creditor, borrower, licensee, contractor,
    issuer, contact, record, subject, party, counterparty, sponsor, grantee, tenant, store, shop, Firma, Firmen,
    Unternehmen, Kunde, Kunden, Lieferant, Debitor, Kreditor, Mandant, Verein, Betrieb, Interessent,
    Geschäftspartner, Einrichtung, Auftraggeber, société, entreprise, fournisseur, établissement,
    unité légale, structure, adhérent, tiers, empresa, cliente, proveedor, sociedad, compañía, entidad,
    acreedor, deudor, tercero, fornecedor, entidade, estabelecimento, parceiro, azienda, impresa, fornitore,
    società, ditta, ente, anagrafica, bedrijf, klant, leverancier, organisatie, onderneming, vestiging, relatie,
    debiteur, crediteur, firmy, klient, klienta, dostawca, dostawcy, kontrahent, kontrahenta, przedsiębiorstwo,
    spółka, podmiot, odbiorca, компания, компании, организация, организации, клиент, клиента, поставщик,
    поставщика, контрагент, контрагента, предприятие, юрлицо, заказчик, партнер, компанія, підприємство,
    постачальник, şirket, müşteri, tedarikçi, cari, cari hesap, kurum, işletme, bayi, 公司, 企业, 客户, 供应商,
    单位, 机构, 商户, 客戶, 會社, 企業, 会社, 顧客, 取引先, 得意先, 仕入先, 法人, 店舗, 회사, 고객, 거래처,
    업체, 기업, 법인, 공급업체, företag, kund, leverantör, bolag, kunde, virksomhed, leverandør, bedrift,
    foretak, yritys, asiakas, toimittaja, zákazník, odběratel, dodavatel, společnost, partnera, cég, ügyfél,
    vevő, szállító, furnizor, societate, εταιρεία, πελάτης, προμηθευτής, عميل, شركة, العميل, الشركة, tvrtka,
    kupac, dobavljač
""")
"""Whose names and ids a list is about."""

_ID = _vocabulary("""
    id, ids, identifier, ident, uid, uuid, guid, key, pk, code, cod, number, num, no, nr, nbr, ref, reference,
    sku, nummer, nro, Kennung, Schlüssel, Kürzel, numéro, identifiant, matricule, número, código, núm, numero,
    codice, matricola, numer, kod, identyfikator, номер, код, идентификатор, ид, ідентифікатор, numara,
    numarası, kodu, 编号, 编码, 代码, 号码, 編號, 番号, コード, 번호, 코드, tunnus, id číslo, číslo, kód, szám,
    azonosító, număr, αριθμός, κωδικός, رقم, رمز, broj, šifra, n, nº
""")

_OWN_ID = _vocabulary("""
    id, record id, recordid, uuid, guid, row id, rowid, pk, identifier, primary key, unique id, object id, ид,
    _id, 系统编号, KUNNR, LIFNR, PARTNER, BPEXT, interne id, external id, ext id
""")
"""Names of an id of the rows themselves, as a whole."""

_REGISTERED = _vocabulary("""
    lei, lei code, duns, duns number, cik, ein, npi, uei, crn, company number, registration number, reg id,
    reg no, regno, registernummer, handelsregisternummer, hrb, uid, che, firmenbuchnummer, siren, siret,
    numéro siren, numéro siret, cif, nif, nit, rut, ruc, rfc, cnpj, cpf cnpj, nipc, codice fiscale, rea, kvk,
    kvk nummer, ondernemingsnummer, regon, krs, numer krs, inn, ogrn, инн, огрн, єдрпоу, едрпоу, mersis no,
    统一社会信用代码, 社会信用代码, 注册号, 法人番号, 사업자등록번호, 사업자번호, 법인등록번호,
    organisationsnummer, orgnr, organisasjonsnummer, cvr, cvr nummer, cvr nr, y tunnus, ičo, ico,
    cégjegyzékszám, cui, γεμη, αφμ, ror id, grid id, entity id, wikidata id, oib
""")
"""Numbers of official registers."""

_TAX = _vocabulary("""
    vat, vat id, vat number, vat no, tax id, tax number, tin, ust id, ustid, ust idnr, umsatzsteuer id,
    steuernummer, tva, numéro tva, tva intracommunautaire, partita iva, p iva, btw nummer, btw, nip, кпп,
    vergi no, vergi numarası, 税号, 纳税人识别号, momsnummer, dič, adószám, csb
""")

_CITY = _vocabulary("""
    city, town, localidade, post town, posttown, locality, municipality, Ort, Stadt, Wohnort, Sitz, Gemeinde, ville,
    commune, libellé commune, ciudad, localidad, población, municipio, cidade, concelho, città, comune,
    località, plaats, woonplaats, vestigingsplaats, stad, miasto, miejscowość, город, населенный пункт, місто,
    şehir, il, 城市, 所在城市, 市, 市区町村, 市町村, 都市, 도시, 시군구, ort01, ort1, postort, poststed, by,
    bynavn, postdistrikt, kaupunki, postitoimipaikka, město, obec, város, település, oraș, localitate, πόλη,
    مدينة, المدينة, grad, mjesto
""")
_POSTCODE = _vocabulary("""
    zip, zip code, zipcode, post code, postcode, postal code, postalcode, postal, plz, Postleitzahl,
    code postal, codepostal, cp, código postal, cód postal, c postal, cep, cap, codice postale, kod pocztowy,
    kod poczt, индекс, почтовый индекс, поштовий індекс, posta kodu, 邮编, 邮政编码, 郵便番号, 郵遞區號,
    우편번호, postnummer, postnr, postinumero, psč, psc, irányítószám, irsz, cod poștal, τκ,
    ταχυδρομικός κώδικας, الرمز البريدي, poštanski broj, pstlz
""")
_COUNTRY = _vocabulary("""
    country, country code, country name, countrycode, ctry, iso country, Land, Länderkennzeichen, Länderkürzel,
    Staat, land1, pays, code pays, país, nación, país código, paese, nazione, stato estero, landcode, landkode,
    kraj, państwo, страна, країна, ülke, 国, 国家, 国名, 国家地区, 國家, 国コード, 국가, maa, země, stát,
    ország, țară, tara, χώρα, الدولة, البلد, država, zemlja
""")
_FIRST_NAME = _vocabulary("""
    first name, firstname, given name, forename, fname, Vorname, prénom, nombre de pila, primeiro nome,
    nome proprio, voornaam, imię, имя, ім'я, önad, förnamn, fornavn, etunimi, jméno, keresztnév, prenume, όνομα
""")
_LAST_NAME = _vocabulary("""
    last name, lastname, surname, family name, lname, Nachname, Familienname, nom de famille, apellido,
    apellidos, sobrenome, apelido, cognome, achternaam, nazwisko, фамилия, прізвище, soyad, soyadı, efternamn,
    etternavn, efternavn, sukunimi, příjmení, vezetéknév, nume de familie, επώνυμο
""")

_OTHER = _vocabulary("""
    address, addr, addres, street, house, building, floor, suite, phone, telephone, tel, fax, mobile, cell,
    email, e mail, mail, website, web, url, homepage, link, domain, date, datetime, time, created, updated,
    modified, timestamp, since, status, state, region, province, county, district, department, type, kind,
    category, class, segment, sector, industry, sic, naics, legal form, currency, amount, revenue, sales,
    turnover, price, balance, credit, employees, headcount, size, owner, manager, salutation, gender,
    title prefix, language, locale, iban, bic, swift, bank, latitude, longitude, lat, lon, lng, note, notes,
    comment, comments, remark, remarks, password, user, username, login, source, score, rating, count, total,
    year, month, day, file, filename, path, parent, group, cluster, campaign, order, invoice, product category,
    stage, probability, tags, tag, flag, active, label, lang, version, rank, percent, ratio, quantity, qty,
    occurrences, Straße, Strasse, Hausnummer, Hausnr, Telefon, Telefax, Handy, Mobil, Datum, Erstellt, Geändert,
    Bundesland, Region, Art, Typ, Branche, Rechtsform, Währung, Betrag, Umsatz, Mitarbeiter, Ansprechpartner,
    Anrede, Sprache, Bemerkung, Notiz, Kommentar, Rechnung, Bestellung, Auftrag, Konzern, Mutter, Betreuer,
    Kategorie, Webseite, Postfach, Zahlungsziel, Gründung, adresse, rue, voie, téléphone, courriel, site web,
    statut, département, région, forme juridique, effectif, chiffre d'affaires, remarque, activité, ape, naf,
    dirección, domicilio, calle, teléfono, correo, fecha, estado, provincia, comunidad, tipo, forma jurídica,
    moneda, importe, ventas, empleados, observaciones, actividad, cnae, endereço, rua, logradouro, bairro,
    telefone, data, uf, situação, natureza, porte, capital, observação, atividade, morada, distrito, indirizzo,
    via, civico, telefono, cellulare, pec, stato, regione, settore, fatturato, dipendenti, nota, attività, sito,
    straat, adres, huisnummer, telefoon, provincie, rechtsvorm, omzet, opmerking, sbi, ulica, telefon,
    województwo, powiat, gmina, forma prawna, uwagi, pkd, адрес, улица, дом, телефон, почта, сайт, дата, статус,
    регион, область, тип, вид, категория, сумма, выручка, комментарий, примечание, директор, руководитель,
    оквэд, адреса, adresi, cadde, e posta, tarih, durum, bölge, tür, tutar, açıklama, vergi dairesi, sektör,
    yetkili, 地址, 街道, 电话, 手机, 传真, 邮箱, 网址, 日期, 时间, 状态, 省, 省份, 类型, 行业, 金额, 备注,
    联系人, 法定代表人, 注册资本, 地區, 住所, 所在地, 番地, 電話, 電話番号, ファックス, メール, 日付, 登録日,
    状態, 都道府県, 種別, 業種, 金額, 備考, 担当者, 代表者, フリガナ, カナ, 주소, 전화, 전화번호, 팩스, 이메일,
    날짜, 상태, 지역, 업종, 금액, 비고, 담당자, 대표자, gata, gade, vej, osoite, puhelin, sähköposti, ulice,
    cím, telefonszám, stradă, judet, διεύθυνση, τηλέφωνο, عنوان, هاتف, adresa
""")
"""Names of columns that hold neither."""

_FAIR_TEXT = _vocabulary("""
    title, text, brand, trade name, tradename, trading name, short name, alias, dba, description, product,
    label, item, titel, nom commercial, nombre comercial, nome fantasia, nome commerciale, enseigne, sigle,
    краткое наименование, marke, libellé, 商品名, 标题, 商標, employer, 简称, statement, sentence, question,
    bezeichnung, benennung, titre, título, titolo, tytuł, заголовок, başlık
""")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name says of its column: how far it is the text or the id (-1 to 1), and whether it is of another kind."""

    text: float = 0.0
    id: float = 0.0
    kind: str | None = None


@cache
def meaning_of(name: str) -> Meaning:
    """Return what the name of a column says."""
    key = key_of(name)
    bare = name[1:] if name.startswith("*") else name
    for kind, words in _KINDS.items():
        if key in words:
            return Meaning(-1, -1, kind)
    if key in _OWN_ID:
        return Meaning(-1, 1.0)
    if key in _TEXT:
        return Meaning(1.0, -1)
    if key in _REGISTERED:
        return Meaning(-1, 0.7)
    if key in _TAX:
        return Meaning(-1, 0.4)
    if key in _FAIR_TEXT:
        return Meaning(0.6 if key not in ("description", "label") else 0.3, -1)
    return _of_parts(_Parts(bare))


_KINDS = {
    "city": _CITY,
    "postcode": _POSTCODE,
    "country": _COUNTRY,
    "first name": _FIRST_NAME,
    "last name": _LAST_NAME,
    "other": _OTHER,
}


class _Parts:
    """The words of a name, and which vocabulary is in them."""

    def __init__(self, name: str) -> None:
        self.words = _words(name)
        self._key = "".join(self.words)

    def has(self, vocabulary: frozenset[str]) -> bool:
        """Return whether a word, two neighbouring words or a part of a compound is in a vocabulary."""
        return any(word in vocabulary for word in _neighbours(self.words)) or any(
            part in self._key for part in _parts_of_compounds(vocabulary)
        )

    def ends(self, vocabulary: frozenset[str]) -> bool:
        """Return whether the first or last word, or the end of the last one, is in a vocabulary."""
        if not self.words:
            return False
        ends = tuple(_parts_of_compounds(vocabulary))
        return self.words[-1] in vocabulary or self.words[0] in vocabulary or self._key.endswith(ends)


@cache
def _parts_of_compounds(vocabulary: frozenset[str]) -> list[str]:
    return [word for word in vocabulary if len(word) > _SHORT + 1 or _WITHOUT_SPACES.search(word)]


def _of_parts(parts: _Parts) -> Meaning:
    is_ours, is_other = parts.has(_OWNER), any(word in _OTHER for word in parts.words)
    for kind in ("postcode", "city", "country", "first name", "last name"):
        if any(len(word) > 2 and word in _KINDS[kind] for word in _neighbours(parts.words)):
            return Meaning(-1, -1, kind)
    if parts.has(_TEXT - _NAME) and not is_other and not parts.ends(_ID):
        return Meaning(0.9, -1)
    if parts.ends(_ID) or (joined_id := _is_joined_id(parts)):
        return Meaning(-1, -1, "other") if is_other else Meaning(-1, 0.9 if is_ours or not parts.words[1:] else 0.6)
    if is_other:
        return Meaning(-1, -1, "other")
    if any(word in _REGISTERED for word in parts.words):
        return Meaning(-1, 0.6)
    if parts.ends(_NAME):
        return Meaning(0.95 if is_ours else 0.6, -1)
    if is_ours:
        return Meaning(0.8, 0)
    return Meaning(-1, -1, "other") if parts.has(_OTHER) or joined_id else Meaning()


def _is_joined_id(parts: _Parts) -> bool:
    """Whether a name is a single word such as ``customerid``."""
    word = parts.words[0] if len(parts.words) == 1 else ""
    return word.endswith(("id", "no", "nr")) and any(word.startswith(owner) for owner in _parts_of_compounds(_OWNER))


def _neighbours(words: list[str]) -> list[str]:
    """Return the words, and each two that follow one another as one."""
    return [*words, *(first + second for first, second in pairwise(words))]
