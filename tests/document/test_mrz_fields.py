"""Decoding: types and check digits correct what they can, and what they cannot is marked unsure."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.document.icao9303 import compute_checks
from samebody.document.mrz_decode import LOOKALIKES, VALUES, decode
from samebody.document.mrz_strip import ALPHABET
from samebody.document.types import MrzFormat
from tests.document.test_icao9303 import MRV_A, TD1, TD2, TD3
from tests.document.zones import posteriors_of, reading_of

TODAY = date(2010, 6, 1)


def test_look_alikes_have_equal_values_modulo_ten() -> None:
    for character, others in LOOKALIKES.items():
        for other in others:
            assert VALUES[ALPHABET.index(character)] % 10 == VALUES[ALPHABET.index(other)] % 10


def test_types_turn_a_likelier_letter_in_a_date_into_a_digit() -> None:
    read = posteriors_of(TD3, doubts=[(1, 13, "Z", 0.9), (0, 2, "0", 0.7)])
    assert decode(MrzFormat.TD3, read).lines == TD3


def test_a_check_digit_corrects_a_single_misread_character() -> None:
    # Column 1 of the document number: 8 read as 3 with the higher posterior.
    decoded = decode(MrzFormat.TD3, posteriors_of(TD3, doubts=[(1, 1, "3", 0.8)]))
    assert decoded.lines == TD3
    assert decoded.corrected == ((1, 1, "3", "8"),)
    assert not decoded.ambiguous


def test_a_correction_that_is_not_the_only_one_is_refused() -> None:
    # Two places could each be changed to make the digit agree, at about the same cost.
    number = "L898902C3"
    wrong = (TD3[0], "L898902C46" + TD3[1][10:])
    fixes = [(k, c) for k in range(9) for c in ALPHABET[:36] if c != wrong[1][k]]
    valid = []
    for place, character in fixes:
        line = wrong[1][:place] + character + wrong[1][place + 1 :]
        if all(check.ok for check in compute_checks(MrzFormat.TD3, (wrong[0], line))):
            valid.append((place, character))
    first, second = valid[0], next(fix for fix in valid if fix[0] != valid[0][0])
    doubts = [(1, first[0], first[1], 0.3), (1, second[0], second[1], 0.29)]
    decoded = decode(MrzFormat.TD3, posteriors_of(wrong, doubts=doubts))
    assert decoded.ambiguous
    assert decoded.lines[1][:9] != number


def test_a_clearly_printed_wrong_digit_is_left_as_printed() -> None:
    wrong = (TD3[0], TD3[1][:9] + "7" + TD3[1][10:])
    decoded = decode(MrzFormat.TD3, posteriors_of(wrong, posterior=1 - 1e-9))
    assert decoded.lines == wrong
    assert decoded.ambiguous


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_decoding_never_changes_a_clear_valid_zone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for lines, layout in ((TD3, MrzFormat.TD3), (TD1, MrzFormat.TD1), (TD2, MrzFormat.TD2), (MRV_A, MrzFormat.MRV_A)):
        noise = rng.normal(0, 0.3, (len(lines), len(lines[0]), 37)).astype(np.float32)
        decoded = decode(layout, posteriors_of(lines) + noise)
        assert decoded.lines == lines
        assert not decoded.corrected


def test_names_sex_and_look_alikes_are_unsure_however_clear() -> None:
    fields = reading_of(TD3, TODAY, posterior=0.99999).fields
    for name in ("surname", "given_names", "sex", "document_number", "optional_data"):
        assert fields[name].unsure
        assert fields[name].reasons
    for name in ("birth_date", "expiry_date", "issuing_state", "nationality", "document_code"):
        assert not fields[name].unsure
        assert fields[name].confirmed_by


def test_a_document_number_without_look_alikes_is_confirmed_by_its_digit() -> None:
    from samebody.document.icao9303 import MrzData, compose

    lines = compose(MrzData(MrzFormat.TD2, "I", "UTO", "DOE", "JO", "A23579BCE", "UTO", "900101", "M", "300101"))
    field = reading_of(lines, TODAY).fields["document_number"]
    assert field.confirmed_by == ("check_digit",)
    assert not field.unsure


def test_a_code_list_settles_an_unlisted_state() -> None:
    reading = reading_of(TD3, TODAY, doubts=[(1, 12, "D", 0.7)])
    assert reading.fields["nationality"].value == "UTO"
    assert (1, 12, "D", "O") in reading.corrected


def test_two_listed_states_of_like_posterior_are_unsure() -> None:
    lines = (TD3[0].replace("P<UTO", "P<AUS"), TD3[1])
    field = reading_of(lines, TODAY, doubts=[(0, 4, "T", 0.4)]).fields["issuing_state"]
    assert field.unsure
    assert "AUT" in field.reasons[0]


def test_a_wrong_check_digit_leaves_its_field_unsure() -> None:
    wrong = (TD3[0], TD3[1][:9] + "7" + TD3[1][10:])
    reading = reading_of(wrong, TODAY, posterior=1 - 1e-9)
    assert not reading.valid
    assert reading.fields["document_number"].unsure
    assert "should be 6" in reading.fields["document_number"].reasons[0]


def test_a_doubtful_character_leaves_even_a_checked_date_unsure() -> None:
    reading = reading_of(TD3, TODAY, doubts=[(1, 14, "1", 0.3)])
    assert reading.fields["birth_date"].value == "1974-08-12"
    assert reading.fields["birth_date"].unsure
