"""Open verified weights for inference: paths, sessions, interpreters, and the generic embedder."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from samebody.config import Settings, load_settings
from samebody.models.contracts import preprocess_images
from samebody.models.errors import (
    ContractError,
    OutputError,
    UnsafeWeightsError,
    WeightsCorruptError,
    WeightsMissingError,
)
from samebody.models.record import ModelRecord
from samebody.models.sniff import require_format
from samebody.models.sources import BundledSource, FileSource
from samebody.models.store import Store
from samebody.types import Pixels, Template

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

_verified: set[tuple[str, int, int, int, str]] = set()
_sessions: dict[tuple[str, int], onnxruntime.InferenceSession] = {}
_sessions_lock = threading.Lock()
_interpreters = threading.local()
_GREETING = b"Created TensorFlow Lite XNNPACK delegate"


def weights_path(record: ModelRecord, settings: Settings | None = None) -> Path:
    """The verified local file that is really run: the derived one where the record derives one.

    A file is hashed once in a process, and again whenever its size, time or place on the disk changed.

    Raises:
        WeightsMissingError: when it is not on this machine; the hint names the command that brings it.
        WeightsCorruptError: when the file is not the one the record names.
    """
    _require_signature(record, settings or load_settings())
    path = locate(record, settings)
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino, record.run_sha256)
    if key not in _verified:
        read_weights(record, settings)
        _verified.add(key)
    return path


def locate(record: ModelRecord, settings: Settings | None = None) -> Path:
    """The local file that is really run, found but not verified; raises WeightsMissingError.

    Raises:
        ContractError: the record has no file.
    """
    if record.weightless:
        raise ContractError(f"{record.id} has no weights: it is code of this package.")
    candidates = [
        Store((settings or load_settings()).models_dir.expanduser()).path(record.run_sha256, record.run_format)
    ]
    if record.derived is None:
        candidates += local_sources(record)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise WeightsMissingError(
        f"the weights of {record.id} are not on this machine.", hint=f"Run: samebody models pull {record.id}"
    )


def local_sources(record: ModelRecord) -> list[Path]:
    """Where the record's bundled and own files stand, whether they are there or not."""
    if record.path is None:
        return []
    from samebody.models.catalogue import BUNDLED_RECORDS

    paths = []
    for source in record.sources:
        if isinstance(source, BundledSource):
            paths.append(BUNDLED_RECORDS / source.path)
        elif isinstance(source, FileSource):
            paths.append(record.path.parent / source.path)
    return paths


def read_weights(record: ModelRecord, settings: Settings | None = None) -> bytes:
    """The bytes that are really run, verified; what is opened is exactly what was hashed.

    Raises:
        WeightsMissingError, WeightsCorruptError: as :func:`weights_path`.
        UnsafeWeightsError: when the content is not of the record's format.
    """
    path = locate(record, settings)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsCorruptError(f"{path} cannot be read: {error.strerror}.") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != record.run_sha256:
        raise WeightsCorruptError(
            f"{path} is not the file that the record of {record.id} names (SHA-256 {digest}).",
            hint=f"Run: samebody models pull {record.id}",
        )
    require_format(data, record.run_format, name=record.id)
    return data


def open_session(
    record: ModelRecord, settings: Settings | None = None, *, threads: int | None = None
) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU, cached for each (weights, threads) of this process.

    Threads run one after the other through the graph and stop spinning when a run ends, so that an idle session
    costs no processor time. Sessions may be shared between threads.

    Args:
        record: of a model whose format is ONNX.
        settings: where the weights are, and the default number of threads.
        threads: within one operator; None takes the setting.

    Raises:
        WeightsMissingError, WeightsCorruptError, UnsafeWeightsError: the file is missing, changed or no ONNX.
        BundleError: the settings ask for signed models, and this one is not signed by a trusted key, or was changed.
    """
    settings = settings or load_settings()
    _require_signature(record, settings)
    _require_run_format(record, "onnx")
    count = threads or settings.session_threads
    key = (record.run_sha256, count)
    with _sessions_lock:
        if key not in _sessions:
            options = onnxruntime.SessionOptions()
            options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
            options.intra_op_num_threads = count
            options.inter_op_num_threads = 1
            options.log_severity_level = 3
            options.add_session_config_entry("session.force_spinning_stop", "1")
            data = read_weights(record, settings)
            try:
                _sessions[key] = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            except Exception as error:  # the runtime's own exceptions share no public base
                raise UnsafeWeightsError(
                    f"ONNX Runtime cannot open the graph of {record.id}: {str(error).splitlines()[0]}",
                    hint="Export the model again, as one file and with standard operators only.",
                ) from None
        return _sessions[key]


def open_tflite(record: ModelRecord, settings: Settings | None = None, *, threads: int | None = None) -> Interpreter:
    """A TFLite interpreter with tensors allocated, cached for each (weights, threads) of the *calling thread*.

    An interpreter keeps its tensors between calls and is not safe to share, so every thread has its own.

    Raises:
        WeightsMissingError, WeightsCorruptError, UnsafeWeightsError: the file is missing, changed or no TFLite.
    """
    from ai_edge_litert.interpreter import Interpreter

    settings = settings or load_settings()
    _require_signature(record, settings)
    _require_run_format(record, "tflite")
    count = threads or settings.session_threads
    cache: dict[tuple[str, int], Interpreter] = _interpreters.__dict__.setdefault("cache", {})
    key = (record.run_sha256, count)
    if key not in cache:
        data = read_weights(record, settings)
        try:
            with _without_greeting():
                interpreter = Interpreter(model_content=data, num_threads=count)
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise UnsafeWeightsError(f"the TFLite runtime cannot open {record.id}: {error}") from None
        cache[key] = interpreter
    return cache[key]


def close_sessions() -> None:
    """Forget all cached sessions, and the interpreters of the calling thread; weights are verified anew after it."""
    with _sessions_lock:
        _sessions.clear()
    _interpreters.__dict__.clear()
    _verified.clear()


def preprocess(record: ModelRecord, aligned: Pixels) -> NDArray[np.float32]:
    """Turn aligned RGB crops into the tensor that the record's input contract asks for.

    Args:
        record: of a model that takes pictures.
        aligned: (height, width, 3) or (count, height, width, 3) uint8 RGB of the contract's size.

    Returns:
        (count, 3, height, width) or (count, height, width, 3) float32, by the contract's layout.

    Raises:
        ContractError: when the crops do not fit the contract.
    """
    return preprocess_images(record.image_input, aligned)


def embed(
    record: ModelRecord, aligned: Pixels, settings: Settings | None = None, *, threads: int | None = None
) -> NDArray[np.float32]:
    """Feature vectors of aligned crops, driven by the record alone.

    Args:
        record: of an embedder.
        aligned: as in :func:`preprocess`.
        settings, threads: as in :func:`open_session`.

    Returns:
        (count, dimensions) float32, unit length.

    Raises:
        ContractError: when the crops do not fit the input contract.
        OutputError: when the model's output does not fit the output contract.
        WeightsMissingError, WeightsCorruptError, UnsafeWeightsError: as :func:`open_session`.
    """
    tensor, contract = preprocess(record, aligned), record.embedding_output
    session = open_session(record, settings, threads=threads)
    name = record.image_input.name or session.get_inputs()[0].name
    outputs = [contract.name] if contract.name else [session.get_outputs()[0].name]
    batches = [tensor] if record.image_input.batch == "free" else [tensor[i : i + 1] for i in range(len(tensor))]
    try:
        raw = np.concatenate([np.asarray(session.run(outputs, {name: batch})[0]) for batch in batches])
    except Exception as error:  # the runtime's own exceptions share no public base
        raise OutputError(
            f"{record.id} refuses an input that its record describes: {str(error).splitlines()[0]}",
            hint=f"Run: samebody models check {record.id}",
        ) from None
    vectors = raw.reshape(len(raw), -1).astype(np.float32)
    if vectors.shape != (len(tensor), contract.dimensions):
        raise OutputError(
            f"{record.id} returned {raw.shape} for {len(tensor)} crops, its record says {contract.dimensions} "
            f"dimensions.",
            hint="Correct [output] dimensions in the record.",
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(vectors)) or np.any(lengths == 0):
        raise OutputError(f"{record.id} returned a feature vector without a direction.", hint="Check the weights.")
    return np.ascontiguousarray(vectors / lengths)


def embed_templates(
    record: ModelRecord, aligned: Pixels, settings: Settings | None = None, *, threads: int | None = None
) -> tuple[Template, ...]:
    """As :func:`embed`, each vector pinned to the record's embedding space."""
    space = record.embedding_space()
    return tuple(Template(vector, space) for vector in embed(record, aligned, settings, threads=threads))


@contextmanager
def _without_greeting() -> Iterator[None]:
    """Keep the TFLite runtime's one line of greeting off standard error; everything else it says passes.

    The runtime writes from native code and has no switch for it. Standard error is a file for some milliseconds,
    once for each model and thread, and what was written to it is passed on afterwards.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # a process without standard error has nothing to keep quiet
        yield
        return
    try:
        with tempfile.TemporaryFile() as said:
            os.dup2(said.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(kept, 2)
                said.seek(0)
                rest = [line for line in said.readlines() if _GREETING not in line]
                if rest:
                    os.write(2, b"".join(rest))
    finally:
        os.close(kept)


def _require_signature(record: ModelRecord, settings: Settings) -> None:
    """Where the settings ask for it, a model of one's own is opened only as it was signed by a trusted key."""
    if settings.require_signed_models and not record.bundled:
        from samebody.models.bundle_install import require_trusted

        require_trusted(record, settings)


def _require_run_format(record: ModelRecord, expected: str) -> None:
    if record.run_format != expected:
        raise ContractError(f"{record.id} runs a {record.run_format} file, not {expected}.")


def describe_session(record: ModelRecord, settings: Settings | None = None) -> dict[str, Any]:
    """Names and shapes of the inputs and outputs that the opened file itself declares."""
    if record.run_format == "onnx":
        session = open_session(record, settings)
        return {
            "inputs": {value.name: list(value.shape) for value in session.get_inputs()},
            "outputs": {value.name: list(value.shape) for value in session.get_outputs()},
        }
    interpreter = open_tflite(record, settings)
    return {
        "inputs": {d["name"]: [int(n) for n in d["shape_signature"]] for d in interpreter.get_input_details()},
        "outputs": {d["name"]: [int(n) for n in d["shape_signature"]] for d in interpreter.get_output_details()},
    }
