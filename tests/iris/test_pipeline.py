from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from samebody.iris import IrisPipeline, compare_irises
from samebody.iris.errors import InvalidEyeImageError, InvalidIrisTemplateError, IrisPipelineError
from samebody.iris.pipeline import Step, bundled_pipelines
from samebody.iris.results import Boundary, EyeImage, Eyelids, Segmentation
from samebody.iris.stages import IrisStage, stages
from samebody.types import Outcome
from tests.iris.eyes import PLAIN, synthetic

HEAD = "schema_version: 1\nid: mine\n"
TAIL = "  - stage: rubber_sheet\n  - stage: measures\n  - stage: log_gabor\n  - stage: phase_bits\n"
FULL = (
    HEAD + "stages:\n  - stage: grey\n  - stage: circle_pair\n  - stage: top_hat_reflections\n  - stage: polar_pupil\n"
    "  - stage: circle_limbus\n  - stage: parabolic_lids\n  - stage: polar_limbus\n  - stage: lids_lashes_reflections\n"
    + TAIL
)


def test_bundled_pipelines_have_their_shapes() -> None:
    assert bundled_pipelines() == ("default", "network", "openiris-shape")
    shapes = {}
    for name in bundled_pipelines():
        template = IrisPipeline.load(name).encode(synthetic().image, "left").template
        assert template is not None
        shapes[name] = (template.columns, template.bits, template.eye)
    assert shapes == {
        "default": (200, 12_800, "left"),
        "network": (200, 12_800, "left"),
        "openiris-shape": (256, 16_384, "left"),
    }


def test_templates_of_one_eye_match_and_of_two_do_not() -> None:
    pipeline = IrisPipeline.load()
    eyes = {
        (person, capture): pipeline.encode(
            synthetic(person, capture, PLAIN.with_(torsion=turn, dilation=width)).image, "left"
        ).template
        for person in (1, 2, 3)
        for capture, (turn, width) in enumerate(((0.0, 0.38), (0.2, 0.45)))
    }
    for (person, capture), template in eyes.items():
        assert template is not None
        for (other, again), reference in eyes.items():
            if (person, capture) < (other, again) and reference is not None:
                score = compare_irises(template, reference).score
                assert (score > 0.68) if person == other else (score < 0.63)


def test_batch_agrees_with_one_at_a_time_and_grey_with_rgb() -> None:
    pipeline = IrisPipeline.load()
    pictures = [synthetic(1).image, np.repeat(synthetic(1).image[..., None], 3, axis=2), synthetic(2).image]
    batch = pipeline.encode_batch(pictures, "right")
    for one, picture in zip(batch, pictures, strict=True):
        again = pipeline.encode(picture, "right")
        assert one.template is not None and again.template is not None
        assert one.template.to_bytes() == again.template.to_bytes()
    assert batch[0].template is not None and batch[1].template is not None
    assert np.array_equal(batch[0].template.code, batch[1].template.code)
    with pytest.raises(ValueError, match="shorter"):
        pipeline.encode_batch(pictures, ["left"])


def test_every_stage_is_timed_and_every_gate_answers() -> None:
    pipeline = IrisPipeline.load()
    encoding = pipeline.encode(synthetic().image)
    assert list(encoding.milliseconds) == [step.name for step in pipeline.steps]
    assert [f.check for f in encoding.findings] == [f"iris.{step.name}" for step in pipeline.gates]


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((240, 320), np.float32),
        np.zeros((240, 320, 4), np.uint8),
        np.zeros((20, 320), np.uint8),
        np.zeros(100, np.uint8),
    ],
)
def test_what_is_no_picture_is_a_typed_error(picture: np.ndarray) -> None:
    with pytest.raises(InvalidEyeImageError):
        IrisPipeline.load().encode(picture)


def test_an_unknown_eye_is_a_typed_error() -> None:
    with pytest.raises(InvalidIrisTemplateError, match="no eye"):
        IrisPipeline.load().encode(synthetic().image, "third")  # type: ignore[arg-type]


def test_the_space_follows_what_shapes_the_bits_and_nothing_else() -> None:
    plain = IrisPipeline.parse(FULL)
    gated = IrisPipeline.parse(FULL + "gates:\n  - gate: focus\n")
    other = IrisPipeline.parse(FULL.replace("phase_bits", "phase_bits\n    parameters: {fragile: 0.3}"))
    assert plain.space.digest == gated.space.digest
    assert plain.space.digest != other.space.digest


def test_all_mistakes_are_named_at_once() -> None:
    text = (
        "id: mine\ncolour: red\nstages:\n  - stage: gray\n  - stage: polar_limbus\n    parameters: {order: 99, x: 2}\n"
        "  - stage: grey\n  - stage: grey\ngates:\n  - gate: focuss\n  - gate: occlusion\n"
    )
    with pytest.raises(IrisPipelineError) as caught:
        IrisPipeline.parse(text, "my.yaml")
    message = str(caught.value)
    for part in (
        "unknown key 'colour'",
        "schema_version",
        "did you mean 'grey'",
        "order:",
        "x: Extra inputs",
        "'polar_limbus' needs LimbusCircle",
        "gives EyeImage, which 'grey' gives already",
        "did you mean 'focus'",
        "no stage gives CodeBits",
        "gate 'occlusion' needs IrisMeasures",
    ):
        assert part in message


def test_stages_in_the_wrong_order_are_told_where_to_go() -> None:
    swapped = FULL.replace("circle_pair", "X").replace("polar_pupil", "circle_pair").replace("X", "polar_pupil")
    with pytest.raises(IrisPipelineError, match="needs EyeLocation: put 'circle_pair' before it"):
        IrisPipeline.parse(swapped)


@pytest.mark.parametrize("text", ["", "- a", "stages: 3", "stages: [1]", "{", "a: !!python/object:os.system {}"])
def test_what_is_no_pipeline_is_a_typed_error(text: str) -> None:
    with pytest.raises(IrisPipelineError):
        IrisPipeline.parse(text)


def test_an_unknown_name_hints_at_the_nearest(tmp_path: object) -> None:
    with pytest.raises(IrisPipelineError, match="default"):
        IrisPipeline.load("defualt")


class StandIn(IrisStage):
    """As a learned segmenter would: straight from the grey picture to a segmentation."""

    takes = (EyeImage,)
    gives = Segmentation

    def run(self, image: EyeImage) -> Segmentation:
        truth = synthetic(1).truth
        contours = [
            Boundary(points, (float(points[:, 0].mean()), float(points[:, 1].mean())), np.ones(len(points)))
            for points in (truth.pupil, truth.limbus)
        ]
        return Segmentation(
            contours[0], contours[1], Eyelids(truth.upper_lid, truth.lower_lid, 1.0, 1.0), truth.iris & ~truth.visible
        )


@pytest.fixture
def stand_in() -> Iterator[str]:
    stages.register("stand_in")(StandIn)
    yield "stand_in"
    del stages._entries["stand_in"]


def test_another_segmenter_takes_the_place_of_the_classical_one(stand_in: str) -> None:
    pipeline = IrisPipeline.parse(
        f"{HEAD}stages:\n  - stage: grey\n  - stage: {stand_in}\n{TAIL}gates:\n  - gate: eye_found\n  - gate: focus\n"
    )
    encoding = pipeline.encode(synthetic(1).image, "left")
    assert encoding.template is not None
    assert all(finding.outcome is Outcome.PASS for finding in encoding.findings)
    classical = IrisPipeline.load().encode(synthetic(1).image, "left").template
    assert classical is not None
    code, mask = encoding.template.to_bits()
    other, usable = classical.to_bits()
    both = mask & usable
    assert min((np.roll(code, k, axis=1) != other)[both].mean() for k in (-1, 0, 1)) < 0.25


def test_a_pipeline_made_in_code_is_checked_too() -> None:
    with pytest.raises(IrisPipelineError, match="no stage gives"):
        IrisPipeline("broken", [Step("grey", stages["grey"]())], [])
