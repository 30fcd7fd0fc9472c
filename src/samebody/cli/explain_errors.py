"""``samebody explain errors``: the worst errors of an evaluation, clustered, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samebody.cli.explain_parts import FOLDER, PICTURE, SETTINGS

if TYPE_CHECKING:
    from samebody.lab.evaluate import TemplateSet
    from samebody.lab.evaluate.error_analysis import ErrorAnalysis


@click.command("errors", context_settings=SETTINGS)
@click.argument("result", type=click.Path(exists=True, path_type=Path))
@click.option("--threshold", type=float, help="Score to look at; must be given for a table of presentations.")
@click.option("--templates", type=PICTURE, help="Template set (.npz) of the samples, for clusters.")
@click.option("--images", type=FOLDER, help="Pictures of the samples: embedded for clusters, and shown blurred.")
@click.option("--model", default="face/sface", show_default=True, help="Embedder, with --images.")
@click.option("--no-clusters", is_flag=True, help="With --images: show the pictures, do not embed them.")
@click.option("--attributes", type=PICTURE, help="Table with subject, sample or file, and columns of labels.")
@click.option(
    "--worst", default=60, show_default=True, type=click.IntRange(1, 1000), help="Errors listed of each kind."
)
@click.option("--show-pictures", is_flag=True, help="Do not blur the pictures.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Page to write (HTML).")
@click.option("--json", "as_json", is_flag=True, help="Print the analysis as JSON.")
def command(
    result: Path,
    threshold: float | None,
    templates: Path | None,
    images: Path | None,
    model: str,
    no_clusters: bool,
    attributes: Path | None,
    worst: int,
    show_pictures: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Look into the errors of RESULT: a run folder of `samebody evaluate verification`, or a table of presentations.

    Says which people stand behind errors, which attributes are over-represented among them (exact test, adjusted for
    the number of attributes), and which of the worst errors resemble each other.
    """
    import json
    import sys

    from samebody.cli.evaluate_verification import typed
    from samebody.cli.iris_show import write_private
    from samebody.errors import UsageError
    from samebody.lab.evaluate.error_analysis import analyse_presentations, analyse_run, read_attributes
    from samebody.lab.evaluate.errors_page import errors_json, errors_page
    from samebody.lab.evaluate.runs import load_run
    from samebody.lab.evaluate.templates import read_templates

    if templates is not None and images is not None and not no_clusters:
        raise UsageError("give --templates, or --images, or --images with --no-clusters.")
    known = read_templates(templates) if templates else None
    if images is not None and known is None and not no_clusters:
        known = _embedded(images, model)
    if result.is_dir():
        found = analyse_run(
            load_run(result),
            threshold=threshold,
            templates=known,
            attributes=read_attributes(attributes) if attributes else None,
            worst=worst,
        )
    elif threshold is None:
        raise UsageError("a table of presentations needs --threshold.", hint="Take it from another data set.")
    elif attributes is not None:
        raise UsageError("the columns of the table itself are its attributes.", hint="Leave --attributes out.")
    else:
        found = analyse_presentations(result, threshold=threshold, templates=known, worst=worst)
    if out is not None:
        line = typed(sys.argv[1:], "explain", "errors")
        page = errors_page(found, pictures=images, show_pictures=show_pictures, command=line)
        click.echo(f"written: {write_private(out, page.encode())}", err=True)
    if as_json:
        click.echo(json.dumps(errors_json(found), indent=1, ensure_ascii=False))
    else:
        _show(found)


def _embedded(images: Path, model: str) -> TemplateSet:
    from samebody.cli.data_parts import bar
    from samebody.lab.evaluate.images import embed_pictures, read_pictures

    with bar("embedding") as progress:
        return embed_pictures(read_pictures(images), model, progress=lambda _, done, whole: progress(done, whole))[0]


def _show(found: ErrorAnalysis) -> None:
    click.echo(f"{found.title}, accepted from {found.threshold:.6g} on")
    for kind in found.kinds:
        click.echo(
            f"{kind.name}: {kind.errors:,} of {kind.trials:,}; {kind.affected:,} of {kind.units:,} {kind.unit} "
            f"stand behind them"
        )
        significant = [test for test in kind.tests if test.significant]
        for test in significant:
            click.echo(
                f"  over-represented: {test.attribute} {test.value}: {test.affected} of {test.units}, all others "
                f"{test.other_affected} of {test.other_units} (adjusted p {test.adjusted:.2g})"
            )
        if kind.tests and not significant:
            click.echo(f"  no attribute is over-represented beyond chance ({len(kind.tests)} tested)")
        if kind.clusters:
            sizes = ", ".join(str(cluster.size) for cluster in kind.clusters)
            click.echo(f"  clusters of the {len(kind.worst)} worst: {sizes} (silhouette {kind.silhouette:.2f})")
        for case in kind.worst[:5]:
            click.echo(f"  {case.score:.4f}  {' · '.join(case.samples)}")
    for note in found.notes:
        click.echo(f"note: {note}")
