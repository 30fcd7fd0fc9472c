"""Printed patches: a piece of paper on the face, its colours found by queries, judged through the whole pipeline.

The search sees aligned crops with the patch drawn at random places, sizes, turns and brightness (expectation over
transformations). The judgement draws the patch onto the photograph instead, again at random, and lets detection,
alignment and embedding have their say. A plain patch of random colours is judged beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.errors import UsageError
from samebody.face import FaceAnalyser
from samebody.face.geometry import apply, similarity
from samebody.lab.evaluate.corruptions import generator
from samebody.lab.evaluate.robustness.acquire import FaceCrop
from samebody.lab.evaluate.robustness.attacks import Attacked, AttackPairs, remembered
from samebody.lab.evaluate.robustness.results import AttackRow, FixedThreshold
from samebody.measure import BootstrapOptions, estimate_rate
from samebody.types import Image, Pixels

CELLS = 8
"""The patch is a grid of 8 x 8 colours: coarse enough to survive printing and a camera."""

STRETCH = 10
"""Steps of the search on one set of presentations before they are drawn anew."""

PLACES = {"forehead": (56.0, 28.0), "mouth": (56.0, 90.0), "cheek": (36.0, 74.0)}
"""Middle of the patch on the 112-pixel crop, before jitter."""

Grid = NDArray[np.float64]
"""(CELLS, CELLS, 3) colours in 0-255."""


@dataclass(frozen=True, slots=True)
class PatchOptions:
    """How much is tried.

    Attributes:
        pairs: for each goal.
        shares: area of the patch / area of the face box.
        place: see :data:`PLACES`.
        steps: proposals of the search, for each pair.
        draws: transformations that each proposal is judged by.
        presentations: random presentations of the finished patch in the judgement.
        shift, turn, scale, gain: half ranges of the transformations: pixels of the crop, degrees, share, share.
        bootstrap, seed: as elsewhere.
    """

    pairs: int = 6
    shares: tuple[float, ...] = (0.05, 0.15)
    place: str = "forehead"
    steps: int = 60
    draws: int = 3
    presentations: int = 5
    shift: float = 4.0
    turn: float = 10.0
    scale: float = 0.15
    gain: float = 0.2
    bootstrap: BootstrapOptions = field(default_factory=lambda: BootstrapOptions(replicates=300))
    seed: int = 20260

    @property
    def queries(self) -> int:
        """Comparisons asked for, for each pair: proposals, and what was kept judged anew every few steps."""
        return (self.steps + -(-self.steps // STRETCH)) * self.draws

    def __post_init__(self) -> None:
        if self.place not in PLACES:
            raise UsageError(f"there is no place {self.place!r} for a patch.", hint=f"Known: {', '.join(PLACES)}.")


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a patch is held once: shift in pixels of the crop, turn in degrees, scale, brightness."""

    shift: tuple[float, float]
    turn: float
    scale: float
    gain: float


def presentation(options: PatchOptions, rng: np.random.Generator) -> Presentation:
    """A random one within the options' ranges."""
    return Presentation(
        (float(rng.uniform(-1, 1) * options.shift), float(rng.uniform(-1, 1) * options.shift)),
        float(rng.uniform(-1, 1) * options.turn),
        float(1 + rng.uniform(-1, 1) * options.scale),
        float(1 + rng.uniform(-1, 1) * options.gain),
    )


def crop_matrix(face: FaceCrop, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3) map from the photograph to the crop."""
    return similarity(face.face.landmark_array(), points)


def side_on_crop(face: FaceCrop, share: float, matrix: NDArray[np.float64]) -> float:
    """Side of a square patch, in pixels of the crop, that covers ``share`` of the face box."""
    return math.sqrt(share * face.face.box.area * abs(float(np.linalg.det(matrix[:, :2]))))


def draw(
    pixels: Pixels, grid: Grid, side: float, place: str, held: Presentation, to_pixels: NDArray[np.float64]
) -> Pixels:
    """``pixels`` with the patch on it; ``to_pixels`` (2, 3) maps the crop's pixels to those of ``pixels``."""
    half = side * held.scale / 2
    angle = math.radians(held.turn)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    middle = np.asarray(PLACES[place]) + held.shift
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]]) @ turn.T + middle
    target = apply(to_pixels, corners).astype(np.float32)
    fine = 64  # pixels of the drawn patch: enough that the grid's edges stay sharp on any photograph
    paper = cv2.resize(grid.astype(np.float32), (fine, fine), interpolation=cv2.INTER_NEAREST)
    source = np.array([[-0.5, -0.5], [fine - 0.5, -0.5], [fine - 0.5, fine - 0.5], [-0.5, fine - 0.5]], np.float32)
    homography = cv2.getPerspectiveTransform(source, target)
    size = (pixels.shape[1], pixels.shape[0])
    paint = cv2.warpPerspective(paper, homography, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpPerspective(np.ones((fine, fine), np.float32), homography, size, flags=cv2.INTER_LINEAR)
    mixed = pixels * (1 - cover[:, :, None]) + np.clip(paint * held.gain, 0, 255) * cover[:, :, None]
    return np.asarray(np.clip(np.rint(mixed), 0, 255), dtype=np.uint8)


def search_patches(
    pairs: AttackPairs,
    sides: Sequence[float],
    embed: Callable[[Pixels], NDArray[np.float32]],
    options: PatchOptions,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Colours for each pair by random search: a block of the grid gets a new colour, kept where the mean score of a
    few fresh presentations moves the right way. The kept patch is judged again on the same presentations.

    Returns:
        (n, CELLS, CELLS, 3) grids, and (n, steps) mean scores of the kept patches.
    """
    count = len(pairs)
    crops, wide = pairs.crops(), pairs.templates.astype(np.float64)
    unmoved = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    grids = rng.integers(0, 256, (count, CELLS, CELLS, 3)).astype(np.float64)

    def mean_scores(candidates: NDArray[np.float64], held: Sequence[Presentation]) -> NDArray[np.float64]:
        drawn = np.stack(
            [
                draw(crops[number], candidates[number], sides[number], options.place, once, unmoved)
                for once in held
                for number in range(count)
            ]
        )
        vectors = embed(drawn).astype(np.float64).reshape(len(held), count, -1)
        return np.asarray(np.einsum("knd,nd->n", vectors, wide) / len(held), dtype=np.float64)

    course = np.empty((count, options.steps), dtype=np.float32)
    # presentations are fixed for a stretch of steps, so that only new colours are paid for, and then drawn anew
    for step in range(options.steps):
        if step % STRETCH == 0:
            held = [presentation(options, rng) for _ in range(options.draws)]
            best = mean_scores(grids, held)
        side = max(1, round(CELLS / 2 * (1 - step / options.steps)))
        candidates = grids.copy()
        for number in range(count):
            top, left = rng.integers(0, CELLS - side + 1, 2)
            candidates[number, top : top + side, left : left + side] = 255 * rng.integers(0, 2, 3)
        score = mean_scores(candidates, held)
        better = pairs.sign * (score - best) > 0
        grids[better], best[better] = candidates[better], score[better]
        course[:, step] = best
    return grids, course


def attack_with_patches(
    pairs: Sequence[AttackPairs],
    analyser: FaceAnalyser,
    embed: Callable[[Pixels], NDArray[np.float32]],
    thresholds: Sequence[FixedThreshold],
    options: PatchOptions,
    *,
    checkpoint: Path | None = None,
    key: str = "",
    progress: Callable[[str, int, int], None] = lambda what, done, whole: None,
) -> tuple[AttackRow, ...]:
    """Search patches for each goal and size, then judge them and plain ones on the photographs.

    A presentation that gives no template is counted apart: the person is sent back, which is no success for an
    impersonator, and for somebody who dodges a matter of the policy.

    Raises:
        StorageError: the checkpoint cannot be written.
    """
    rows: list[AttackRow] = []
    parts = [(group, share) for group in pairs for share in options.shares]
    points = analyser.embedder.image_input.alignment_points().astype(np.float64)
    single = analyser.single_threaded()
    for number, (group, share) in enumerate(parts):
        progress(f"patch, {group.goal}, {share:g} of the face", number, len(parts))
        matrices = [crop_matrix(entry, points) for entry in group.attackers]
        sides = [side_on_crop(entry, share, matrix) for entry, matrix in zip(group.attackers, matrices)]

        def work(
            group: AttackPairs = group,
            share: float = share,
            sides: list[float] = sides,
            matrices: list[NDArray[np.float64]] = matrices,
        ) -> Attacked:
            rng = generator(options.seed, "patch", group.goal, share)
            before = np.einsum("nd,nd->n", embed(group.crops()).astype(np.float64), group.templates)
            grids, _ = search_patches(group, sides, embed, options, rng)
            plain = rng.integers(0, 256, grids.shape).astype(np.float64)
            found = [_presented(single, group, patch, sides, matrices, options, share) for patch in (grids, plain)]
            return Attacked(before.astype(np.float32), found[0], found[1])

        names = [options.place, group.goal, share, options.steps, options.draws, options.presentations, options.seed]
        identity = [key, "patch", *names, *(entry.picture.sha256 for entry in group.attackers)]
        done = remembered(checkpoint, identity, work)
        for method, scores in (("patch", done.after), ("plain patch", done.course)):
            queries = options.queries if method == "patch" else 0
            rows += _judged(method, group, share, queries, done.before, scores, thresholds, options)
    progress("patches", len(parts), len(parts))
    return tuple(rows)


def _presented(
    analyser: FaceAnalyser,
    pairs: AttackPairs,
    grids: NDArray[np.float64],
    sides: Sequence[float],
    matrices: Sequence[NDArray[np.float64]],
    options: PatchOptions,
    share: float,
) -> NDArray[np.float32]:
    """(pairs, presentations) scores through the whole pipeline; NaN where there was no template."""
    scores = np.full((len(pairs), options.presentations), np.nan, dtype=np.float32)
    rng = generator(options.seed, "presentations", pairs.goal, share)
    for number, entry in enumerate(pairs.attackers):
        matrix = matrices[number]
        linear = np.linalg.inv(matrix[:, :2])
        back = np.hstack([linear, (-linear @ matrix[:, 2])[:, None]])
        for time in range(options.presentations):
            held = presentation(options, rng)
            drawn = draw(entry.image.pixels, grids[number], sides[number], options.place, held, back)
            template = analyser.template(Image(drawn)).template
            if template is not None:
                scores[number, time] = np.float32(
                    np.dot(template.vector.astype(np.float64), pairs.templates[number].astype(np.float64))
                )
    return scores


def _judged(
    method: str,
    pairs: AttackPairs,
    share: float,
    queries: int,
    before: NDArray[np.float32],
    scores: NDArray[np.float32],
    thresholds: Sequence[FixedThreshold],
    options: PatchOptions,
) -> list[AttackRow]:
    rows = []
    subjects = np.repeat(np.array([e.picture.subject for e in pairs.attackers])[:, None], scores.shape[1], axis=1)
    wanted = pairs.goal == "impersonation"
    for entry in thresholds:
        eligible = (before >= entry.value) != wanted
        seen = eligible[:, None] & np.isfinite(scores)
        lost = int(np.count_nonzero(eligible[:, None] & ~np.isfinite(scores)))
        crossed = (np.nan_to_num(scores) >= entry.value) == wanted
        rows.append(
            AttackRow(
                method=method,
                goal=pairs.goal,
                strength=float(share),
                unit=f"share of the face, {options.place}",
                queries=queries,
                target=entry.target,
                threshold=entry.value,
                eligible=int(np.count_nonzero(eligible)),
                success=estimate_rate(crossed[seen], subjects[seen], options.bootstrap) if seen.any() else None,
                no_template=lost,
                examined="picture",
            )
        )
    return rows
