"""The class of a document follows from layout, code and issuer; findings follow from digits and dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from samebody.document.classify import classify, kind_of
from samebody.document.findings import dates_finding, mrz_finding, page_finding
from samebody.document.types import DocumentKind, MrzFormat, MrzReading, Page
from samebody.types import Outcome
from tests.document.test_icao9303 import MRV_A, TD1, TD2, TD3
from tests.document.zones import reading_of

TODAY = date(2010, 6, 1)


@pytest.mark.parametrize(
    ("layout", "code", "kind"),
    [
        (MrzFormat.TD3, "P", DocumentKind.PASSPORT),
        (MrzFormat.TD3, "PD", DocumentKind.PASSPORT),
        (MrzFormat.TD1, "I", DocumentKind.IDENTITY_CARD),
        (MrzFormat.TD1, "AC", DocumentKind.CREW_CERTIFICATE),
        (MrzFormat.TD1, "IR", DocumentKind.RESIDENCE_PERMIT),
        (MrzFormat.TD2, "C", DocumentKind.IDENTITY_CARD),
        (MrzFormat.MRV_A, "V", DocumentKind.VISA),
        (MrzFormat.TD2, "X", DocumentKind.OTHER),
    ],
)
def test_kind_follows_from_layout_and_code(layout: MrzFormat, code: str, kind: DocumentKind) -> None:
    assert kind_of(layout, code) is kind


def test_the_label_names_kind_and_issuer() -> None:
    assert classify(reading_of(TD3, TODAY)).label == "passport of Utopia (specimen state)"
    assert classify(reading_of(MRV_A, TODAY)).kind is DocumentKind.VISA
    assert classify(reading_of(TD1, TODAY)).issuer == "UTO"


def test_a_clear_valid_zone_passes() -> None:
    finding = mrz_finding(reading_of(TD3, TODAY), 1.0, ())
    assert finding.outcome is Outcome.PASS
    assert not finding.reasons
    assert set(finding.details["check_digits"]) >= {"document_number", "composite"}


def test_a_wrong_check_digit_fails_when_clear_and_abstains_when_not() -> None:
    wrong = (TD3[0], TD3[1][:9] + "7" + TD3[1][10:])
    clear = mrz_finding(reading_of(wrong, TODAY), 1.0, ())
    assert clear.outcome is Outcome.FAIL
    assert clear.reasons[0].code == "document.check_digit"
    blurred = mrz_finding(reading_of(wrong, TODAY, posterior=0.6), 1.0, ())
    assert blurred.outcome is Outcome.UNSURE
    assert blurred.reasons[0].code == "document.mrz_unclear"
    assert blurred.reasons[0].advice


def test_no_zone_is_an_abstention_with_advice() -> None:
    finding = mrz_finding(None, 1.0, ())
    assert finding.outcome is Outcome.UNSURE
    assert finding.reasons[0].advice
    assert dates_finding(None, TODAY, 0.0).outcome is Outcome.NOT_RUN


def _codes(mrz: MrzReading, today: date) -> list[str]:
    return [reason.code for reason in dates_finding(mrz, today, 0.0).reasons]


def test_expiry_is_held_against_the_reading_date() -> None:
    mrz = reading_of(TD3, TODAY)
    assert dates_finding(mrz, date(2012, 4, 15), 0.0).outcome is Outcome.PASS
    assert _codes(mrz, date(2012, 4, 16)) == ["document.expired"]


def _with_dates(birth: str, expiry: str) -> MrzReading:
    from samebody.document.icao9303 import MrzData, compose

    data = MrzData(MrzFormat.TD2, "I", "UTO", "DOE", "JO", "A1", "UTO", birth, "X", expiry)
    return reading_of(compose(data), TODAY)


def test_implausible_dates_are_named() -> None:
    assert "document.date_impossible" in _codes(_with_dates("901301", "120101"), TODAY)
    assert "document.date_impossible" in _codes(_with_dates("900230", "120101"), TODAY)
    assert "document.date_order" in _codes(_with_dates("080101", "070101"), TODAY)
    assert "document.expiry_implausible" in _codes(_with_dates("900101", "550101"), TODAY)
    assert _codes(_with_dates("90<<<<", "120101"), TODAY) == []


def test_dates_under_a_wrong_digit_are_not_judged() -> None:
    wrong = (TD2[0], TD2[1][:19] + "3" + TD2[1][20:])
    finding = dates_finding(reading_of(wrong, date(2030, 1, 1)), date(2030, 1, 1), 0.0)
    assert finding.outcome is Outcome.UNSURE
    assert finding.reasons[0].code == "document.date_unclear"


def test_the_page_finding_tells_seen_from_predicted() -> None:
    page = Page(
        np.zeros((88, 125, 3), np.uint8), ((0, 0), (125, 0), (125, 88), (0, 88)), np.eye(3), 1.0, 0.9, True, "both"
    )
    assert page_finding(page, None, 0.0).outcome is Outcome.PASS
    assert page_finding(replace(page, source="mrz"), None, 0.0).outcome is Outcome.UNSURE
    nothing = page_finding(None, None, 0.0)
    assert nothing.outcome is Outcome.FAIL
    assert nothing.reasons[0].advice
