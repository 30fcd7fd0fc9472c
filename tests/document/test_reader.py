"""The whole reader on one photograph: findings, class, fields, timings; and on pictures without a document."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest

from samebody.document import DocumentKind, DocumentReader
from samebody.document.recognise import TextRecogniser
from samebody.document.serialise import reading_to_dict
from samebody.synth import specimen
from samebody.synth.photograph import photograph
from samebody.types import Image, Outcome

TODAY = date(2026, 6, 1)


def test_the_zone_alone_gives_class_fields_and_findings() -> None:
    shot = photograph(specimen.render("TD3", seed=77), difficulty="moderate", seed=77)
    reading = DocumentReader().read(shot.image, today=TODAY, visual_zone=False)
    assert reading.mrz is not None
    assert reading.mrz.lines == shot.truth.mrz_lines
    assert reading.document_class is not None
    assert reading.document_class.kind is DocumentKind.PASSPORT
    assert [finding.check for finding in reading.findings] == ["document.page", "document.mrz", "document.dates"]
    assert reading.finding("document.mrz").outcome is Outcome.PASS
    assert reading.mrz.fields["birth_date"].value == shot.truth.fields["birth_date"]
    assert reading.visual_zone is None
    assert {"mrz", "page"} <= set(reading.timings)
    assert json.loads(json.dumps(reading_to_dict(reading)))["mrz"]["lines"] == list(shot.truth.mrz_lines)


def test_no_document_is_a_finding_and_no_error() -> None:
    picture = Image(np.full((480, 640, 3), 140, np.uint8))
    reading = DocumentReader().read(picture, today=TODAY, visual_zone=False)
    assert reading.mrz is None
    assert reading.page is None
    assert reading.document_class is None
    assert reading.finding("document.page").outcome is Outcome.FAIL
    assert reading.finding("document.mrz").outcome is Outcome.UNSURE
    assert reading.finding("document.dates").outcome is Outcome.NOT_RUN
    with pytest.raises(KeyError):
        reading.finding("document.consistency")


@pytest.mark.weights
def test_the_visual_zone_confirms_what_the_digits_cannot() -> None:
    shot = photograph(specimen.render("TD3", seed=77), difficulty="clean", seed=77)
    reading = DocumentReader().read(shot.image, today=TODAY)
    assert reading.mrz is not None
    assert reading.finding("document.consistency").outcome is not Outcome.FAIL
    assert "visual_zone" in reading.mrz.fields["surname"].confirmed_by
    assert not reading.mrz.fields["surname"].unsure


@pytest.mark.weights
def test_a_batch_of_lines_reads_like_single_lines() -> None:
    page = specimen.render("TD3", seed=3).image.pixels
    crops = [page[y : y + 40, 20 : 20 + width] for y, width in ((30, 300), (120, 180), (200, 300), (60, 431))]
    recogniser = TextRecogniser()
    together = recogniser.posteriors(crops)
    for crop, batched in zip(crops, together, strict=True):
        (single,) = recogniser.posteriors([crop])
        assert single.probabilities.shape == batched.probabilities.shape
        assert np.abs(single.probabilities - batched.probabilities).max() < 1e-5
    digits = recogniser.recognise(crops, charset="0123456789")
    assert all(set(line.text) <= set("0123456789") for line in digits)
