"""``samebody gallery identify``: who among those enrolled is this?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samebody.cli.gallery_common import (
    FILE,
    FOLDER,
    engine_options,
    json_option,
    key_option,
    opened,
    rates_options,
    say,
    session,
)

if TYPE_CHECKING:
    from samebody.search.identify import Identification
    from samebody.search.types import Probes

CODES = {"match": 0, "none": 1, "review": 3, "undecided": 3, "no_template": 4}


@click.command("identify")
@click.argument("path", type=FOLDER)
@click.argument("probes", nargs=-1, type=FILE)
@click.option("--iris", "iris", type=FILE, help="Eye picture or .irt template that goes with the one face picture.")
@click.option("--eye", type=click.Choice(["left", "right", "unknown"]), default="unknown", show_default=True)
@click.option("--synthetic-person", type=int, multiple=True, help="Search for another capture of synthetic person N.")
@click.option("--seed", type=int, default=20260, show_default=True, help="Of the synthetic gallery.")
@click.option("--fpir", type=float, default=0.01, show_default=True, help="False positive identification rate.")
@click.option("--review-fpir", type=float, default=0.1, show_default=True, help="The same for candidates to look at.")
@click.option("--candidates", type=click.IntRange(1), default=10, show_default=True, help="Listed at most.")
@click.option("--below", is_flag=True, help="List the next best too, who are neither match nor for review.")
@click.option("--independent", is_flag=True, help="Take face and iris as independent where both have to match.")
@click.option("--pipeline", default="default", show_default=True, help="Of irises.")
@click.option("--face-model", default="face/sface", show_default=True, help="Record that makes templates of faces.")
@rates_options
@engine_options
@key_option
@json_option
@click.pass_context
def command(context: click.Context, /, path: Path, probes: tuple[Path, ...], **options: Any) -> None:
    """Search for people in a gallery, at a false positive identification rate.

    PROBES are pictures of faces (of eyes, in a gallery of irises), .irt templates, or .npz sets of templates. The
    threshold follows from --fpir and the number of references enrolled now. Exits with 0 when one person matches, 1
    when nobody does, 3 when a person has to look or no threshold is known, 4 when a picture gives no template. With
    several probes the exit code is 0 when all could be searched for.
    """
    from samebody.cli.gallery_probes import read_probes
    from samebody.search.identify import SearchPolicy

    policy = SearchPolicy(
        fpir=options["fpir"],
        review_fpir=max(options["review_fpir"], options["fpir"]),
        candidates=options["candidates"],
        below=options["below"],
        allow_extrapolated=options["allow_extrapolated"],
        independent=options["independent"],
        undecided="list",
    )
    results = []
    with opened(path, options["key_file"]) as gallery:
        held = session(gallery, options)
        asked = read_probes(gallery, probes, options)
        found: dict[int, Identification] = {}
        for names, rows, grouped in _by_modality(asked):
            identifier = held.identifier(policy, names)
            found |= dict(zip(rows, identifier.identify(grouped), strict=True))
        for number, probe in enumerate(asked):
            entry: dict[str, Any] = {"probe": probe.name}
            if probe.reasons:
                entry |= {"answer": "no_template", "reasons": [{"code": c, "message": m} for c, m in probe.reasons]}
            else:
                entry |= found[number].to_dict()
            results.append(entry)
        sizes = {modality: len(gallery.source(modality)) for modality in held.modalities}
    result = {"gallery": str(path), "references": sizes, "engine": options["engine"], "searches": results}
    say(result, options["as_json"], lambda console: _searches(console, results))
    codes = [CODES[entry["answer"]] for entry in results]
    context.exit(codes[0] if len(codes) == 1 else (4 if 4 in codes else 0))


def _by_modality(asked: list[Any]) -> list[tuple[tuple[str, ...], list[int], dict[str, Probes]]]:
    """Probes of the same modalities are searched for together."""
    from samebody.cli.gallery_probes import joined

    kinds: dict[tuple[str, ...], list[int]] = {}
    for number, probe in enumerate(asked):
        if not probe.reasons:
            kinds.setdefault(tuple(sorted(probe.probes)), []).append(number)
    return [
        (names, rows, {name: joined([asked[row].probes[name] for row in rows]) for name in names})
        for names, rows in kinds.items()
    ]


def _searches(console: Any, results: list[dict[str, Any]]) -> None:
    for entry in results:
        _lines(console, entry)


def _lines(console: Any, entry: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    console.print(f"[bold]{escape(entry['probe'])}[/]: {_ANSWERS[entry['answer']]}")
    for reason in entry.get("reasons", ()):
        console.print(f"  {reason['code']}: {reason['message']}", markup=False)
    if entry["answer"] == "no_template":
        return
    if entry["undecided"]:
        console.print(f"  {entry['undecided']['message']} {entry['undecided']['hint']}", style="yellow", markup=False)
    else:
        console.print(
            f"  FPIR {entry['fpir']:g} among {entry['comparisons']:,} references: FMR {entry['needed_fmr'] or 1:.3g} "
            f"needed, rule {entry['rule']}, FPIR expected {entry['expected_fpir']:.3g}"
        )
    for name, point in entry["thresholds"].items():
        marks = [m for m in ("extrapolated", "indicative", "synthetic") if point[m]]
        distance = f" (distance {1 - point['score']:.4f})" if name == "iris" else ""
        console.print(
            f"  {name}: score {point['score']:.4f}{distance} at FMR {point['fmr']:.3g} of {point['source']}"
            f"{', ' + ', '.join(marks) if marks else ''}",
            markup=False,
        )
    for name, engine in entry["engines"].items():
        bound = "unknown" if engine["miss_bound"] is None else f"{engine['miss_bound']:g}"
        kind = "exact" if engine["exact"] else "approximate"
        processes = engine["notes"].get("answered_by")
        extra = f", processes {', '.join(map(str, processes))}" if processes else ""
        console.print(f"  {name} searched by {engine['engine']} ({kind}, chance of a miss {bound}){extra}")
    if not entry["candidates"]:
        return
    table = Table()
    for column in ("rank", "subject", "place", "score", "FMR at most", "FPIR at most", "why"):
        table.add_column(column, justify="right" if column in ("rank", "FMR at most", "FPIR at most") else "left")
    for found in entry["candidates"]:
        scores = ", ".join(
            f"{name} {score:.4f}" + (f" (HDn {1 - score:.4f})" if name == "iris" else "")
            for name, score in found["scores"].items()
        )
        why = "; ".join(reason["message"] for reason in found["reasons"])
        mark = " *" if found["extrapolated"] else ""
        table.add_row(
            str(found["rank"]),
            escape(found["subject"]),
            found["place"],
            scores,
            f"{found['fmr']:.2g}{mark}",
            f"{found['fpir']:.2g}{mark}",
            why,
        )
    console.print(table)
    if any(found["extrapolated"] for found in entry["candidates"]):
        console.print("  * rests on an extrapolated point")


_ANSWERS = {
    "match": "[green]match[/]",
    "none": "nobody enrolled matches",
    "review": "[yellow]for review[/]",
    "undecided": "[yellow]no decision[/]: no threshold is known for this size",
    "no_template": "[red]no template[/]",
}
