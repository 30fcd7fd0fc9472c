"""Eye pictures with masks on disk: synthetic ones drawn once, and real ones labelled by the classical segmenter."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.errors import InputError
from samebody.lab.data.files import write_bytes
from samebody.lab.evaluate.iris_sets import EyeSample, read_eye_folder
from samebody.lab.train.iris_segment_pictures import HEIGHT, VERSION, WIDTH, EyePool, soft_polygon

BLOCK = 250
"""Pictures of one file."""
Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class EyePicturesError(InputError):
    """Pictures of eyes that a segmenter cannot be trained on."""

    code = "train.eye_pictures"


def synthetic_blocks(folder: Path, *, seed: int, count: int, identities: int) -> list[Path]:
    """Files with ``count`` pictures of the pool ``seed``; those that are there already are kept.

    Each file holds ``images`` (n, 240, 320) and ``maps`` (n, 4, 120, 160), uint8, and appears whole or not at all, so
    that a run that was killed goes on where it was.

    Args:
        folder: of the cache.
        seed, identities: of :class:`EyePool`.
        count: a multiple of :data:`BLOCK` is not needed.
    """
    place = folder / f"eyes-{VERSION}-{seed}-{identities}"
    paths = []
    pool: EyePool | None = None
    for first in range(0, count, BLOCK):
        size = min(BLOCK, count - first)
        path = place / f"{first:06d}-{size}.npz"
        paths.append(path)
        if path.is_file():
            continue
        pool = pool or EyePool(seed, identities)
        eyes = [pool.draw(number) for number in range(first, first + size)]
        _store(path, np.stack([eye.image for eye in eyes]), np.stack([eye.maps for eye in eyes]))
    return paths


def half_of(samples: Sequence[EyeSample], half: str) -> list[EyeSample]:
    """Samples of every second person, counted from the first (``even``) or from the second (``odd``), by name."""
    people = sorted({sample.person for sample in samples})
    if half not in ("even", "odd"):
        raise EyePicturesError(f"there is no half {half!r}.", hint="Use even or odd.")
    kept = set(people[0 if half == "even" else 1 :: 2])
    return [sample for sample in samples if sample.person in kept]


def classical_block(
    folder: Path, eyes: Path, half: str, progress: Callable[[int, int], None] = lambda done, whole: None
) -> Path:
    """One file with the pictures of half of the people of ``eyes`` and what the classical segmenter found on them.

    Pictures that the classical pipeline refuses are left out. All are brought to 320x240, keeping their shape.

    Raises:
        EyePicturesError: there are no pictures, or none was segmented.
        DataSetError: ``eyes`` holds no folders PERSON/left, PERSON/right.
    """
    from samebody.iris import IrisPipeline

    source = read_eye_folder(eyes)
    chosen = half_of(source.samples, half)
    pipeline = IrisPipeline.load("default")
    names = "\n".join(f"{sample.sha256}  {sample.file}" for sample in chosen) + pipeline.space.digest
    path = folder / f"classical-{half}-{hashlib.sha256(names.encode()).hexdigest()[:16]}.npz"
    if path.is_file():
        return path
    images, maps = [], []
    for number, sample in enumerate(chosen, start=1):
        progress(number, len(chosen))
        pixels = source.pixels(sample)
        grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        image = framed(grey)
        encoding = pipeline.encode(image, sample.eye)
        found = encoding.segmentation
        if encoding.template is None or found is None:
            continue
        opening = np.ones((HEIGHT, WIDTH), dtype=np.float32)
        x, y = np.arange(WIDTH) + 0.5, (np.arange(HEIGHT) + 0.5)[:, None]
        if found.eyelids.upper is not None:
            opening *= y > np.interp(x, found.eyelids.upper[:, 0], found.eyelids.upper[:, 1])
        if found.eyelids.lower is not None:
            opening *= y < np.interp(x, found.eyelids.lower[:, 0], found.eyelids.lower[:, 1])
        cover = (found.occlusion & (opening > 0.5)).astype(np.float32)
        size = (WIDTH // 2, HEIGHT // 2)
        half_size = [cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in (opening, cover)]
        soft = np.stack((soft_polygon(found.pupil.points), soft_polygon(found.limbus.points), *half_size))
        images.append(image)
        maps.append(np.round(255 * soft).astype(np.uint8))
    if not images:
        raise EyePicturesError(
            f"the classical segmenter found no iris in {len(chosen)} pictures of {eyes}.",
            hint="Give near-infrared pictures of eyes.",
        )
    _store(path, np.stack(images), np.stack(maps))
    return path


def framed(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(240, 320) uint8: the whole picture, made to fit, its edge repeated where the shape differs."""
    height, width = grey.shape
    scale = min(WIDTH / width, HEIGHT / height)
    size = (min(WIDTH, max(1, round(width * scale))), min(HEIGHT, max(1, round(height * scale))))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = grey if size == (width, height) else cv2.resize(grey, size, interpolation=way)
    bottom, right = HEIGHT - size[1], WIDTH - size[0]
    return np.asarray(cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_REPLICATE), dtype=np.uint8)


def load_blocks(paths: Sequence[Path]) -> Arrays:
    """Images (n, 240, 320) and maps (n, 4, 120, 160) of several files, in order."""
    pairs = list(_pairs(paths))
    return np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])


def _pairs(paths: Sequence[Path]) -> Iterator[Arrays]:
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as found:
                yield found["images"], found["maps"]
        except (OSError, ValueError, KeyError) as error:
            raise EyePicturesError(
                f"{path} does not hold eye pictures: {error}.", hint="Delete it; it is drawn again."
            ) from None


def _store(path: Path, images: NDArray[np.uint8], maps: NDArray[np.uint8]) -> None:
    sink = io.BytesIO()
    np.savez(sink, images=images, maps=maps)
    write_bytes(path, sink.getvalue())
