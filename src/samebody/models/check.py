"""Hold the local files of records against what the records say: hash, format, contracts, determinism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings
from samebody.errors import SamebodyError
from samebody.models.contracts import (
    ClassesOutput,
    EmbeddingOutput,
    ImageInput,
    InputContract,
    IrisCodeOutput,
    MaskOutput,
    ScoreOutput,
    TensorInput,
    preprocess_images,
)
from samebody.models.errors import ContractError, OutputError, WeightsMissingError
from samebody.models.outputs import bona_fide_scores, masks
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


def dummy_inputs(record: ModelRecord, count: int = 1) -> dict[str | None, NDArray[np.float32]]:
    """Inputs that fit the record's contracts and look like nothing: seeded, smooth, within the stated range.

    Returns:
        float32 in the shapes that the graph takes, ``count`` pictures where it takes pictures, by the name of the
        input; None stands for an only input without a name.
    """
    if not record.inputs:
        raise ContractError(f"{record.id} is not run.")
    return {contract.name: _dummy(contract, count) for contract in record.inputs}


def _dummy(contract: InputContract, count: int) -> NDArray[np.float32]:
    if isinstance(contract, TensorInput):
        shape = [size if isinstance(size, int) else count for size in contract.shape]
        return np.random.default_rng(0).uniform(0, 100, shape).astype(np.float32)
    return preprocess_images(contract, _dummy_pictures(contract, count))


def _dummy_pictures(contract: ImageInput, count: int) -> NDArray[np.uint8]:
    height, width = contract.height or _FREE_SIZE, contract.width or _FREE_SIZE
    coarse = np.random.default_rng(0).integers(40, 216, (count, 8, 8, 3), dtype=np.uint8)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    pictures = coarse[:, rows][:, :, columns]
    return np.ascontiguousarray(pictures[..., 0] if contract.colour == "grey" else pictures)


def run_raw(
    record: ModelRecord, tensors: Mapping[str | None, NDArray[np.float32]], settings: Settings | None = None
) -> Mapping[str, NDArray[Any]]:
    """All outputs of a record's model by name, for the tensors of :func:`dummy_inputs`.

    Raises:
        OutputError: when the runtime refuses the input.
        WeightsMissingError, WeightsCorruptError, UnsafeWeightsError: as :func:`samebody.models.open_session`.
    """
    try:
        if record.run_format == "onnx":
            session = open_session(record, settings)
            outputs = [value.name for value in session.get_outputs()]
            fed = {name or session.get_inputs()[0].name: tensor for name, tensor in tensors.items()}
            return dict(zip(outputs, session.run(outputs, fed), strict=True))
        interpreter = open_tflite(record, settings)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], next(iter(tensors.values())))
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
    if isinstance(record.output, EmbeddingOutput):
        return {record.output.name: ("batch", record.output.dimensions)}
    if isinstance(record.output, IrisCodeOutput | ScoreOutput):
        return {}
    if isinstance(record.output, ClassesOutput):
        return {record.output.name: ("batch", len(record.output.classes))}
    if isinstance(record.output, MaskOutput):
        contract = record.output
        return {contract.name: ("batch", len(contract.classes), contract.height or "height", contract.width or "width")}
    return {tensor.name: tensor.shape for tensor in record.output.tensors}


def _check_declared(record: ModelRecord, settings: Settings | None) -> None:
    declared = describe_session(record, settings)
    if len(declared["inputs"]) != len(record.inputs):
        raise ContractError(
            f"{record.id} has {len(declared['inputs'])} inputs, its record describes {len(record.inputs)}."
        )
    for contract in record.inputs:
        if contract.name is not None and contract.name not in declared["inputs"]:
            raise ContractError(f"{record.id} has no input {contract.name!r}; it has {', '.join(declared['inputs'])}.")
    named = [record.output.name] if isinstance(record.output, ScoreOutput) else list(expected_outputs(record))
    for output in named:
        if output is not None and output not in declared["outputs"]:
            raise ContractError(f"{record.id} has no output {output!r}; it has {', '.join(declared['outputs'])}.")


def _check_run(record: ModelRecord, settings: Settings | None) -> None:
    tensors = dummy_inputs(record)
    first, second = run_raw(record, tensors, settings), run_raw(record, tensors, settings)
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
    _check_answer(record, tensors, settings)
    if record.task == "face-embedding":
        length = float(np.linalg.norm(next(iter(first.values()))))
        if record.embedding_output.normalised and abs(length - 1) > 1e-3:
            raise OutputError(
                f"{record.id} returns a vector of length {length:.4g}, its record says normalised.",
                hint="Set normalised = false; templates are brought to unit length in any case.",
            )


def _check_answer(
    record: ModelRecord, tensors: Mapping[str | None, NDArray[np.float32]], settings: Settings | None
) -> None:
    """Hold a detector's or segmenter's answer against the range and shape that its record states."""
    if isinstance(record.output, ScoreOutput):
        samples = [
            _dummy_pictures(contract, 1) if isinstance(contract, ImageInput) else tensors[contract.name]
            for contract in record.inputs
        ]
        names = [contract.name or "" for contract in record.inputs]
        bona_fide_scores(record, dict(zip(names, samples)) if len(samples) > 1 else samples[0], settings)
    elif isinstance(record.output, MaskOutput):
        masks(record, _dummy_pictures(record.image_input, 1), settings)


def takes_batches(record: ModelRecord) -> bool:
    """Whether a batch can be held against one at a time: every input has a free first axis of samples."""
    if isinstance(record.output, ScoreOutput | MaskOutput | ClassesOutput):
        return all(
            contract.batch == "free"
            if isinstance(contract, ImageInput)
            else isinstance(contract.shape[0], str) and all(isinstance(size, int) for size in contract.shape[1:])
            for contract in record.inputs
        )
    return isinstance(record.input, ImageInput) and not record.more_inputs and record.input.batch == "free"


def _check_batch(record: ModelRecord, settings: Settings | None) -> bool:
    """Whether the model takes batches; raises OutputError when a batch disagrees with one at a time."""
    if not takes_batches(record):
        return False
    if record.task == "face-embedding":
        side_by_side = embed(record, _dummy_crops(record, 3), settings)
        alone = np.concatenate([embed(record, crop, settings) for crop in _dummy_crops(record, 3)])
        pairs = [("embedding", side_by_side, alone)]
    else:
        batch = dummy_inputs(record, count=3)
        together = run_raw(record, batch, settings)
        single = [run_raw(record, {n: t[i : i + 1] for n, t in batch.items()}, settings) for i in range(3)]
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
