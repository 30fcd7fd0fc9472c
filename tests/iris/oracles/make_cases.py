"""Writes cases.json: templates in open-iris's JSON form, drawn by samebody's generator of codes.

Run with the project's Python: ``python tests/iris/oracles/make_cases.py``; then make_open_iris.py with open-iris's.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from samebody.iris import IrisTemplate, to_open_iris
from samebody.synth.iris import IrisCodePopulation

HERE = Path(__file__).parent


def main() -> None:
    groups = []
    for columns in (200, 256):
        population = IrisCodePopulation(seed=11, columns=columns, fragile=0.2)
        codes, masks = population.references(0, 3)
        mated_codes, mated_masks = population.probes(np.arange(3), 1)
        templates = [IrisTemplate(c, m, version="v2.1") for c, m in zip(codes, masks)]
        templates += [IrisTemplate(c, m, version="v2.1") for c, m in zip(mated_codes, mated_masks)]
        few, first, second = (masks[0].copy() for _ in range(3))
        few[12:] = 0
        first[columns // 2 :] = 0
        second[: columns // 2] = 0
        templates += [IrisTemplate(codes[0], mask, version="v2.1") for mask in (few, first, second)]
        groups.append({"columns": columns, "templates": [to_open_iris(template) for template in templates]})
    (HERE / "cases.json").write_text(json.dumps({"groups": groups}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
