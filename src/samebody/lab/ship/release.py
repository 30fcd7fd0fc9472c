"""All steps of a release from one file: export, quantise, gates, record, signature."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from samebody.config import Settings, load_settings
from samebody.lab.data.files import faults, write_bytes
from samebody.lab.evaluate.errors import optional
from samebody.lab.evaluate.rules import Rules, load_rules
from samebody.lab.ship.errors import GateFailedError, SamplesError
from samebody.lab.ship.folder import CALIBRATION, EXPORT, FLOAT_MODEL, GATES, HELD, INT8_MODEL, QUANTISED, RUN
from samebody.lab.ship.gate_file import AccuracyGate, Draws, Gate, GateFile, LatencyGate, SizeGate
from samebody.lab.ship.gates import GateReport, run_gates
from samebody.lab.ship.graph import clean_graph, input_names, read_graph
from samebody.lab.ship.quantise import Quantised, QuantiseOptions, quantise
from samebody.lab.ship.record import Declaration, Papers, write_bundle_folder
from samebody.lab.ship.samples import Samples, load_samples, picture_samples
from samebody.lab.ship.sign import read_key, sign_folder, write_archive
from samebody.models.contracts import ImageInput
from samebody.models.record import ModelRecord

BUNDLE, EXPORTED = "bundle", "export"


class ExportStep(Rules):
    """How the run is exported; see :func:`samebody.lab.train.export.export_run`."""

    weights: Literal["best", "last"] = "best"
    opset: int = Field(default=18, ge=18, le=25)
    tolerance: float = Field(default=1e-4, gt=0, lt=1)
    samples: int = Field(default=512, ge=1)
    calibration: int = Field(default=256, ge=1)
    prelu_as_convolutions: bool = False


class Pictures(Rules):
    """Samples from pictures, fitted to the record's input.

    Attributes:
        folder: a data set or a folder of pictures.
        version, split: of a data set.
        limit: pictures at most.
    """

    folder: str
    version: str | None = None
    split: str = ""
    limit: int = Field(default=512, ge=1)


class SignStep(Rules):
    """With which key, and into which archive."""

    key: str
    archive: str = Field(default="", pattern=r"^([A-Za-z0-9._@-]+\.(zip|tar|tar\.gz|tgz))?$")


class ReleaseFile(Rules):
    """A release.

    Attributes:
        ship: version of the format.
        run: folder of `samebody train`; or
        model: an ONNX file, with ``samples`` and, for int8, ``calibration``.
        samples, calibration: an ``.npz`` or pictures; those of the export otherwise.
        out: folder of the release with what each step leaves: the export in ``export``, the bundle in ``bundle``.
        export, quantise, sign: the steps; without ``quantise`` the float graph is shipped, without ``sign`` unsigned.
        against: an ONNX file that the gates compare with; the float graph otherwise.
        bootstrap, gates: as in a gate file.
        on_refusal: what follows when the gates refuse int8: ``refuse`` the release, or ship the ``float`` graph if it
            keeps those gates that do not compare with it.
        record: what people declare.
    """

    ship: Literal[1]
    run: str = ""
    model: str = ""
    samples: str | Pictures | None = None
    calibration: str | Pictures | None = None
    out: str
    export: ExportStep = ExportStep()
    quantise: QuantiseOptions | None = None
    against: str = ""
    bootstrap: Draws = Draws()
    gates: tuple[Gate, ...] = ()
    on_refusal: Literal["refuse", "float"] = "refuse"
    record: Declaration
    sign: SignStep | None = None

    @model_validator(mode="after")
    def _one_source(self) -> ReleaseFile:
        if bool(self.run) == bool(self.model):
            raise ValueError("give run or model, one of them")
        if self.model and self.quantise is not None and self.calibration is None:
            raise ValueError("an ONNX file needs calibration samples for int8")
        if self.model and self.gates and self.samples is None:
            raise ValueError("an ONNX file needs samples for its gates")
        if self.quantise is not None and not self.gates:
            raise ValueError("an int8 graph needs gates: nobody knows what it lost")
        return self


@dataclass(frozen=True, slots=True)
class Released:
    """A release.

    Attributes:
        folder: of the bundle.
        record: in it.
        kind: ``int8`` or ``float``.
        report: of the gates; None without gates.
        refused: of the int8 graph, when the float one was shipped instead.
        signer: public key; empty when it is not signed.
        archive: the bundle as one file; None without.
    """

    folder: Path
    record: ModelRecord
    kind: Literal["int8", "float"]
    report: GateReport | None
    refused: GateReport | None
    signer: str
    archive: Path | None


def load_release(path: Path | str) -> ReleaseFile:
    """Read a release file.

    Raises:
        RuleFileMissingError, RuleFileError: it is not there, or has mistakes, all of them named with their lines.
    """
    return load_rules(path, ReleaseFile)


def release(
    file: ReleaseFile,
    base: Path,
    settings: Settings | None = None,
    progress: Callable[[str], None] = lambda step: None,
    *,
    cache: Path | None = None,
) -> Released:
    """Take every step; an older bundle is replaced only when all of them went well.

    Args:
        file: what is released.
        base: folder that its paths start from.
        settings: for the smoke run of the record.
        progress: told each step.
        cache: where the task of a run keeps its prepared data.

    Raises:
        GateFailedError: a gate refuses; the reports lie in the release's folder, an older bundle is untouched.
        MissingExtraError: a run is exported and torch is not installed.
        SamebodyError: of the steps.
    """
    settings = settings or load_settings()
    out = base / file.out
    key = read_key(base / file.sign.key) if file.sign else None  # before the work, not after it
    with faults(out):
        out.mkdir(parents=True, exist_ok=True)
    progress("export")
    float_graph, papers = _float(file, base, out, cache)
    samples = _samples(file.samples, out / EXPORTED / HELD, base, file, float_graph, settings) if file.gates else None
    made: Quantised | None = None
    if file.quantise is not None:
        progress("quantise")
        calibration = _samples(file.calibration, out / EXPORTED / CALIBRATION, base, file, float_graph, settings)
        made = quantise(float_graph, calibration, file.quantise)
        write_bytes(out / INT8_MODEL, made.data)
        write_json(out / QUANTISED, quantised_fields(made, file.quantise))
    against = read_graph(base / file.against) if file.against else None
    weights, report, refused = float_graph, None, None
    if made is not None:
        report = _judge(file, file.gates, made.data, against or float_graph, samples, out / GATES, progress)
        weights = made.data
        if not report.passed and file.on_refusal == "float":
            write_json(out / "gates.int8.json", report.to_dict())
            weights, refused, made = float_graph, report, None
        else:
            report.require()
    if made is None and file.gates:
        gates = file.gates if against is not None else tuple(g for g in file.gates if not _compares(g))
        report = _judge(file, gates, float_graph, against, samples, out / GATES, progress) if gates else None
        if report is not None:
            report.require()
    progress("record")
    full = Papers(
        papers.export,
        None if made is None or file.quantise is None else quantised_fields(made, file.quantise),
        None if report is None else report.to_dict(),
        papers.run,
        None if refused is None else refused.to_dict(),
    )
    return _bundle(file, base, out, weights, full, key, settings, progress, report, refused)


def _bundle(
    file: ReleaseFile,
    base: Path,
    out: Path,
    weights: bytes,
    papers: Papers,
    key: bytes | None,
    settings: Settings,
    progress: Callable[[str], None],
    report: GateReport | None,
    refused: GateReport | None,
) -> Released:
    """Make the bundle beside its place, sign it, and put it there."""
    target = out / BUNDLE
    with faults(out):
        work = Path(tempfile.mkdtemp(prefix=".bundle-", dir=out))
    try:
        fresh = work / BUNDLE
        record = write_bundle_folder(file.record, weights, papers, fresh, settings)
        signer, archive = "", None
        if key is not None and file.sign is not None:
            progress("sign")
            signer = sign_folder(fresh, key).signer
            if file.sign.archive:
                archive = write_archive(fresh, out / file.sign.archive, key)
        with faults(target):
            if target.exists():
                target.rename(work / "old")
            fresh.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    located = record.located(target / "record.toml", bundled=False)
    kind: Literal["int8", "float"] = "float" if papers.quantised is None else "int8"
    return Released(target, located, kind, report, refused, signer, archive)


def _float(file: ReleaseFile, base: Path, out: Path, cache: Path | None) -> tuple[bytes, Papers]:
    if file.model:
        graph = clean_graph(read_graph(base / file.model), prelu_as_convolutions=file.export.prelu_as_convolutions)
        write_bytes(out / FLOAT_MODEL, graph)
        return graph, Papers()
    optional("torch", "exporting a run", "train")
    from samebody.lab.train.export import export_run

    exported = out / EXPORTED
    export_run(base / file.run, exported, cache=cache, **file.export.model_dump())
    export = json.loads((exported / EXPORT).read_text(encoding="utf-8"))
    return read_graph(exported / FLOAT_MODEL), Papers(export=export, run=(exported / RUN).read_bytes())


def _samples(
    said: str | Pictures | None, default: Path, base: Path, file: ReleaseFile, graph: bytes, settings: Settings
) -> Samples:
    names = input_names(graph)
    if isinstance(said, Pictures):
        contract = file.record.input
        if len(names) != 1 or not isinstance(contract, ImageInput):
            raise SamplesError("pictures fit a graph with one input of pictures only.", hint="Give an .npz.")
        return picture_samples(
            base / said.folder,
            contract,
            names[0],
            version=said.version,
            split=said.split,
            limit=said.limit,
            settings=settings,
        )
    return load_samples(base / said if said else default, names)


def _judge(
    file: ReleaseFile,
    gates: tuple[Any, ...],
    candidate: bytes,
    against: bytes | None,
    samples: Samples | None,
    place: Path,
    progress: Callable[[str], None],
) -> GateReport:
    assert samples is not None
    asked = GateFile(schema_version=1, title=file.record.id, bootstrap=file.bootstrap, gates=gates)
    report = run_gates(asked, candidate, against, samples, lambda title: progress(f"gate: {title}"))
    write_json(place, report.to_dict())
    return report


def _compares(gate: Gate) -> bool:
    """Whether a gate compares with another model."""
    if isinstance(gate, AccuracyGate):
        return gate.at_most is None or gate.metric in ("disagreement", "fnmr", "fmr")
    if isinstance(gate, LatencyGate):
        return gate.at_most_ratio is not None
    return isinstance(gate, SizeGate) and gate.at_most_ratio is not None


def quantised_fields(made: Quantised, options: QuantiseOptions) -> dict[str, Any]:
    """The content of ``quantise.json``."""
    fields = {key: value for key, value in asdict(made).items() if key != "data"}
    return {"quantise": 1, "options": options.model_dump(mode="json"), **fields}


def write_json(path: Path, content: Any) -> None:
    """Write JSON whole or not at all."""
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


__all__ = ["GateFailedError", "ReleaseFile", "Released", "load_release", "quantised_fields", "release", "write_json"]
