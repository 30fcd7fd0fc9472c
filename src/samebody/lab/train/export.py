"""From a training run to an ONNX file that answers as the network does, held against it on real inputs."""

from __future__ import annotations

import json
import logging
import platform
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from samebody.config import load_settings
from samebody.lab.data.files import faults
from samebody.lab.ship.errors import ParityError, SamplesError, ShipError
from samebody.lab.ship.folder import CALIBRATION, EXPORT, FLOAT_MODEL, HELD, RUN
from samebody.lab.ship.graph import clean_graph, digest_of, opset_of, outputs_of, parameters_of, session_of
from samebody.lab.ship.samples import COLUMNS, Samples
from samebody.lab.ship.sign import fresh_folder
from samebody.lab.train.compress.qdq import fold_weights
from samebody.lab.train.run import OpenedRun, open_run
from samebody.lab.train.task import Example, Source

OPSET = 18
"""The lowest version that the exporter writes without converting; ONNX Runtime 1.14 and later run it."""
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the ONNX graph is from the network on real inputs.

    Attributes:
        output: its name.
        largest: absolute difference, of all samples and numbers.
        scale: largest absolute value that the network answers; the tolerance counts relative to it where it is above 1.
        samples: real inputs.
        batches: how many samples ran at a time, each in turn.
    """

    output: str
    largest: float
    scale: float
    samples: int
    batches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """An export.

    Attributes:
        folder: with ``model.onnx``, ``export.json``, ``run.json``, ``calibration.npz``, ``held.npz``.
        sha256, bytes, parameters, opset: of the graph.
        parity: of each output.
        calibration, held: samples written.
    """

    folder: Path
    sha256: str
    bytes: int
    parameters: int
    opset: int
    parity: tuple[Parity, ...]
    calibration: int
    held: int


def export_run(
    run: Path | str,
    out: Path | str,
    *,
    weights: str = "best",
    opset: int = OPSET,
    tolerance: float = TOLERANCE,
    samples: int = 512,
    calibration: int = 256,
    cache: Path | None = None,
    prelu_as_convolutions: bool = False,
) -> Exported:
    """Export a run, check it, and write all that the next steps need without torch.

    ``calibration.npz`` holds inputs that the run learned from, ``held.npz`` inputs that it did not, with what the task
    knows of them; the parity check runs on the latter.

    Args:
        run: folder of `samebody train`.
        out: new folder; an older export there is replaced.
        weights: ``best`` or ``last``.
        opset: version of the standard operators, 18 or later.
        tolerance: largest difference to the network that is accepted, relative to its largest answer above 1.
        samples, calibration: inputs of each kind at most; fewer when there are fewer.
        cache: where the task keeps its prepared data; as in training.
        prelu_as_convolutions: write PRelu as convolutions, which the runtime computes faster (ADR 0014).

    Raises:
        RunFolderError, CheckpointError: the run cannot be opened.
        ShipError: it cannot be exported, or its inputs do not fit.
        ParityError: the graph answers otherwise; nothing is written.
        StorageError: the folder cannot be written.
    """
    opened = open_run(run, weights=weights)
    module, example = opened.task.exported(opened.network)
    module = module.eval()
    data = opened.task.data(_cache(cache), seed=opened.recipe.seed)
    identity = json.loads(json.dumps(dict(data.identity)))
    if identity != opened.record["data"]["identity"]:
        raise ShipError(
            "the data of the run have changed since it was trained.",
            hint="Bring back the version of the data that its run.json names, or train again.",
        )
    held = source_samples(data.held, example, samples, f"held back by {opened.recipe.id}")
    learned = source_samples(data.train, example, calibration, f"training samples of {opened.recipe.id}")
    graph = export_module(module, example, opset=opset, prelu_as_convolutions=prelu_as_convolutions)
    parity = check_parity(module, graph, example, held, tolerance)
    exported = Exported(
        Path(out),
        digest_of(graph),
        len(graph),
        parameters_of(graph),
        opset_of(graph),
        parity,
        len(learned),
        len(held),
    )
    about = _about(opened, exported, weights, tolerance)
    fresh_folder(
        Path(out),
        {
            FLOAT_MODEL: graph,
            EXPORT: (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode(),
            RUN: (Path(run) / "run.json").read_bytes(),
            CALIBRATION: learned.packed(),
            HELD: held.packed(),
        },
        replaces=EXPORT,
    )
    return exported


def export_module(
    module: nn.Module, example: Example, *, opset: int = OPSET, prelu_as_convolutions: bool = False
) -> bytes:
    """A torch module as a cleaned ONNX graph with a free batch.

    Raises:
        ShipError: the exporter refuses the module, or its graph is not valid.
    """
    batch = torch.export.Dim("batch", min=1)
    # traced with two samples: a batch of one would be taken for a constant
    inputs = torch.cat([example.input, example.input]).detach()
    with tempfile.TemporaryDirectory(prefix="samebody-export-") as folder, _quiet():
        path = Path(folder) / "model.onnx"
        try:
            program = torch.onnx.export(
                module,
                (inputs,),
                dynamo=True,
                opset_version=opset,
                input_names=[example.input_name],
                output_names=list(example.output_names),
                dynamic_shapes=({0: batch},),
                optimize=True,
                verbose=False,
            )
            program.save(path, external_data=False)
        except Exception as error:  # the exporter's own exceptions share no public base
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ShipError(f"the network cannot be exported: {first}") from None
        data = path.read_bytes()
    graph = clean_graph(data, prelu_as_convolutions=prelu_as_convolutions)
    if b"QuantizeLinear" in graph:  # trained quantised: weights become the integers that the network rounds them to
        graph = fold_weights(graph)
    if opset_of(graph) != opset:
        raise ShipError(f"the exporter wrote operators of version {opset_of(graph)}, asked for was {opset}.")
    shape = session_of(graph).get_inputs()[0].shape
    if isinstance(shape[0], int):
        raise ShipError("the batch of the exported graph is fixed.", hint="The network must not depend on its size.")
    return graph


@torch.no_grad()
def check_parity(
    module: nn.Module, graph: bytes, example: Example, samples: Samples, tolerance: float = TOLERANCE
) -> tuple[Parity, ...]:
    """Run both on the same inputs, one at a time and in batches.

    Raises:
        ParityError: an output differs by more than the tolerance, or is not finite.
    """
    inputs = torch.from_numpy(samples.tensors[example.input_name])
    answers = [_answers(module(inputs[n : n + 64]), example) for n in range(0, len(inputs), 64)]
    expected = {name: np.concatenate([part[name] for part in answers]) for name in example.output_names}
    sizes = tuple(sorted({1, min(16, len(samples)), min(64, len(samples))}))
    few = {1: samples.limited(32)}
    session = session_of(graph)
    found = []
    for name in example.output_names:
        whole = expected[name]
        largest = 0.0
        for size in sizes:
            some = few.get(size, samples)
            places = _places(len(samples), len(some))
            answered = outputs_of(session, some, batch=size)[name]
            if answered.shape != whole[places].shape or not np.isfinite(answered).all():
                raise ParityError(
                    f"the exported graph answers {name} of shape {list(answered.shape)}, the network "
                    f"{list(whole[places].shape)}, or with values that are not finite."
                )
            largest = max(largest, float(np.abs(answered.astype(np.float64) - whole[places]).max()))
        scale = float(np.abs(whole).max())
        found.append(Parity(name, largest, scale, len(samples), sizes))
    wrong = [p for p in found if not p.largest <= tolerance * max(1.0, p.scale)]
    if wrong:
        what = "; ".join(f"{p.output} by {p.largest:.3g} (answers up to {p.scale:.3g})" for p in wrong)
        raise ParityError(
            f"the exported graph differs from the network: {what}; accepted is {tolerance:g}.",
            hint="Look for operations that depend on the size of the batch, or on training mode.",
        )
    return tuple(found)


def _places(whole: int, some: int) -> NDArray[np.int64]:
    """The places that :meth:`Samples.limited` keeps."""
    if some == whole:
        return np.arange(whole)
    return np.sort(np.random.default_rng(0).permutation(whole)[:some])


def _answers(output: Any, example: Example) -> dict[str, NDArray[np.float64]]:
    if isinstance(output, Mapping):
        missing = [name for name in example.output_names if name not in output]
        if missing:
            raise ShipError(f"the network answers {', '.join(output)}, and not {', '.join(missing)}.")
        return {name: output[name].double().numpy() for name in example.output_names}
    values = [output] if isinstance(output, Tensor) else list(output)
    if len(values) != len(example.output_names):
        raise ShipError(f"the network answers {len(values)} tensors, its task names {len(example.output_names)}.")
    return {name: value.double().numpy() for name, value in zip(example.output_names, values)}


def source_samples(source: Source, example: Example, count: int, name: str) -> Samples:
    """At most ``count`` samples of a task's source, drawn with a fixed seed, with what the source knows of them.

    Raises:
        SamplesError: there are none, or they do not fit the example.
    """
    if not len(source):
        raise SamplesError(f"there are no samples ({name}).")
    places = np.sort(np.random.default_rng(0).permutation(len(source))[:count]).astype(np.int64)
    parts = [source.batch(places[start : start + 64], 0) for start in range(0, len(places), 64)]
    tensors = torch.cat([part["input"] for part in parts]).float()
    if tensors.shape[1:] != example.input.shape[1:] or len(tensors) != len(places):
        raise SamplesError(
            f"the task's samples have shape {list(tensors.shape)}, its exported network takes "
            f"{['batch', *example.input.shape[1:]]}."
        )
    columns: dict[str, NDArray[Any]] = {}
    for column, values in source.columns.items():
        key = "name" if column == "sample" else column
        if key in COLUMNS:
            columns[key] = np.asarray(values)[places]
    for key in ("label", "mask"):
        if key in parts[0]:
            columns[key] = torch.cat([part[key] for part in parts]).numpy()
    columns = {key: v.astype(np.str_) if v.dtype == object else v for key, v in columns.items()}
    return Samples({example.input_name: np.ascontiguousarray(tensors.numpy())}, columns, name)


def _about(opened: OpenedRun, exported: Exported, weights: str, tolerance: float) -> dict[str, Any]:
    record = opened.record
    return {
        "export": 1,
        "model": {name: getattr(exported, name) for name in ("sha256", "bytes", "parameters", "opset")},
        "parity": [asdict(entry) for entry in exported.parity],
        "tolerance": tolerance,
        "samples": {"calibration": exported.calibration, "held": exported.held},
        "run": {
            "recipe": opened.recipe.id,
            "recipe_digest": record["recipe_digest"],
            "data": record["data"]["identity"],
            "code": record["code"],
            "seed": opened.recipe.seed,
            "weights": weights,
            "weights_sha256": opened.weights_sha256,
        },
        "made_with": {
            "samebody": version("samebody"),
            "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        },
    }


def _cache(cache: Path | None) -> Path:
    folder = cache or load_settings().models_dir.parent / "train"
    with faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints its progress and warns of what does not concern the result."""
    import contextlib
    import io

    names = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
