"""The benchmark beside open-iris: its inputs are sound, its page says what was measured and what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import iris_peers


def result() -> dict[str, object]:
    return {
        "rounds": 1,
        "encoding": [
            {
                "pictures": "synthetic 320x240",
                "count": 2,
                "open_iris_ms": 400.0,
                "open_iris_errors": ["GeometryRefinementError"],
                "samebody_ms": {"default": 40.0, "openiris-shape": 50.0},
                "ratio": {"default": 10.0, "openiris-shape": 8.0},
            }
        ],
        "matching": {
            "open_iris": {
                "versions": {"open-iris": "1.11.2"},
                "matchers": [
                    {"matcher": "HammingDistanceMatcher()", "per_second": 100.0},
                    {"matcher": "SimpleHammingDistanceMatcher()", "per_second": 150.0},
                ],
            },
            "samebody": {"compare_irises, one pair": 2000.0},
        },
        "machine": {"processor": "P", "cores": 2, "python": "3.11", "commit": "c", "versions": {"numpy": "2"}},
    }


def test_the_page_gives_ratios_failures_and_versions() -> None:
    text = iris_peers.page(result())
    assert "| synthetic 320x240 | 2 | 400 (1 failed) | 40.0 | 10.0 | 50.0 | 8.0 |" in text
    assert "| open-iris `SimpleHammingDistanceMatcher()` | 150 | 1.5 |" in text
    assert "| samebody compare_irises, one pair | 2,000 | 20 |" in text
    assert "open-iris 1.11.2" in text and "without its segmentation network" in text


def test_segmentation_maps_do_not_overlap_and_cover_the_opening() -> None:
    for image, layers, side in iris_peers.synthetic_cases(2, 320, 240):
        assert image.shape == layers.shape[:2] == (240, 320) and side == "left"
        eyeball, iris, pupil, lashes = (layers[:, :, k] for k in range(4))
        assert not (eyeball & iris).any() and not (iris & pupil).any() and not (eyeball & pupil).any()
        assert min(eyeball.sum(), iris.sum(), pupil.sum()) > 500 and lashes.sum() < iris.size / 4
        rows, columns = np.nonzero(pupil)
        assert iris[int(rows.mean()), int(columns.max()) + 10]


def test_without_open_iris_it_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.md"
    assert iris_peers.main(["--open-iris", str(tmp_path / "python"), "--out", str(out)]) == 69
    assert "no Python of an environment with open-iris" in capsys.readouterr().err and not out.exists()
