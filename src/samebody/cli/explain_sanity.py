"""``samebody explain sanity``: does a method find planted evidence, and does it look at the model at all?"""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.explain_parts import PICTURE, SETTINGS, method_options


@click.command("sanity", context_settings=SETTINGS)
@click.argument("first", type=PICTURE)
@click.argument("second", type=PICTURE)
@click.option("--model", default="face/sface", show_default=True, help="Record of the embedder.")
@method_options
@click.option("--planted", default=20, show_default=True, type=click.IntRange(1, 1000), help="Planted pictures tried.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    first: Path,
    second: Path,
    model: str,
    method: str,
    masks: int,
    seed: int,
    fill: str,
    planted: int,
    as_json: bool,
) -> None:
    """Plant evidence and see whether the map points at it; shuffle the model's weights and see whether the map changes.

    A map that stays when the weights are shuffled shows the picture, not the model. Exits with 1 when the method fails.
    """
    import json
    from dataclasses import asdict

    from samebody.capture import decode_image
    from samebody.cli.data_parts import bar
    from samebody.cli.explain_parts import made
    from samebody.config import load_settings
    from samebody.explain import aligned_face
    from samebody.explain.sanity import pointing_score, randomisation_test
    from samebody.face import FaceAnalyser

    settings = load_settings()
    chosen = made(method, masks, seed, fill)
    hits = pointing_score(chosen, planted, seed)
    analyser = FaceAnalyser(settings, embedder=model)
    faces = [aligned_face(decode_image(path, limits=settings.limits), analyser).pixels for path in (first, second)]
    with bar("shuffling weights") as progress:
        steps = randomisation_test(
            analyser.embedder, faces[0], faces[1], chosen, seed=seed, settings=settings, progress=progress
        )
    passed = hits >= 0.9 * planted and abs(steps[-1].correlation) < 0.5
    if as_json:
        found = {"planted": planted, "found": hits, "randomisation": [asdict(step) for step in steps], "passed": passed}
        click.echo(json.dumps(found, indent=1))
    else:
        click.echo(f"{method}: points at planted evidence in {hits} of {planted} pictures")
        for step in steps:
            click.echo(
                f"  {100 * step.share:3.0f} % of the layers shuffled: rank correlation with the intact map "
                f"{step.correlation:+.2f}, similarity {step.score:+.3f}"
            )
        click.echo("passed" if passed else "FAILED: do not trust the maps of this method for this model")
    if not passed:
        click.get_current_context().exit(1)
