"""``samebody gallery enrol``: people into a gallery, from pictures, a manifest or templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from samebody.cli.gallery_common import (
    FOLDER,
    engine_options,
    json_option,
    key_option,
    opened,
    progress,
    rates_options,
    say,
    session,
    written,
)

TEMPLATE_BATCH = 1000


@click.command("enrol")
@click.argument("path", type=FOLDER)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--subject", help="Whose the one picture is; without it folders and file names say.")
@click.option("--modality", type=click.Choice(["face", "iris"]), help="Of pictures; by default the gallery's only one.")
@click.option("--eye", type=click.Choice(["left", "right", "unknown"]), default="unknown", show_default=True)
@click.option("--duplicates", type=click.Choice(["refuse", "flag", "allow"]), default="refuse", show_default=True)
@click.option("--fpir", type=float, default=0.01, show_default=True, help="Of the search for duplicates.")
@click.option("--review-fpir", type=float, default=0.1, show_default=True, help="The same, for those to look at.")
@click.option("--batch", type=click.IntRange(1, 10_000), default=64, show_default=True, help="Pictures written as one.")
@click.option("--space", help="Digest of the templates' embedding space, where their file does not name it.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="JSON lines of all not enrolled.")
@click.option("--pipeline", default="default", show_default=True, help="Of irises.")
@click.option("--face-model", default="face/sface", show_default=True, help="Record that makes templates of faces.")
@rates_options
@engine_options
@key_option
@json_option
@click.pass_context
def command(context: click.Context, /, path: Path, sources: tuple[Path, ...], **options: Any) -> None:
    """Enrol people from SOURCES: pictures, folders of pictures, CSV manifests, .npz or .parquet templates.

    In a folder each subfolder is a subject. A manifest has the columns subject and path, and if you like modality, eye
    and birth (equal for twins). A run that was killed is repeated as it was: what is enrolled is not touched again. Bad
    pictures are listed with their reasons and stop nothing. Exits with 0 when all were enrolled or known, 1 when
    duplicates were refused, 3 when a person has to look, 4 when only bad pictures were left out.
    """
    from samebody.search.bulk import BulkReport
    from samebody.search.enrolment import EnrolmentPolicy
    from samebody.search.identify import SearchPolicy

    search = SearchPolicy(
        fpir=options["fpir"],
        review_fpir=max(options["review_fpir"], options["fpir"]),
        allow_extrapolated=options["allow_extrapolated"],
    )
    policy = EnrolmentPolicy(duplicates=options["duplicates"], search=search)
    report = BulkReport()
    with opened(path, options["key_file"], writing=True) as gallery:
        enroller = session(gallery, options).enroller(policy)
        templates = [source for source in sources if source.suffix in (".npz", ".parquet")]
        items = _items([source for source in sources if source not in templates], gallery, options)
        with progress("enrolling", options["as_json"]) as step:
            for source in templates:
                _add(report, _templates(gallery, enroller, source, options, step))
            if items:
                _add(report, _pictures(gallery, enroller, items, options, step))
    if options["report"]:
        written(options["report"], "".join(json.dumps(turned.to_dict()) + "\n" for turned in report.turned))
    result = {**report.to_dict(), "not_enrolled": [turned.to_dict() for turned in report.turned]}
    say(result, options["as_json"], lambda console: _lines(console, report))
    context.exit(1 if report.refused else 3 if report.review else 4 if report.bad else 0)


def _items(sources: list[Path], gallery: Any, options: dict[str, Any]) -> list[Any]:
    from samebody.errors import UsageError
    from samebody.search.bulk import Item, folder_items, manifest_items

    held = [layout.modality for layout in gallery.layouts]
    asked = {"face": "vector"}.get(options["modality"], options["modality"])
    if asked is None and len(held) > 1 and any(source.suffix != ".csv" for source in sources):
        raise UsageError("the gallery holds two modalities.", hint="Say --modality, or name it in a manifest.")
    modality = asked or held[0]
    items = []
    for source in sources:
        if source.is_dir():
            items += folder_items(source, modality)
        elif source.suffix == ".csv":
            items += manifest_items(source, modality)
        else:
            eye = options["eye"] if modality == "iris" else "unknown"
            items.append(Item(options["subject"] or source.stem, source, modality, eye, source.name))
    if options["subject"] and (len(items) != 1 or len(sources) != 1):
        raise UsageError("--subject names one picture.", hint="Use a folder for each person, or a manifest.")
    foreign = sorted({item.modality for item in items} - set(held))
    if foreign:
        raise UsageError(f"the gallery holds no {', '.join(foreign)}.", hint=f"It holds {', '.join(held)}.")
    return items


def _pictures(gallery: Any, enroller: Any, items: list[Any], options: dict[str, Any], step: Any) -> Any:
    from samebody.cli.gallery_probes import embedders
    from samebody.search.bulk import enrol_items

    makers = embedders(sorted({item.modality for item in items}), options)
    return enrol_items(
        enroller,
        gallery,
        items,
        makers,
        batch=options["batch"],
        progress=lambda report, every: step(report.items, every),
    )


def _templates(gallery: Any, enroller: Any, source: Path, options: dict[str, Any], step: Any) -> Any:
    """Templates in batches of :data:`TEMPLATE_BATCH`; a batch that was acknowledged before is not written again."""
    from samebody.cli.gallery_probes import TemplateFileError, read_templates
    from samebody.search.bulk import BulkReport, enrol_templates

    held = read_templates(source, options["space"])
    if held.subjects is None or len(held.subjects) != len(held):
        raise TemplateFileError(f"{source} does not name the subject of each template.", hint="Add `subjects`.")
    report: BulkReport = enrol_templates(
        enroller,
        gallery,
        held.modality,
        held.subjects,
        held.payload,
        space=held.space,
        name=held.digest,
        batch=TEMPLATE_BATCH,
        progress=lambda done, every: step(done.items, every),
    )
    return report


def _add(total: Any, part: Any) -> None:
    for name, value in part.to_dict().items():
        setattr(total, name, getattr(total, name) + value)
    total.turned += part.turned


def _lines(console: Any, report: Any) -> None:
    console.print(
        f"[bold]{report.enrolled:,}[/] templates enrolled of {report.items:,}; {report.known:,} known already, "
        f"{report.flagged:,} flagged, {report.refused:,} refused as duplicates, {report.review:,} for review, "
        f"{report.bad:,} bad pictures"
    )
    for turned in report.turned[:20]:
        reasons = " ".join(f"{reason.message} {reason.advice}".strip() for reason in turned.reasons)
        console.print(f"  {turned.outcome}: {turned.path or turned.subject}: {reasons}", markup=False)
    if len(report.turned) > 20:
        console.print(f"  ... and {len(report.turned) - 20} more; --report writes them all")
