"""Relief and yaw that the mesh network sees on synthetic motion: photographs turned as heads and as pictures.

    python -m benchmarks.active_liveness [--write docs/results/active-liveness.md]

A head is the photograph on its own mesh, turned in space; a flat attack is the same photograph turned as a plane.
Three photographs are no sample of people: the figures place the limits of ``samebody.attacks.parallax``, they are no
error rates.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

from benchmarks.machine import describe_machine
from samebody.attacks.active_pose import PoseCheck
from samebody.attacks.active_track import observe
from samebody.attacks.parallax import ParallaxCheck
from samebody.capture import decode_image
from samebody.cli.demo import GENUINE_PORTRAIT, GENUINE_SELFIE, IMPOSTOR_SELFIE
from samebody.face import FaceAnalyser
from samebody.models import catalogue, weights_path
from samebody.types import Image, Pixels

YAWS = (-28, -24, -20, -16, 16, 20, 24, 28)
Floats = NDArray[np.float64]


def turned(pixels: Pixels, points: Floats, yaw: float, *, flat: bool) -> Pixels:
    """The photograph with its face turned by ``yaw`` degrees (to the subject's left), (H, W, 3) uint8.

    Args:
        points: (478, 3) mesh, z negative toward the camera.
        flat: turn the whole picture as a plane, instead of the mesh.
    """
    height, width = pixels.shape[:2]
    centre = points.mean(axis=0)
    angle = math.radians(yaw)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    if flat:
        moved = _project(np.column_stack([corners, np.full(4, centre[2])]), centre, angle)
        matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
        return np.asarray(
            cv2.warpPerspective(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
        )
    moved = _project(points, centre, angle)
    # the nearer of two points that fall together is the one that is seen: what turned away is left out
    shown = _front_facing(points, moved)
    frame = np.vstack([moved[shown], corners])
    source = np.vstack([points[shown, :2], corners])
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2).astype(np.float64)
    back = LinearNDInterpolator(Delaunay(frame), source)(grid).reshape(height, width, 2).astype(np.float32)
    return np.asarray(
        cv2.remap(pixels, back[..., 0], back[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _project(points: Floats, centre: Floats, angle: float) -> Floats:
    """(n, 2) pixels after a turn about the vertical through ``centre``, seen from ten face widths."""
    x, y, z = (points - centre).T
    away = 10 * 200.0
    turned_x, turned_z = x * math.cos(angle) - z * math.sin(angle), x * math.sin(angle) + z * math.cos(angle)
    near = away / (away + turned_z)
    return np.column_stack([turned_x * near + centre[0], y * near + centre[1]])


def _front_facing(points: Floats, moved: Floats) -> NDArray[np.bool_]:
    """Points of triangles that keep their orientation."""
    triangles = Delaunay(points[:, :2]).simplices

    def signed(at: Floats) -> Floats:
        one, two = at[triangles[:, 1]] - at[triangles[:, 0]], at[triangles[:, 2]] - at[triangles[:, 0]]
        return np.asarray(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])

    kept = triangles[signed(points[:, :2]) * signed(moved) > 0]
    shown = np.zeros(len(points), bool)
    shown[np.unique(kept)] = True
    return shown


def small(image: Image, face: Floats) -> tuple[Pixels, Floats]:
    """The face with as much again round it, about 320 pixels wide, and the mesh in it."""
    low, high = face[:, :2].min(axis=0), face[:, :2].max(axis=0)
    centre, reach = (low + high) / 2, 0.9 * float((high - low).max())
    left, top = np.maximum(0, centre - reach).astype(int)
    right, bottom = np.minimum([image.width, image.height], centre + reach).astype(int)
    scale = 320 / (right - left)
    cut = cv2.resize(image.pixels[top:bottom, left:right], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cut, np.uint8), (face - np.array([left, top, 0])) * scale


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    faces, records = FaceAnalyser(threads=1), catalogue()
    limits = ParallaxCheck().parameters
    lines = [
        "| photograph | turned as | yaw seen at 16 / 20 / 24 / 28 degrees | relief | finding |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in (GENUINE_PORTRAIT, GENUINE_SELFIE, IMPOSTOR_SELFIE):
        whole = decode_image(weights_path(records[name]))
        mesh = faces.analyse(whole).mesh
        if mesh is None:
            continue
        pixels, points = small(whole, mesh.points.astype(np.float64))
        for flat in (False, True):
            frames = [(0.0, Image(pixels))]
            frames += [(100.0 * n, Image(turned(pixels, points, yaw, flat=flat))) for n, yaw in enumerate(YAWS, 1)]
            track, _ = observe(frames, faces)
            found = ParallaxCheck().check(track)
            change = np.abs(track.yaw[1:] - track.yaw[0])
            seen = " / ".join(f"{np.nanmean([change[3 - n], change[4 + n]]):.0f}" for n in range(4))
            relief = "none" if found.score is None else f"{found.score:.3f}"
            lines.append(
                f"| {name} | {'a picture' if flat else 'a head'} | {seen} | {relief} | {found.outcome.value} |"
            )
    machine, turn = describe_machine(), PoseCheck().parameters.turn_degrees
    head = [
        "# Parallax on synthetic motion",
        "",
        "Written by `python -m benchmarks.active_liveness`. Example photographs on their own mesh, turned in space",
        f"and as planes; {len(YAWS)} views each. Limits: flat up to {limits.flat:g}, a head from {limits.solid:g},",
        f"views from {limits.turned_degrees:g} degrees; a turn counts from {turn:g} degrees. Three",
        "photographs are no sample: these are no error rates. A picture that is turned is seen as a narrower face",
        "that looks ahead, so that the prompt counts as missed and parallax abstains.",
        "",
    ]
    tail = f"Machine: {machine['processor']}, {machine['cores']} cores."
    text = "\n".join([*head, *lines, "", tail]) + "\n"
    print(text)
    if chosen.write:
        chosen.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
