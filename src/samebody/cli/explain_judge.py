"""``samebody explain judge``: deletion and insertion over a folder, against maps that know nothing."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.explain_parts import FOLDER, METHODS, SETTINGS


@click.command("judge", context_settings=SETTINGS)
@click.argument("folder", type=FOLDER)
@click.option("--model", default="face/sface", show_default=True, help="Embedder (pairs) or detector (pictures).")
@click.option("--method", "chosen", multiple=True, type=click.Choice(METHODS), help="Several times; all without one.")
@click.option(
    "--cases", default=30, show_default=True, type=click.IntRange(2), help="Most subjects (or pictures) taken."
)
@click.option("--masks", default=300, show_default=True, type=click.IntRange(16, 100_000), help="Masks a picture.")
@click.option("--steps", default=16, show_default=True, type=click.IntRange(4, 200), help="Steps of the curves.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of masks, choice and bootstrap.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Page to write (Markdown).")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    folder: Path,
    model: str,
    chosen: tuple[str, ...],
    cases: int,
    masks: int,
    steps: int,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Judge the explanations themselves.

    With an embedder, FOLDER holds a folder of pictures for each subject: the first two of each subject that show a
    usable face make a mated pair, and the map of the first is judged. With a detector, FOLDER holds pictures.
    """
    import json
    import sys

    from samebody.cli.data_parts import bar
    from samebody.cli.evaluate_verification import typed
    from samebody.cli.explain_parts import made
    from samebody.config import load_settings
    from samebody.explain import judge
    from samebody.lab.evaluate.explained import seen_by
    from samebody.lab.evaluate.explanations import judgement_page, judgement_text, pair_cases, picture_cases
    from samebody.lab.evaluate.files import write_text
    from samebody.lab.evaluate.operating_points_run import machine
    from samebody.measure import BootstrapOptions
    from samebody.models import catalogue

    settings = load_settings()
    record = catalogue(settings)[model]
    with bar("reading") as progress:
        if record.makes_templates:
            taken, dataset = pair_cases(folder, record, subjects=cases, seed=seed, settings=settings, progress=progress)
        else:
            taken, dataset = picture_cases(
                folder,
                lambda path: seen_by(record, path, settings=settings),
                pictures=cases,
                seed=seed,
                progress=progress,
            )
    named = {name: made(name, masks, seed, "mean") for name in (chosen or METHODS)}
    with bar("judging") as progress:
        found = judge(taken, named, steps=steps, options=BootstrapOptions(seed=seed), progress=progress)
    if out is not None:
        line = typed(sys.argv[1:], "explain", "judge")
        page = judgement_page(found, model=record.label, dataset=dataset, command=line, machine=machine())
        click.echo(f"written: {write_text(out, page)}", err=True)
    if as_json:
        click.echo(json.dumps({"model": record.label, "dataset": dataset, **found.to_dict()}, indent=1))
    else:
        click.echo(judgement_text(found, model=record.label, dataset=dataset))
