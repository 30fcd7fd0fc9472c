"""The face room's front door: one object that detects, aligns, embeds, meshes and assesses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np

from samebody.config import Settings, load_settings
from samebody.face.align import align
from samebody.face.choose import FaceChooser
from samebody.face.detect import FaceDetector
from samebody.face.mesh import FaceMesher
from samebody.face.networks import BLENDSHAPES, DETECTOR, EMBEDDER, LANDMARKS, FaceNetworks
from samebody.face.quality import QualityAssessor, quality_finding
from samebody.face.results import FaceAnalysis, FaceDetection, FaceMesh, FaceQuality
from samebody.face.threads import one_opencv_thread
from samebody.models import ModelRecord
from samebody.types import Image, Pixels, Template

T = TypeVar("T")

BATCH = 4
"""Crops that one worker embeds at once."""


class FaceAnalyser:
    """Everything about the faces in one picture. Models are opened on first use; an instance may serve many threads.

    Args:
        settings: where records and weights are, and how many threads a session uses.
        embedder: id of the record that makes templates; a record of your own works like a bundled one.
        threads: per session, instead of the settings' value.
        chooser, detector_parameters: replacements for the declared defaults.

    Raises:
        samebody.models.UnknownModelError: when there is no record ``embedder``.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        embedder: str = EMBEDDER,
        threads: int | None = None,
        chooser: FaceChooser | None = None,
        detector_parameters: dict[str, object] | None = None,
    ) -> None:
        self.settings = settings or load_settings()
        self.networks = FaceNetworks(self.settings, embedder=embedder, threads=threads)
        self._detector = FaceDetector(self.networks.detector_outputs, **(detector_parameters or {}))
        self._chooser = chooser or FaceChooser()
        self._mesher = FaceMesher(self.networks)
        self._assessor = QualityAssessor()
        self._embedder_id = embedder
        self._single: FaceAnalyser | None = None
        self._options: dict[str, object] = {"chooser": chooser, "detector_parameters": detector_parameters}

    @property
    def embedder(self) -> ModelRecord:
        """The record that templates are made with."""
        return self.networks.embedder

    def acquisition_parameters(self) -> tuple[str, ...]:
        """The parameters of the stages before the embedder, as JSON: with the weights they determine a template."""
        return tuple(stage.parameters.model_dump_json() for stage in (self._detector, self._chooser))

    # ------------------------------------------------------------------------------------------------- single steps

    def detect(self, image: Image) -> tuple[FaceDetection, ...]:
        """Faces in ``image``, largest first."""
        return self._detector.detect(image.pixels)

    def align(self, image: Image, detection: FaceDetection) -> Pixels:
        """The crop that the embedder takes: (112, 112, 3) uint8 RGB for the bundled one."""
        return align(image.pixels, detection, self.embedder.image_input)

    def embed(self, aligned: Pixels) -> Template:
        """The template of one aligned crop."""
        return self.embed_batch(aligned[None])[0]

    def embed_batch(self, aligned: Pixels, evidence_ids: Sequence[str | None] | None = None) -> tuple[Template, ...]:
        """Templates of (n, H, W, 3) aligned crops, in order; each is what :meth:`embed` gives alone, to 1e-5."""
        vectors = self.networks.embed(aligned)
        space = self.embedder.embedding_space()
        names = evidence_ids or [None] * len(vectors)
        return tuple(Template(vector, space, evidence_id=name) for vector, name in zip(vectors, names, strict=True))

    def mesh(self, image: Image, detection: FaceDetection) -> FaceMesh | None:
        """The 478-point mesh of one face; None when the mesh model sees no face there."""
        return self._mesher.fit(image.pixels, detection)

    def quality(
        self,
        image: Image,
        detection: FaceDetection,
        mesh: FaceMesh | None,
        detections: tuple[FaceDetection, ...] = (),
    ) -> FaceQuality:
        """Quality of one face of ``image``; ``detections`` are all faces of it."""
        return self._assessor.assess(image, detection, mesh, detections or (detection,))

    # ------------------------------------------------------------------------------------------------ whole pictures

    def template(self, image: Image, role: str = "selfie") -> FaceAnalysis:
        """Detect, choose, align and embed only: what a comparison needs, without mesh and quality."""
        return self.embedded([self.aligned(image, role)], [_evidence_id(image)])[0]

    def aligned(self, image: Image, role: str = "selfie") -> FaceAnalysis:
        """Detect, choose and align only: a :meth:`template` that still lacks its template."""
        timings: dict[str, float] = {}
        detections = _timed(timings, "detect", lambda: self.detect(image))
        detector = self.networks.records[DETECTOR].label
        choice = self._chooser.choose(detections, (image.width, image.height), role, (detector,))
        face = choice.chosen
        aligned = None if face is None else _timed(timings, "align", lambda: self.align(image, face))
        finding = replace(choice.finding, milliseconds=timings["detect"])
        return FaceAnalysis(detections, face, aligned, None, None, None, (finding,), timings)

    def embedded(
        self, analyses: Sequence[FaceAnalysis], evidence_ids: Sequence[str | None] | None = None
    ) -> tuple[FaceAnalysis, ...]:
        """Analyses of :meth:`aligned` with the templates of their chosen faces, embedded as one batch.

        The time of the batch is shared out evenly.
        """
        names = evidence_ids or [None] * len(analyses)
        chosen = [index for index, analysis in enumerate(analyses) if analysis.aligned is not None]
        if not chosen:
            return tuple(analyses)
        timings: dict[str, float] = {}
        crops = np.stack([crop for analysis in analyses if (crop := analysis.aligned) is not None])
        templates = _timed(timings, "embed", lambda: self.embed_batch(crops, [names[index] for index in chosen]))
        results = list(analyses)
        for index, template in zip(chosen, templates, strict=True):
            spent = {**results[index].timings, "embed": timings["embed"] / len(chosen)}
            results[index] = replace(results[index], template=template, timings=spent)
        return tuple(results)

    def templates(self, images: Sequence[Image], role: str = "selfie") -> tuple[FaceAnalysis, ...]:
        """:meth:`template` of several pictures, in order, spread over the cores.

        Two pictures on two single-threaded sessions take less time than one after the other on a session with two
        threads, because the small layers of these networks do not divide well.
        """
        workers = min(len(images), self.settings.session_threads)
        if workers < 2:
            return tuple(self.template(image, role) for image in images)
        single = self.single_threaded()
        with one_opencv_thread(), ThreadPoolExecutor(workers, thread_name_prefix="samebody-face") as pool:
            return tuple(pool.map(lambda image: single.template(image, role), images))

    def embed_many(self, crops: Iterable[Pixels]) -> Iterator[Template]:
        """Templates of aligned crops, in order, on all cores; takes any iterable and holds only a few crops.

        Each worker embeds :data:`BATCH` crops at once, because a network's last, dense layer costs as much for one
        crop as for a few: its weights are read from memory once a batch.
        """
        from samebody.face.stream import in_batches, ordered

        single = self.single_threaded()
        batches = ordered(
            lambda batch: single.embed_batch(np.stack(batch)),
            in_batches(crops, BATCH, ramp=self.settings.session_threads),
            workers=self.settings.session_threads,
        )
        for templates in batches:
            yield from templates

    def single_threaded(self) -> FaceAnalyser:
        """This analyser with one thread per session, for work that runs in several threads already."""
        if self.networks.threads == 1 or self.settings.session_threads == 1:
            return self
        if self._single is None:
            self._single = FaceAnalyser(
                self.settings,
                embedder=self._embedder_id,
                threads=1,
                **self._options,  # type: ignore[arg-type]
            )
        return self._single

    def analyse(self, image: Image, role: str = "selfie") -> FaceAnalysis:
        """Everything about ``image`` in its ``role`` (``selfie``, ``document`` or a name of your own).

        Returns:
            Findings ``<role>.face`` and, when a face was chosen, ``<role>.quality``; a template only when a face was
            chosen. A picture that shows no usable face is a finding, never an exception.
        """
        found = self.template(image, role)
        face = found.chosen
        if face is None:
            return found
        timings = dict(found.timings)
        mesh = _timed(timings, "mesh", lambda: self.mesh(image, face))
        quality = _timed(timings, "quality", lambda: self.quality(image, face, mesh, found.detections))
        assessed = quality_finding(
            quality,
            role,
            face,
            model_ids=tuple(self.networks.records[name].label for name in (DETECTOR, LANDMARKS, BLENDSHAPES)),
            milliseconds=timings["mesh"] + timings["quality"],
        )
        return replace(found, mesh=mesh, quality=quality, findings=(*found.findings, assessed), timings=timings)


def _evidence_id(image: Image) -> str | None:
    return image.evidence.id if image.evidence else None


def _timed(timings: dict[str, float], name: str, work: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = work()
    timings[name] = 1000 * (time.perf_counter() - start)
    return result
