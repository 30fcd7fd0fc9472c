"""``samebody data label``: labelling by hand."""

from __future__ import annotations

import json
from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, data_set_argument, figures, json_option, pairs, say, version_option

PROJECT = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group("label", context_settings=SETTINGS)
def command() -> None:
    """Label by hand: start a project, serve its page, see agreement, exchange, write the answers into the set."""


@command.command("schema")
def schema() -> None:
    """Print an example of a schema file."""
    from samebody.lab.data.labelling.schema import EXAMPLE

    click.echo(EXAMPLE, nl=False)


@command.command("start", context_settings=SETTINGS)
@data_set_argument
@version_option
@click.option("--schema", "schema_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--project", required=True, type=click.Path(path_type=Path), help="New folder of the project.")
@click.option("--most", default=200, show_default=True, type=click.IntRange(1), help="Tasks, most urgent first.")
@click.option("--gold", "gold", multiple=True, metavar="SAMPLE=CLASS", help="A task with a known answer.")
@click.option("--by-model", is_flag=True, help="Order by uncertainty and disagreement of a classifier on templates.")
@click.option("--model", default="face/sface", show_default=True, help="Embedder, for --by-model.")
def start(
    data_set: Path,
    version: str | None,
    schema_file: Path,
    project: Path,
    most: int,
    gold: tuple[str, ...],
    by_model: bool,
    model: str,
) -> None:
    """Queue tasks from a version of DATA_SET.

    With --by-model, a classifier is trained out of sample on the labels that are there, and the tasks on which it is
    unsure or disagrees come first.
    """
    from samebody.lab.data import DataSet
    from samebody.lab.data.labelling import LabelProject, load_schema
    from samebody.lab.data.labelling.queue import model_priorities

    held = DataSet.open(data_set)
    base = held.version(version)
    asked = load_schema(schema_file)
    manifest = held.manifest(base)
    priority = model_priorities(held, manifest, asked, model) if by_model else {}
    names = manifest["sample"][manifest.usable].tolist()
    names.sort(key=lambda name: (-priority.get(name, 0.0), name))
    made = LabelProject.create(project, held, base, asked, names[:most], priority=priority, gold=pairs(gold, "--gold"))
    click.echo(f"{len(made.tasks)} tasks in {project}; label them with `samebody data label page {project}`")


@command.command("page", context_settings=SETTINGS)
@click.argument("project", type=PROJECT)
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def page(project: Path, port: int) -> None:
    """Serve a page to label with the keyboard, to this machine only. Ctrl-C ends it."""
    from samebody.lab.data.labelling import LabelProject
    from samebody.lab.data.labelling.page import LabelServer

    with LabelServer(LabelProject(project), port) as server:
        click.echo(f"open {server.address}")
        server.serve_forever()


@command.command("report", context_settings=SETTINGS)
@click.argument("project", type=PROJECT)
@json_option
def report(project: Path, as_json: bool) -> None:
    """States, Krippendorff's alpha, and each labeller's gold accuracy and confusion."""
    from dataclasses import asdict

    from samebody.lab.data.labelling import LabelProject

    held = LabelProject(project)
    found = held.report()
    alpha = "not defined" if found.alpha is None else f"{found.alpha:.3f}"
    lines = [f"tasks: {figures(dict(found.tasks))}", f"Krippendorff's alpha {alpha} over {found.units} tasks"]
    lines += [f"{pair}: agree on {100 * share:.1f} %" for pair, share in found.pairs.items()]
    for who, entry in found.labellers.items():
        accuracy = "-" if entry["gold accuracy"] is None else f"{100 * entry['gold accuracy']:.0f} %"
        lines.append(f"{who}: {entry['labels']} labels, {entry['skips']} skips, gold {accuracy} of {entry['gold']}")
        lines += [
            f"  took {true!r} for {given!r}: {count}"
            for true, row in entry["confusion"].items()
            for given, count in row.items()
            if count and true != given
        ]
    say(asdict(found), as_json, lines)


@command.command("apply", context_settings=SETTINGS)
@click.argument("project", type=PROJECT)
def apply(project: Path) -> None:
    """Write agreed and adjudicated answers into the data set as a new version."""
    from samebody.lab.data.labelling import LabelProject

    made = LabelProject(project).apply()
    click.echo(f"version {made.short}: {figures(dict(made.step['figures']))}")


@command.command("export", context_settings=SETTINGS)
@click.argument("project", type=PROJECT)
@click.option("--address", default="", help="Put before the path of a picture below `objects/`.")
@click.option("--interface", is_flag=True, help="Print the labelling interface (XML) instead of the tasks.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File; standard output otherwise.")
def export(project: Path, address: str, interface: bool, out: Path | None) -> None:
    """Tasks and answers as Label Studio's JSON."""
    from samebody.lab.data.labelling import LabelProject
    from samebody.lab.data.labelling.label_studio import configuration, export_tasks
    from samebody.lab.evaluate.files import write_text

    held = LabelProject(project)
    content = configuration(held.schema) if interface else json.dumps(export_tasks(held, address), indent=1)
    if out:
        write_text(out, content + "\n")
    else:
        click.echo(content)


@command.command("import", context_settings=SETTINGS)
@click.argument("project", type=PROJECT)
@click.argument("export_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def take_over(project: Path, export_file: Path) -> None:
    """Take over the annotations of a Label Studio export."""
    from samebody.lab.data.labelling import LabelProject
    from samebody.lab.data.labelling.label_studio import import_annotations

    count = import_annotations(LabelProject(project), export_file.read_text(encoding="utf-8"))
    click.echo(f"{count} new answers")
