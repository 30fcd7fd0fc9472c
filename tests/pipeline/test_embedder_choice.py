"""Which embedder compares the faces: the setting, the option, and a typed error for one that is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from samebody.cli.main import main
from samebody.config import load_settings
from samebody.models.errors import UnknownModelError
from samebody.pipeline.verify import Verifier


def test_the_setting_chooses_the_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Verifier(load_settings()).record.id == "face/sface"
    monkeypatch.setenv("SAMEBODY_EMBEDDER", "face/edge")
    assert Verifier(load_settings()).record.id == "face/edge"
    assert Verifier(load_settings(), embedder="face/sface").record.id == "face/sface"


def test_an_unknown_embedder_is_a_typed_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownModelError):
        Verifier(load_settings(embedder="face/none"))
    given = ["verify", "--selfie", str(tmp_path / "a.jpg"), "--document", str(tmp_path / "b.jpg")]
    with pytest.raises(SystemExit) as left:
        main([*given, "--embedder", "face/none"])
    said = capsys.readouterr().err
    assert left.value.code == 64 and "face/none" in said and "Traceback" not in said
