"""open-iris's side of the comparison: runs in open-iris's own environment, never in the project's.

Called by :mod:`benchmarks.iris_peers` as ``python open_iris_peer.py matchers FILE SECONDS`` or ``... pipeline FILE``;
prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
import types
import warnings
from importlib.metadata import version

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ.setdefault("IRIS_ENV", "SERVER")

import cv2  # noqa: E402
import iris  # noqa: E402
import numpy as np  # noqa: E402
from iris.io.class_configs import Algorithm  # noqa: E402
from iris.io.dataclasses import IrisTemplate, SegmentationMap  # noqa: E402
from iris.nodes.matcher.hamming_distance_matcher import HammingDistanceMatcher  # noqa: E402
from iris.nodes.matcher.simple_hamming_distance_matcher import SimpleHammingDistanceMatcher  # noqa: E402
from iris.orchestration.environment import Environment  # noqa: E402
from iris.pipelines.iris_pipeline import IRISPipeline  # noqa: E402

CLASSES = {0: "eyeball", 1: "iris", 2: "pupil", 3: "eyelashes"}
MAPS: dict[str, np.ndarray] = {}


class GivenSegmentation(Algorithm):
    """Stands where the segmentation network stands: hands out the map that belongs to the picture, in no time."""

    class Parameters(Algorithm.Parameters):
        pass

    __parameters_type__ = Parameters

    def __init__(self, callbacks=()):
        super().__init__(callbacks=list(callbacks))

    def run(self, image):
        return SegmentationMap(predictions=MAPS[image.image_id], index2class=CLASSES)


def versions() -> dict[str, str]:
    names = ("open-iris", "numpy", "opencv-python-headless", "pydantic")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def matchers(path: str, seconds: float) -> dict:
    templates = [IrisTemplate.deserialize(item) for item in json.load(open(path))]  # noqa: SIM115, PTH123
    pairs = [(a, b) for a in templates for b in templates if a is not b]
    found = []
    for name, matcher in (
        ("HammingDistanceMatcher()", HammingDistanceMatcher()),
        ("SimpleHammingDistanceMatcher()", SimpleHammingDistanceMatcher()),
    ):
        matcher.run(*pairs[0])
        rates = []
        for _ in range(3):
            count, start = 0, time.perf_counter()
            while time.perf_counter() - start < seconds / 3:
                matcher.run(*pairs[count % len(pairs)])
                count += 1
            rates.append(count / (time.perf_counter() - start))
        found.append({"matcher": name, "per_second": statistics.median(rates), "all": rates})
    return {"versions": versions(), "matchers": found}


def pipeline(path: str) -> dict:
    module = types.ModuleType("open_iris_peer_nodes")
    module.GivenSegmentation = GivenSegmentation
    sys.modules["open_iris_peer_nodes"] = module
    config = IRISPipeline.load_config(None)
    config["pipeline"][0]["algorithm"] = {"class_name": "open_iris_peer_nodes.GivenSegmentation", "params": {}}
    validators = IRISPipeline.DEBUGGING_ENVIRONMENT.disabled_qa
    default = IRISPipeline(config=config).env
    environment = Environment(
        pipeline_output_builder=default.pipeline_output_builder,
        error_manager=default.error_manager,
        disabled_qa=validators,
        call_trace_initialiser=default.call_trace_initialiser,
    )
    runner = IRISPipeline(config=config, env=environment)
    held = np.load(path)
    times, errors = [], []
    for number in range(int(held["count"])):
        key = str(number)
        MAPS[key] = held[f"map{number}"].astype(np.float32)
        image = iris.IRImage(img_data=held[f"image{number}"], image_id=key, eye_side=str(held["sides"][number]))
        if number == 0:
            runner.run(image)  # imports and caches
        start = time.perf_counter()
        output = runner.run(image)
        elapsed = 1000 * (time.perf_counter() - start)
        if output["error"] is None:
            times.append(elapsed)
        else:
            errors.append(str(output["error"]["error_type"]).rsplit(".", 1)[-1])
    return {"versions": versions(), "milliseconds": times, "errors": errors}


def main() -> None:
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    if sys.argv[1] == "matchers":
        result = matchers(sys.argv[2], float(sys.argv[3]))
    else:
        result = pipeline(sys.argv[2])
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
