"""The measurement of operating points as a page of Markdown: tables, counts, limits, credits, the command."""

from __future__ import annotations

from collections.abc import Sequence

from samebody.lab.evaluate.operating_points import Point, PopulationResult
from samebody.lab.evaluate.operating_points_run import DEFAULT_POPULATION, Measurement
from samebody.match import describe_population
from samebody.measure import RateEstimate


def page(measurement: Measurement, command: str) -> str:
    """Markdown of a measurement; ``command`` is what made it."""
    record = measurement.record
    parts = [
        f"# Operating points of {record.label}",
        f"Made by `{command}`; the same figures come out again with the same pictures, weights and seed. Scores are "
        "cosines; a comparison is accepted when `score >= threshold`. Metrics follow ISO/IEC 19795-1:2021.",
        _counts(measurement),
        "## Default population: matched adults",
        f"Non-mated pairs of {describe_population(DEFAULT_POPULATION)} (same label of race and gender, same or "
        "neighbouring age band, both 20 or older): the impostor who matters. This is what policies use unless they say "
        "otherwise.",
        _points(measurement.results[DEFAULT_POPULATION]),
        _reading(),
        *_others(measurement),
        *_ungrouped(measurement),
        *_groups(measurement),
        *_at_default(measurement),
        _mated(measurement),
        "## What these figures do not say",
        _limits(),
        "## Data and credits",
        _data(measurement),
        "## Machine",
        "; ".join(f"{name} {value}" for name, value in measurement.machine.items()) + ".",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _counts(measurement: Measurement) -> str:
    rows = [
        [
            summary.name,
            f"{summary.pictures:,}",
            f"{summary.failed}",
            f"{_share(summary.failure_to_acquire)} [{_share(summary.failure_interval[0])}, "
            f"{_share(summary.failure_interval[1])}]",
            ", ".join(f"{reason} {count}" for reason, count in summary.reasons.items()) or "-",
        ]
        for summary in measurement.sets
    ]
    table = _table(["set", "pictures", "failures to acquire", "FTA [95 %]", "reasons"], rows)
    return (
        f"{table}\n\nFailures to acquire are counted here and nowhere else: rates below are over comparisons that took "
        f"place. Of the mated pairs {measurement.mated.lost} could not be compared for that reason. Bootstrap: "
        f"{measurement.options.replicates:,} replicates, seed {measurement.options.seed}, "
        f"{100 * measurement.options.level:g} % intervals; over the people behind mated pairs, over the vertices of "
        "the pair graph for non-mated ones."
    )


def _points(result: PopulationResult) -> str:
    head = f"{result.pairs:,} non-mated pairs of {result.subjects:,} people ({result.pictures:,} pictures)."
    rows = [_row(point) for point in result.points]
    columns = ["FMR asked", "threshold", "FMR realised [95 %]", "errors", "effective errors", "FNMR [95 %]", "mark"]
    text = f"{head}\n\n{_table(columns, rows)}"
    for target, why in result.refused:
        text += f"\n\nFMR {target:g} is not given: {why}."
    return text


def _row(point: Point) -> list[str]:
    mark = "extrapolated" if point.extrapolation else "indicative" if point.indicative else ""
    effective = f"{point.fmr.effective_errors:.1f}" if point.fmr.estimable else "not estimable"
    return [
        f"{point.threshold.target:g}",
        f"{point.threshold.value:.4f}",
        _rate(point.fmr),
        f"{point.fmr.errors:,}",
        effective,
        _percentage(point.fnmr),
        mark,
    ]


def _reading() -> str:
    return (
        "*Effective errors* are the independent errors that the vertex bootstrap's variance is worth; below 30 a point "
        "is *indicative*. The vertex bootstrap is conservative where errors hardly share people: it then counts about "
        "a third of them (docs/adr/0041)."
    )


def _others(measurement: Measurement) -> list[str]:
    parts = []
    for name, result in measurement.results.items():
        if name != DEFAULT_POPULATION:
            title = {"all-pairs": "All pairs", "matched-minors": "Minors (below 20)"}.get(name, name)
            parts += [f"## {title}", f"Non-mated pairs of {describe_population(name)}.", _points(result)]
    return parts


def _ungrouped(measurement: Measurement) -> list[str]:
    if measurement.repeats is None:
        return [
            "## Repeats of people",
            "No reviewed list of repeats was given: pairs that show one person twice are counted as impostors above.",
        ]
    repeats = measurement.repeats
    pictures = sum(len(group) for group in repeats.groups)
    parts = [
        "## With and without repeats of people",
        f"The set has no identity labels and shows some people more than once. {repeats.reviewed:,} pairs were "
        f"reviewed, {repeats.pairs:,} were found to show one person; they join {pictures:,} pictures into "
        f"{len(repeats.groups):,} people. Above, such pictures are one person and never meet. Below, every picture "
        "is a person of its own, as the set is published: these 'impostors' are not impostors, and the tail is theirs. "
        f"SHA-256 of the list: `{repeats.sha256}`.",
    ]
    for name, result in measurement.ungrouped.items():
        parts += [f"### As published: {name}", _points(result)]
    return parts


def _groups(measurement: Measurement) -> list[str]:
    if not measurement.groups:
        return []
    shown = measurement.group_thresholds
    columns = ["label", "pictures", "no template", "pairs"]
    for threshold in shown:
        columns += [f"FMR at {threshold.value:.4f} ({threshold.target:g}) [95 %]", "errors (effective)"]
    columns.append(f"own threshold for {shown[0].target:g}")
    rows = []
    for group in measurement.groups:
        row = [group.group, f"{group.pictures:,}", str(group.failed), f"{group.rates[0].trials:,}"]
        for rate in group.rates:
            row += [_rate(rate), _errors(rate)]
        row.append("-" if group.own_threshold is None else f"{group.own_threshold:.4f}")
        rows.append(row)
    worst, best = measurement.groups[0], measurement.groups[-1]
    ratio = worst.rates[0].rate / best.rates[0].rate if best.rates[0].rate else float("inf")
    return [
        "## By label of race and gender, at the global thresholds",
        "Matched adults within each label; a label's own pairs only. The thresholds are those of the whole population "
        "above, so they were set on the same pictures: a fairness report takes them from another set.",
        _table(columns, rows),
        f"At FMR {shown[0].target:g} the highest label ({worst.group}) has {ratio:.1f} times the false match rate of "
        f"the lowest ({best.group}).",
    ]


def _at_default(measurement: Measurement) -> list[str]:
    points = [p for p in measurement.results[DEFAULT_POPULATION].points if not p.extrapolation]
    columns = [
        "population",
        "pairs",
        *(f"FMR at {p.threshold.value:.4f} ({p.threshold.target:g}) [95 %]" for p in points),
    ]
    rows = []
    for name, rates in measurement.at_default.items():
        missing = len(points) - len(rates)
        label = {"orl": "orl, all non-mated pairs"}.get(name, name)
        pairs = f"{rates[0].trials:,}" if rates else "-"
        rows.append([label, pairs, *["-"] * missing, *(_rate(rate) for rate in rates)])
    return [
        "## Other pairs at the default thresholds",
        _table(columns, rows),
        "The orl pictures are grey, 92x112 and taken in one laboratory, so their non-mated scores are a reference.",
    ]


def _mated(measurement: Measurement) -> str:
    mated = measurement.mated
    return (
        "## Mated pairs\n\n"
        f"{len(mated.scores):,} pairs of {mated.people} people (orl). FNMR above is theirs: grey pictures of good "
        "quality taken within two years. A selfie against an old document portrait is harder; no such data with "
        "consent was at hand."
    )


def _limits() -> str:
    return "\n".join(
        [
            "- Mated and non-mated pairs come from different sets, so the two rates of a threshold never met.",
            "- FairFace labels were given by annotators, not by the people shown, and its pictures come from the web: "
            "the embedder may have seen some of them in training.",
            "- Repeats that the second matcher does not recognise (profiles, sunglasses) are still in the tail: most "
            "of the highest matched pairs left look like one person. Thresholds from FMR 1e-4 on are therefore too "
            "high rather than too low. A few real look-alikes may have been taken out. See docs/adr/0043.",
            "- Attacks, twins and ageing are not measured here.",
        ]
    )


def _data(measurement: Measurement) -> str:
    lines = []
    for summary in measurement.sets:
        line = f"- {summary.credit} SHA-256 over the sorted lines `sha256  file`: `{summary.digest}`."
        if summary.failed_files:
            names = ", ".join(name.removeprefix(f"{summary.name}/") for name in summary.failed_files)
            line += f" Without a template: {names}."
        lines.append(line)
    lines.append(
        "- The lists of files are those of the sets; committed are the digest of the whole list, the exclusions above "
        "and the reviewed repeats with the hash of every file. No picture is part of this project."
    )
    return "\n".join(lines)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _rate(estimate: RateEstimate) -> str:
    if not estimate.estimable:
        return f"none seen, below {estimate.interval[1]:.1e}"
    return f"{estimate.rate:.2e} [{estimate.interval[0]:.1e}, {estimate.interval[1]:.1e}]"


def _errors(estimate: RateEstimate) -> str:
    effective = f"{estimate.effective_errors:.1f}" if estimate.estimable else "not estimable"
    mark = ", indicative" if not estimate.estimable or estimate.indicative else ""
    return f"{estimate.errors} ({effective}{mark})"


def _percentage(estimate: RateEstimate) -> str:
    if not estimate.estimable:
        return f"none seen, below {_share(estimate.interval[1])}"
    return f"{_share(estimate.rate)} [{_share(estimate.interval[0])}, {_share(estimate.interval[1])}]"


def _share(value: float) -> str:
    return f"{100 * value:.2f} %"
