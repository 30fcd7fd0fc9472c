"""The report is one file, shows what decided, leaks no recognisable pixel, and opens in a real browser."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from samebody.errors import StorageError
from samebody.pipeline.report import render_report
from samebody.pipeline.report.pictures import blur_beyond_recognition
from samebody.pipeline.verify import Verification
from samebody.types import Image

pytestmark = [pytest.mark.weights, pytest.mark.xdist_group("pipeline")]


def test_the_report_refers_to_nothing_outside_itself(genuine: Verification) -> None:
    html = render_report(genuine)
    assert not re.search(r'(?:src|href)="(?!data:)', html)
    assert "<script" not in html
    assert "http://" not in html and "https://" not in html


def test_the_report_shows_every_check_layer_and_check_digit(genuine: Verification) -> None:
    html = render_report(genuine)
    for finding in genuine.verdict.findings:
        assert finding.check in html
    for layer in genuine.verdict.assurance:
        assert layer.layer.replace("_", " ") in html
    mrz = genuine.trace["document.read"].mrz
    for digit in mrz.check_digits:
        assert digit.name.replace("_", " ") in html
    for model in genuine.verdict.model_ids:
        assert model in html
    assert "this comparison" in html


def test_blurred_pictures_match_nobody(genuine: Verification) -> None:
    from samebody.face import FaceAnalyser
    from samebody.models import catalogue

    analyser = FaceAnalyser()
    limit = catalogue()["face/sface"].operating_point(1e-2).threshold
    for role, shown in (("selfie", "selfie"), ("document", "page")):
        analysis, image = genuine.trace[f"{role}.face"], genuine.trace.evidence(shown)
        assert image is not None
        blurred = Image(blur_beyond_recognition(image.pixels))
        # the strongest attacker knows the landmarks, because the report draws them
        crops = (blur_beyond_recognition(analysis.aligned), analyser.align(blurred, analysis.chosen))
        for crop in crops:
            assert float(analyser.embed(crop).vector @ analysis.template.vector) < limit


def test_pictures_are_blurred_unless_asked(genuine: Verification) -> None:
    assert "blurred" in render_report(genuine)
    shown = render_report(genuine, show_pictures=True)
    assert len(shown) > 2 * len(render_report(genuine))


def test_a_name_cannot_inject_markup(genuine: Verification) -> None:
    from dataclasses import replace

    verdict = replace(genuine.verdict, summary="<img src=x onerror=alert(1)>")
    html = render_report(replace(genuine, verdict=verdict))
    assert "<img src=x" not in html and "&lt;img" in html


def test_a_report_is_written_whole_or_not_at_all(genuine: Verification, tmp_path: Path) -> None:
    target = genuine.write_report(tmp_path / "deep" / "r.html")
    assert target.read_text().rstrip().endswith("</html>")
    assert [p.name for p in target.parent.iterdir()] == ["r.html"]
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(StorageError):
        genuine.write_report(blocked / "r.html")


@pytest.mark.browser
def test_the_report_opens_in_a_browser(genuine: Verification, tmp_path: Path, chromium: str) -> None:
    page = genuine.write_report(tmp_path / "r.html", show_pictures=True)
    picture = tmp_path / "r.png"
    arguments = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
        f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,3600", "--enable-logging=stderr",
    ]  # fmt: skip
    finished = subprocess.run(
        [*arguments, f"--screenshot={picture}", page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert "Content Security Policy" not in finished.stderr
    import cv2

    shown = cv2.imread(str(picture))
    assert shown is not None and shown.shape[1] == 1200
    # an empty page is one colour; the header bar, charts and pictures are many
    assert len(np.unique(shown.reshape(-1, 3)[::97], axis=0)) > 500
    dom = subprocess.run(
        [*arguments, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    assert genuine.verdict.headline.lower() in dom.lower() and dom.count("<figure") >= 4
