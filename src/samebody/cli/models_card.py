"""``samebody models card``: a model card from a record and its evaluations."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.errors import UsageError


@click.command("card", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("identifier", metavar="ID")
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Run folder of an evaluation of this model; several times.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="FILE.md or FILE.html; else Markdown here."
)
def command(identifier: str, runs: tuple[Path, ...], out: Path | None) -> None:
    """Write the model card of ID: intended use, data, operating points, groups, limits, licence of the weights."""
    from samebody.lab.evaluate.card import card_html, card_markdown
    from samebody.lab.evaluate.files import write_text
    from samebody.lab.evaluate.results import VerificationResult
    from samebody.lab.evaluate.runs import load_figures
    from samebody.models import catalogue

    if out is not None and out.suffix.lower() not in (".md", ".html"):
        raise UsageError(f"a card is written as .md or .html, not {out.name}.", hint="Name the file accordingly.")
    record = catalogue()[identifier]
    results = [VerificationResult.from_dict(load_figures(run)) for run in runs]
    html = out is not None and out.suffix.lower() == ".html"
    text = card_html(record, results) if html else card_markdown(record, results)
    if out is None:
        click.echo(text, nl=False)
        return
    click.echo(f"written: {write_text(out, text)}")
