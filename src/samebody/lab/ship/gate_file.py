"""What a release may not do worse than the float model, and what it may cost: the gate file and its rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from samebody.lab.evaluate.rules import Rules, load_rules

ALL, EACH = "all", "each"
WhenUnclear = Literal["refuse", "pass", "estimate"]
"""What counts where the interval holds the limit: a refusal, a pass, or the estimate alone."""

SCORE_METRICS = ("bpcer", "apcer")
VERIFICATION_METRICS = ("fnmr", "fmr")


class Limits(Rules):
    """The limit of an accuracy gate, of which exactly one is given.

    Attributes:
        worse_by_points: the rate may be higher than the float model's by so many percentage points.
        worse_by_factor: the rate may be so many times the float model's.
        at_most: the rate itself may be so high, 0-1; needs no float model.
    """

    worse_by_points: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    worse_by_factor: float | None = Field(default=None, ge=1, allow_inf_nan=False)
    at_most: float | None = Field(default=None, ge=0, le=1)

    @property
    def given(self) -> list[str]:
        """Names of the limits that are given."""
        return [name for name in ("worse_by_points", "worse_by_factor", "at_most") if getattr(self, name) is not None]


class AccuracyGate(Limits):
    """A rate of errors of the candidate, against the float model on the same samples, or by itself.

    Attributes:
        kind: ``accuracy``.
        name: for people; made from the rest when left out.
        metric: ``error`` (share of wrong classes), ``disagreement`` (share of samples that the two models decide
            otherwise), ``bpcer``, ``apcer`` (of the worst species, ISO/IEC 30107-3), ``iou`` (one minus intersection
            over union, mean of the classes), ``fnmr`` or ``fmr`` (ISO/IEC 19795-1; for embeddings).
        output: name of the graph's output; the first one otherwise.
        column: of an output with several, the one that is the likelihood of bona fide.
        by: column of the samples that makes the groups; ``species`` for ``apcer``, ``group`` otherwise.
        group: ``all``, ``each`` (every group by itself, simultaneous intervals), or the name of one.
        threshold: score from which a sample counts as bona fide (class 1).
        at_bpcer: instead of a threshold: each model's own threshold for that BPCER on these samples, found anew in
            every draw of people.
        at_fmr: for ``fnmr`` and ``fmr``: the false match rate that each model's threshold aims for.
        when_unclear: what counts where the interval holds the limit.
        least: with fewer samples than this the gate cannot be judged, and that is unclear.
    """

    kind: Literal["accuracy"]
    name: str = ""
    metric: Literal["error", "disagreement", "bpcer", "apcer", "iou", "fnmr", "fmr"]
    output: str | None = None
    column: int | None = Field(default=None, ge=0)
    by: str = ""
    group: str = Field(default=ALL, min_length=1)
    threshold: float | None = Field(default=None, allow_inf_nan=False)
    at_bpcer: float | None = Field(default=None, gt=0, lt=1)
    at_fmr: float | None = Field(default=None, gt=0, lt=1)
    when_unclear: WhenUnclear = "refuse"
    least: int = Field(default=30, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> AccuracyGate:
        if len(self.given) != 1:
            raise ValueError(
                f"needs exactly one of worse_by_points, worse_by_factor, at_most; has {', '.join(self.given) or 'none'}"
            )
        if (self.metric in VERIFICATION_METRICS) != (self.at_fmr is not None):
            raise ValueError("at_fmr belongs to fnmr and fmr, and only to them")
        if self.at_bpcer is not None and (self.metric != "apcer" or self.threshold is not None):
            raise ValueError("at_bpcer belongs to apcer, in place of threshold")
        if self.metric in SCORE_METRICS and self.threshold is None and self.at_bpcer is None:
            raise ValueError(f"{self.metric} needs a threshold" + (" or at_bpcer" if self.metric == "apcer" else ""))
        if self.metric == "disagreement" and self.at_most is None:
            raise ValueError("disagreement is between both models: give at_most")
        if self.metric == "fmr" and self.group == ALL:
            raise ValueError("the FMR of all is what the threshold is set for: name a group, or each")
        return self

    @property
    def title(self) -> str:
        """The name, or what is asked in words."""
        if self.name:
            return self.name
        what = self.metric.upper() if self.metric in (*SCORE_METRICS, *VERIFICATION_METRICS) else self.metric
        if self.at_fmr is not None:
            what += f" at FMR {self.at_fmr:g}"
        if self.at_bpcer is not None:
            what += f" at BPCER {self.at_bpcer:g}"
        if self.worse_by_points is not None:
            limit = f"worse by at most {self.worse_by_points:g} points"
        elif self.worse_by_factor is not None:
            limit = f"at most {self.worse_by_factor:g} times"
        else:
            limit = f"at most {self.at_most:g}"
        return f"{what}, {self.group}: {limit}"

    @property
    def grouped_by(self) -> str:
        """The column that makes the groups."""
        return self.by or ("species" if self.metric == "apcer" else "group")


class LatencyGate(Rules):
    """Time of one run, both models in turn on the same samples.

    Attributes:
        kind: ``latency``.
        at_most_ratio: median over the rounds of the candidate's time over the float model's.
        at_most_ms: median time of a run, milliseconds.
        batch, threads: of a run.
        rounds: of both models in turn.
        runs: of one model in a round; the fastest counts, because what disturbs only adds.
        when_unclear: what counts where the interval of the median holds the limit.
    """

    kind: Literal["latency"]
    name: str = ""
    at_most_ratio: float | None = Field(default=None, gt=0)
    at_most_ms: float | None = Field(default=None, gt=0)
    batch: int = Field(default=1, ge=1, le=1024)
    threads: int = Field(default=1, ge=1, le=256)
    rounds: int = Field(default=25, ge=9, le=1000)
    runs: int = Field(default=5, ge=1, le=1000)
    when_unclear: WhenUnclear = "refuse"

    @model_validator(mode="after")
    def _one_limit(self) -> LatencyGate:
        if (self.at_most_ratio is None) == (self.at_most_ms is None):
            raise ValueError("needs exactly one of at_most_ratio and at_most_ms")
        return self

    @property
    def title(self) -> str:
        """The name, or what is asked in words."""
        limit = f"{self.at_most_ratio:g} times the float model" if self.at_most_ratio else f"{self.at_most_ms:g} ms"
        return self.name or f"latency, batch {self.batch}, {self.threads} thread(s): at most {limit}"


class SizeGate(Rules):
    """Size of the file.

    Attributes:
        kind: ``size``.
        at_most_bytes, at_most_ratio: of the file, or over the float model's; one or both.
    """

    kind: Literal["size"]
    name: str = ""
    at_most_bytes: int | None = Field(default=None, gt=0)
    at_most_ratio: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _a_limit(self) -> SizeGate:
        if self.at_most_bytes is None and self.at_most_ratio is None:
            raise ValueError("needs at_most_bytes or at_most_ratio")
        return self

    @property
    def title(self) -> str:
        """The name, or what is asked in words."""
        limits = [f"{self.at_most_bytes:,} bytes"] if self.at_most_bytes else []
        limits += [f"{self.at_most_ratio:g} times the float model"] if self.at_most_ratio else []
        return self.name or f"size: at most {' and '.join(limits)}"


class ParametersGate(Rules):
    """Number of trained parameters.

    Attributes:
        kind: ``parameters``.
        at_most: of them.
    """

    kind: Literal["parameters"]
    name: str = ""
    at_most: int = Field(gt=0)

    @property
    def title(self) -> str:
        """The name, or what is asked in words."""
        return self.name or f"parameters: at most {self.at_most:,}"


Gate = Annotated[AccuracyGate | LatencyGate | SizeGate | ParametersGate, Field(discriminator="kind")]


class Draws(Rules):
    """The bootstrap over people."""

    replicates: int = Field(default=1000, ge=100, le=100_000)
    seed: int = Field(default=20260, ge=0)
    level: float = Field(default=0.95, gt=0.5, lt=1)


class GateFile(Rules):
    """A file of gates."""

    schema_version: Literal[1]
    title: str = ""
    bootstrap: Draws = Draws()
    gates: tuple[Gate, ...] = Field(min_length=1)


def load_gate_file(path: Path | str) -> GateFile:
    """Read a gate file.

    Raises:
        RuleFileMissingError, RuleFileError: it is not there, or has mistakes, all of them named with their lines.
    """
    return load_rules(path, GateFile)
