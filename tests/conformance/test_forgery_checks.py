"""What every registered forgery check must hold, whatever it looks for."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from samebody.document.forgery import ForgeryEvidence, Limit, checks, run_checks
from samebody.document.forgery.base import Check, measured_limits
from samebody.document.types import DocumentReading, Page
from samebody.errors import ConfigError, UsageError
from samebody.types import Box, Image, Outcome, Pixels
from tests.document import pages

NAMES = tuple(checks)


def blank(value: int, shape: tuple[int, int] = (704, 1000)) -> Pixels:
    return np.full((*shape, 3), value, np.uint8)


def random_pixels(shape: tuple[int, int], seed: int = 1) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def page_only(pixels: Pixels, scale: float = 8.0) -> ForgeryEvidence:
    height, width = pixels.shape[:2]
    quad = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
    return ForgeryEvidence(Image(pixels), Page(pixels, quad, np.eye(3), scale, 0.5, False, "border"))


@pytest.fixture(scope="module")
def genuine() -> ForgeryEvidence:
    # saved twice, so that there is a history, and with some grain, so that portrait and ground share texture
    page = pages.draw_page(1).astype(np.float32)
    grain = cv2.GaussianBlur(np.random.default_rng(7).normal(0, 1, page.shape[:2]), (0, 0), 2.0)
    grained = np.clip(page + 5 * (grain / grain.std())[..., None], 0, 255).astype(np.uint8)
    return pages.evidence(pages.compress(pages.photograph(grained, 1, quality=70), 94), jpeg_quality=94)


def test_the_allow_list_holds_the_checks_that_the_documentation_names() -> None:
    assert NAMES == ("compression", "font", "ghost", "noise", "recapture")
    with pytest.raises(UsageError):
        checks["no such check"]


@pytest.mark.parametrize("name", NAMES)
def test_a_check_names_itself_and_says_what_each_figure_means(name: str, genuine: ForgeryEvidence) -> None:
    check = checks[name]()
    assert isinstance(check, Check)
    finding = check.run(genuine)
    assert finding.check == f"document.forgery.{name}"
    assert set(finding.details["figures"]) <= set(check.words)
    assert finding.outcome is Outcome.PASS or finding.reasons
    assert finding.milliseconds > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_measured_limit_with_its_provenance(name: str) -> None:
    assert set(measured_limits()[name]) | checks[name].unmeasured == set(checks[name].words)
    assert not set(measured_limits()[name]) & checks[name].unmeasured
    for limit in measured_limits()[name].values():
        assert np.isfinite(limit.value) and 0 <= limit.false_alarms <= 1 and limit.pictures > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_check_is_deterministic(name: str) -> None:
    pixels = pages.photograph(pages.draw_page(2, portrait=2, ghost=2), 2)
    first, second = (checks[name]().run(pages.evidence(pixels)) for _ in range(2))
    assert replace(first, milliseconds=0) == replace(second, milliseconds=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_finding_is_ready_for_json(name: str, genuine: ForgeryEvidence) -> None:
    finding = checks[name]().run(genuine)
    assert json.loads(json.dumps(dict(finding.details), allow_nan=False)) == finding.details


@pytest.mark.parametrize("name", NAMES)
def test_without_a_page_a_check_abstains(name: str) -> None:
    finding = checks[name]().run(ForgeryEvidence(Image(blank(128)), None))
    assert finding.outcome is Outcome.UNSURE
    assert finding.reasons[0].code == f"document.forgery.{name}_no_page"
    assert finding.score is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_pictures_accuse_nobody_of_pasting(name: str, value: int) -> None:
    finding = checks[name]().run(page_only(blank(value)))
    if name == "recapture":  # a picture without any colour may be called colourless, and nothing else
        assert [reason.code for reason in finding.reasons if finding.outcome is Outcome.FAIL] in (
            [], ["document.forgery.recapture.colourless"],
        )  # fmt: skip
    else:
        assert finding.outcome is Outcome.UNSURE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (16, 16), (63, 90), (90, 63), (400, 9)])
def test_tiny_and_odd_pictures_never_raise(name: str, shape: tuple[int, int]) -> None:
    for pixels in (blank(200, shape), random_pixels(shape)):
        finding = checks[name]().run(page_only(pixels, 1.0))
        assert finding.outcome in (Outcome.UNSURE, Outcome.PASS, Outcome.FAIL)
        json.dumps(dict(finding.details), allow_nan=False)


@pytest.mark.parametrize("name", NAMES)
def test_tiny_pictures_are_abstentions(name: str) -> None:
    finding = checks[name]().run(page_only(random_pixels((40, 60)), 0.5))
    assert finding.outcome is Outcome.UNSURE


@pytest.mark.parametrize("name", NAMES)
def test_noise_never_raises(name: str) -> None:
    evidence = pages.evidence(random_pixels((704, 1000), 4))
    json.dumps(dict(checks[name]().run(evidence).details), allow_nan=False)


@pytest.mark.parametrize("name", NAMES)
def test_a_large_photograph_is_measured(name: str) -> None:
    page = pages.photograph(pages.draw_page(1), 1)
    large = np.ascontiguousarray(np.kron(page[:300, :400], np.ones((8, 8, 1), np.uint8)))
    evidence = page_only(page)
    assert evidence.page is not None
    stretched = np.diag([1000 / 3200, 704 / 2400, 1.0])
    quad = ((0.0, 0.0), (3200.0, 0.0), (3200.0, 2400.0), (0.0, 2400.0))
    finding = checks[name]().run(ForgeryEvidence(Image(large), replace(evidence.page, quad=quad, homography=stretched)))
    assert finding.milliseconds < 60_000


@pytest.mark.parametrize("name", NAMES)
def test_regions_outside_the_picture_never_raise(name: str) -> None:
    whole = pages.evidence(pages.photograph(pages.draw_page(1), 1))
    assert whole.page is not None
    moved = replace(
        whole.page,
        quad=tuple((x + 5000, y - 4000) for x, y in whole.page.quad),
        homography=np.array([[1, 0, -5000], [0, 1, 4000], [0, 0, 1.0]]),
    )
    evidence = ForgeryEvidence(
        whole.image, moved, mrz=whole.mrz, lines=whole.lines, fields=whole.fields, candidates=whole.candidates
    )
    checks[name]().run(evidence)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_above_its_limit_fails_and_says_where_and_how_sure(name: str, genuine: ForgeryEvidence) -> None:
    strict = {figure: Limit(-1e9, 0.012, 400) for figure in checks[name].words}
    finding = checks[name](limits=strict).run(genuine)
    assert finding.outcome is Outcome.FAIL
    assert finding.reasons[0].code.startswith(f"document.forgery.{name}.")
    assert "1.2 % of 400" in finding.reasons[0].message
    assert finding.reasons[0].advice


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_between_doubt_and_limit_is_neither_a_finding_nor_a_pass(name: str, genuine: ForgeryEvidence) -> None:
    band = {figure: Limit(1e9, 0.0, 400, doubt=-1e9) for figure in checks[name].words}
    finding = checks[name](limits=band).run(genuine)
    assert finding.outcome is Outcome.UNSURE
    if finding.details["figures"]:
        assert finding.reasons[0].code.endswith("_doubtful") and finding.regions is not None


def test_a_check_must_say_how_it_measures() -> None:
    class Lazy(Check):
        name = "lazy"

    with pytest.raises(TypeError, match="measure"):
        Lazy()  # type: ignore[abstract]


@pytest.mark.parametrize("name", NAMES)
def test_a_check_without_limits_abstains(name: str, genuine: ForgeryEvidence) -> None:
    assert checks[name](limits={}).run(genuine).outcome is Outcome.UNSURE


@pytest.mark.parametrize("name", NAMES)
def test_unknown_parameters_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        checks[name](no_such_parameter=1)


def test_all_checks_run_in_the_order_of_their_names_and_take_bare_boxes() -> None:
    pixels = pages.photograph(pages.draw_page(1), 1)
    evidence = pages.evidence(pixels)
    reading = DocumentReading(evidence.page, evidence.mrz, None, None, evidence.candidates, ())
    findings = run_checks(Image(pixels), reading, (pages.PORTRAIT, pages.GHOST))
    assert [finding.check for finding in findings] == [f"document.forgery.{name}" for name in NAMES]
    empty = DocumentReading(None, None, None, None, (), ())
    assert {finding.outcome for finding in run_checks(Image(pixels), empty, (Box(0, 0, 5, 5),))} == {Outcome.UNSURE}


@pytest.mark.parametrize("seed", [11, 12, 13])
@pytest.mark.parametrize("quality", [40, 70])
def test_heavy_compression_and_resizing_accuse_nobody_of_pasting(seed: int, quality: int) -> None:
    page = pages.photograph(pages.draw_page(seed, portrait=seed, ghost=seed), seed, blur=1.2, noise=6)
    small = cv2.resize(page, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    sent = cv2.resize(pages.compress(small, quality), (page.shape[1], page.shape[0]), interpolation=cv2.INTER_CUBIC)
    for name in ("noise", "compression", "ghost"):
        assert checks[name]().run(pages.evidence(sent)).outcome is not Outcome.FAIL, name
