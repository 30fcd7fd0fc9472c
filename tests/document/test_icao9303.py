"""The zone's parser and composer: the examples of Doc 9303, round trips, and nothing outside typed errors."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.document.dates import birth_date, expiry_date
from samebody.document.icao9303 import (
    LAYOUTS,
    MrzData,
    MrzFormatError,
    MrzValueError,
    check_digit,
    compose,
    detect_format,
    parse,
)
from samebody.document.mrz_strip import ALPHABET
from samebody.document.names import transliterate
from samebody.document.types import MrzFormat
from samebody.errors import SamebodyError

TODAY = date(2026, 6, 1)

# The specimens of Doc 9303 parts 4, 5, 6 and 7.
TD3 = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
TD1 = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
MRV_A = ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8988901C4XXX4009078F96121096ZE184226B<<<<<<")
MRV_B = ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "L8988901C4XXX4009078F9612109<<<<<<<<")
TD1_LONG = ("I<UTOD23145890<7349<<<<<<<<<<<", "3407127M9507122UTO<<<<<<<<<<<2", "STEVENSON<<PETER<JOHN<<<<<<<<<")


@pytest.mark.parametrize(
    ("lines", "layout", "number"),
    [
        (TD3, MrzFormat.TD3, "L898902C3"),
        (TD1, MrzFormat.TD1, "D23145890"),
        (TD2, MrzFormat.TD2, "D23145890"),
        (MRV_A, MrzFormat.MRV_A, "L8988901C"),
        (MRV_B, MrzFormat.MRV_B, "L8988901C"),
        (TD1_LONG, MrzFormat.TD1, "D23145890734"),
    ],
)
def test_the_specimens_of_doc_9303_are_valid(lines: tuple[str, ...], layout: MrzFormat, number: str) -> None:
    parsed = parse(lines, TODAY)
    assert parsed.format is layout
    assert parsed.valid
    assert parsed.document_number == number


def test_every_field_of_the_passport_specimen() -> None:
    parsed = parse(TD3, TODAY)
    assert (parsed.names.primary, parsed.names.secondary, parsed.names.truncated) == ("ERIKSSON", "ANNA MARIA", False)
    assert (parsed.birth.iso, parsed.expiry.iso, parsed.sex) == ("1974-08-12", "2012-04-15", "F")
    assert (parsed.issuing_state, parsed.nationality, parsed.optional_data) == ("UTO", "UTO", "ZE184226B")
    assert [check.name for check in parsed.checks] == [
        "document_number",
        "birth_date",
        "expiry_date",
        "optional_data",
        "composite",
    ]


def test_visas_have_no_composite_digit() -> None:
    assert "composite" not in {check.name for check in parse(MRV_A, TODAY).checks}
    assert "composite" not in {check.name for check in parse(MRV_B, TODAY).checks}


def test_an_empty_personal_number_may_have_a_filler_for_its_digit() -> None:
    second = "L898902C36UTO7408122F1204159" + "<" * 14
    for printed in "<0":
        body = second + printed
        composite = check_digit(body[0:10] + body[13:20] + body[21:43])
        assert parse((TD3[0], body + composite), TODAY).valid


def _flip(line: str, column: int, character: str) -> str:
    return line[:column] + character + line[column + 1 :]


@given(st.data())
def test_every_single_misread_digit_under_a_check_digit_is_noticed(data: st.DataObject) -> None:
    layout = LAYOUTS[MrzFormat.TD3]
    spec = data.draw(st.sampled_from([layout.field("birth_date"), layout.field("expiry_date")]))
    column = data.draw(st.integers(spec.start, spec.end - 1))
    original = TD3[1][column]
    other = data.draw(st.sampled_from([c for c in "0123456789" if c != original]))
    assert not parse((TD3[0], _flip(TD3[1], column, other)), TODAY).valid


def test_a_check_digit_cannot_tell_look_alikes_apart() -> None:
    for first, second in ("G6", "L1", "S8", "Y4", "U0", "K<", "0<"):
        assert check_digit(first) == check_digit(second)


@given(st.text(alphabet=ALPHABET, max_size=44))
def test_the_check_digit_agrees_with_the_long_way(text: str) -> None:
    values = {c: i for i, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
    total = sum(values.get(c, 0) * (7, 3, 1)[i % 3] for i, c in enumerate(text))
    assert check_digit(text) == str(total % 10)


LETTERS = st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=12)
NAMES = st.lists(LETTERS, min_size=1, max_size=4).map(" ".join)


@st.composite
def zones(draw: st.DrawFn) -> MrzData:
    layout = draw(st.sampled_from(list(MrzFormat)))
    visa = layout in (MrzFormat.MRV_A, MrzFormat.MRV_B)
    longest = 16 if layout is MrzFormat.TD1 else 13 if layout is MrzFormat.TD2 else 9
    number = draw(st.text(alphabet=ALPHABET[:36], min_size=1, max_size=longest))
    room = {MrzFormat.TD1: 15, MrzFormat.TD2: 7, MrzFormat.TD3: 14, MrzFormat.MRV_A: 16, MrzFormat.MRV_B: 8}[layout]
    optional = "" if len(number) > 9 else draw(st.text(alphabet=ALPHABET[:36], max_size=room))
    day = st.dates(date(1930, 1, 1), date(2026, 5, 1))
    return MrzData(
        format=layout,
        document_code="V" if visa else draw(st.sampled_from(["P", "I", "AC", "C"])),
        issuing_state=draw(st.sampled_from(["UTO", "D", "XXA", "GBR", "RKS"])),
        surname=draw(NAMES),
        given_names=draw(st.one_of(st.just(""), NAMES)),
        document_number=number,
        nationality=draw(st.sampled_from(["UTO", "D", "XXB", "GBD"])),
        birth_date=draw(day).strftime("%y%m%d"),
        sex=draw(st.sampled_from("MFX")),
        expiry_date=draw(st.dates(date(2020, 1, 1), date(2060, 1, 1))).strftime("%y%m%d"),
        optional_data=optional,
    )


@given(zones())
def test_what_is_composed_is_parsed_back(data: MrzData) -> None:
    lines = compose(data)
    assert detect_format(lines) is data.format
    parsed = parse(lines, TODAY)
    assert parsed.valid
    assert parsed.document_number == data.document_number
    assert parsed.issuing_state == data.issuing_state
    assert parsed.nationality == data.nationality
    assert parsed.sex == data.sex
    assert parsed.birth.raw == data.birth_date
    assert parsed.optional_data == data.optional_data
    if not parsed.names.truncated:
        assert parsed.names.primary == data.surname
        assert parsed.names.secondary == data.given_names


@given(zones())
def test_generator_and_parser_agree_on_names(data: MrzData) -> None:
    spec = LAYOUTS[data.format].field("names")
    field = compose(data)[spec.line][spec.start : spec.end]
    whole = transliterate(data.surname) + ("<<" + transliterate(data.given_names) if data.given_names else "")
    if len(whole) <= spec.end - spec.start:
        assert field.rstrip("<") == whole
    elif data.given_names:
        assert "<<" in field.rstrip("<")


@given(st.lists(st.text(max_size=50), max_size=4))
def test_no_text_brings_anything_but_typed_errors(lines: list[str]) -> None:
    try:
        parse(lines, TODAY)
    except SamebodyError as error:
        assert isinstance(error, MrzFormatError)
        assert error.code == "document.mrz_format"


@given(st.sampled_from([(3, 30), (2, 36), (2, 44)]), st.randoms(use_true_random=False))
def test_no_lines_of_the_right_shape_bring_an_error(shape: tuple[int, int], random: object) -> None:
    choice = random.choice  # type: ignore[attr-defined]
    lines = tuple("".join(choice(ALPHABET) for _ in range(shape[1])) for _ in range(shape[0]))
    parsed = parse(lines, TODAY)
    assert parsed.lines == lines
    assert all(check.computed.isdigit() for check in parsed.checks)


def test_wrong_shapes_are_refused_with_a_hint() -> None:
    for lines in ((), ("A" * 44,), ("A" * 44, "A" * 36), ("a" * 44, "a" * 44), ("é" * 30,) * 3):
        with pytest.raises(MrzFormatError) as caught:
            parse(lines, TODAY)
        assert caught.value.hint


def test_the_composer_refuses_what_does_not_fit() -> None:
    good = MrzData(MrzFormat.TD3, "P", "UTO", "DOE", "JO", "123456789", "UTO", "900101", "M", "300101")
    assert parse(compose(good), TODAY).valid
    bad = {"document_number": "1234567890", "birth_date": "9001", "issuing_state": "UT0", "optional_data_2": "1"}
    for name, value in bad.items():
        with pytest.raises(MrzValueError):
            compose(MrzData(**({n: getattr(good, n) for n in good.__slots__} | {name: value})))


class TestCenturies:
    def test_a_birth_date_is_the_latest_that_is_past(self) -> None:
        assert birth_date("260601", TODAY).iso == "2026-06-01"
        assert birth_date("260602", TODAY).iso == "1926-06-02"
        assert birth_date("740812", TODAY).iso == "1974-08-12"

    def test_an_expiry_date_lies_within_fifty_years(self) -> None:
        assert expiry_date("120415", TODAY).iso == "2012-04-15"
        assert expiry_date("750101", TODAY).iso == "2075-01-01"
        assert expiry_date("760101", TODAY).iso == "1976-01-01"

    @given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.dates(date(1901, 1, 1), date(2099, 12, 31)))
    def test_birth_dates_under_a_hundred_years_come_back(self, today: date, born: date) -> None:
        if born <= today and (today.year - born.year < 99):
            assert birth_date(born.strftime("%y%m%d"), today).earliest == born

    def test_unknown_parts_stay_unknown(self) -> None:
        assert birth_date("74<<<<", TODAY).iso == "1974-XX-XX"
        assert birth_date("<<<<<<", TODAY).iso == "XXXX-XX-XX"
        assert not birth_date("74<<<<", TODAY).complete
        assert birth_date("7408<<", TODAY).latest == date(1974, 8, 31)

    def test_impossible_dates_say_why(self) -> None:
        assert "month 13" in birth_date("741312", TODAY).problem
        assert "no day 30" in birth_date("750230", TODAY).problem
        assert birth_date("7<0812", TODAY).problem
        assert not birth_date("720229", TODAY).problem
