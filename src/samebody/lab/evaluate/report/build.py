"""Build reports from run folders: one self-contained HTML file, JSON, and CSV with one row a threshold and group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from markupsafe import Markup

from samebody.errors import SamebodyError
from samebody.lab.evaluate.compare import Comparison, csv_text, finite, json_text
from samebody.lab.evaluate.report import charts, words
from samebody.lab.evaluate.results import CrossGroup, VerificationResult
from samebody.lab.evaluate.runs import Run
from samebody.lab.evaluate.stored import plain
from samebody.measure import Costs, DetCurve, RateEstimate, cost_curve_from_det, zero_error_bound

if TYPE_CHECKING:
    from samebody.lab.evaluate.gates import GateReport

EXAMPLE_COSTS = Costs(false_accept=100.0, false_reject=1.0, impostor=0.01)
"""Drawn when nobody says what mistakes cost; the report calls them an example."""

_SHOWN_THRESHOLDS = 6


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What goes into a report.

    Attributes:
        costs: of wrong decisions; :data:`EXAMPLE_COSTS` when None.
        worst: errors of each kind in the list.
        pictures: folder with the samples, to embed the pictures of the worst errors; None embeds none.
    """

    costs: Costs | None = None
    worst: int = 20
    pictures: Path | None = None


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("samebody.lab.evaluate.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, interval=interval, short=charts.number, count=lambda n: f"{n:,}")
    return environment


def render_page(template: str, **context: Any) -> str:
    """One HTML document without any external reference, from a template of this folder."""
    return _environment().get_template(template).render(**context)


def percent(rate: float | None) -> str:
    """A rate in percent, three digits; ``not measured`` for None."""
    if rate is None:
        return "not measured"
    return f"{charts.number(100 * rate)} %"


def interval(rate: RateEstimate | None) -> str:
    """The interval of a rate in percent, or its bound."""
    if rate is None:
        return ""
    if rate.effective_trials <= 0:
        return "no interval: below the kept scores"
    if not rate.estimable:
        return f"at most {percent(rate.interval[1])}"
    return f"{charts.number(100 * rate.interval[0])} to {percent(rate.interval[1])}"


# ------------------------------------------------------------------------------------------------------- the report


def report_files(runs: Sequence[Run], options: ReportOptions | None = None) -> dict[str, str]:
    """``report.html``, ``report.json`` and ``report.csv`` of one or several runs.

    Args:
        runs: at least one.
        options: costs, worst errors, pictures.
    """
    options = options or ReportOptions()
    html = render_page(
        "report.html",
        runs=[_run_context(run, options) for run in runs],
        overview=_overview(runs) if len(runs) > 1 else None,
        glossary=words.GLOSSARY,
    )
    data = {
        "schema_version": 1,
        "kind": "report",
        "runs": [
            {
                **run.result.to_dict(),
                "cost": finite(plain(_cost_figures(run.result, options))),
                "worst_false_matches": worst_false_matches(run, options.worst),
                "worst_false_non_matches": worst_false_non_matches(run, options.worst),
            }
            for run in runs
        ],
    }
    rows = [row for run in runs for row in run.result.rows()]
    return {"report.html": html, "report.json": json_text(data), "report.csv": csv_text(rows)}


def _overview(runs: Sequence[Run]) -> dict[str, Any]:
    lines = [_det_line(run.result, marks=False) for run in runs if run.result.det is not None]
    return {"det": charts.det(lines) if lines else None, "results": [run.result for run in runs]}


def _run_context(run: Run, options: ReportOptions) -> dict[str, Any]:
    result = run.result
    shown = [(row.name, row.value) for row in result.thresholds[:_SHOWN_THRESHOLDS]]
    return {
        "result": result,
        "words": words.plain_words(result),
        "distributions": charts.distributions(result.histograms.get("mated"), result.histograms["non_mated"], shown),
        "det": charts.det([_det_line(result, marks=True)]) if result.det is not None else None,
        "groups": _group_charts(result),
        "fairness": _fairness_table(result),
        "matrices": [_matrix(matrix) for matrix in _told(result)],
        "quality": _quality_chart(result),
        "cost": _cost_context(result, options),
        "reliability": charts.reliability(result.calibration.reliability)
        if result.calibration is not None and result.calibration.reliability
        else None,
        "false_matches": _with_pictures(worst_false_matches(run, options.worst), options.pictures),
        "false_non_matches": _with_pictures(worst_false_non_matches(run, options.worst), options.pictures),
    }


def _det_line(result: VerificationResult, *, marks: bool) -> charts.DetLine:
    det, counts = result.det, result.counts
    assert det is not None
    # where people are known, people are independent, not comparisons: one pair for every two, one mated trial for each
    known = counts.subjects > 0
    zero_fmr = zero_error_bound(max(counts.non_mated_subjects // 2, 1) if known else counts.non_mated)
    zero_fnmr = zero_error_bound(max(counts.mated_subjects, 1) if known else counts.mated)
    if det.fmr_high and 0 in det.fmr:
        zero_fmr = det.fmr_high[det.fmr.index(0)]
    if det.fnmr_high and 0 in det.fnmr:
        zero_fnmr = det.fnmr_high[det.fnmr.index(0)]
    return charts.DetLine(
        name=result.algorithm.label,
        fmr=det.fmr,
        fnmr=det.fnmr,
        fmr_band=tuple(zip(det.fmr_low, det.fmr_high)),
        fnmr_band=tuple(zip(det.fnmr_low, det.fnmr_high)),
        zero_fmr=zero_fmr,
        zero_fnmr=zero_fnmr,
        marks=[
            charts.DetMark(
                row.name,
                row.fmr.rate,
                row.fnmr.rate,
                row.fmr.interval if row.fmr.effective_trials > 0 else (row.fmr.rate, row.fmr.rate),
                row.fnmr.interval,
                row.fmr.estimable and row.fnmr.estimable,
                row.indicative,
            )
            for row in result.thresholds
            if row.fnmr is not None
        ]
        if marks
        else (),
    )


def _told(result: VerificationResult) -> list[CrossGroup]:
    """The matrix of the strictest threshold with enough errors, and of the strictest of all."""
    enough = [matrix for matrix in result.cross_groups if sum(sum(row) for row in matrix.errors) >= 60]
    return enough[-1:] or list(result.cross_groups[:1])


def _matrix(matrix: CrossGroup) -> dict[str, Any]:
    places = range(len(matrix.names))
    rates = [[matrix.rate(one, two) for two in places] for one in places]
    bounds = [[matrix.bound(one, two) for two in places] for one in places]
    name = f"score {matrix.value:.4g}" if matrix.target is None else f"FMR {matrix.target:g}"
    return {"name": name, "chart": charts.heat_map(matrix.names, rates, bounds, matrix.trials), "matrix": matrix}


def _group_charts(result: VerificationResult) -> list[dict[str, Any]]:
    """Intervals of each group at the two strictest thresholds that are more than indicative."""
    if not result.groups:
        return []
    sound = [i for i, row in enumerate(result.thresholds) if not row.indicative] or [0]
    found = []
    for index in sound[-2:]:
        row = result.thresholds[index]
        for kind, overall in (("fmr", row.fmr), ("fnmr", row.fnmr)):
            rows = []
            for group in result.groups:
                rate: RateEstimate | None = getattr(group.rates[index], kind)
                if rate is not None:
                    rows.append(_interval_row(group.name, rate))
            if rows:
                label = f"{kind.upper()} at the threshold for {row.name} (logarithmic axis)"
                reference = overall.rate if overall is not None and overall.estimable else None
                found.append({"chart": charts.intervals(rows, label, reference=reference), "title": label})
    return found


def _interval_row(name: str, rate: RateEstimate) -> charts.IntervalRow:
    text = f"{rate.errors:,} of {rate.trials:,}, {rate.subjects:,} subjects"
    return charts.IntervalRow(
        name, rate.rate, rate.interval[0], rate.interval[1], rate.estimable, rate.indicative, text
    )


def _fairness_table(result: VerificationResult) -> dict[str, Any] | None:
    """Figures as rows, thresholds as columns."""
    if not result.fairness:
        return None
    names = list(dict.fromkeys(name for fairness in result.fairness for name in fairness.figures))
    heads = [f"FMR {f.target:g}" if f.target is not None else f"score {f.value:.5g}" for f in result.fairness]
    return {
        "heads": heads,
        "rows": [(name.replace("_", " "), [f.figures.get(name) for f in result.fairness]) for name in names],
        "notes": [(head, "; ".join(f.notes)) for head, f in zip(heads, result.fairness) if f.notes],
    }


def _quality_chart(result: VerificationResult) -> Markup | None:
    overall = [curve for curve in result.quality if not curve.group]
    if not overall:
        return None
    lines = [
        (f"start {100 * curve.start:.3g} %", tuple(zip(curve.fractions, curve.rates)), f"c{place % 6}")
        for place, curve in enumerate(overall[:4])
    ]
    return charts.curves(
        lines, "share of comparisons discarded, lowest quality first", "FNMR of the rest", stepped=True
    )


# -------------------------------------------------------------------------------------------------------------- cost


def _cost_figures(result: VerificationResult, options: ReportOptions) -> dict[str, Any] | None:
    det = result.det
    if det is None:
        return None
    costs = options.costs or EXAMPLE_COSTS
    if options.costs is None and result.failures.fta is not None:
        costs = Costs(costs.false_accept, costs.false_reject, costs.impostor, costs.review, result.failures.fta.rate)
    curve = cost_curve_from_det(
        DetCurve(
            np.append(np.asarray(det.thresholds), np.inf), np.append(np.asarray(det.fmr), 0.0), np.append(det.fnmr, 1.0)
        ),
        costs,
    )
    return {
        "example": options.costs is None,
        "costs": asdict(costs),
        "optimum": asdict(curve.optimum),
        "with_review": asdict(curve.with_review) if curve.with_review else None,
        "trivial_cost": curve.trivial_cost,
        "normalised_optimum": curve.normalised_optimum,
        "thresholds": curve.thresholds[:-1].tolist(),
        "expected_cost": curve.expected_cost[:-1].tolist(),
    }


def _cost_context(result: VerificationResult, options: ReportOptions) -> dict[str, Any] | None:
    figures = _cost_figures(result, options)
    if figures is None:
        return None
    best = figures["optimum"]
    place = min(best["accept_at"], figures["thresholds"][-1])
    chart = charts.cost(
        figures["thresholds"], figures["expected_cost"], (place, best["expected_cost"]), figures["trivial_cost"]
    )
    return {**figures, "chart": chart}


# -------------------------------------------------------------------------------------------------------- worst errors


def worst_false_matches(run: Run, count: int) -> list[dict[str, Any]]:
    """The highest non-mated scores: samples, subjects, groups and score."""
    scores, errors = run.scores, run.scores.worst_non_mated(count) if count else None
    if errors is None:
        return []
    return [
        {
            "score": float(errors.scores[i]),
            "samples": [str(scores.samples[code[i]]) for code in (errors.first_sample, errors.second_sample)],
            "subjects": []
            if scores.independent
            else [str(scores.subjects[c[i]]) for c in (errors.first, errors.second)],
            "groups": [_group_of(run, int(c[i])) for c in (errors.first, errors.second)],
        }
        for i in range(len(errors))
    ]


def worst_false_non_matches(run: Run, count: int) -> list[dict[str, Any]]:
    """The lowest mated scores: samples, subject, group and score."""
    scores, mated = run.scores, run.scores.mated
    return [
        {
            "score": float(mated.scores[i]),
            "samples": [str(scores.samples[mated.probe[i]]), str(scores.samples[mated.reference[i]])],
            "subjects": [] if scores.independent else [str(scores.subjects[mated.subject[i]])],
            "groups": [_group_of(run, int(mated.subject[i]))],
        }
        for i in scores.worst_mated(count)
    ]


def _group_of(run: Run, subject: int) -> str:
    scores = run.scores
    if scores.independent or not scores.groups or scores.subject_group[subject] < 0:
        return ""
    return scores.group_names[int(scores.subject_group[subject])]


def _with_pictures(errors: list[dict[str, Any]], folder: Path | None) -> list[dict[str, Any]]:
    if folder is None:
        return errors
    return [{**error, "pictures": [picture_uri(folder, name) for name in error["samples"]]} for error in errors]


def picture_uri(folder: Path, name: str, *, blurred: bool = False) -> str | None:
    """The sample as a ``data:`` address; None when it is not a picture inside ``folder``."""
    from samebody.lab.evaluate.images import load_picture
    from samebody.pipeline.report.pictures import data_uri

    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        return None
    try:
        return data_uri(load_picture(path).pixels, blurred=blurred, long_side=160)
    except (SamebodyError, OSError):
        return None


# --------------------------------------------------------------------------------------------------------- comparison


def comparison_remarks(comparison: Comparison) -> list[str]:
    """What a reader of a comparison must know."""
    count = len(comparison.differences)
    said = [
        f"{comparison.replicates} draws of people (seed {comparison.seed}), {100 * comparison.level:g} % intervals; "
        "both runs, all groups and thresholds are weighed by the same draws",
        f"{count} differences were looked at: about {comparison.expected_by_chance:.1f} would seem real by chance; "
        "those without 'alone' also hold in intervals that cover all of them at once",
    ]
    if comparison.refit:
        rates = ", ".join(f"{target:g}" for target in comparison.refit)
        said.append(f"thresholds found anew in every draw: FMR {rates}")
    return [*said, *comparison.notes]


def render_comparison(comparison: Comparison, gates: GateReport | None = None) -> str:
    """A comparison as one HTML document."""
    blocks = []
    for metric, target in dict.fromkeys((entry.metric, entry.target) for entry in comparison.differences):
        entries = [e for e in comparison.differences if (e.metric, e.target) == (metric, target)]
        rows = [
            charts.IntervalRow(
                name=entry.group,
                value=100 * entry.difference,
                low=100 * entry.interval[0],
                high=100 * entry.interval[1],
                indicative=entry.indicative,
                text=entry.verdict,
                kind="" if not entry.real else "worse" if entry.difference > 0 else "better",
            )
            for entry in entries
        ]
        chart = charts.differences(rows, f"{entries[0].name}: B minus A in percentage points")
        blocks.append({"title": entries[0].name, "chart": chart, "entries": entries})
    return render_page(
        "compare.html", comparison=comparison, blocks=blocks, gates=gates, remarks=comparison_remarks(comparison)
    )
