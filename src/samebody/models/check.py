"""Hold the local files of records against what the records say: hash, format, contracts, determinism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings
from samebody.errors import SamebodyError
from samebody.models.contracts import ImageInput, TensorInput, preprocess_images
from samebody.models.errors import ContractError, OutputError, WeightsMissingError
from samebody.models.record import FILE_TASKS, ModelRecord
from samebody.models.sessions import describe_session, embed, open_session, open_tflite, read_weights

BATCH_TOLERANCE = 1e-5
"""A batch agrees with one at a time to this (ARCHITECTURE, stage)."""
_FREE_SIZE = 320


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check of one record found.

    Attributes:
        id: of the record.
        status: ``ok``, ``not pulled`` or ``failed``.
        checks: what was held, in order.
        error: the first thing that did not hold.
    """

    id: str
    status: str
    checks: tuple[str, ...] = ()
    error: SamebodyError | None = None


def check_record(record: ModelRecord, settings: Settings | None = None) -> CheckResult:
    """Verify the local file of ``record`` and run it once; never raises for a fault of the file.

    A record without weights has nothing to verify here; that the installed pipeline is the one it names is held by
    :func:`samebody.iris.check.check_iris_record`.
    """
    if record.weightless:
        return CheckResult(record.id, "ok", ("no weights",))
    done: list[str] = []
    try:
        read_weights(record, settings)
        done += ["sha256", "format"]
        if record.task not in FILE_TASKS:
            _check_declared(record, settings)
            done.append("contract")
            _check_run(record, settings)
            done += ["runs", "deterministic"]
            if _check_batch(record, settings):
                done.append("batch equals single")
    except WeightsMissingError as error:
        return CheckResult(record.id, "not pulled", tuple(done), error)
    except SamebodyError as error:
        return CheckResult(record.id, "failed", tuple(done), error)
    return CheckResult(record.id, "ok", tuple(done))


def dummy_input(record: ModelRecord, count: int = 1) -> NDArray[np.float32]:
    """An input that fits the record's contract and looks like nothing: seeded, smooth, within the stated range.

    Returns:
        float32 in the shape that the graph takes, ``count`` pictures where it takes pictures.
    """
    contract, generator = record.input, np.random.default_rng(0)
    if isinstance(contract, TensorInput):
        shape = [size if isinstance(size, int) else count for size in contract.shape]
        return generator.uniform(0, 100, shape).astype(np.float32)
    if not isinstance(contract, ImageInput):
        raise ContractError(f"{record.id} is not run.")
    height, width = contract.height or _FREE_SIZE, contract.width or _FREE_SIZE
    coarse = generator.integers(40, 216, (count, 8, 8, 3), dtype=np.uint8)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    return preprocess_images(contract, np.ascontiguousarray(coarse[:, rows][:, :, columns]))


def run_raw(
    record: ModelRecord, tensor: NDArray[np.float32], settings: Settings | None = None
) -> Mapping[str, NDArray[Any]]:
    """All outputs of a record's model by name, for one input tensor.

    Raises:
        OutputError: when the runtime refuses the input.
        WeightsMissingError, WeightsCorruptError, UnsafeWeightsError: as :func:`samebody.models.open_session`.
    """
    name = record.input.name if record.input else None
    try:
        if record.run_format == "onnx":
            session = open_session(record, settings)
            outputs = [value.name for value in session.get_outputs()]
            return dict(zip(outputs, session.run(outputs, {name or session.get_inputs()[0].name: tensor}), strict=True))
        interpreter = open_tflite(record, settings)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
        interpreter.invoke()
        return {d["name"]: interpreter.get_tensor(d["index"]).copy() for d in interpreter.get_output_details()}
    except SamebodyError:
        raise
    except Exception as error:  # the runtimes' own exceptions share no public base
        raise OutputError(
            f"{record.id} refuses an input that its record describes: {str(error).splitlines()[0]}",
            hint="Correct [input] in the record.",
        ) from None


def expected_outputs(record: ModelRecord) -> dict[str | None, tuple[int | str, ...]]:
    """Output shapes by name, as the record states them; the name None stands for the only output."""
    if record.output is None:
        return {}
    if record.output.kind == "embedding":
        return {record.output.name: ("batch", record.output.dimensions)}
    if record.output.kind == "iris-code":
        return {}
    return {tensor.name: tensor.shape for tensor in record.output.tensors}


def _check_declared(record: ModelRecord, settings: Settings | None) -> None:
    declared = describe_session(record, settings)
    if len(declared["inputs"]) != 1:
        raise ContractError(f"{record.id} has {len(declared['inputs'])} inputs, a record describes one.")
    name = record.input.name if record.input else None
    if name is not None and name not in declared["inputs"]:
        raise ContractError(f"{record.id} has no input {name!r}; it has {', '.join(declared['inputs'])}.")
    for output in expected_outputs(record):
        if output is not None and output not in declared["outputs"]:
            raise ContractError(f"{record.id} has no output {output!r}; it has {', '.join(declared['outputs'])}.")


def _check_run(record: ModelRecord, settings: Settings | None) -> None:
    tensor = dummy_input(record)
    first, second = run_raw(record, tensor, settings), run_raw(record, tensor, settings)
    for name, shape in expected_outputs(record).items():
        value = first[name] if name is not None else next(iter(first.values()))
        if not _fits(value.shape, shape):
            raise OutputError(
                f"{record.id} returns {name or 'an output'} of shape {value.shape}, its record says {shape}."
            )
        if not np.all(np.isfinite(value)):
            raise OutputError(f"{record.id} returns {name or 'an output'} with values that are not finite.")
    for name, value in first.items():
        if not np.array_equal(value, second[name]):
            raise OutputError(f"{record.id} returns another {name} for the same input.")
    if record.task == "face-embedding":
        length = float(np.linalg.norm(next(iter(first.values()))))
        if record.embedding_output.normalised and abs(length - 1) > 1e-3:
            raise OutputError(
                f"{record.id} returns a vector of length {length:.4g}, its record says normalised.",
                hint="Set normalised = false; templates are brought to unit length in any case.",
            )


def _check_batch(record: ModelRecord, settings: Settings | None) -> bool:
    """Whether the model takes batches; raises OutputError when a batch disagrees with one at a time."""
    if not isinstance(record.input, ImageInput) or record.input.batch != "free":
        return False
    batch = dummy_input(record, count=3)
    if record.task == "face-embedding":
        side_by_side = embed(record, _dummy_crops(record, 3), settings)
        alone = np.concatenate([embed(record, crop, settings) for crop in _dummy_crops(record, 3)])
        pairs = [("embedding", side_by_side, alone)]
    else:
        together = run_raw(record, batch, settings)
        single = [run_raw(record, batch[i : i + 1], settings) for i in range(len(batch))]
        pairs = [(name, together[name], np.concatenate([s[name] for s in single])) for name in together]
    for name, first, second in pairs:
        scale = max(1.0, float(np.abs(second).max()))
        if first.shape != second.shape or float(np.abs(first - second).max()) > BATCH_TOLERANCE * scale:
            raise OutputError(f"{record.id} returns another {name} in a batch than alone.", hint='Set batch = "one".')
    return True


def _dummy_crops(record: ModelRecord, count: int) -> NDArray[np.uint8]:
    contract, generator = record.image_input, np.random.default_rng(1)
    shape = (count, contract.height or _FREE_SIZE, contract.width or _FREE_SIZE, 3)
    return generator.integers(0, 256, shape, dtype=np.uint8)


def _fits(actual: tuple[int, ...], stated: tuple[int | str, ...]) -> bool:
    return len(actual) == len(stated) and all(isinstance(s, str) or a == s for a, s in zip(actual, stated, strict=True))
