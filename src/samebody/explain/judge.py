"""The explanation itself is judged: deletion and insertion against maps that know nothing, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.explain.baselines import BASELINES
from samebody.explain.curves import Curves, curves
from samebody.explain.errors import ExplainInputError
from samebody.explain.masks import Fill
from samebody.explain.methods import Method
from samebody.explain.score import PictureScore, Progress, silent
from samebody.measure import BootstrapOptions, draw_weights
from samebody.types import Pixels

REFERENCE = "random"
"""The baseline that everything is compared with."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One picture with the score to explain.

    Attributes:
        score: the function.
        picture: (h, w, 3) uint8.
        unit: who or what it stands for: cases of one unit are drawn together, because they are not independent.
    """

    score: PictureScore
    picture: Pixels = field(repr=False)
    unit: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over the cases with its percentile interval (bootstrap over units)."""

    mean: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Judged:
    """One map-maker on all cases.

    Attributes:
        name: of the method or baseline.
        deletion, insertion: areas under the curves, in units of the score; low deletion and high insertion are good.
        deletion_gain: area of the random map less this one's, case by case; above 0 is better than random.
        insertion_gain: this one's area less the random map's, case by case; above 0 is better than random.
        mean_deletion, mean_insertion: the curves, averaged over the cases.
    """

    name: str
    deletion: Estimate
    insertion: Estimate
    deletion_gain: Estimate
    insertion_gain: Estimate
    mean_deletion: tuple[float, ...]
    mean_insertion: tuple[float, ...]

    @property
    def better_than_random(self) -> bool:
        """Whether both gains lie above 0 with their whole interval."""
        return self.deletion_gain.interval[0] > 0 and self.insertion_gain.interval[0] > 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """All map-makers on the same cases.

    Attributes:
        cases, units: how many.
        fractions: of the curves.
        rows: methods first, then baselines.
        settings: steps, fills, seed, replicates, level, parameters of the methods.
    """

    cases: int
    units: int
    fractions: tuple[float, ...]
    rows: tuple[Judged, ...]
    settings: Mapping[str, Any]

    def row(self, name: str) -> Judged:
        """The row of a method or baseline; raises KeyError."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        found = asdict(self)
        for row, made in zip(found["rows"], self.rows):
            row["better_than_random"] = made.better_than_random
        return found


def judge(
    cases: Sequence[Case],
    named: Mapping[str, Method],
    *,
    steps: int = 20,
    fill: Fill = "mean",
    insertion_fill: Fill = "blur",
    options: BootstrapOptions | None = None,
    progress: Progress = silent,
) -> Judgement:
    """Deletion and insertion of each method and baseline on every case.

    Args:
        cases: pictures with their scores; at least two units.
        named: methods by the name they are reported under.
        steps, fill, insertion_fill: as in :func:`samebody.explain.curves.curves`.
        options: bootstrap over units; its seed also makes the random maps.
        progress: told (cases done, of how many).

    Raises:
        ExplainInputError: fewer than two units.
        ScoreFunctionError: a score function does not answer as it must.
    """
    options = options or BootstrapOptions()
    units = sorted({case.unit for case in cases})
    if len(units) < 2:
        raise ExplainInputError("judging needs pictures of at least two people.", hint="Give a folder with more.")
    found: dict[str, list[Curves]] = {name: [] for name in (*named, *BASELINES)}
    for index, case in enumerate(cases):
        maps = {name: method.explain(case.score, case.picture).values for name, method in named.items()}
        maps |= {name: make(case.picture, options.seed + index) for name, make in BASELINES.items()}
        for name, values in maps.items():
            found[name].append(
                curves(case.score, case.picture, values, steps=steps, fill=fill, insertion_fill=insertion_fill)
            )
        progress(index + 1, len(cases))
    code = np.searchsorted(units, [case.unit for case in cases])
    areas = {
        name: (
            np.array([one.deletion_area for one in made]),
            np.array([one.insertion_area for one in made]),
        )
        for name, made in found.items()
    }
    random_deletion, random_insertion = areas[REFERENCE]

    def estimate(values: NDArray[np.float64]) -> Estimate:
        return bootstrap_mean(values, code, len(units), options)

    rows = tuple(
        Judged(
            name,
            estimate(deletion),
            estimate(insertion),
            estimate(random_deletion - deletion),
            estimate(insertion - random_insertion),
            tuple(np.mean([one.deletion for one in found[name]], axis=0).tolist()),
            tuple(np.mean([one.insertion for one in found[name]], axis=0).tolist()),
        )
        for name, (deletion, insertion) in areas.items()
    )
    settings = {
        "steps": steps,
        "fill": fill,
        "insertion_fill": insertion_fill,
        "bootstrap": asdict(options),
        "methods": {name: method.parameters.model_dump(mode="json") for name, method in named.items()},
    }
    return Judgement(len(cases), len(units), found[REFERENCE][0].fractions, rows, settings)


def bootstrap_mean(
    values: NDArray[np.float64], units: NDArray[np.int64], count: int, options: BootstrapOptions
) -> Estimate:
    """The mean of ``values`` with its percentile interval, units drawn with replacement.

    Args:
        values: (n,) one for each case.
        units: (n,) code of the unit of each, below ``count``.
        count: number of units.
        options: replicates, seed, level.
    """
    sums = np.bincount(units, weights=values, minlength=count)
    sizes = np.bincount(units, minlength=count).astype(np.float64)
    draws = np.concatenate(
        [(sums @ weights) / (sizes @ weights) for weights in draw_weights(count, options.replicates, options.seed)]
    )
    tail = 50 * (1 - options.level)
    low, high = np.percentile(draws, [tail, 100 - tail])
    return Estimate(float(values.mean()), (float(low), float(high)))


def against_random(
    score: PictureScore,
    picture: Pixels,
    values: NDArray[np.float32],
    *,
    seed: int = 0,
    maps: int = 5,
    steps: int = 20,
    fill: Fill = "mean",
) -> str:
    """One sentence that says how one map of one picture fares against a few random ones; no interval, so no verdict.

    Args:
        score, picture, values: as in :func:`samebody.explain.curves.curves`.
        seed: of the random maps.
        maps: number of random maps.
        steps, fill: as in :func:`samebody.explain.curves.curves`.
    """
    own = curves(score, picture, values, steps=steps, fill=fill)
    make = BASELINES[REFERENCE]
    others = [curves(score, picture, make(picture, seed + number), steps=steps, fill=fill) for number in range(maps)]
    deletion = float(np.mean([one.deletion_area for one in others]))
    insertion = float(np.mean([one.insertion_area for one in others]))
    falls, rises = own.deletion_area < deletion, own.insertion_area > insertion
    verdict = {2: "it is better than chance", 1: "it is hardly better than chance", 0: "it is no better than chance"}
    return (
        f"Judged on this picture, {verdict[falls + rises]}: covering what the map names first leaves a mean score of "
        f"{own.deletion_area:.3f} (random maps {deletion:.3f}, lower is better); showing it first gives "
        f"{own.insertion_area:.3f} (random maps {insertion:.3f}, higher is better)."
    )
