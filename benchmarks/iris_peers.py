"""Speed beside open-iris, in one run: encoding a picture, comparing two templates.

    python -m benchmarks.iris_peers [--quick] [--data DIR] [--open-iris PYTHON] [--out docs/results/iris-peers.md]

open-iris runs in an environment of its own (see tests/iris/oracles/make_open_iris.py for its pins); PYTHON is that
environment's interpreter, by default ``$SAMEBODY_OPEN_IRIS_PYTHON`` or one below the cache folder. Its segmentation
network is not part of the comparison: each picture comes with a finished segmentation map (the generator's truth,
or samebody's own segmentation with ``--data``), handed out in no time, and everything after it is timed as
``IRISPipeline.run``, quality validators off so that no picture ends early. samebody is timed from pixels to template,
segmentation included. One thread each, the same pictures, the two taking turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import describe_machine
from samebody.iris import IrisTemplate, compare_irises, to_open_iris
from samebody.iris.compare import score_many
from samebody.iris.pipeline import IrisPipeline
from samebody.lab.evaluate.files import write_text
from samebody.lab.evaluate.iris_sets import read_eye_folder
from samebody.synth.iris import IrisCodePopulation, capture_eye, draw_identity
from samebody.synth.iris.lids import opening

PEER = Path(__file__).with_name("open_iris_peer.py")
DEFAULT_PYTHON = Path.home() / ".cache/samebody/oracles/open-iris/env/bin/python"
ROUNDS = 2
Case = tuple[np.ndarray, np.ndarray, str]  # picture, segmentation map, side


def synthetic_cases(count: int, width: int, height: int) -> list[Case]:
    cases = []
    for person in range(count):
        shot = capture_eye(draw_identity(5, person), 0, width=width, height=height, difficulty=0.5)
        truth = shot.truth
        pupil = np.zeros((height, width), dtype=np.uint8)
        cv2.fillPoly(pupil, [np.round(truth.pupil).astype(np.int32)], 1)
        between = opening(truth.upper_lid, truth.lower_lid, width, height) > 0.5
        inner, ring = (pupil > 0) & between, truth.iris & between & (pupil == 0)
        cases.append((shot.image, np.stack([between & ~ring & ~inner, ring, inner, truth.lashes], axis=-1), "left"))
    return cases


def folder_cases(folder: Path, count: int, pipeline: IrisPipeline) -> list[Case]:
    """Pictures of a folder with samebody's own segmentation as the map: the sclera is taken 1.6 radii wide."""
    source = read_eye_folder(folder)
    cases: list[Case] = []
    for sample in source.samples[:: max(1, len(source.samples) // count)]:
        grey = source.pixels(sample)
        grey = np.ascontiguousarray(grey if grey.ndim == 2 else grey[:, :, 0])
        found = pipeline.encode(grey, sample.eye).segmentation
        if found is None:
            continue
        layers = [np.zeros(grey.shape, dtype=np.uint8) for _ in range(3)]
        wide = (found.limbus.points - found.limbus.centre) * 1.6 + found.limbus.centre
        for layer, points in zip(layers, (wide, found.limbus.points, found.pupil.points)):
            cv2.fillPoly(layer, [np.round(points).astype(np.int32)], 1)
        eyeball, iris, pupil = (layer > 0 for layer in layers)
        rows = np.arange(grey.shape[0])[:, None]
        for lid, above in ((found.eyelids.upper, True), (found.eyelids.lower, False)):
            if lid is not None:
                edge = np.interp(np.arange(grey.shape[1]), lid[:, 0], lid[:, 1])[None, :]
                eyeball &= (rows >= edge) if above else (rows <= edge)
        pupil &= eyeball
        iris &= eyeball & ~pupil
        # open-iris drops contour points next to noise: only what lies well inside the ring is told to it as lashes
        inside = cv2.erode(iris.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        layers = [eyeball & ~iris & ~pupil, iris, pupil, inside & found.occlusion]
        cases.append((grey, np.stack(layers, axis=-1), sample.eye))
    return cases[:count]


def peer(python: Path, *words: str) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run([str(python), str(PEER), *words], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(
            f"open-iris failed: {done.stderr.strip().splitlines()[-1] if done.stderr else done.returncode}"
        )
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def encode_times(cases: list[Case], pipeline: IrisPipeline) -> list[float]:
    pipeline.encode(cases[0][0])
    times = []
    for image, _, side in cases:
        start = time.perf_counter()
        pipeline.encode(image, side)  # type: ignore[arg-type]
        times.append(1000 * (time.perf_counter() - start))
    return times


def encoding(name: str, cases: list[Case], python: Path, rounds: int) -> dict[str, Any]:
    """Medians per picture, the two sides taking turns."""
    names = ("default", "openiris-shape")
    ours: dict[str, list[float]] = {pipeline: [] for pipeline in names}
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.npz"
        arrays = {f"{kind}{n}": case[k] for n, case in enumerate(cases) for k, kind in enumerate(("image", "map"))}
        np.savez(path, count=len(cases), sides=np.array([case[2] for case in cases]), **arrays)
        for _ in range(rounds):
            for pipeline in names:
                ours[pipeline].append(statistics.median(encode_times(cases, IrisPipeline.load(pipeline))))
            answer = peer(python, "pipeline", str(path))
            if not answer["milliseconds"]:
                raise SystemExit(f"open-iris encoded none of the pictures of {name}: {answer['errors']}")
            theirs.append(statistics.median(answer["milliseconds"]))
    median = statistics.median(theirs)
    return {
        "pictures": name,
        "count": len(cases),
        "open_iris_ms": median,
        "open_iris_errors": answer["errors"],
        "open_iris_rounds": theirs,
        "samebody_ms": {pipeline: statistics.median(values) for pipeline, values in ours.items()},
        "samebody_rounds": ours,
        "ratio": {pipeline: median / statistics.median(values) for pipeline, values in ours.items()},
        "versions": answer["versions"],
    }


def rate(work: Any, size: int, seconds: float) -> float:
    work()
    rates = []
    for _ in range(3):
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds / 3:
            work()
            count += size
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates)


def matching(python: Path, seconds: float) -> dict[str, Any]:
    """Comparisons a second on one core, 16,384 bits, 31 rotations."""
    from samebody.search.engines import build
    from samebody.search.engines.arrays import ArraySource
    from samebody.search.types import Layout, Probes

    population = IrisCodePopulation(seed=3, columns=256)
    codes, masks = population.references(0, 8)
    templates = [IrisTemplate(code, mask, version="v2.1") for code, mask in zip(codes, masks)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "templates.json"
        path.write_text(json.dumps([to_open_iris(template) for template in templates]))
        theirs = peer(python, "matchers", str(path), str(seconds))
    probe, reference = templates[0], templates[1]
    many_codes, many_masks = population.references(8, 1024)
    big_codes, big_masks = population.references(0, 20_000)
    source = ArraySource.of_codes(big_codes, big_masks, "benchmark")
    engine = build(source, "hamming", threads=1)
    probes = Probes.of_codes(codes[:1], masks[:1], "benchmark")
    assert source.layout == Layout("iris", "benchmark", 256)
    ours = {
        "compare_irises, one pair": rate(lambda: compare_irises(probe, reference), 1, seconds),
        "score_many, 1,024 at once": rate(lambda: score_many(probe, many_codes, many_masks), 1024, seconds),
        "search engine hamming, 20,000 records": rate(lambda: engine.search(probes, 10), 20_000, seconds),
    }
    return {"open_iris": theirs, "samebody": ours}


def page(result: dict[str, Any]) -> str:
    machine = result["machine"]
    lines = [
        "# Irises: speed beside open-iris",
        "",
        "Made by `python -m benchmarks.iris_peers`. Both sides on one thread, taking turns, medians of "
        f"{result['rounds']} rounds; ratios are what to look at.",
        "",
        "## From picture to template",
        "",
        "open-iris is timed without its segmentation network (its weights are not at hand): it is handed a finished "
        "segmentation map, and the time is that of `IRISPipeline.run` from binarisation to encoder with its default "
        "configuration, quality validators off. samebody is timed from pixels to template, its own segmentation "
        "included.",
        "",
        "| pictures | n | open-iris without network, ms | samebody default, ms | ratio | samebody 16,384 bits, ms | "
        "ratio |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["encoding"]:
        ms, ratio = row["samebody_ms"], row["ratio"]
        lost = f" ({len(row['open_iris_errors'])} failed)" if row["open_iris_errors"] else ""
        lines.append(
            f"| {row['pictures']} | {row['count']} | {row['open_iris_ms']:.0f}{lost} | {ms['default']:.1f} | "
            f"{ratio['default']:.1f} | {ms['openiris-shape']:.1f} | {ratio['openiris-shape']:.1f} |"
        )
    matchers = result["matching"]["open_iris"]["matchers"]
    base = matchers[0]["per_second"]
    lines += [
        "",
        "## Comparisons",
        "",
        "16,384 bits, 31 rotations, one core, comparisons a second.",
        "",
        "| what | comparisons a second | times open-iris's default matcher |",
        "| --- | --- | --- |",
        *(f"| open-iris `{m['matcher']}` | {m['per_second']:,.0f} | {m['per_second'] / base:.1f} |" for m in matchers),
        *(f"| samebody {k} | {v:,.0f} | {v / base:,.0f} |" for k, v in result["matching"]["samebody"].items()),
        "",
        "## Machine and versions",
        "",
        f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, commit {machine['commit']}; "
        + ", ".join(f"{name} {value}" for name, value in machine["versions"].items())
        + ". open-iris's environment: "
        + ", ".join(f"{k} {v}" for k, v in result["matching"]["open_iris"]["versions"].items())
        + ".",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few pictures, one round")
    parser.add_argument("--data", type=Path, help="folder of eye pictures, PERSON/left/1.png ...")
    default = os.environ.get("SAMEBODY_OPEN_IRIS_PYTHON", DEFAULT_PYTHON)
    parser.add_argument("--open-iris", type=Path, default=Path(default), help="its environment's Python")
    parser.add_argument("--out", type=Path, default=Path("docs/results/iris-peers.md"))
    chosen = parser.parse_args(arguments)
    if not chosen.open_iris.is_file():
        sys.stderr.write(f"{chosen.open_iris} is no Python of an environment with open-iris; see the module's text.\n")
        return 69
    cv2.setNumThreads(1)
    count, rounds, seconds = (2, 1, 0.6) if chosen.quick else (5, ROUNDS, 1.5)
    sets = [
        ("synthetic 320x240", synthetic_cases(count, 320, 240)),
        ("synthetic 640x480", synthetic_cases(count, 640, 480)),
    ]
    if chosen.data:
        sets.append((f"{chosen.data.name} 320x240", folder_cases(chosen.data, count, IrisPipeline.load("default"))))
    result = {
        "rounds": rounds,
        "encoding": [encoding(name, cases, chosen.open_iris, rounds) for name, cases in sets],
        "matching": matching(chosen.open_iris, seconds),
        "machine": describe_machine(),
    }
    write_text(chosen.out, page(result))
    write_text(chosen.out.with_suffix(".json"), json.dumps(result, indent=1) + "\n")
    sys.stdout.write(page(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
