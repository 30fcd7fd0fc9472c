"""Small synthetic pictures for the tests of the data room."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, side: int = 96) -> Image.Image:
    """A smooth random picture; two seeds give two pictures that no hash takes for one."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    return Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def folder(root: Path, subjects: int = 4, each: int = 3) -> Path:
    """``subjects`` folders with ``each`` pictures: s0/0.png ..."""
    for subject in range(subjects):
        (root / f"s{subject}").mkdir(parents=True)
        for number in range(each):
            (root / f"s{subject}" / f"{number}.png").write_bytes(encoded(picture(100 * subject + number)))
    return root
