"""Capture: turn files and bytes of strangers into pixels, safely, before anything else looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samebody.capture.decode import decode_image

if TYPE_CHECKING:
    from samebody.capture.video import VideoFile as VideoFile
    from samebody.capture.video import open_video as open_video

__all__ = ["decode_image", "open_video"]


def __getattr__(name: str) -> Any:
    """Video is imported when it is used: it changes OpenCV's logging and few commands need it."""
    if name in ("open_video", "VideoFile"):
        from samebody.capture import video

        return getattr(video, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
