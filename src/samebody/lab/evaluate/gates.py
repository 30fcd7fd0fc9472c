"""Release gates: what a new run may not do worse than the one in service, from a file, judged on a comparison."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from samebody.lab.evaluate.compare import Comparison, Difference
from samebody.lab.evaluate.paired_rates import ALL
from samebody.lab.evaluate.rules import RuleFileError, Rules, load_rules
from samebody.lab.evaluate.stored import plain

EACH = "each"
_ENDS = {"estimate": "estimate", "lower": "lower end", "upper": "upper end"}
_LIMITS = ("beyond_interval", "worse_by_points", "worse_by_factor")


class Gate(Rules):
    """One rule about B against A.

    Attributes:
        name: for people; made from the rest when left out.
        metric: ``fnmr``, ``fmr`` (of a group, or of all where thresholds come from another set) or ``fta``.
        at_fmr: false match rate that the thresholds aim for; not for ``fta``.
        group: ``all``, ``each`` (every group by itself), or the name of one.
        beyond_interval: broken when B is worse and the interval of the difference excludes 0.
        worse_by_points: broken when B is worse by more than so many percentage points.
        worse_by_factor: broken when B's rate is more than so many times A's; an A without an error counts as its upper
            bound.
        judge: by the ``estimate``, the ``lower`` end of the interval (broken only when that is shown) or the ``upper``
            end (kept only when *not worse* is shown).
        least_errors: where neither run makes so many errors, nothing is judged, and that is said.
    """

    name: str = ""
    metric: Literal["fnmr", "fmr", "fta"]
    at_fmr: float | None = Field(default=None, gt=0, lt=1)
    group: str = Field(default=ALL, min_length=1)
    beyond_interval: Literal[True] | None = None
    worse_by_points: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    worse_by_factor: float | None = Field(default=None, ge=1, allow_inf_nan=False)
    judge: Literal["estimate", "lower", "upper"] = "lower"
    least_errors: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_limit(self) -> Gate:
        given = [name for name in _LIMITS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(_LIMITS)}, has {', '.join(given) or 'none'}")
        if (self.metric == "fta") == (self.at_fmr is not None):
            raise ValueError("at_fmr belongs to fnmr and fmr, and only to them")
        if self.beyond_interval and self.judge != "lower":
            raise ValueError("beyond_interval is judged by the lower end; leave judge out")
        return self

    @property
    def title(self) -> str:
        """The name, or what is asked in words."""
        if self.name:
            return self.name
        what = self.metric.upper() + ("" if self.at_fmr is None else f" at FMR {self.at_fmr:g}")
        limit = "worse than its interval allows" if self.beyond_interval else ""
        if self.worse_by_points is not None:
            limit = f"worse by more than {self.worse_by_points:g} points"
        if self.worse_by_factor is not None:
            limit = f"worse by more than a factor of {self.worse_by_factor:g}"
        return f"{what}, {self.group}: not {limit}"


class GateFile(Rules):
    """A file of gates."""

    schema_version: Literal[1]
    title: str = ""
    gates: tuple[Gate, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """One gate on one group.

    Attributes:
        gate: its title.
        group: label, or ``all``.
        status: ``kept``, ``broken`` or ``not judged``.
        why: in words, with the figures.
        metric, target: what was looked at.
    """

    gate: str
    group: str
    status: Literal["kept", "broken", "not judged"]
    why: str
    metric: str
    target: float | None


@dataclass(frozen=True, slots=True)
class GateReport:
    """All gates of a file on a comparison; ``passed`` when none is broken."""

    title: str
    outcomes: tuple[GateOutcome, ...]

    @property
    def passed(self) -> bool:
        """No gate is broken."""
        return all(outcome.status != "broken" for outcome in self.outcomes)

    @property
    def broken(self) -> tuple[GateOutcome, ...]:
        """The broken ones."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "broken")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"title": self.title, "passed": self.passed, "outcomes": plain([asdict(o) for o in self.outcomes])}


def load_gates(path: Path | str) -> GateFile:
    """Read a gate file.

    Raises:
        RuleFileMissingError, RuleFileError: it is not there, or has mistakes, all of them named.
    """
    return load_rules(path, GateFile)


def judge_gates(gates: GateFile, comparison: Comparison, name: str = "the gate file") -> GateReport:
    """Judge every gate.

    A gate on ``each`` group looks at the simultaneous intervals, so that many groups do not break it by chance; a gate
    on one group (or all) at the interval of that difference.

    Raises:
        RuleFileError: gates ask for what the comparison does not hold; all of them are named.
    """
    mistakes: list[str] = []
    outcomes: list[GateOutcome] = []
    for number, gate in enumerate(gates.gates):
        groups = comparison.groups if gate.group == EACH else (gate.group,)
        found = []
        for group in groups:
            try:
                found.append(comparison.find(gate.metric, gate.at_fmr, group))
            except KeyError:
                if gate.group != EACH:
                    mistakes.append(f"gates.{number}: {_missing(gate, comparison)}")
        if gate.group == EACH and not found:
            mistakes.append(f"gates.{number}: {_missing(gate, comparison)}")
        outcomes += [_judged(gate, entry) for entry in found]
    if mistakes:
        raise RuleFileError(name, mistakes)
    return GateReport(gates.title, tuple(outcomes))


def _missing(gate: Gate, comparison: Comparison) -> str:
    if gate.metric == "fta" and not any(entry.metric == "fta" for entry in comparison.differences):
        return "no failure to acquire was counted in either run"
    targets = list(comparison.thresholds)
    if gate.at_fmr is not None and not any(abs(gate.at_fmr - t) <= 1e-6 * t for t in targets):
        return f"FMR {gate.at_fmr:g} was not compared; compared: {', '.join(f'{t:g}' for t in targets)}"
    if gate.group not in (ALL, EACH) and gate.group not in comparison.groups:
        known = ", ".join(comparison.groups) or "none"
        return f"there is no group {gate.group!r}; groups: {known}"
    if gate.group == EACH and not comparison.groups:
        return "the runs have no groups"
    if gate.metric == "fmr" and gate.group == ALL:
        return "the FMR of all was set by the thresholds, on the same data; take thresholds from another set"
    return f"{gate.metric} was not measured for {gate.group}"


def _judged(gate: Gate, entry: Difference) -> GateOutcome:
    each = gate.group == EACH
    low, high = entry.simultaneous if each else entry.interval
    figures = (
        f"A {100 * entry.a:.4g} %, B {100 * entry.b:.4g} %, difference {100 * entry.difference:+.3g} points "
        f"({100 * low:+.3g} to {100 * high:+.3g}{', simultaneous' if each else ''})"
    )
    status: Literal["kept", "broken", "not judged"]
    if max(entry.errors_a, entry.errors_b) < gate.least_errors:
        figures += f"; only {entry.errors_a} and {entry.errors_b} errors, {gate.least_errors} are asked for"
        status = "not judged"
    elif gate.worse_by_factor is not None:
        reached = _factor(gate, entry, low)
        figures += f"; factor {reached:.3g} by the {_ENDS[gate.judge]}"
        status = "broken" if reached > gate.worse_by_factor else "kept"
    else:
        limit = (gate.worse_by_points or 0.0) / 100
        reached = {"estimate": entry.difference, "lower": low, "upper": high}[gate.judge]
        status = "broken" if reached > limit else "kept"
    return GateOutcome(gate.title, entry.group, status, figures, gate.metric, entry.target)


def _factor(gate: Gate, entry: Difference, low: float) -> float:
    """B over A; without an error in A over A's upper bound; by the lower end only when B is shown to be worse."""
    if gate.judge == "estimate":
        return entry.b / entry.a_upper if entry.b else 0.0
    if gate.judge == "upper":
        return entry.ratio_interval[1]
    return entry.ratio_interval[0] if low > 0 else min(entry.ratio_interval[0], 1.0)
