"""Contracts: preprocessing is what the record says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from samebody.models.contracts import ARCFACE_112, ImageInput, input_digest, preprocess_images
from samebody.models.errors import ContractError


def contract(**changes: object) -> ImageInput:
    fields = {"kind": "image", "width": 12, "height": 10, "colour": "rgb", "layout": "nchw"}
    return ImageInput.model_validate({**fields, **changes})


numbers = st.floats(-300, 300).map(lambda value: float(np.float32(value)))
scales = st.floats(0.001, 2).map(lambda value: float(np.float32(value)))


@given(
    colour=st.sampled_from(["rgb", "bgr"]),
    layout=st.sampled_from(["nchw", "nhwc"]),
    mean=st.tuples(numbers, numbers, numbers) | numbers,
    scale=st.tuples(scales, scales, scales) | scales,
    count=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_value_is_pixel_minus_mean_times_scale_at_its_place(
    colour: str, layout: str, mean: object, scale: object, count: int, seed: int
) -> None:
    wanted = contract(colour=colour, layout=layout, mean=mean, scale=scale)
    images = np.random.default_rng(seed).integers(0, 256, (count, 10, 12, 3), dtype=np.uint8)
    got = preprocess_images(wanted, images)
    assert got.dtype == np.float32 and got.flags.c_contiguous
    assert got.shape == ((count, 3, 10, 12) if layout == "nchw" else (count, 10, 12, 3))
    for n, row, column, channel in [(0, 0, 0, 0), (count - 1, 9, 11, 2), (0, 4, 7, 1), (count - 1, 9, 0, 0)]:
        pixel = np.float32(images[n, row, column, 2 - channel if colour == "bgr" else channel])
        expected = (pixel - np.float32(wanted.mean[channel])) * np.float32(wanted.scale[channel])
        value = got[n, channel, row, column] if layout == "nchw" else got[n, row, column, channel]
        assert value == expected


def test_the_pixels_handed_over_are_not_changed() -> None:
    images = np.full((10, 12, 3), 7, np.uint8)
    preprocess_images(contract(mean=100, scale=2), images)
    assert (images == 7).all()


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((10, 11, 3), np.uint8),
        np.zeros((12, 10, 3), np.uint8),
        np.zeros((10, 12, 3), np.float32),
        np.zeros((10, 12, 4), np.uint8),
        np.zeros((10, 12), np.uint8),
        np.zeros((0, 10, 12, 3), np.uint8),
    ],
)
def test_pixels_that_do_not_fit_are_a_typed_error(images: np.ndarray) -> None:
    with pytest.raises(ContractError):
        preprocess_images(contract(), images)


def test_a_free_size_holds_its_multiple() -> None:
    free = contract(width=None, height=None, multiple_of=32)
    assert preprocess_images(free, np.zeros((64, 32, 3), np.uint8)).shape == (1, 3, 64, 32)
    with pytest.raises(ContractError, match="multiple of 32"):
        preprocess_images(free, np.zeros((64, 40, 3), np.uint8))


def test_the_named_template_scales_with_the_crop() -> None:
    own = contract(width=112, height=112, alignment="arcface-112").alignment_points()
    assert np.array_equal(own, np.asarray(ARCFACE_112, np.float32))
    double = contract(width=224, height=224, alignment="arcface-112").alignment_points()
    assert np.allclose(double, 2 * np.asarray(ARCFACE_112), atol=1e-4)
    points = tuple((float(i), float(2 * i)) for i in range(5))
    assert contract(alignment=points).alignment_points().tolist() == [list(point) for point in points]
    with pytest.raises(ContractError):
        contract().alignment_points()


@pytest.mark.parametrize(
    "changes",
    [
        {"scale": 0},
        {"scale": (1, 0, 1)},
        {"mean": (1, 2)},
        {"mean": float("nan")},
        {"width": 3},
        {"colour": "hsv"},
        {"layout": "chw"},
        {"alignment": "arcface-112"},
        {"alignment": "dlib"},
        {"width": None, "alignment": [[0, 0]] * 5},
        {"gamma": 2},
    ],
)
def test_a_contract_that_makes_no_sense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        contract(**changes)


def test_the_digest_follows_what_is_done_to_pixels_and_nothing_else() -> None:
    base = contract(width=112, height=112, alignment="arcface-112", mean=127.5)
    same = [
        contract(width=112, height=112, alignment=ARCFACE_112, mean=(127.5, 127.5, 127.5)),
        base.model_copy(update={"name": "data", "batch": "one"}),
    ]
    assert {input_digest(other) for other in same} == {input_digest(base)}
    changed = [{"colour": "bgr"}, {"layout": "nhwc"}, {"mean": (127.5, 127.5, 127.0)}, {"scale": (2.0, 2.0, 2.0)}]
    digests = {input_digest(base.model_copy(update=change)) for change in changed}
    assert len(digests) == len(changed) and input_digest(base) not in digests
