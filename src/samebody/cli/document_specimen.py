"""`samebody document specimen`: render a specimen document, flat or photographed, bona fide or forged."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("specimen")
@click.option("--format", "document_format", default="TD3", show_default=True, help="TD1, TD2, TD3, MRV-A or MRV-B.")
@click.option("--side", default="single", show_default=True, help="single, or front or back of a TD1 card.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Picture to write: .png or .jpg."
)
@click.option(
    "--portrait", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Photograph of the holder."
)
@click.option(
    "--substitute",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Photograph that --forgery portrait_swap pastes in.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws holder, design, conditions."
)
@click.option("--photograph", "difficulty", help="Photograph it: clean, moderate or hard. Without it: the flat page.")
@click.option("--scan", "scanned", is_flag=True, help="Scan it on a flatbed instead of photographing it.")
@click.option("--megapixels", type=click.FloatRange(0.2, 50), help="Size of the photograph.")
@click.option(
    "--forgery", help="Forge it: date_recomputed, date_plain, viz_mismatch, portrait_swap, reprint, screen_recapture."
)
@click.option(
    "--edited-on", type=click.Choice(["photograph", "page"]), default="photograph", help="Where pixels are forged."
)
@click.option(
    "--truth", "truth_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the ground truth as JSON."
)
def specimen(
    document_format: str,
    side: str,
    out: Path,
    portrait: Path | None,
    substitute: Path | None,
    seed: int,
    difficulty: str | None,
    scanned: bool,
    megapixels: float | None,
    forgery: str | None,
    edited_on: str,
    truth_path: Path | None,
) -> None:
    """Render a specimen document of the fictional state Utopia (UTO), marked SPECIMEN, with its ground truth."""
    from samebody.capture import decode_image
    from samebody.synth.export import save_picture, save_truth
    from samebody.synth.photograph import photograph, scan
    from samebody.synth.specimen import render

    if scanned and difficulty:
        raise click.UsageError("--scan and --photograph exclude each other.")
    page = render(
        document_format,  # type: ignore[arg-type]  # render refuses what it does not know
        seed=seed,
        portrait=decode_image(portrait, role="portrait") if portrait else None,
        substitute=decode_image(substitute, role="portrait") if substitute else None,
        forgery=forgery,
        side=side,  # type: ignore[arg-type]
    )
    if difficulty or scanned:
        shot = (
            scan(page, seed=seed)
            if scanned
            else photograph(page, difficulty=difficulty or "", seed=seed, megapixels=megapixels, edited_on=edited_on)  # type: ignore[arg-type]
        )
        save_picture(out, shot.image, jpeg=shot.jpeg)
        truth = shot.truth
    else:
        save_picture(out, page.image)
        truth = page.truth
    if truth_path is not None:
        save_truth(truth_path, truth)
    click.echo(f"{out}: {truth.format} specimen, seed {seed}{f', forged: {truth.forgery}' if truth.forgery else ''}")
    for line in truth.mrz_lines:
        click.echo(line)


command = specimen
"""What the group `samebody document` looks for."""
