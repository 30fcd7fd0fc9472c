"""A video is an iterator of upright frames whose times never turn back, within limits, and leaves nothing behind."""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samebody.capture import errors, open_video, video
from samebody.config import Limits
from samebody.errors import InputError, ResourceError
from samebody.types import Frame
from tests.capture.pictures import jpeg

CODECS = {"mp4": "mp4v", "avi": "MJPG", "mkv": "FFV1", "webm": "VP90"}
FRAMES = 20


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One short video per container: a bright square at the top left, brightness counts the frames."""
    folder = tmp_path_factory.mktemp("videos")
    made = {}
    for suffix, codec in CODECS.items():
        path = folder / f"clip.{suffix}"
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), 25, (96, 64))
        for index in range(FRAMES):
            frame = np.full((64, 96, 3), 10 * index, np.uint8)
            frame[:16, :16] = (0, 0, 255)  # red, in OpenCV's order
            writer.write(frame)
        writer.release()
        if path.exists() and path.stat().st_size > 1000:
            made[suffix] = path
    assert "mp4" in made and "avi" in made
    return made


@pytest.fixture(autouse=True)
def no_private_copy_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def read(source: Path | bytes, limits: Limits | None = None) -> list[Frame]:
    with open_video(source, limits=limits) as clip:
        return list(clip)


def test_frames_come_in_order_upright_and_in_rgb(videos: dict[str, Path]) -> None:
    for suffix, path in videos.items():
        frames = read(path)
        assert [frame.index for frame in frames] == list(range(FRAMES)), suffix
        times = [frame.timestamp for frame in frames]
        assert times == sorted(times) and times[0] == pytest.approx(0, abs=0.05)
        assert times[-1] == pytest.approx((FRAMES - 1) / 25, abs=0.05), suffix
        red = frames[2].image.pixels[4:12, 4:12].reshape(-1, 3).mean(0)
        assert red[0] > 220 and red[1] < 40 and red[2] < 40, suffix
        levels = [frame.image.pixels[40:, 40:].mean() for frame in frames]
        assert np.allclose(levels, 10 * np.arange(FRAMES), atol=8), suffix
        assert frames[0].image.source.format == "video"
        assert frames[3].image.evidence is not None and frames[3].image.evidence.id == "video:frame-3"


def test_bytes_and_a_second_pass_give_the_same_and_leave_nothing(videos: dict[str, Path], tmp_path: Path) -> None:
    with open_video(videos["mp4"].read_bytes()) as clip:
        (copy,) = tmp_path.iterdir()
        assert copy.stat().st_mode & 0o777 == 0o600
        first = [frame.image.pixels.sum() for frame in clip]
        second = [frame.image.pixels.sum() for frame in clip]
    assert first == second == [frame.image.pixels.sum() for frame in read(videos["mp4"])]
    assert list(tmp_path.iterdir()) == []
    clip.close()


def test_nothing_is_left_when_the_reader_stops_early_or_fails(videos: dict[str, Path], tmp_path: Path) -> None:
    data = videos["mp4"].read_bytes()
    with open_video(data) as clip:
        next(iter(clip))
    with pytest.raises(errors.TooManyFramesError):
        read(data, Limits(max_frames=3))
    with pytest.raises(errors.CaptureError):
        read(data[:24] + bytes(500))
    assert list(tmp_path.iterdir()) == []


IDENTITY = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
TURNS = {
    90: struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30),
    180: struct.pack(">9i", -65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30),
    270: struct.pack(">9i", 0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30),
}


@pytest.mark.parametrize("degrees", TURNS)
def test_stored_rotation_is_applied(videos: dict[str, Path], degrees: int) -> None:
    data = videos["mp4"].read_bytes()
    at = data.index(b"tkhd")
    matrix = data.index(IDENTITY, at)
    turned = data[:matrix] + TURNS[degrees] + data[matrix + 36 :]
    straight = read(data)[5].image.pixels
    upright = read(turned)[5].image.pixels
    assert (upright == np.rot90(straight, -degrees // 90)).all()  # clockwise, as players turn it
    with open_video(turned) as clip:
        assert (clip.height, clip.width) == upright.shape[:2]


def test_limits_hold_before_and_while_decoding(videos: dict[str, Path]) -> None:
    path = videos["mp4"]
    for limits, expected in (
        (Limits(max_video_bytes=1000), errors.TooManyBytesError),
        (Limits(max_frames=FRAMES - 1), errors.TooManyFramesError),
        (Limits(max_seconds=0.5), errors.TooLongError),
        (Limits(max_video_pixels=96 * 64 - 1), errors.TooManyPixelsError),
        (Limits(min_side=65), errors.TooSmallError),
    ):
        with pytest.raises(expected):
            open_video(path, limits=limits)
    assert len(read(path, Limits(max_frames=FRAMES, max_seconds=0.8, max_video_pixels=96 * 64))) == FRAMES


def test_a_container_that_claims_less_than_it_holds_is_counted_again(videos: dict[str, Path]) -> None:
    with open_video(videos["mp4"], limits=Limits(max_frames=FRAMES)) as clip:
        clip._limits = Limits(max_frames=4)  # as if the container had claimed four frames
        seen = []
        with pytest.raises(errors.TooManyFramesError):
            for frame in clip:
                seen.append(frame.index)
        assert seen == [0, 1, 2, 3]
        clip._limits = Limits(max_seconds=0.3)
        with pytest.raises(errors.TooLongError):
            list(clip)


def test_what_is_no_video_is_told_apart(tmp_path: Path) -> None:
    for data, code in (
        (b"", "capture.empty"),
        (b"text", "capture.not_a_video"),
        (jpeg(), "capture.not_a_video"),
        (struct.pack(">I", 24) + b"ftypisom" + bytes(12), "capture.corrupt"),
    ):
        with pytest.raises(InputError) as caught:
            read(data)
        assert caught.value.code == code
    with pytest.raises(errors.NoSuchFileError):
        open_video(tmp_path / "none.mp4")
    with pytest.raises(errors.NoSuchFileError):
        open_video(tmp_path)


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_cut_video_is_truncated(videos: dict[str, Path], suffix: str, share: float) -> None:
    if suffix not in videos:
        pytest.skip(f"this build of OpenCV does not write {suffix}")
    data = videos[suffix].read_bytes()
    with pytest.raises((errors.TruncatedError, errors.CorruptError)) as caught:
        read(data[: int(len(data) * share)])
    if suffix in ("mp4", "avi"):
        assert caught.value.code == "capture.truncated"


def test_an_unknown_codec_asks_for_the_extra(videos: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(
        video._OpenCVReader, "usable", property(lambda self: False, lambda self, value: None), raising=False
    )
    with pytest.raises(ResourceError) as caught:
        open_video(videos["mp4"])
    assert caught.value.code == "capture.decoder_not_installed"
    assert "samebody[video]" in caught.value.hint


def test_video_decoding_is_silent(videos: dict[str, Path]) -> None:
    script = f"""
import random
from pathlib import Path
from samebody.capture import open_video
from samebody.errors import SamebodyError
for path in {[str(path) for path in videos.values()]!r}:
    data = Path(path).read_bytes()
    for seed in range(12):
        chance, broken = random.Random(seed), bytearray(data)
        for _ in range(chance.randint(1, 40)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            with open_video(bytes(broken)) as clip:
                for frame in clip:
                    pass
        except SamebodyError:
            pass
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def attempt(data: bytes) -> None:
    try:
        with open_video(data, limits=Limits(max_frames=60, max_video_pixels=300_000)) as clip:
            for frame in clip:
                assert frame.image.width * frame.image.height <= 300_000
    except (InputError, ResourceError) as error:
        assert error.code.startswith("capture.")


@settings(max_examples=60, deadline=10_000, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(sorted(CODECS)),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=12),
    st.data(),
)
def test_a_broken_video_is_a_typed_error_or_frames(
    videos: dict[str, Path], suffix: str, edits: list[tuple[int, int]], data: st.DataObject
) -> None:
    if suffix not in videos:
        return
    broken = bytearray(videos[suffix].read_bytes())
    for at, value in edits:
        broken[at % len(broken)] = value
    attempt(bytes(broken[: data.draw(st.integers(1, len(broken)))] if data.draw(st.booleans()) else broken))
