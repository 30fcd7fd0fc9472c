"""The teacher SFace as a torch network, read from its ONNX file, so that its layers can be looked into and pruned."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from samebody.lab.train.embed_network import STRIDES
from samebody.models.errors import ContractError

BLOCKS = len(STRIDES)
_CONVOLUTION_EPSILON, _END_EPSILON = 1e-3, 2e-5
"""Of the normalisations, as the published graph has them."""


class TeacherBlock(nn.Module):
    """Convolution with the normalisation folded in, and the slopes of the PReLU behind it."""

    def __init__(self, weight: Tensor, bias: Tensor, slope: Tensor, stride: int, groups: int) -> None:
        super().__init__()
        self.weight, self.bias, self.slope = (nn.Parameter(t, requires_grad=False) for t in (weight, bias, slope))
        self.stride, self.groups = stride, groups

    def before(self, x: Tensor) -> Tensor:
        """[n, o, h, w] before the PReLU."""
        padding = self.weight.shape[-1] // 2
        return functional.conv2d(x, self.weight, self.bias, self.stride, padding, 1, self.groups)

    def forward(self, x: Tensor) -> Tensor:
        """[n, o, h, w] behind the PReLU."""
        return functional.prelu(self.before(x), self.slope)


class Teacher(nn.Module):
    """SFace: a first convolution, 13 pairs of depthwise and pointwise convolutions, one dense layer.

    Attributes:
        first: first convolution.
        depthwise, pointwise: of the 13 blocks.
        dense_weight: float32 [128, 1024, 7, 7], the last normalisations folded in; ``dense_bias`` [128].
    """

    def __init__(self, arrays: dict[str, NDArray[np.float32]]) -> None:
        super().__init__()

        def tensor(name: str) -> Tensor:
            return torch.from_numpy(np.array(arrays[name], dtype=np.float32))

        def norm(name: str, epsilon: float) -> tuple[Tensor, Tensor]:
            scale = tensor(f"{name}_gamma") / (tensor(f"{name}_moving_var") + epsilon).sqrt()
            return scale, tensor(f"{name}_beta") - tensor(f"{name}_moving_mean") * scale

        def block(name: str, stride: int) -> TeacherBlock:
            weight = tensor(f"{name}_conv2d_weight")
            scale, shift = norm(f"{name}_batchnorm", _CONVOLUTION_EPSILON)
            plain = f"{name}_relu_gamma"
            slope = tensor(plain if plain in arrays else f"{name}_relu_linear_scale").flatten()
            groups = len(weight) if weight.shape[1] == 1 else 1
            return TeacherBlock(weight * scale[:, None, None, None], shift, slope, stride, groups)

        self.first = block("conv_1", STRIDES[0])
        self.depthwise = nn.ModuleList(block(f"conv_{n + 1}_dw", STRIDES[n]) for n in range(1, BLOCKS))
        self.pointwise = nn.ModuleList(block(f"conv_{n + 1}", 1) for n in range(1, BLOCKS))
        scale, shift = norm("bn1", _END_EPSILON)
        dense = tensor("pre_fc1_weight").reshape(-1, len(scale), 7, 7)
        out_scale, out_shift = norm("fc1", _END_EPSILON)
        bias = tensor("pre_fc1_bias") if "pre_fc1_bias" in arrays else torch.zeros(len(dense))
        bias = bias + (dense * shift[:, None, None]).sum((1, 2, 3))
        self.dense_weight = nn.Parameter(
            dense * scale[:, None, None] * out_scale[:, None, None, None], requires_grad=False
        )
        self.dense_bias = nn.Parameter(bias * out_scale + out_shift, requires_grad=False)

    def head(self, x: Tensor) -> Tensor:
        """The embedding of the last map [n, 1024, 7, 7], not of unit length."""
        return functional.linear(x.flatten(1), self.dense_weight.flatten(1), self.dense_bias)

    def forward(self, x: Tensor) -> Tensor:
        """The embedding [n, 128] of pixels 0-255 [n, 3, 112, 112]."""
        x = self.first((x - 127.5) / 128)
        for depthwise, pointwise in zip(self.depthwise, self.pointwise, strict=True):
            x = pointwise(depthwise(x))
        return self.head(x)


def read_teacher(path: str) -> Teacher:
    """The teacher from SFace's ONNX file, as published or as the record derives it.

    Raises:
        ContractError: the file holds another network.
    """
    model = onnx.load(path)
    arrays = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    try:
        teacher = Teacher(arrays)
        teacher.eval()
        return teacher
    except (KeyError, RuntimeError) as problem:
        raise ContractError(
            f"{path} is not the SFace network that the student is pruned from ({problem}).",
            hint="Take the weights of face/sface.",
        ) from None
