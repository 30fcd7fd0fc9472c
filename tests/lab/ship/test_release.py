"""A release from one file, without torch: what is shipped installs and runs; what is refused is not shipped."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from samebody.cli.main import cli
from samebody.config import Settings
from samebody.lab.evaluate.errors import MissingExtraError
from samebody.lab.evaluate.rules import RuleFileError
from samebody.lab.ship.errors import GateFailedError, ShipError
from samebody.lab.ship.graph import clean_graph, outputs_of, session_of
from samebody.lab.ship.record import Declaration, Papers, card_of, make_record
from samebody.lab.ship.release import load_release, release
from samebody.lab.ship.samples import Samples
from samebody.lab.ship.toml import record_toml
from samebody.models import bona_fide_scores, catalogue, read_records
from samebody.models.bundle_install import add_bundle
from samebody.models.errors import OutputError
from samebody.models.record import ModelRecord
from tests.lab.ship.graphs import SIDE, detector, pictures

RECORD: dict[str, Any] = {
    "id": "own/tiny-pad",
    "version": "1",
    "task": "presentation-attack-detection",
    "title": "A tiny detector for tests",
    "input": {
        "kind": "image",
        "name": "input",
        "width": SIDE,
        "height": SIDE,
        "colour": "rgb",
        "layout": "nchw",
        "mean": 127.5,
        "scale": 0.02,
    },
    "output": {"kind": "score", "name": "out", "meaning": "likelihood of bona fide"},
    "licence": {
        "spdx": "Apache-2.0",
        "commercial_use": "yes",
        "why": "made by the tests of samebody",
        "notice": "the samebody authors",
    },
    "provenance": {
        "training_data": "none at all",
        "intended_use": "tests",
        "known_limits": ["knows nothing"],
    },
    "detection": {"unsure": [0.4, 0.6]},
}
WEIGHTS = clean_graph(detector())
GATES: list[dict[str, Any]] = [
    {"kind": "accuracy", "metric": "disagreement", "at_most": 0.15, "threshold": 0.5},
    {"kind": "size", "at_most_ratio": 0.6},
    {"kind": "parameters", "at_most": 100_000},
]


def folder_with(tmp_path: Path, **changes: Any) -> Path:
    """A folder with a float graph, samples, a key and a release file."""
    graph = clean_graph(detector(channels=32))
    (tmp_path / "float.onnx").write_bytes(graph)
    for name, seed in (("held", 1), ("calibration", 2)):
        some = Samples({"input": pictures(300 if name == "held" else 64, seed=seed)})
        score = outputs_of(session_of(graph), some)["out"][:, 0]
        columns = {"label": (score > 0.5).astype(np.int64)}
        (tmp_path / f"{name}.npz").write_bytes(Samples(some.tensors, columns).packed())
    if not (tmp_path / "key").exists():
        run_command("ship", "keygen", "--out", str(tmp_path / "key"))
    fields: dict[str, Any] = {
        "ship": 1,
        "model": "float.onnx",
        "samples": "held.npz",
        "calibration": "calibration.npz",
        "out": "released",
        "quantise": {"method": "minmax"},
        "bootstrap": {"replicates": 200},
        "gates": GATES,
        "record": RECORD,
        "sign": {"key": "key", "archive": "tiny.zip"},
        **changes,
    }
    (tmp_path / "release.yaml").write_text(yaml.safe_dump({k: v for k, v in fields.items() if v is not None}))
    return tmp_path / "release.yaml"


def run_command(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def machine(tmp_path: Path) -> Settings:
    return Settings(
        models_dir=tmp_path / "models",
        records_dirs=(tmp_path / "own",),
        trusted_keys=(str(tmp_path / "key.pub"),),
        require_signed_models=True,
        threads=1,
    )


def test_one_file_makes_a_signed_int8_model_that_installs_and_runs(tmp_path: Path) -> None:
    result = run_command("ship", str(folder_with(tmp_path)), "--json")
    fields = json.loads(result.stdout)
    assert fields["kind"] == "int8" and fields["gates"]["passed"] and fields["signer"]
    settings = machine(tmp_path)
    assert add_bundle(tmp_path / "released" / "tiny.zip", settings).action == "added"
    record = catalogue(settings)["own/tiny-pad"]
    picture = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)
    scores = bona_fide_scores(record, picture, settings)
    assert scores.shape == (3,) and record.sha256 == fields["sha256"]
    card = (tmp_path / "released" / "bundle" / "card.md").read_text()
    for words in ("## Quantisation", "## Gates", "disagreement", "not validated on real attacks", "kept"):
        assert words in card, words
    assert any("not validated" in limit for limit in record.provenance.known_limits)


def test_the_same_release_twice_is_the_same_archive(tmp_path: Path) -> None:
    gates = [gate for gate in GATES if gate["kind"] != "latency"]
    file = folder_with(tmp_path, gates=gates)
    release(load_release(file), tmp_path)
    first = (tmp_path / "released" / "tiny.zip").read_bytes()
    release(load_release(file), tmp_path)
    assert (tmp_path / "released" / "tiny.zip").read_bytes() == first
    assert not list((tmp_path / "released").glob(".bundle-*"))


def test_a_refused_release_says_why_and_leaves_the_older_bundle(tmp_path: Path) -> None:
    file = folder_with(tmp_path)
    release(load_release(file), tmp_path)
    before = {p.name: p.read_bytes() for p in (tmp_path / "released" / "bundle").iterdir()}
    strict = folder_with(tmp_path, gates=[*GATES, {"kind": "size", "at_most_bytes": 100}])
    with pytest.raises(GateFailedError, match="size: at most 100 bytes"):
        release(load_release(strict), tmp_path)
    assert {p.name: p.read_bytes() for p in (tmp_path / "released" / "bundle").iterdir()} == before
    report = json.loads((tmp_path / "released" / "gates.json").read_text())
    assert report["passed"] is False


def test_where_int8_is_refused_the_float_graph_may_be_shipped_and_the_card_says_so(tmp_path: Path) -> None:
    gates = [*GATES, {"kind": "accuracy", "metric": "error", "threshold": 0.5, "at_most": 0.001, "name": "strict"}]
    done = release(
        load_release(folder_with(tmp_path, gates=gates[:1] + gates[2:3] + [{"kind": "size", "at_most_ratio": 0.01}],
                                 on_refusal="float")), tmp_path
    )  # fmt: skip
    assert done.kind == "float" and done.refused is not None and done.report is not None
    assert [o.gate for o in done.report.outcomes] == ["parameters: at most 100,000"]
    card = (done.folder / "card.md").read_text()
    assert "which was refused; this is the float graph" in card and "broken" in card
    assert (done.folder / "gates.int8.json").is_file()
    assert add_bundle(done.folder, machine(tmp_path)).action == "added"


def test_a_float_model_alone_is_shipped_by_absolute_gates(tmp_path: Path) -> None:
    gates = [{"kind": "accuracy", "metric": "error", "threshold": 0.5, "at_most": 0.1}]
    done = release(
        load_release(folder_with(tmp_path, quantise=None, calibration=None, gates=gates, sign=None)), tmp_path
    )
    assert done.kind == "float" and done.signer == "" and done.report is not None and done.report.passed


def test_mistakes_of_a_release_file_are_named_at_once(tmp_path: Path) -> None:
    file = folder_with(tmp_path, gates=[], run="runs/x", on_refusal="perhaps")
    with pytest.raises(RuleFileError) as caught:
        load_release(file)
    assert "perhaps" in str(caught.value)
    file = folder_with(tmp_path, gates=[])
    with pytest.raises(RuleFileError, match="needs gates"):
        load_release(file)


def test_without_torch_a_run_is_not_exported_and_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    file = folder_with(tmp_path, model=None, run="nowhere", calibration=None, samples=None)
    with pytest.raises(MissingExtraError, match=r"samebody\[train\]"):
        release(load_release(file), tmp_path)
    with pytest.raises(MissingExtraError, match=r"samebody\[train\]"):
        run_command("ship", "export", str(tmp_path), "--out", str(tmp_path / "out"))


def test_pictures_calibrate_as_the_declared_input_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for number in range(40):
        picture = np.repeat(np.repeat(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), 8, axis=0), 8, axis=1)
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), picture)
    (tmp_path / "pictures" / "broken.png").write_bytes(b"\x89PNG nothing")
    file = folder_with(tmp_path, calibration={"folder": "pictures", "limit": 40})
    done = release(load_release(file), tmp_path)
    quantised = json.loads((done.folder / "quantise.json").read_text())
    assert quantised["calibration"]["samples"] == 40


def test_a_model_that_is_not_what_is_declared_is_not_bundled(tmp_path: Path) -> None:
    wrong = {**RECORD, "output": {**RECORD["output"], "high": 0.001}}
    with pytest.raises(OutputError, match="its record says 0 to"):
        release(load_release(folder_with(tmp_path, record=wrong)), tmp_path)
    assert not (tmp_path / "released" / "bundle").exists()


def test_papers_of_other_weights_are_refused() -> None:
    declared = Declaration.model_validate(RECORD)
    weights = clean_graph(detector())
    for papers in (
        Papers(export={"model": {"sha256": "0" * 64}}),
        Papers(quantised={"sha256": "0" * 64}),
        Papers(gates={"candidate": "0" * 64, "passed": True}),
    ):
        with pytest.raises(ShipError, match=r"another|other"):
            make_record(declared, weights, papers)
    import hashlib

    with pytest.raises(ShipError, match="refused"):
        digest = hashlib.sha256(weights).hexdigest()
        make_record(declared, weights, Papers(gates={"candidate": digest, "passed": False, "outcomes": []}))


def test_a_record_says_which_run_and_which_data_made_it() -> None:
    import hashlib

    weights, run = clean_graph(detector()), b'{"run": 1}\n'
    export = {
        "model": {"sha256": hashlib.sha256(weights).hexdigest(), "parameters": 10, "opset": 18},
        "parity": [{"output": "out", "largest": 1e-6, "scale": 1.0, "samples": 9, "batches": [1]}],
        "tolerance": 1e-4,
        "run": {
            "recipe": "tiny",
            "recipe_digest": "a" * 64,
            "data": {"version": "b" * 64, "splits": ["train", "test"]},
            "code": {"package": "0.1.0", "commit": None},
            "seed": 7,
            "weights_sha256": "c" * 64,
        },
    }
    papers = Papers(export=export, run=run)
    record = make_record(Declaration.model_validate(RECORD), weights, papers)
    assert record.training is not None and record.training.run == hashlib.sha256(run).hexdigest()
    assert record.training.data["version"] == "b" * 64 and record.training.data["splits"] == '["train", "test"]'
    assert "version bbbbbbbbbbbb" in record.provenance.training_data and "seed 7" in record.provenance.origin
    card = card_of(record, papers)
    assert "## Training run" in card and "## Export" in card and "1e-06" in card


def test_the_text_of_a_record_reads_back_as_the_record(tmp_path: Path) -> None:
    strange = {
        **RECORD,
        "title": 'quotes " and \\ and ü and\ttabs',
        "detection": {"unsure": [0.0, 1e-7]},
        "provenance": {**RECORD["provenance"], "known_limits": ["x" * 200, 'a "b"', "line\nbreak"]},
    }
    weights = clean_graph(detector())
    record = make_record(Declaration.model_validate(strange), weights, Papers())
    (tmp_path / "record.toml").write_text(record_toml(record), encoding="utf-8")
    assert read_records(tmp_path)[record.id].model_dump() == record.model_dump()


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    title=st.text(min_size=4, max_size=40),
    limits=st.lists(st.text(min_size=4, max_size=120), min_size=1, max_size=4),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    scale=st.floats(1e-300, 1e300),
)
def test_any_text_and_number_survives_the_text(
    title: str, limits: list[str], ends: tuple[float, float], scale: float
) -> None:
    fields = {
        **RECORD,
        "title": title,
        "input": {**RECORD["input"], "scale": scale},
        "detection": {"unsure": sorted(ends)},
        "provenance": {**RECORD["provenance"], "known_limits": limits},
    }
    record = make_record(Declaration.model_validate(fields), WEIGHTS, Papers())
    assert ModelRecord.model_validate(tomllib.loads(record_toml(record))).model_dump() == record.model_dump()


def test_every_bundled_record_survives_the_text(tmp_path: Path) -> None:
    for number, record in enumerate(catalogue(Settings(records_dirs=())).values()):
        bare = record.with_points((), None) if record.makes_templates else record
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "record.toml").write_text(record_toml(bare), encoding="utf-8")
        assert read_records(folder)[record.id].model_dump() == bare.model_dump()


def test_the_release_file_of_the_guide_is_one(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "ship.md"
    (block,) = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "pad.yaml").write_text(block)
    found = load_release(tmp_path / "pad.yaml")
    assert len(found.gates) == 5 and found.quantise is not None and found.on_refusal == "float"


def test_step_by_step_by_commands(tmp_path: Path) -> None:
    folder_with(tmp_path)
    place = {name: str(tmp_path / name) for name in ("float.onnx", "int8.onnx", "held.npz", "calibration.npz")}
    listed = run_command("ship", "quantise", place["float.onnx"], "--nodes")
    assert "first  Conv" in listed.output and "head  Gemm" in listed.output
    made = run_command(
        "ship", "quantise", place["float.onnx"], "--calibration", place["calibration.npz"], "--out", place["int8.onnx"]
    )
    assert "in int8: 3" in made.output
    (tmp_path / "gates.yaml").write_text(yaml.safe_dump({"schema_version": 1, "gates": GATES[:2]}))
    report = str(tmp_path / "gates.json")
    gate = ["ship", "gate", place["int8.onnx"], "--gates", str(tmp_path / "gates.yaml"), "--samples", place["held.npz"]]
    judged = run_command(*gate, "--against", place["float.onnx"], "--out", report)
    assert "kept: disagreement" in judged.output
    (tmp_path / "declare.yaml").write_text(yaml.safe_dump({"schema_version": 1, "record": RECORD}))
    written = run_command(
        *("ship", "record", place["int8.onnx"], "--declare", str(tmp_path / "declare.yaml")),
        *("--quantised", str(tmp_path / "int8.json"), "--gates", report, "--out", str(tmp_path / "bundle")),
    )
    assert "own/tiny-pad@1" in written.output
    signed = run_command("ship", "sign", str(tmp_path / "bundle"), "--key", str(tmp_path / "key"))
    assert "files signed by" in signed.output
    assert add_bundle(tmp_path / "bundle", machine(tmp_path)).action == "added"
    (tmp_path / "gates.yaml").write_text(
        yaml.safe_dump({"schema_version": 1, "gates": [{"kind": "size", "at_most_bytes": 10}]})
    )
    with pytest.raises(GateFailedError, match="at most 10 bytes"):
        run_command(*gate, "--out", report)
    assert json.loads(Path(report).read_text())["passed"] is False
