"""Teachers: what a student distils from, asked with the augmented input of each step.

A teacher's answers join the batch under the names that the distillation losses look for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from samebody import stage
from samebody.errors import ConfigError
from samebody.lab.train.backbones.frozen import OnnxModel
from samebody.lab.train.task import teachers


class TeacherParameters(stage.Parameters):
    """What every teacher's input goes through first."""

    scale: float = Field(default=1.0, description="factor of the student's input")
    shift: float = Field(default=0.0, description="added to it after that")
    flip_channels: bool = Field(default=False, description="red and blue exchanged")
    size: tuple[int, int] | None = Field(
        default=None, description="height and width the teacher wants, by area or lines"
    )


class Teacher(stage.Stage):
    """Base: prepares the input; subclasses answer."""

    class Parameters(TeacherParameters):
        """See :class:`TeacherParameters`."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.options: Any = self.parameters

    def __call__(self, pictures: Tensor) -> dict[str, Tensor]:
        """What joins the batch for ``pictures`` float32 [n, c, h, w]; without gradient."""
        with torch.no_grad():
            x = pictures.float() * self.options.scale + self.options.shift
            if self.options.flip_channels:
                x = x.flip(1)
            if self.options.size is not None and tuple(x.shape[-2:]) != self.options.size:
                smaller = self.options.size[0] < x.shape[-2]
                lines: dict[str, Any] = {"mode": "area"} if smaller else {"mode": "bilinear", "align_corners": False}
                x = functional.interpolate(x, self.options.size, **lines)
            return self.answer(x)

    def answer(self, x: Tensor) -> dict[str, Tensor]:
        """What joins the batch for the prepared input."""
        raise TypeError(f"{type(self).__name__} answers nothing")


@teachers.register("onnx")
class OnnxTeacher(Teacher):
    """One output of an ONNX file, float32 [n, d].

    Raises:
        InitialWeightsError: no such file or output, or another file than the sha256 says.
    """

    class Parameters(TeacherParameters):
        """The file and what its answer is called."""

        file: str = Field(min_length=1, description="path of the ONNX file")
        output: str = Field(default="", description="name of its output; the first without")
        sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$", description="of the file, if it must be that one")
        name: str = Field(default="teacher", description="what the answer is called in the batch")
        threads: int = Field(default=0, ge=0, le=1024, description="of the session; 0 = the machine's")

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        options = self.options
        self._model = OnnxModel(
            Path(options.file), output=options.output, sha256=options.sha256, threads=options.threads
        )

    def answer(self, x: Tensor) -> dict[str, Tensor]:
        """One tensor [n, d]."""
        return {self.options.name: self._model(x)}


@teachers.register("run")
class RunTeacher(Teacher):
    """A network of an earlier run, with its best or last weights.

    ``answers`` says which of its outputs joins the batch under which name.

    Raises:
        RunFolderError, CheckpointError: the folder holds no finished run.
    """

    class Parameters(TeacherParameters):
        """The run and what its answers are called."""

        run: str = Field(min_length=1, description="folder of the run")
        weights: str = Field(default="best", pattern="^(best|last)$")
        answers: Mapping[str, str] = Field(
            default_factory=lambda: {"embedding": "teacher", "logits": "teacher_logits"},
            description="output of the network: name in the batch; outputs that are not there are passed over",
        )

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        from samebody.lab.train.run import open_run

        opened = open_run(self.options.run, weights=self.options.weights)
        self.weights_sha256 = opened.weights_sha256
        self._network = opened.network.requires_grad_(False)

    def answer(self, x: Tensor) -> dict[str, Tensor]:
        """The chosen outputs.

        Raises:
            ConfigError: the network has none of them.
        """
        output = self._network.to(x.device)(x)
        found = {name: output[key] for key, name in self.options.answers.items() if key in output}
        if not found:
            raise ConfigError(
                f"the teacher answers {', '.join(sorted(output))}, none of {', '.join(sorted(self.options.answers))}.",
                hint="Name its outputs in `answers`.",
            )
        return found
