"""Measures of where the head is: pose, size, margins, and whether it is alone."""

from __future__ import annotations

import math

from samebody.face.quality.frame import QualityFrame


def yaw(frame: QualityFrame) -> float | None:
    """Degrees, positive to the subject's left."""
    return frame.mesh.yaw if frame.mesh else None


def pitch(frame: QualityFrame) -> float | None:
    """Degrees, positive downward."""
    return frame.mesh.pitch if frame.mesh else None


def roll(frame: QualityFrame) -> float | None:
    """Degrees, positive toward the subject's right shoulder; from the eye landmarks when there is no mesh."""
    return frame.mesh.roll if frame.mesh else frame.detection.roll_degrees


def inter_eye_distance(frame: QualityFrame) -> float:
    """Pixels, divided by the cosine of yaw."""
    return frame.inter_eye


def head_size(frame: QualityFrame) -> float:
    """Distance from eyes to chin over the height of the picture."""
    return frame.eye_to_chin / frame.image.height


def margin_left(frame: QualityFrame) -> float:
    """Distance from the picture's left edge to the eye nearer to it, in eye distances."""
    return float(min(frame.right_eye[0], frame.left_eye[0])) / max(frame.inter_eye, 1e-6)


def margin_right(frame: QualityFrame) -> float:
    """Distance from the eye nearer to the picture's right edge to that edge, in eye distances."""
    return (frame.image.width - float(max(frame.right_eye[0], frame.left_eye[0]))) / max(frame.inter_eye, 1e-6)


def margin_above(frame: QualityFrame) -> float:
    """Distance from the picture's top to the middle between the eyes, in lengths from eyes to chin."""
    return float(frame.eye_middle[1]) / max(frame.eye_to_chin, 1e-6)


def margin_below(frame: QualityFrame) -> float:
    """Distance from the middle between the eyes to the picture's bottom, in lengths from eyes to chin."""
    return (frame.image.height - float(frame.eye_middle[1])) / max(frame.eye_to_chin, 1e-6)


def second_face(frame: QualityFrame) -> float:
    """Linear size of the largest other face over that of this one, at most 1; 0 when it is alone."""
    others = [face.box.area for face in frame.detections if face is not frame.detection]
    return min(1.0, math.sqrt(max(others, default=0.0) / max(frame.detection.box.area, 1e-9)))
