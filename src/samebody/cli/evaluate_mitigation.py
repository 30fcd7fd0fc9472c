"""`samebody evaluate mitigation`: one bias mitigation against raw scores at a fixed overall false match rate."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.evaluate_parts import FOLDER, model_option, repeats_option


@click.command("mitigation", context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@click.option(
    "--images",
    required=True,
    type=FOLDER,
    help="Folder with fairface/ (labels) and orl/ (several pictures of a person).",
)
@repeats_option
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the results.")
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), help="Also write the Markdown page here.")
@click.option("--fmr", "targets", multiple=True, type=float, help="Overall FMR to hold. [1e-3, 1e-4]")
@click.option("--top", default=200, show_default=True, type=click.IntRange(2), help="Cohort scores that count.")
@click.option("--cohort", default=0.25, show_default=True, type=float, help="Share of the people in the cohort.")
@click.option("--per-group", default=30, show_default=True, type=click.IntRange(0), help="Degraded copies of a label.")
@click.option("--replicates", default=500, show_default=True, type=click.IntRange(20), help="Of the bootstrap.")
@click.option("--seed", default=20260, show_default=True, type=int, help="Of the split and the bootstrap.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(
    model: str,
    images: Path,
    repeats: Path | None,
    out: Path,
    page: Path | None,
    targets: tuple[float, ...],
    top: int,
    cohort: float,
    per_group: int,
    replicates: int,
    seed: int,
    quiet: bool,
) -> None:
    """Compare cohort normalisation with raw scores (and with thresholds by group, which need a label).

    Writes mitigation.json and mitigation.md into --out.
    """
    import json

    from rich.console import Console

    from samebody.cli.evaluate_verification import progress_bar
    from samebody.lab.evaluate.files import write_text, write_texts
    from samebody.lab.evaluate.mitigation import MitigationOptions
    from samebody.lab.evaluate.mitigation_run import evaluate_mitigation, markdown
    from samebody.measure import BootstrapOptions

    options = MitigationOptions(
        targets=targets or MitigationOptions().targets,
        top=top,
        cohort_share=cohort,
        bootstrap=BootstrapOptions(replicates=replicates, seed=seed),
        seed=seed,
    )
    typed = f"samebody evaluate mitigation --model {model} --images DIR --out DIR"
    typed += f" --repeats {repeats.as_posix()}" if repeats else ""
    typed += f" --top {top} --cohort {cohort:g} --per-group {per_group} --replicates {replicates} --seed {seed}"
    with progress_bar(Console(stderr=True, quiet=quiet)) as show:
        result = evaluate_mitigation(
            images, model, options, repeats=repeats, per_group=per_group, command=typed, progress=show
        )
    text = markdown(result)
    figures = json.dumps(result.to_dict(), indent=1, ensure_ascii=False) + "\n"
    write_texts(out, {"mitigation.json": figures, "mitigation.md": text})
    if page is not None:
        write_text(page, text)
    click.echo(f"{result.evaluated:,} people in {len(result.rows[0].groups)} groups: {out / 'mitigation.md'}")
