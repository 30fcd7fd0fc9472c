"""With the extras installed, HEIC pictures and further codecs go the same way as everything else."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from samebody.capture import decode_image, errors, open_video, video
from samebody.config import Limits
from tests.capture.pictures import scene


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_is_decoded_upright(orientation: int) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra samebody[heic] is not installed")
    exif = PillowImage.Exif()
    exif[0x112], exif[0x10F] = orientation, "Maker"
    stream = io.BytesIO()
    heif.from_pillow(PillowImage.fromarray(scene(320, 240))).save(stream, quality=95, exif=exif.tobytes())
    data = stream.getvalue()
    image = decode_image(data)
    wanted = np.rot90(scene(320, 240), -1) if orientation == 6 else scene(320, 240)
    assert image.source.format == "heic" and image.source.camera == "Maker"
    assert image.pixels.shape == wanted.shape
    assert np.abs(image.pixels.astype(int) - wanted).mean() < 4
    with pytest.raises(errors.TooManyPixelsError):
        decode_image(data, limits=Limits(max_pixels=320 * 240 - 1))
    for size in range(20, len(data), max(1, len(data) // 25)):
        with pytest.raises(errors.CaptureError):
            decode_image(data[:size])


def test_a_codec_unknown_to_opencv_is_read_through_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av", reason="the extra samebody[video] is not installed")
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"MJPG"), 25, (96, 64))
    for index in range(12):
        writer.write(np.full((64, 96, 3), 20 * index, np.uint8))
    writer.release()
    direct = [frame.image.pixels.mean() for frame in open_video(path)]
    never = property(lambda self: False, lambda self, value: None)
    monkeypatch.setattr(video._OpenCVReader, "usable", never, raising=False)
    with open_video(path) as clip:
        frames = list(clip)
    assert [frame.index for frame in frames] == list(range(12))
    assert frames[-1].timestamp == pytest.approx(11 / 25, abs=0.05)
    assert np.allclose([frame.image.pixels.mean() for frame in frames], direct, atol=3)
