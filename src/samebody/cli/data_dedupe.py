"""``samebody data dedupe``: copies and neighbours."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, bar, data_set_argument, figures, json_option, say, version_option


@click.command("dedupe", context_settings=SETTINGS)
@data_set_argument
@version_option
@click.option("--radius", default=23, show_default=True, type=click.IntRange(0, 35), help="Bits of the hash, of 256.")
@click.option("--turned", is_flag=True, help="Look for mirrored and turned copies too.")
@click.option("--embedding-score", type=float, help="Least cosine of templates that makes two samples neighbours.")
@click.option("--model", default="face/sface", show_default=True, help="Embedder, for --embedding-score.")
@click.option("--show", default=20, show_default=True, type=click.IntRange(0), help="Pairs that are printed.")
@json_option
def command(
    data_set: Path,
    version: str | None,
    radius: int,
    turned: bool,
    embedding_score: float | None,
    model: str,
    show: int,
    as_json: bool,
) -> None:
    """Find the same bytes, the same picture saved anew, and neighbours; mark all but one of each group.

    Neighbours (--embedding-score) are put into one group, so that a split keeps them on one side; they are not dropped.
    """
    from dataclasses import asdict

    from samebody.lab.data import DataSet
    from samebody.lab.data.dedupe import DedupeRules, dedupe
    from samebody.lab.data.faces import SampleFaces

    held = DataSet.open(data_set)
    templates = None
    if embedding_score is not None:
        with bar("embedding") as progress:
            templates = SampleFaces(held, model).templates(held.manifest(version), progress)
    rules = DedupeRules(radius=radius, turned=turned, embedding_score=embedding_score)
    made, result = dedupe(held, rules, version=version, templates=templates)
    lines = [
        f"{pair.kind}{' ' + pair.turn if pair.turn else ''} {pair.value:g}: {pair.second} repeats {pair.first}"
        f"{' ACROSS SPLITS' if pair.across else ''}{' TWO SUBJECTS' if pair.conflict else ''}"
        for pair in result.pairs[:show]
    ]
    if len(result.pairs) > show:
        lines.append(f"... and {len(result.pairs) - show} more")
    lines.append(f"version {made.short}: {figures(result.counts)}")
    say({"version": made.id, "counts": result.counts, "pairs": [asdict(p) for p in result.pairs]}, as_json, lines)
