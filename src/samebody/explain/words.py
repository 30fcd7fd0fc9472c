"""The explanation in plain language: which parts of the face a score rests on, and what the map cannot say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samebody.explain.regions import BACKGROUND
from samebody.explain.saliency import Saliency

CAVEAT = (
    "The map says which parts of the picture move the score of this model. It does not say whether the score is right, "
    "and it is no evidence about the person."
)
NOISE = 2.0
"""Values below so many standard errors of a pixel without effect count neither for nor against."""
DENSE = 1.25
"""A part is named when its share of the evidence is at least so many times its share of the picture."""
BACKGROUND_SHARE = 0.3
"""From this share of the evidence on, the background is pointed out."""


@dataclass(frozen=True, slots=True)
class RegionShare:
    """What one part of the picture contributes.

    Attributes:
        name: of the part.
        area: its share of the picture, 0-1.
        support: its share of all that supports the score, 0-1.
        oppose: its share of all that opposes the score, 0-1.
    """

    name: str
    area: float
    support: float
    oppose: float

    @property
    def density(self) -> float:
        """Share of the support for each share of the picture: 1 is what any part would have by chance."""
        return self.support / self.area if self.area else 0.0


def region_shares(saliency: Saliency, regions: Mapping[str, NDArray[np.bool_]]) -> tuple[RegionShare, ...]:
    """Shares of each part, in the order of ``regions``; parts that lie outside the picture have none.

    Values that chance alone would give (below :data:`NOISE` standard errors) are left out: a large background full of
    noise would otherwise outweigh two small eyes.
    """
    values = np.where(np.abs(saliency.values) > NOISE * saliency.noise, saliency.values, 0).astype(np.float64)
    supporting, opposing = np.maximum(values, 0), np.maximum(-values, 0)
    all_support, all_oppose = supporting.sum(), opposing.sum()
    return tuple(
        RegionShare(
            name,
            float(mask.mean()),
            float(supporting[mask].sum() / all_support) if all_support > 0 else 0.0,
            float(opposing[mask].sum() / all_oppose) if all_oppose > 0 else 0.0,
        )
        for name, mask in regions.items()
    )


def describe(
    saliency: Saliency, shares: Sequence[RegionShare], *, what: str = "similarity", judged: str = ""
) -> tuple[str, ...]:
    """Sentences for a reader who knows nothing of the method.

    Args:
        saliency: the map.
        shares: of its parts; empty where no face was found.
        what: name of the score in running text.
        judged: a sentence that says how good this map is, where it was judged.
    """
    said = [f"The {what} is {saliency.score:.3f}."]
    if not np.any(np.abs(saliency.values) > NOISE * saliency.noise):
        said.append("Nothing that was covered changed it more than chance does: the map explains nothing.")
        return (*said, CAVEAT)
    if shares:
        named = sorted((share for share in shares if share.density >= DENSE), key=lambda share: -share.support)[:3]
        if named:
            parts = _listed(
                [f"the {s.name} ({s.support:.0%} of the support on {s.area:.0%} of the picture)" for s in named]
            )
            said.append(f"It rests most on {parts}.")
        else:
            said.append("No single part of the face carries it: the support is spread over the picture.")
        against = [s for s in shares if s.oppose > 0.2 and s.area > 0 and s.oppose / s.area >= DENSE]
        if against and saliency.opposing.sum() > 0.1 * saliency.supporting.sum():
            parts = _listed([f"the {s.name}" for s in sorted(against, key=lambda s: -s.oppose)[:2]])
            said.append(f"What speaks against it lies mostly in {parts}.")
        background = next((s for s in shares if s.name == BACKGROUND), None)
        if background is not None and background.support >= BACKGROUND_SHARE:
            said.append(
                f"{background.support:.0%} of the support lies outside the face: look whether the background, hair or "
                "clothes of the picture mislead the model."
            )
    else:
        x, y = saliency.peak
        height, width = saliency.values.shape
        where = f"{('upper', 'middle', 'lower')[min(2, 3 * y // height)]} "
        where += f"{('left', 'centre', 'right')[min(2, 3 * x // width)]}"
        said.append(f"The place that supports it most is in the {where} of the picture.")
    if judged:
        said.append(judged)
    return (*said, CAVEAT)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
