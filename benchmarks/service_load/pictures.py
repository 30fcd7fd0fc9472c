"""The pictures of a session under load, and a session's way from creation to submission."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.service_load.served import Served

POLICY = "no-liveness"


@dataclass(frozen=True, slots=True)
class Pictures:
    """Encoded pictures of one person."""

    selfie: bytes
    document: bytes


def real(megapixels: float = 2) -> Pictures:
    """A photograph of a face and one of a specimen passport: every check runs, the verdict is `accept`."""
    from benchmarks.pipeline import make_pictures

    with tempfile.TemporaryDirectory() as name:
        selfie, document = make_pictures(Path(name), megapixels)
        return Pictures(selfie.read_bytes(), document.read_bytes())


def cheap(number: int = 0) -> Pictures:
    """Small grey pictures with nothing on them: a session that a worker judges in a fraction of the time (`retry`)."""
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), (number % 251, 130, 140)).save(stream, "JPEG")
    return Pictures(stream.getvalue(), stream.getvalue())


def fill(served: Served, made: dict[str, Any], pictures: Pictures, **options: Any) -> None:
    """What a person does in a created session: consent, both uploads, submission."""
    with served.client(made["client_token"], **options) as person:
        person.give_consent(made["id"], version="2026-1", language="en")
        person.upload_media(made["id"], pictures.selfie, role="selfie", content_type="image/jpeg")
        person.upload_media(made["id"], pictures.document, role="document_front", content_type="image/jpeg")
        person.submit_session(made["id"])
