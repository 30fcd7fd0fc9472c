"""A model card from a record and its evaluations: what the model is for, what it was measured on, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import jinja2

from samebody.errors import InputError
from samebody.lab.evaluate.report import charts
from samebody.lab.evaluate.report.build import interval, percent, render_page
from samebody.lab.evaluate.results import VerificationResult
from samebody.measure import RateEstimate
from samebody.models.describe import details
from samebody.models.record import ModelRecord
from samebody.types import OperatingPoint


class CardMismatchError(InputError):
    """An evaluation is not of the model that the card is about."""

    code = "evaluate.card_mismatch"


def card_markdown(record: ModelRecord, results: Sequence[VerificationResult] = ()) -> str:
    """The card of ``record`` as Markdown.

    Args:
        record: of a model.
        results: evaluations of that model, from run folders.

    Raises:
        CardMismatchError: an evaluation is of another model or embedding space.
    """
    text = _markdown().get_template("card.md").render(**_context(record, results))
    return "\n".join(line.rstrip() for line in text.splitlines()).strip() + "\n"


def card_html(record: ModelRecord, results: Sequence[VerificationResult] = ()) -> str:
    """The same as one self-contained HTML document, with charts.

    Raises:
        CardMismatchError: as :func:`card_markdown`.
    """
    return render_page("card.html", **_context(record, results))


def _context(record: ModelRecord, results: Sequence[VerificationResult]) -> dict[str, Any]:
    for result in results:
        _check(record, result)
    return {
        "record": record,
        "facts": details(record),
        "points": [_point_row(point) for point in sorted(record.operating_points, key=_point_order)],
        "evaluations": [_evaluation(result) for result in results],
        "limits": _limits(record, results),
    }


def _check(record: ModelRecord, result: VerificationResult) -> None:
    algorithm = result.algorithm
    if algorithm.id not in (record.id, record.label):
        raise CardMismatchError(
            f"the evaluation on {result.dataset.name} is of {algorithm.label}, and the card is of {record.label}.",
            hint="Give runs of this model.",
        )
    space = record.embedding_space().digest if record.makes_templates else ""
    if algorithm.version not in ("", record.version) or (algorithm.space and space and algorithm.space != space):
        raise CardMismatchError(
            f"the evaluation on {result.dataset.name} is of another version or embedding space of {record.id} "
            f"({algorithm.label}, {algorithm.space or 'space not recorded'}).",
            hint="Evaluate the model again as the record has it now.",
        )


def _point_order(point: OperatingPoint) -> tuple[bool, str, float]:
    """The default population first, loose rates before strict ones."""
    return point.population != "matched-adults", point.population, -point.fmr


def _point_row(point: OperatingPoint) -> dict[str, Any]:
    flags = [name for name in ("indicative", "extrapolated") if getattr(point, name)]
    fnmr = "not measured"
    if point.fnmr is not None:
        fnmr = percent(point.fnmr)
        if point.fnmr == 0 and point.fnmr_interval is not None:
            fnmr = f"none seen, at most {percent(point.fnmr_interval[1])}"
        elif point.fnmr_interval is not None:
            fnmr += f" ({charts.number(100 * point.fnmr_interval[0])} to {percent(point.fnmr_interval[1])})"
    low, high = point.fmr_interval
    return {
        "fmr": charts.number(point.fmr),
        "threshold": f"{point.threshold:.5g}",
        "realised": f"{charts.number(point.realised_fmr)} ({charts.number(low)} to {charts.number(high)})",
        "fnmr": fnmr,
        "population": point.population.replace("-", " "),
        "dataset": point.dataset,
        "pairs": f"{point.pairs:,}",
        "subjects": f"{point.subjects:,}",
        "errors": f"{point.errors:,} ({point.effective_errors:.0f} effective)",
        "flags": ", ".join(flags),
    }


def _evaluation(result: VerificationResult) -> dict[str, Any]:
    sound = [index for index, row in enumerate(result.thresholds) if not row.indicative]
    index = (sound or [0])[-1]
    groups = []
    for group in result.groups:
        rates = group.rates[index]
        groups.append(
            {
                "name": group.name,
                "subjects": f"{group.subjects:,}",
                "fmr": _rate(rates.fmr),
                "fnmr": _rate(rates.fnmr),
                "fta": _rate(group.fta),
            }
        )
    chart = None
    rows = [
        charts.IntervalRow(g.name, r.rate, *r.interval, seen=r.estimable, indicative=r.indicative, text=f"{r.errors:,}")
        for g in result.groups
        if (r := g.rates[index].fmr) is not None
    ]
    if rows:
        chart = charts.intervals(rows, f"FMR within each group at {result.thresholds[index].name}")
    fairness = next((f for f in result.fairness if f.value == result.thresholds[index].value), None)
    return {
        "result": result,
        "thresholds": [
            {
                "name": row.name,
                "value": f"{row.value:.5g}",
                "fmr": _rate(row.fmr),
                "fnmr": _rate(row.fnmr),
                "source": row.source,
                "flags": "indicative" if row.indicative else "",
            }
            for row in result.thresholds
        ],
        "at": result.thresholds[index].name,
        "groups": groups,
        "chart": chart,
        "fairness": [
            (name.replace("_", " "), "not estimable" if value is None else charts.number(value))
            for name, value in (fairness.figures.items() if fairness else ())
        ],
        "fta": _rate(result.failures.fta),
    }


def _rate(rate: RateEstimate | None) -> str:
    if rate is None:
        return "not measured"
    if not rate.estimable:
        return f"none seen, {interval(rate)}"
    return f"{percent(rate.rate)} ({interval(rate)})"


def _limits(record: ModelRecord, results: Sequence[VerificationResult]) -> list[str]:
    """What the record says, and what is not known because nobody measured it."""
    said = [str(limit) for limit in record.provenance.known_limits]
    if not record.makes_templates:
        return said
    if not record.operating_points:
        said.append("No operating point was measured: a policy cannot use this record yet.")
    for name in ("indicative", "extrapolated"):
        for population in dict.fromkeys(
            point.population for point in sorted(record.operating_points, key=_point_order)
        ):
            rates = [
                charts.number(point.fmr)
                for point in sorted(record.operating_points, key=_point_order)
                if getattr(point, name) and point.population == population
            ]
            if rates:
                whom = population.replace("-", " ")
                said.append(f"Operating points that are {name}, {whom}: FMR {', '.join(rates)}.")
    if not results:
        said.append("No evaluation is attached to this card.")
    elif not any(result.groups for result in results):
        said.append("No evaluation by demographic group is attached: differences between groups are not known.")
    for result in results:
        said += [f"{result.dataset.name}: {warning}." for warning in result.warnings]
    return said


@cache
def _markdown() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("samebody.lab.evaluate.report", "templates"),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = markdown_text
    return environment


def markdown_text(value: object) -> str:
    """Text that stays text in Markdown, also in a table cell: one line, without markup, links or HTML of its own."""
    text = " ".join(str(value).split())
    for character in "\\`*[]<>|":
        text = text.replace(character, "\\" + character)
    return text
