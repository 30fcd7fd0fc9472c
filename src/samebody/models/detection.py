"""What a detector of attacks was measured to do: where it abstains, and its error rates at stated scores."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Rate = Annotated[float, Field(ge=0.0, le=1.0)]
Likelihood = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
"""A likelihood of bona fide, 0 to 1, as :func:`samebody.models.outputs.bona_fide_scores` gives it."""

Attacks = Literal["synthetic", "real"]
"""``synthetic``: made by a generator. ``real``: instruments that were built, presented to a camera and recorded."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SpeciesRate(_Part):
    """The error rate of one species of attack instruments.

    Attributes:
        name: of the species.
        apcer: share of its attacks that were taken for bona fide (ISO/IEC 30107-3:2023, 3.2.1).
        interval: of 95 %.
        attacks: presentations of the species.
    """

    name: str = Field(min_length=1)
    apcer: Rate
    interval: tuple[Rate, Rate]
    attacks: int = Field(gt=0)


class DetectionPoint(_Part):
    """Error rates at one score; bona fide if the score is at or above ``threshold``.

    Attributes:
        bpcer: the rate that was asked for when the threshold was set (on other data than these rates).
        threshold: likelihood of bona fide.
        realised_bpcer, bpcer_interval: share of bona fide below the threshold, with its interval of 95 %.
        apcer: of the worst species, never pooled over species (ISO/IEC 30107-3:2023).
        species: every species that was presented.
        attacks: synthetic or real.
        bona_fide, subjects: presentations, and people behind them.
        unit: what one presentation is.
        dataset: what it was measured on, with its version.
        held_out: what the detector had not seen: ``subjects``, ``species`` or whole ``generator families``.
        indicative: fewer than 30 errors on either side.
    """

    bpcer: float = Field(gt=0.0, lt=1.0)
    threshold: Likelihood
    realised_bpcer: Rate
    bpcer_interval: tuple[Rate, Rate]
    apcer: Rate
    species: tuple[SpeciesRate, ...] = Field(min_length=1)
    attacks: Attacks
    bona_fide: int = Field(gt=0)
    subjects: int = Field(gt=0)
    unit: Literal["picture", "video", "subject", "pair"] = "picture"
    dataset: str = Field(min_length=1)
    held_out: Literal["subjects", "species", "generator families"]
    indicative: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> DetectionPoint:
        for low, high in (self.bpcer_interval, *(s.interval for s in self.species)):
            if low > high:
                raise ValueError("an interval has its lower end above its upper end")
        worst = max(s.apcer for s in self.species)
        if abs(worst - self.apcer) > 1e-9:
            raise ValueError(f"apcer is {self.apcer:g}, the worst species has {worst:g}")
        if len({s.name for s in self.species}) < len(self.species):
            raise ValueError("a species stands twice")
        return self

    @property
    def worst(self) -> SpeciesRate:
        """The species with the highest APCER."""
        return max(self.species, key=lambda s: s.apcer)


class Detection(_Part):
    """How the score of a detector is read.

    Attributes:
        unsure: likelihoods between these (the lower included, the upper not) are an abstention.
        points: measured error rates; none means that nothing was measured.
    """

    unsure: tuple[Likelihood, Likelihood]
    points: tuple[DetectionPoint, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Detection:
        if self.unsure[0] > self.unsure[1]:
            raise ValueError(f"unsure begins at {self.unsure[0]:g} and ends at {self.unsure[1]:g}")
        keys = [(p.dataset, p.attacks, p.held_out, p.bpcer) for p in self.points]
        if len(set(keys)) < len(keys):
            raise ValueError("two points state the same data set, kind of attacks and BPCER")
        return self

    @property
    def validated(self) -> bool:
        """Whether error rates were measured on real attacks."""
        return any(point.attacks == "real" for point in self.points)

    def outcome(self, likelihood: float) -> Literal["pass", "unsure", "fail"]:
        """What a likelihood of bona fide means: below the band ``fail``, at or above its end ``pass``."""
        if likelihood < self.unsure[0]:
            return "fail"
        return "unsure" if likelihood < self.unsure[1] else "pass"
