"""``samebody ship quantise``: a float graph to int8."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, json_option, say
from samebody.cli.ship_parts import RECORD_HELP, samples_of


@click.command("quantise", context_settings=SETTINGS)
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--calibration", type=click.Path(path_type=Path), help="An .npz, a data set, or a folder of pictures.")
@click.option("--record", metavar="ID|FILE", help=RECORD_HELP)
@click.option("--split", default="", help="Of a data set: the samples to calibrate on.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The int8 file.")
@click.option("--method", type=click.Choice(["minmax", "percentile", "entropy"]), default="minmax", show_default=True)
@click.option("--percentile", type=float, default=99.99, show_default=True)
@click.option("--per-tensor", is_flag=True, help="One scale for a whole weight, not one for each channel.")
@click.option("--activations", type=click.Choice(["uint8", "int8"]), default="uint8", show_default=True)
@click.option("--reduce-range", is_flag=True, help="7 bits for weights: for processors whose 8-bit sums saturate.")
@click.option("--exclude", multiple=True, metavar="NODE", help="Stays in float: a name, a pattern with *, or op:KIND.")
@click.option("--samples", type=click.IntRange(1), default=256, show_default=True, help="Calibration samples at most.")
@click.option("--nodes", is_flag=True, help="List the nodes with weights and stop.")
@json_option
def command(
    model: Path,
    calibration: Path | None,
    record: str | None,
    split: str,
    out: Path | None,
    method: str,
    percentile: float,
    per_tensor: bool,
    activations: str,
    reduce_range: bool,
    exclude: tuple[str, ...],
    samples: int,
    nodes: bool,
    as_json: bool,
) -> None:
    """Quantise MODEL (ONNX, float) to static int8 and write what was done into a .json file beside it.

    How much that cost in accuracy is not said here: run `samebody ship gate`.
    """
    from samebody.errors import UsageError
    from samebody.lab.data.files import write_bytes
    from samebody.lab.ship.graph import read_graph
    from samebody.lab.ship.quantise import QuantiseOptions, nodes_of, quantise
    from samebody.lab.ship.release import quantised_fields, write_json

    graph = read_graph(model)
    if nodes:
        found = nodes_of(graph)
        say([list(node) for node in found], as_json, [f"{name}  {kind}" for name, kind in found])
        return
    if calibration is None or out is None:
        raise UsageError("quantising needs --calibration and --out.")
    options = QuantiseOptions.model_validate(
        {
            "method": method,
            "percentile": percentile,
            "per_channel": not per_tensor,
            "activations": activations,
            "reduce_range": reduce_range,
            "exclude": exclude,
            "samples": samples,
        }
    )
    some = samples_of(calibration, graph, record, split=split, limit=samples)
    made = quantise(graph, some, options)
    write_bytes(out, made.data)
    fields = quantised_fields(made, options)
    write_json(out.with_suffix(".json"), fields)
    lines = [
        f"{out}: {made.bytes:,} bytes, from {made.source_bytes:,}",
        f"nodes with weights in int8: {len(made.quantised)}; in float: {', '.join(made.kept_float) or 'none'}",
        *(f"{c.name}: mean change {c.mean:.3g}, largest {c.largest:.3g}, cosine {c.cosine:.5f}" for c in made.changes),
        "What it lost is for the gates to say: samebody ship gate",
    ]
    say(fields, as_json, lines)
