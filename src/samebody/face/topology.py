"""Named points of the 478-point mesh, as MediaPipe's documentation numbers them; right and left are the subject's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RIGHT_EYE_CORNERS = (33, 133)
LEFT_EYE_CORNERS = (263, 362)
"""Outer and inner corner."""

RIGHT_EYE_RING = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE_RING = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_LIDS = ((159, 145), (158, 153), (160, 144))
LEFT_LIDS = ((386, 374), (385, 380), (387, 373))
"""Pairs of upper and lower lid points."""

INNER_LIPS = ((13, 14), (82, 87), (312, 317))
"""Pairs of upper and lower inner lip points."""
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
MOUTH_CORNERS = (61, 291)
MOUTH_CENTRE = (13, 14)

NOSE_TIP = 1
CHIN = 152
FOREHEAD = 10
RIGHT_CHEEK, LEFT_CHEEK = 50, 280

FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""Outline of the face, clockwise in the picture from the middle of the forehead."""

MIRROR_PAIRS = (
    *((33, 263), (133, 362), (54, 284), (67, 297), (117, 346), (119, 348), (121, 350), (127, 356), (129, 358)),
    *((132, 361), (136, 365), (143, 372), (147, 376), (198, 420), (205, 425), (70, 300), (105, 334), (234, 454)),
)
MIDLINE = (10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 2)
"""Points that hardly move with expression, in mirrored pairs and on the middle line: head pose is fitted to these."""

BLENDSHAPE_POINTS: NDArray[np.intp] = np.array(
    [
        *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70),
        *(78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149),
        *(150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195),
        *(197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300),
        *(308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375),
        *(377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454),
        *(466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477),
    ],
    dtype=np.intp,
)
"""The 146 points that the blendshape network takes, in its order (interface of MediaPipe's FaceBlendshapesGraph)."""


def _both(*stems: str) -> tuple[str, ...]:
    return tuple(f"{stem}{side}" for stem in stems for side in ("Left", "Right"))


BLENDSHAPE_NAMES: tuple[str, ...] = (
    "_neutral",
    *_both("browDown"),
    "browInnerUp",
    *_both("browOuterUp"),
    "cheekPuff",
    *_both("cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide"),
    *("jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose"),
    *_both("mouthDimple", "mouthFrown"),
    *("mouthFunnel", "mouthLeft"),
    *_both("mouthLowerDown", "mouthPress"),
    *("mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *_both("mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer"),
)
"""Names of the 52 coefficients in the network's order."""
