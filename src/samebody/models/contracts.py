"""What goes into a model and what comes out of it: the record's contracts, and the one function that obeys them.

The five-point alignment templates live here, so that the face room aligns to what the record names.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from samebody.models.errors import ContractError
from samebody.types import Pixels, Point

FivePoints = tuple[Point, Point, Point, Point, Point]

ARCFACE_112: FivePoints = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Left eye, right eye (as seen in the picture), nose tip, left and right mouth corner in a 112x112 crop, in pixels
whose origin is the centre of the top-left pixel. Deng et al., ArcFace, CVPR 2019, reference code."""

ALIGNMENT_TEMPLATES: dict[str, tuple[int, FivePoints]] = {"arcface-112": (112, ARCFACE_112)}
"""Named templates: side of the square crop in pixels, and its five points."""


class Contract(BaseModel):
    """Base of the contracts: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _per_channel(value: object) -> object:
    """One number stands for all three channels."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (value, value, value)
    return value


Finite = Annotated[float, Field(allow_inf_nan=False)]
PerChannel = Annotated[tuple[Finite, Finite, Finite], BeforeValidator(_per_channel)]


class ImageInput(Contract):
    """A picture: ``value = (pixel - mean) * scale`` for each channel, pixels 0-255, float32.

    Attributes:
        name: of the graph's input; None means its only one.
        width, height: in pixels; None where the graph takes any size.
        multiple_of: a free width or height must be a multiple of this.
        colour: channel order the model was trained with; ``grey`` is one channel.
        layout: ``nchw`` or ``nhwc``.
        mean, scale: one number, or one for each channel in the order of ``colour``; ``grey`` takes one number.
        alignment: ``none``, the name of a template, or five points in pixels of the crop (origin at the centre of
            the top-left pixel): left eye, right eye, nose tip, left and right mouth corner as seen in the picture.
        batch: ``free``, or ``one`` where the graph takes a single picture at a time.
        crop: side of the square that is cut around a face, as a multiple of the longer side of its box; None where the
            picture is not cut this way.
        meaning: what is shown, in words, where size and alignment do not say it ("native patches of the cheek").
    """

    kind: Literal["image"]
    name: str | None = None
    width: int | None = Field(default=None, ge=8, le=8192)
    height: int | None = Field(default=None, ge=8, le=8192)
    multiple_of: int = Field(default=1, ge=1, le=256)
    colour: Literal["rgb", "bgr", "grey"]
    layout: Literal["nchw", "nhwc"]
    mean: PerChannel = (0.0, 0.0, 0.0)
    scale: PerChannel = (1.0, 1.0, 1.0)
    alignment: Literal["none", "arcface-112"] | FivePoints = "none"
    batch: Literal["free", "one"] = "free"
    crop: float | None = Field(default=None, gt=0.1, le=16.0)
    meaning: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> ImageInput:
        if 0.0 in self.scale:
            raise ValueError("scale must not be 0: every picture would look the same to the model")
        if self.colour == "grey" and (len(set(self.mean)) > 1 or len(set(self.scale)) > 1):
            raise ValueError("a grey input has one channel: give mean and scale as one number")
        if self.alignment != "none" and self.crop is not None:
            raise ValueError("a picture is aligned or cut around the face, not both")
        if self.alignment != "none" and (self.width is None or self.height is None):
            raise ValueError("an aligned input needs width and height")
        if isinstance(self.alignment, str) and self.alignment != "none" and self.width != self.height:
            raise ValueError(
                f"the template {self.alignment} is square: give alignment as five points of the "
                f"{self.width}x{self.height} crop"
            )
        return self

    def alignment_points(self) -> NDArray[np.float32]:
        """The five points that a face is aligned to, shape (5, 2), float32, in pixels of the crop.

        A named template is scaled by the ratio of the sides, as the reference code of ArcFace does, because that is
        how embedders of other sizes are trained.

        Raises:
            ContractError: when the input is not aligned.
        """
        if self.alignment == "none":
            raise ContractError("this input takes pictures that are not aligned.", hint="Look at [input] alignment.")
        if not isinstance(self.alignment, str):
            return np.asarray(self.alignment, dtype=np.float32)
        side, points = ALIGNMENT_TEMPLATES[self.alignment]
        return (np.asarray(points, dtype=np.float64) * ((self.width or side) / side)).astype(np.float32)


class TensorInput(Contract):
    """Anything that is not a picture: a float32 tensor of a stated shape.

    Attributes:
        name: of the graph's input; None means its only one.
        shape: sizes; a string names a free dimension.
        meaning: what the numbers are, their order and range.
    """

    kind: Literal["tensor"]
    name: str | None = None
    shape: tuple[int | str, ...]
    meaning: str = Field(min_length=8)


InputContract = Annotated[ImageInput | TensorInput, Field(discriminator="kind")]


class EmbeddingOutput(Contract):
    """A feature vector.

    Attributes:
        name: of the graph's output; None means its only one.
        dimensions: length of the vector.
        normalised: whether the graph itself returns unit length. Templates are unit length in any case.
        precision: arithmetic of the graph; part of the embedding space.
    """

    kind: Literal["embedding"]
    name: str | None = None
    dimensions: int = Field(ge=2, le=16384)
    normalised: bool
    precision: Literal["float32", "float16", "int8"] = "float32"


class NamedTensor(Contract):
    """One output: its name in the graph, its shape (a string names a free dimension) and what it means."""

    name: str
    shape: tuple[int | str, ...]
    meaning: str = Field(min_length=4)


class TensorsOutput(Contract):
    """Named tensors that the room which uses the model knows how to decode."""

    kind: Literal["tensors"]
    tensors: tuple[NamedTensor, ...] = Field(min_length=1)


class ScoreOutput(Contract):
    """One number a sample, from a detector of attacks.

    Attributes:
        name: of the graph's output; None means its only one. Its shape is (batch,) or (batch, 1).
        meaning: what the number is, in words.
        scale: ``linear``, or ``log-odds``: natural logarithm of the odds, without bounds.
        low, high: the range that a linear graph itself guarantees.
        bona_fide: which end of the range is bona fide. Callers always see a likelihood of bona fide from 0 to 1, see
            :func:`samebody.models.outputs.bona_fide_scores`.
    """

    kind: Literal["score"]
    name: str | None = None
    meaning: str = Field(min_length=8)
    scale: Literal["linear", "log-odds"] = "linear"
    low: Finite = 0.0
    high: Finite = 1.0
    bona_fide: Literal["high", "low"] = "high"

    @model_validator(mode="after")
    def _fits_together(self) -> ScoreOutput:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self


class MaskOutput(Contract):
    """One map a class, from a segmenter: (batch, classes, height, width).

    Attributes:
        name: of the graph's output; None means its only one.
        classes: names of the channels, in order.
        exclusive: whether a pixel belongs to one class only (values of a pixel add up to 1), or to any number.
        values: ``probabilities`` 0-1, or ``logits`` that :func:`samebody.models.outputs.masks` turns into them.
        width, height: of the maps in pixels; None where they follow the picture's.
        stride: pixels of the input picture to one of the map.
    """

    kind: Literal["mask"]
    name: str | None = None
    classes: tuple[str, ...] = Field(min_length=1, max_length=64)
    exclusive: bool
    values: Literal["probabilities", "logits"] = "probabilities"
    width: int | None = Field(default=None, ge=1, le=8192)
    height: int | None = Field(default=None, ge=1, le=8192)
    stride: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _fits_together(self) -> MaskOutput:
        if len(set(self.classes)) < len(self.classes) or not all(self.classes):
            raise ValueError("classes need names, each once")
        if (self.width is None) != (self.height is None):
            raise ValueError("give width and height, or neither")
        return self


class ClassesOutput(Contract):
    """One probability a class, from a classifier of whole pictures: (batch, classes), each row sums to 1.

    Attributes:
        name: of the graph's output; None means its only one.
        classes: names, in the order of the columns.
    """

    kind: Literal["classes"]
    name: str | None = None
    classes: tuple[str, ...] = Field(min_length=2, max_length=10_000)

    @model_validator(mode="after")
    def _fits_together(self) -> ClassesOutput:
        if len(set(self.classes)) < len(self.classes) or not all(self.classes):
            raise ValueError("classes need names, each once")
        return self


class IrisCodeOutput(Contract):
    """A binary iris code with its mask: 16 rows, so many columns, two wavelets, two parts.

    Attributes:
        columns: angles of the code; 200 give 12,800 bits, 256 the 16,384 of open-iris's public shape.
    """

    kind: Literal["iris-code"]
    columns: int = Field(ge=8, le=4096)

    @property
    def shape_name(self) -> str:
        """The shape as the embedding space names it."""
        return f"iris-code-16x{self.columns}x2x2"


OutputContract = Annotated[
    EmbeddingOutput | ScoreOutput | MaskOutput | ClassesOutput | TensorsOutput | IrisCodeOutput,
    Field(discriminator="kind"),
]


def input_digest(contract: ImageInput | TensorInput) -> str:
    """First 16 hexadecimal digits of the SHA-256 over what the contract does to pixels.

    Named templates count by their points and tensor names do not count, so that two spellings of one preprocessing
    give one digest.
    """
    fields: dict[str, Any] = contract.model_dump(mode="json", exclude={"name", "batch"})
    if isinstance(contract, ImageInput):
        del fields["meaning"]
        if contract.crop is None:  # spaces made before inputs could be cut keep their digest
            del fields["crop"]
    if isinstance(contract, ImageInput) and contract.alignment != "none":
        fields["alignment"] = [[round(float(x), 4), round(float(y), 4)] for x, y in contract.alignment_points()]
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


def preprocess_images(contract: ImageInput, images: Pixels) -> NDArray[np.float32]:
    """Turn pixels into the tensor that the contract asks for.

    Args:
        contract: of the record.
        images: (height, width, 3) or (count, height, width, 3) uint8 RGB of exactly the contract's size; for a grey
            input (height, width) or (count, height, width) uint8.

    Returns:
        float32, contiguous: (count, channels, height, width) for ``nchw``, (count, height, width, channels) for
        ``nhwc``.

    Raises:
        ContractError: when shape or dtype differ from the contract's.
    """
    if contract.colour == "grey":
        if images.dtype != np.uint8 or images.ndim not in (2, 3) or 0 in images.shape:
            raise ContractError(
                f"expected uint8 grey of shape (height, width) or (count, height, width), "
                f"got {images.dtype} {images.shape}."
            )
        images = (images[None] if images.ndim == 2 else images)[..., None]
    elif images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[-1] != 3 or 0 in images.shape:
        raise ContractError(
            f"expected uint8 RGB of shape (height, width, 3) or (count, height, width, 3), "
            f"got {images.dtype} {images.shape}."
        )
    batch = images[None] if images.ndim == 3 else images
    height, width = int(batch.shape[1]), int(batch.shape[2])
    for name, size, expected in (("width", width, contract.width), ("height", height, contract.height)):
        if expected is not None and size != expected:
            raise ContractError(f"{name} is {size} pixels, the model's contract says {expected}.")
        if expected is None and size % contract.multiple_of:
            raise ContractError(
                f"{name} is {size} pixels, the model's contract asks for a multiple of {contract.multiple_of}."
            )
    ordered = batch[..., ::-1] if contract.colour == "bgr" else batch
    values = ordered.astype(np.float32)
    if contract.mean != (0.0, 0.0, 0.0):
        values -= np.asarray(contract.mean[: values.shape[-1]], dtype=np.float32)
    if contract.scale != (1.0, 1.0, 1.0):
        values *= np.asarray(contract.scale[: values.shape[-1]], dtype=np.float32)
    if contract.layout == "nchw":
        values = values.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(values)
