"""What the search engines are timed against: plain loops, blocked numpy, faiss, and the limits of the machine."""

from __future__ import annotations

import time
from typing import Any

import numba
import numpy as np
from numba.core import cgutils
from numba.core import types as kinds
from numba.extending import intrinsic
from numpy.typing import NDArray


@intrinsic
def popcount(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        import llvmlite.ir as ir

        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), "llvm.ctpop.i64")
        return builder.call(function, arguments)

    return kinds.int64(kinds.uint64), generate


@numba.njit(nogil=True)
def naive_iris_doubled(
    code: Any, mask: Any, codes: Any, masks: Any, rotations: int, reference_bits: float, scores: Any
) -> None:
    """For each reference, each rotation, each word: over a doubled probe, so that the compiler makes vectors of it."""
    columns = codes.shape[1]
    doubled = np.concatenate((code, code, code))
    usable_probe = np.concatenate((mask, mask, mask))
    for row in range(codes.shape[0]):
        best = -1e9
        own, own_mask = codes[row], masks[row]
        for turn in range(-rotations, rotations + 1):
            turned, turned_mask = doubled[columns - turn :], usable_probe[columns - turn :]
            differing, shared = 0, 0
            for column in range(columns):
                usable = turned_mask[column] & own_mask[column]
                shared += popcount(usable)
                differing += popcount((turned[column] ^ own[column]) & usable)
            score = 0.5 + (0.5 - differing / max(shared, 1)) * np.sqrt(shared / reference_bits)
            best = max(best, score)
        scores[row] = best


@numba.njit(nogil=True)
def naive_codes_doubled(code: Any, codes: Any, rotations: int, scores: Any) -> None:
    """The same without masks: what full masks allow anyone to leave out."""
    columns = codes.shape[1]
    doubled = np.concatenate((code, code, code))
    for row in range(codes.shape[0]):
        best = -1e9
        own = codes[row]
        for turn in range(-rotations, rotations + 1):
            turned = doubled[columns - turn :]
            differing = 0
            for column in range(columns):
                differing += popcount(turned[column] ^ own[column])
            best = max(best, 1.0 - differing / (64.0 * columns))
        scores[row] = best


def numpy_topk(vectors: NDArray[np.float32], probes: NDArray[np.float32], k: int, block: int = 65_536) -> Any:
    """Blocked float32 product and argpartition, merged."""
    ids, scores = [], []
    for begin in range(0, len(vectors), block):
        product = probes @ vectors[begin : begin + block].T
        part = np.argpartition(product, -k, axis=1)[:, -k:]
        ids.append(part + begin)
        scores.append(np.take_along_axis(product, part, axis=1))
    every, places = np.concatenate(scores, axis=1), np.concatenate(ids, axis=1)
    order = np.argsort(-every, axis=1)[:, :k]
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(every, order, axis=1)


def memory_read(bytes_each: int, threads: int) -> float:
    """GB/s of reading memory once from end to end, each thread its own part; the best of three."""
    from concurrent.futures import ThreadPoolExecutor

    parts = [np.ones(bytes_each // 8, dtype=np.uint64) for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(_sum, parts))
        for _ in range(3):
            start = time.perf_counter()
            list(pool.map(_sum, parts))
            best = max(best, threads * bytes_each / (time.perf_counter() - start) / 1e9)
    return best


@numba.njit(nogil=True)
def _sum(words: Any) -> Any:
    total = np.uint64(0)
    for i in range(words.size):
        total += words[i]
    return total


@numba.njit(nogil=True)
def _chain(steps: Any, word: Any) -> Any:
    """Six instructions that wait for one another, each one cycle long."""
    for _ in range(steps):
        word ^= word << np.uint64(13)
        word ^= word >> np.uint64(7)
        word ^= word << np.uint64(17)
    return word


def clock() -> float:
    """Cycles a second of one core, from a chain of instructions that take one cycle each; the best of five."""
    _chain(10, np.uint64(3))
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        _chain(20_000_000, np.uint64(3))
        best = max(best, 6 * 20_000_000 / (time.perf_counter() - start))
    return best


def onnxruntime_rate(dimension: int, threads: int) -> float:
    """Products a second of ONNX Runtime's integer matrix product, 64 probes and 8,192 rows; best of three."""
    import onnx
    import onnxruntime

    rows, repeats = 8_192, 20
    generator = np.random.default_rng(0)
    held = generator.integers(-127, 128, (dimension, rows), dtype=np.int8)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMulInteger", ["probes", "rows"], ["products"])],
        "products",
        [onnx.helper.make_tensor_value_info("probes", onnx.TensorProto.UINT8, [64, dimension])],
        [onnx.helper.make_tensor_value_info("products", onnx.TensorProto.INT32, [64, rows])],
        [onnx.numpy_helper.from_array(held, "rows")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    probes = generator.integers(0, 256, (64, dimension), dtype=np.uint8)
    session.run(None, {"probes": probes})
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(repeats):
            session.run(None, {"probes": probes})
        best = max(best, repeats * 64.0 * dimension * rows / (time.perf_counter() - start))
    return best


def faiss_index(vectors: NDArray[np.float32]) -> Any:
    """faiss's exact index over the inner product, or None when it is not installed."""
    try:
        import faiss
    except ImportError:
        return None
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index
