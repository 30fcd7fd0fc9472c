"""The task ``classify``: any labelled data set of pictures to a classifier."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from samebody.capture.decode import decode_image
from samebody.errors import SamebodyError
from samebody.lab.data import DataSet
from samebody.lab.data.files import write_bytes
from samebody.lab.train.backbones.network import Network
from samebody.lab.train.errors import TrainingDataError
from samebody.lab.train.task import Data, Example, Source, Task, backbones, tasks

MEAN, SCALE = 127.5, 128.0
"""Pixels p in 0-255 become (p - MEAN) / SCALE."""


@dataclass(eq=False)
class Pictures:
    """Pictures of one size, prepared once.

    Attributes:
        path: NumPy file with uint8 [samples, height, width, 3], RGB; opened when first used, in each process.
        places: int64 [n]: which of them these are.
        columns: see :class:`samebody.lab.train.task.Source`.
    """

    path: Path
    places: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.places)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_pixels"}

    def batch(self, indices: NDArray[np.int64], seed: int) -> dict[str, Tensor]:
        """``input`` float32 [n, 3, height, width], ``label`` int64 [n]; nothing is drawn at random."""
        if not hasattr(self, "_pixels"):
            self._pixels = np.load(self.path, mmap_mode="r")
        pixels = torch.from_numpy(np.ascontiguousarray(self._pixels[self.places[indices]]))
        values = (pixels.permute(0, 3, 1, 2).to(torch.float32) - MEAN) / SCALE
        return {"input": values.contiguous(), "label": torch.from_numpy(self.columns["label"][indices])}


@tasks.register("classify")
class Classify(Task):
    """A classifier of whole pictures over a data set of ``samebody data``, divided by ``samebody data split``."""

    monitor = "loss"

    class Parameters(Task.Parameters):
        """Which samples, which classes, at which size."""

        data_set: str = Field(min_length=1, description="folder of the data set, from the working folder")
        version: str = Field(default="", description="its version; the last one otherwise")
        column: str = Field(default="label", description="column that holds the class")
        classes: tuple[str, ...] = Field(min_length=2, description="values of the column, in the order of the outputs")
        train: str = Field(default="train", description="value of `split` to learn from")
        held: str = Field(default="test", description="value of `split` to stop by")
        size: tuple[int, int] = Field(default=(64, 64), description="height and width of the input, 16 to 1024")
        answer: str = Field(default="", description="class whose probability is exported alone; all of them otherwise")

        @model_validator(mode="after")
        def _possible(self) -> Any:
            if len(set(self.classes)) != len(self.classes):
                raise ValueError("classes: one stands twice")
            if not all(16 <= side <= 1024 for side in self.size):
                raise ValueError("size: each side must lie in 16 to 1024")
            if self.answer and self.answer not in self.classes:
                raise ValueError("answer: must be one of the classes")
            if self.train == self.held:
                raise ValueError("train and held must be different splits")
            return self

    parameters: Parameters

    def data(self, folder: Path, *, seed: int) -> Data:
        """Usable samples of the version whose class is one of the recipe's.

        Raises:
            DataSetError, UnknownVersionError, DataSetDamagedError, ManifestError.
            TrainingDataError: a picture cannot be decoded, or a class has no samples.
        """
        chosen = self.parameters
        data_set = DataSet.open(chosen.data_set)
        version = data_set.version(chosen.version or None)
        manifest = data_set.manifest(version)
        labels = manifest[chosen.column]
        manifest = manifest.where(manifest.usable & np.isin(labels.astype(str), chosen.classes))
        problems = [
            f"{split}: the class {name!r} has no sample"
            for split in (chosen.train, chosen.held)
            for name in chosen.classes
            if not np.any((manifest["split"] == split) & (manifest[chosen.column] == name))
        ]
        if problems:
            raise TrainingDataError(
                f"version {version.short} of {data_set.folder}",
                problems,
                hint="`samebody data coverage` shows what is there, `samebody data split` divides it.",
            )
        used = manifest.where(np.isin(manifest["split"].astype(str), (chosen.train, chosen.held)))
        path = _prepared(data_set, version.id, list(used["sha256"]), chosen.size, folder)
        code = {name: number for number, name in enumerate(chosen.classes)}
        sides = []
        for split in (chosen.train, chosen.held):
            places = np.flatnonzero(used["split"] == split)
            columns = {
                "label": np.array([code[name] for name in used[chosen.column][places]], np.int64),
                "subject": used["subject"][places].astype(str),
                "sample": used["sample"][places].astype(str),
            }
            sides.append(Pictures(path, places.astype(np.int64), columns))
        identity = {
            "data_set": data_set.name,
            "version": version.id,
            "content": version.content,
            "splits": [chosen.train, chosen.held],
        }
        return Data(sides[0], sides[1], identity, len(chosen.classes))

    def network(self, parts: Mapping[str, Any]) -> nn.Module:
        """A backbone with one linear layer on its features; answers ``logits`` [n, classes]."""
        options = dict(parts)
        made = backbones[options.pop("name")]
        height, width = self.parameters.size
        if height == width and "size" in made.Parameters.model_fields:
            options.setdefault("size", height)
        backbone = made(**options)
        return Network(backbone, {"logits": nn.Linear(backbone.width, len(self.parameters.classes))})

    def measure(self, network: nn.Module, held: Source) -> dict[str, float]:
        """``loss`` (mean cross-entropy), ``correct`` (share), ``balanced`` (mean recall over classes that occur)."""
        logits, labels = predictions(network, held)
        losses = functional.cross_entropy(logits, labels, reduction="none")
        right = (logits.argmax(1) == labels).numpy()
        recalls = [float(right[labels.numpy() == number].mean()) for number in np.unique(labels.numpy())]
        return {
            "loss": float(losses.double().mean()),
            "correct": float(right.mean()),
            "balanced": float(np.mean(recalls)),
        }

    def exported(self, network: nn.Module) -> tuple[nn.Module, Example]:
        """The network with a softmax: float32 [n, classes], each row sums to 1; [n, 1] of the class ``answer``."""
        example = torch.zeros(1, 3, *self.parameters.size)
        chosen = self.parameters
        if chosen.answer:
            place = chosen.classes.index(chosen.answer)
            return _Probabilities(network, slice(place, place + 1)), Example(example, output_names=("probability",))
        return _Probabilities(network, slice(None)), Example(example, output_names=("probabilities",))

    def pictures(self, pixels: NDArray[np.uint8]) -> Tensor:
        """As :meth:`Pictures.batch` gives them."""
        return (super().pictures(pixels) - MEAN) / SCALE


class _Probabilities(nn.Module):
    def __init__(self, network: nn.Module, columns: slice) -> None:
        super().__init__()
        self.network, self.columns = network, columns

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.network(x)["logits"], dim=1)[:, self.columns]


def predictions(network: nn.Module, source: Source, batch: int = 128) -> tuple[Tensor, Tensor]:
    """``logits`` float32 [n, classes] and ``label`` int64 [n] of all samples, on the processor."""
    device = next(network.parameters()).device
    logits, labels = [], []
    for start in range(0, len(source), batch):
        found = source.batch(np.arange(start, min(start + batch, len(source))), 0)
        logits.append(network(found["input"].to(device))["logits"].float().cpu())
        labels.append(found["label"])
    return torch.cat(logits), torch.cat(labels)


def _prepared(data_set: DataSet, version: str, samples: Sequence[str], size: tuple[int, int], folder: Path) -> Path:
    """A NumPy file of all pictures at one size, made once for a version; a sample's bytes are checked when read."""
    key = hashlib.sha256("\n".join([version, str(size), *samples]).encode()).hexdigest()[:24]
    path = folder / f"classify-{key}.npy"
    if path.exists():
        return path
    pixels = np.empty((len(samples), *size, 3), np.uint8)
    problems: list[str] = []

    def fill(place: int) -> None:
        try:
            picture = decode_image(data_set.read(samples[place]), max_side=2 * max(size)).pixels
        except SamebodyError as error:
            problems.append(f"{samples[place][:12]}: {error.message}")
            return
        pixels[place] = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(len(samples))))
    if problems:
        raise TrainingDataError(
            str(data_set.folder), sorted(problems), hint="Put them in quarantine with `samebody data clean`."
        )
    stream = io.BytesIO()
    np.save(stream, pixels, allow_pickle=False)
    write_bytes(path, stream.getvalue())
    return path
