"""The document reader: photograph in; page, machine-readable zone, visual zone, class and findings out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import numpy as np

from samebody.config import Settings
from samebody.document.classify import classify
from samebody.document.cross_check import cross_check
from samebody.document.findings import dates_finding, mrz_finding, page_finding
from samebody.document.mrz_cells import CellNetwork
from samebody.document.mrz_fields import assemble
from samebody.document.mrz_read import MrzReader
from samebody.document.page import PageFinder
from samebody.document.portrait import portrait_candidates
from samebody.document.recognise import RECORD as TEXT_RECORD
from samebody.document.recognise import TextRecogniser
from samebody.document.types import DocumentReading, MrzReading, Page
from samebody.document.visual_fields import VisualZone
from samebody.document.visual_zone import VisualZoneReader
from samebody.models import catalogue
from samebody.types import Box, Finding, Image, Outcome, Reason, Region


class DocumentReader:
    """Reads documents; sessions are opened on first use and stay open. Safe to call from several threads.

    Args:
        settings: where the weights are.
        network: reads MRZ strips; the record's by default.
        recogniser: reads lines of the visual zone; the record's by default.

    Raises:
        WeightsMissingError: on first use, when weights were not pulled.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        network: CellNetwork | None = None,
        recogniser: TextRecogniser | None = None,
    ) -> None:
        self._settings = settings
        self._network = network or CellNetwork(settings)
        self._mrz = MrzReader(network=self._network)
        self._pages = PageFinder()
        self._recogniser = recogniser or TextRecogniser(settings)
        self._visual = VisualZoneReader()

    def read(
        self,
        image: Image,
        *,
        today: date | None = None,
        visual_zone: bool = True,
        page_ready: Callable[[Page | None], None] | None = None,
    ) -> DocumentReading:
        """Everything one photograph of a document says.

        Args:
            image: the photograph.
            today: the reading date, for centuries and validity; the current date when None.
            visual_zone: False leaves out the visual zone, the portrait candidates and ``document.consistency``.
            page_ready: called once with the page (or None) as soon as it is final, so that work on the portrait can
                start while the visual zone is read.
        """
        day = today or date.today()
        timings: dict[str, float] = {}
        with _timed(timings, "mrz"):
            zone = self._mrz.read(image.pixels)
            mrz = assemble(zone, day) if zone is not None else None
        with _timed(timings, "page"):
            page = self._pages.find(image, mrz)
        if mrz is None and page is not None:
            with _timed(timings, "mrz_on_page"):
                mrz = self._read_on_page(page, day)
            if mrz is not None:
                page = self._pages.find(image, mrz)
        visual: VisualZone | None = None
        consistency: Finding | None = None
        if page_ready is not None:
            page_ready(page)
        portraits: tuple[Region, ...] = ()
        if visual_zone:
            with _timed(timings, "portrait"):
                box = _mrz_box(page, mrz) if page is not None and mrz is not None else None
                portraits = portrait_candidates(page.image, box) if page is not None else ()
            with _timed(timings, "visual_zone"):
                if page is not None:
                    visual = self._visual.read(page, self._recogniser, mrz=mrz)
            if mrz is not None and visual is not None:
                consistency, mrz = cross_check(mrz, visual)
            else:
                consistency = _not_compared(mrz)
        records = catalogue(self._settings)
        models = (self._network.label,)
        findings = [
            page_finding(page, mrz, timings["page"]),
            mrz_finding(mrz, timings["mrz"] + timings.get("mrz_on_page", 0.0), models),
            dates_finding(mrz, day, 0.0),
        ]
        if consistency is not None:
            findings.append(_with_model(consistency, records[TEXT_RECORD].label, timings["visual_zone"]))
        return DocumentReading(
            page=page,
            mrz=mrz,
            visual_zone=visual,
            document_class=classify(mrz) if mrz is not None else None,
            portrait_candidates=portraits,
            findings=tuple(findings),
            timings=timings,
        )

    def _read_on_page(self, page: Page, today: date) -> MrzReading | None:
        """A second try on the rectified page, when the photograph itself gave nothing."""
        zone = self._mrz.read(page.image)
        if zone is None:
            return None
        quads = np.stack([page.to_photograph(quad) for quad in zone.quads])
        return assemble(replace(zone, quads=quads), today)


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[name] = (time.perf_counter() - start) * 1000


def _mrz_box(page: Page, mrz: MrzReading) -> Box:
    """The zone's bounding box in pixels of the rectified page."""
    points = page.to_page(np.array(mrz.polygon, np.float64))
    low, high = points.min(axis=0), points.max(axis=0)
    return Box(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))


def _not_compared(mrz: MrzReading | None) -> Finding:
    missing = "machine-readable zone" if mrz is None else "page"
    reason = Reason("document.nothing_to_compare", f"The {missing} was not found, so the two zones were not compared.")
    return Finding("document.consistency", Outcome.NOT_RUN, reasons=(reason,))


def _with_model(finding: Finding, label: str, milliseconds: float) -> Finding:
    models = finding.model_ids or ((label,) if finding.outcome is not Outcome.NOT_RUN else ())
    return replace(finding, model_ids=models, milliseconds=milliseconds)
