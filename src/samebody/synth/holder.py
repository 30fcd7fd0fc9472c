"""Who a specimen is issued to: invented people with names of many languages in Latin script, drawn from a seed."""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

REFERENCE_DATE = date(2026, 1, 1)
"""The day specimens are dated from, so that a seed gives the same document for ever; they expire 2029 or later."""


@dataclass(frozen=True, slots=True)
class Holder:
    """What is printed about the holder and the document.

    Attributes:
        surname, given_names: as printed in the visual zone, capitals with diacritics.
        sex: ``F``, ``M`` or ``X`` (unspecified).
        birth_date, issue_date, expiry_date: ``YYYY-MM-DD``; unknown parts of the birth date are ``X``.
        document_number: letters and digits; more than 9 characters only on TD1 and TD2.
        nationality, issuing_state: codes of Doc 9303 part 3, section 5, without fillers.
        document_code: one or two letters (``P``, ``ID``, ``AC``, ``V`` ...).
        personal_number: optional data, may be empty.
        place_of_birth, authority: free text of the visual zone.
    """

    surname: str
    given_names: str
    sex: str
    birth_date: str
    expiry_date: str
    document_number: str
    issue_date: str
    nationality: str = "UTO"
    issuing_state: str = "UTO"
    document_code: str = "P"
    personal_number: str = ""
    place_of_birth: str = "ZENITH"
    authority: str = "PASSPORT OFFICE"


# Surnames | women's names | men's names, each line one language or region. Given names are combined by the drawing.
_NAMES = """
ERIKSSON ÅKERSTRÖM SJÖBERG HÄGGLUND LINDQVIST|ANNA ÅSA MÄRTA LINNÉA ELSA|ERIK GÖRAN BJÖRN HÅKAN LARS
HANSEN SØRENSEN KJÆR NØRGÅRD BRØNDUM|METTE BIRGIT SØS LÆRKE INGRID|SØREN JØRGEN KÅRE BÅRD MAGNUS
ÞÓRSDÓTTIR SIGURÐARDÓTTIR GUÐMUNDSSON|ÞÓRA GUÐRÚN SIGRÍÐUR|ÞORSTEINN GUÐJÓN ÓLAFUR
VIRTANEN MÄKELÄ HÄMÄLÄINEN YLÖNEN|AINO ÄLMA TUULI VÄINÖMARJA|VÄINÖ PEKKA JYRKI ÅKE
MÜLLER VON DER HÖHE|URSULA JÖRDIS HANNELORE GRETCHEN|JÜRGEN HANS-JÖRG GÖTZ KARL-HEINZ
GROSSMANN SCHÄFER-KÖNIG STRÖBELE WEISSENBERGER|MARIA ELISABETH KÄTHE|WOLFGANG BÄRBEL LOTHAR MAXIMILIAN
DUPONT LEFÈVRE D'ARTAGNAN BEAUCHÊNE-LAFORÊT|HÉLÈNE CHLOÉ ANAÏS MARIE-FRANÇOISE|FRANÇOIS RENÉ JEAN-BAPTISTE LOÏC
ROSSI D'ANGELO DE LUCA|NICCOLETTA BEATRICE MARIA GRAZIA|NICCOLÒ GIOSUÈ PIERGIORGIO
GARCÍA NÚÑEZ MUÑOZ-PEÑALVER IBÁÑEZ|MARÍA BEGOÑA CONCEPCIÓN|JOSÉ IÑIGO ÁNGEL SEBASTIÁN
GONÇALVES DA CONCEIÇÃO SIMÕES GUIMARÃES|CONCEIÇÃO INÊS ASSUNÇÃO|JOÃO ESTÊVÃO SEBASTIÃO
BRZĘCZYSZCZYKIEWICZ WÓJCIK ŻÓŁKIEWSKI ŚWIĘTOCHOWSKA|ŁUCJA MAŁGORZATA GRAŻYNA|ŁUKASZ GRZEGORZ STANISŁAW
NOVÁKOVÁ DVOŘÁK ŠŤASTNÝ ČERNÝ|ŽANETA BOŽENA KATEŘINA|ONDŘEJ JIŘÍ ZDENĚK
HORVÁTH SZENTGYÖRGYI KOVÁCSNÉ ŐRI|ZSÓFIA ERZSÉBET GYÖNGYVÉR|LÁSZLÓ GYÖRGY ÖDÖN
IONESCU ȘTEFĂNESCU ȚĂRANU|ȘTEFANIA RUXANDRA MĂDĂLINA|ȘTEFAN IONUȚ BOGDAN
HORVAT ĐURIĆ ŽIVKOVIĆ ŠĆEPANOVIĆ|ŽELJKA ĐURĐA SNJEŽANA|ŽELJKO ĐORĐE KREŠIMIR
KRASNIQI ÇELA HOXHA|SHQIPE ÇLIRIMTARE DRITA|GËZIM AGRON BËRAT
YILMAZ ÇELİK ÖZTÜRK ŞAHİNOĞLU|AYŞE GÜLŞEN İPEK|İBRAHİM OĞUZHAN ÇAĞRI
ĀBOLIŅA BĒRZIŅŠ ŠĶĒLE|ILZE ŅIKOLA ĒRIKA|JĀNIS ĢIRTS KĀRLIS
KAZLAUSKAITĖ ŽUKAUSKAS ŠIMKŪNAS|EGLĖ ŽIVILĖ RŪTA|ŽYGIMANTAS ŠARŪNAS JONAS
BORG GĦAWDXI CAMILLERI|ĠORĠA MARIJA KARMNI|ĠORĠ ĦANI MIKIEL
O'CONNOR MCALLISTER-BÉARA NÍ DHOMHNAILL|SIOBHÁN AOIFE CAOIMHE|SEÁN PÁDRAIG TADHG
SMITH FEATHERSTONEHAUGH LLEWELLYN|ELIZABETH JANE CERIDWEN|JOHN CHRISTOPHER RHŶS
VAN DER BERG VAN DEN BOOGAARD DE JONG|ANNELIES FEMKE JANTIEN|JOOST BARTHOLOMEÜS WILLEM
NGUYỄN TRẦN PHẠM|THỊ HƯƠNG NGỌC ÁNH|VĂN ĐỨC QUỐC
ABDULRAHMAN AL-MANSOURI BIN HASHIM|FATIMA NOOR ZAYNAB|MOHAMMED ABDALLAH YOUSSEF
OKONKWO ADÉWALÉ ỌLÁDIPỌ|ADAEZE FỌLÁKẸ NGOZI|CHUKWUEMEKA OLUWASEUN TÚNDÉ
RAKOTOMALALA ANDRIANAMPOINIMERINA RAZAFINDRAKOTO|VOAHANGY HANITRINIAINA|ANDRY MAMINIAINA
NILAVADHANANANDA SRISAI WATTANAPANIT|CHAYAPA KRASUANG MALEE|DEJTHAMRONG SOMCHAI
TANAKA YAMAGUCHI SAITŌ|YŪKO HARUKA MIDORI|KENJIRŌ SHŌTA TARŌ
LI WU XÚ|MEI XIAOLING NÜ|WEI JIANGUO BO
SINGH CHATTERJEE VENKATARAMANAN|LAKSHMI ANANYA PRIYADARSHINI|ARJUN RAMACHANDRAN HARPREET
KEALOHA KAMĀMALU TE WHĀNAU|LEILANI AROHA KŌWHAI|KEKOA TĀNE MANAIA
"""
_PLACES = (
    "ZENITH", "ÎLE-SUR-MER", "NEUSTADT", "PORT AMAUROT", "ANYDER", "ÅLUND", "SAN RAFAEL", "ŁĄKA", "HYTHLODAY",
    "NOVÝ BROD", "KYRIOS", "VILLE-NEUVE", "QUADRA", "BRIDGEND", "ABRAXA", "MENTIRANO",
)  # fmt: skip
_AUTHORITIES = ("PASSPORT OFFICE", "MINISTRY OF THE INTERIOR", "CITY OF AMAUROT", "ZENITH", "CIVIL REGISTRY")
_SPECIAL_NATIONALITIES = ("XXA", "XXB", "XXC", "XXX", "UNO", "UNA", "XOM", "XPO", "EUE", "GBD", "GBN", "D")


def _language(line: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    surnames, women, men = line.split("|")
    return tuple(_surnames(surnames)), tuple(women.split()), tuple(men.split())


def _surnames(text: str) -> list[str]:
    """Words of ``text``; particles stay with the word that follows them."""
    particles = {"VON", "DER", "DE", "DA", "VAN", "DEN", "AL", "BIN", "NÍ", "TE"}
    names: list[str] = []
    pending: list[str] = []
    for word in text.split():
        pending.append(word)
        if word not in particles:
            names.append(" ".join(pending))
            pending = []
    return names


_LANGUAGES = tuple(_language(line) for line in _NAMES.strip().splitlines())


def draw_holder(random: np.random.Generator, format: str = "TD3") -> Holder:
    """An invented holder of a document of ``format``.

    One in eight has a second surname, about four in ten a second given name and one in eight a third; one in ten has
    a special nationality code, one in fifteen a birth date with unknown parts, one in five TD1 cards a number of more
    than nine characters.
    """
    surnames, women, men = _LANGUAGES[random.integers(len(_LANGUAGES))]
    sex = ("F", "M", "F", "M", "F", "M", "F", "M", "X")[random.integers(9)]
    givens = women if sex == "F" or (sex == "X" and random.random() < 0.5) else men
    surname = surnames[random.integers(len(surnames))]
    if random.random() < 0.125:
        other = surnames[random.integers(len(surnames))]
        surname = surname if other == surname else f"{surname} {other}"
    count = min(len(givens), 1 + (random.random() < 0.42) + (random.random() < 0.13))
    given = " ".join(givens[place] for place in random.choice(len(givens), size=count, replace=False))
    birth = REFERENCE_DATE - timedelta(days=int(random.integers(18 * 366, 82 * 365)))
    expiry = REFERENCE_DATE + timedelta(days=int(random.integers(3 * 366, 10 * 365 - 25)))
    years = 10 if random.random() < 0.8 else 5
    issue = min(expiry - timedelta(days=years * 365 + 2), REFERENCE_DATE - timedelta(days=20))
    holder = Holder(
        surname=surname,
        given_names=given,
        sex=sex,
        birth_date=_birth_date(birth, random),
        expiry_date=expiry.isoformat(),
        document_number=_document_number(random, format),
        issue_date=issue.isoformat(),
        nationality=_SPECIAL_NATIONALITIES[random.integers(len(_SPECIAL_NATIONALITIES))]
        if random.random() < 0.1
        else "UTO",
        document_code=_document_code(random, format),
        personal_number=_personal_number(random, format),
        place_of_birth=_PLACES[random.integers(len(_PLACES))],
        authority=_AUTHORITIES[random.integers(len(_AUTHORITIES))],
    )
    if format.startswith("MRV"):  # a visa is valid for months, and starts when it is issued
        start = REFERENCE_DATE + timedelta(days=int(random.integers(3 * 366, 5 * 365)))
        holder = replace(holder, issue_date=start.isoformat(), expiry_date=(start + timedelta(days=180)).isoformat())
    return holder


def _birth_date(day: date, random: np.random.Generator) -> str:
    text = day.isoformat()
    if random.random() >= 1 / 15:
        return text
    known = random.integers(3)
    return f"{text[:7]}-XX" if known == 0 else f"{text[:4]}-XX-XX" if known == 1 else "XXXX-XX-XX"


def _draw(random: np.random.Generator, pattern: str) -> str:
    """``L`` a letter, ``9`` a digit, ``*`` either; other characters stay."""
    choices = {"L": string.ascii_uppercase, "9": string.digits, "*": string.ascii_uppercase + string.digits}
    return "".join(choices[c][random.integers(len(choices[c]))] if c in choices else c for c in pattern)


def _document_number(random: np.random.Generator, format: str) -> str:
    if format == "TD1" and random.random() < 0.2:
        patterns: tuple[str, ...] = ("L99999999999", "LL9999999999", "***********", "9999999999L", "**************")
    else:
        patterns = ("L99999999", "LL9999999", "L9999999", "999999999", "L********", "LL99LL999", "9L9L9L9L9")
    return _draw(random, patterns[random.integers(len(patterns))])


def _document_code(random: np.random.Generator, format: str) -> str:
    codes = {
        "TD1": ("ID", "I", "AC", "C", "IR"),
        "TD2": ("I", "ID", "A", "C", "IR"),
        "TD3": ("P", "P", "P", "PP", "PD", "PS", "PO"),
        "MRV-A": ("V", "VC", "VD"),
        "MRV-B": ("V", "VC", "VS"),
    }[format]
    return codes[random.integers(len(codes))]


def _personal_number(random: np.random.Generator, format: str) -> str:
    patterns = {
        "TD1": ("", "", "9999999999", "LL99999"),
        "TD2": ("", "", "9999999", "L9999"),
        "TD3": ("", "", "9999999999", "99999999999999", "LL999999L"),
        "MRV-A": ("", "9999999", "ML9999999"),
        "MRV-B": ("", "9999999", "L999999"),
    }[format]
    return _draw(random, patterns[random.integers(len(patterns))])
