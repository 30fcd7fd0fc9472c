from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from samebody.document.cross_check import Agreement, agreements, compare_field, cross_check
from samebody.document.types import MrzField, MrzFormat, MrzReading
from samebody.document.visual_fields import VisualField, VisualZone
from samebody.types import Box, Outcome

CORNERS = ((0.0, 0.0),) * 4
BOX = Box(10, 20, 200, 24)
HELD = {
    "surname": "MUELLER AABERG",
    "given_names": "ANNA MARIA",
    "document_number": "L898902C3",
    "birth_date": "1974-08-12",
    "expiry_date": "2032-04-15",
    "sex": "F",
    "nationality": "UTO",
    "issuing_state": "UTO",
}
PRINTED = HELD | {"surname": "MÜLLER-ÅBERG"}
CHECKED = {"document_number", "birth_date", "expiry_date"}


def reading(unsure: tuple[str, ...] = (), **changes: str) -> MrzReading:
    fields = {
        name: MrzField(
            name,
            value,
            value,
            0.99,
            ("check_digit",) if name in CHECKED else (),
            name in unsure,
            ("why",) * (name in unsure),
        )
        for name, value in (HELD | changes).items()
    }
    return MrzReading(MrzFormat.TD3, (), fields, (), CORNERS, (), ())


def zone(confidence: float = 0.97, basis: str = "label", **changes: str | None) -> VisualZone:
    values = {name: value for name, value in (PRINTED | changes).items() if value is not None}
    return VisualZone(
        (), {name: VisualField(name, value, value, confidence, BOX, basis) for name, value in values.items()}
    )


def test_two_zones_that_say_the_same_pass() -> None:
    finding, _ = cross_check(reading(), zone())
    assert finding.check == "document.consistency"
    assert finding.outcome is Outcome.PASS
    assert finding.reasons == ()
    assert set(agreements(finding).values()) == {"agree"}


def test_agreement_confirms_what_no_check_digit_can() -> None:
    _, updated = cross_check(reading(unsure=("surname", "sex", "nationality", "document_number")), zone())
    assert updated.unsure_fields == ()
    assert "visual_zone" in updated.fields["surname"].confirmed_by
    assert updated.fields["document_number"].confirmed_by == ("check_digit", "visual_zone")


@pytest.mark.parametrize(
    ("field", "printed"),
    [
        ("birth_date", "1984-08-12"),
        ("birth_date", "1974-08-22"),
        ("expiry_date", "2035-04-15"),
        ("document_number", "L898942C3"),
        ("surname", "KOWALSKI"),
        ("sex", "M"),
    ],
)
def test_a_value_changed_in_the_visual_zone_alone_fails_and_is_named(field: str, printed: str) -> None:
    finding, updated = cross_check(reading(), zone(**{field: printed}))
    assert finding.outcome is Outcome.FAIL
    assert finding.reasons[0].code == f"document.{field}_disagrees"
    assert [region.name for region in finding.regions] == [field]
    assert finding.regions[0].role == "page"
    assert updated.fields[field].unsure


def test_a_reason_names_the_field_and_never_its_value() -> None:
    finding, _ = cross_check(reading(), zone(surname="KOWALSKI", birth_date="1984-08-12"))
    text = " ".join(reason.message + reason.advice for reason in finding.reasons)
    assert "date of birth" in text and "surname" in text
    for value in ("KOWALSKI", "MUELLER", "1984", "1974"):
        assert value not in text


@pytest.mark.parametrize("field", ["birth_date", "document_number", "surname"])
def test_an_unclear_reading_accuses_nobody(field: str) -> None:
    printed = {"birth_date": "1984-08-12", "document_number": "L898942C3", "surname": "KOWALSKI"}[field]
    finding, _ = cross_check(reading(), zone(confidence=0.5, **{field: printed}))
    assert finding.outcome is Outcome.UNSURE
    assert finding.reasons[0].code == f"document.{field}_unclear"
    assert finding.reasons[0].advice


def test_a_date_found_by_elimination_accuses_nobody() -> None:
    finding, _ = cross_check(reading(), zone(basis="remainder", birth_date="1970-01-01"))
    assert finding.outcome is Outcome.UNSURE


def test_a_name_that_only_resembles_the_mrz_accuses_nobody() -> None:
    finding, _ = cross_check(reading(), zone(basis="mrz", surname="KOWALSKI"))
    assert finding.outcome is Outcome.UNSURE


def test_confusable_characters_are_no_change_of_a_checked_number() -> None:
    comparison = compare_field(
        reading().fields["document_number"], zone(document_number="L8989O2C3").fields["document_number"]
    )
    assert comparison.agreement is Agreement.CONFUSABLE


def test_a_clear_second_reading_that_differs_by_a_lookalike_leaves_an_unsure_number_unsure() -> None:
    held = reading(unsure=("document_number",))
    finding, updated = cross_check(held, zone(document_number="L89S902C3"))  # 8 and S weigh the same
    assert finding.outcome is Outcome.UNSURE
    assert updated.fields["document_number"].unsure


def test_a_lookalike_that_the_check_digit_tells_apart_is_settled_by_it() -> None:
    held = reading(unsure=("document_number",))
    finding, updated = cross_check(held, zone(document_number="L8989O2C3"))
    assert finding.outcome is Outcome.PASS
    assert agreements(finding)["document_number"] == "agree_but_for_confusable_characters"
    assert not updated.fields["document_number"].unsure


def test_without_a_valid_check_digit_a_lookalike_settles_nothing() -> None:
    held = reading(unsure=("document_number",)).fields["document_number"]
    comparison = compare_field(
        replace(held, confirmed_by=()), zone(document_number="L8989O2C3").fields["document_number"]
    )
    assert comparison.agreement is Agreement.UNSURE and comparison.resolved is None


@pytest.mark.parametrize(
    ("mrz", "printed", "agrees"),
    [
        ("SOERENSEN", "SORENSEN", True),
        ("OEZTUERK", "OZTURK", True),
        ("GROSS", "GROB", True),
        ("MUELLER", "MULLER", True),
        ("AAS", "AS", True),
        ("MUELLER", "MILLER", False),
        ("SOERENSEN", "SARENSEN", False),
        ("SORENSEN", "SOERENSEN", False),
    ],
)
def test_a_mark_that_the_recogniser_missed_is_no_difference(mrz: str, printed: str, agrees: bool) -> None:
    finding, _ = cross_check(reading(surname=mrz), zone(surname=printed))
    assert (agreements(finding)["surname"] == "agree_but_for_confusable_characters") is agrees


def test_given_names_that_run_to_the_end_of_the_zone_may_be_cut() -> None:
    held = reading().fields["given_names"]
    seen = zone(given_names="FATIMA").fields["given_names"]
    cut = compare_field(replace(held, value="FATIM", raw="FATIM"), seen)
    whole = compare_field(replace(held, value="FATIM", raw="FATIM<<<"), seen)
    assert cut.agreement is Agreement.AGREE
    assert whole.agreement is Agreement.UNSURE


def test_unknown_parts_of_a_date_match_any_day() -> None:
    finding, _ = cross_check(reading(birth_date="1974-XX-XX"), zone())
    assert agreements(finding)["birth_date"] == "agree"


def test_a_truncated_mrz_name_agrees_with_the_full_name() -> None:
    finding, _ = cross_check(
        reading(surname="PAPANDROPOULOUS KONSTANTIN"), zone(surname="PAPANDROPOULOUS-KONSTANTINIDES")
    )
    assert agreements(finding)["surname"] == "agree"


@pytest.mark.parametrize("printed", ["UTOPIAN", "DEUTSCH"])
def test_an_adjective_under_nationality_is_not_held_against_the_code(printed: str) -> None:
    finding, _ = cross_check(reading(), zone(nationality=printed))
    assert agreements(finding)["nationality"] == "not_found"
    assert finding.outcome is Outcome.PASS


def test_too_little_read_is_unsure_with_advice() -> None:
    finding, updated = cross_check(reading(unsure=("surname",)), VisualZone((), {}))
    assert finding.outcome is Outcome.UNSURE
    assert finding.reasons[0].code == "document.visual_zone_unread"
    assert finding.reasons[0].advice
    assert updated.fields["surname"].unsure


def test_the_finding_is_ready_for_json() -> None:
    finding, _ = cross_check(reading(), zone(sex="M"))
    assert json.loads(json.dumps(dict(finding.details)))["fields"]["sex"]["agreement"] == "disagree"
    assert asdict(finding)["milliseconds"] >= 0


def test_an_empty_mrz_says_nothing() -> None:
    finding, _ = cross_check(MrzReading(MrzFormat.TD3, (), {}, (), CORNERS, (), ()), zone())
    assert finding.outcome is Outcome.UNSURE
    assert finding.score is None
