"""``samebody ship export``: a training run to ONNX."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, json_option, say


@click.command("export", context_settings=SETTINGS)
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="New folder.")
@click.option("--weights", type=click.Choice(["best", "last"]), default="best", show_default=True)
@click.option("--opset", type=click.IntRange(18, 25), default=18, show_default=True, help="Of the operators.")
@click.option("--tolerance", type=float, default=1e-4, show_default=True, help="Largest difference to the network.")
@click.option("--samples", type=click.IntRange(1), default=512, show_default=True, help="Held-back inputs kept.")
@click.option("--calibration", type=click.IntRange(1), default=256, show_default=True, help="Training inputs kept.")
@click.option("--prelu-as-convolutions", is_flag=True, help="Write PRelu in a form the runtime computes faster.")
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), help="Where prepared data are kept.")
@json_option
def command(
    run: Path,
    out: Path,
    weights: str,
    opset: int,
    tolerance: float,
    samples: int,
    calibration: int,
    prelu_as_convolutions: bool,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Export RUN, a folder of `samebody train`, and hold the graph against the network on real inputs.

    The folder --out gets model.onnx, export.json, run.json, and the inputs that quantising and gates need: the steps
    after this one need no torch.
    """
    from samebody.lab.evaluate.errors import optional

    optional("torch", "exporting a run", "train")
    from samebody.lab.train.export import export_run

    made = export_run(
        run,
        out,
        weights=weights,
        opset=opset,
        tolerance=tolerance,
        samples=samples,
        calibration=calibration,
        cache=cache,
        prelu_as_convolutions=prelu_as_convolutions,
    )
    lines = [f"{out}: {made.bytes:,} bytes, {made.parameters:,} parameters, opset {made.opset}"]
    lines += [
        f"{p.output}: largest difference {p.largest:.3g} on {p.samples:,} inputs (answers up to {p.scale:.3g})"
        for p in made.parity
    ]
    say(asdict(made), as_json, lines)
