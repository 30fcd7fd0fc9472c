"""Faces of a data set's samples: found, chosen, embedded as the product does it, measured once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings, load_settings
from samebody.errors import InputError
from samebody.face import FaceAnalyser
from samebody.face.quality.detail import sharpness
from samebody.face.quality.frame import QualityFrame
from samebody.face.stream import ordered
from samebody.lab.data.data_set import DataSet
from samebody.lab.data.facts import FactStore, load_sample
from samebody.lab.data.manifest import Manifest
from samebody.lab.evaluate.images import acquisition_key
from samebody.lab.evaluate.template_cache import TemplateCache

Progress = Callable[[int, int], None]
"""Called with (samples done, samples in all)."""

ROLE = "selfie"


@dataclass(frozen=True, slots=True)
class FaceFacts:
    """What the detector saw in a sample.

    Attributes:
        faces: how many.
        reasons: codes of the finding about the main face (``face.none``, ``face.several``, ``face.too_small`` ...).
        confidence: of the main face, 0-1.
        inter_eye: distance between its eyes, pixels.
        roll: by how much the head is turned in the picture plane, degrees, -180 to 180.
        sharpness: fine over coarse detail of the face (:func:`samebody.face.quality.detail.sharpness`); -1 unknown.
    """

    faces: int = 0
    reasons: tuple[str, ...] = ()
    confidence: float = 0.0
    inter_eye: float = 0.0
    roll: float = 0.0
    sharpness: float = -1.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> FaceFacts:
        """What :meth:`to_dict` gave."""
        return cls(**{**{name: fields[name] for name in cls.__slots__}, "reasons": tuple(fields["reasons"])})


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """Templates of samples of one embedding space.

    Attributes:
        vectors: (n, dimensions) float32, unit length.
        rows: (n,) int64, row of the manifest each belongs to.
        space: digest of the embedding space.
        model: record id of the embedder.
    """

    vectors: NDArray[np.float32] = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)
    space: str
    model: str = ""

    def __len__(self) -> int:
        return len(self.vectors)


class SampleFaces:
    """Measures faces of samples and keeps what it measured in the data set's ``facts`` folder.

    Args:
        data_set: whose samples.
        model: record id of the embedder.
        settings: where weights are.
    """

    def __init__(self, data_set: DataSet, model: str = "face/sface", settings: Settings | None = None) -> None:
        self.data_set = data_set
        self.settings = settings or load_settings()
        self.analyser = FaceAnalyser(self.settings, embedder=model).single_threaded()
        record = self.analyser.embedder
        self.model, self.space = record.id, record.embedding_space().digest
        key = acquisition_key(self.analyser)
        self._facts = FactStore(data_set.folder / "facts", f"face-{key}")
        self._templates = TemplateCache(
            data_set.folder / "facts" / f"templates-{self.space}-{key}", record.embedding_output.dimensions
        )

    def facts(self, samples: list[str], progress: Progress = lambda done, whole: None) -> dict[str, FaceFacts]:
        """Face facts by SHA-256; a sample that cannot be decoded has none."""
        self._measure(samples, False, progress)
        return {name: FaceFacts.from_dict(self._facts[name]) for name in samples if name in self._facts}

    def templates(self, manifest: Manifest, progress: Progress = lambda done, whole: None) -> Templates:
        """Templates of the rows that are usable and show a usable face, in row order."""
        rows = np.flatnonzero(manifest.usable)
        samples = manifest["sha256"][rows].tolist()
        self._measure(samples, True, progress)
        held = [(row, self._templates[name]) for row, name in zip(rows.tolist(), samples) if name in self._templates]
        good = [(row, vector) for row, vector in held if not isinstance(vector, str)]
        vectors = np.array([vector for _, vector in good], np.float32).reshape(len(good), self._templates.dimensions)
        return Templates(vectors, np.array([row for row, _ in good], np.int64), self.space, self.model)

    def _measure(self, samples: list[str], embed: bool, progress: Progress) -> None:
        unique = list(dict.fromkeys(samples))
        done = [name for name in unique if name in (self._templates if embed else self._facts)]
        missing = sorted(set(unique) - set(done))
        count = len(done)
        progress(count, len(unique))

        def work(sha256: str) -> tuple[str, FaceFacts | None, NDArray[np.float32] | str]:
            path = self.data_set.object_path(sha256)
            try:
                return (sha256, *self._look(path, embed))
            except InputError as error:
                return sha256, None, error.code

        try:
            for sha256, facts, template in ordered(work, missing, workers=self.settings.session_threads):
                if facts is not None:
                    self._facts.put(sha256, facts.to_dict())
                if embed:
                    self._templates.put(sha256, template)
                count += 1
                progress(count, len(unique))
        finally:
            self._facts.flush()
            self._templates.flush()

    def _look(self, path: Path, embed: bool) -> tuple[FaceFacts, NDArray[np.float32] | str]:
        image = load_sample(path, self.settings.limits)
        analysis = self.analyser.aligned(image, ROLE)
        finding = analysis.findings[0]
        codes = tuple(reason.code for reason in finding.reasons)
        if not analysis.detections:
            return FaceFacts(0, codes), codes[0] if codes else "face.none"
        face = analysis.chosen or analysis.detections[0]
        sharp = sharpness(QualityFrame(image, face, None, analysis.detections))
        facts = FaceFacts(
            len(analysis.detections),
            codes,
            round(face.confidence, 4),
            round(face.inter_eye_distance, 2),
            round(face.roll_degrees, 2),
            -1.0 if sharp is None else round(float(sharp), 5),
        )
        if analysis.chosen is None:
            return facts, codes[0] if codes else "face.unusable"
        if not embed:
            return facts, ""
        return facts, self.analyser.embedded([analysis])[0].template.vector  # type: ignore[union-attr]  # it was chosen


def forget_faces(data_set: DataSet, samples: set[str]) -> None:
    """Remove facts and templates of samples from all that was kept; templates of others stay."""
    folder = data_set.folder / "facts"
    for kind in sorted(path for path in folder.glob("*") if path.is_dir()):
        if not kind.name.startswith("templates-"):
            FactStore(folder, kind.name).forget(samples)
            continue
        for shard in sorted(kind.glob("*.npz")):
            _rewrite(shard, samples)


def _rewrite(shard: Path, samples: set[str]) -> None:
    import io
    import zipfile

    from samebody.lab.data.files import write_bytes

    try:
        with np.load(shard, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        shard.unlink(missing_ok=True)
        return
    keep = np.array([name.decode("ascii") not in samples for name in arrays["sha256"]], bool)
    if keep.all():
        return
    # the shard is named by one of its samples: the new one must not carry an erased name
    shard.unlink()
    if keep.any():
        sink = io.BytesIO()
        np.savez(sink, **{name: array[keep] for name, array in arrays.items()})
        write_bytes(shard.with_name(f"{arrays['sha256'][keep][0].decode('ascii')}.npz"), sink.getvalue())
