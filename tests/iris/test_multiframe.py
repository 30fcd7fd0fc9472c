from __future__ import annotations

import numpy as np
import pytest

from samebody.errors import EmbeddingSpaceMismatchError
from samebody.iris import IrisTemplate, compare_irises, merge_frames
from samebody.iris.errors import EyeMismatchError, UnusableFramesError
from samebody.iris.multiframe import MergeParameters
from tests.iris.codes import noisy, random_template

TRUE = random_template(1, 200, 0.8, eye="left", space="s", version="1")


def frames(count: int, share: float = 0.15) -> list[IrisTemplate]:
    return [noisy(TRUE, share, turn, 10 + turn) for turn in range(count)]


def test_the_vote_is_nearer_to_the_truth_than_any_frame() -> None:
    merged = merge_frames(frames(5))
    assert all(report.used for report in merged.frames)
    single = min(compare_irises(frame, TRUE).distance for frame in frames(5))
    found = compare_irises(merged.template, TRUE)
    assert found.distance < 0.6 * single
    assert (merged.template.eye, merged.template.space, merged.template.version) == ("left", "s", "1")


def test_frames_are_turned_onto_the_middle_one() -> None:
    merged = merge_frames(frames(5))
    assert [report.rotation for report in merged.frames] == [merged.middle - index for index in range(5)]


def test_another_eye_among_the_frames_is_left_out_with_a_reason() -> None:
    stranger = random_template(99, 200, 0.8, eye="left", space="s", version="1")
    merged = merge_frames([*frames(3), stranger])
    report = merged.frames[3]
    assert not report.used and report.reasons[0].code == "iris.frame_outlier"
    assert report.reasons[0].advice
    alone = merge_frames(frames(3))
    assert np.array_equal(merged.template.code, alone.template.code)
    assert np.array_equal(merged.template.mask, alone.template.mask)


def test_a_frame_with_few_bits_is_left_out_with_a_reason() -> None:
    blind = IrisTemplate(TRUE.code, np.zeros_like(TRUE.mask), eye="left", space="s", version="1")
    merged = merge_frames([blind, *frames(2)])
    assert merged.frames[0].reasons[0].code == "iris.frame_too_few_bits" and merged.frames[0].distance is None


def test_bits_that_frames_disagree_on_are_masked() -> None:
    code, mask = TRUE.to_bits()
    mask[:] = True
    flipped = code.copy()
    flipped[3, 10:20] ^= True
    same = IrisTemplate.from_bits(code, mask)
    merged = merge_frames([same, IrisTemplate.from_bits(flipped, mask)])
    _, out = merged.template.to_bits()
    assert merged.disagreed_bits == 40
    assert not out[3, 10:20].any() and out.sum() == mask.sum() - 40
    third = merge_frames([same, IrisTemplate.from_bits(flipped, mask), same], MergeParameters(minimum_agreement=0.6))
    assert third.disagreed_bits == 0 and np.array_equal(third.template.code, same.code)


def test_one_frame_passes_through_unchanged() -> None:
    merged = merge_frames([TRUE])
    bits, usable = TRUE.to_bits()
    code, mask = merged.template.to_bits()
    assert np.array_equal(mask, usable) and np.array_equal(code[mask], bits[usable])


def test_strangers_only_make_no_template_and_the_message_says_why() -> None:
    with pytest.raises(UnusableFramesError, match="no frame"):
        merge_frames([])
    strangers = [random_template(seed, 200) for seed in (1, 2, 3)]
    with pytest.raises(UnusableFramesError, match=r"frame \d: its distance to the middle frame"):
        merge_frames(strangers)
    with pytest.raises(UnusableFramesError, match="0 usable bits"):
        merge_frames([random_template(1, 200, 0.0)])


def test_frames_of_another_space_or_eye_are_refused() -> None:
    with pytest.raises(EmbeddingSpaceMismatchError):
        merge_frames([TRUE, noisy(TRUE, 0.1, space="t")])
    unknown = noisy(TRUE, 0.1, eye="unknown")
    with pytest.raises(EyeMismatchError):
        merge_frames([unknown, TRUE, noisy(TRUE, 0.1, eye="right")])
    assert merge_frames([unknown, TRUE]).template.eye == "left"
