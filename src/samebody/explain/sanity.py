"""Two questions every method must pass: does it find planted evidence, and does it look at the model at all?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper
from scipy.stats import spearmanr

from samebody.config import Settings
from samebody.explain.methods import Method
from samebody.explain.saliency import Saliency
from samebody.explain.score import PairScore, Progress, silent
from samebody.models import ModelRecord
from samebody.models.contracts import preprocess_images
from samebody.models.sessions import read_weights
from samebody.types import Pixels

# --------------------------------------------------------------------------------------------------- planted evidence


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """A score function that looks at one place only, and the place.

    Attributes:
        picture: (h, w, 3) uint8.
        region: (h, w) bool, the place.
    """

    picture: Pixels
    region: NDArray[np.bool_]

    def score(self, pictures: Pixels) -> NDArray[np.float64]:
        """(n,) in 0-1: how much of the place still looks as it did; nothing else matters."""
        now = pictures[:, self.region].astype(np.float64)
        away = np.abs(now - self.picture[self.region].astype(np.float64)).mean(axis=(1, 2))
        return np.asarray(np.exp(-away / 32))


def planted(seed: int, side: int = 64) -> Planted:
    """A textured picture with evidence on a square of a fifth of its side, at a place that the seed decides."""
    generator = np.random.default_rng(seed)
    picture = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
    size = side // 5
    top, left = generator.integers(0, side - size, 2)
    region = np.zeros((side, side), dtype=bool)
    region[top : top + size, left : left + size] = True
    return Planted(picture, region)


def pointing_game(saliency: Saliency, region: NDArray[np.bool_], tolerance: float = 0.05) -> bool:
    """Whether the map's peak lies in the region, or within ``tolerance`` of the shorter side of it.

    The pointing game of Zhang et al. (ECCV 2016), which allows 15 pixels on pictures of about 300.
    """
    x, y = saliency.peak
    rows, columns = np.nonzero(region)
    nearest = math.sqrt(float(np.min((rows - y) ** 2 + (columns - x) ** 2)))
    return bool(nearest <= tolerance * min(region.shape))


# ------------------------------------------------------------------------------------------------ model randomisation


@dataclass(frozen=True, slots=True)
class RandomisationStep:
    """The map after some of the weights were shuffled.

    Attributes:
        share: of the network's weighted layers that were shuffled, from its output on, 0-1.
        correlation: Spearman's rank correlation of the two pictures' maps with those of the intact network, averaged.
        score: similarity that the shuffled network gives.
    """

    share: float
    correlation: float
    score: float


def randomised(model: bytes, share: float, seed: int) -> bytes:
    """An ONNX graph whose last weighted layers hold their own weights in shuffled order.

    The cascading randomisation of Adebayo et al. (NeurIPS 2018, section 3.2), with shuffling in place of drawing, so
    that each layer keeps the size of its numbers. Statistics of normalisation layers stay, because a network whose
    variances are shuffled has no finite answer.

    Args:
        model: an ONNX file.
        share: of the layers with weights (convolutions and dense layers), counted from the output, 0-1.
        seed: of the order.
    """
    graph = onnx.load_from_string(model)
    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    layers = [node for node in graph.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    layers = [node for node in layers if any(name in weights for name in node.input)]
    count = math.ceil(share * len(layers))
    generator = np.random.default_rng(seed)
    done: set[str] = set()
    for node in layers[::-1][:count]:
        for name in node.input:
            if name in weights and name not in done and len(weights[name].dims) > 1:
                values = numpy_helper.to_array(weights[name])
                mixed = generator.permutation(values.ravel()).reshape(values.shape)
                weights[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(mixed), name))
                done.add(name)
    return bytes(graph.SerializeToString())


def session_pair(record: ModelRecord, model: bytes, first: Pixels, second: Pixels, threads: int = 1) -> PairScore:
    """As :func:`samebody.explain.adapters.embedder_pair`, on other weights than the record's."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    contract = record.image_input
    given = contract.name or session.get_inputs()[0].name

    def vectors(pictures: Pixels) -> NDArray[np.float64]:
        values = preprocess_images(contract, pictures)
        parts = [values] if contract.batch == "free" else [values[i : i + 1] for i in range(len(values))]
        raw: list[Any] = [session.run(None, {given: part})[0] for part in parts]
        found = np.concatenate(raw).reshape(len(pictures), -1).astype(np.float64)
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))

    whole = vectors(np.stack([first, second]))
    return PairScore(
        lambda pictures: vectors(pictures) @ whole[1],
        lambda pictures: vectors(pictures) @ whole[0],
        float(whole[0] @ whole[1]),
    )


def randomisation_test(
    record: ModelRecord,
    first: Pixels,
    second: Pixels,
    method: Method,
    *,
    shares: Sequence[float] = (0.05, 0.25, 0.5, 1.0),
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> tuple[RandomisationStep, ...]:
    """How alike the maps stay while the network forgets what it learnt; a method that looks at it must lose them.

    Args:
        record: of a face embedder in ONNX.
        first, second: aligned crops.
        method: the method under test.
        shares: of the layers that are shuffled, each a test of its own.
        seed: of the shuffling.
        settings: where the weights are.
        progress: told (maps made, of how many).

    Returns:
        The intact network (share 0, correlation 1) and one step for each share.
    """
    weights = read_weights(record, settings)
    whole = len(shares) + 1
    intact = method.explain_pair(session_pair(record, weights, first, second), first, second)
    progress(1, whole)
    steps = [RandomisationStep(0.0, 1.0, intact.score)]
    for number, share in enumerate(shares):
        pair = session_pair(record, randomised(weights, share, seed), first, second)
        found = method.explain_pair(pair, first, second)
        alike = [rank_correlation(a, b) for a, b in ((intact.first, found.first), (intact.second, found.second))]
        steps.append(RandomisationStep(share, float(np.mean(alike)), found.score))
        progress(number + 2, whole)
    return tuple(steps)


def rank_correlation(one: Saliency, two: Saliency) -> float:
    """Spearman's rank correlation of two maps of one size; 0 where one of them is constant."""
    if np.ptp(one.values) == 0 or np.ptp(two.values) == 0:
        return 0.0
    return float(spearmanr(one.values.ravel(), two.values.ravel()).statistic)


def pointing_score(method: Method, pictures: int, seed: int = 0) -> int:
    """In how many of ``pictures`` planted pictures the map of ``method`` points at the evidence."""
    cases = [planted(seed + number) for number in range(pictures)]
    return sum(pointing_game(method.explain(case.score, case.picture), case.region) for case in cases)
