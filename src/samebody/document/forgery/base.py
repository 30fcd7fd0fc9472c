"""What all forgery checks share: the registry, measured limits, and the way from figures to a finding."""

from __future__ import annotations

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any, ClassVar

from samebody import stage
from samebody.document.forgery.evidence import ForgeryEvidence
from samebody.types import Finding, Outcome, Reason, Region

LIMITS_FILE = "limits.json"


@dataclass(frozen=True, slots=True)
class Limit:
    """The limit of one figure, as measured on bona fide specimens.

    Attributes:
        value: a figure above it is a finding.
        false_alarms: share of bona fide pictures above it, on seeds and cameras that it was not set on.
        pictures: how many of those there were, counting pictures on which the figure could be taken.
        indicative: fewer than 30 alarms lie behind the rate (rule of 30).
        doubt: a figure above it, and not above ``value``, is neither a finding nor a pass; None when there is no such
            band.
    """

    value: float
    false_alarms: float
    pictures: int
    indicative: bool = True
    doubt: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a check: ``value`` is set so that more means less genuine; ``regions`` say where it was taken."""

    name: str
    value: float
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a check measured on one picture.

    Attributes:
        figures: those that could be taken; none means that the check abstains.
        missing: why the others (or all) could not be taken.
        details: JSON-ready, for the report.
        model_ids: records of the models behind the figures.
    """

    figures: tuple[Figure, ...] = ()
    missing: tuple[Reason, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    model_ids: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def measured_limits() -> Mapping[str, Mapping[str, Limit]]:
    """The committed limits by check and figure, written by ``benchmarks/calibrate_forgery.py``."""
    content = json.loads((files("samebody.document.forgery") / LIMITS_FILE).read_text("utf-8"))
    return {
        check: {name: Limit(**entry) for name, entry in figures.items()} for check, figures in content["limits"].items()
    }


class Check(stage.Stage, ABC):
    """Base of the forgery checks: a subclass measures, this class judges against the measured limits.

    Args:
        limits: replaces the committed limits of this check, by figure; for calibration and tests.
        parameters: of the subclass.
    """

    name: ClassVar[str]
    words: ClassVar[Mapping[str, str]]
    """For each figure, what it means when it is above its limit: the middle of a sentence."""
    unmeasured: ClassVar[frozenset[str]] = frozenset()
    """Figures for which too few genuine documents gave a limit: they are shown, and judge nothing."""

    def __init__(self, *, limits: Mapping[str, Limit] | None = None, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.limits = dict(limits) if limits is not None else dict(measured_limits().get(self.name, {}))

    @abstractmethod
    def measure(self, evidence: ForgeryEvidence) -> Measurement:
        """The figures of this check; never raises for a bad picture."""

    def run(self, evidence: ForgeryEvidence) -> Finding:
        """The finding ``document.forgery.<name>``.

        ``fail`` when a figure is above its limit, ``unsure`` when one is in the band of doubt below it, ``pass`` when
        at least one was taken and none is that high, ``unsure`` again when none could be taken or has no measured
        limit.
        """
        started = time.perf_counter()
        measurement = self.measure(evidence)
        judged = [
            (f, self.limits[f.name]) for f in measurement.figures if f.name in self.limits and math.isfinite(f.value)
        ]
        above = [(figure, limit) for figure, limit in judged if figure.value > limit.value]
        doubtful = [(f, limit) for f, limit in judged if limit.doubt is not None and f.value > limit.doubt]
        if above:
            outcome = Outcome.FAIL
            reasons = tuple(self._alarm(figure, limit) for figure, limit in above)
        elif doubtful:
            outcome = Outcome.UNSURE
            reasons = tuple(self._doubt(figure, limit) for figure, limit in doubtful)
        elif judged:
            outcome, reasons = Outcome.PASS, ()
        else:
            outcome = Outcome.UNSURE
            reasons = measurement.missing or (
                Reason(f"document.forgery.{self.name}_not_measurable", "The picture does not support this check."),
            )
        return Finding(
            check=f"document.forgery.{self.name}",
            outcome=outcome,
            score=round(max((f.value - limit.value for f, limit in judged), default=0.0), 4) if judged else None,
            reasons=reasons,
            model_ids=measurement.model_ids,
            milliseconds=(time.perf_counter() - started) * 1000,
            regions=tuple(region for figure, _ in above or doubtful for region in figure.regions),
            details={
                "figures": {
                    figure.name: {
                        "value": round(figure.value, 4) if math.isfinite(figure.value) else None,
                        "limit": self.limits[figure.name].value if figure.name in self.limits else None,
                        "doubt": self.limits[figure.name].doubt if figure.name in self.limits else None,
                        "false_alarms": self.limits[figure.name].false_alarms if figure.name in self.limits else None,
                    }
                    for figure in measurement.figures
                },
                "not_taken": [reason.code for reason in measurement.missing],
                **measurement.details,
            },
        )

    def _alarm(self, figure: Figure, limit: Limit) -> Reason:
        return Reason(
            f"document.forgery.{self.name}.{figure.name}",
            f"{self.words[figure.name]} ({figure.value:.2f}, limit {limit.value:.2f}; "
            f"{100 * limit.false_alarms:.1f} % of {limit.pictures} genuine specimens lie above it).",
            "Photograph the original document itself, straight from the camera, without editing the picture.",
        )

    def _doubt(self, figure: Figure, limit: Limit) -> Reason:
        return Reason(
            f"document.forgery.{self.name}.{figure.name}_doubtful",
            f"{self.words[figure.name]}, but no more than genuine documents sometimes do ({figure.value:.2f}, limit "
            f"{limit.value:.2f}).",
            "Photograph the original document itself, straight from the camera, without editing the picture.",
        )


checks: stage.Registry[type[Check]] = stage.Registry("forgery check")
"""The allow-list of forgery checks."""


def abstain(check: str, what: str, message: str, advice: str = "") -> Measurement:
    """A measurement without figures."""
    return Measurement(missing=(Reason(f"document.forgery.{check}_{what}", message, advice),))


def unmeasurable(check: str, evidence: ForgeryEvidence, least_scale: float) -> Measurement | None:
    """The abstention when there is no page, or fewer than ``least_scale`` pixels of the photograph on a millimetre."""
    if evidence.page is None:
        return abstain(check, "no_page", "No page was found on the photograph.")
    if evidence.scale < least_scale:
        return abstain(
            check,
            "too_small",
            f"The page has {evidence.scale:.1f} pixels per millimetre; {least_scale:.1f} are needed.",
            "Photograph the page so that it fills the picture.",
        )
    return None
