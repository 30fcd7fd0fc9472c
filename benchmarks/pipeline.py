"""Time and memory of the main job: verify with 2 MP and 12 MP pictures, start-up of library and command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import spread

REQUIRED_STAGES = ("selfie.decode", "selfie.face", "document.decode", "document.read", "document.face", "face.match")
REQUIRED_CHECKS = (
    "selfie.face",
    "selfie.quality",
    "document.face",
    "document.page",
    "document.mrz",
    "document.dates",
    "document.consistency",
    "face.match",
)


def make_pictures(folder: Path, megapixels: float) -> tuple[Path, Path]:
    """A selfie and a photograph of a specimen passport of about ``megapixels``, written as JPEG."""
    from samebody.capture import decode_image
    from samebody.cli.demo import GENUINE_PORTRAIT, GENUINE_SELFIE
    from samebody.models import catalogue, weights_path
    from samebody.synth.photograph import photograph
    from samebody.synth.specimen import render

    records = catalogue()
    portrait = decode_image(weights_path(records[GENUINE_PORTRAIT]))
    selfie = decode_image(weights_path(records[GENUINE_SELFIE])).pixels
    scale = (megapixels * 1e6 / (selfie.shape[0] * selfie.shape[1])) ** 0.5
    size = (round(selfie.shape[1] * scale), round(selfie.shape[0] * scale))
    larger = cv2.resize(selfie, size, interpolation=cv2.INTER_CUBIC)
    selfie_path, document_path = folder / f"selfie-{megapixels}.jpg", folder / f"document-{megapixels}.jpg"
    cv2.imwrite(str(selfie_path), cv2.cvtColor(larger, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    specimen = render("TD3", seed=7, portrait=portrait)
    document_path.write_bytes(photograph(specimen, difficulty="clean", seed=7, megapixels=megapixels).jpeg)
    return selfie_path, document_path


def time_verify(megapixels: float, repeats: int) -> list[dict[str, Any]]:
    """Rows for ``verify`` with every check, and for the part up to the MRZ (no visual zone, no forgery checks)."""
    from samebody.pipeline.verify import Verifier

    rows = []
    with tempfile.TemporaryDirectory() as name:
        selfie, document = make_pictures(Path(name), megapixels)
        verifier = Verifier()
        for depth, limit in (("mrz", 500 if megapixels <= 2 else 700), ("all", 1500)):
            verifier.verify(selfie=selfie, document=document, policy="no-liveness", depth=depth)
            times = []
            for _ in range(repeats):
                start = time.perf_counter()
                case = verifier.verify(selfie=selfie, document=document, policy="no-liveness", depth=depth)
                times.append((time.perf_counter() - start) * 1000)
                # a fast time counts only when every check really ran and the document was really read
                assert all(stage in case.trace for stage in REQUIRED_STAGES)
                names = {finding.check for finding in case.verdict.findings}
                wanted = REQUIRED_CHECKS if depth == "all" else [c for c in REQUIRED_CHECKS if "consistency" not in c]
                assert names >= set(wanted), set(wanted) - names
                if depth == "all":
                    assert sum(check.startswith("document.forgery.") for check in names) >= 5
                    assert case.trace["document.read"].visual_zone is not None
                reading = case.trace["document.read"]
                assert reading.mrz is not None and reading.mrz.valid
                assert case.verdict.finding("face.match").outcome.value == "pass"
            what = "with MRZ" if depth == "mrz" else "with MRZ, visual zone, forgery checks"
            rows.append(
                {
                    "name": f"verify, {megapixels:g} MP pictures, {what}",
                    "unit": "ms",
                    "ours": spread(times),
                    "target": f"<= {limit} ms",
                    "met": spread(times)["median"] <= limit,
                    "timings": {k: round(v, 1) for k, v in case.verdict.timings.items()},
                }
            )
    return rows


MEMORY_PROGRAM = """
import json, sys
from samebody.pipeline.verify import Verifier
verifier = Verifier()
for _ in range(3):
    case = verifier.verify(selfie=sys.argv[1], document=sys.argv[2], policy="no-liveness")
assert case.trace["document.read"].mrz is not None and "document.forgery" in case.trace
from benchmarks.machine import peak_memory
print(json.dumps(peak_memory()))
"""


def measure_memory(megapixels: float) -> dict[str, Any]:
    """Peak resident memory of a fresh process that verifies three times, MB."""
    with tempfile.TemporaryDirectory() as name:
        selfie, document = make_pictures(Path(name), megapixels)
        output = subprocess.run(
            [sys.executable, "-c", MEMORY_PROGRAM, str(selfie), str(document)],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    peak = float(json.loads(output))
    return {
        "name": f"peak memory of verify, {megapixels:g} MP pictures",
        "unit": "MB",
        "ours": spread([peak]),
        "target": "< 1229 MB",
        "met": peak < 1228.8,
    }


def time_process(name: str, arguments: list[str], limit: float, repeats: int, codes: tuple[int, ...]) -> dict[str, Any]:
    """Wall time of a whole process, s."""
    times = []
    for index in range(repeats + 1):
        start = time.perf_counter()
        finished = subprocess.run(arguments, capture_output=True, check=False)
        elapsed = time.perf_counter() - start
        if finished.returncode not in codes:
            raise RuntimeError(f"{arguments} exited with {finished.returncode}: {finished.stderr.decode()}")
        if index:  # the first run fills the page cache
            times.append(elapsed)
    median = spread(times)["median"]
    return {"name": name, "unit": "s", "ours": spread(times), "target": f"< {limit} s", "met": median < limit}


def run(quick: bool = False) -> list[dict[str, Any]]:
    """All rows of this file."""
    repeats = 5 if quick else 15
    rows = [*time_verify(2, repeats), *time_verify(12, repeats), measure_memory(12)]
    executable = str(Path(sys.executable).parent / "samebody")
    rows.append(time_process("import samebody", [sys.executable, "-c", "import samebody"], 0.2, repeats, (0,)))
    rows.append(time_process("samebody --help", [executable, "--help"], 0.4, repeats, (0,)))
    with tempfile.TemporaryDirectory() as name:
        selfie, document = make_pictures(Path(name), 2)
        arguments = [executable, "verify", "--selfie", str(selfie), "--document", str(document)]
        rows.append(time_process("samebody verify, cold process, 2 MP", arguments, 4.0, max(3, repeats // 3), (3,)))
    return rows


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    print(json.dumps(run(quick=True), indent=1, default=lambda value: np.asarray(value).tolist()))
