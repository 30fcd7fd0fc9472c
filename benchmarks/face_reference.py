"""Makes the reference head that head pose is fitted to: the symmetric mean of many meshes.

Run ``python benchmarks/face_reference.py --count 3000``; it reads the development pictures of fairface and writes
``src/samebody/face/pose_reference.json``. The mean of thousands of heads shows nobody. Its zero of pitch is the mean
pitch of people who look into a camera.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody.capture import decode_image
from samebody.face.detect import FaceDetector
from samebody.face.mesh import FaceMesher, crop_matrix
from samebody.face.networks import FaceNetworks
from samebody.face.pose import POSE_POINTS, rigid_rotation
from samebody.face.topology import MIDLINE, MIRROR_PAIRS

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SAMEBODY_DATA") or ROOT.parent / "shared" / "data")
TARGET = ROOT / "src" / "samebody" / "face" / "pose_reference.json"


def meshes(count: int) -> NDArray[np.float64]:
    """(n, points, 3) of the pose points, x right, y up, z to the camera, from every k-th picture of fairface."""
    networks = FaceNetworks(threads=1)
    detector, mesher = FaceDetector(networks.detector_outputs), FaceMesher(networks)
    files = sorted((DATA / "fairface" / "images").glob("*.jpg"))
    shapes = []
    for file in files[:: max(1, len(files) // count)][:count]:
        pixels = decode_image(file).pixels
        faces = detector.detect(pixels)
        if not faces or faces[0].rotation_degrees:
            continue
        box = faces[0].box
        side = max(box.width, box.height) * 1.5
        points, presence = mesher.landmarks(pixels, crop_matrix(box.centre, side, faces[0].roll_degrees))
        if presence > 0.9:
            shapes.append(points[list(POSE_POINTS)] * np.array([1.0, -1.0, -1.0]))
    return np.array(shapes)


def mirrored(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mirror image with right and left points exchanged."""
    order = [index for pair in MIRROR_PAIRS for index in reversed(pair)] + list(MIDLINE)
    positions = [POSE_POINTS.index(index) for index in order]
    return shape[..., positions, :] * np.array([-1.0, 1.0, 1.0])


def normalised(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = shape - shape.mean(axis=-2, keepdims=True)
    right, left = (centred[..., POSE_POINTS.index(index), :] for index in MIRROR_PAIRS[0])
    length = np.linalg.norm(right - left, axis=-1)
    return centred / np.asarray(length)[..., None, None]


def mean_shape(shapes: NDArray[np.float64], rounds: int = 8) -> NDArray[np.float64]:
    """Generalised Procrustes mean (Gower 1975) of shapes and their mirror images, turned to the mean viewing direction.

    Mirror images make yaw and roll of the mean exactly zero; the mean of the pitches that the fits find is taken out.
    """
    both = normalised(np.concatenate([shapes, mirrored(shapes)]))
    mean = normalised(np.median(both, axis=0))
    for _ in range(rounds):
        rotations = np.array([rigid_rotation(mean, shape) for shape in both])
        aligned = np.einsum("nji,npj->npi", rotations, both)
        mean = normalised(np.median(aligned, axis=0))
        mean = normalised((mean + mirrored(mean)) / 2)
    pitch = np.median(np.arctan2(rotations[:, 2, 1], rotations[:, 2, 2]))
    turn = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    return mean @ turn.T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    shapes = meshes(parser.parse_args().count)
    mean = mean_shape(shapes)
    content = {
        "made_by": "benchmarks/face_reference.py",
        "pictures": len(shapes),
        "from": "FairFace (Karkkainen and Joo, WACV 2021; CC BY 4.0)",
        "points": {str(i): [round(float(value), 4) for value in p] for i, p in zip(POSE_POINTS, mean)},
    }
    TARGET.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{len(shapes)} meshes -> {TARGET}")


if __name__ == "__main__":
    main()
