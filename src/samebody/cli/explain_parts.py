"""What several commands of ``samebody explain`` share: options of the methods, and what is done with a map."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from samebody.explain import Method
    from samebody.explain.page import Panel

PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
OUT = click.Path(file_okay=False, path_type=Path)
SETTINGS = {"help_option_names": ["-h", "--help"]}
METHODS = ("corrrise", "rise", "occlusion")

Command = TypeVar("Command", bound=Callable[..., Any])


def method_options(command: Command) -> Command:
    """``--method``, ``--masks``, ``--seed``, ``--fill``."""
    for option in (
        click.option("--fill", type=click.Choice(["mean", "grey", "black", "blur"]), default="mean", show_default=True,
                     help="What covered pixels show."),
        click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the random masks."),
        click.option("--masks", default=500, show_default=True, type=click.IntRange(16, 100_000),
                     help="Random masks for each picture."),
        click.option("--method", type=click.Choice(METHODS), default="corrrise", show_default=True),
    ):  # fmt: skip
        command = option(command)
    return command


def output_options(command: Command) -> Command:
    """``--out``, ``--show-pictures``, ``--json``."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON, without the maps."),
        click.option("--show-pictures", is_flag=True, help="Do not blur the faces in what is written."),
        click.option("--out", type=OUT, help="Folder for the page, the overlays (PNG) and the maps (JSON)."),
    ):
        command = option(command)
    return command


def made(method: str, masks: int, seed: int, fill: str) -> Method:
    """The method that the options ask for."""
    from samebody.explain import methods

    if method == "occlusion":
        return methods[method](fill=fill)
    return methods[method](masks=masks, seed=seed, fill=fill)


def shown(pixels: Any, show_pictures: bool) -> Any:
    """The pixels as they may stand in a file: blurred beyond recognition unless asked otherwise."""
    from samebody.pipeline.report.pictures import blur_beyond_recognition

    return pixels if show_pictures else blur_beyond_recognition(pixels)


def hand_over(
    panels: Sequence[Panel],
    *,
    title: str,
    model: str,
    out: Path | None,
    as_json: bool,
    blurred: bool,
    facts: dict[str, Any],
    notes: Sequence[str] = (),
) -> None:
    """Print the explanation in words (or as JSON); write page, overlays and maps where a folder is given.

    Files are readable by their owner only: a map over a face is biometric data.
    """
    from dataclasses import asdict

    from samebody.cli.evaluate_verification import typed
    from samebody.cli.iris_show import write_private
    from samebody.errors import StorageError
    from samebody.explain.draw import overlay, png
    from samebody.explain.page import render_page

    result = {
        **facts,
        "model": model,
        "notes": list(notes),
        "pictures": [
            {
                "title": panel.title,
                "score": panel.saliency.score,
                "method": panel.saliency.method,
                "evaluations": panel.saliency.evaluations,
                "parameters": dict(panel.saliency.parameters),
                "parts": [asdict(share) for share in panel.shares],
                "sentences": list(panel.sentences),
            }
            for panel in panels
        ],
    }
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{out} cannot be made: {error.strerror}.", hint="Choose another --out.") from None
        largest = max(float(abs(panel.saliency.values).max()) for panel in panels)
        for number, panel in enumerate(panels, 1):
            drawn = overlay(panel.pixels, panel.saliency.values, regions=panel.regions, largest=largest)
            write_private(out / f"map-{number}.png", png(drawn))
            write_private(out / f"map-{number}.json", json.dumps(panel.saliency.to_dict()).encode())
        page = render_page(
            panels,
            title=title,
            model=model,
            blurred=blurred,
            notes=notes,
            command=typed(sys.argv[1:], "explain"),
        )
        write_private(out / "explanation.html", page.encode())
        click.echo(f"written: {out / 'explanation.html'}", err=True)
    if as_json:
        click.echo(json.dumps(result, indent=1, ensure_ascii=False))
        return
    for note in notes:
        click.echo(note)
    for panel in panels:
        click.echo(f"{panel.title}: {' '.join(panel.sentences)}")
