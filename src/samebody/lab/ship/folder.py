"""Names of the files that the steps of shipping hand to each other."""

from __future__ import annotations

FLOAT_MODEL = "model.onnx"
INT8_MODEL = "model.int8.onnx"
EXPORT, QUANTISED, GATES, RUN = "export.json", "quantise.json", "gates.json", "run.json"
CALIBRATION, HELD = "calibration.npz", "held.npz"
RECORD, CARD = "record.toml", "card.md"
"""In a bundle; the weights are named after the model."""
