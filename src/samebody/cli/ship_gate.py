"""``samebody ship gate``: judge a graph before it is shipped."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, json_option, say
from samebody.cli.ship_parts import RECORD_HELP, samples_of


@click.command("gate", context_settings=SETTINGS)
@click.argument("candidate", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--gates", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The gate file (YAML).")
@click.option(
    "--samples", required=True, type=click.Path(path_type=Path), help="An .npz, a data set, or a folder of pictures."
)
@click.option("--record", metavar="ID|FILE", help=RECORD_HELP)
@click.option("--split", default="", help="Of a data set: the samples to judge on.")
@click.option("--limit", type=click.IntRange(1), default=2000, show_default=True, help="Pictures at most.")
@click.option("--against", type=click.Path(path_type=Path, dir_okay=False), help="The float graph to compare with.")
@click.option(
    "--runs",
    nargs=2,
    type=click.Path(path_type=Path, file_okay=False),
    help="Two run folders of `samebody evaluate verification`, float and candidate, for gates on FNMR and FMR.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Report as JSON; also when refused.")
@json_option
def command(
    candidate: Path,
    gates: Path,
    samples: Path,
    record: str | None,
    split: str,
    limit: int,
    against: Path | None,
    runs: tuple[Path, Path] | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Judge CANDIDATE (ONNX) by every gate of a file. Exit code 65 when one refuses; the message says which and why."""
    from samebody.lab.evaluate.runs import load_run
    from samebody.lab.ship.gate_file import load_gate_file
    from samebody.lab.ship.gates import run_gates
    from samebody.lab.ship.graph import read_graph
    from samebody.lab.ship.release import write_json

    asked = load_gate_file(gates)
    graph = read_graph(candidate)
    report = run_gates(
        asked,
        graph,
        read_graph(against) if against else None,
        samples_of(samples, graph, record, split=split, limit=limit),
        lambda title: click.echo(title, err=True),
        runs=(load_run(runs[0]), load_run(runs[1])) if runs else None,
    )
    if out is not None:
        write_json(out, report.to_dict())
    say(
        report.to_dict(),
        as_json,
        [f"{o.status}: {o.gate}{f' [{o.group}]' if o.group else ''}: {o.why}" for o in report.outcomes],
    )
    report.require()
