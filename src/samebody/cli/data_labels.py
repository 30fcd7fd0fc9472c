"""``samebody data labels``: label noise and identity noise."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, bar, data_set_argument, json_option, say, version_option


@click.command("labels", context_settings=SETTINGS)
@data_set_argument
@version_option
@click.option("--column", default="subject", show_default=True, help="Column to check: subject, label, gender ...")
@click.option("--fmr", default=1e-3, show_default=True, help="For subjects: false match rate of the threshold.")
@click.option("--margin", default=0.5, show_default=True, help="For classes: least difference of probabilities.")
@click.option("--least", default=2, show_default=True, type=click.IntRange(2), help="Samples a class needs.")
@click.option("--model", default="face/sface", show_default=True, help="Embedder.")
@click.option("--quarantine", is_flag=True, help="Put suspects into quarantine and commit.")
@click.option("--show", default=30, show_default=True, type=click.IntRange(0), help="Suspects that are printed.")
@json_option
def command(
    data_set: Path,
    version: str | None,
    column: str,
    fmr: float,
    margin: float,
    least: int,
    model: str,
    quarantine: bool,
    show: int,
    as_json: bool,
) -> None:
    """Find wrong labels by what the templates say.

    For `subject`: samples under the wrong subject, one subject that is two people, two subjects that are one. For any
    other column: confident learning with cross-validation, subjects held out whole.
    """
    from dataclasses import asdict

    from samebody.lab.data import DataSet
    from samebody.lab.data.labels import check_classes, check_subjects

    held = DataSet.open(data_set)
    with bar("embedding") as progress:
        if column == "subject":
            result = check_subjects(
                held, version=version, model=model, fmr=fmr, quarantine=quarantine, progress=progress
            )
        else:
            result = check_classes(
                held,
                column,
                version=version,
                model=model,
                margin=margin,
                least=least,
                quarantine=quarantine,
                progress=progress,
            )
    lines = [str(suspect) for suspect in result.suspects[:show]]
    if len(result.suspects) > show:
        lines.append(f"... and {len(result.suspects) - show} more")
    lines += [f"one person under two names: {one}, {two} (median score {score:.3f})" for one, two, score in result.same]
    lines += [f"one name, two people: {name} ({count} samples of the smaller part)" for name, count in result.mixed]
    lines += list(result.notes)
    lines.append(f"version {result.version.short}: {len(result.suspects)} of {result.samples:,} samples suspected")
    say(asdict(result), as_json, lines)
