"""The pipeline from picture to template: stages composed by a file that is checked before anything runs."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

# Importing a module fills the registries: only what is imported here can be named in a file.
from samebody.iris import (
    boundaries,
    encode,
    eyelids,
    locate,
    measures,
    network,
    normalise,
    occlusion,
    prepare,
    reflections,
)
from samebody.iris.errors import InvalidIrisTemplateError, InvalidSegmentationError, IrisPipelineError
from samebody.iris.gates import NOT_AN_EYE, IrisGate, gates
from samebody.iris.results import (
    Boundary,
    CodeBits,
    Eyelids,
    IrisEncoding,
    IrisMeasures,
    Picture,
    Segmentation,
    Texture,
)
from samebody.iris.space import pipeline_space
from samebody.iris.stages import IrisStage, stages
from samebody.iris.template import EYES, Eye, IrisTemplate
from samebody.located_yaml import Located, UnreadableYamlError, dotted, read_located
from samebody.stage import Registry, Stage
from samebody.types import EmbeddingSpace, Finding, Outcome

VERSION = "1"
"""Raised whenever the code gives other bits for one picture; part of the templates' embedding space."""
MODEL_PREFIX = "iris"

_NEEDED: tuple[type, ...] = (Segmentation, Texture, IrisMeasures, CodeBits)
_KEYS = {"schema_version", "id", "stages", "gates"}
_MAX_BYTES = 64 * 1024
_MODULES = (boundaries, encode, eyelids, locate, measures, network, normalise, occlusion, prepare, reflections)


@dataclass(frozen=True, slots=True)
class Step:
    """One checked step: its name in the file and the stage or gate with its parameters."""

    name: str
    stage: Any


class IrisPipeline:
    """A checked pipeline. Instances hold no state of a run: one can serve several threads.

    Attributes:
        id: of the file.
        steps, gates: what runs, in order.
        columns: of the code.
        space: the embedding space of its templates: every parameter that shapes the bits, and :data:`VERSION`.
    """

    def __init__(self, id: str, steps: Sequence[Step], gate_steps: Sequence[Step]) -> None:
        self.id = id
        self.steps = tuple(steps)
        self.gates = tuple(gate_steps)
        mistakes = _mistakes_of_order(self.steps, self.gates)
        if mistakes:
            raise _invalid(id, mistakes)
        self.columns = next(
            int(step.stage.parameters.columns)
            for step in self.steps
            if step.stage.gives is _giver_of_responses(self.steps)
        )
        shaping = [
            {"stage": step.name, "parameters": step.stage.parameters.model_dump(mode="json"), **_pinned(step.stage)}
            for step in self.steps
            if step.stage.gives is not IrisMeasures
        ]
        self.space: EmbeddingSpace = pipeline_space(f"{MODEL_PREFIX}/{id}", VERSION, shaping, self.columns)

    @classmethod
    def load(cls, name_or_path: str | Path = "default") -> IrisPipeline:
        """The bundled pipeline of that name (``default``, ``openiris-shape``) or the file at that path.

        Raises:
            IrisPipelineError: there is none, or it has mistakes; the message names all of them.
        """
        if isinstance(name_or_path, str) and name_or_path in bundled_pipelines():
            return _bundled(name_or_path)
        name = str(name_or_path)
        path = Path(name_or_path)
        if not path.is_file():
            close = difflib.get_close_matches(name, bundled_pipelines(), n=1)
            hint = (
                f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(bundled_pipelines())}; or give a path."
            )
            raise IrisPipelineError(f"there is no iris pipeline {name!r}.", hint=hint)
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise IrisPipelineError(f"{name} is larger than {_MAX_BYTES} bytes: no pipeline file is.")
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise IrisPipelineError(f"{name} cannot be read as a text file: {error}.") from None
        return cls.parse(text, name)

    @classmethod
    def parse(cls, text: str, origin: str = "the text") -> IrisPipeline:
        """The pipeline written in ``text`` (YAML).

        Raises:
            IrisPipelineError: names every mistake at once: unknown stages and gates, parameters out of bounds, stages
                whose inputs nothing before them gives, results given twice or never.
        """
        try:
            found = read_located(text)
        except UnreadableYamlError as problem:
            what = f"is no YAML: {problem}" if problem.syntax else str(problem)
            raise IrisPipelineError(f"{origin}, line {problem.line}: {what}.") from None
        data = found.values
        if not isinstance(data, dict):
            raise IrisPipelineError(f"{origin} holds no pipeline.", hint="It is a mapping with id, stages and gates.")
        mistakes = [f"line {twice.line}: {dotted(twice.where)} stands twice" for twice in found.doubled]
        mistakes += [f"line {found.place((key,))[0]}: unknown key {key!r}" for key in data if key not in _KEYS]
        if data.get("schema_version") != 1:
            mistakes.append(f"schema_version is {data.get('schema_version')!r}, this samebody reads 1")
        if not isinstance(data.get("id"), str) or not data["id"] or len(data["id"]) > 64:
            mistakes.append("id must be a text of 1 to 64 characters")
        steps = _steps(found, "stage", "stages", stages, mistakes)
        judges = _steps(found, "gate", "gates", gates, mistakes)
        mistakes += _mistakes_of_order([step for step in steps if step.stage is not None], judges)
        if mistakes:
            raise _invalid(origin, mistakes)
        return cls(data["id"], steps, judges)

    def encode(self, image: NDArray[np.uint8], eye: Eye = "unknown") -> IrisEncoding:
        """Template, findings and all that led to them.

        A picture that cannot be used is not an error: the template is then None and the findings say why.

        Args:
            image: (height, width) or (height, width, 3) uint8, sides 48-16384 pixels, near-infrared.
            eye: whose eye it is, as the person has it.

        Raises:
            InvalidEyeImageError: other shape or dtype.
            InvalidIrisTemplateError: ``eye`` is not left, right or unknown.
        """
        if eye not in EYES:
            raise InvalidIrisTemplateError(f"there is no eye {eye!r}.", hint=f"Use one of {', '.join(EYES)}.")
        made: dict[type, Any] = {Picture: Picture(image)}
        milliseconds: dict[str, float] = {}
        for step in self.steps:
            if not all(kind in made for kind in step.stage.takes):
                continue
            start = time.perf_counter()
            try:
                result = step.stage.run(*(made[kind] for kind in step.stage.takes))
            except InvalidSegmentationError:
                result = None  # contours that no iris can have: there is no eye, or none that can be measured
            milliseconds[step.name] = 1000 * (time.perf_counter() - start)
            if result is not None:
                made[step.stage.gives] = result
        findings = self._judge(made)
        template = None
        if CodeBits in made and all(finding.outcome is not Outcome.FAIL for finding in findings):
            bits: CodeBits = made[CodeBits]
            template = IrisTemplate.from_bits(
                bits.code, bits.mask, eye=eye, space=self.space.digest, version=f"{self.id}/{VERSION}"
            )
        segmentation = made.get(Segmentation)
        return IrisEncoding(
            template,
            findings,
            None if segmentation is None else _in_picture(segmentation, image.shape[:2]),
            made.get(Texture),
            made.get(IrisMeasures),
            milliseconds,
            eye,
        )

    def encode_batch(
        self, images: Iterable[NDArray[np.uint8]], eyes: Iterable[Eye] | Eye = "unknown"
    ) -> list[IrisEncoding]:
        """As :meth:`encode`, picture by picture; pictures may differ in size. ``eyes``: one for all, or one each.

        Raises:
            ValueError: as many eyes as pictures are needed.
        """
        if isinstance(eyes, str):
            return [self.encode(image, eyes) for image in images]
        return [self.encode(image, eye) for image, eye in zip(images, eyes, strict=True)]

    def _judge(self, made: Mapping[type, Any]) -> tuple[Finding, ...]:
        if IrisMeasures not in made:
            return (Finding("iris.eye_found", Outcome.FAIL, score=0.0, reasons=(NOT_AN_EYE,)),)
        findings = []
        for step in self.gates:
            start = time.perf_counter()
            finding: Finding = step.stage.judge(*(made[kind] for kind in step.stage.takes))
            findings.append(replace(finding, milliseconds=1000 * (time.perf_counter() - start)))
        return tuple(findings)


def _pinned(stage: IrisStage) -> dict[str, Any]:
    pins = stage.pins()
    return {"pins": pins} if pins else {}


def bundled_pipelines() -> tuple[str, ...]:
    """Names of the pipelines that come with the package."""
    folder = resources.files("samebody.iris") / "pipelines"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def bundled_text(name: str) -> str:
    """The file of a bundled pipeline, to start one of your own from."""
    return (resources.files("samebody.iris") / "pipelines" / f"{name}.yaml").read_text(encoding="utf-8")


@cache
def _bundled(name: str) -> IrisPipeline:
    return IrisPipeline.parse(bundled_text(name), name)


def _invalid(origin: str, mistakes: Sequence[str]) -> IrisPipelineError:
    return IrisPipelineError(f"{origin} has {len(mistakes)} mistake(s): {'; '.join(mistakes)}.")


def _steps(found: Located, key: str, section: str, registry: Registry[Any], mistakes: list[str]) -> list[Step]:
    """Steps of one section; entries with mistakes are named in ``mistakes`` and, where known, kept by their class."""
    entries = found.values.get(section, [])
    if not isinstance(entries, list) or (section == "stages" and not entries):
        mistakes.append(f"{section} must be a list of entries like `- {key}: NAME`")
        return []
    steps: list[Step] = []
    for number, entry in enumerate(entries):
        where = f"line {found.place((section, number))[0]}: {section} entry {number + 1}"
        if not isinstance(entry, dict) or not isinstance(entry.get(key), str):
            mistakes.append(f"{where} must be a mapping with a {key}")
            continue
        name = entry[key]
        mistakes += [f"{where} ({name}): unknown key {extra!r}" for extra in entry if extra not in (key, "parameters")]
        if name not in set(registry):
            close = difflib.get_close_matches(name, list(registry), n=1)
            mistakes.append(f"{where}: there is no {key} {name!r}" + (f", did you mean {close[0]!r}" if close else ""))
            continue
        parameters = entry.get("parameters") or {}
        kind: type[Stage] = registry[name]
        if not isinstance(parameters, dict) or not all(isinstance(word, str) for word in parameters):
            mistakes.append(f"{where} ({name}): parameters must be a mapping")
            parameters = {}
        try:
            kind.Parameters(**parameters)
        except ValidationError as error:
            mistakes += [
                f"{where} ({name}): {'.'.join(map(str, e['loc'])) or 'parameters'}: {e['msg']}" for e in error.errors()
            ]
            parameters = {}
        steps.append(Step(name, kind(**parameters)))
    return steps


def _mistakes_of_order(steps: Sequence[Step], judges: Sequence[Step]) -> list[str]:
    """What is needed before it is given, given twice, or never given."""
    mistakes: list[str] = []
    given: dict[type, str] = {Picture: "the picture"}
    later = {step.stage.gives: step.name for step in steps}
    for step in steps:
        stage: IrisStage = step.stage
        for kind in stage.takes:
            if kind not in given:
                move = f"put {later[kind]!r} before it" if kind in later else f"no stage gives {kind.__name__}"
                mistakes.append(f"stage {step.name!r} needs {kind.__name__}: {move}")
        if stage.gives in given:
            mistakes.append(
                f"stage {step.name!r} gives {stage.gives.__name__}, which {given[stage.gives]!r} gives already"
            )
        given.setdefault(stage.gives, step.name)
    mistakes += [f"no stage gives {kind.__name__}" for kind in _NEEDED if kind not in given]
    names = [step.name for step in judges]
    mistakes += [f"gate {name!r} is named twice" for name in sorted({n for n in names if names.count(n) > 1})]
    for step in judges:
        judge: IrisGate = step.stage
        mistakes += [
            f"gate {step.name!r} needs {kind.__name__}, which no stage gives"
            for kind in judge.takes
            if kind not in given
        ]
    return mistakes


def _giver_of_responses(steps: Sequence[Step]) -> type:
    """The type of the step that fixes the number of columns: what the stage that gives the bits takes first."""
    last = next(step.stage for step in steps if step.stage.gives is CodeBits)
    return cast(type, last.takes[0])


def _in_picture(segmentation: Segmentation, shape: tuple[int, int]) -> Segmentation:
    """The segmentation in pixels of the picture as it came."""
    height, width = segmentation.occlusion.shape
    if (height, width) == tuple(shape):
        return segmentation
    factor = np.array([shape[1] / width, shape[0] / height])

    def scaled(contour: Boundary) -> Boundary:
        x, y = np.asarray(contour.centre) * factor
        return replace(contour, points=contour.points * factor, centre=(float(x), float(y)))

    lids = segmentation.eyelids
    return Segmentation(
        scaled(segmentation.pupil),
        scaled(segmentation.limbus),
        Eyelids(
            None if lids.upper is None else lids.upper * factor,
            None if lids.lower is None else lids.lower * factor,
            lids.upper_evidence,
            lids.lower_evidence,
        ),
        cv2.resize(
            segmentation.occlusion.astype(np.uint8), (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST
        ).astype(np.bool_),
    )
