"""Render specimens of the fictional state UTO, bona fide or forged: the flat page with the truth about it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from samebody.errors import UsageError
from samebody.synth.forgery import FORGERIES, forge
from samebody.synth.holder import Holder, draw_holder
from samebody.synth.layout import layout_of
from samebody.synth.mrz import FORMATS, Format, compose
from samebody.synth.page import DOTS_PER_INCH, Design, Specimen, build_truth, draw_design, draw_page
from samebody.synth.portrait import drawn_face, head_and_shoulders
from samebody.types import Image

__all__ = ["FORGERIES", "FORMATS", "Format", "Side", "Specimen", "render"]

Side = Literal["single", "front", "back"]


def render(
    format: Format,
    *,
    seed: int,
    portrait: Image | None = None,
    holder: Holder | None = None,
    forgery: str | None = None,
    substitute: Image | None = None,
    side: Side = "single",
    dots_per_inch: int = DOTS_PER_INCH,
    design: Design | None = None,
) -> Specimen:
    """A flat specimen page of the fictional state UTO, the same bytes for the same arguments.

    Args:
        format: ``TD1``, ``TD2``, ``TD3``, ``MRV-A`` or ``MRV-B``.
        seed: draws the holder, the design, and the face when no portrait is given.
        portrait: photograph of the holder; None draws an illustrated face.
        holder: what to print; None draws an invented holder.
        forgery: a species of :data:`FORGERIES`; None renders a bona fide specimen.
        substitute: for ``portrait_swap`` the photograph that is pasted in; None draws another face.
        side: ``single`` prints portrait and MRZ on one side; TD1 also has ``front`` (no MRZ) and ``back`` (no
            portrait).
        dots_per_inch: resolution of the flat page, 200-1200.
        design: how it is printed; None draws that from the seed too.

    Raises:
        UsageError: for an unknown format, side or forgery, or a forgery the side has nothing for.
    """
    if format not in FORMATS:
        raise UsageError(f"there is no document format {format!r}.", hint=f"Known: {', '.join(FORMATS)}.")
    try:
        layout = layout_of(format, side)
    except KeyError:
        raise UsageError(f"{format} has no side {side!r}.", hint="Only TD1 has a front and a back.") from None
    if not 200 <= dots_per_inch <= 1200:
        raise UsageError(f"{dots_per_inch} dots per inch is out of bounds.", hint="Ask for 200 to 1200.")
    person = draw_holder(np.random.default_rng([seed, 1]), format) if holder is None else holder
    design = draw_design(np.random.default_rng([seed, 2])) if design is None else design
    face = head_and_shoulders(portrait) if portrait is not None else drawn_face(np.random.default_rng([seed, 3]))
    lines = compose(format, person) if layout.mrz_left is not None else ()
    pixels, boxes = draw_page(layout, design, person, lines, face, dots_per_inch, seed)
    image = Image(pixels)
    truth = build_truth(layout, design, person, lines, boxes, dots_per_inch, seed, pixels)
    specimen = Specimen(image, truth, person, layout, design, dots_per_inch, boxes, image)
    if forgery is None:
        return specimen
    return forge(specimen, forgery, seed=seed, substitute=substitute)
