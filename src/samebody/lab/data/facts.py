"""What was measured of samples once, kept by their SHA-256 so that no later step measures it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebody.capture import decode_image, perceptual
from samebody.config import Limits
from samebody.errors import InputError
from samebody.lab.data.files import write_bytes
from samebody.lab.data.jpeg_scan import scan_fault
from samebody.lab.evaluate.grey_maps import read_grey_map
from samebody.types import Image

PIXELS = "pixels-1"
"""Kind of :class:`PixelFacts`; the number changes when what is measured changes."""

MISSING = "data.missing"
"""Error of a sample whose bytes are not there; never kept, because they may come back."""

DAMAGED = "data.damaged_scan"
"""Error of a JPEG that decoders show, with grey or shifted blocks where its data is broken."""

SHARD = 4096


@dataclass(frozen=True, slots=True)
class PixelFacts:
    """What decoding a sample told.

    Attributes:
        error: code of the typed error; empty when it decodes.
        format: ``jpeg``, ``png``, ``pgm`` ...; empty when it does not decode.
        width, height: of the upright picture, pixels.
        hash: perceptual hash as 64 hex digits; empty for flat and for unreadable pictures.
        brightness: mean luminance, 0-255.
        jpeg_quality: estimated, 1-100; 0 when it is no JPEG.
    """

    error: str = ""
    format: str = ""
    width: int = 0
    height: int = 0
    hash: str = ""
    brightness: float = 0.0
    jpeg_quality: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> PixelFacts:
        """What :meth:`to_dict` gave."""
        return cls(**{name: fields[name] for name in cls.__slots__ if name in fields})


def load_sample(path: Path, limits: Limits | None = None) -> Image:
    """Decode a stored sample; portable grey maps, which old sets are kept in, are taken too.

    Raises:
        InputError: it cannot be decoded; the code says why.
    """
    with path.open("rb") as stream:
        grey = stream.read(2) == b"P5"
    return read_grey_map(path) if grey else decode_image(path, limits=limits)


def pixel_facts(path: Path, limits: Limits | None = None) -> PixelFacts:
    """Decode a sample and measure it; a sample that cannot be decoded gives facts with its error."""
    try:
        image = load_sample(path, limits)
    except InputError as error:
        return PixelFacts(error=error.code)
    except OSError:
        return PixelFacts(error=MISSING)
    if image.source.format == "jpeg" and scan_fault(path.read_bytes()):
        return PixelFacts(error=DAMAGED)
    small = perceptual.luminance(image.pixels)
    value = perceptual.hash_of(small)
    return PixelFacts(
        format=image.source.format,
        width=image.width,
        height=image.height,
        hash="" if value is None else perceptual.to_hex(value),
        brightness=round(float(small.mean()), 2),
        jpeg_quality=image.source.jpeg_quality or 0,
    )


class FactStore:
    """Facts of one kind: JSON lines in shards, each there whole or not at all; a damaged shard is measured again.

    Args:
        folder: of all facts of a data set.
        kind: name of the facts and version of what measures them.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder / kind
        self._known: dict[str, dict[str, Any]] = {}
        self._fresh: dict[str, dict[str, Any]] = {}
        for path in sorted(self.folder.glob("*.jsonl")):
            self._read(path)

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._known

    def __getitem__(self, sha256: str) -> dict[str, Any]:
        """Facts of a sample; raises KeyError when it was never measured."""
        return self._known[sha256]

    def __len__(self) -> int:
        return len(self._known)

    def put(self, sha256: str, facts: Mapping[str, Any]) -> None:
        """Remember facts; written when a shard is full and on :meth:`flush`."""
        if self._known.get(sha256) == facts:
            return
        self._known[sha256] = self._fresh[sha256] = dict(facts)
        if len(self._fresh) >= SHARD:
            self.flush()

    def flush(self) -> None:
        """Write what was not written yet.

        Raises:
            StorageError: it cannot be written.
        """
        if self._fresh:
            self._write(self._fresh)
            self._fresh = {}

    def forget(self, samples: Iterable[str]) -> int:
        """Remove samples from every shard on disk; returns how many were there."""
        gone = set(samples)
        self.flush()
        found = 0
        for path in sorted(self.folder.glob("*.jsonl")):
            shard = _parse(path)
            kept = {sha256: facts for sha256, facts in shard.items() if sha256 not in gone}
            if len(kept) < len(shard):
                found += len(shard) - len(kept)
                if kept:
                    self._write(kept)
                path.unlink()
        for sha256 in gone:
            self._known.pop(sha256, None)
        return found

    def _write(self, shard: Mapping[str, Mapping[str, Any]]) -> None:
        lines = [json.dumps({"sha256": sha256, **facts}) for sha256, facts in shard.items()]
        data = ("\n".join(lines) + "\n").encode()
        write_bytes(self.folder / f"{hashlib.sha256(data).hexdigest()[:32]}.jsonl", data)

    def _read(self, path: Path) -> None:
        self._known.update(_parse(path))


def _parse(path: Path) -> dict[str, dict[str, Any]]:
    found = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    for line in lines:
        try:
            facts = json.loads(line)
            found[str(facts.pop("sha256"))] = facts
        except (ValueError, KeyError, AttributeError):
            continue
    return found
