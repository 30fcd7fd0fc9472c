"""A camera for the browser that shows an example photograph in motion: who stands before it follows the page's prompts.

The pictures are rendered here (:mod:`samebody.synth.motion`), the page's own prompts and colours drive them in the
browser, since nobody knows a challenge before it is shown.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from samebody.capture import decode_image
from samebody.face import FaceAnalyser
from samebody.synth.motion import REST, Puppet, framed, gesture_of
from samebody.types import Pixels

Mode = Literal["person", "still", "loop"]
WIDTH, HEIGHT = 360, 480
AMOUNTS = {
    "turn_left": (0.2, 0.4, 0.6, 0.8, 1.0),
    "turn_right": (0.2, 0.4, 0.6, 0.8, 1.0),
    "nod": (0.25, 0.5, 0.75, 1.0),
    "blink": (0.5, 1.0),
    "smile": (0.33, 0.66, 1.0),
}


def bank_of(path: Path, amounts: dict[str, tuple[float, ...]] = AMOUNTS) -> dict[str, Any]:
    """The rendered pictures of one photograph, for :func:`script`."""
    whole = decode_image(path)
    mesh = FaceAnalyser(threads=1).analyse(whole).mesh
    assert mesh is not None
    puppet = Puppet(*framed(whole.pixels, mesh.points.astype(np.float64), WIDTH, HEIGHT, share=0.36), rest=-1)
    alpha = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    alpha[..., 3] = np.round(255 * puppet.nearness())
    rest = _jpeg(puppet.render(REST))
    moves = {
        name: [[amount, _jpeg(puppet.render(gesture_of(name, amount)))] for amount in each]
        for name, each in amounts.items()
    }
    return {
        "mask": _encoded(".png", alpha),
        "moves": {**moves, "rest": [[1.0, rest]], "closer": [[amount, rest] for amount in (0.5, 1.0)]},
    }


def script(mode: Mode, bank: dict[str, Any]) -> str:
    """What a page must run before its own scripts."""
    actor = {"mode": mode, "width": WIDTH, "height": HEIGHT, "pictures": bank}
    source = (Path(__file__).parent / "acting_camera.js").read_text("utf-8")
    return f"const actor = {json.dumps(actor)};\n{source}"


def _jpeg(pixels: Pixels) -> str:
    return _encoded(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


def _encoded(kind: str, picture: np.ndarray) -> str:
    ok, data = cv2.imencode(kind, picture, [cv2.IMWRITE_JPEG_QUALITY, 93] if kind == ".jpg" else [])
    assert ok
    return base64.b64encode(data.tobytes()).decode()
