"""`samebody evaluate robustness`: error against corruption strength, and attacks on the embedder."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.evaluate_parts import FILE, FOLDER, model_option, repeats_option


@click.command("robustness", context_settings={"help_option_names": ["-h", "--help"]})
@model_option
@click.option(
    "--images",
    required=True,
    type=FOLDER,
    help="Folder with orl/ and fairface/, or one folder for each person, or pictures that --labels names.",
)
@click.option("--labels", type=FILE, help="Table: file, subject.")
@click.option("--group-by", default="", help="Columns of --labels that make the group, with commas between.")
@repeats_option
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the results.")
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), help="Also write the Markdown page here.")
@click.option("--fmr", "targets", multiple=True, type=float, help="FMR of the record's thresholds. [1e-3, 1e-4]")
@click.option("--corruption", "names", multiple=True, help="Only these corruptions; may be repeated.")
@click.option("--per-subject", default=3, show_default=True, type=click.IntRange(1), help="Pictures of each person.")
@click.option("--per-group", default=6, show_default=True, type=click.IntRange(1), help="People of each label.")
@click.option("--pairs", default=12, show_default=True, type=click.IntRange(1), help="Attacked pairs for each goal.")
@click.option("--queries", default=200, show_default=True, type=click.IntRange(1), help="Black-box budget of a pair.")
@click.option("--epsilon", multiple=True, type=click.FloatRange(0, 255), help="Grey levels. [4, 8, 16]")
@click.option("--patch-pairs", default=6, show_default=True, type=click.IntRange(1), help="Pairs that get a patch.")
@click.option("--patch-share", multiple=True, type=click.FloatRange(0, 1), help="Of the face. [0.05, 0.15]")
@click.option("--patch-steps", default=60, show_default=True, type=click.IntRange(1), help="Proposals for each patch.")
@click.option("--no-ladder", is_flag=True, help="Leave the corruptions out.")
@click.option("--no-attacks", is_flag=True, help="Leave noise, transfer and black-box attacks out.")
@click.option("--no-patches", is_flag=True, help="Leave printed patches out.")
@click.option("--replicates", default=300, show_default=True, type=click.IntRange(20), help="Of the bootstrap.")
@click.option("--seed", default=20260, show_default=True, type=int, help="Of everything random.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(
    model: str,
    images: Path,
    labels: Path | None,
    group_by: str,
    repeats: Path | None,
    out: Path,
    page: Path | None,
    targets: tuple[float, ...],
    names: tuple[str, ...],
    per_subject: int,
    per_group: int,
    pairs: int,
    queries: int,
    epsilon: tuple[float, ...],
    patch_pairs: int,
    patch_share: tuple[float, ...],
    patch_steps: int,
    no_ladder: bool,
    no_attacks: bool,
    no_patches: bool,
    replicates: int,
    seed: int,
    quiet: bool,
) -> None:
    """Corrupt and attack pictures step by step and count errors at the thresholds of the model record.

    Writes robustness.json, robustness.md and robustness.svg into --out. A run that was cut off goes on where it was.
    """
    import json

    from rich.console import Console

    from samebody.cli.evaluate_verification import progress_bar
    from samebody.lab.evaluate.corruptions import CORRUPTIONS, corruption
    from samebody.lab.evaluate.files import write_text, write_texts
    from samebody.lab.evaluate.robustness import (
        AttackOptions,
        LadderOptions,
        PatchOptions,
        RobustnessOptions,
        evaluate_robustness,
    )
    from samebody.lab.evaluate.robustness.report import markdown, svg
    from samebody.measure import BootstrapOptions

    bootstrap = BootstrapOptions(replicates=replicates, seed=seed)
    chosen = tuple(corruption(name).name for name in names) or tuple(CORRUPTIONS)
    ladder = LadderOptions(chosen, per_subject=per_subject, per_group=per_group, bootstrap=bootstrap)
    attacks = AttackOptions(pairs, epsilon or AttackOptions().strengths, queries, bootstrap=bootstrap, seed=seed)
    patches = PatchOptions(
        patch_pairs, patch_share or PatchOptions().shares, steps=patch_steps, bootstrap=bootstrap, seed=seed
    )
    options = RobustnessOptions(
        targets=targets or RobustnessOptions().targets,
        ladder=None if no_ladder else ladder,
        attacks=None if no_attacks else attacks,
        patches=None if no_patches else patches,
        seed=seed,
    )
    typed = f"samebody evaluate robustness --model {model} --images DIR --out DIR --per-subject {per_subject}"
    typed += f" --repeats {repeats.as_posix()}" if repeats else ""
    typed += f" --per-group {per_group} --pairs {pairs} --queries {queries} --patch-pairs {patch_pairs}"
    typed += f" --patch-steps {patch_steps} --replicates {replicates} --seed {seed}"
    typed += "".join(f" --corruption '{name}'" for name in names) + "".join(f" --epsilon {e:g}" for e in epsilon)
    typed += "".join(
        flag
        for flag, on in (
            (" --no-ladder", no_ladder),
            (" --no-attacks", no_attacks),
            (" --no-patches", no_patches),
        )
        if on
    )
    with progress_bar(Console(stderr=True, quiet=quiet)) as show:
        result = evaluate_robustness(
            images,
            model,
            options,
            labels=labels,
            group_by=tuple(filter(None, group_by.split(","))),
            repeats=repeats,
            checkpoint=out / "checkpoint",
            command=typed,
            progress=show,
        )
    text = markdown(result)
    figures = json.dumps(result.to_dict(), indent=1, ensure_ascii=False) + "\n"
    write_texts(out, {"robustness.json": figures, "robustness.md": text, "robustness.svg": svg(result)})
    if page is not None:
        write_text(page, text)
    click.echo(f"{len(result.ladder)} rows of the ladder, {len(result.attacks)} of attacks: {out / 'robustness.md'}")
