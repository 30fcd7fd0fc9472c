"""The student's first weights: a pruned copy of the teacher, fitted layer by layer in closed form.

Channels are chosen greedily by how much of the teacher's next layer they explain (orthogonal matching pursuit on
second moments; channel pruning by reconstruction: He, Zhang, Sun, ICCV 2017; Luo, Wu, Lin: ThiNet, ICCV 2017). Every
layer is then fitted by least squares to the teacher's activations *from what the student really gets*, so that errors
of earlier layers are met by later ones. A PReLU keeps something of its negative side where a ReLU keeps nothing: each
teacher channel is offered with both signs, and the fit takes what helps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from samebody.lab.train.embed_network import STRIDES, Block, EdgeNetwork
from samebody.lab.train.embed_teacher import Teacher, TeacherBlock

SAMPLES = 12_000
"""Places of maps that a fit looks at."""
TAPS = 3_000
"""Places that the nine taps of one channel are fitted on."""
WIDE = 600
"""From so many teacher channels on, a depthwise result is offered with one sign only."""
RIDGE = 1e-3
"""Of a fit, as a share of the mean variance of its features."""
HEAD_RIDGE = 0.3
"""Of the fit of the dense layer."""
FINE = 6
"""Blocks that work on large maps: few pictures are enough there."""
_CHUNK = 32


@dataclass(frozen=True)
class Choice:
    """Student channels of one layer: teacher channel, sign before the first ReLU, sign before the second."""

    channel: Tensor
    first: Tensor
    second: Tensor


def importance(teacher: Teacher, pictures: Tensor, seed: int) -> list[Tensor]:
    """How much the embedding moves with each channel of z, the 14 outputs before their PReLU: float32 [channels] each.

    The mean square of the gradient of a random projection of the embedding: the Jacobian's norm, estimated.
    """
    generator = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []
    for start in range(0, len(pictures), _CHUNK):
        held: list[Tensor] = []
        before = teacher.first.before((pictures[start : start + _CHUNK] - 127.5) / 128).requires_grad_()
        held.append(before)
        x = functional.prelu(before, teacher.first.slope)
        for depthwise, pointwise in zip(teacher.depthwise, teacher.pointwise, strict=True):
            before = pointwise.before(depthwise(x))
            held.append(before)
            x = functional.prelu(before, pointwise.slope)
        embedding = functional.normalize(teacher.head(x))
        probe = torch.randn(embedding.shape, generator=generator)
        gradients = torch.autograd.grad((embedding * probe).sum(), held)
        sums = [gradient.square().sum((0, 2, 3)) for gradient in gradients]
        found = [a + b for a, b in zip(found, sums, strict=True)] if found else sums
    return found


def choose(gram: Tensor, cross: Tensor, count: int) -> Tensor:
    """int64 [count]: features, best first, whose least-squares fit explains most of the targets.

    Args:
        gram: float64 [p, p] second moments of the centred features.
        cross: float64 [p, t] of features and centred targets, each target times the root of its weight.
        count: how many.
    """
    size = len(gram)
    left, cross = gram.diagonal().clone(), cross.clone()
    floor = 1e-6 * float(left.mean())
    basis = gram.new_zeros(size, count)
    taken = torch.zeros(size, dtype=torch.bool)
    picks = []
    for step in range(count):
        gain = cross.square().sum(1) / left.clamp_min(floor)
        gain[taken | (left <= floor)] = -1.0
        pick = int(gain.argmax())
        if taken[pick]:  # nothing is left to explain: any feature will do
            pick = int((~taken).nonzero()[0])
        picks.append(pick)
        taken[pick] = True
        root = left[pick].clamp_min(floor).sqrt()
        column = (gram[:, pick] - basis[:, :step] @ basis[pick, :step]) / root
        basis[:, step] = column
        cross -= torch.outer(column, cross[pick] / root)
        left = (left - column.square()).clamp_min(0)
    return torch.tensor(picks)


def ridge(features: Tensor, targets: Tensor, share: float = RIDGE) -> tuple[Tensor, Tensor]:
    """Weights [t, p] and bias [t] of the regularised least-squares fit of targets [m, t] by features [m, p]."""
    x, y = features.double(), targets.double()
    mean_x, mean_y = x.mean(0), y.mean(0)
    x = x - mean_x
    gram = x.T @ x
    gram.diagonal().add_(share * float(gram.diagonal().mean()) + 1e-9)
    weight = torch.linalg.solve(gram, x.T @ (y - mean_y)).T
    return weight.float(), (mean_y - weight @ mean_x).float()


def fit_depthwise(maps: Tensor, targets: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Taps [c, 1, 3, 3] and bias [c] of the depthwise convolution that takes maps [n, c, h, w] nearest to targets."""
    few = max(8, 4 * TAPS // (targets.shape[2] * targets.shape[3]))
    maps, targets = maps[:few], targets[:few]
    count, channels, height, width = targets.shape
    every = max(1, count * height * width // TAPS)
    padded = functional.pad(maps, (1, 1, 1, 1))
    taps = []
    for dy in range(3):
        for dx in range(3):
            shifted = padded[:, :, dy : dy + stride * height : stride, dx : dx + stride * width : stride]
            taps.append(shifted.permute(1, 0, 2, 3).reshape(channels, -1)[:, ::every])
    x = torch.stack([*taps, torch.ones_like(taps[0])], 2).double()
    y = targets.permute(1, 0, 2, 3).reshape(channels, -1)[:, ::every].double()
    gram = x.transpose(1, 2) @ x
    scale = gram.diagonal(dim1=1, dim2=2)[:, :9].mean(1)
    gram.diagonal(dim1=1, dim2=2)[:, :9] += (RIDGE * scale + 1e-6)[:, None]
    solution = torch.linalg.solve(gram, (x.transpose(1, 2) @ y[:, :, None])).squeeze(2).float()
    return solution[:, :9].reshape(channels, 1, 3, 3), solution[:, 9]


def rows(maps: Tensor, places: Tensor) -> Tensor:
    """[m, c]: maps [n, c, h, w] at flat places int64 [m] of n * h * w."""
    height, width = maps.shape[2:]
    picture, place = places // (height * width), places % (height * width)
    return maps.permute(0, 2, 3, 1)[picture, place // width, place % width]


def _places(maps: Tensor, generator: torch.Generator) -> Tensor:
    total = maps.shape[0] * maps.shape[2] * maps.shape[3]
    return torch.randperm(total, generator=generator)[:SAMPLES]


def _moments(features: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    x = features - features.mean(0)
    y = (targets - targets.mean(0)) * weights.clamp_min(0).sqrt()
    return (x.T @ x).double(), (x.T @ y).double()


def _candidates(before: Tensor, after: Tensor, stride: int) -> tuple[Tensor, Choice]:
    """Features [m, p] at every place of the teacher's next depthwise result, and what each of them is.

    ``before`` is z [n, c, h, w]; ``after`` the teacher's depthwise result before its PReLU.
    """
    channels = before.shape[1]
    seconds = (1.0,) if channels >= WIDE else (1.0, -1.0)
    features, signs = [], []
    for first in (1.0, -1.0):
        given = functional.relu(first * before)
        taps, bias = fit_depthwise(given, after, stride)
        fitted = functional.conv2d(given, taps, bias, stride, 1, 1, channels)
        for second in seconds:
            features.append(functional.relu(second * fitted))
            signs.append((first, second))
    index = torch.arange(channels)
    choice = Choice(
        index.repeat(len(signs)),
        torch.cat([torch.full((channels,), first) for first, _ in signs]),
        torch.cat([torch.full((channels,), second) for _, second in signs]),
    )
    return torch.cat(features, 1), choice


class _Chunked:
    """Applies functions to maps in small pieces, so that no large temporary stands beside them."""

    @staticmethod
    def apply(work: Callable[[Tensor], Tensor], maps: Tensor) -> Tensor:
        return torch.cat([work(maps[start : start + _CHUNK]) for start in range(0, len(maps), _CHUNK)])


@torch.no_grad()
def prune(
    teacher: Teacher,
    network: EdgeNetwork,
    fine: Tensor,
    coarse: Tensor,
    *,
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> None:
    """Give ``network`` its first weights.

    Args:
        teacher: the network to copy from.
        network: weights are overwritten.
        fine: float32 [n, 3, 112, 112] pixels 0-255, for the first layers, whose maps are large: 100 or more.
        coarse: as ``fine``, for the later layers: 1000 or more.
        seed: of the places that are looked at.
        progress: told which layer was fitted and how much of the teacher's activations the fit leaves unexplained.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.enable_grad():
        weights = importance(teacher, coarse[: 4 * _CHUNK], seed)
    apply = _Chunked.apply
    z = apply(lambda x: teacher.first.before((x - 127.5) / 128), fine)
    student = fine
    choice: Choice | None = None
    for layer in range(len(STRIDES)):
        if layer == FINE + 1:
            # from here on many pictures, whose maps are small by now
            z = apply(lambda x, k=layer: _teacher_before(teacher, x, k), coarse)  # type: ignore[misc]
            student = apply(lambda x, k=layer: _student_features(network, x, k), coarse)  # type: ignore[misc]
        if layer + 1 < len(STRIDES):
            after, target, features, offered = _next(teacher, z, layer)
            seen = target[: len(features)]
            places = _places(seen, generator)
            gram, cross = _moments(rows(features, places), rows(seen, places), weights[layer + 1])
            picks = choose(gram, cross, network.options.widths[layer])
            del features
        else:
            after, target = z, _reduction(teacher, z, network)
            both = torch.cat([functional.relu(z), functional.relu(-z)], 1)
            places = _places(target, generator)
            gram, cross = _moments(rows(both, places), rows(target, places), torch.ones(target.shape[1]))
            picks = choose(gram, cross, network.options.widths[layer])
            size = z.shape[1]
            signs = torch.cat([torch.ones(size), -torch.ones(size)])
            offered = Choice(torch.arange(size).repeat(2), signs, torch.ones(2 * size))
            del both
        choice = Choice(offered.channel[picks], offered.first[picks], offered.second[picks])
        wanted = z[:, choice.channel] * choice.first[:, None, None]
        if layer == 0:
            network.first.weight.copy_(teacher.first.weight[choice.channel] * choice.first[:, None, None, None])
            network.first.bias.copy_(teacher.first.bias[choice.channel] * choice.first)  # type: ignore[union-attr]
            student = apply(lambda x: functional.relu(network.first((x - 127.5) / 128)), fine)
        else:
            block = network.blocks[layer - 1]
            assert isinstance(block, Block)
            places = _places(wanted, generator)
            weight, bias = ridge(rows(student, places), rows(wanted, places))
            block.pointwise.weight.copy_(weight[:, :, None, None])
            block.pointwise.bias.copy_(bias)  # type: ignore[union-attr]
            student = apply(block.pointwise, student)
            true = rows(wanted, places)
            left, total = (rows(student, places) - true).square().sum(), (true - true.mean(0)).square().sum()
            progress(f"layer {layer}: {float(left / total):.3f} unexplained")
            student = apply(functional.relu, student)
        if layer + 1 < len(STRIDES):
            following = network.blocks[layer]
            assert isinstance(following, Block)
            aim = after[:, choice.channel] * choice.second[:, None, None]
            taps, bias = fit_depthwise(student, aim, STRIDES[layer + 1])
            following.depthwise.weight.copy_(taps)
            following.depthwise.bias.copy_(bias)  # type: ignore[union-attr]
            student = apply(lambda x, f=following: functional.relu(f.depthwise(x)), student)  # type: ignore[misc]
            z = target
        else:
            places = _places(target, generator)
            weight, bias = ridge(rows(student, places), rows(target, places))
            network.reduce.weight.copy_(weight[:, :, None, None])
            network.reduce.bias.copy_(bias)  # type: ignore[union-attr]
    wanted_head = apply(lambda x: functional.prelu(x, _last(teacher).slope), z)
    _fit_head(teacher, network, student, wanted_head)


def _last(teacher: Teacher) -> TeacherBlock:
    last = teacher.pointwise[-1]
    assert isinstance(last, TeacherBlock)
    return last


def _teacher_before(teacher: Teacher, x: Tensor, layer: int) -> Tensor:
    """z of ``layer``, 0 the first convolution's."""
    x = (x - 127.5) / 128
    if layer == 0:
        return teacher.first.before(x)
    x = teacher.first(x)
    for depthwise, pointwise in zip(teacher.depthwise[: layer - 1], teacher.pointwise[: layer - 1], strict=True):
        x = pointwise(depthwise(x))
    last = teacher.pointwise[layer - 1]
    assert isinstance(last, TeacherBlock)
    return last.before(teacher.depthwise[layer - 1](x))


def _student_features(network: EdgeNetwork, x: Tensor, layer: int) -> Tensor:
    """What the pointwise convolution of ``layer`` gets."""
    x = functional.relu(network.first((x - 127.5) / 128))
    for block in network.blocks[: layer - 1]:
        x = block(x)
    last = network.blocks[layer - 1]
    assert isinstance(last, Block)
    return functional.relu(last.depthwise(x))


def _next(teacher: Teacher, z: Tensor, layer: int) -> tuple[Tensor, Tensor, Tensor, Choice]:
    """Depthwise result, next z, candidate features and what they are, of the teacher's layer behind ``z``."""
    own = teacher.first if layer == 0 else teacher.pointwise[layer - 1]
    depthwise, pointwise = teacher.depthwise[layer], teacher.pointwise[layer]
    assert isinstance(own, TeacherBlock) and isinstance(depthwise, TeacherBlock) and isinstance(pointwise, TeacherBlock)
    apply = _Chunked.apply
    after = apply(lambda x: depthwise.before(functional.prelu(x, own.slope)), z)
    target = apply(lambda x: pointwise.before(functional.prelu(x, depthwise.slope)), after)
    few = max(1, 2 * SAMPLES // (after.shape[2] * after.shape[3]))  # pictures that give enough places to choose by
    features, offered = _candidates(z[:few], after[:few], STRIDES[layer + 1])
    return after, target, features, offered


def _reduction(teacher: Teacher, z: Tensor, network: EdgeNetwork) -> Tensor:
    """The part of the teacher's last map that its dense layer looks at most, [n, reduced, 7, 7].

    With C the covariance of the last map's channels and W_p the dense weights at place p, the leading eigenvectors of
    C^1/2 (sum_p W_p' W_p) C^1/2 lose least of the embedding.
    """
    y = functional.prelu(z, _last(teacher).slope)
    basis, _ = reduction_basis(teacher, y, network.options.reduced)
    return torch.einsum("nchw,cr->nrhw", y - y.mean((0, 2, 3))[:, None, None], basis)


def reduction_basis(teacher: Teacher, y: Tensor, reduced: int) -> tuple[Tensor, Tensor]:
    """Analysis [c, r] and synthesis [r, c] of the reduction of the last map ``y`` [n, c, 7, 7]."""
    flat = y.permute(0, 2, 3, 1).reshape(-1, y.shape[1])
    flat = (flat - flat.mean(0)).double()
    covariance = flat.T @ flat / len(flat)
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp_min(1e-8 * float(values.max()))
    root = (vectors * values.sqrt()) @ vectors.T
    inverse = (vectors / values.sqrt()) @ vectors.T
    dense = teacher.dense_weight.double().permute(2, 3, 0, 1).reshape(-1, y.shape[1])
    importance_of, directions = torch.linalg.eigh(root @ (dense.T @ dense) @ root)
    top = directions[:, -reduced:].flip(1)
    scale = importance_of[-reduced:].flip(0).clamp_min(0).sqrt()
    return (inverse @ top * scale).float(), ((top / scale.clamp_min(1e-9)).T @ root).float()


def _fit_head(teacher: Teacher, network: EdgeNetwork, student: Tensor, y: Tensor) -> None:
    """The dense layer: the teacher's, seen through the reduction."""
    _, synthesis = reduction_basis(teacher, y, network.options.reduced)
    dense = torch.einsum("ochw,rc->orhw", teacher.dense_weight, synthesis)
    network.dense.weight.copy_(dense.flatten(1))
    mean = y.mean((0, 2, 3))
    network.dense.bias.copy_(teacher.dense_bias + (teacher.dense_weight * mean[:, None, None]).sum((1, 2, 3)))


@torch.no_grad()
def refit_head(network: EdgeNetwork, batches: Iterable[tuple[Tensor, Tensor]], share: float = HEAD_RIDGE) -> None:
    """Fit the dense layer to the teacher's vectors of many faces, from what the pruned network really gives it.

    Ridge regression that is drawn towards the layer as it stands rather than towards zero. The vectors are first
    brought to the length that the layer gives on average.

    Args:
        network: pruned; its ``dense`` is overwritten.
        batches: pixels float32 [n, 3, 112, 112] and the teacher's unit vectors [n, d]; passed over once.
        share: of the penalty, in mean variances of the layer's inputs.
    """
    width = network.dense.in_features
    gram = torch.zeros(width + 1, width + 1, dtype=torch.float64)
    cross = torch.zeros(width + 1, network.dense.out_features, dtype=torch.float64)
    lengths, count = 0.0, 0
    for pixels, wanted in batches:
        with torch.autocast(pixels.device.type, torch.bfloat16):
            x = network.reduce(network.maps(pixels)[-1]).flatten(1)
        x = x.float()
        lengths, count = lengths + float(network.dense(x).norm(dim=1).sum()), count + len(x)
        x = torch.cat([x, torch.ones(len(x), 1)], 1)
        gram += (x.T @ x).double()
        cross += (x.T @ wanted).double()
    present = torch.cat([network.dense.weight.T, network.dense.bias[None]]).double()
    penalty = gram.diagonal()[:-1].mean() * share
    left = cross * (lengths / count) - gram @ present
    gram.diagonal()[:-1].add_(penalty)
    gram.diagonal()[-1].add_(1e-9)
    solution = present + torch.linalg.solve(gram, left)
    network.dense.weight.copy_(solution[:-1].T)
    network.dense.bias.copy_(solution[-1])
