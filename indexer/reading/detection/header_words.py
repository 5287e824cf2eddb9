"""The words in names of columns, in the languages of usual exports and registers.

Words are compared by their keys: letters and digits in lower case, without accents and other marks.
"""

from __future__ import annotations

import re
import unicodedata

_UNDECOMPOSED = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-zà-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)")


def key_of(text: str) -> str:
    """Return the letters and digits of a text in lower case, without marks and spaces."""
    return "".join(words_of(text))


def words_of(text: str) -> list[str]:
    """Return the keys of the words of a text; ``legalName`` has two."""
    folded = unicodedata.normalize("NFKD", _CAMEL.sub(" ", text)).casefold()
    plain = "".join(char for char in folded if unicodedata.category(char)[0] != "M").translate(_UNDECOMPOSED)
    return _WORD.findall(plain)


def _vocabulary(text: str) -> frozenset[str]:
    return frozenset(key_of(word) for word in text.split(",") if word.strip())


TEXT = _vocabulary("""
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
    επωνυμία, الاسم, اسم الشركة, naziv, megnevezés, elnevezés, partner neve, cég neve, ügyfél neve, vevő neve,
    szállító neve, asiakkaan nimi, назва постачальника, назва компанії, назва підприємства, повна назва, όνομα,
    ονομασία, שם, שם הלקוח, שם לקוח, שם החברה, שם חברה, שם הספק, שם ספק, ชื่อ, ชื่อบริษัท, ชื่อลูกค้า,
    ชื่อนิติบุคคล, ชื่อผู้ขาย, tên, tên khách hàng, tên công ty, tên doanh nghiệp, tên nhà cung cấp, nama,
    nama perusahaan, nama pelanggan, nama pemasok, nama syarikat, اسم العميل, اسم المنشأة, اسم المورد,
    الاسم التجاري, نام, نام شرکت, نام مشتری, नाम, ग्राहक का नाम, कंपनी का नाम, फर्म का नाम, pavadinimas,
    įmonės pavadinimas, nosaukums, uzņēmuma nosaukums, ärinimi, ettevõtte nimi, nafn, heiti, raó social,
    denominació, izena, izen soziala, име на фирмата, име, назив, пословно име, poslovno ime, popolno ime,
    názov, názov firmy, obchodné meno, emri, emri i subjektit, დასახელება, անվանում, атауы, নাম, jina,
    jina la kampuni, ainm, enw
""")
"""Names of a column of names as a whole."""

NAME = _vocabulary("""
    name, names, nom, nombre, nome, naam, nazwa, namn, navn, nimi, název, naziv, név, denumire, ad, adı, ünvan,
    unvan, название, наименование, найменування, назва, επωνυμία, 名称, 名稱, 名, 이름, 명, اسم, dénomination,
    bezeichnung, denominación, denominazione, intitulé, libellé, legalname, nm, nama, tên, ชื่อ, שם, نام, नाम,
    pavadinimas, nosaukums, heiti, nafn, denominació, име, назив, názov, emri, megnevezés, neve, ονομασία, jina
""")

OWNER = _vocabulary("""
    company, companies, organisation, organization, org, corporation, business, enterprise, employer, entity,
    firm, account, customer, client, lead, supplier, vendor, partner, institution, school, hospital, provider,
    recipient, applicant, assignee, payee, merchant, member, debtor, creditor, borrower, licensee, contractor,
    issuer, contact, record, subject, party, counterparty, sponsor, grantee, tenant, store, shop, Firma, Firmen,
    Unternehmen, Kunde, Kunden, Lieferant, Debitor, Kreditor, Mandant, Verein, Betrieb, Interessent,
    Geschäftspartner, Einrichtung, Auftraggeber, société, entreprise, fournisseur, établissement, unité légale,
    structure, adhérent, tiers, empresa, cliente, proveedor, sociedad, compañía, entidad, acreedor, deudor,
    tercero, fornecedor, entidade, estabelecimento, parceiro, azienda, impresa, fornitore, società, ditta, ente,
    anagrafica, bedrijf, klant, leverancier, organisatie, onderneming, vestiging, relatie, debiteur, crediteur,
    firmy, klient, klienta, dostawca, dostawcy, kontrahent, kontrahenta, przedsiębiorstwo, spółka, podmiot,
    odbiorca, компания, компании, организация, организации, клиент, клиента, поставщик, поставщика, контрагент,
    контрагента, предприятие, юрлицо, заказчик, партнер, компанія, компанії, підприємство, підприємства, постачальник,
    постачальника, клієнт, клієнта, контрагент, контрагента, покупець, покупця, şirket, müşteri,
    tedarikçi, cari, cari hesap, kurum, işletme, bayi, 公司, 企业, 客户, 供应商, 单位, 机构, 商户, 客戶, 會社,
    企業, 会社, 顧客, 取引先, 得意先, 仕入先, 法人, 店舗, 회사, 고객, 거래처, 업체, 기업, 법인, 공급업체,
    företag, kund, leverantör, bolag, kunde, virksomhed, leverandør, bedrift, foretak, yritys, asiakas,
    toimittaja, zákazník, odběratel, dodavatel, společnost, partnera, cég, ügyfél, vevő, szállító, furnizor,
    societate, εταιρεία, πελάτης, προμηθευτής, عميل, شركة, العميل, الشركة, tvrtka, kupac, dobavljač, asiakkaan,
    toimittajan, yrityksen, πελάτη, προμηθευτή, εταιρείας, לקוח, הלקוח, ספק, חברה, החברה, ลูกค้า, บริษัท,
    ผู้ขาย, ผู้จัดจำหน่าย, นิติบุคคล, khách hàng, công ty, doanh nghiệp, nhà cung cấp, perusahaan, pelanggan,
    pemasok, syarikat, pembekal, المورد, المنشأة, شرکت, مشتری, ग्राहक, कंपनी, विक्रेता, फर्म, įmonė, įmonės,
    klientas, kliento, tiekėjas, tiekėjo, uzņēmums, uzņēmuma, klients, piegādātājs, ettevõte, ettevõtte,
    kliendi, tarnija, fyrirtæki, viðskiptavinur, proveïdor, societat, entitat, фирма, фирмата, доставчик,
    доставчика, дружество, kupca, dobavljača, preduzeće, klijent, купац, купца, добављач, предузеће, kupec,
    stranka, stranke, dobavitelj, podjetje, podjetja, zákazníka, dodávateľ, odberateľ, spoločnosť, spoločnosti,
    dodavatele, odběratele, společnosti, partener, furnizorului, firmă, subjekti, klienti, kampuni, patient,
    donor, constituent, facility, hotel, restaurant, vessel
""")
"""Whose names and ids a list is about."""

ID = _vocabulary("""
    id, ids, identifier, ident, uid, uuid, guid, key, pk, code, cod, number, num, no, nr, nbr, ref, reference,
    sku, nummer, nro, Kennung, Schlüssel, Kürzel, numéro, identifiant, matricule, número, código, núm, numero,
    codice, matricola, numer, kod, identyfikator, номер, код, идентификатор, ид, ідентифікатор, numara,
    numarası, kodu, 编号, 编码, 代码, 号码, 編號, 番号, コード, 번호, 코드, tunnus, id číslo, číslo, kód, szám,
    azonosító, număr, αριθμός, κωδικός, رقم, رمز, broj, šifra, n, nº, sorszám, tunniste, κωδ, αρ, מספר, מזהה,
    קוד, מס, รหัส, เลขที่, หมายเลข, mã, kode, nomor, كود, معرف, شماره, کد, شناسه, संख्या, क्रमांक, कोड, आईडी,
    kodas, numeris, kods, numurs, kood, númer, codi, kodea, zenbakia, шифра, број, številka, koda, kodi, numri,
    기호, 工号, 学号, 序号, matrícula, clave, symbol
""")

OWN_ID = _vocabulary("""
    id, record id, recordid, uuid, guid, row id, rowid, pk, identifier, primary key, unique id, object id, ид,
    _id, 系统编号, KUNNR, LIFNR, PARTNER, BPEXT, interne id, external id, ext id
""")
"""Names of an id of the rows themselves, as a whole."""

REGISTERED = _vocabulary("""
    lei, lei code, duns, duns number, cik, ein, npi, uei, crn, company number, registration number, reg id,
    reg no, regno, registernummer, handelsregisternummer, hrb, uid, che, firmenbuchnummer, siren, siret,
    numéro siren, numéro siret, cif, nif, nit, rut, ruc, rfc, cnpj, cpf cnpj, nipc, codice fiscale, rea, kvk,
    kvk nummer, ondernemingsnummer, regon, krs, numer krs, inn, ogrn, инн, огрн, єдрпоу, едрпоу, mersis no,
    统一社会信用代码, 社会信用代码, 注册号, 法人番号, 사업자등록번호, 사업자번호, 법인등록번호,
    organisationsnummer, orgnr, organisasjonsnummer, cvr, cvr nummer, cvr nr, y tunnus, ičo, ico,
    cégjegyzékszám, cui, γεμη, αφμ, ror id, grid id, entity id, wikidata id, oib, еик, булстат, матични број,
    matični broj, mb, matična številka, įmonės kodas, juridinio asmens kodas, reģistrācijas numurs,
    registrikood, kennitala, السجل التجاري, رقم السجل التجاري, ח.פ., ח.פ, מספר חברה, เลขทะเบียนนิติบุคคล, abn,
    acn, nzbn, uen, brn, cuit, rif, бин, унп, bce, kbo, numéro d'entreprise, org no, organisationsnr, hrb nr,
    cin, mã số doanh nghiệp, nib, orcid, isin, doi, issn, isbn, ean, ean code, gtin, upc, barcode, ssn, soc sec id,
    social security number, national id, nhs number, passport, personnummer, pesel, dni, nie, bsn, cnp, curp
""")
"""Numbers of official registers."""

TAX = _vocabulary("""
    vat, vat id, vat number, vat no, tax id, tax number, tin, ust id, ustid, ust idnr, umsatzsteuer id,
    steuernummer, tva, numéro tva, tva intracommunautaire, partita iva, p iva, btw nummer, btw, nip, кпп,
    vergi no, vergi numarası, 税号, 纳税人识别号, momsnummer, dič, adószám, csb, npwp, mã số thuế, mst,
    เลขประจำตัวผู้เสียภาษี, gstin, pan, пиб, pib, davčna številka, pvm kodas, pvn numurs, кмв номер,
    الرقم الضريبي, עוסק מורשה, dic
""")

CITY = _vocabulary("""
    city, town, localidade, post town, posttown, locality, municipality, Ort, Stadt, Wohnort, Sitz, Gemeinde,
    ville, commune, libellé commune, ciudad, localidad, población, municipio, cidade, concelho, città, comune,
    località, plaats, woonplaats, vestigingsplaats, stad, miasto, miejscowość, город, населенный пункт, місто,
    şehir, il, 城市, 所在城市, 市, 市区町村, 市町村, 都市, 도시, 시군구, ort01, ort1, postort, poststed, by,
    bynavn, postdistrikt, kaupunki, postitoimipaikka, město, obec, város, település, oraș, localitate, πόλη,
    مدينة, المدينة, grad, mjesto, עיר, ישוב, יישוב, จังหวัด, เมือง, thành phố, tỉnh thành phố, tỉnh thành, kota,
    kabupaten, kota kabupaten, bandar, شهر, शहर, नगर, miestas, vietovė, gyvenvietė, pilsēta, linn, asula,
    staður, bær, sveitarfélag, població, ciutat, municipi, localitat, udalerria, concello, град, населено място,
    место, mesto, qyteti, şəhər, ქალაქი, քաղաք, қала, শহর, mji, suburb, freguesia, lugar, ערים
""")
POSTCODE = _vocabulary("""
    zip, zip code, zipcode, post code, postcode, postal code, postalcode, postal, plz, Postleitzahl,
    code postal, codepostal, cp, código postal, cód postal, c postal, cep, cap, codice postale, kod pocztowy,
    kod poczt, индекс, почтовый индекс, поштовий індекс, posta kodu, 邮编, 邮政编码, 郵便番号, 郵遞區號,
    우편번호, postnummer, postnr, postinumero, psč, psc, irányítószám, irsz, cod poștal, τκ,
    ταχυδρομικός κώδικας, الرمز البريدي, poštanski broj, pstlz, מיקוד, รหัสไปรษณีย์, mã bưu điện, mã bưu chính,
    kode pos, poskod, کد پستی, पिन कोड, पिनकोड, pin code, pincode, pašto kodas, pasta indekss, indeks, postiindeks,
    sihtnumber, póstnúmer, codi postal, posta kodea, пощенски код, пк, поштански број, poštna številka,
    kodi postar, poçt indeksi, eircode, zip 4, zip5, cod postal, poştă, індекс, domicilio cp,
    codice avviamento postale
""")
COUNTRY = _vocabulary("""
    country, country code, country name, countrycode, ctry, iso country, Land, Länderkennzeichen, Länderkürzel,
    Staat, land1, pays, code pays, país, nación, país código, paese, nazione, stato estero, landcode, landkode,
    kraj, państwo, страна, країна, ülke, 国, 国家, 国名, 国家地区, 國家, 国コード, 국가, maa, země, stát,
    ország, țară, tara, χώρα, الدولة, البلد, država, zemlja, מדינה, ארץ, ประเทศ, quốc gia, negara, کشور, देश,
    šalis, valsts, riik, herrialdea, държава, држава, земља, krajina, štát, shteti, ölkə, ქვეყანა, երկիր, দেশ,
    nchi, nation, ländercode, nazione codice, kod kraju, pays iso
""")
FIRST_NAME = _vocabulary("""
    first name, firstname, given name, forename, fname, Vorname, prénom, nombre de pila, primeiro nome,
    nome proprio, voornaam, imię, имя, ім'я, önad, förnamn, fornavn, etunimi, jméno, keresztnév, prenume, όνομα,
    ime, meno, eesnimi, vardas, vārds, nama depan, eiginnafn, nom de pila, שם פרטי, الاسم الأول, 名
""")
LAST_NAME = _vocabulary("""
    last name, lastname, surname, family name, lname, Nachname, Familienname, nom de famille, apellido,
    apellidos, sobrenome, apelido, cognome, achternaam, nazwisko, фамилия, прізвище, soyad, soyadı, efternamn,
    etternavn, efternavn, sukunimi, příjmení, vezetéknév, nume de familie, επώνυμο, prezime, презиме, priimek,
    priezvisko, perekonnanimi, pavardė, uzvārds, nama belakang, cognom, cognoms, фамилно име, שם משפחה,
    اسم العائلة, mbiemri, surnames, 姓
""")

OTHER = _vocabulary("""
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
    cím, telefonszám, stradă, judet, διεύθυνση, τηλέφωνο, عنوان, هاتف, adresa, רחוב, כתובת, טלפון, ที่อยู่,
    โทรศัพท์, อีเมล, địa chỉ, điện thoại, số điện thoại, alamat, telepon, telp, tanggal, provinsi, آدرس, تلفن,
    تاریخ, पता, मोबाइल, राज्य, दिनांक, फ़ोन, adresas, statusas, telefonas, paštas, adrese, aadress, sími,
    adreça, correu, telèfon, naslov, datum, dátum, právna, правна форма, pravna, teisinė, payment, appointment,
    visit, specialty, cuisine, dosage, weight, length, height, width, colour, color, unit, currency code,
    availability, gtin, ean, barcode, image, licence plate, δου, egyenleg, saldo, bakiye, fizetési mód,
    cae
""")
"""Names of columns that hold neither."""

FAIR_TEXT = _vocabulary("""
    title, text, trade name, tradename, trading name, short name, alias, dba, product, item, titel,
    nom commercial, nombre comercial, nome fantasia, nome commerciale, краткое наименование, libellé, 商品名,
    标题, employer, 简称, statement, sentence, question, bezeichnung, benennung, titre, título, titolo, tytuł,
    заголовок, başlık, διακριτικός τίτλος, kratko ime, trumpas pavadinimas, hotel name, product name, item name,
    artikel, artikelbezeichnung, désignation, descripción, descrizione, descrição, omschrijving, opis, описание,
    品名, 상품명, 제목
""")

WEAK_TEXT = _vocabulary("""
    description, label, brand, marke, marque, marca, marka, märke, merk, бренд, марка, 商標, 品牌, 브랜드,
    sigle, enseigne
""")
"""Names of columns that are the text only if nothing else is."""

GIVEN_OR_FULL = _vocabulary("""
    name, nom, nombre, nome, naam, nazwa, ad, adı, isim, име, namn, navn, nimi, nama, név, nume, όνομα, שם, tên, نام,
    नाम, الاسم, izena, nafn, emri, jina
""")
"""Names that are whole ones, but half of a person's name beside a column of the other half."""

STREET = _vocabulary("""
    street, street address, address, address 1, address line 1, addr, Straße, Strasse, str, Anschrift, Adresse, rue,
    voie, adresse, calle, dirección, domicilio, endereço, rua, logradouro, morada, indirizzo, via, straat, adres, ulica,
    адрес, улица, адреса, adresi, cadde, 地址, 街道, 住所, 所在地, 番地, 주소, gata, gade, vej, osoite, ulice, cím,
    stradă, διεύθυνση, عنوان, adresa, רחוב, כתובת, ที่อยู่, địa chỉ, alamat, آدرس, पता, adresas, adrese, aadress,
    adreça, naslov, street name, street number, house number, Hausnummer, Hausnr, registered address
""")
STATE = _vocabulary("""
    state, state code, region, province, county, prefecture, Bundesland, Kanton, département, région, estado, provincia,
    uf, regione, provincie, województwo, регион, область, bölge, 省, 省份, 都道府県, 지역, judet, provinsi, राज्य
""")
PHONE = _vocabulary("""
    phone, phone number, telephone, tel, telefon, Telefonnummer, Rufnummer, mobile, mobile phone, cell, cell phone, fax,
    Telefax, Handy, Mobil, téléphone, portable, teléfono, móvil, telefone, telefono, cellulare, telefoon, телефон, 电话,
    手机, 電話, 電話番号, 전화, 전화번호, puhelin, telefonszám, τηλέφωνο, هاتف, טלפון, โทรศัพท์, điện thoại, telepon,
    telp, تلفن, फ़ोन, telefonas, sími, telèfon
""")
CONTACT = _vocabulary("""
    email, e mail, mail, email address, website, web site, web, web page, url, homepage, home page, domain, Webseite,
    Internet, courriel, site web, correo, correo electrónico, sito, sito web, почта, сайт, e posta, 邮箱, 网址, メール,
    이메일, sähköposti, อีเมล, correu, www, 电子邮箱, 电子邮件, メールアドレス, 网站, 官网, 网页, ホームページ, サイト,
    ウェブサイト, 홈페이지, 웹사이트, página web, sitio web, pec, strona www, website url
""")
DATE = _vocabulary("""
    date, date of birth, birth date, birthdate, dob, birthday, founded, incorporated, incorporation date, Datum,
    Geburtsdatum, Gründungsdatum, Gründung, date de naissance, date de création, fecha, fecha de nacimiento, data,
    data de nascimento, data di nascita, geboortedatum, дата, дата рождения, tarih, 日期, 出生日期, 日付, 生年月日,
    날짜, dátum, tanggal, تاریخ, 成立日期, 成立时间, 设立日期, 設立日, 設立年月日, 創業日, 설립일, fecha de alta,
    fecha de constitución, data de fundação, data costituzione, data założenia, oprichtingsdatum, stiftelsesdato
""")
NUMBER = _vocabulary("""
    employees, headcount, revenue, turnover, sales, year founded, founding year, price, capital, latitude, longitude,
    lat, lon, lng, age, size, Mitarbeiter, Umsatz, effectif, empleados, ventas, dipendenti, fatturato, omzet, выручка,
    注册资本
""")
CATEGORY = _vocabulary("""
    type, kind, category, class, segment, sector, industry, sic, naics, legal form, gender, sex, Art, Typ, Branche,
    Rechtsform, Kategorie, Geschlecht, forme juridique, activité, ape, naf, tipo, forma jurídica, actividad, cnae,
    atividade, settore, attività, rechtsvorm, sbi, pkd, forma prawna, тип, вид, категория, оквэд, tür, sektör, 类型,
    行业, 種別, 業種, 업종, agency, brand, manufacturer, Marke, Hersteller, marque, marca, 品牌, ブランド
""")
FURTHER_NAME = _vocabulary("""
    trade name, tradename, trading name, trading as, short name, alias, aka, dba, doing business as, former name,
    previous name, other name, legal name, name 2, name2, alternative name, nom commercial, enseigne, sigle,
    nombre comercial, nome fantasia, nome commerciale, краткое наименование, früherer name, Kurzname, Handelsname,
    handelsnaam, 简称, 曾用名, 旧社名
""")
