"""Average the weights of two training runs, the second of which resumed from the first, and export the mean.

    python -m benchmarks.mrz_cells.average first.pt second.pt --out mrz_cells.onnx

The bundled network is such a mean: three runs of `train.py` of about 17, 35 and 16 minutes on two busy cores, each
resuming the one before (seeds 20261122; 77 with `--rate 1.5e-3`; 177 with `--rate 1e-3`), the last two averaged.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from benchmarks.mrz_cells.train import export, network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs=2, type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    first, second = (torch.load(path, weights_only=True) for path in options.runs)
    model = network()
    model.load_state_dict(
        {name: (value + second[name]) / 2 if value.is_floating_point() else value for name, value in first.items()}
    )
    export(model, options.out)


if __name__ == "__main__":
    main()
