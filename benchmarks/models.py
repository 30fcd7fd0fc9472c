"""Every model that samebody trains itself, from its committed recipe: data, training, export, gates, record.

    python -m benchmarks.models [--only NAME ...] [--data DIR] [--work DIR] [--quick] [--write] [--list]

DIR is the folder with fairface/ (``SAMEBODY_DATA`` by default). Each step is a command that could be typed; it is
printed, run as a process of its own, and left out when an earlier call in the same ``--work`` finished it. What is
missing is named with what brings it, and the other models are made all the same. ``--quick`` trains a few steps, to
see that everything fits together. The bundles stand in WORK/NAME/release; nothing in the package is changed
without ``--write``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from samebody.config import load_settings
from samebody.errors import ResourceError, SamebodyError
from samebody.lab.evaluate.errors import optional
from samebody.lab.evaluate.files import write_text
from samebody.models import catalogue
from samebody.models.sessions import weights_path

ROOT = Path(__file__).parents[1]
QUICK = ("steps=4", "evaluate_every=2", "checkpoint_every=2", "schedule.warmup=1")


class ModelDataMissingError(ResourceError):
    """What a model is made from is not on this machine."""

    code = "models.data_missing"
    exit_code = 66


@dataclass(frozen=True)
class Model:
    """How one model is made.

    Attributes:
        name: of the recipe.
        record: id of the record that is shipped.
        steps: commands; ``{work}``, ``{cache}`` and ``{data}`` are filled in.
        folders: that must be in the data folder.
        weights: of other models that it learns from.
        release: its release file; run and out are set to folders beside the run.
        recipes: that train it: the one of its own name unless told otherwise.
        quick: changes of the recipe for ``--quick``.
        note: what does not come out of the steps.
    """

    name: str
    record: str
    steps: tuple[str, ...]
    folders: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    release: str = ""
    recipes: tuple[str, ...] | None = None
    quick: tuple[str, ...] = QUICK
    note: str = ""


TRAIN = "samebody train {name} --out {work}/run --cache {cache}"
SHIP = "samebody ship {work}/release.yaml --cache {cache}"

MODELS = (
    Model(
        "iris-segment",
        "iris/segment",
        (TRAIN, SHIP),
        release="benchmarks/ship/iris-segment.yaml",
        quick=(*QUICK, "task.pictures=16", "task.held=8", "task.identities=2", "batch=4"),
    ),
    Model(
        "pad",
        "attacks/pad-passive",
        (
            TRAIN,
            "python -m benchmarks.pad_holdouts --out {work}/holdouts --cache {cache}",
            "python -m benchmarks.pad_record --run {work}/run --holdouts {work}/holdouts --cache {cache}"
            " --out {work}/made",
        ),
        folders=("fairface",),
        weights=("face/yunet", "face/landmarks"),
    ),
    Model(
        "edge",
        "face/edge",
        (
            "samebody train edge --out {work}/begin --cache {cache} --set task.root={data}",
            "samebody train edge-second --out {work}/run --cache {cache} --set task.root={data}"
            " --set init.weights={work}/begin",
            SHIP,
        ),
        recipes=("edge", "edge-second"),
        release="benchmarks/edge_release.yaml",
        folders=("fairface",),
        weights=("face/sface", "face/yunet"),
    ),
    Model(
        "deepfake",
        "attacks/deepfake-single",
        (
            "python -m benchmarks.deepfake_results prepare --data {data} --cache {cache}",
            "python -m benchmarks.deepfake_results --data {data} --cache {cache}{write}",
        ),
        folders=("fairface",),
        weights=("face/yunet", "face/landmarks"),
        note="`--write` keeps what comes out",
    ),
    Model(
        "morph",
        "attacks/morph-differential",
        ("python -m benchmarks.morph_results --data {data} --cache {cache}{write}",),
        recipes=(),
        folders=("fairface", "orl"),
        weights=("face/sface", "face/yunet", "face/landmarks"),
        note="fitted in closed form; `--write` keeps what comes out",
    ),
)


def missing(model: Model, data: Path) -> None:
    """Raise what is missing for ``model``, all at once.

    Raises:
        ModelDataMissingError: folders of pictures or weights of other models.
        MissingExtraError: the extra samebody[train] is not installed.
    """
    optional("torch", "training", "train")
    wanted = [f"the pictures {data / name}" for name in model.folders if not (data / name).is_dir()]
    hints = []
    if wanted:
        hints.append("put them there or name their folder with SAMEBODY_DATA (docs/how-to/evaluate.md says where from)")
    settings = load_settings()
    absent = []
    for identifier in model.weights:
        try:
            weights_path(catalogue(settings)[identifier], settings)
        except SamebodyError:
            absent.append(identifier)
    if absent:
        wanted.append(f"the weights of {', '.join(absent)}")
        hints.append(f"run: samebody models pull {' '.join(absent)}")
    if wanted:
        raise ModelDataMissingError(f"{model.name} needs {' and '.join(wanted)}.", hint=_sentence("; ".join(hints)))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def filled(model: Model, data: Path, work: Path, *, quick: bool = False, write: bool = False) -> list[str]:
    """The commands of a model, ready to type."""
    places = {
        "name": model.name,
        "work": shlex.quote(str(work / model.name)),
        "cache": shlex.quote(str(work / "cache")),
        "data": shlex.quote(str(data)),
        "write": " --write" if write else "",
    }
    commands = []
    for step in model.steps:
        command = step.format(**places)
        if quick and command.startswith("samebody train"):
            command += "".join(f" --set {change}" for change in model.quick)
        commands.append(command)
    return commands


def recipes_of(model: Model) -> list[Path]:
    """The recipes that train a model."""
    names = (model.name,) if model.recipes is None else model.recipes
    return [ROOT / "src/samebody/lab/train/recipes" / f"{name}.yaml" for name in names]


def sources(model: Model) -> str:
    """SHA-256 over the recipes and the ship file: when they change, steps that were done are run again."""
    digest = hashlib.sha256()
    for path in (*recipes_of(model), ROOT / (model.release or "-")):
        digest.update(path.read_bytes() if path.is_file() else b"-")
    return digest.hexdigest()


def beside_the_run(release: str, quick: bool = False) -> str:
    """A release file for the folder that holds ``run``; a quick model learned too little for gates and int8."""
    fields = {**yaml.safe_load(release), "run": "run", "out": "release"}
    if quick:
        fields = {name: value for name, value in fields.items() if name not in ("gates", "quantise", "on_refusal")}
    return str(yaml.safe_dump(fields, sort_keys=False))


def make(model: Model, data: Path, work: Path, *, quick: bool = False, write: bool = False) -> str:
    """Run the steps of one model that are not done; returns one line about it.

    Its release file is copied beside the run, because paths in it start from its own folder.

    Raises:
        ModelDataMissingError, MissingExtraError: see :func:`missing`.
        SystemExit: a command failed.
    """
    missing(model, data)
    place = work / model.name
    place.mkdir(parents=True, exist_ok=True)
    log = place / "steps.json"
    state = json.loads(log.read_text()) if log.is_file() else {}
    known = state.get("done", []) if state.get("sources") == sources(model) else []
    environment = {**os.environ, "SAMEBODY_DATA": str(data)}
    if model.release:
        write_text(place / "release.yaml", beside_the_run((ROOT / model.release).read_text(encoding="utf-8"), quick))
    done = []
    for command in filled(model, data, work, quick=quick, write=write):
        if command in known:
            print(f"{model.name}: done before: {command}")
            done.append(command)
            continue
        print(f"{model.name}: {command}", flush=True)
        words = shlex.split(command)
        words[:1] = [sys.executable, "-m", "samebody"] if words[0] == "samebody" else [sys.executable]
        start = time.perf_counter()
        code = subprocess.run(words, cwd=ROOT, env=environment).returncode
        if code:
            raise SystemExit(f"{model.name}: ended with {code}: {command}")
        print(f"{model.name}: {time.perf_counter() - start:.0f} s")
        done.append(command)
        write_text(log, json.dumps({"sources": sources(model), "done": done}, indent=1))
    return compared(model, place)


def compared(model: Model, place: Path) -> str:
    """Whether the weights that came out are those that are shipped."""
    found = sorted([*(place / "release" / "bundle").glob("*.onnx"), *(place / "made").glob("*.onnx")])
    if not found:
        return f"{model.name}: done; {model.note or f'no weights in {place}'}"
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
    records = catalogue()
    if model.record not in records:
        return f"{model.name}: {digest[:16]}; no record {model.record} is shipped"
    same = "the shipped weights" if records[model.record].sha256 == digest else "other weights than the shipped ones"
    return f"{model.name}: {digest[:16]}, {same}{'; ' + model.note if model.note else ''}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("SAMEBODY_DATA") or ROOT.parent / "shared" / "data").resolve()
    parser.add_argument("--data", type=Path, default=default, help="folder with fairface/")
    parser.add_argument("--only", nargs="*", choices=[model.name for model in MODELS], help="which models")
    parser.add_argument("--work", type=Path, default=Path("models-out"), help="folder to work in")
    parser.add_argument("--quick", action="store_true", help="a few steps each")
    parser.add_argument("--write", action="store_true", help="let steps that write into the package do so")
    parser.add_argument("--list", action="store_true", help="print the commands and what is missing, run nothing")
    chosen = parser.parse_args(arguments)
    work = chosen.work.resolve()
    lines, code = [], 0
    for model in MODELS:
        if chosen.only and model.name not in chosen.only:
            continue
        try:
            if chosen.list:
                print("\n".join(filled(model, chosen.data, work, quick=chosen.quick)))
                missing(model, chosen.data)
            else:
                lines.append(make(model, chosen.data, work, quick=chosen.quick, write=chosen.write))
        except SamebodyError as error:
            lines.append(f"{model.name}: {error.code}: {error}")
            code = error.exit_code
        except SystemExit as error:
            lines.append(str(error.code))
            code = 1
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
