"""Training with quantised numbers: the network learns weights that survive 8-bit integers.

Batch norms are folded into the layers before them. Then every tensor that an integer kernel reads or writes passes a
fake quantiser: rounded to 256 steps going forward, the straight-through estimator going back (Jacob et al.:
Quantization and training of neural networks for efficient integer-arithmetic-only inference, CVPR 2018). Weights have
one step size per output channel and no offset, tensors one step size and an offset. An export writes the same steps as
QuantizeLinear and DequantizeLinear, so that ONNX Runtime's integer kernels answer what the network learnt.
"""

from __future__ import annotations

import copy
import operator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from samebody import stage
from samebody.lab.train.compress.channels import trace
from samebody.lab.train.task import Data
from samebody.lab.train.wrapping import wrapper

ADDITIONS: set[Any] = {operator.add, operator.iadd, torch.add, "add"}


def _operators() -> Any:
    """The operators that an exporter writes as QuantizeLinear and DequantizeLinear."""
    import torch.ao.quantization.fx._decomposed  # registers them

    return torch.ops.quantized_decomposed


def weight_scale(weight: Tensor) -> Tensor:
    """Step size of each output channel, float32 [out]: its largest absolute weight over 127."""
    return (weight.detach().flatten(1).abs().amax(1) / 127).clamp_min(1e-12)


def rounded_weight(module: nn.Module) -> Tensor:
    """The weights as integers in -127..127 times their step size, same shape; the gradient passes as it is."""
    owner: Any = module
    if torch.compiler.is_exporting():
        # an export wants constants: the step sizes as they were when the module went into evaluation mode
        scale, zero = owner.weight_steps, torch.zeros_like(owner.weight_steps, dtype=torch.int64)
        operators, about = _operators(), (0, -128, 127, torch.int8)
        whole = operators.quantize_per_channel(owner.weight, scale, zero, *about)
        fixed: Tensor = operators.dequantize_per_channel(whole, scale, zero, *about)
        return fixed
    scale = weight_scale(owner.weight)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    rounded: Tensor = torch.fake_quantize_per_channel_affine(owner.weight, scale, zero, 0, -127, 127)
    return rounded


class TensorQuantiser(nn.Module):
    """Rounds a tensor to 256 steps between a low and a high bound that it learns from the first training steps.

    Bounds are running means of the smallest and largest value of each batch and stand still after ``watch`` batches; 0
    is always one of the steps, so that padding is exact. Beyond the bounds values are clipped and their gradient is 0.
    """

    low: Tensor
    high: Tensor
    seen: Tensor

    def __init__(self, momentum: float = 0.05, watch: int = 200) -> None:
        super().__init__()
        self.momentum, self.watch = momentum, watch
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self._fixed = (1.0, 0)

    @torch.no_grad()
    def _look(self, x: Tensor) -> None:
        rate = 1.0 if int(self.seen) == 0 else self.momentum
        self.low.lerp_(x.min().float().clamp_max(0), rate)
        self.high.lerp_(x.max().float().clamp_min(0), rate)
        self.seen += 1

    def train(self, mode: bool = True) -> TensorQuantiser:
        """Notes the steps as plain numbers, which an export wants, when it goes into evaluation mode."""
        if not mode:
            scale, zero = self.steps()
            self._fixed = (float(scale), int(zero))
        super().train(mode)
        return self

    def steps(self) -> tuple[Tensor, Tensor]:
        """Step size, float32, and the step that is 0, int32 in 0..255."""
        scale = ((self.high - self.low) / 255).clamp_min(1e-12)
        zero = torch.round(-self.low / scale).clamp(0, 255).to(torch.int32)
        return scale, zero

    def forward(self, x: Tensor) -> Tensor:
        """``x`` rounded; unchanged before the first training step."""
        if torch.compiler.is_exporting():
            operators, about = _operators(), (*self._fixed, 0, 255, torch.uint8)
            fixed: Tensor = operators.dequantize_per_tensor(operators.quantize_per_tensor(x, *about), *about)
            return fixed
        if self.training and int(self.seen) < self.watch:
            self._look(x)
        if int(self.seen) == 0:
            return x
        scale, zero = self.steps()
        rounded: Tensor = torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255)
        return rounded


class QuantisedConv2d(nn.Conv2d):
    """A convolution whose weights are rounded; made of one by :func:`quantised`."""

    def train(self, mode: bool = True) -> QuantisedConv2d:
        """Notes the step sizes when it goes into evaluation mode."""
        _note_steps(self, mode)
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """As of the convolution."""
        weight = rounded_weight(self)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class QuantisedLinear(nn.Linear):
    """A dense layer whose weights are rounded."""

    def train(self, mode: bool = True) -> QuantisedLinear:
        """Notes the step sizes when it goes into evaluation mode."""
        _note_steps(self, mode)
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """As of the dense layer."""
        return functional.linear(x, rounded_weight(self), self.bias)


def _note_steps(module: Any, mode: bool) -> None:
    if not mode:
        module.weight_steps = weight_scale(module.weight)


def fold_norms(network: nn.Module, example: Tensor) -> nn.Module:
    """A copy whose batch norms behind convolutions and dense layers are folded into them, in evaluation mode.

    Answers the same in evaluation mode. A batch norm elsewhere, or behind a layer that others read too, stays.

    Raises:
        UsageError: the network cannot be traced.
    """
    network = copy.deepcopy(network).eval()
    graph = trace(network, example)
    modules = dict(network.named_modules())
    for node in graph.graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], nn.modules.batchnorm._BatchNorm):
            continue
        source = node.args[0]
        if not isinstance(source, fx.Node) or source.op != "call_module" or len(source.users) != 1:
            continue
        before, norm = modules[str(source.target)], modules[node.target]
        uses = [other for other in graph.graph.nodes if other.target == source.target]
        if len(uses) != 1:
            continue
        if isinstance(before, nn.Conv2d):
            _put(network, str(source.target), fuse_conv_bn_eval(before, norm))
        elif isinstance(before, nn.Linear):
            _put(network, str(source.target), fuse_linear_bn_eval(before, norm))
        else:
            continue
        _put(network, str(node.target), nn.Identity())
        modules = dict(network.named_modules())
    return network


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, module)


def quantised(
    network: nn.Module, example: Tensor, *, momentum: float = 0.05, watch: int = 200, skip: tuple[str, ...] = ()
) -> fx.GraphModule:
    """A copy of ``network``, norms folded, with fake quantisers; a graph module that answers as the network does.

    Quantised are the weights of convolutions and dense layers, what they read, what they write (behind a ReLU that
    alone reads it), and sums of such tensors.

    Args:
        network: plain layers that torch.fx can trace, as they are in evaluation mode: what answers in training mode
            alone is gone.
        example: float [n, c, h, w], an input.
        momentum, watch: see :class:`TensorQuantiser`.
        skip: names, or beginnings of names, of layers that stay in floating point.

    Raises:
        UsageError: the network cannot be traced.
    """
    _operators()  # an exporter looks for them before it sees the network
    folded = fold_norms(network, example)
    graph = trace(folded, example)
    for node in list(graph.graph.nodes):
        if node.op == "call_module" and isinstance(graph.get_submodule(str(node.target)), nn.Identity):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    chosen: dict[fx.Node, None] = {}
    nodes = list(graph.graph.nodes)
    for node in nodes:
        module = graph.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(module, nn.Conv2d | nn.Linear) and not str(node.target).startswith(skip or ("\0",)):
            _round_weights(module)
            chosen.setdefault(node.args[0])
            chosen.setdefault(_behind_relu(node, graph))
    for node in nodes:
        if node.op in ("call_function", "call_method") and node.target in ADDITIONS:
            sources = [source for source in node.all_input_nodes if source in chosen]
            if len(sources) > 1 and len(sources) == len(node.all_input_nodes):
                chosen.setdefault(_behind_relu(node, graph))
    for number, node in enumerate(place for place in nodes if place in chosen):
        name = f"quantise_{number}"
        graph.add_submodule(name, TensorQuantiser(momentum, watch))
        with graph.graph.inserting_after(node):
            rounded = graph.graph.call_module(name, (node,))
        node.replace_all_uses_with(rounded, delete_user_cb=lambda user, own=rounded: user is not own)
    graph.graph.lint()
    graph.recompile()
    return graph


def _round_weights(module: Any) -> None:
    module.__class__ = QuantisedConv2d if isinstance(module, nn.Conv2d) else QuantisedLinear
    module.register_buffer("weight_steps", weight_scale(module.weight), persistent=False)


def _behind_relu(node: fx.Node, graph: fx.GraphModule) -> fx.Node:
    """The ReLU that alone reads the node, or the node itself."""
    users = list(node.users)
    if len(users) == 1:
        (user,) = users
        called = user.op == "call_module" and isinstance(graph.get_submodule(str(user.target)), nn.ReLU)
        if called or user.target in (functional.relu, torch.relu, "relu"):
            return user
    return node


class QuantisedParameters(stage.Parameters):
    """How bounds are found, and what stays in floating point."""

    input: tuple[int, int, int] = Field(description="channels, height and width of the network's input")
    momentum: float = Field(default=0.05, gt=0, le=1, description="of the bounds of tensors")
    watch: int = Field(default=200, ge=1, description="training steps until the bounds stand still")
    skip: tuple[str, ...] = Field(default=(), description="names, or beginnings, of layers left in floating point")


@wrapper("quantised", QuantisedParameters)
def with_fake_quantisation(network: nn.Module, data: Data | None, options: QuantisedParameters) -> nn.Module:
    """The network with folded norms and fake quantisers, for training; its weights come from ``init``.

    Stands last in a recipe's ``domain`` list. The task's ``exported`` gets the graph module instead of
    the network it made.

    Raises:
        UsageError: the network cannot be traced.
    """
    example = torch.zeros(1, *options.input)
    found = quantised(network, example, momentum=options.momentum, watch=options.watch, skip=options.skip)
    return found.train(network.training)
