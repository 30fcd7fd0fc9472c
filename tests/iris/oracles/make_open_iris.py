"""Writes open_iris.json: what open-iris itself says about the templates of cases.json, with the versions that said it.

Runs in an environment of its own, never in the project's: Python 3.8 to 3.11 with ``open-iris==1.11.2`` and its pins
(``pip install --no-deps open-iris==1.11.2``, then numpy 1.24.4, pydantic 1.10.13, pyyaml 6.0.1, onnx 1.15.0,
onnxruntime 1.16.3, opencv-python-headless 4.7.0.72, huggingface-hub 0.19.4, matplotlib 3.7.4, scipy).
"""

from __future__ import annotations

import json
import platform
import warnings
from importlib.metadata import version
from pathlib import Path

from iris.io.dataclasses import IrisTemplate
from iris.nodes.matcher.hamming_distance_matcher import HammingDistanceMatcher
from iris.nodes.matcher.simple_hamming_distance_matcher import SimpleHammingDistanceMatcher

HERE = Path(__file__).parent
MATCHERS = [
    ("HammingDistanceMatcher", {}),
    ("HammingDistanceMatcher", {"separate_half_matching": False}),
    ("HammingDistanceMatcher", {"normalise": False, "separate_half_matching": False}),
    ("HammingDistanceMatcher", {"rotation_shift": 3, "norm_mean": 0.48, "norm_gradient": 0.0001}),
    ("SimpleHammingDistanceMatcher", {}),
    ("SimpleHammingDistanceMatcher", {"normalise": True}),
    ("SimpleHammingDistanceMatcher", {"rotation_shift": 0}),
]
CLASSES = {c.__name__: c for c in (HammingDistanceMatcher, SimpleHammingDistanceMatcher)}


def main() -> None:
    warnings.simplefilter("ignore")  # open-iris divides by zero where a half holds no bit
    groups = []
    for group in json.loads((HERE / "cases.json").read_text())["groups"]:
        shape = (16, group["columns"], 2, 2)
        templates = [IrisTemplate.deserialize(item, array_shape=shape) for item in group["templates"]]
        for item, template in zip(group["templates"], templates):
            again = template.serialize()
            assert all(again[key] == item[key] for key in again), "open-iris writes another text than it read"
        pairs = [(i, j) for i in range(len(templates)) for j in range(len(templates)) if i != j]
        distances = []
        for name, settings in MATCHERS:
            matcher = CLASSES[name](**settings)
            found = [float(matcher.run(templates[i], templates[j])) for i, j in pairs]
            distances.append({"matcher": name, "settings": settings, "distances": found})
        groups.append({"columns": group["columns"], "pairs": pairs, "matchers": distances})
    packages = ("open-iris", "numpy", "pydantic")
    versions = {"python": platform.python_version(), **{name: version(name) for name in packages}}
    text = json.dumps({"versions": versions, "groups": groups}, separators=(",", ":"))
    (HERE / "open_iris.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
