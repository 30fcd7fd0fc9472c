"""What detectors and segmenters answer, driven by the record alone: likelihoods of bona fide, and masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings
from samebody.models.contracts import ImageInput, preprocess_images
from samebody.models.errors import ContractError, OutputError
from samebody.models.record import ModelRecord
from samebody.models.sessions import open_session
from samebody.types import Pixels

Inputs = NDArray[Any] | Mapping[str, NDArray[Any]]
"""One array for the only input of a record, or one a name: uint8 pictures for an image input, float32 for a tensor."""


def feed(record: ModelRecord, inputs: Inputs, default_name: str) -> dict[str, NDArray[np.float32]]:
    """The tensors that the graph takes, by the names of its inputs.

    Args:
        record: of a model that is run.
        inputs: pictures are preprocessed by the contract; tensors are passed as float32.
        default_name: of the graph's only input, where the record does not name it.

    Raises:
        ContractError: when names, shapes or dtypes are not those of the contracts, or the counts differ.
    """
    contracts = {contract.name or default_name: contract for contract in record.inputs}
    given = inputs if isinstance(inputs, Mapping) else {next(iter(contracts), default_name): inputs}
    if set(given) != set(contracts):
        raise ContractError(f"{record.id} takes {', '.join(contracts)}; got {', '.join(given) or 'nothing'}.")
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, contract in contracts.items():
        value = given[name]
        if isinstance(contract, ImageInput):
            tensors[name] = preprocess_images(contract, value)
            continue
        stated = contract.shape
        if value.ndim != len(stated) or any(isinstance(s, int) and a != s for a, s in zip(value.shape, stated)):
            raise ContractError(f"{record.id} takes {name} of shape {list(stated)}, got {list(value.shape)}.")
        tensors[name] = np.ascontiguousarray(value, dtype=np.float32)
    if len({len(tensor) for tensor in tensors.values()}) != 1:
        raise ContractError(f"{record.id} takes as many of one input as of the other.")
    return tensors


def run(
    record: ModelRecord,
    inputs: Inputs,
    output: str | None,
    settings: Settings | None = None,
    *,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """One output of a record's ONNX model, float32, first axis the samples.

    Args:
        record: of a model that is run.
        inputs: as :func:`feed` takes them.
        output: name of the graph's output; None means the first.
        settings, threads: as in :func:`samebody.models.open_session`.

    Raises:
        ContractError: the input does not fit the contract.
        OutputError: the runtime refuses the input, or the result is not finite.
        WeightsMissingError, WeightsCorruptError, UnsafeWeightsError: as :func:`samebody.models.open_session`.
    """
    session = open_session(record, settings, threads=threads)
    tensors = feed(record, inputs, session.get_inputs()[0].name)
    names = [output or session.get_outputs()[0].name]
    single = any(isinstance(c, ImageInput) and c.batch == "one" for c in record.inputs)
    count = len(next(iter(tensors.values())))
    steps = [slice(i, i + 1) for i in range(count)] if single else [slice(0, count)]
    try:
        parts = [np.asarray(session.run(names, {n: t[step] for n, t in tensors.items()})[0]) for step in steps]
    except Exception as error:  # the runtime's own exceptions share no public base
        raise OutputError(
            f"{record.id} refuses an input that its record describes: {str(error).splitlines()[0]}",
            hint=f"Run: samebody models check {record.id}",
        ) from None
    result: NDArray[np.float32] = np.concatenate(parts).astype(np.float32, copy=False)
    if len(result) != count or not np.isfinite(result).all():
        raise OutputError(f"{record.id} returned values that are not finite, or not one a sample.")
    return result


def bona_fide_scores(
    record: ModelRecord, inputs: Inputs, settings: Settings | None = None, *, threads: int | None = None
) -> NDArray[np.float32]:
    """Likelihood of bona fide of each sample: 0 an attack, 1 bona fide, whichever way round the graph counts.

    Args:
        record: of a detector of attacks.
        inputs: as :func:`feed` takes them.
        settings, threads: as in :func:`samebody.models.open_session`.

    Returns:
        (count,) float32 in 0-1.

    Raises:
        ContractError: the record is of no detector, or the input does not fit it.
        OutputError: the answer is not one number a sample within the range that the record states.
    """
    contract = record.score_output
    raw = run(record, inputs, contract.name, settings, threads=threads)
    if raw.size != len(raw):
        raise OutputError(f"{record.id} returned shape {raw.shape}, its record says one score a sample.")
    values = raw.reshape(-1)
    if contract.scale == "log-odds":
        with np.errstate(over="ignore"):
            odds = np.exp(values if contract.bona_fide == "low" else -values)
        likelihoods: NDArray[np.float32] = (1 / (1 + odds)).astype(np.float32, copy=False)
        return likelihoods
    slack = 1e-5 * (contract.high - contract.low)
    if values.size and (values.min() < contract.low - slack or values.max() > contract.high + slack):
        raise OutputError(
            f"{record.id} returned {values.min():g} to {values.max():g}, its record says "
            f"{contract.low:g} to {contract.high:g}.",
            hint="Correct [output] low and high in the record.",
        )
    likelihood = (values - np.float32(contract.low)) / np.float32(contract.high - contract.low)
    if contract.bona_fide == "low":
        likelihood = np.float32(1) - likelihood
    clipped: NDArray[np.float32] = np.clip(likelihood, 0.0, 1.0).astype(np.float32, copy=False)
    return clipped


def masks(
    record: ModelRecord, images: Pixels, settings: Settings | None = None, *, threads: int | None = None
) -> NDArray[np.float32]:
    """Probability of each class at each pixel of the map.

    Args:
        record: of a segmenter.
        images: uint8 of the input contract's size: RGB, or grey where the contract says so.
        settings, threads: as in :func:`samebody.models.open_session`.

    Returns:
        (count, classes, height, width) float32 in 0-1, channels in the order of ``record.mask_output.classes``.

    Raises:
        ContractError: the record is of no segmenter, or the pictures do not fit it.
        OutputError: the answer does not have the shape or range that the record states.
    """
    contract = record.mask_output
    raw = run(record, images, contract.name, settings, threads=threads)
    size = images.shape[-2:] if record.image_input.colour == "grey" else images.shape[-3:-1]
    expected = (
        len(raw),
        len(contract.classes),
        contract.height or -(-size[0] // contract.stride),
        contract.width or -(-size[1] // contract.stride),
    )
    if raw.shape != expected:
        raise OutputError(f"{record.id} returned shape {raw.shape}, its record says {expected}.")
    if contract.values == "logits":
        if contract.exclusive:
            raw = np.exp(raw - raw.max(axis=1, keepdims=True))
            shares: NDArray[np.float32] = raw / raw.sum(axis=1, keepdims=True)
            return shares
        with np.errstate(over="ignore"):
            single: NDArray[np.float32] = np.float32(1) / (np.float32(1) + np.exp(-raw))
            return single
    if raw.size and (raw.min() < -1e-5 or raw.max() > 1 + 1e-5):
        raise OutputError(f"{record.id} returned {raw.min():g} to {raw.max():g}, its record says probabilities.")
    return np.clip(raw, 0.0, 1.0)
