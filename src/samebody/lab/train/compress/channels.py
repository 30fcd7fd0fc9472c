"""Which channels of a network belong together: what must be cut alike when one of them is cut.

Channels are tied by additions (residual blocks), products (gates), depthwise convolutions, norms and slopes, and are
carried through flattening and concatenation. Each set of tied channels is a *space*. (Fang et al.: DepGraph: towards
any structural pruning, CVPR 2023, describes the general method; here one pass over the traced graph is enough.)
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional

from samebody.errors import UsageError

LEAVES = (
    nn.Conv2d,
    nn.Linear,
    nn.modules.batchnorm._BatchNorm,
    nn.PReLU,
    nn.ReLU,
    nn.ReLU6,
    nn.GELU,
    nn.Sigmoid,
    nn.SiLU,
    nn.Hardswish,
    nn.Dropout,
    nn.Dropout2d,
    nn.Identity,
    nn.Flatten,
    nn.AdaptiveAvgPool2d,
    nn.AvgPool2d,
    nn.MaxPool2d,
    nn.Upsample,
)
SAME_MODULES = tuple(leaf for leaf in LEAVES if leaf not in (nn.Conv2d, nn.Linear, nn.Flatten))
SAME_CALLS: set[Any] = {
    functional.relu, functional.relu6, functional.gelu, functional.silu, functional.hardswish, functional.dropout,
    functional.interpolate, functional.adaptive_avg_pool2d, functional.avg_pool2d, functional.max_pool2d,
    functional.sigmoid, torch.relu, torch.sigmoid, torch.clamp, "relu", "sigmoid", "clamp", "contiguous", "float",
    operator.neg,
}  # fmt: skip
REDUCING_CALLS: set[Any] = {torch.mean, torch.amax, torch.sum, "mean", "amax", "sum"}
TIED_CALLS: set[Any] = {
    operator.add, operator.sub, operator.mul, operator.truediv, operator.iadd, torch.add, torch.mul, torch.sub, "add",
    "mul", "sub", "add_",
}  # fmt: skip


class Segment(NamedTuple):
    """Part of a channel axis: the channels of a space, each ``repeat`` times in a row."""

    space: int
    repeat: int


Axis = tuple[Segment, ...]


@dataclass
class Layer:
    """A module with channels.

    Attributes:
        inputs: axis that it reads; None for what works on each channel by itself.
        outputs: axis that it writes, or works on.
    """

    module: nn.Module
    inputs: Axis | None
    outputs: Axis


@dataclass
class Channels:
    """The spaces of a traced network.

    Attributes:
        layers: by the dotted name of the module, in the order of the graph.
        sizes: number of channels of each space.
        fixed: spaces that must not be cut (input, outputs, what is not understood).
        names: of each space: its first convolution or dense layer.
        macs: multiplications of each convolution and dense layer for one sample.
    """

    layers: dict[str, Layer] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    fixed: set[int] = field(default_factory=set)
    macs: dict[str, int] = field(default_factory=dict)
    _parents: list[int] = field(default_factory=list)

    def new(self, size: int, *, fixed: bool = False) -> int:
        """A space of its own."""
        self.sizes.append(size)
        self._parents.append(len(self._parents))
        if fixed:
            self.fixed.add(len(self._parents) - 1)
        return len(self._parents) - 1

    def root(self, space: int) -> int:
        """The one that stands for all spaces tied to ``space``."""
        while self._parents[space] != space:
            space = self._parents[space]
        return space

    def tie(self, first: Axis, second: Axis) -> None:
        """The axes carry the same channels from here on; what cannot be matched is fixed."""
        if [self._shape(s) for s in first] != [self._shape(s) for s in second]:
            self.fix(first)
            self.fix(second)
            return
        for a, b in zip(first, second, strict=True):
            one, two = self.root(a.space), self.root(b.space)
            if one != two:
                low, high = min(one, two), max(one, two)
                self._parents[high] = low
                if high in self.fixed:
                    self.fixed.add(low)

    def fix(self, axis: Axis) -> None:
        """None of the axis may be cut."""
        self.fixed.update(self.root(segment.space) for segment in axis)

    def _shape(self, segment: Segment) -> tuple[int, int]:
        return self.sizes[segment.space], segment.repeat

    def size(self, axis: Axis) -> int:
        """Number of channels of an axis."""
        return sum(self.sizes[segment.space] * segment.repeat for segment in axis)

    def kept(self, axis: Axis, keep: dict[int, Tensor]) -> Tensor:
        """int64: places of ``axis`` that stay when each space keeps the channels ``keep[root]`` (all without)."""
        found, start = [], 0
        for segment in axis:
            size = self.sizes[segment.space]
            channels = keep.get(self.root(segment.space), torch.arange(size))
            places = channels[:, None] * segment.repeat + torch.arange(segment.repeat)
            found.append(start + places.flatten())
            start += size * segment.repeat
        return torch.cat(found)

    def spaces(self) -> dict[str, int]:
        """Spaces that can be cut, by name: the first module that makes them."""
        found: dict[int, str] = {}
        for name, layer in self.layers.items():
            if layer.inputs is not None:
                for segment in layer.outputs:
                    found.setdefault(self.root(segment.space), name)
        free = {space: name for space, name in found.items() if not any(self.root(f) == space for f in self.fixed)}
        return {name: space for space, name in free.items() if self.sizes[space] > 1}


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, LEAVES) or super().is_leaf_module(m, module_qualified_name)


def trace(network: nn.Module, example: Tensor) -> fx.GraphModule:
    """The network's graph with the shapes of every step, in evaluation mode.

    Raises:
        UsageError: its course depends on the values of its input, or it does not take the example.
    """
    try:
        graph = fx.GraphModule(network, _Tracer().trace(network))
        with torch.no_grad():
            ShapeProp(graph).propagate(example)
    except Exception as error:
        raise UsageError(
            f"the network cannot be traced: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            hint="Its course must not depend on values; the example must have the shape of its input.",
        ) from None
    return graph


def analyse(network: nn.Module, example: Tensor) -> Channels:
    """The spaces of ``network`` (in evaluation mode) for inputs like ``example`` [n, c, h, w].

    Raises:
        UsageError: it cannot be traced.
    """
    graph = trace(network, example)
    modules = dict(network.named_modules())
    channels = Channels()
    axes: dict[fx.Node, Axis] = {}
    for node in graph.graph.nodes:
        axis = _step(node, axes, modules, channels)
        if axis is not None:
            axes[node] = axis
    return channels


def _meta(node: fx.Node) -> torch.Size | None:
    meta = node.meta.get("tensor_meta")
    return meta.shape if hasattr(meta, "shape") else None


def _step(node: fx.Node, axes: dict[fx.Node, Axis], modules: dict[str, nn.Module], channels: Channels) -> Axis | None:
    before = [axes[source] for source in node.all_input_nodes if source in axes]
    shape = _meta(node)
    if node.op == "output":
        for axis in before:
            channels.fix(axis)
        return None
    if node.op in ("placeholder", "get_attr") or shape is None or len(shape) < 2:
        for axis in before:
            channels.fix(axis)
        if shape is not None and len(shape) >= 2:
            return (Segment(channels.new(shape[1], fixed=True), 1),)
        return None
    if node.op == "call_module":
        found = _module(node, str(node.target), modules[str(node.target)], before, channels)
    else:
        found = _call(node, before, axes, channels)
    if found is None or channels.size(found) != shape[1]:
        for axis in before:
            channels.fix(axis)
        found = (Segment(channels.new(shape[1], fixed=True), 1),)
    return found


def _module(node: fx.Node, name: str, module: nn.Module, before: list[Axis], channels: Channels) -> Axis | None:
    if len(before) != 1:
        return None
    (axis,) = before
    shape, source = _meta(node), _meta(node.all_input_nodes[0])
    if shape is None or source is None:
        return None
    if isinstance(module, nn.Conv2d):
        channels.macs[name] = module.weight.numel() * shape[2] * shape[3]
        if module.groups == 1:
            made = (Segment(channels.new(module.out_channels), 1),)
            return _noted(channels, name, module, axis, made)
        if module.groups == module.in_channels == module.out_channels:
            return _noted(channels, name, module, None, axis)
        return None
    if isinstance(module, nn.Linear):
        if len(shape) != 2:
            return None
        channels.macs[name] = module.weight.numel()
        made = (Segment(channels.new(module.out_features), 1),)
        return _noted(channels, name, module, axis, made)
    if isinstance(module, nn.Flatten):
        return _flat(axis, source) if (module.start_dim, module.end_dim) == (1, -1) else None
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return _noted(channels, name, module, None, axis)
    if isinstance(module, nn.PReLU):
        return axis if module.num_parameters == 1 else _noted(channels, name, module, None, axis)
    return axis if isinstance(module, SAME_MODULES) else None


def _noted(channels: Channels, name: str, module: nn.Module, inputs: Axis | None, outputs: Axis) -> Axis:
    if name in channels.layers:  # one module used twice: both uses cut alike
        channels.tie(channels.layers[name].outputs, outputs)
        if inputs is not None and channels.layers[name].inputs is not None:
            channels.tie(channels.layers[name].inputs or (), inputs)
    else:
        channels.layers[name] = Layer(module, inputs, outputs)
    return outputs


def _flat(axis: Axis, source: torch.Size) -> Axis:
    places = 1
    for side in source[2:]:
        places *= side
    return tuple(Segment(segment.space, segment.repeat * places) for segment in axis)


def _call(node: fx.Node, before: list[Axis], axes: dict[fx.Node, Axis], channels: Channels) -> Axis | None:
    target: Callable[..., Any] | str = node.target
    if target in (torch.cat, torch.concat):
        dimension = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
        return tuple(segment for axis in before for segment in axis) if dimension == 1 else None
    if target in TIED_CALLS and before and not _untied(node, axes):
        for other in before[1:]:
            channels.tie(before[0], other)
        return before[0]
    if target in SAME_CALLS and len(before) == 1:
        return before[0]
    if target in REDUCING_CALLS and len(before) == 1:
        over = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
        places = (over,) if isinstance(over, int) else tuple(over or (0,))
        return before[0] if all(isinstance(place, int) and place > 1 for place in places) else None
    source = _meta(node.all_input_nodes[0]) if node.all_input_nodes else None
    if target in (torch.flatten, "flatten") and len(before) == 1 and source is not None:
        start = node.kwargs.get("start_dim", node.args[1] if len(node.args) > 1 else 0)
        return _flat(before[0], source) if start == 1 else None
    return None


def _untied(node: fx.Node, axes: dict[fx.Node, Axis]) -> bool:
    """Whether a tensor without a channel axis, larger than one number, enters the step."""
    shapes = [_meta(source) for source in node.all_input_nodes if source not in axes]
    return any(shape is not None and shape.numel() > 1 for shape in shapes)
