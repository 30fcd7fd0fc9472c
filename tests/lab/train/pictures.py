"""A small data set of two kinds of pictures that a network tells apart in a few steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from samebody.lab.data import DataSet, SourceOptions, ingest
from samebody.lab.data.split import split

RECIPE = """\
recipe: 1
id: stripes
seed: 3
task: {{name: classify, data_set: {data_set}, classes: [plain, striped], size: [32, 32]}}
network: {{name: minifas, width: 0.1, out: 16, dropout: 0}}
losses: [{{name: cross-entropy}}]
sampler: {{name: balanced}}
optimiser: {{lr: 5e-3}}
batch: 16
steps: 12
evaluate_every: 6
threads: 1
"""


def data_set(folder: Path, subjects: int = 16) -> DataSet:
    """Two classes, ``subjects`` people with a picture of each, divided by subject."""
    random = np.random.default_rng(0)
    for subject in range(subjects):
        for name in ("plain", "striped"):
            place = folder / "raw" / name / f"s{subject}"
            place.mkdir(parents=True)
            noise = random.integers(0, 256, (12, 12, 3), np.uint8)
            pixels = np.asarray(Image.fromarray(noise).resize((48, 48), Image.Resampling.BICUBIC)).copy()
            if name == "striped":
                pixels[:, ::6] //= 3
                pixels[:, 1::6] //= 3
            Image.fromarray(pixels).save(place / "0.png")
    options = SourceOptions(pattern="{label}/{subject}/*", constants={"source": "made", "licence": "CC0-1.0"})
    ingest([str(folder / "raw")], folder / "set", options=options, workers=1)
    found = DataSet.open(folder / "set")
    split(found, {"train": 0.7, "test": 0.3}, stratify=["label"])
    return found


def recipe(folder: Path, **changes: str) -> Path:
    """The recipe as a file, for the data set in ``folder``; text is replaced by the changes' keys."""
    text = RECIPE.format(data_set=folder / "set")
    for old, new in changes.items():
        text = text.replace(old, new)
    (folder / "recipe.yaml").write_text(text)
    return folder / "recipe.yaml"
