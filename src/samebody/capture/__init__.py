"""Capture: turn files and bytes of strangers into pixels, safely, before anything else looks at them."""

from __future__ import annotations

from samebody.capture.decode import decode_image

__all__ = ["decode_image"]
