"""An explanation as one self-contained page: pictures with their maps, shares of the parts, sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jinja2
import numpy as np
from numpy.typing import NDArray

from samebody.explain.draw import data_uri, overlay
from samebody.explain.saliency import Saliency
from samebody.explain.words import RegionShare
from samebody.types import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One picture of the page.

    Attributes:
        title: above the picture.
        pixels: (h, w, 3) uint8 as it may be shown; blurred already where it must not be recognised.
        saliency: its map.
        regions: parts of the face; empty where none was found.
        shares: what each part contributes.
        sentences: the explanation in words.
    """

    title: str
    pixels: Pixels
    saliency: Saliency
    regions: Mapping[str, NDArray[np.bool_]]
    shares: Sequence[RegionShare]
    sentences: Sequence[str]


def render_page(
    panels: Sequence[Panel], *, title: str, model: str, blurred: bool, notes: Sequence[str] = (), command: str = ""
) -> str:
    """The page as HTML without script and without any external reference.

    Args:
        panels: one or two pictures.
        title: what is explained.
        model: label of the record or run.
        blurred: whether the pictures were blurred, which the page then says.
        notes: what a reader must know (how the map was judged).
        command: as it was typed.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("samebody.explain", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    largest = max((float(np.abs(panel.saliency.values).max()) for panel in panels), default=0.0)
    shown = [
        {
            "title": panel.title,
            "uri": data_uri(overlay(panel.pixels, panel.saliency.values, regions=panel.regions, largest=largest)),
            "alt": f"{panel.title}: warm where the score is supported, blue where it is opposed",
            "shares": panel.shares,
            "sentences": panel.sentences,
            "saliency": panel.saliency,
        }
        for panel in panels
    ]
    page = environment.get_template("page.html").render(
        panels=shown, title=title, model=model, blurred=blurred, notes=notes, command=command
    )
    return str(page)
