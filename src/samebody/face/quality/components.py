"""The table of quality components: name, measure, mapping, source, and what to tell the person.

Names and order follow ISO/IEC 29794-5:2025, clause 7.3 (capture-related) and 7.4 (subject-related). ``standard`` says
whether measure and mapping are those of the standard (``both``), only the mapping (``mapping``: the standard's measure
needs a segmentation or landmark network that we lack, ours stands in), or none (``ours``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from samebody.face.quality import detail, features, layout, light
from samebody.face.quality.frame import QualityFrame
from samebody.face.quality.mapping import falling, frontal, rising, sigmoid, to_quality


@dataclass(frozen=True, slots=True)
class ComponentDefinition:
    """One component.

    Attributes:
        name: as in the standard, snake case.
        unit: of the raw measure; ``1`` for ratios.
        measure: from the frame to the raw measure; None when this picture does not allow it.
        quality: from the raw measure to 0-100.
        standard: ``both``, ``mapping`` or ``ours``.
        source: where measure and mapping come from.
        shows: what the raw measure is, for messages: ``{raw}`` is filled in.
        advice: what the person in front of the camera can do.
    """

    name: str
    unit: str
    measure: Callable[[QualityFrame], float | None]
    quality: Callable[[float], int]
    standard: Literal["both", "mapping", "ours"]
    source: str
    shows: str
    advice: str


ISO = "ISO/IEC 29794-5:2025, as implemented in the public reference implementation OFIQ 1.0"

COMPONENTS: tuple[ComponentDefinition, ...] = (
    ComponentDefinition(
        "background_uniformity",
        "grey levels per pixel",
        detail.background_gradient,
        lambda raw: to_quality(190.0 * (1.0 - sigmoid(raw, 10.0, 100.0))),
        "mapping",
        f"mapping: {ISO}; background: outside a head-and-shoulders outline, ours",
        "mean gradient of the background {raw:.1f}",
        "Stand in front of a plain wall.",
    ),
    ComponentDefinition(
        "illumination_uniformity",
        "1",
        light.illumination_uniformity,
        lambda raw: to_quality(100.0 * max(raw, 0.0) ** 0.3),
        "both",
        f"{ISO}; 64 smoothed bins instead of 256, ours",
        "both cheeks share {raw:.2f} of their brightness",
        "Turn so that the light falls on your face from the front.",
    ),
    ComponentDefinition(
        "under_exposure_prevention",
        "1",
        light.dark_share,
        lambda raw: to_quality(120.0 * (0.832 - sigmoid(raw, 0.92, 0.05))),
        "both",
        ISO,
        "{raw:.2f} of the face is nearly black",
        "Find more light.",
    ),
    ComponentDefinition(
        "over_exposure_prevention",
        "1",
        light.bright_share,
        lambda raw: to_quality(1.0 / (raw + 0.01)),
        "both",
        ISO,
        "{raw:.2f} of the face is nearly white",
        "Step out of the direct light.",
    ),
    ComponentDefinition(
        "dynamic_range",
        "bits",
        light.entropy,
        lambda raw: to_quality(12.5 * raw),
        "both",
        ISO,
        "the brightness of the face has {raw:.1f} bits of entropy",
        "Find brighter and softer light.",
    ),
    ComponentDefinition(
        "sharpness",
        "1",
        detail.sharpness,
        lambda raw: rising(raw, 0.09, 0.03),
        "ours",
        "fine over coarse detail; the standard's random forest needs weights we lack",
        "fine detail is {raw:.2f} of coarse detail",
        "Hold still, wipe the lens, and let the camera focus on your face.",
    ),
    ComponentDefinition(
        "compression_artefacts",
        "1",
        detail.blockiness,
        lambda raw: falling(raw, 2.2, 0.5, 102.0),
        "ours",
        "grid of 8 pixels after Wang, Bovik, Evans, ICIP 2000; the standard's network needs weights we lack",
        "steps on the 8-pixel grid stand out by {raw:.2f}",
        "Send the photograph as the camera took it, not a copy from a messenger.",
    ),
    ComponentDefinition(
        "natural_colour",
        "CIELAB units",
        light.colour_distance,
        lambda raw: falling(raw, 0.0, 10.0, 200.0),
        "both",
        ISO,
        "the cheeks are {raw:.1f} away from natural skin colours",
        "Use white light and no filter or black-and-white mode.",
    ),
    ComponentDefinition(
        "single_face_present",
        "1",
        layout.second_face,
        lambda raw: to_quality(100.0 * (1.0 - raw)),
        "both",
        ISO,
        "the second face has {raw:.2f} of the size of the first",
        "Take the picture alone.",
    ),
    ComponentDefinition(
        "eyes_open",
        "1",
        features.eye_opening,
        lambda raw: rising(raw, 0.02, 0.01),
        "both",
        ISO,
        "the lids are {raw:.3f} of the distance from eyes to chin apart",
        "Open your eyes.",
    ),
    ComponentDefinition(
        "mouth_closed",
        "1",
        features.mouth_opening,
        lambda raw: falling(raw, 0.2, 0.06),
        "both",
        ISO,
        "the lips are {raw:.3f} of the distance from eyes to chin apart",
        "Close your mouth.",
    ),
    ComponentDefinition(
        "eyes_visible",
        "1",
        features.iris_contrast,
        lambda raw: rising(raw, 0.15, 0.05),
        "ours",
        "contrast of iris and skin; the standard's measure needs a segmentation network",
        "the iris is darker than the skin by {raw:.2f} of it",
        "Take off dark glasses and keep hair out of your eyes.",
    ),
    ComponentDefinition(
        "mouth_occlusion_prevention",
        "1",
        features.mouth_cover,
        lambda raw: to_quality(100.0 * (1.0 - raw)),
        "mapping",
        f"mapping: {ISO}; area: not like the skin of the upper face, ours",
        "{raw:.2f} of the lower face does not look like skin",
        "Uncover your mouth and chin.",
    ),
    ComponentDefinition(
        "face_occlusion_prevention",
        "1",
        features.face_cover,
        lambda raw: to_quality(100.0 * (1.0 - raw)),
        "mapping",
        f"mapping: {ISO}; area: not like the face's skin, ours",
        "{raw:.2f} of the face does not look like skin",
        "Take away whatever covers your face.",
    ),
    ComponentDefinition(
        "inter_eye_distance",
        "pixels",
        layout.inter_eye_distance,
        lambda raw: rising(raw, 70.0, 20.0),
        "both",
        ISO,
        "the eyes are {raw:.0f} pixels apart",
        "Come closer or use a better camera.",
    ),
    ComponentDefinition(
        "head_size",
        "1",
        layout.head_size,
        lambda raw: falling(abs(raw - 0.45), 0.0, 0.05, 200.0),
        "both",
        ISO,
        "eyes to chin take {raw:.2f} of the picture's height (0.45 is ideal)",
        "Change the distance so that your head takes up two thirds of the picture's height.",
    ),
    ComponentDefinition(
        "leftward_crop_of_face_image",
        "1",
        layout.margin_left,
        lambda raw: rising(raw, 0.9, 0.1),
        "both",
        ISO,
        "there are {raw:.1f} eye distances left of the right eye",
        "Move toward the middle of the picture.",
    ),
    ComponentDefinition(
        "rightward_crop_of_face_image",
        "1",
        layout.margin_right,
        lambda raw: rising(raw, 0.9, 0.1),
        "both",
        ISO,
        "there are {raw:.1f} eye distances right of the left eye",
        "Move toward the middle of the picture.",
    ),
    ComponentDefinition(
        "margin_above_face_image",
        "1",
        layout.margin_above,
        lambda raw: rising(raw, 1.4, 0.1),
        "both",
        ISO,
        "there are {raw:.1f} eye-to-chin lengths above the eyes",
        "Hold the camera so that your whole head is in the picture.",
    ),
    ComponentDefinition(
        "margin_below_face_image",
        "1",
        layout.margin_below,
        lambda raw: rising(raw, 1.8, 0.1),
        "both",
        ISO,
        "there are {raw:.1f} eye-to-chin lengths below the eyes",
        "Hold the camera so that your shoulders are in the picture.",
    ),
    ComponentDefinition(
        "head_pose_yaw_frontal_alignment",
        "degrees",
        layout.yaw,
        frontal,
        "both",
        f"{ISO}; pose from our own mesh fit",
        "the head is turned sideways by {raw:.0f} degrees",
        "Look straight into the camera.",
    ),
    ComponentDefinition(
        "head_pose_pitch_frontal_alignment",
        "degrees",
        layout.pitch,
        frontal,
        "both",
        f"{ISO}; pose from our own mesh fit",
        "the head is nodded by {raw:.0f} degrees",
        "Hold the camera at the height of your eyes.",
    ),
    ComponentDefinition(
        "head_pose_roll_frontal_alignment",
        "degrees",
        layout.roll,
        frontal,
        "both",
        f"{ISO}; pose from our own mesh fit",
        "the head is tilted by {raw:.0f} degrees",
        "Hold your head and the camera upright.",
    ),
    ComponentDefinition(
        "expression_neutrality",
        "1",
        features.expression,
        lambda raw: falling(raw, 0.9, 0.2),
        "ours",
        "length of the expressive blendshapes; the standard's networks need weights we lack",
        "the expression is {raw:.2f} away from rest",
        "Relax your face and do not smile.",
    ),
)
