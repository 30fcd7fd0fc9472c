"""Corrupted copies of pictures and their templates, kept in the cache so that a run can be taken up again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings
from samebody.errors import InputError
from samebody.face import FaceAnalyser, FaceDetection
from samebody.face.stream import ordered
from samebody.lab.evaluate.corruptions import corruption, generator
from samebody.lab.evaluate.images import Entry, Picture, PictureSet, acquisition_key, cache_folder, load_picture
from samebody.lab.evaluate.template_cache import TemplateCache
from samebody.types import Image, Pixels

CORRUPTIONS_VERSION = "1"
"""Raise it when a corruption changes: cached templates of corrupted copies are then made again."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Acquired:
    """Templates of some pictures.

    Attributes:
        pictures: that gave a template.
        vectors: (n, d) float32 unit rows in the same order.
        failed: pictures that gave none.
        reasons: of each failure.
        quality: (n,) unified quality 0-100, NaN where unknown; None where it was not asked for.
    """

    pictures: tuple[Picture, ...]
    vectors: NDArray[np.float32] = field(repr=False)
    failed: tuple[Picture, ...] = ()
    reasons: tuple[str, ...] = ()
    quality: NDArray[np.float32] | None = field(default=None, repr=False)


class CorruptedFaces:
    """Makes and remembers templates of pictures, clean or corrupted, as the product would make them.

    Args:
        analyser: detector, choice of the face and embedder.
        settings: where the cache is.
        seed: of everything random in a corruption; each picture has a draw of its own.
        quality: also assess quality, which takes several times as long.
    """

    def __init__(self, analyser: FaceAnalyser, settings: Settings, *, seed: int, quality: bool = False) -> None:
        self._analyser, self._settings, self._seed, self._quality = analyser.single_threaded(), settings, seed, quality
        networks = sorted(record.run_sha256 for record in analyser.networks.records.values())
        key = hashlib.sha256(
            "\n".join([CORRUPTIONS_VERSION, acquisition_key(analyser), *networks]).encode()
        ).hexdigest()[:16]
        space = analyser.embedder.embedding_space().digest
        self._dimensions = analyser.embedder.embedding_output.dimensions
        # with quality an entry is one number longer
        name = f"{space}-{'corrupted-quality' if quality else 'corrupted'}-{key}"
        self._cache = TemplateCache(cache_folder(settings) / name, self._dimensions + int(quality))
        self._places: dict[str, FaceDetection | None] = {}

    def acquire(
        self,
        chosen: PictureSet,
        pictures: Sequence[Picture],
        name: str = "none",
        strength: float = 0.0,
        progress: Progress = lambda what, done, whole: None,
    ) -> Acquired:
        """Templates of ``pictures`` after the corruption ``name`` at ``strength`` (``none``: as they are).

        A picture in which the clean face is not found is a failure to acquire at every strength.
        """

        def key(picture: Picture) -> str:
            seed = 0 if name == "none" else self._seed
            return hashlib.sha256(f"{picture.sha256} {name} {strength!r} {seed}".encode()).hexdigest()

        missing = [picture for picture in pictures if key(picture) not in self._cache]
        done = len(pictures) - len(missing)
        what = f"{chosen.name}: {name}" + (f" {strength:g}" if name != "none" else "")
        progress(what, done, len(pictures))
        work = ordered(
            lambda picture: (picture, self._entry(chosen, picture, name, strength)),
            missing,
            workers=self._settings.session_threads,
        )
        for picture, entry in work:
            self._cache.put(key(picture), entry)
            done += 1
            progress(what, done, len(pictures))
        self._cache.flush()
        return self._gathered(pictures, [self._cache[key(picture)] for picture in pictures])

    def _gathered(self, pictures: Sequence[Picture], entries: Sequence[Entry]) -> Acquired:
        good = [(picture, entry) for picture, entry in zip(pictures, entries) if not isinstance(entry, str)]
        bad = [(picture, entry) for picture, entry in zip(pictures, entries) if isinstance(entry, str)]
        width = self._dimensions + int(self._quality)
        rows = np.array([entry for _, entry in good], dtype=np.float32).reshape(len(good), width)
        return Acquired(
            tuple(picture for picture, _ in good),
            np.ascontiguousarray(rows[:, : self._dimensions]),
            tuple(picture for picture, _ in bad),
            tuple(reason for _, reason in bad),
            rows[:, -1].copy() if self._quality else None,
        )

    def _entry(self, chosen: PictureSet, picture: Picture, name: str, strength: float) -> Entry:
        try:
            image = load_picture(chosen.root / picture.file, self._settings.limits)
        except InputError as error:
            return error.code
        if name != "none":
            face = self._place(picture, image)
            if face is None:
                return "face.none_clean"
            rng = generator(self._seed, picture.sha256, name, strength)
            image = Image(corruption(name).apply(image.pixels, face, strength, rng))
        analysis = self._analyser.analyse(image) if self._quality else self._analyser.template(image)
        if analysis.template is None:
            return analysis.findings[0].reasons[0].code
        if not self._quality:
            return analysis.template.vector
        unified = float("nan") if analysis.quality is None else float(analysis.quality.unified)
        return np.append(analysis.template.vector, np.float32(unified))

    def _place(self, picture: Picture, image: Image) -> FaceDetection | None:
        if picture.sha256 not in self._places:
            self._places[picture.sha256] = self._analyser.aligned(image).chosen
        return self._places[picture.sha256]


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """A picture with its face and the crop that the embedder takes."""

    picture: Picture
    image: Image = field(repr=False)
    face: FaceDetection
    crop: Pixels = field(repr=False)


def face_crops(
    analyser: FaceAnalyser, settings: Settings, chosen: PictureSet, pictures: Sequence[Picture]
) -> tuple[FaceCrop, ...]:
    """Aligned crops of ``pictures``; those without a usable face are left out."""
    single = analyser.single_threaded()

    def work(picture: Picture) -> FaceCrop | None:
        try:
            image = load_picture(chosen.root / picture.file, settings.limits)
        except InputError:
            return None
        found = single.aligned(image)
        if found.chosen is None or found.aligned is None:
            return None
        return FaceCrop(picture, image, found.chosen, found.aligned)

    return tuple(crop for crop in ordered(work, pictures, workers=settings.session_threads) if crop is not None)
