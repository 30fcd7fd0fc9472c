"""``samebody explain run``: Grad-CAM or integrated gradients of a training run."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.explain_parts import FOLDER, METHODS, PICTURE, SETTINGS, output_options


@click.command("run", context_settings=SETTINGS)
@click.argument("run", type=FOLDER)
@click.argument("picture", type=PICTURE)
@click.option(
    "--method",
    type=click.Choice(["gradcam", "integrated-gradients", *METHODS]),
    default="gradcam",
    show_default=True,
)
@click.option("--index", type=click.IntRange(0), help="Which number of the answer; the largest of several otherwise.")
@click.option("--against", type=PICTURE, help="Explain the cosine with this picture's embedding.")
@click.option("--layer", default="", help="Layer for Grad-CAM; the last one with maps otherwise.")
@click.option("--steps", default=64, show_default=True, type=click.IntRange(8, 2000), help="Of integrated gradients.")
@click.option("--masks", default=500, show_default=True, type=click.IntRange(16, 100_000), help="Of RISE, CorrRISE.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the random masks.")
@click.option("--weights", type=click.Choice(["best", "last"]), default="best", show_default=True)
@click.option("--judged", is_flag=True, help="Hold the map against random ones by deletion and insertion.")
@output_options
def command(
    run: Path,
    picture: Path,
    method: str,
    index: int | None,
    against: Path | None,
    layer: str,
    steps: int,
    masks: int,
    seed: int,
    weights: str,
    judged: bool,
    out: Path | None,
    show_pictures: bool,
    as_json: bool,
) -> None:
    """Look into the network of a run folder of `samebody train`. The picture is resized to the network's input.

    Needs the extra samebody[train].
    """
    from samebody.cli.data_parts import bar
    from samebody.cli.explain_parts import hand_over, made, shown
    from samebody.config import load_settings
    from samebody.explain import describe
    from samebody.explain.judge import against_random
    from samebody.explain.page import Panel
    from samebody.lab.evaluate.errors import optional
    from samebody.lab.evaluate.images import load_picture

    optional("torch", "explaining a training run", "train")
    optional("captum", "explaining a training run", "train")
    from samebody.lab.train.attribution import RunExplainer
    from samebody.lab.train.run import open_run

    limits = load_settings().limits
    opened = open_run(run, weights=weights)
    other = None if against is None else load_picture(against, limits).pixels
    explainer = RunExplainer(opened, index=index, against=other)
    pixels = explainer.fitted(load_picture(picture, limits).pixels)
    if index is None and against is None:
        explainer.choose_largest(pixels)
    if method == "gradcam":
        saliency = explainer.grad_cam(pixels, layer)
    elif method == "integrated-gradients":
        saliency = explainer.integrated_gradients(pixels, steps=steps)
    else:
        with bar("explaining") as progress:
            saliency = made(method, masks, seed, "mean").explain(explainer.picture_score(), pixels, progress)
    said = against_random(explainer.picture_score(), pixels, saliency.values, seed=seed) if judged else ""
    sentences = describe(saliency, (), what=explainer.what, judged=said)
    hand_over(
        [Panel("The picture as the network sees it", shown(pixels, show_pictures), saliency, {}, (), sentences)],
        title=f"Why the {explainer.what} is {saliency.score:.3f}",
        model=f"{opened.recipe.task.name}, weights {opened.weights_sha256[:12]}",
        out=out,
        as_json=as_json,
        blurred=not show_pictures,
        facts={"score": saliency.score, "index": explainer.score.index},
    )
