from __future__ import annotations

import itertools
from datetime import date

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.document.recognise import Character, TextLine
from samebody.document.text_match import (
    are_confusable,
    differs_only_by_confusion,
    distance,
    find_dates,
    letters_and_digits,
    similarity,
    transliterations,
)
from samebody.document.types import MrzField, MrzFormat, MrzReading, Page
from samebody.document.visual_fields import VisualLine, find_fields, label_names
from samebody.document.visual_zone import VisualZoneReader, _spaced, ink_map
from samebody.types import Box

CORNERS = ((0.0, 0.0),) * 4


def line(text: str, x: float = 40, y: float = 0, height: float = 20, confidence: float = 0.99) -> VisualLine:
    width = 0.6 * height * len(text)
    return VisualLine(text, confidence, (confidence,) * len(text), (0.0,) * len(text), Box(x, y, width, height))


def mrz(**values: str) -> MrzReading:
    fields = {name: MrzField(name, value, value, 0.99, ("check_digit",)) for name, value in values.items()}
    return MrzReading(MrzFormat.TD3, (), fields, (), CORNERS, (), ())


# ---------------------------------------------------------------------- text and dates


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12 AUG/AOÛT 1974", "1974-08-12"),
        ("12 August 1974", "1974-08-12"),
        ("Date of birth 12.08.1974 Paris", "1974-08-12"),
        ("1974-08-12", "1974-08-12"),
        ("12/08/1974", "1974-08-12"),
        ("O1 JAN / JAN 2O20", "2020-01-01"),
        ("4 MÄRZ 1999", "1999-03-04"),
        ("15 SEP/SET 2031", "2031-09-15"),
        ("03 DIC 2027", "2027-12-03"),
        ("12AUG1974", "1974-08-12"),
        ("20121957", "1957-12-20"),
        ("XX.12.1948", "1948-12-XX"),
        ("XX XXX 1948", "1948-XX-XX"),
    ],
)
def test_dates_are_read_in_many_formats(text: str, value: str) -> None:
    assert [found.value for found in find_dates(text)] == [value]


@pytest.mark.parametrize("text", ["31.02.2000", "P<UTOERIKSSON", "L898902C3", "99.99.2020", "ZE184226B", ""])
def test_what_is_no_date_is_not_read_as_one(text: str) -> None:
    assert find_dates(text) == ()


def test_two_dates_on_a_line_are_both_found_in_order() -> None:
    assert [found.value for found in find_dates("18 07 2019 17 07 2029")] == ["2019-07-18", "2029-07-17"]


def test_swapped_day_and_month_is_kept_as_an_alternative() -> None:
    assert find_dates("04/05/2020")[0].alternatives == ("2020-04-05",)


def test_a_letter_taken_for_a_digit_makes_a_date_unclean() -> None:
    assert find_dates("12.08.1974")[0].clean
    assert not find_dates("I2.08.1974")[0].clean


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(2099, 12, 31)))
def test_every_day_of_two_centuries_is_read_back(day: date) -> None:
    assert find_dates(day.strftime("%d %b %Y").upper())[0].value == day.isoformat()
    assert find_dates(day.isoformat())[0].value == day.isoformat()
    assert find_dates(day.strftime("%d.%m.%Y"))[0].value == day.isoformat()


@given(st.text(max_size=60))
def test_date_search_never_raises(text: str) -> None:
    for found in find_dates(text):
        assert 0 <= found.start < found.end <= len(text)


def test_transliteration_offers_the_forms_that_an_mrz_may_print() -> None:
    forms = transliterations("MÜLLER-ÅBERG")
    assert forms[0] == "MUELLERAABERG"
    assert {"MULLERABERG", "MUELLERABERG"} <= set(forms)
    assert "GROSS" in transliterations("GROß")
    assert transliterations("ÞÓRSDÓTTIR")[0] == "THORSDOTTIR"


def test_letters_and_digits_drops_marks_and_punctuation() -> None:
    assert letters_and_digits(" D'Ángelo-núñez 7 ") == "DANGELONUNEZ7"


def naive_distance(a: str, b: str) -> float:
    if not a or not b:
        return float(len(a) + len(b))
    cost = 0.0 if a[0] == b[0] else 0.35 if are_confusable(a[0], b[0]) else 1.0
    return min(naive_distance(a[1:], b) + 1, naive_distance(a, b[1:]) + 1, naive_distance(a[1:], b[1:]) + cost)


@given(st.text("AO0I1S5X", max_size=5), st.text("AO0I1S5X", max_size=5))
def test_distance_agrees_with_the_naive_recursion(a: str, b: str) -> None:
    assert distance(a, b) == pytest.approx(naive_distance(a, b))
    assert distance(a, b) == pytest.approx(distance(b, a))


def test_confusable_characters_cost_less_than_others() -> None:
    assert similarity("L898902C", "L89B9O2C") > similarity("L898902C", "L89X9W2C")
    assert differs_only_by_confusion("S8O", "58O")
    assert not differs_only_by_confusion("1974", "1984")
    for a, b in itertools.product("G60OS8B", repeat=2):
        assert are_confusable(a, b) == are_confusable(b, a)


# ---------------------------------------------------------------------- labels


def test_labels_in_two_languages_name_their_field() -> None:
    assert dict(label_names("Surname / Nom")).keys() == {"surname"}
    assert dict(label_names("Date of birth / Date de naissance")).keys() == {"birth_date"}
    assert dict(label_names("Passport No. / Passeport No")).keys() == {"document_number"}
    assert dict(label_names("Date ofbirth/ Date de nalssance")).keys() == {"birth_date"}  # as small print is misread
    assert label_names("ERIKSSON") == ()


PAGE = [
    line("Surname / Nom", y=0, height=12),
    line("MÜLLER-ÅBERG", y=20),
    line("Given names / Prénoms", y=50, height=12),
    line("ANNA MARIA", y=70),
    line("Passport No. / Passeport No", x=600, y=0, height=12),
    line("L898902C3", x=600, y=20),
    line("Nationality / Nationalité", y=100, height=12),
    line("UTOPIAN", y=120),
    line("Date of birth / Date de naissance", y=150, height=12),
    line("12 AUG / AOÛT 1974", y=170),
    line("Sex / Sexe", x=600, y=150, height=12),
    line("F", x=600, y=170),
    line("Date of expiry / Date d'expiration", y=200, height=12),
    line("15 APR / AVR 2032", y=220),
]


def test_fields_are_found_by_their_labels_alone() -> None:
    fields = find_fields(PAGE)
    assert {name: entry.value for name, entry in fields.items()} == {
        "surname": "MÜLLER-ÅBERG",
        "given_names": "ANNA MARIA",
        "document_number": "L898902C3",
        "birth_date": "1974-08-12",
        "sex": "F",
        "expiry_date": "2032-04-15",
        "nationality": "UTOPIAN",
    }
    assert {entry.basis for entry in fields.values()} == {"label"}


def test_fields_are_found_without_labels_by_what_the_mrz_says() -> None:
    values = [entry for entry in PAGE if not label_names(entry.text)]
    said = mrz(
        surname="MUELLER AABERG",
        given_names="ANNA MARIA",
        document_number="L898902C3",
        birth_date="1974-08-12",
        expiry_date="2032-04-15",
    )
    fields = find_fields(values, said)
    assert {"surname", "given_names", "document_number", "birth_date", "expiry_date"} <= fields.keys()
    assert all(fields[name].basis == "mrz" and fields[name].exact for name in said.fields)


def test_a_label_and_its_value_on_one_line_are_parted() -> None:
    fields = find_fields([line("Surname: ERIKSSON"), line("Date of birth 12.08.1974", y=40)])
    assert fields["surname"].value == "ERIKSSON"
    assert fields["birth_date"].value == "1974-08-12"


def test_the_text_under_the_label_stands_when_the_mrz_says_otherwise() -> None:
    fields = find_fields(PAGE, mrz(birth_date="1974-08-17", surname="MUELLER AABERG"))
    assert fields["birth_date"].value == "1974-08-12"
    assert fields["birth_date"].basis == "label"


def test_a_truncated_mrz_name_matches_the_full_visual_name() -> None:
    fields = find_fields([line("PAPANDROPOULOUS-KONSTANTINIDES")], mrz(surname="PAPANDROPOULOUS KONSTANTIN"))
    assert fields["surname"].exact


def test_a_date_that_only_its_order_explains_is_taken_for_the_missing_one() -> None:
    lines = [line("12 08 1970", y=0), line("01 02 2022", y=40), line("31 01 2032", y=80)]
    fields = find_fields(lines, mrz(birth_date="1974-08-12", expiry_date="2032-01-31"))
    assert {name: (entry.value, entry.basis) for name, entry in fields.items()} == {
        "birth_date": ("1970-08-12", "remainder"),
        "issue_date": ("2022-02-01", "remainder"),
        "expiry_date": ("2032-01-31", "mrz"),
    }


def test_an_unlabelled_line_above_the_given_names_is_held_against_the_surname() -> None:
    lines = [line("KOWALSKI", y=0), line("ANNA MARIA", y=40), line("SPECIMEN", x=700, y=0)]
    fields = find_fields(lines, mrz(surname="ERIKSSON", given_names="ANNA MARIA"))
    assert (fields["surname"].value, fields["surname"].basis) == ("KOWALSKI", "remainder")


def test_two_dates_read_as_one_line_are_told_apart_by_their_labels() -> None:
    text = "12 NOV 2020 12 NOV 2031"
    both = VisualLine(
        text, 0.99, (0.99,) * len(text), tuple(40.0 + 15 * i for i in range(len(text))), Box(40, 40, 345, 20)
    )
    lines = [line("Date of issue", x=40, height=12), line("Date of expiry", x=220, height=12), both]
    fields = find_fields(lines, mrz(expiry_date="2030-11-12", birth_date="1968-04-22"))
    assert (fields["issue_date"].value, fields["expiry_date"].value) == ("2020-11-12", "2031-11-12")


def test_a_line_that_is_not_clear_is_not_taken_for_the_surname() -> None:
    lines = [line("KOWALSKI", y=0, confidence=0.6), line("ANNA MARIA", y=40)]
    assert "surname" not in find_fields(lines, mrz(surname="ERIKSSON", given_names="ANNA MARIA"))


def test_nothing_is_found_in_nothing() -> None:
    assert find_fields([], mrz(surname="ERIKSSON")) == {}


# ---------------------------------------------------------------------- layout


def drawn_page(texts: list[tuple[str, int, int]], scale: float = 10.0) -> np.ndarray:
    page = np.full((480, 900, 3), 225, np.uint8)
    for text, x, y in texts:
        cv2.putText(page, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (25, 25, 30), 2, cv2.LINE_AA)
    return page


def test_lines_are_located_and_columns_parted() -> None:
    page = drawn_page([("ERIKSSON", 60, 80), ("L898902C3", 500, 80), ("ANNA MARIA", 60, 160)])
    boxes = VisualZoneReader().locate(page, 10.0)
    assert len(boxes) == 3
    left = sorted(boxes, key=lambda box: (box.y > 100, box.x))
    for box, (x, baseline) in zip(left, [(60, 80), (500, 80), (60, 160)]):
        assert abs(box.x - x) < 12
        assert abs(box.y + box.height - baseline) < 8


def test_nothing_is_located_where_it_must_not_look() -> None:
    page = drawn_page([("ERIKSSON", 60, 80), ("ANNA MARIA", 60, 160)])
    boxes = VisualZoneReader().locate(page, 10.0, avoid=[Box(0, 100, 900, 380)])
    assert len(boxes) == 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_page_has_no_lines(value: int) -> None:
    assert VisualZoneReader().locate(np.full((300, 400, 3), value, np.uint8), 5.0) == ()


def test_noise_does_not_make_more_lines_than_the_limit() -> None:
    page = np.random.default_rng(3).integers(0, 256, (400, 600, 3), np.uint8)
    reader = VisualZoneReader(max_lines=5)
    first, second = reader._passes(reader.locate(page, 6.0))
    assert len(first) + len(second) <= 5


def test_ink_in_shadow_is_as_strong_as_ink_in_light() -> None:
    page = drawn_page([("HHHH", 60, 80), ("HHHH", 500, 80)]).astype(np.float32)
    page[:, 450:] *= 0.45
    ink = ink_map(page.astype(np.uint8), 10.0)
    light, shadow = np.quantile(ink[40:100, 50:200], 0.97), np.quantile(ink[40:100, 490:640], 0.97)
    assert shadow == pytest.approx(light, rel=0.15)


class Echo:
    """A recogniser that reads the same text everywhere and counts the crops it was given."""

    def __init__(self, text: str) -> None:
        self.text, self.crops = text, 0

    def recognise(self, crops, charset=None):
        self.crops += len(crops)
        letters = tuple(Character(c, 0.9, 10.0 * i) for i, c in enumerate(self.text))
        return tuple(TextLine(self.text, 0.9, letters) for _ in crops)


def page_of(pixels: np.ndarray, scale: float) -> Page:
    return Page(pixels, CORNERS, np.eye(3), scale, 1.0, True, "both")


def test_the_reader_hands_located_lines_to_the_recogniser() -> None:
    recogniser = Echo("ERIKSSON")
    zone = VisualZoneReader().read(
        page_of(drawn_page([("ERIKSSON", 60, 80)]), 10.0), recogniser, mrz_box=Box(0, 470, 1, 1)
    )
    assert [entry.text for entry in zone.lines] == ["ERIKSSON"]
    assert recogniser.crops == 1
    assert zone.milliseconds > 0


def test_lines_that_read_as_nothing_are_left_out() -> None:
    zone = VisualZoneReader().read(page_of(drawn_page([("ERIKSSON", 60, 80)]), 10.0), Echo("  "))
    assert zone.lines == ()


def test_a_wide_gap_without_a_space_gets_its_space_back() -> None:
    xs = [0, 10, 20, 30, 70, 80, 90, 100]
    letters = tuple(Character(c, 0.9, float(x)) for c, x in zip("20191707", xs))
    assert "".join(c.text for c in _spaced(TextLine("20191707", 0.9, letters))) == "2019 1707"


@pytest.mark.weights
def test_a_printed_line_is_read_with_the_real_recogniser() -> None:
    from samebody.document.recognise import TextRecogniser

    zone = VisualZoneReader().read(
        page_of(drawn_page([("ERIKSSON", 60, 80), ("12.08.1974", 60, 160)]), 10.0), TextRecogniser()
    )
    assert [entry.text for entry in zone.lines] == ["ERIKSSON", "12.08.1974"]
