"""``samebody explain picture``: why a detector scores a picture as it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samebody.cli.explain_parts import PICTURE, SETTINGS, method_options, output_options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from samebody.config import Settings
    from samebody.explain.score import PictureScore
    from samebody.models import ModelRecord
    from samebody.types import Pixels

LARGEST = 320
"""Longer side in pixels of a picture that is explained; larger ones are averaged down first."""


@click.command("picture", context_settings=SETTINGS)
@click.argument("picture", type=PICTURE)
@click.option("--model", required=True, help="Record of a detector, or of any model with one number as output.")
@click.option("--index", type=click.IntRange(0), help="Which number of the output, where there are several.")
@method_options
@click.option("--judged", is_flag=True, help="Hold the map against random ones by deletion and insertion.")
@output_options
def command(
    picture: Path,
    model: str,
    index: int | None,
    method: str,
    masks: int,
    seed: int,
    fill: str,
    judged: bool,
    out: Path | None,
    show_pictures: bool,
    as_json: bool,
) -> None:
    """Cover parts of the picture, watch the detector's score, and say what it rests on.

    The picture is blurred in what is written unless --show-pictures is given.
    """
    from samebody.cli.data_parts import bar
    from samebody.cli.explain_parts import hand_over, made, shown
    from samebody.config import load_settings
    from samebody.explain import describe, face_regions, region_shares
    from samebody.explain.judge import against_random
    from samebody.explain.page import Panel
    from samebody.models import catalogue

    settings = load_settings()
    record = catalogue(settings)[model]
    seen = prepare(record, settings, picture, index)
    with bar("explaining") as progress:
        saliency = made(method, masks, seed, fill).explain(seen.score, seen.pixels, progress)
    regions = {} if seen.landmarks is None else face_regions(saliency.values.shape, seen.landmarks)
    shares = region_shares(saliency, regions)
    said = against_random(seen.score, seen.pixels, saliency.values, seed=seed) if judged else ""
    sentences = describe(saliency, shares, what=seen.what, judged=said)
    hand_over(
        [Panel(seen.title, shown(seen.pixels, show_pictures), saliency, regions, shares, sentences)],
        title=f"Why the {seen.what} is {saliency.score:.3f}",
        model=record.label,
        out=out,
        as_json=as_json,
        blurred=not show_pictures,
        facts={"score": saliency.score},
    )


@dataclass(frozen=True)
class Seen:
    """What of a file is explained: the part of it that the model looks at, and its score there."""

    score: PictureScore
    pixels: Pixels
    landmarks: NDArray[Any] | None
    what: str
    title: str


def preparer(record: ModelRecord, settings: Settings) -> Callable[[Path], tuple[PictureScore, Pixels]]:
    """As :func:`prepare`, for judging over a folder."""

    def work(path: Path) -> tuple[PictureScore, Pixels]:
        seen = prepare(record, settings, path)
        return seen.score, seen.pixels

    return work


def prepare(record: ModelRecord, settings: Settings, path: Path, index: int | None = None) -> Seen:
    """The part of a picture that the record's model looks at, with its score function."""
    from samebody.errors import UsageError
    from samebody.explain import record_score
    from samebody.lab.evaluate.images import load_picture
    from samebody.models.contracts import ImageInput

    if record.makes_templates:
        raise UsageError(
            f"{record.id} compares two pictures.", hint=f"Run: samebody explain pair A B --model {record.id}"
        )
    image = load_picture(path, settings.limits)
    score = record_score(record, settings, index=index)
    detector = record.output is not None and record.output.kind == "score"
    what = "likelihood of bona fide" if detector else "score"
    contract = record.input
    if isinstance(contract, ImageInput) and contract.crop is not None:
        pixels, landmarks = _around_face(image, contract, settings)
        return Seen(score, pixels, landmarks, what, "What the detector sees")
    return Seen(score, _smaller(image.pixels), None, what, "The picture")


def _around_face(image: Any, contract: Any, settings: Settings) -> tuple[Pixels, NDArray[Any]]:
    """The square that the record cuts around the main face, at the model's size, and the landmarks in it."""
    import numpy as np

    from samebody.attacks.crops import cut, window
    from samebody.explain.errors import NoFaceError
    from samebody.face import FaceAnalyser

    found = FaceAnalyser(settings).aligned(image, "picture")
    if found.chosen is None:
        reasons = "; ".join(reason.message for reason in found.findings[0].reasons)
        raise NoFaceError(f"there is no usable face: {reasons}", hint="Take another picture.")
    place = window(found.chosen.box, image.pixels.shape[:2], reach=contract.crop)
    side = contract.width or min(place.side, LARGEST)
    corner = np.array([place.left, place.top], dtype=np.float64)
    landmarks = (found.chosen.landmark_array() - corner) * (side / place.side)
    return cut(image.pixels, place, side), landmarks


def _smaller(pixels: Pixels) -> Pixels:
    """The picture, averaged down where it is longer than :data:`LARGEST`."""
    import cv2
    import numpy as np

    scale = LARGEST / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = (max(8, round(pixels.shape[1] * scale)), max(8, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
