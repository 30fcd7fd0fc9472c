"""Invent the holders of specimen documents: names, dates and numbers of people who do not exist."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from benchmarks.second_renderer import mrz

SURNAMES = (
    "Abernathy", "Àvila", "Bäumler", "Björnsdóttir", "Castellanos", "Çelik", "Dąbrowska", "de la Fuente", "D'Amico",
    "Eskelinen", "Fitzgerald", "Gößling", "Grønlund", "Haugen-Solberg", "Ibáñez Quiroga", "İnan", "Jørgensen",
    "Kowalczyk", "Krasniqi", "Lefèvre", "Łukaszewicz", "Mbeki", "Mac an Bhaird", "Müller", "Nagy", "Nguyễn",
    "Novotný", "O'Sullivan", "Okonkwo", "Østergaard", "Papadopoulos", "Petrović", "Quintanilla", "Rask", "Řezníček",
    "Saarinen", "Škvorecký", "Takahashi", "Thorvaldsen", "Uzun", "van den Berg", "Villaseñor", "Wójcik", "Xu",
    "Yılmaz", "Zhuravlyova", "Žižka", "Ng", "Åkerlund", "Sørbø", "Þórðarson", "Guðmundsdóttir", "Fernandes",
    "Oyelaran", "Rajapaksha", "Tshabalala", "Wu", "Bloom",
)  # fmt: skip
LONG_SURNAMES = (
    "Venkatanarasimharajuvaripeta", "Papathanasopoulos-Konstantinidis", "Nascimento de Albuquerque Cavalcanti",
    "Featherstonehaugh-Cholmondeley", "Wolfeschlegelsteinhausen",
)  # fmt: skip
FEMALE = (
    "Agnieszka", "Beatriz", "Chloé", "Daiva", "Elif", "Freya", "Gülşen", "Hélène", "Ingrid", "Jadwiga", "Kübra",
    "Leïla", "Małgorzata", "Noor", "Olivia", "Paloma", "Quyên", "Rūta", "Siobhán", "Tove", "Ulrike", "Valentina",
    "Wanjiru", "Ximena", "Yara", "Zoë", "Anne-Sophie", "Maria",
)  # fmt: skip
MALE = (
    "Ängus", "Bartłomiej", "César", "Dragan", "Émile", "Friedrich", "Gergő", "Håkon", "Ismaël", "Jörg", "Kofi",
    "Lórenz", "Matúš", "Niño", "Oluwaseun", "Pål", "Quentin", "Rubén", "Søren", "Tomáš", "Uğur", "Václav",
    "Wolfgang", "Xavier", "Yusuf", "Żenon", "Jean-Pierre", "Ivan",
)  # fmt: skip
PLACES = (
    "Port Meridian", "Zenith", "Ostrova", "Bellhaven", "Nová Lhota", "Sankt Ulmen", "Três Fontes", "Kirkevik",
    "Aldmoor",
)  # fmt: skip
NATIONALITIES = (
    "AUS", "AUT", "BEL", "BGD", "BRA", "BGR", "CAN", "CHE", "CHL", "CHN", "CIV", "COL", "CYP", "CZE", "D", "DNK",
    "DZA", "EGY", "ESP", "EST", "FIN", "FRA", "GBR", "GHA", "GRC", "HRV", "HUN", "IDN", "IND", "IRL", "ISL", "ISR",
    "ITA", "JPN", "KEN", "KOR", "LKA", "LTU", "LUX", "LVA", "MAR", "MEX", "MLT", "NGA", "NLD", "NOR", "NZL", "PAK",
    "PER", "PHL", "POL", "PRT", "ROU", "SEN", "SGP", "SVK", "SVN", "SWE", "THA", "TUN", "TUR", "UKR", "URY", "USA",
    "UGA", "VNM", "ZAF", "XXA", "XXB", "XXC", "UNO", "GBN", "GBO",
)  # fmt: skip

CODES = {
    "TD1": ("I", "ID", "IR", "A", "AR", "C", "CA"),
    "TD2": ("I", "ID", "I", "A", "C"),
    "TD3": ("P", "P", "P", "PD", "PO", "PE", "PS"),
    "MRV-A": ("V", "V", "VD", "VS", "VT"),
    "MRV-B": ("V", "V", "VN", "VC"),
}
TODAY = date(2026, 1, 1)
"""Dates are drawn about this day, so that a picture does not depend on when it was rendered."""


@dataclass(frozen=True, slots=True)
class Holder:
    """What the visual zone prints. ``birth_date`` and ``expiry_date`` are ``YYYY-MM-DD``; unknown parts are ``XX``."""

    document_code: str
    surname: str
    given_names: str
    document_number: str
    nationality: str
    birth_date: str
    sex: str
    issue_date: str
    expiry_date: str
    place: str
    optional_data: str = ""
    optional_data_2: str = ""
    issuing_state: str = "UTO"

    def entry(self) -> mrz.Entry:
        """The same person as the machine-readable zone wants them."""
        return mrz.Entry(
            document_code=self.document_code,
            issuing_state=self.issuing_state,
            surname=self.surname,
            given_names=self.given_names,
            document_number=self.document_number,
            nationality=self.nationality,
            birth_date=short_date(self.birth_date),
            sex="<" if self.sex == "X" else self.sex,
            expiry_date=short_date(self.expiry_date),
            optional_data=self.optional_data,
            optional_data_2=self.optional_data_2,
        )

    def fields(self) -> dict[str, str]:
        """The printed fields by the names that the ground truth uses."""
        return {
            "surname": self.surname.upper(),
            "given_names": self.given_names.upper(),
            "document_number": self.document_number,
            "nationality": self.nationality,
            "birth_date": self.birth_date,
            "sex": self.sex,
            "expiry_date": self.expiry_date,
            "issuing_state": self.issuing_state,
        }


def short_date(text: str) -> str:
    """``YYYY-MM-DD`` as ``YYMMDD``, unknown parts as ``<<``."""
    return text[2:4] + text[5:7].replace("XX", "<<") + text[8:10].replace("XX", "<<")


def _characters(random: np.random.Generator, pattern: str) -> str:
    sets = {"L": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "D": "0123456789", "M": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    return "".join(sets[kind][int(random.integers(len(sets[kind])))] for kind in pattern)


def draw_holder(format: str, random: np.random.Generator) -> Holder:
    """A person and their document for ``format``."""

    def pick(options: tuple[str, ...]) -> str:
        return options[int(random.integers(len(options)))]

    sex = pick(("F", "M", "F", "M", "F", "M", "F", "M", "F", "M", "F", "M", "X"))
    surname = pick(LONG_SURNAMES) if random.random() < 0.04 else pick(SURNAMES)
    if random.random() < 0.12:
        surname = f"{surname}-{pick(SURNAMES)}"
    names = FEMALE if sex == "F" or (sex == "X" and random.random() < 0.5) else MALE
    count = int(random.choice([1, 1, 1, 2, 2, 3]))
    given = " ".join(pick(names) for _ in range(count))
    if random.random() < 0.02:
        given = ""
    age = int(random.integers(18 * 365, 85 * 365))
    birth = (TODAY - timedelta(days=age)).isoformat()
    if random.random() < 0.015:
        birth = birth[:8] + "XX" if random.random() < 0.6 else birth[:5] + "XX-XX"
    valid_years = 10 if format in ("TD1", "TD2", "TD3") else 2
    issued = TODAY - timedelta(days=int(random.integers(30, (valid_years - 1) * 365)))
    expires = issued + timedelta(days=365 * valid_years + valid_years // 4 - 1)
    pattern = pick(
        ("LDDDDDDDD", "LLDDDDDDD", "DDDDDDDDD", "LMMMMMMMM", "MMMMMMMMM", "LLDDDDD", "LDDDDDDL", "DDLLDDDDD")
    )
    if format == "TD1" and random.random() < 0.08:
        pattern = "LLDDDDDDDDDD"
    optional, second = "", ""
    roll = random.random()
    if format == "TD3" and roll < 0.5:
        optional = _characters(random, pick(("DDDDDDDDDD", "DDDDDDDDDDDDDD", "LLDDDDDDL", "DDDDDDLDDDD")))
    elif format == "TD1" and roll < 0.35:
        optional = _characters(random, pick(("DDDDDDDD", "LDDDDDDDDL", "DDDDDDDDDDD"))) if len(pattern) <= 9 else ""
        second = _characters(random, pick(("DDDDDDDDDDD", "DDDDDD"))) if random.random() < 0.4 else ""
    elif format == "TD2" and roll < 0.4:
        optional = _characters(random, pick(("DDDDDDD", "LDDDDD")))
    elif format in ("MRV-A", "MRV-B") and roll < 0.6:
        optional = _characters(random, pick(("LDDDDD", "MMMMMMMM", "DDDDDDDD")))
    return Holder(
        document_code=pick(CODES[format]),
        surname=surname,
        given_names=given,
        document_number=_characters(random, pattern),
        nationality="UTO" if random.random() < 0.4 else pick(NATIONALITIES),
        birth_date=birth,
        sex=sex,
        issue_date=issued.isoformat(),
        expiry_date=expires.isoformat(),
        place=pick(PLACES),
        optional_data=optional,
        optional_data_2=second,
    )


def altered_dates(holder: Holder, random: np.random.Generator) -> Holder:
    """The same holder with one date moved, as a forger would: made valid again, or made older or younger."""
    if random.random() < 0.5 or "X" in holder.birth_date:
        return replace(
            holder,
            expiry_date=str(int(holder.expiry_date[:4]) + int(random.integers(1, 8))) + holder.expiry_date[4:8] + "28",
        )
    year = int(holder.birth_date[:4]) + int(random.choice([-9, -6, -5, -4, -3, 3, 4, 5, 6, 9]))
    return replace(holder, birth_date=f"{year}{holder.birth_date[4:8]}{1 + int(random.integers(28)):02d}")


def altered_visual(holder: Holder, random: np.random.Generator) -> Holder:
    """The same holder with one field of the visual zone changed: surname, document number or birth date."""
    choice = int(random.integers(3))
    if choice == 0:
        others = [name for name in SURNAMES if mrz.transliterate(name)[:3] != mrz.transliterate(holder.surname)[:3]]
        return replace(holder, surname=others[int(random.integers(len(others)))])
    if choice == 1:
        digits = [index for index, character in enumerate(holder.document_number) if character.isdigit()]
        number = list(holder.document_number)
        for index in random.choice(digits, size=min(2, len(digits)), replace=False):
            number[index] = str((int(number[index]) + 1 + int(random.integers(8))) % 10)
        return replace(holder, document_number="".join(number))
    year = int(holder.birth_date[:4]) + int(random.choice([-7, -5, -3, 3, 5, 7]))
    return replace(holder, birth_date=f"{year}{holder.birth_date[4:]}")
