from __future__ import annotations

import numpy as np
import pytest

from samebody.iris import IrisPipeline
from samebody.iris.errors import InvalidSegmentationError
from samebody.iris.reflections import TopHatReflections
from samebody.iris.results import Boundary, Circle, EyeImage, Eyelids, EyeLocation, Reflections, Segmentation
from tests.iris.eyes import PLAIN, between_lids, radial_error, synthetic

CONDITIONS = {
    "plain": PLAIN,
    "large": PLAIN.with_(width=640, height=480, radius=120.0, centre=(300.0, 250.0)),
    "small iris in a large picture": PLAIN.with_(width=640, height=480, radius=58.0, centre=(250.0, 200.0)),
    "fills the picture": PLAIN.with_(width=320, height=280, radius=100.0, centre=(160.0, 140.0)),
    "narrow pupil": PLAIN.with_(dilation=0.25),
    "wide pupil": PLAIN.with_(dilation=0.6),
    "dark": PLAIN.with_(light=0.5),
    "bright": PLAIN.with_(light=1.25, gamma=0.8),
    "blurred": PLAIN.with_(blur=2.0),
    "noisy": PLAIN.with_(noise=6.0),
    "many spots": PLAIN.with_(spots=4),
    "uneven light": PLAIN.with_(gradient=(0.4, 0.2)),
}


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("person", [1, 2])
def test_contours_lie_where_they_were_drawn(name: str, person: int) -> None:
    conditions = CONDITIONS[name]
    eye = synthetic(person, 0, conditions)
    encoding = IrisPipeline.load().encode(eye.image)
    assert encoding.segmentation is not None
    for found, truth, limit in (
        (encoding.segmentation.pupil, eye.truth.pupil, 0.025),
        (encoding.segmentation.limbus, eye.truth.limbus, 0.05),
    ):
        error = radial_error(found, truth, between_lids(eye, truth))
        assert np.median(error) < limit * conditions.radius
        assert np.percentile(error, 90) < 2 * limit * conditions.radius


def test_most_of_what_hides_the_iris_is_masked_and_most_of_the_iris_is_not() -> None:
    masked, lost = [], []
    for person in range(1, 7):
        eye = synthetic(person, 0, PLAIN.with_(openness=0.8))
        segmentation = IrisPipeline.load().encode(eye.image).segmentation
        assert segmentation is not None
        masked.append(segmentation.occlusion[eye.truth.iris & ~eye.truth.visible].mean())
        lost.append(segmentation.occlusion[eye.truth.visible].mean())
    assert np.mean(masked) > 0.8 and min(masked) > 0.6
    assert np.mean(lost) < 0.25 and max(lost) < 0.4


def test_a_larger_picture_of_the_same_eye_is_segmented_alike() -> None:
    small = synthetic(3, 0, PLAIN)
    large = np.kron(small.image, np.ones((2, 2), dtype=np.uint8))
    one, two = (IrisPipeline.load().encode(picture).segmentation for picture in (small.image, large))
    assert one is not None and two is not None
    assert two.limbus.radius == pytest.approx(2 * one.limbus.radius, rel=0.03)
    assert two.pupil.radius == pytest.approx(2 * one.pupil.radius, rel=0.03)
    assert np.asarray(two.pupil.centre) == pytest.approx(2 * np.asarray(one.pupil.centre), abs=2.0)


def test_reflections_are_filled_and_rims_are_not() -> None:
    grey = np.full((200, 200), 90, np.uint8)
    grey[95:101, 95:101] = 250  # a spot
    grey[120:124, 40:160] = 250  # a rim, as of a wet lid
    location = EyeLocation(Circle(100, 100, 20), Circle(100, 100, 50), 1.0)
    found = TopHatReflections().run(EyeImage(grey, 1.0, 200, 200), location)
    assert isinstance(found, Reflections)
    assert found.mask[97, 97] and found.filled[97, 97] == 90
    assert not found.mask[121, 100] and found.filled[121, 100] == 250


def ring(radius: float, count: int = 32, x: float = 50.0) -> Boundary:
    angles = np.arange(count) * 2 * np.pi / count
    points = np.stack((x + radius * np.cos(angles), 50 + radius * np.sin(angles)), axis=1)
    return Boundary(points, (x, 50.0), np.ones(count))


def test_impossible_segmentations_are_refused() -> None:
    nothing = Eyelids(None, None)
    hidden = np.zeros((100, 100), np.bool_)
    Segmentation(ring(10), ring(30), nothing, hidden)
    with pytest.raises(InvalidSegmentationError, match="inside the limbus"):
        Segmentation(ring(30), ring(10), nothing, hidden)
    with pytest.raises(InvalidSegmentationError, match="inside the limbus"):
        Segmentation(ring(10, x=90.0), ring(30), nothing, hidden)
    with pytest.raises(InvalidSegmentationError, match="bool array"):
        Segmentation(ring(10), ring(30), nothing, hidden.astype(np.uint8))  # type: ignore[arg-type]
    with pytest.raises(InvalidSegmentationError, match="n >= 16"):
        ring(10, count=8)


def test_radius_is_that_of_the_circle_of_equal_area() -> None:
    assert ring(20, 256).radius == pytest.approx(20, rel=1e-3)
