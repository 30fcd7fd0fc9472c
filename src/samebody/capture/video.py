"""Read a video frame by frame, upright and with timestamps, within limits; never a list in memory."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from samebody.capture import errors
from samebody.capture.sniff import VIDEOS, sniff
from samebody.capture.source import checked_path, read_bytes
from samebody.config import Limits
from samebody.types import Evidence, Frame, Image, Pixels, SourceInfo

# OpenCV and FFmpeg write what they think of a broken file to standard error. OpenCV reads these when it first opens a
# video; the caller's own values are kept.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
os.environ.setdefault("OPENCV_VIDEOIO_DEBUG", "0")
with contextlib.suppress(AttributeError):
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"uuid", b"sidx", b"styp", b"mfra"})
_LOST_SHARE = 0.05  # containers count a frame or two that no decoder gives back; cameras that crash lose more


class _Reader(Protocol):
    """What a decoder offers: facts about the stream, then frames."""

    width: int
    height: int
    frame_count: int
    seconds: float

    def read(self) -> tuple[Pixels, float] | None:
        """The next frame (RGB) and its time in seconds, None at the end."""

    def close(self) -> None:
        """Release the decoder."""


class VideoFile:
    """Frames of one video; made by :func:`open_video`. Iterating a second time begins anew.

    Attributes:
        width, height: of an upright frame, in pixels.
        source: what the file says about itself.
        claimed_frames: what the container says; 0 when it does not say.
    """

    def __init__(self, path: Path, byte_count: int, limits: Limits, role: str, temporary: bool) -> None:
        self._path, self._limits, self._role, self._temporary = path, limits, role, temporary
        self._readers: list[_Reader] = []
        try:
            _require_whole(path, byte_count)
            reader = self._open()
            self.claimed_frames = reader.frame_count
            self.width, self.height = reader.width, reader.height
            self.source = SourceInfo("video", byte_count, reader.width, reader.height)
            self._check_claims(reader)
        except BaseException:
            self.close()
            raise
        reader.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames in order.

        Raises:
            TooManyFramesError, TooLongError: once a limit is passed; the frames before it were given.
            TruncatedError: the video ends clearly before its container says.
        """
        reader = self._open()
        index, last = 0, -1.0
        try:
            while (item := reader.read()) is not None:
                pixels, timestamp = item
                if index >= self._limits.max_frames:
                    raise errors.TooManyFramesError(
                        f"The video has more than {self._limits.max_frames} frames.", hint="Send a shorter video."
                    )
                # some containers give no times or turn back: never later frames at earlier times
                timestamp = max(timestamp, last)
                if timestamp > self._limits.max_seconds:
                    raise errors.TooLongError(
                        f"The video is longer than {self._limits.max_seconds:g} seconds.", hint="Send a shorter video."
                    )
                if pixels.shape[0] * pixels.shape[1] > self._limits.max_video_pixels:
                    raise errors.TooManyPixelsError("A frame of the video has more pixels than the limit.")
                evidence = Evidence(f"{self._role}:frame-{index}", self._role)
                yield Frame(Image(pixels, self.source, evidence), timestamp, index)
                index, last = index + 1, timestamp
        finally:
            reader.close()
        if index == 0:
            raise errors.CorruptError("The video holds no frame that can be decoded.", hint="Record it again.")
        if index < self.claimed_frames * (1 - _LOST_SHARE) - 2:
            raise errors.TruncatedError(
                f"The video ends after {index} of {self.claimed_frames} frames.", hint="Send the file again."
            )

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Release decoders and delete the private copy, if there is one. May be called more than once."""
        for reader in self._readers:
            reader.close()
        self._readers.clear()
        if self._temporary:
            self._temporary = False
            self._path.unlink(missing_ok=True)

    def _open(self) -> _Reader:
        reader = _open_reader(self._path)
        self._readers.append(reader)
        return reader

    def _check_claims(self, reader: _Reader) -> None:
        if reader.width <= 0 or reader.height <= 0:
            raise errors.ZeroSizeError("The video claims no size.")
        if reader.width * reader.height > self._limits.max_video_pixels:
            raise errors.TooManyPixelsError(
                f"The video claims {reader.width}x{reader.height} pixels, "
                f"the limit is {self._limits.max_video_pixels:,}.",
                hint="Record at a lower resolution.",
            )
        if min(reader.width, reader.height) < self._limits.min_side:
            raise errors.TooSmallError(f"The video has {reader.width}x{reader.height} pixels.")
        if reader.frame_count > self._limits.max_frames:
            raise errors.TooManyFramesError(
                f"The video claims {reader.frame_count} frames, the limit is {self._limits.max_frames}.",
                hint="Send a shorter video.",
            )
        if reader.seconds > self._limits.max_seconds:
            raise errors.TooLongError(
                f"The video claims {reader.seconds:.1f} seconds, the limit is {self._limits.max_seconds:g}.",
                hint="Send a shorter video.",
            )


def open_video(
    source: Path | str | bytes | bytearray, *, limits: Limits | None = None, role: str = "video"
) -> VideoFile:
    """Open a video: a context manager that iterates over :class:`samebody.types.Frame`.

    Bytes go through a private temporary file (mode 0600) that is deleted on closing. Rotation stored in the container
    is applied. Size, length and frame count that the container claims are held against ``limits`` before a frame is
    decoded, and what really comes is counted again.

    Raises:
        CaptureError: a subclass with its own code for each way in which the input is unusable.
        DecoderNotInstalledError: the codec is neither decoded by OpenCV nor is the extra ``samebody[video]`` there.
    """
    limits = limits or Limits()
    if isinstance(source, bytes | bytearray):
        data = read_bytes(source, limits.max_video_bytes)
        _require_video(data[:4096])
        return VideoFile(_private_copy(data), len(data), limits, role, temporary=True)
    path = Path(source)
    size = checked_path(path, limits.max_video_bytes)
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
    except OSError:
        raise errors.UnreadableFileError(f"{str(path)!r} cannot be read.") from None
    _require_video(head)
    return VideoFile(path, size, limits, role, temporary=False)


def _require_video(head: bytes) -> None:
    kind = sniff(head)
    if kind not in VIDEOS:
        what = f"is of the type {kind}" if kind else "is of no type that is known"
        raise errors.NotAVideoError(f"The input {what}.", hint="Send an MP4, MOV, WebM or AVI video.")


def _require_whole(path: Path, size: int) -> None:
    """Refuse MP4 and AVI files that end before their own boxes do; a cut file often cannot be opened at all."""
    with path.open("rb") as stream:
        head = stream.read(16)
        if head[:4] == b"RIFF" and 8 + int.from_bytes(head[4:8], "little") > size:
            raise errors.TruncatedError("The video ends before its container.", hint="Send the file again.")
        position = 0
        while head[4:8] in _BOXES:
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:16], "big") if length == 1 else length
            position += length
            if position > size:
                raise errors.TruncatedError("The video ends before its last box.", hint="Send the file again.")
            if length < 8:  # 0: the box goes on to the end of the file
                return
            stream.seek(position)
            head = stream.read(16)


def _private_copy(data: bytes) -> Path:
    try:
        handle, name = tempfile.mkstemp(prefix="samebody-", suffix=".video")
    except OSError as error:
        raise errors.UnreadableFileError(f"No temporary file can be made: {error.strerror}.") from None
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    except OSError as error:
        path.unlink(missing_ok=True)
        raise errors.UnreadableFileError(f"The temporary file cannot be written: {error.strerror}.") from None
    return path


def _open_reader(path: Path) -> _Reader:
    reader = _OpenCVReader(path)
    if reader.usable:
        return reader
    reader.close()
    try:
        import av
    except ImportError:
        if reader.known_container:
            raise errors.DecoderNotInstalledError(
                f"The codec {reader.codec or 'of the video'} has no decoder here.",
                hint="Install samebody[video] (see docs/licences.md: its wheel holds x264 and x265, GPL).",
            ) from None
        raise errors.CorruptError("The video cannot be opened.", hint="Record it again.") from None
    return _AvReader(path, av)


class _OpenCVReader:
    """Frames through OpenCV's FFmpeg."""

    def __init__(self, path: Path) -> None:
        self._capture = cv2.VideoCapture()
        # FFmpeg alone: the other backends would take names with a pattern for series of pictures
        opened = self._capture.open(str(path.resolve()), cv2.CAP_FFMPEG)
        self.known_container = bool(opened)
        self._first: tuple[Pixels, float] | None = None
        self.width = self.height = self.frame_count = 0
        self.seconds = 0.0
        self.codec = ""
        if not opened:
            self.usable = False
            return
        get = self._capture.get
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        self._rotation = round(_finite(get(cv2.CAP_PROP_ORIENTATION_META))) % 360
        width, height = int(_finite(get(cv2.CAP_PROP_FRAME_WIDTH))), int(_finite(get(cv2.CAP_PROP_FRAME_HEIGHT)))
        self.width, self.height = (height, width) if self._rotation in (90, 270) else (width, height)
        rate = _finite(get(cv2.CAP_PROP_FPS))
        self._rate = rate if 0 < rate < 1000 else 30.0
        self.frame_count = max(0, min(int(_finite(get(cv2.CAP_PROP_FRAME_COUNT))), 1 << 40))
        self.seconds = self.frame_count / self._rate
        self.codec = _fourcc(int(_finite(get(cv2.CAP_PROP_FOURCC))))
        self._index = 0
        self.usable = width > 0 and height > 0

    def read(self) -> tuple[Pixels, float] | None:
        """The next frame and its time."""
        try:
            ok, frame = self._capture.read()
        except cv2.error:
            return None
        if not ok or frame is None:
            return None
        milliseconds = _finite(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        seconds = milliseconds / 1000 if milliseconds > 0 or self._index == 0 else self._index / self._rate
        self._index += 1
        pixels = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        if self._rotation in _ROTATIONS:
            pixels = cv2.rotate(pixels, _ROTATIONS[self._rotation])
        return np.asarray(pixels, np.uint8), seconds

    def close(self) -> None:
        """Release the decoder."""
        self._capture.release()


class _AvReader:
    """Frames through PyAV, for codecs that OpenCV's FFmpeg does not decode."""

    def __init__(self, path: Path, av: Any) -> None:
        try:
            self._container = av.open(str(path))
            stream = self._container.streams.video[0]
            context = stream.codec_context
            self.width, self.height = int(context.width), int(context.height)
            self.frame_count = int(stream.frames or 0)
            duration = self._container.duration
            self.seconds = duration / 1_000_000 if duration else 0.0
            self._frames = iter(self._container.decode(stream))
        except Exception:
            raise errors.CorruptError("The video cannot be opened.", hint="Record it again.") from None

    def read(self) -> tuple[Pixels, float] | None:
        """The next frame and its time."""
        try:
            frame = next(self._frames, None)
        except Exception:  # PyAV raises FFmpeg's own errors on broken data: the video ends there
            return None
        if frame is None:
            return None
        pixels = frame.to_ndarray(format="rgb24")
        rotation = round(getattr(frame, "rotation", 0) or 0) % 360
        if rotation in _ROTATIONS:  # PyAV counts counter-clockwise
            pixels = cv2.rotate(pixels, _ROTATIONS[360 - rotation])
        return np.ascontiguousarray(pixels, np.uint8), float(frame.time or 0.0)

    def close(self) -> None:
        """Release the decoder."""
        with contextlib.suppress(Exception):
            self._container.close()


def _finite(value: float) -> float:
    return value if np.isfinite(value) else 0.0


def _fourcc(code: int) -> str:
    return "".join(chr(code >> shift & 255) for shift in (0, 8, 16, 24) if 32 < (code >> shift & 255) < 127)
