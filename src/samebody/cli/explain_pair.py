"""``samebody explain pair``: why two faces are alike or not."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.explain_parts import PICTURE, SETTINGS, method_options, output_options


@click.command("pair", context_settings=SETTINGS)
@click.argument("first", type=PICTURE)
@click.argument("second", type=PICTURE)
@click.option("--model", default="face/sface", show_default=True, help="Record of the embedder.")
@method_options
@click.option("--judged", is_flag=True, help="Hold the maps against random ones by deletion and insertion.")
@output_options
def command(
    first: Path,
    second: Path,
    model: str,
    method: str,
    masks: int,
    seed: int,
    fill: str,
    judged: bool,
    out: Path | None,
    show_pictures: bool,
    as_json: bool,
) -> None:
    """Cover parts of each face in turn, watch the similarity, and say what it rests on.

    Faces are blurred in what is written unless --show-pictures is given.
    """
    from samebody.capture import decode_image
    from samebody.cli.data_parts import bar
    from samebody.cli.explain_parts import hand_over, made, shown
    from samebody.config import load_settings
    from samebody.explain import aligned_face, describe, embedder_pair, face_regions, region_shares
    from samebody.explain.judge import against_random
    from samebody.explain.page import Panel
    from samebody.face import FaceAnalyser

    settings = load_settings()
    analyser = FaceAnalyser(settings, embedder=model)
    faces = [aligned_face(decode_image(path, limits=settings.limits), analyser) for path in (first, second)]
    pair = embedder_pair(analyser.embedder, faces[0].pixels, faces[1].pixels, settings)
    with bar("explaining") as progress:
        found = made(method, masks, seed, fill).explain_pair(pair, faces[0].pixels, faces[1].pixels, progress)
    panels = []
    for title, face, score, saliency in (
        ("First picture", faces[0], pair.first, found.first),
        ("Second picture", faces[1], pair.second, found.second),
    ):
        regions = face_regions(saliency.values.shape, face.landmarks)
        shares = region_shares(saliency, regions)
        said = against_random(score, face.pixels, saliency.values, seed=seed) if judged else ""
        sentences = describe(saliency, shares, what="similarity", judged=said)
        panels.append(Panel(title, shown(face.pixels, show_pictures), saliency, regions, shares, sentences))
    hand_over(
        panels,
        title=f"Why the similarity is {pair.score:.3f}",
        model=analyser.embedder.label,
        out=out,
        as_json=as_json,
        blurred=not show_pictures,
        facts={"score": pair.score},
    )
