"""The student's first weights: a compressed copy of the teacher, fitted layer by layer in closed form.

Where the student is narrower, channels are chosen greedily by how much of the teacher's next layer they explain
(orthogonal matching pursuit on second moments; channel pruning by reconstruction: He, Zhang, Sun, ICCV 2017; Luo, Wu,
Lin: ThiNet, ICCV 2017). Where it is of lower rank, the factors that change the answers least are taken (Zhang et al.:
Accelerating very deep convolutional networks, TPAMI 2016). Every layer is fitted by least squares to the teacher's
activations *from what the student really gets*, so that errors of earlier layers are met by later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional

from samebody.lab.train.embed_network import STRIDES, Block, EdgeNetwork
from samebody.lab.train.embed_teacher import Teacher, TeacherBlock

SAMPLES = 12_000
"""Places of maps that a fit looks at."""
TAPS = 3_000
"""Places that the nine taps of one channel are fitted on."""
RIDGE = 1e-3
"""Of a fit, as a share of the mean variance of its features."""
HEAD_RIDGE = 0.3
"""Of the fit of the dense layer."""
FINE = 6
"""Blocks that work on large maps: few pictures are enough there."""
_CHUNK = 32


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


def factored(weight: Tensor, features: Tensor, importance_of: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Factors [t, r] and [r, p] of ``weight`` [t, p] that change what it answers to ``features`` [m, p] least.

    The truncated singular vectors of D^1/2 W C^1/2, with C the covariance of the features and D the importance of the
    answers: reduced-rank regression (Izenman, Journal of Multivariate Analysis 5, 1975).
    """
    x = (features - features.mean(0)).double()
    scale = importance_of.double().clamp_min(1e-4 * float(importance_of.mean()) + 1e-30).sqrt()
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    weighted = scale[:, None] * weight.double()
    left = torch.linalg.svd(weighted @ root, full_matrices=False)[0][:, :rank]
    return (left / scale[:, None]).float(), (left.T @ weighted).float()


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
        coarse: as ``fine``, for the later layers: 500 or more.
        seed: of the places that are looked at.
        progress: told which layer was fitted and how much of the teacher's activations the fit leaves unexplained.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.enable_grad():
        weights = importance(teacher, coarse[: 2 * _CHUNK], seed)
    apply = _Chunked.apply
    z = apply(lambda x: teacher.first.before((x - 127.5) / 128), fine)
    student = fine
    for layer in range(len(STRIDES)):
        if layer == FINE + 1:
            # from here on many pictures, whose maps are small by now
            z = apply(lambda x, k=layer: _teacher_before(teacher, x, k), coarse)  # type: ignore[misc]
            student = apply(lambda x, k=layer: _student_features(network, x, k), coarse)  # type: ignore[misc]
        own = _block(teacher, layer)
        width, channels = network.options.widths[layer], z.shape[1]
        kept = torch.arange(channels)
        after = target = z
        if layer + 1 < len(STRIDES):
            depthwise, pointwise = teacher.depthwise[layer], _block(teacher, layer + 1)
            assert isinstance(depthwise, TeacherBlock)
            after = apply(lambda x, b=depthwise, s=own.slope: b.before(functional.prelu(x, s)), z)  # type: ignore[misc]
            given = apply(lambda x, b=depthwise: functional.prelu(x, b.slope), after)  # type: ignore[misc]
            target = apply(pointwise.before, given)
            if width < channels:
                places = _places(target, generator)
                gram, cross = _moments(rows(given, places), rows(target, places), weights[layer + 1])
                kept = choose(gram, cross, width).sort().values
            del given
        if layer == 0:
            network.first.weight.copy_(own.weight[kept])
            network.first.bias.copy_(own.bias[kept])
            _give_slopes(network.active, own.slope[kept], z[:, kept])
            student = apply(lambda x: network.active(network.first((x - 127.5) / 128)), fine)
        else:
            block = network.blocks[layer - 1]
            assert isinstance(block, Block)
            left = _fit_pointwise(block, student, z[:, kept], weights[layer][kept], generator)
            progress(f"layer {layer}: {left:.3f} unexplained")
            _give_slopes(block.outer, own.slope[kept], z[:, kept])
            student = apply(lambda x, b=block: b.outer(b.pointwise(b.down(x))), student)  # type: ignore[misc]
        if layer + 1 < len(STRIDES):
            following = network.blocks[layer]
            assert isinstance(following, Block)
            taps, bias = fit_depthwise(student, after[:, kept], STRIDES[layer + 1])
            following.depthwise.weight.copy_(taps)
            following.depthwise.bias.copy_(bias)
            _give_slopes(following.inner, teacher.depthwise[layer].slope[kept], after[:, kept])
            student = apply(following.gathered, student)
            z = target
    _fit_head(teacher, network, student, apply(lambda x: functional.prelu(x, _last(teacher).slope), z), generator)


def _give_slopes(active: torch.nn.PReLU, slopes: Tensor, before: Tensor) -> None:
    """The teacher's slopes; where the student has one for all channels, the one that fits ``before`` [n, c, h, w] best.

    Least squares over the negative parts: the mean of the slopes, weighted by their mean squares.
    """
    if active.num_parameters == 1:
        weight = before.clamp(max=0).square().mean((0, 2, 3))
        slopes = ((weight * slopes).sum() / weight.sum().clamp_min(1e-12)).reshape(1)
    active.weight.copy_(slopes)


def _fit_pointwise(
    block: Block, student: Tensor, wanted: Tensor, importance_of: Tensor, generator: torch.Generator
) -> float:
    """Fit the pointwise part of a block; returns the share of the wanted variance that is left."""
    places = _places(wanted, generator)
    x, y = rows(student, places), rows(wanted, places)
    weight, bias = ridge(x, y)
    if isinstance(block.down, torch.nn.Conv2d):
        up, down = factored(weight, x, importance_of, block.down.out_channels)
        bias = bias + (weight - up @ down) @ x.mean(0)
        block.down.weight.copy_(down[:, :, None, None])
        block.pointwise.weight.copy_(up[:, :, None, None])
        weight = up @ down
    else:
        block.pointwise.weight.copy_(weight[:, :, None, None])
    block.pointwise.bias.copy_(bias)
    left = (x @ weight.T + bias - y).square().sum()
    return float(left / (y - y.mean(0)).square().sum())


def _block(teacher: Teacher, layer: int) -> TeacherBlock:
    """The convolution whose answer is z of ``layer``."""
    found = teacher.first if layer == 0 else teacher.pointwise[layer - 1]
    assert isinstance(found, TeacherBlock)
    return found


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
    """What the pointwise part of ``layer`` gets."""
    x = network.active(network.first((x - 127.5) / 128))
    for block in network.blocks[: layer - 1]:
        x = block(x)
    last = network.blocks[layer - 1]
    assert isinstance(last, Block)
    return last.gathered(x)


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


def _fit_head(teacher: Teacher, network: EdgeNetwork, student: Tensor, y: Tensor, generator: torch.Generator) -> None:
    """The dense layer: the teacher's, seen through the reduction of the teacher's last map ``y``."""
    analysis, synthesis = reduction_basis(teacher, y, network.options.reduced)
    mean = y.mean((0, 2, 3))
    places = _places(y, generator)
    weight, bias = ridge(rows(student, places), (rows(y, places) - mean) @ analysis)
    network.reduce.weight.copy_(weight[:, :, None, None])
    network.reduce.bias.copy_(bias)
    dense = torch.einsum("ochw,rc->orhw", teacher.dense_weight, synthesis)
    network.dense.weight.copy_(dense.flatten(1))
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
