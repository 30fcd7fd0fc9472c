"""``samebody gallery dedupe``: who is enrolled twice, in one gallery or between two."""

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


@click.command("dedupe")
@click.argument("path", type=FOLDER)
@click.option("--with", "other", type=FOLDER, help="Compare with this gallery (sealed with the same key, or plain).")
@click.option("--false-pairs", type=float, default=1.0, show_default=True, help="Pairs of strangers joined, expected.")
@click.option(
    "--review-false-pairs", type=float, default=10.0, show_default=True, help="The same, of pairs for review."
)
@click.option("--fpir", type=float, help="Instead: share of people joined to a stranger, at most.")
@click.option("--review-fpir", type=float, default=0.1, show_default=True, help="The same for review, with --fpir.")
@click.option("--independent", is_flag=True, help="Take face and iris as independent where both have to match.")
@click.option("--journal", type=click.Path(dir_okay=False, path_type=Path), help="Resume from this file after a kill.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write all groups as JSON.")
@rates_options
@engine_options
@key_option
@json_option
@click.pass_context
def command(context: click.Context, /, path: Path, **options: Any) -> None:
    """Compare all with all, and report every group of subjects that look like one person, with the pairs that join it.

    The threshold is chosen so that --false-pairs pairs of different people are expected above it in the whole run.
    Nothing is deleted. Exits with 0 when nobody is enrolled twice, 1 when somebody is, 3 when pairs are for review.
    """
    from samebody.search.identify import SearchPolicy

    with opened(path, options["key_file"]) as gallery:
        held = session(gallery, options)
        second = opened(options["other"], options["key_file"]) if options["other"] else None
        fpir, review = _rates(gallery, second, options)
        policy = SearchPolicy(
            fpir=fpir,
            review_fpir=review,
            allow_extrapolated=options["allow_extrapolated"],
            independent=options["independent"],
        )
        try:
            with progress("comparing", options["as_json"]) as step:
                report = held.duplicates(policy, other=second, journal=options["journal"], progress=step)
        finally:
            if second is not None:
                second.close()
    result = {"gallery": str(path), "other": str(options["other"]) if options["other"] else None, **report.to_dict()}
    if options["out"]:
        written(options["out"], json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    say(result, options["as_json"], lambda console: _lines(console, report))
    kinds = {group.kind for group in report.groups}
    context.exit(1 if "duplicate" in kinds else 3 if kinds else 0)


def _rates(gallery: Any, other: Any, options: dict[str, Any]) -> tuple[float, float]:
    """FPIR, and FPIR of the review."""
    from samebody.search.thresholds import fpir_for_pairs

    if options["fpir"] is not None:
        return options["fpir"], max(options["fpir"], options["review_fpir"])
    sizes = [len(gallery.source(layout.modality)) for layout in gallery.layouts]
    others = [len(other.source(layout.modality)) for layout in other.layouts] if other is not None else []
    one, two = max(sizes), max(others, default=0)
    pairs = one * two if other is not None else one * (one - 1) // 2
    asked = options["false_pairs"]
    found = [fpir_for_pairs(value, pairs, two or one) for value in (asked, max(asked, options["review_false_pairs"]))]
    return found[0], found[1]


def _lines(console: Any, report: Any) -> None:
    duplicates = [group for group in report.groups if group.kind == "duplicate"]
    compared = ", ".join(f"{count:,} pairs of {name}" for name, count in report.pairs.items())
    engines = ", ".join(f"{name}: {engine}" for name, engine in report.engines.items())
    resumed = f", {report.resumed} tiles from the journal" if report.resumed else ""
    console.print(
        f"{compared or 'nothing'} compared ({engines or 'no engine'}; {'exact' if report.exact else 'approximate'}, "
        f"chance of a miss {report.miss_bound:g}{resumed})"
    )
    for name, point in report.thresholds.items():
        mark = ", extrapolated" if point.extrapolated else ""
        console.print(f"  {name}: score {point.score:.4f} at FMR {point.fmr:.3g} of {point.source}{mark}", markup=False)
    console.print(f"  pairs of different people expected among them: {report.expected_false_pairs:.3g}")
    console.print(
        f"[bold]{len(duplicates):,}[/] duplicate groups, {len(report.groups) - len(duplicates):,} pairs for review"
    )
    for group in report.groups[:50]:
        names = ", ".join(f"{subject}{' (other)' if number else ''}" for number, subject in group.people)
        console.print(f"  {group.kind}: {names}", markup=False)
        for join in group.joins[:10]:
            scores = ", ".join(f"{name} {score:.4f}" for name, score in join.scores.items())
            console.print(
                f"    {join.first[1]} - {join.second[1]}: {scores}, FMR {join.fmr:.2g} {join.reason}".rstrip(),
                markup=False,
            )
    if len(report.groups) > 50:
        console.print(f"  ... and {len(report.groups) - 50} more; --out writes them all")
