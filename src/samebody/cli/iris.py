"""``samebody iris``: encode an eye, compare two eyes, show what the encoder saw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from samebody.cli.iris_show import show, write_private

if TYPE_CHECKING:
    from samebody.iris import IrisTemplate
    from samebody.iris.compare import IrisComparison
    from samebody.iris.results import IrisEncoding
    from samebody.iris.template import Eye
    from samebody.types import Finding

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(dir_okay=False, path_type=Path)
EYE = click.Choice(["left", "right", "unknown"])


@click.group()
def command() -> None:
    """Encode near-infrared pictures of eyes, compare them, show what was seen."""


command.add_command(show)


@command.command()
@click.argument("picture", type=FILE)
@click.option("--eye", type=EYE, default="unknown", show_default=True, help="Whose eye, as the person has it.")
@click.option("--pipeline", default="default", show_default=True, help="Name of a pipeline, or a file.")
@click.option("--out", type=OUT, help="Write the template (not sealed).")
@click.option("--open-iris", "open_iris", type=OUT, help="Write the template as open-iris reads it (JSON).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def encode(
    context: click.Context,
    picture: Path,
    eye: str,
    pipeline: str,
    out: Path | None,
    open_iris: Path | None,
    as_json: bool,
) -> None:
    """Make a template of a picture.

    Exits with 0 when there is one, 4 when the picture should be taken again; the findings say how.
    """
    encoding, _ = encode_picture(picture, cast("Eye", eye), pipeline)
    template = encoding.template
    written: dict[str, str] = {}
    if template is not None:
        from samebody.iris import to_open_iris

        if out:
            written["template"] = str(template.save(out))
        if open_iris:
            written["open_iris"] = str(write_private(open_iris, json.dumps(to_open_iris(template)).encode()))
    if as_json:
        click.echo(json.dumps({**encoding_json(picture, encoding), "written": written}, indent=2))
    else:
        _print_encoding(picture, encoding, written)
    context.exit(0 if template is not None else 4)


@command.command()
@click.argument("probe", type=FILE)
@click.argument("reference", type=FILE)
@click.option("--eye", type=EYE, default="unknown", show_default=True, help="Which eye pictures show.")
@click.option("--pipeline", default="default", show_default=True, help="Encodes pictures.")
@click.option("--fmr", type=float, default=1e-3, show_default=True, help="False match rate to decide at.")
@click.option("--population", default="all-pairs", show_default=True, help="Population the rate was measured on.")
@click.option("--allow-extrapolated", is_flag=True, help="Accept an operating point beyond the measured tail.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def compare(
    context: click.Context,
    probe: Path,
    reference: Path,
    eye: str,
    pipeline: str,
    fmr: float,
    population: str,
    allow_extrapolated: bool,
    as_json: bool,
) -> None:
    """Compare two eyes: pictures, templates (.irt) or open-iris templates (.json), in any mix.

    Exits with 0 when they match at the false match rate, 1 when they do not, 3 when that cannot be said, 4 when a
    picture has to be taken again.
    """
    from samebody.config import load_settings
    from samebody.errors import NotMeasuredError
    from samebody.iris import compare_irises
    from samebody.iris.errors import IrisNotMeasuredError, TooFewBitsError
    from samebody.iris.record import as_comparison, record_of_space
    from samebody.match import decide_match

    result: dict[str, Any] = {"inputs": [str(probe), str(reference)], "score": None, "outcome": "not_run"}
    sides = [read_side(path, cast("Eye", eye), pipeline) for path in (probe, reference)]
    result["findings"] = [[_finding(f) for f in side.findings] if side else [] for _, side in sides]
    templates = [template for template, _ in sides]
    if templates[0] is None or templates[1] is None:
        _print_comparison(result, None, [side for _, side in sides], as_json)
        context.exit(4)
    try:
        found = compare_irises(templates[0], templates[1])
    except TooFewBitsError as error:
        result["error"] = error.to_dict()
        _print_comparison(result, None, [side for _, side in sides], as_json)
        context.exit(3)
    result |= {
        "score": found.score,
        "distance": found.distance,
        "normalised_distance": found.normalised_distance,
        "rotation": found.rotation,
        "usable_bits": found.usable_bits,
        "disagreeing_bits": found.disagreeing_bits,
        "space": found.space,
    }
    try:
        record = record_of_space(found.space, load_settings())
        match = decide_match(
            as_comparison(found, record), record, fmr, population=population, allow_extrapolated=allow_extrapolated
        )
    except (NotMeasuredError, IrisNotMeasuredError) as error:
        result["error"] = error.to_dict()
        _print_comparison(result, found, [side for _, side in sides], as_json)
        context.exit(3)
    result |= {"outcome": match.outcome.value, "model": record.label, "match": _finding(match)}
    _print_comparison(result, found, [side for _, side in sides], as_json)
    context.exit(0 if match.outcome.value == "pass" else 1)


def encode_picture(picture: Path, eye: Eye, pipeline: str) -> tuple[IrisEncoding, Any]:
    """The encoding of a picture file, and its pixels (height, width, 3) uint8."""
    from samebody.capture import decode_image
    from samebody.config import load_settings
    from samebody.iris.pipeline import IrisPipeline

    pixels = decode_image(picture, limits=load_settings().limits).pixels
    return IrisPipeline.load(pipeline).encode(pixels, eye), pixels


def read_side(path: Path, eye: Eye, pipeline: str) -> tuple[IrisTemplate | None, IrisEncoding | None]:
    """One side of a comparison, told by what the file holds: a template, open-iris's JSON, or else a picture."""
    from samebody.errors import InputError
    from samebody.iris import IrisTemplate, from_open_iris

    try:
        with path.open("rb") as stream:
            head = stream.read(16)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    if head.startswith(b"\x89IRT"):
        return IrisTemplate.load(path), None
    if head.lstrip()[:1] == b"{":
        return from_open_iris(path.read_bytes(), eye=eye), None
    encoding, _ = encode_picture(path, eye, pipeline)
    return encoding.template, encoding


def encoding_json(picture: Path, encoding: IrisEncoding) -> dict[str, Any]:
    """JSON-ready fields of an encoding: no pixels, no code."""
    template = encoding.template
    return {
        "picture": str(picture),
        "eye": encoding.eye,
        "encoded": template is not None,
        "bits": template.bits if template else None,
        "usable_bits": template.usable_bits if template else None,
        "space": template.space if template else None,
        "version": template.version if template else None,
        "measures": encoding.measures.to_dict() if encoding.measures else None,
        "findings": [_finding(finding) for finding in encoding.findings],
        "milliseconds": {name: round(value, 2) for name, value in encoding.milliseconds.items()},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    from samebody.cli.face import finding_json

    return finding_json(finding)


def _print_encoding(picture: Path, encoding: IrisEncoding, written: dict[str, str]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    template = encoding.template
    if template is None:
        console.print(f"{escape(str(picture))}: [red]no template[/]")
    else:
        console.print(
            f"{escape(str(picture))}: [green]encoded[/], {template.eye} eye, {template.usable_bits:,} of "
            f"{template.bits:,} bits usable, {sum(encoding.milliseconds.values()):.0f} ms"
        )
    _print_findings(console, encoding)
    for name, path in written.items():
        console.print(f"written: {path} ({name.replace('_', '-')})", markup=False)


def _print_findings(console: Any, encoding: IrisEncoding) -> None:
    for finding in encoding.findings:
        for reason in finding.reasons:
            console.print(f"  {reason.code}: {reason.message} {reason.advice}".rstrip(), markup=False)


def _print_comparison(
    result: dict[str, Any], found: IrisComparison | None, sides: list[IrisEncoding | None], as_json: bool
) -> None:
    if as_json:
        click.echo(json.dumps(result, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    for path, encoding in zip(result["inputs"], sides, strict=True):
        if encoding is not None and encoding.template is None:
            console.print(f"{escape(path)}: [red]no template[/]")
            _print_findings(console, encoding)
    if found is not None:
        console.print(
            f"similarity [bold]{found.score:.4f}[/]  (Hamming distance {found.distance:.4f}, turned by "
            f"{found.rotation} columns, {found.usable_bits:,} usable bits)"
        )
    if "match" in result:
        point = result["match"]["operating_point"]
        verdict = "[green]match[/]" if result["outcome"] == "pass" else "[red]no match[/]"
        marks = "".join(f", {name}" for name in ("indicative", "extrapolated") if point[name])
        console.print(
            f"{verdict} at a false match rate of {point['fmr']:g} ({escape(point['population'])}; threshold "
            f"{point['threshold']:.4f}{marks}; {escape(result['model'])})"
        )
        for reason in result["match"]["reasons"]:
            console.print(f"  {reason['code']}: {reason['message']} {reason['advice']}".rstrip(), markup=False)
    elif found is None and "error" not in result:
        console.print("[bold]Not compared:[/] a picture shows no usable iris.")
    if "error" in result:
        console.print(f"[yellow]no decision:[/] {escape(result['error']['message'])} {escape(result['error']['hint'])}")
