"""State codes, and names between spelling and zone."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from samebody.document.codes import ISO_3166, is_state, state_name, states
from samebody.document.names import format_names, parse_names, transliterate, transliterations


def test_iso_3166_has_its_249_codes_once() -> None:
    codes = [entry.strip()[:3] for line in ISO_3166.strip().splitlines() for entry in line.split("|")]
    assert len(codes) == len(set(codes)) == 249


ICAO_CODES = (
    *("UTO", "XXA", "XXB", "XXC", "XXX", "UNO", "UNA", "UNK", "EUE"),
    *("GBD", "GBN", "GBO", "GBP", "GBS", "RKS", "D<<", "XOM", "XPO"),
)


@pytest.mark.parametrize("code", ICAO_CODES)
def test_icao_adds_its_own_codes(code: str) -> None:
    assert is_state(code)
    assert state_name(code)


def test_unlisted_codes_are_not_states() -> None:
    assert not any(map(is_state, ("UT0", "", "<<<", "ZZZ", "DE<")))
    assert all(code.isalpha() and code.isupper() for code in states())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Müller-Lüdenscheidt", "MUELLER<LUEDENSCHEIDT"),
        ("O'Connor", "OCONNOR"),
        ("Þórðardóttir", "THORDARDOTTIR"),
        ("Strauß", "STRAUSS"),
        ("García Núñez", "GARCIA<NUNEZ"),
        ("Łukasiewicz", "LUKASIEWICZ"),
        ("Щербаков", "SHCHERBAKOV"),
        ("d’Artagnan, Jr.", "DARTAGNAN<JR"),
    ],
)
def test_names_are_transliterated_as_doc_9303_recommends(name: str, expected: str) -> None:
    assert transliterate(name) == expected
    assert expected in transliterations(name)


def test_other_renderings_that_states_use_are_known() -> None:
    assert {"MUELLER", "MULLER", "MUXXLLER"} <= transliterations("Müller")
    assert {"NUNEZ", "NUNXXEZ"} <= transliterations("Nuñez")


def test_long_names_are_cut_to_the_last_place_and_keep_an_initial() -> None:
    field = format_names("Papandropoulous", "Jonathon Alec", 20)
    assert len(field) == 20
    assert field == "PAPANDROPOULOUS<<JON"
    assert parse_names(field).truncated
    field = format_names("Nilavadhanananda Rajasekaran", "Anna", 20)
    assert field == "NILAVADHANANANDA<<AN"
    assert len(field) == 20


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from([30, 31, 39]))
def test_any_name_gives_a_field_of_the_right_length(surname: str, given_names: str, length: int) -> None:
    field = format_names(surname, given_names, length)
    assert len(field) == length
    assert set(field) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<")
    parse_names(field)


@given(
    st.lists(st.text(alphabet="AB", min_size=2, max_size=12), min_size=1, max_size=4).map(" ".join),
    st.lists(st.text(alphabet="AB", min_size=1, max_size=12), max_size=4).map(" ".join),
    st.sampled_from([30, 31, 36, 39]),
)
@example("AA AA AAAAAAAAAAAA A", "A AAAAAAA AA", 30)
@example("AAAAAA AAAAAAAAA AAAAAAAAA A", "A", 30)
def test_a_field_of_names_that_was_cut_ends_with_a_letter(surname: str, given_names: str, length: int) -> None:
    field = format_names(surname, given_names, length)
    whole = "<<".join(each.replace(" ", "<") for each in (surname, given_names) if each)
    assert len(field) == length
    assert field.rstrip("<") == whole if len(whole) <= length else field[-1] != "<"
