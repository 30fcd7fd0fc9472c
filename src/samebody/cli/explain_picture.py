"""``samebody explain picture``: why a detector scores a picture as it does."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.explain_parts import PICTURE, SETTINGS, method_options, output_options


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
    from samebody.lab.evaluate.explained import seen_by
    from samebody.models import catalogue

    settings = load_settings()
    record = catalogue(settings)[model]
    seen = seen_by(record, picture, settings=settings, index=index)
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
