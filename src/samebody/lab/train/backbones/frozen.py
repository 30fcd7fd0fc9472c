"""Any network as it is, with something learnt behind it: an ONNX file, or a backbone with weights of an earlier run.

Nothing of the frozen part is trained: its batch statistics stay those it was trained with, and no gradient enters it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from samebody import stage
from samebody.lab.train.backbones.base import Backbone
from samebody.lab.train.errors import InitialWeightsError
from samebody.lab.train.task import backbones


class OnnxModel:
    """An ONNX file run on this machine's processor: float32 [n, c, h, w] in, one output as float32 [n, d].

    A graph whose batch is fixed at 1 is run sample by sample.

    Raises:
        InitialWeightsError: no file, another file than its sha256 says, no such output, an input of another kind.
    """

    def __init__(self, path: Path, *, output: str = "", sha256: str = "", threads: int = 0) -> None:
        import onnxruntime

        try:
            data = path.read_bytes()
        except OSError as error:
            raise InitialWeightsError(f"the network {path} cannot be read ({error.strerror}).") from None
        self.sha256 = hashlib.sha256(data).hexdigest()
        if sha256 and sha256 != self.sha256:
            raise InitialWeightsError(f"{path.name} has sha256 {self.sha256}, not {sha256}.")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        try:
            self.session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise InitialWeightsError(f"{path.name} is no network that can be run ({type(error).__name__}).") from None
        entry = self.session.get_inputs()[0]
        if entry.type != "tensor(float)" or len(entry.shape) != 4:
            raise InitialWeightsError(f"{path.name} wants {entry.type} {entry.shape}, not float32 pictures.")
        names = [found.name for found in self.session.get_outputs()]
        if output and output not in names:
            raise InitialWeightsError(f"{path.name} has no output {output!r}; it has {', '.join(names)}.")
        self.input_name, self.output_name = entry.name, output or names[0]
        self.input_shape = tuple(side if isinstance(side, int) else None for side in entry.shape)

    def __call__(self, pictures: Tensor) -> Tensor:
        """float32 [n, d] on the device of ``pictures``; a map is flattened."""
        x = np.ascontiguousarray(pictures.detach().float().cpu().numpy())
        if self.input_shape[0] == 1:
            rows = [self._run(x[index : index + 1]) for index in range(len(x))]
            found = np.concatenate(rows) if rows else np.zeros((0, 1), np.float32)
        else:
            found = self._run(x)
        return torch.from_numpy(found.reshape(len(x), -1)).to(pictures.device)

    def _run(self, x: Any) -> Any:
        return np.asarray(self.session.run([self.output_name], {self.input_name: x})[0], np.float32)


@backbones.register("frozen")
class Frozen(Backbone):
    """Features of a frozen network, and, with ``hidden``, dense layers learnt on them.

    The input is scaled for the frozen network by ``scale`` and ``shift`` (x * scale + shift). An ONNX file is known by
    its path and sha256 alone: a checkpoint does not hold it, and :meth:`features` has nothing to give. What is exported
    of such a network is the part behind it.
    """

    class Parameters(stage.Parameters):
        """Which network, and what is learnt behind it."""

        onnx: str = Field(default="", description="path of an ONNX file")
        output: str = Field(default="", description="name of its output; the first without")
        sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$", description="of the file, if it must be that one")
        backbone: Mapping[str, Any] = Field(default_factory=dict, description="name and parameters of a backbone")
        weights: str = Field(default="", description="path of that backbone's weights (.pt)")
        prefix: str = Field(default="", description="of the backbone's names in the file of weights")
        scale: float = Field(default=1.0, description="factor of the input")
        shift: float = Field(default=0.0, description="added to the input after that")
        hidden: tuple[int, ...] = Field(default=(), description="widths of dense layers with ReLU between them")
        threads: int = Field(default=0, ge=0, le=1024, description="of the ONNX session; 0 = the machine's")

        @model_validator(mode="after")
        def _one_of(self) -> Frozen.Parameters:
            if bool(self.onnx) == bool(self.backbone):
                raise ValueError("needs either onnx or backbone")
            if any(width < 1 for width in self.hidden):
                raise ValueError("hidden widths are at least 1")
            return self

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        options = self.options
        self.front: Any = None
        if options.onnx:
            self._onnx = OnnxModel(
                Path(options.onnx), output=options.output, sha256=options.sha256, threads=options.threads
            )
            channels, height, width = (side or fill for side, fill in zip(self._onnx.input_shape[1:], (3, 112, 112)))
            depth = self._onnx(torch.zeros(1, channels, height, width)).shape[1]
            self.channels = ()
        else:
            self.front = _loaded(options)
            depth, self.channels = self.front.width, self.front.channels
        layers: list[nn.Module] = []
        for index, width in enumerate(options.hidden):
            layers += [nn.ReLU()] if index else []
            layers.append(nn.Linear(depth, width))
            depth = width
        self.behind = nn.Sequential(*layers)
        self.stages = nn.ModuleList()
        self.width = depth

    def train(self, mode: bool = True) -> Frozen:
        """Training mode for what is learnt; the frozen network stays in evaluation mode."""
        super().train(mode)
        if self.front is not None:
            self.front.eval()
        return self

    def features(self, x: Tensor) -> list[Tensor]:
        """Maps of the frozen backbone, without gradient; none of an ONNX file."""
        if self.front is None:
            return []
        with torch.no_grad():
            maps: list[Tensor] = self.front.features(self._scaled(x))
        return maps

    def frozen(self, x: Tensor) -> Tensor:
        """What the frozen network answers, float32 [n, d], without gradient."""
        with torch.no_grad():
            answer: Tensor = (self._onnx if self.front is None else self.front)(self._scaled(x))
        return answer

    def maps_and_features(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """No maps, and the feature vector [n, width]."""
        return [], self.forward(x)

    def forward(self, x: Tensor) -> Tensor:
        """Features [n, width]."""
        answer: Tensor = self.behind(self.frozen(x))
        return answer

    def _scaled(self, x: Tensor) -> Tensor:
        return x * self.options.scale + self.options.shift


def _loaded(options: Any) -> Any:
    entry = dict(options.backbone)
    backbone = backbones[str(entry.pop("name", ""))](**entry)
    if options.weights:
        try:
            found = torch.load(options.weights, map_location="cpu", weights_only=True)
            found = {name.removeprefix(options.prefix): value for name, value in found.items()}
            own = backbone.state_dict()
            backbone.load_state_dict({name: value for name, value in found.items() if name in own})
        except Exception as error:
            raise InitialWeightsError(
                f"{options.weights} does not hold the weights of that backbone ({type(error).__name__}).",
                hint="Compare the recipe's network with the one of the run, and give the prefix its names have.",
            ) from None
    for parameter in backbone.parameters():
        parameter.requires_grad_(False)
    return backbone.eval()
