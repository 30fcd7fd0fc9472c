"""``samebody iris show``: the contours, the unwrapped texture and the code, as a page or a picture."""

from __future__ import annotations

import base64
import html
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from samebody.iris.results import IrisEncoding
    from samebody.iris.template import Eye
    from samebody.types import Pixels


@click.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--eye", type=click.Choice(["left", "right", "unknown"]), default="unknown", show_default=True)
@click.option("--pipeline", default="default", show_default=True, help="Name of a pipeline, or a file.")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Page (.html) or picture (.png) to write. It shows biometric data.",
)
@click.pass_context
def show(context: click.Context, picture: Path, eye: str, pipeline: str, out: Path) -> None:
    """Show what the encoder saw. Exits with 0 when there is a template, 4 when the picture should be taken again."""
    from samebody.cli.iris import encode_picture
    from samebody.errors import UsageError
    from samebody.iris.draw import draw_sheet, png

    if out.suffix.lower() not in (".html", ".htm", ".png"):
        raise UsageError(f"{out} is neither a page nor a picture.", hint="Name a file that ends in .html or .png.")
    encoding, pixels = encode_picture(picture, cast("Eye", eye), pipeline)
    if out.suffix.lower() == ".png":
        data = png(draw_sheet(pixels, encoding))
    else:
        data = page(picture.name, pixels, encoding).encode()
    write_private(out, data)
    click.echo(f"written: {out}", err=True)
    context.exit(0 if encoding.template is not None else 4)


def page(title: str, pixels: Pixels, encoding: IrisEncoding) -> str:
    """A page that needs no other file: pictures, measures, findings, times."""
    from samebody.iris.draw import draw_code, draw_contours, draw_texture, png

    def picture(shown: Pixels, text: str) -> str:
        data = base64.b64encode(png(shown)).decode("ascii")
        return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'

    parts = [picture(draw_contours(pixels, encoding), "Pupil green, limbus yellow, lids red; what hides the iris red.")]
    if encoding.texture is not None:
        parts.append(picture(draw_texture(encoding.texture), "The iris unwrapped, pupil above; red is masked."))
    template = encoding.template
    if template is not None:
        text = (
            f"The code: two wavelets, real and imaginary parts; {template.usable_bits:,} of {template.bits:,} bits "
            "usable, masked bits red."
        )
        parts.append(picture(draw_code(template), text))
    rows = "".join(
        f"<tr><td>{html.escape(finding.check)}</td><td class='{finding.outcome.value}'>{finding.outcome.value}</td>"
        f"<td>{'' if finding.score is None else f'{finding.score:.3g}'}</td>"
        f"<td>{html.escape(' '.join(f'{reason.message} {reason.advice}' for reason in finding.reasons))}</td></tr>"
        for finding in encoding.findings
    )
    measures = encoding.measures.to_dict() if encoding.measures else {}
    facts = "".join(
        f"<tr><td>{html.escape(name.replace('_', ' '))}</td><td>{value:g}</td></tr>" for name, value in measures.items()
    )
    times = ", ".join(f"{html.escape(name)} {value:.1f}" for name, value in encoding.milliseconds.items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}: iris</title><style>
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 860px; margin: 2em auto; padding: 0 1em; color: #222 }}
img {{ max-width: 100%; image-rendering: auto }} figure {{ margin: 1em 0 }} figcaption {{ color: #666 }}
table {{ border-collapse: collapse }} td, th {{ padding: .2em .8em .2em 0; text-align: left; vertical-align: top }}
.pass {{ color: #17702b }} .fail {{ color: #b3261e }} .unsure, .not_run {{ color: #8a6100 }}
</style></head><body>
<h1>{html.escape(title)}</h1>
<p>{"Encoded" if template is not None else "<b>No template</b>"}, {html.escape(encoding.eye)} eye.
This page shows biometric data: keep it as such.</p>
{"".join(parts)}
<h2>Findings</h2><table><tr><th>check</th><th>outcome</th><th>value</th><th>what to do</th></tr>{rows}</table>
<h2>Measures</h2><table>{facts}</table>
<p>Milliseconds: {times}.</p>
</body></html>
"""


def write_private(path: Path, data: bytes) -> Path:
    """Write a file that only its owner may read, whole or not at all.

    Raises:
        StorageError: it cannot be written; what stood there before is untouched.
    """
    from samebody.errors import StorageError

    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)  # keeps the mode 0600 of the temporary file
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {error.strerror}.", hint="Choose another place.") from None
    return path
