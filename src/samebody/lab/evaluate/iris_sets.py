"""Sets of eye pictures for evaluation: folders of people, or synthetic eyes; pictures in, templates out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from samebody.config import Limits
from samebody.iris import IrisTemplate
from samebody.lab.evaluate.evaluation_sets import DataSetError
from samebody.lab.evaluate.images import digest_of, load_picture
from samebody.measure import binomial_interval

if TYPE_CHECKING:
    from samebody.iris.pipeline import IrisPipeline

Side = Literal["left", "right"]
Progress = Callable[[str, int, int], None]
SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
CREDITS: Mapping[str, str] = {
    "mmu1": "MMU1 iris database, Multimedia University, Malaysia (45 people, both eyes, 5 pictures each; research use)."
}


@dataclass(frozen=True, slots=True)
class EyeSample:
    """One picture: where it is, its hash, whose eye it shows."""

    file: str
    sha256: str
    person: str
    eye: Side

    @property
    def eye_class(self) -> tuple[str, str]:
        """What two mated pictures share."""
        return self.person, self.eye


@dataclass(frozen=True, slots=True, eq=False)
class EyeSet:
    """Labelled eye pictures.

    Attributes:
        name, credit: of the set.
        synthetic: whether no person stands behind it.
        samples: in a fixed order.
        pixels: gives the pixels of a sample, (h, w) or (h, w, 3) uint8.
    """

    name: str
    credit: str
    synthetic: bool
    samples: tuple[EyeSample, ...]
    pixels: Callable[[EyeSample], NDArray[np.uint8]] = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted lines ``sha256  file``."""
        return digest_of((sample.sha256, sample.file) for sample in self.samples)

    @property
    def people(self) -> tuple[str, ...]:
        """Names, sorted."""
        return tuple(sorted({sample.person for sample in self.samples}))


def read_eye_folder(folder: Path, limits: Limits | None = None) -> EyeSet:
    """Read ``folder/<person>/<left|right>/<picture>``; a folder that holds ``mmu1`` is read as that set.

    Raises:
        DataSetError: no such pictures, or fewer than two people.
    """
    root = folder / "mmu1" if (folder / "mmu1").is_dir() else folder
    paths = sorted(
        path for side in ("left", "right") for path in root.glob(f"*/{side}/*") if path.suffix.lower() in SUFFIXES
    )
    if len({path.parts[-3] for path in paths}) < 2:
        raise DataSetError(
            f"{root} holds no pictures of at least two people in PERSON/left/ and PERSON/right/.",
            hint="Lay the pictures out as PERSON/left/1.png, PERSON/right/1.png.",
        )
    samples = []
    for path in paths:
        person, side = path.parts[-3], path.parts[-2]
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        eye: Side = "left" if side == "left" else "right"
        samples.append(EyeSample(f"{person}/{side}/{path.name}", digest, person, eye))
    credit = CREDITS.get(root.name, f"pictures of the folder {root.name}")
    return EyeSet(
        root.name, credit, False, tuple(samples), lambda sample: load_picture(root / sample.file, limits).pixels
    )


def synthetic_eyes(
    people: int, captures: int = 5, seed: int = 1, width: int = 320, height: int = 240, difficulty: float = 1.0
) -> EyeSet:
    """Synthetic eyes of :mod:`samebody.synth.iris`, both of each person; drawn when they are asked for."""
    from samebody.synth.iris import capture_eye, draw_identity

    drawn = lru_cache(maxsize=2)(draw_identity)

    def render(person: int, eye: Side, capture: int) -> NDArray[np.uint8]:
        picture = capture_eye(drawn(seed, person, eye), capture, width=width, height=height, difficulty=difficulty)
        return picture.image

    keys: dict[str, tuple[int, Side, int]] = {}
    samples = []
    for person in range(people):
        sides: tuple[Side, ...] = ("left", "right")
        for eye in sides:
            for capture in range(captures):
                file = f"{person:05d}/{eye}/{capture}"
                keys[file] = (person, eye, capture)
                recipe = f"{seed} {file} {width}x{height} {difficulty:g}"
                samples.append(EyeSample(file, hashlib.sha256(recipe.encode()).hexdigest(), f"{person:05d}", eye))
    name = f"synthetic-irises-seed-{seed}"
    credit = (
        f"Synthetic irises of samebody.synth.iris, seed {seed}, {width}x{height}, difficulty {difficulty:g}: no people."
    )
    return EyeSet(name, credit, True, tuple(samples), lambda sample: render(*keys[sample.file]))


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSet:
    """What became of the pictures of a set.

    Attributes:
        source: the set.
        templates: one for each sample in its order, None where the picture was refused.
        reasons: codes of the reasons of each refused picture, by file.
        milliseconds: mean time of each stage over all pictures.
    """

    source: EyeSet
    templates: tuple[IrisTemplate | None, ...] = field(repr=False)
    reasons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    milliseconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Pictures without a template."""
        return sum(template is None for template in self.templates)

    @property
    def failed_eyes(self) -> int:
        """Eyes of which no picture gave a template."""
        every = {sample.eye_class for sample in self.source.samples}
        enrolled = {s.eye_class for s, t in zip(self.source.samples, self.templates) if t is not None}
        return len(every - enrolled)

    def failure_interval(self) -> tuple[float, float]:
        """Exact binomial 95 % interval of the share of refused pictures."""
        return binomial_interval(self.failed, len(self.templates))

    def reason_counts(self) -> dict[str, int]:
        """How often each reason was the first one."""
        return dict(sorted(Counter(codes[0] if codes else "unknown" for codes in self.reasons.values()).items()))


def encode_set(
    source: EyeSet, pipeline: IrisPipeline, progress: Progress = lambda what, done, whole: None
) -> EncodedSet:
    """Encode every picture of a set, one at a time, in its order."""
    templates: list[IrisTemplate | None] = []
    reasons: dict[str, tuple[str, ...]] = {}
    times: Counter[str] = Counter()
    for number, (sample, encoding) in enumerate(_encoded(source, pipeline), start=1):
        templates.append(encoding.template)
        times.update(encoding.milliseconds)
        if encoding.template is None:
            failing = [f for f in encoding.findings if f.outcome.value != "pass"]
            reasons[sample.file] = tuple(reason.code for finding in failing for reason in finding.reasons)
        progress(f"encoding {source.name}", number, len(source.samples))
    count = max(1, len(templates))
    return EncodedSet(source, tuple(templates), reasons, {name: total / count for name, total in times.items()})


def _encoded(source: EyeSet, pipeline: IrisPipeline) -> Iterator[tuple[EyeSample, Any]]:
    for sample in source.samples:
        yield sample, pipeline.encode(source.pixels(sample), eye=sample.eye)
