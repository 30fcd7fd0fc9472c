"""What a policy may say: the layers, what each must show, and what its failure, abstention and absence mean.

A policy asks for error rates, never for scores. Every one of the five layers must be named, so that nothing is
left out by silence. :func:`contradictions` finds what is well-formed and still wrong.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from samebody.types import Decision, Outcome

LAYERS = ("capture", "document", "forgery", "face_match", "liveness")
"""The layers in the order in which they are reported."""

LAYER_PATTERNS: Mapping[str, tuple[str, ...]] = {
    "liveness": ("*.liveness", "*.liveness.*"),
    "face_match": ("face.match",),
    "forgery": ("document.forgery.*",),
    "capture": ("*.face", "*.quality", "*.injection"),
    "document": ("document.*",),
}
"""Which checks may stand for which layer; the first layer whose pattern fits owns the check."""

KNOWN_CHECKS = (
    "selfie.face",
    "selfie.quality",
    "selfie.liveness",
    "selfie.liveness.pose",
    "selfie.liveness.parallax",
    "selfie.liveness.flash",
    "selfie.liveness.timing",
    "selfie.liveness.identity",
    "selfie.liveness.frames",
    "selfie.injection",
    "reference.face",
    "reference.quality",
    "document.face",
    "document.quality",
    "document.page",
    "document.mrz",
    "document.dates",
    "document.consistency",
    "document.forgery.*",
    "face.match",
    "face.morph",
    "selfie.deepfake",
)
"""Checks that the rooms report; anything else in a policy is most likely a typing error, except below a wildcard."""

SEVERITY: Mapping[Decision, int] = {
    Decision.ACCEPT: 0,
    Decision.REVIEW: 1,
    Decision.RETRY: 2,
    Decision.REJECT: 3,
}
"""How heavy a consequence is, for ordering reasons and for telling whether a rule is milder than another."""

Consequence = Decision
CheckName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.([a-z][a-z0-9_]*|\*))+$")]
ReasonCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$")]
Requirement = Literal["must_pass", "may_abstain", "waived"]
LayerName = Literal["capture", "document", "forgery", "face_match", "liveness"]


def layer_of(check: str) -> str | None:
    """The layer that ``check`` belongs to by its name, None when no layer knows it."""
    for layer, patterns in LAYER_PATTERNS.items():
        if any(fnmatch.fnmatchcase(check, pattern) for pattern in patterns):
            return layer
    return None


def is_known_check(name: str) -> bool:
    """Whether ``name`` (a check or a wildcard) can fit a check that exists."""
    return any(fnmatch.fnmatchcase(name, known) or fnmatch.fnmatchcase(known, name) for known in KNOWN_CHECKS)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FaceMatch(_Part):
    """The operating point that a face comparison is held against."""

    fmr: float = Field(gt=0, le=1e-2, description="false match rate asked for, e.g. 1e-4")
    population: str = Field(
        default="matched-adults", pattern=r"^[a-z0-9][a-z0-9-]*$", description="population the rate was measured on"
    )
    allow_extrapolated: bool = Field(
        default=False, description="whether a point beyond the measured tail may be used (its upper bound is taken)"
    )


class Layer(_Part):
    """What one layer has to show.

    ``must_pass``: every check has to pass. ``may_abstain``: single checks may abstain or be absent, as long as one
    passes and none fails; when none passes, the layer as a whole abstained. ``waived``: not asked for; what ran
    anyway and failed still counts, abstention and absence do not.
    """

    requirement: Requirement = Field(description="must_pass, may_abstain or waived")
    checks: tuple[CheckName, ...] = Field(default=(), description="checks asked for; `*` stands for any, at least one")
    on_failure: Consequence = Field(default=Decision.REVIEW, description="what a failed check leads to")
    on_abstention: Consequence = Field(default=Decision.REVIEW, description="what `unsure` leads to")
    on_absence: Consequence = Field(default=Decision.REVIEW, description="what a check that did not run leads to")

    def consequence(self, outcome: Outcome) -> Consequence:
        """What ``outcome`` of one of its checks leads to."""
        return {
            Outcome.PASS: Decision.ACCEPT,
            Outcome.FAIL: self.on_failure,
            Outcome.UNSURE: self.on_abstention,
            Outcome.NOT_RUN: self.on_absence,
        }[outcome]


class CheckRule(_Part):
    """An exception for one check; what is left out is taken from its layer."""

    on_failure: Consequence | None = Field(default=None, description="what its failure leads to")
    on_abstention: Consequence | None = Field(default=None, description="what its abstention leads to")
    on_absence: Consequence | None = Field(default=None, description="what its absence leads to")


class Layers(_Part):
    """All five layers; a layer that is not wanted is ``waived`` in so many words."""

    capture: Layer = Field(description="are the pictures good enough to judge anything by them")
    document: Layer = Field(description="is the document read, valid and in agreement with itself")
    forgery: Layer = Field(description="does the document show traces of a change")
    face_match: Layer = Field(description="are both faces the same person")
    liveness: Layer = Field(description="was a living person in front of the camera")

    def items(self) -> Iterator[tuple[str, Layer]]:
        """Name and layer, in reporting order."""
        for name in LAYERS:
            yield name, getattr(self, name)


class Policy(_Part):
    """A policy as a whole. Immutable; its digest identifies it in every verdict."""

    schema_version: Literal[1] = Field(description="version of this file format")
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="name, as used on the command line")
    version: int = Field(ge=1, description="counted up with every change of meaning")
    title: str = Field(min_length=1, max_length=120, description="one line for lists")
    description: str = Field(default="", max_length=2000, description="when to use it")
    face_match: FaceMatch = Field(description="error rate asked of the face comparison")
    minimum_quality: Mapping[
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")], Annotated[int, Field(ge=0, le=100)]
    ] = Field(
        default_factory=dict, description="lowest unified quality 0-100 by picture (`selfie`, `reference`, `document`)"
    )
    allow_unvalidated_pad: bool = Field(
        default=False,
        description="whether a liveness check may pass whose error rates were measured on synthetic attacks only",
    )
    require_signed_models: bool = Field(
        default=False, description="whether a model of your own decides only as a trusted key signed it"
    )
    layers: Layers = Field(description="what each layer has to show")
    checks: Mapping[CheckName, CheckRule] = Field(default_factory=dict, description="exceptions for single checks")
    reasons: Mapping[ReasonCode, Consequence] = Field(
        default_factory=dict, description="heavier consequences of a reason code of a check that did not pass"
    )
    informational: tuple[CheckName, ...] = Field(default=(), description="checks that are reported and decide nothing")

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form: all fields with defaults filled in, keys sorted, no white space."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def needs_document(self) -> bool:
        """Whether the selfie is held against a document, and not against a reference picture."""
        return any(getattr(self.layers, name).requirement != "waived" for name in ("document", "forgery"))

    def is_informational(self, check: str) -> bool:
        """Whether ``check`` is reported without deciding."""
        return any(fnmatch.fnmatchcase(check, pattern) for pattern in self.informational)

    def layer_for(self, check: str) -> str | None:
        """The layer that asks for ``check``, else the one its name belongs to, else None."""
        for name, layer in self.layers.items():
            if any(fnmatch.fnmatchcase(check, pattern) for pattern in layer.checks):
                return name
        return layer_of(check)

    def rule_for(self, check: str) -> CheckRule | None:
        """The exception for ``check``: an exact name goes before a wildcard, a longer wildcard before a shorter."""
        fitting = [name for name in self.checks if fnmatch.fnmatchcase(check, name)]
        return self.checks[max(fitting, key=lambda name: ("*" not in name, len(name), name))] if fitting else None


def contradictions(policy: Policy) -> list[tuple[str, str, str]]:
    """Everything in ``policy`` that is well-formed and still cannot be meant: (where, message, hint), in file order.

    That no single layer can accept alone is not checked here but by playing it through:
    :func:`samebody.decide.engine.layers_that_accept_alone`.
    """
    found: list[tuple[str, str, str]] = []
    seen: dict[str, str] = {}
    for name, layer in policy.layers.items():
        here = f"layers.{name}"
        found += _layer_contradictions(here, name, layer)
        for check in layer.checks:
            if check in seen:
                found.append((f"{here}.checks", f"{check} is asked for by {seen[check]} already.", "Keep it in one."))
            seen[check] = name
            if policy.is_informational(check):
                found.append((f"{here}.checks", f"{check} is informational and asked for.", "Decide for one of them."))
    for check, rule in policy.checks.items():
        found += _rule_contradictions(policy, check, rule)
    for check in policy.informational:
        if not is_known_check(check):
            found.append(("informational", f"no check is named {check}.", ""))
        # single forgery checks may be set aside by name (ADR 0005), the layer as a whole may not
        elif (owner := layer_of(check)) in ("face_match", "liveness") or (owner == "forgery" and "*" in check):
            found.append(("informational", f"{check} can never be ignored.", "Take it out."))
    for code, consequence in policy.reasons.items():
        if consequence is Decision.ACCEPT:
            found.append((f"reasons.{code}", "a reason cannot lead to accept.", "Write review, retry or reject."))
    for role in policy.minimum_quality:
        if f"{role}.quality" not in KNOWN_CHECKS:
            found.append(
                (f"minimum_quality.{role}", f"no picture is named {role}.", "Known: selfie, reference, document.")
            )
    return found


def _layer_contradictions(here: str, name: str, layer: Layer) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    if layer.requirement != "waived" and not layer.checks:
        found.append((f"{here}.checks", "the layer is asked for and names no check.", "Name checks or waive it."))
    for check in layer.checks:
        if not is_known_check(check):
            found.append((f"{here}.checks", f"no check is named {check}.", ""))
        elif layer_of(check.replace("*", "x")) != name:
            found.append((f"{here}.checks", f"{check} does not belong to the layer {name}.", ""))
    if layer.on_failure is Decision.ACCEPT:
        found.append(
            (f"{here}.on_failure", "a failed layer cannot lead to accept.", "Waive the layer to leave it out.")
        )
    if layer.requirement == "must_pass":
        for field in ("on_abstention", "on_absence"):
            if getattr(layer, field) is Decision.ACCEPT:
                found.append(
                    (f"{here}.{field}", "the layer must pass, so this cannot be accept.", "Use may_abstain or waived.")
                )
    if layer.requirement != "waived":
        for field in ("on_abstention", "on_absence"):
            if SEVERITY[getattr(layer, field)] > SEVERITY[layer.on_failure]:
                found.append((f"{here}.{field}", f"is heavier than on_failure ({layer.on_failure}).", "Swap them."))
    return found


def _rule_contradictions(policy: Policy, check: str, rule: CheckRule) -> list[tuple[str, str, str]]:
    here = f"checks.{check}"
    if not is_known_check(check):
        return [(here, f"no check is named {check}.", "")]
    found: list[tuple[str, str, str]] = []
    if rule.on_failure is Decision.ACCEPT:
        found.append(
            (f"{here}.on_failure", "a failed check cannot lead to accept.", "List it under informational instead.")
        )
    layer_name = policy.layer_for(check)
    if layer_name is None or policy.is_informational(check):
        return [*found, (here, "the check decides nothing, so it needs no exception.", "Take it out.")]
    layer: Layer = getattr(policy.layers, layer_name)
    failure = rule.on_failure or layer.on_failure
    for field in ("on_abstention", "on_absence"):
        consequence = getattr(rule, field)
        if consequence is None:
            continue
        if SEVERITY[consequence] > SEVERITY[failure]:
            found.append((f"{here}.{field}", f"is heavier than on_failure ({failure}).", "Swap them."))
        if consequence is Decision.ACCEPT and layer_name in ("face_match", "liveness"):
            found.append((f"{here}.{field}", f"{check} cannot lead to accept without passing.", "Waive the layer."))
    return found


def field_names(where: tuple[str | int, ...]) -> list[str]:
    """Names allowed at the place ``where`` of a policy file; empty where any name is allowed."""
    node: type[BaseModel] | None = Policy
    for step in where:
        if node is Policy and step == "checks":
            return [] if len(where) == 1 else list(CheckRule.model_fields)
        children: dict[str, type[BaseModel]] = {"face_match": FaceMatch, "layers": Layers} if node is Policy else {}
        if node is Layers:
            children = {name: Layer for name in LAYERS}  # noqa: C420 - keeps the declared type
        node = children.get(str(step))
        if node is None:
            return []
    return list(node.model_fields) if node else []
