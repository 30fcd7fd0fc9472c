"""From a comparison of irises to a finding: the record whose space is the templates' gives the threshold."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samebody.config import Settings
from samebody.iris import IrisTemplate, compare_irises
from samebody.iris.draw import draw_code, draw_contours, draw_sheet, draw_texture, png
from samebody.iris.errors import IrisNotMeasuredError
from samebody.iris.pipeline import IrisPipeline
from samebody.iris.record import as_comparison, check_iris_record, record_of_space
from samebody.match import RecordMismatchError, decide_match
from samebody.models import catalogue, read_records, write_operating_points
from samebody.models.catalogue import BUNDLED_RECORDS
from samebody.types import Modality, OperatingPoint, Outcome
from tests.iris.codes import noisy, random_template

POINT = OperatingPoint(
    fmr=1e-3,
    threshold=0.62,
    realised_fmr=9e-4,
    population="all-pairs",
    dataset="none",
    pairs=50_000,
    subjects=45,
    errors=45,
    effective_errors=4.0,
    fmr_interval=(1e-4, 3e-3),
    indicative=True,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A folder with a record of one's own whose space no bundled record has."""
    (tmp_path / "own").mkdir()
    text = (BUNDLED_RECORDS / "iris" / "default.toml").read_text()
    text = re.sub(r'(?m)^sha256 = ".*"$', f'sha256 = "{"0a1b2c3d" * 8}"', text).replace("iris/default", "own/eyes")
    (tmp_path / "own" / "eyes.toml").write_text(text)
    found = Settings(records_dirs=(tmp_path,))
    write_operating_points("own/eyes", (POINT,), settings=found)
    return found


def test_the_record_of_the_templates_space_decides(settings: Settings) -> None:
    record = catalogue(settings)["own/eyes"]
    space = record.embedding_space().digest
    assert record_of_space(space, settings) == record
    reference = random_template(1, 200, 0.9, space=space)
    for share, outcome in ((0.2, Outcome.PASS), (0.45, Outcome.FAIL)):
        found = compare_irises(noisy(reference, share), reference)
        comparison = as_comparison(found, record)
        assert comparison.modality is Modality.IRIS and comparison.score == found.score
        finding = decide_match(comparison, record, 1e-3, "all-pairs")
        assert finding.check == "iris.match" and finding.outcome is outcome and finding.score == found.score
        assert finding.operating_point is not None and finding.operating_point.threshold == 0.62
        assert "match.indicative" in {reason.code for reason in finding.reasons}
    (difference,) = [reason for reason in finding.reasons if reason.code == "match.below_threshold"]
    assert "two irises" in difference.message and "same eye" in difference.advice and "face" not in difference.advice


def test_a_space_that_no_record_speaks_for_has_no_error_rate(settings: Settings) -> None:
    with pytest.raises(IrisNotMeasuredError, match="no model record speaks"):
        record_of_space("feedfeedfeedfeed", settings)
    record = catalogue(settings)["own/eyes"]
    reference = random_template(1, 200, space="feedfeedfeedfeed")
    found = compare_irises(reference, reference)
    with pytest.raises(IrisNotMeasuredError, match="does not speak"):
        as_comparison(found, record)
    mine = as_comparison(replace(found, space=record.embedding_space().digest), record)
    with pytest.raises(RecordMismatchError):
        decide_match(mine, catalogue(settings)["iris/default"], 1e-3, "all-pairs")


def test_a_record_of_another_pipeline_fails_the_check(settings: Settings, tmp_path: Path) -> None:
    result = check_iris_record(catalogue(settings)["own/eyes"], settings)
    assert result.status == "failed" and result.error is not None
    assert "another pipeline" in result.error.message and "evaluate operating-points" in result.error.hint
    path = tmp_path / "own" / "eyes.toml"
    path.write_text(path.read_text().replace('filename = "default"', 'filename = "gone"'))
    (tmp_path / "own" / "eyes.points.json").unlink()
    gone = check_iris_record(read_records(tmp_path)["own/eyes"], settings)
    assert gone.status == "failed" and gone.error is not None and gone.error.code == "iris.pipeline_invalid"


def test_drawings_show_contours_masks_and_bits() -> None:
    from samebody.synth.iris import capture_eye, draw_identity

    shot = capture_eye(draw_identity(31, 1), 0, width=320, height=240, difficulty=0.3)
    encoding = IrisPipeline.load("default").encode(shot.image, "left")
    assert encoding.template is not None and encoding.texture is not None and encoding.segmentation is not None
    drawn = draw_contours(shot.image, encoding)
    assert drawn.shape == (240, 320, 3)
    green = (drawn[:, :, 1].astype(int) - drawn[:, :, 0] > 60) & (drawn[:, :, 1].astype(int) - drawn[:, :, 2] > 60)
    rows, columns = np.nonzero(green)
    centre = shot.truth.pupil.mean(axis=0)
    assert np.hypot(columns.mean() - centre[0], rows.mean() - centre[1]) < 6
    assert draw_texture(encoding.texture, 400).shape[1] == 400
    template = IrisTemplate.from_bits(np.ones((16, 200, 2, 2), bool), np.ones((16, 200, 2, 2), bool))
    white = draw_code(template)
    assert (white[0, 0] == 235).all() and draw_code(IrisTemplate(template.code, ~template.mask))[0, 0, 0] > 150
    sheet = draw_sheet(shot.image, encoding)
    assert sheet.shape[1] == 800 and sheet.shape[0] > 600 + 60
    assert png(sheet).startswith(b"\x89PNG")
    blank = IrisPipeline.load("default").encode(np.full((120, 160), 128, dtype=np.uint8))
    assert draw_sheet(np.full((120, 160, 3), 128, dtype=np.uint8), blank).shape[1] == 800
