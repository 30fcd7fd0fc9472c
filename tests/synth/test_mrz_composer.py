"""The composer writes what ICAO Doc 9303 prints in its examples, and what the reader's parser takes apart again."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from samebody.document import icao9303
from samebody.synth.holder import Holder, draw_holder
from samebody.synth.mrz import FORMATS, Format, check_digit, compose, date_field, name_field, transliterate

SHAPES = {"TD1": (3, 30), "TD2": (2, 36), "TD3": (2, 44), "MRV-A": (2, 44), "MRV-B": (2, 36)}


def eriksson(**changes: str) -> Holder:
    values = {
        "surname": "ERIKSSON",
        "given_names": "ANNA MARIA",
        "sex": "F",
        "birth_date": "1974-08-12",
        "expiry_date": "2012-04-15",
        "issue_date": "2007-04-16",
        "document_number": "D23145890",
        "document_code": "I",
    }
    return Holder(**(values | changes))


@pytest.mark.parametrize(
    ("format", "holder", "lines"),
    [
        (
            "TD3",
            eriksson(document_code="P", document_number="L898902C3", personal_number="ZE184226B"),
            ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"),
        ),
        (
            "TD1",
            eriksson(),
            ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"),
        ),
        (
            "TD2",
            eriksson(),
            ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6"),
        ),
        (
            "MRV-A",
            eriksson(
                document_code="V",
                document_number="L8988901C",
                nationality="XXX",
                birth_date="1940-09-07",
                expiry_date="1996-12-10",
                personal_number="6ZE184226B",
            ),
            ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8988901C4XXX4009078F96121096ZE184226B<<<<<<"),
        ),
        (
            "MRV-B",
            eriksson(
                document_code="V",
                document_number="L8988901C",
                nationality="XXX",
                birth_date="1940-09-07",
                expiry_date="1996-12-10",
            ),
            ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "L8988901C4XXX4009078F9612109<<<<<<<<"),
        ),
    ],
)
def test_the_examples_of_doc_9303(format: Format, holder: Holder, lines: tuple[str, ...]) -> None:
    assert compose(format, holder) == lines


def test_a_document_number_of_more_than_nine_characters_continues_in_the_optional_data() -> None:
    holder = eriksson(
        surname="STEVENSON",
        given_names="PETER JOHN",
        sex="M",
        document_number="D23145890734",
        birth_date="1934-07-12",
        expiry_date="1995-07-12",
    )
    assert compose("TD1", holder) == (
        "I<UTOD23145890<7349<<<<<<<<<<<",
        "3407127M9507122UTO<<<<<<<<<<<2",
        "STEVENSON<<PETER<JOHN<<<<<<<<<",
    )


@pytest.mark.parametrize("format", ["TD3", "MRV-A", "MRV-B"])
def test_a_long_document_number_is_refused_where_it_does_not_fit(format: Format) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        compose(format, eriksson(document_number="D23145890734"))


@pytest.mark.parametrize(
    ("surname", "given", "field"),
    [
        ("VAN DER MULLER", "ALEX", "VAN<DER<MULLER<<ALEX<<<<<<<<<<<<<<<<<<<"),
        ("O'CONNOR", "ENYA SIOBHAN", "OCONNOR<<ENYA<SIOBHAN<<<<<<<<<<<<<<<<<<"),
        ("ARKFREITH", "", "ARKFREITH<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<"),
        ("NILAVADHANANANDA", "CHAYAPA DEJTHAMRONG KRASUANG", "NILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<K"),
        (
            "BENNELONG WOOLOOMOOLOO WARRANDYTE WARNAMBOOL",
            "DINGO POTOROO",
            "BENNELONG<WOOLOOMOOLOO<WARRANDYTE<W<<DI",
        ),
    ],
)
def test_names_are_cut_as_doc_9303_shows(surname: str, given: str, field: str) -> None:
    assert name_field(surname, given, 39) == field


@given(
    st.text("ABÇÐÉ -'ÖŁß", min_size=1, max_size=50).filter(transliterate),
    st.text("ABÇÐÉ -'ÖŁß", max_size=50),
    st.sampled_from([30, 31, 39]),
)
@example("AAAAAAAAAAAAAAÖ", "AAAAAAAAA-A-A", 30)
@example("A" * 40, "A-B", 39)
@example("A-" * 30, "B-" * 30, 30)
def test_a_name_field_is_full_or_says_that_it_was_cut(surname: str, given: str, width: int) -> None:
    field = name_field(surname, given, width)
    primary, secondary = transliterate(surname), transliterate(given)
    whole = f"{primary}<<{secondary}" if secondary else primary
    assert len(field) == width
    assert set(field) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ<")
    if len(whole) <= width:
        assert field == whole.ljust(width, "<")
    else:
        assert field[-1] != "<"
        assert "<<<" not in field


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ÅKERSTRÖM", "AAKERSTROEM"),
        ("ÞÓRA GUÐRÚN", "THORA<GUDRUN"),
        ("ŻÓŁKIEWSKI", "ZOLKIEWSKI"),
        ("İPEK", "IPEK"),
        ("NGUYỄN THỊ", "NGUYEN<THI"),
        ("GROẞ", "GROSS"),
        ("D'ARTAGNAN", "DARTAGNAN"),
        ("HANS-JÖRG", "HANS<JOERG"),
        ("MÜLLER", "MUELLER"),
        ("ȘTEFĂNESCU", "STEFANESCU"),
    ],
)
def test_letters_with_marks_are_transliterated(text: str, plain: str) -> None:
    assert transliterate(text) == plain


def test_unknown_parts_of_a_date_are_fillers() -> None:
    assert [date_field(text) for text in ("1974-08-12", "1974-08-XX", "1974-XX-XX", "XXXX-XX-XX")] == [
        "740812",
        "7408<<",
        "74<<<<",
        "<<<<<<",
    ]


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<", max_size=40))
def test_check_digits_agree_with_the_readers(text: str) -> None:
    assert check_digit(text) == str(icao9303.check_digit(text))


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_composed_parses_back_with_every_check_digit_right(format: Format) -> None:
    random = np.random.default_rng(9303)
    for _ in range(400):
        holder = draw_holder(random, format)
        lines = compose(format, holder)
        assert (len(lines), {len(line) for line in lines}) == (SHAPES[format][0], {SHAPES[format][1]})
        parsed = icao9303.parse(lines, today=date(2026, 6, 1))
        assert parsed.format == format
        assert parsed.valid, (holder, lines, parsed.checks)
        assert parsed.document_number == transliterate(holder.document_number)
        assert parsed.document_code == holder.document_code
        assert parsed.nationality == holder.nationality
        assert parsed.sex == holder.sex
        assert parsed.raw["birth_date"] == date_field(holder.birth_date)
        assert parsed.raw["expiry_date"] == date_field(holder.expiry_date)


def test_holders_cover_what_a_reader_must_cope_with() -> None:
    random = np.random.default_rng(1)
    holders = [draw_holder(random, "TD1") for _ in range(600)]
    assert any(len(holder.document_number) > 9 for holder in holders)
    assert any("X" in holder.birth_date for holder in holders)
    assert {"UTO", "D", "XXA"} <= {holder.nationality for holder in holders}
    assert {"F", "M", "X"} == {holder.sex for holder in holders}
    assert any(len(name_field(h.surname, h.given_names, 99).rstrip("<")) > 30 for h in holders)
    assert len({letter for holder in holders for letter in holder.surname if not letter.isascii()}) > 25
    assert all(holder.expiry_date > "2029" for holder in holders)
