"""The face models of an installation, opened when they are first needed and at most once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings, load_settings
from samebody.models import ModelRecord, catalogue, embed, open_session, open_tflite
from samebody.types import Pixels

DETECTOR = "face/yunet"
EMBEDDER = "face/sface"
LANDMARKS = "face/landmarks"
BLENDSHAPES = "face/blendshapes"


class FaceNetworks:
    """Lazy access to detector, embedder, mesh and blendshape models by their records.

    Safe to share between threads: ONNX Runtime sessions are, and every thread has its own TensorFlow Lite interpreters.

    Args:
        settings: where records and weights are.
        embedder: id of the record that makes templates, bundled or your own.
        threads: per session; None takes the settings' value.

    Raises:
        samebody.models.UnknownModelError: when there is no record ``embedder``.
    """

    def __init__(
        self, settings: Settings | None = None, *, embedder: str = EMBEDDER, threads: int | None = None
    ) -> None:
        self.settings = settings or load_settings()
        self.threads = threads
        records = catalogue(self.settings)
        self.records: dict[str, ModelRecord] = {
            name: records[name] for name in (DETECTOR, embedder, LANDMARKS, BLENDSHAPES)
        }
        self.embedder = self.records[embedder]

    def detector_outputs(self, tensor: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """The detector's outputs by name for one (1, 3, H, W) float32 tensor."""
        session = open_session(self.records[DETECTOR], self.settings, threads=self.threads)
        names = [output.name for output in session.get_outputs()]
        values = session.run(names, {session.get_inputs()[0].name: tensor})
        return dict(zip(names, values, strict=True))

    def tflite(self, identifier: str, tensor: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """All outputs of a TensorFlow Lite model, largest first, for one input tensor of the model's shape."""
        interpreter: Any = open_tflite(self.records[identifier], self.settings, threads=self.threads)
        given = interpreter.get_input_details()[0]
        interpreter.set_tensor(given["index"], tensor.reshape(given["shape"]).astype(np.float32, copy=False))
        interpreter.invoke()
        outputs = [np.array(interpreter.get_tensor(entry["index"])) for entry in interpreter.get_output_details()]
        return sorted(outputs, key=lambda output: -output.size)

    def embed(self, aligned: Pixels) -> NDArray[np.float32]:
        """(n, dimensions) float32 unit vectors of (n, H, W, 3) or (H, W, 3) uint8 RGB aligned crops."""
        return embed(self.embedder, aligned, self.settings, threads=self.threads)
