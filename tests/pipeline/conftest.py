"""Real pictures for the pipeline: a specimen passport with one photograph, another photograph of the same person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from samebody.pipeline.verify import Verification, Verifier


class Pictures(NamedTuple):
    selfie: Path
    impostor: Path
    document: Path


@pytest.fixture(scope="session")
def pictures(_weights: None, tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    from samebody.capture import decode_image
    from samebody.cli.demo import GENUINE_PORTRAIT, GENUINE_SELFIE, IMPOSTOR_SELFIE
    from samebody.models import catalogue, weights_path
    from samebody.synth.photograph import photograph
    from samebody.synth.specimen import render

    records = catalogue()
    specimen = render("TD3", seed=11, portrait=decode_image(weights_path(records[GENUINE_PORTRAIT])))
    path = tmp_path_factory.mktemp("pictures") / "passport.jpg"
    path.write_bytes(photograph(specimen, difficulty="clean", seed=11, megapixels=2).jpeg)
    return Pictures(weights_path(records[GENUINE_SELFIE]), weights_path(records[IMPOSTOR_SELFIE]), path)


@pytest.fixture(scope="session")
def verifier(_weights: None) -> Verifier:
    from samebody.pipeline.verify import Verifier

    return Verifier()


@pytest.fixture(scope="session")
def genuine(verifier: Verifier, pictures: Pictures) -> Verification:
    return verifier.verify(selfie=pictures.selfie, document=pictures.document, policy="no-liveness", case_id="case-1")
