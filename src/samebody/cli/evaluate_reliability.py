"""`samebody evaluate reliability`: the calibrated log-likelihood ratio of one comparison, written into a record."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.evaluate_parts import FOLDER, model_option, repeats_option


@click.command("reliability", context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@click.option(
    "--images",
    required=True,
    type=FOLDER,
    help="Folder with orl/ (mated pairs) and fairface/ (non-mated pairs).",
)
@repeats_option
@click.option("--per-subject", default=4, show_default=True, type=click.IntRange(2), help="Pictures of each person.")
@click.option("--per-group", default=30, show_default=True, type=click.IntRange(2), help="People of each label.")
@click.option("--replicates", default=300, show_default=True, type=click.IntRange(20), help="Of the bootstrap.")
@click.option("--seed", default=20260, show_default=True, type=int, help="Of everything random.")
@click.option("--write", is_flag=True, help="Write it into the sidecar of the record's operating points.")
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print what a record would carry, as JSON.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(
    model: str,
    images: Path,
    repeats: Path | None,
    per_subject: int,
    per_group: int,
    replicates: int,
    seed: int,
    write: bool,
    page: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Turn scores into log-likelihood ratios on one half of the people and judge them on the other."""
    from rich.console import Console

    from samebody.cli.evaluate_verification import progress_bar
    from samebody.lab.evaluate.files import write_text
    from samebody.lab.evaluate.reliability import evaluate_reliability, markdown
    from samebody.measure import BootstrapOptions
    from samebody.models import catalogue, write_reliability

    typed = f"samebody evaluate reliability --model {model} --images DIR"
    typed += f" --repeats {repeats.as_posix()}" if repeats else ""
    typed += f" --per-subject {per_subject} --per-group {per_group} --replicates {replicates} --seed {seed} --write"
    with progress_bar(Console(stderr=True, quiet=quiet)) as show:
        result = evaluate_reliability(
            images,
            model,
            repeats=repeats,
            per_subject=per_subject,
            per_group=per_group,
            options=BootstrapOptions(replicates=replicates, seed=seed),
            seed=seed,
            command=typed,
            progress=show,
        )
    text = markdown(result, catalogue()[model].label)
    if write:
        click.echo(f"written: {write_reliability(model, result.reliability)}", err=True)
    if page is not None:
        write_text(page, text)
    click.echo(result.reliability.model_dump_json(indent=1) if as_json else text)
