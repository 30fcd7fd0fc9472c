"""The model record: everything samebody knows about one file of weights, read from one TOML file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from samebody.models.contracts import (
    ClassesOutput,
    EmbeddingOutput,
    ImageInput,
    InputContract,
    IrisCodeOutput,
    MaskOutput,
    OutputContract,
    ScoreOutput,
    input_digest,
)
from samebody.models.detection import Detection
from samebody.models.errors import ContractError
from samebody.models.points import MeasuredPoint, ScoreHistogram, check_points, find_point
from samebody.models.reliability import Reliability
from samebody.models.sources import Part, Source, inside, no_pickle
from samebody.types import EmbeddingSpace, OperatingPoint

FileFormat = Literal["onnx", "tflite", "zip", "ttf", "otf", "png", "jpeg", "pipeline"]
SUFFIXES: dict[str, str] = {
    "onnx": ".onnx",
    "tflite": ".tflite",
    "zip": ".task",
    "ttf": ".ttf",
    "otf": ".otf",
    "png": ".png",
    "jpeg": ".jpg",
    "pipeline": ".yaml",
}
Task = Literal[
    "face-detection",
    "face-embedding",
    "face-landmarks",
    "face-blendshapes",
    "text-recognition",
    "iris-code",
    "presentation-attack-detection",
    "deepfake-detection",
    "morph-detection",
    "iris-segmentation",
    "image-classification",
    "example",
    "font",
]
FILE_TASKS = frozenset({"example", "font"})
"""Tasks whose file is used as it is: no session, no contracts."""
WEIGHTLESS_TASKS = frozenset({"iris-code"})
"""Tasks without a file: a pipeline of this package makes the templates, and the record pins its digest."""
TEMPLATE_TASKS = frozenset({"face-embedding", "iris-code"})
"""Tasks that make templates: they have an embedding space, and operating points once these are measured."""
SCORE_TASKS = frozenset({"presentation-attack-detection", "deepfake-detection", "morph-detection"})
"""Tasks that answer one likelihood of bona fide a sample."""
MASK_TASKS = frozenset({"iris-segmentation"})
"""Tasks that answer one map a class."""
CLASS_TASKS = frozenset({"image-classification"})
"""Tasks that answer one probability a class."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Sentence = Annotated[str, Field(min_length=4)]


class Step(Part):
    """One step of a derivation.

    Attributes:
        recipe: ``zip-member`` (take one file out of the archive), ``onnx-clean`` (initializers are no longer graph
            inputs), ``free-batch`` (first dimension free), ``free-input-shape`` (batch, height and width free) or
            ``prelu-as-convolutions`` (an equal form of PRelu that the runtime computes faster).
        member: of the archive, for ``zip-member``.
    """

    recipe: Literal["zip-member", "onnx-clean", "free-batch", "free-input-shape", "prelu-as-convolutions"]
    member: str | None = None

    @model_validator(mode="after")
    def _member_where_needed(self) -> Step:
        if (self.recipe == "zip-member") != (self.member is not None):
            raise ValueError("member belongs to zip-member, and only to it")
        if self.member is not None:
            no_pickle(inside(self.member))
        return self


class Derived(Part):
    """The file that is really run, where it is not the source file itself: recipe, hash, size and format."""

    steps: tuple[Step, ...] = Field(min_length=1)
    sha256: Sha256
    bytes: int = Field(gt=0)
    format: FileFormat


class Licence(Part):
    """The licence of the *weights* (or picture, or font).

    Attributes:
        spdx: SPDX identifier, or ``LicenseRef-...``.
        commercial_use: ``yes``, ``no`` or ``unclear``; the strictest of the weights' own licence and training data.
        why: one sentence that says why.
        notice: the copyright or attribution notice that must travel with the file.
    """

    spdx: str = Field(pattern=r"^(LicenseRef-)?[A-Za-z0-9][A-Za-z0-9.+-]*( (OR|AND) [A-Za-z0-9.+-]+)*$")
    commercial_use: Literal["yes", "no", "unclear"]
    why: str = Field(min_length=12)
    notice: Sentence


class Provenance(Part):
    """Where the file comes from and what it is good for.

    Attributes:
        origin: who published it and where.
        paper: the publication that describes it; empty when there is none.
        training_data: what it saw, as far as it is known.
        intended_use: what it is for.
        known_limits: what it cannot do.
    """

    origin: Sentence
    paper: str = ""
    training_data: Sentence
    intended_use: Sentence
    known_limits: tuple[Sentence, ...] = Field(min_length=1)


class Training(Part):
    """What made weights of our own: enough to find the run, the data and the code again.

    Attributes:
        recipe, recipe_digest: its name and digest.
        run: SHA-256 of the run's ``run.json``, which travels in the bundle.
        weights_sha256: of the trained weights before export.
        data: what the run saw, as its data name themselves: version, digest, generator, seed.
        code: version of the code.
        seed: of the run.
    """

    recipe: str
    recipe_digest: str
    run: str = Field(pattern=r"^[0-9a-f]{64}$")
    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    data: dict[str, str]
    code: dict[str, str]
    seed: int


class Credit(Part):
    """Who and what a photograph shows, and who took it."""

    subject: Sentence
    year: int | None = Field(default=None, ge=1826, le=2100)
    author: Sentence
    source: Sentence
    person: str = Field(pattern=r"^[a-z0-9-]+$", description="photographs with one value show one person")


class ModelRecord(BaseModel):
    """One file of weights (or one example picture, or one font).

    Attributes:
        id: ``<group>/<name>``; also the record's path below its folder.
        task: what it does.
        version: of the weights, as their publisher names it.
        title: one line for lists.
        sha256, bytes, format, filename: of the source file. Where there is none (``iris-code``): digest over the
            pipeline's stages with all their parameters, 0, ``pipeline``, and the name of the pipeline.
        sources: where the file can be had; tried in the order bundled or own file, mirror, packages, upstream. None for
            a record without a file.
        derived: the file that is really run, when it is made from the source file.
        input, output: the contracts; None for examples and fonts.
        more_inputs: further inputs of a graph that takes several; then each input has the name that the graph gives it.
        licence, provenance, credit: whose it is and what it may be used for.
        operating_points, score_histogram: measured error rates; a sidecar file may hold them.
        reliability: what a single comparison says, where that was measured; stands in the sidecar.
        training: the run that made the weights, where it was one of ours.
        detection: of a detector of attacks: the band of scores that it abstains in, and its measured error rates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9.-]*$")
    task: Task
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    title: Sentence
    sha256: Sha256
    bytes: int = Field(ge=0, le=4 * 2**30)
    format: FileFormat
    filename: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    sources: tuple[Source, ...] = ()
    derived: Derived | None = None
    input: InputContract | None = None
    more_inputs: tuple[InputContract, ...] = Field(default=(), max_length=8)
    output: OutputContract | None = None
    licence: Licence
    provenance: Provenance
    credit: Credit | None = None
    operating_points: tuple[MeasuredPoint, ...] = ()
    score_histogram: ScoreHistogram | None = None
    reliability: Reliability | None = None
    training: Training | None = None
    detection: Detection | None = None

    _path: Path | None = PrivateAttr(default=None)
    _bundled: bool = PrivateAttr(default=False)

    @field_validator("filename")
    @classmethod
    def _filename_isno_pickle(cls, value: str) -> str:
        return no_pickle(value)

    @model_validator(mode="after")
    def _fits_together(self) -> ModelRecord:
        mistakes = []
        if self.task in FILE_TASKS:
            if self.input or self.output or self.derived:
                mistakes.append(f"a record of task {self.task} has no input, output or derived part")
        elif self.weightless:
            if self.sources or self.bytes or self.derived or self.input:
                mistakes.append(f"a record of task {self.task} has no file: no sources, bytes, derived or input part")
            if not isinstance(self.output, IrisCodeOutput):
                mistakes.append("an iris encoder needs [output] of kind iris-code")
        elif self.input is None or self.output is None:
            mistakes.append("a model needs both [input] and [output]")
        if not self.weightless and (not self.sources or not self.bytes):
            mistakes.append("a file needs at least one of [[sources]], and bytes above 0")
        if not self.weightless and isinstance(self.output, IrisCodeOutput):
            mistakes.append(f"a record of task {self.task} has no output of kind iris-code")
        if self.task == "example" and self.credit is None:
            mistakes.append("an example photograph needs [credit]")
        if self.task == "face-embedding" and not (
            isinstance(self.input, ImageInput)
            and self.input.alignment != "none"
            and isinstance(self.output, EmbeddingOutput)
        ):
            mistakes.append("a face embedder needs an aligned image input and an embedding output")
        mistakes += self._contract_mistakes()
        if not self.makes_templates and (self.operating_points or self.score_histogram or self.reliability):
            mistakes.append("only an embedder has operating points")
        formats = {"example": {"png", "jpeg"}, "font": {"ttf", "otf"}, "iris-code": {"pipeline"}}
        expected = formats.get(self.task, {"onnx", "tflite"})
        if self.run_format not in expected:
            mistakes.append(f"a record of task {self.task} cannot run a file of format {self.run_format}")
        if mistakes:
            raise ValueError("; ".join(mistakes))
        check_points(self.operating_points)
        return self

    def _contract_mistakes(self) -> list[str]:
        """What does not hold between the task and its inputs and output."""
        mistakes = []
        kinds = (
            (SCORE_TASKS, ScoreOutput, "score"),
            (MASK_TASKS, MaskOutput, "mask"),
            (CLASS_TASKS, ClassesOutput, "classes"),
        )
        for tasks, kind, words in kinds:
            if self.task in tasks and not isinstance(self.output, kind):
                mistakes.append(f"a record of task {self.task} needs [output] of kind {words}")
            if self.task not in tasks and isinstance(self.output, kind):
                mistakes.append(f"a record of task {self.task} has no output of kind {words}")
        if self.detection is not None and not isinstance(self.output, ScoreOutput):
            mistakes.append("only a record with a score has [detection]")
        if self.more_inputs:
            names = [contract.name for contract in self.inputs]
            if self.input is None or self.makes_templates:
                mistakes.append("more_inputs need an [input] before them, and a model that is no embedder")
            if None in names or len(set(names)) < len(names):
                mistakes.append("with more_inputs every input needs the name that the graph gives it, each once")
        return mistakes

    @property
    def inputs(self) -> tuple[InputContract, ...]:
        """All inputs of the graph; empty for a record that is not run."""
        return (() if self.input is None else (self.input,)) + self.more_inputs

    @property
    def label(self) -> str:
        """``id@version``, as verdicts and reports name the model."""
        return f"{self.id}@{self.version}"

    @property
    def weightless(self) -> bool:
        """Whether there is no file behind the record: nothing to pull, nothing to hash."""
        return self.task in WEIGHTLESS_TASKS

    @property
    def makes_templates(self) -> bool:
        """Whether the record has an embedding space."""
        return self.task in TEMPLATE_TASKS

    @property
    def run_sha256(self) -> str:
        """SHA-256 of the file that is really run."""
        return self.derived.sha256 if self.derived else self.sha256

    @property
    def run_bytes(self) -> int:
        """Size of the file that is really run."""
        return self.derived.bytes if self.derived else self.bytes

    @property
    def run_format(self) -> FileFormat:
        """Format of the file that is really run."""
        return self.derived.format if self.derived else self.format

    @property
    def path(self) -> Path | None:
        """The TOML file the record was read from; None for a record built in code."""
        return self._path

    @property
    def bundled(self) -> bool:
        """Whether the record is part of samebody."""
        return self._bundled

    @property
    def image_input(self) -> ImageInput:
        """The input contract of a model that takes pictures; raises ContractError for any other."""
        if not isinstance(self.input, ImageInput):
            raise ContractError(f"{self.id} does not take pictures.", hint="Look at [input] of its record.")
        return self.input

    @property
    def score_output(self) -> ScoreOutput:
        """The output contract of a detector; raises ContractError for any other."""
        if not isinstance(self.output, ScoreOutput):
            raise ContractError(f"{self.id} does not return a score.", hint="Look at [output] of its record.")
        return self.output

    @property
    def mask_output(self) -> MaskOutput:
        """The output contract of a segmenter; raises ContractError for any other."""
        if not isinstance(self.output, MaskOutput):
            raise ContractError(f"{self.id} does not return masks.", hint="Look at [output] of its record.")
        return self.output

    @property
    def embedding_output(self) -> EmbeddingOutput:
        """The output contract of an embedder; raises ContractError for any other."""
        if not isinstance(self.output, EmbeddingOutput):
            raise ContractError(f"{self.id} does not return an embedding.", hint="Look at [output] of its record.")
        return self.output

    def embedding_space(self) -> EmbeddingSpace:
        """The space that this embedder's templates live in; operating points are no part of it.

        An iris encoder has no weights: the digest of its pipeline stands in their place, and the shape of its code in
        that of the preprocessing.

        Raises:
            ContractError: when the record is no embedder.
        """
        if isinstance(self.output, IrisCodeOutput):
            return EmbeddingSpace(self.id, self.version, self.sha256, self.output.shape_name, "binary")
        return EmbeddingSpace(
            model_id=self.id,
            version=self.version,
            weights_sha256=self.run_sha256,
            preprocessing=input_digest(self.image_input),
            precision=self.embedding_output.precision,
        )

    def operating_point(
        self, fmr: float, population: str = "matched-adults", allow_extrapolated: bool = False
    ) -> OperatingPoint:
        """The operating point at exactly ``fmr`` for ``population``; never a default, never interpolated.

        Raises:
            NotMeasuredError: when there is none, or only an extrapolated one that was not allowed.
        """
        return find_point(
            self.operating_points,
            label=self.label,
            fmr=fmr,
            population=population,
            allow_extrapolated=allow_extrapolated,
        )

    def located(self, path: Path, *, bundled: bool) -> ModelRecord:
        """A copy that knows the file it was read from."""
        copy = self.model_copy()
        copy._path = path
        copy._bundled = bundled
        return copy

    def with_points(
        self,
        points: tuple[OperatingPoint, ...],
        histogram: ScoreHistogram | None,
        reliability: Reliability | None = None,
    ) -> ModelRecord:
        """A copy with the operating points of a sidecar, checked as if they stood in the record."""
        fields = self.model_dump(exclude={"operating_points", "score_histogram", "reliability"})
        copy = ModelRecord.model_validate(
            {**fields, "operating_points": points, "score_histogram": histogram, "reliability": reliability}
        )
        return copy.located(cast(Path, self._path), bundled=self._bundled)


def slug(text: str) -> str:
    """A file name made of ``text``: everything but letters, digits, dot and dash becomes a dash."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-")
