"""Where packages are is asked of the real pip; names and versions are matched as the packaging rules say."""

from __future__ import annotations

from pathlib import Path

import pytest

from samebody.models import pip_index
from samebody.models.sources import PyPISource


def test_the_real_pip_tells_its_files_its_environment_and_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nextra-index-url = https://a.example/simple/\n  file:///b\nproxy = http://proxy.example:3128\n"
        "[download]\ntrusted-host = a.example:8080\n[install]\nproxy = http://wrong.example\n"
    )
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_PROXY", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_FIND_LINKS", "/links one")
    monkeypatch.setenv("HOME", str(tmp_path))
    config = pip_index.pip_config()
    assert config.proxy == "http://proxy.example:3128"
    assert config.indexes[0].startswith("https://") and config.indexes[0].endswith("/simple")
    assert {"https://a.example/simple", "file:///b"} <= set(config.indexes[1:])
    assert config.trusted_hosts >= {"a.example"}
    assert config.find_links == ("/links", "one")


def test_a_pip_that_does_not_answer_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samebody.models.pip_index.sys.executable", "/nowhere/python")
    pip, listing = pip_index._configuration()
    assert pip[0] != "/nowhere/python"
    assert isinstance(listing, str)


@pytest.mark.parametrize(
    ("filename", "archive", "expected"),
    [
        ("Car_Rier-1.0-py3-none-any.whl", "wheel", True),
        ("car.rier-1.0-1build-cp311-cp311-linux_x86_64.whl", "wheel", True),
        ("car_rier-1.0.1-py3-none-any.whl", "wheel", False),
        ("car_rier_more-1.0-py3-none-any.whl", "wheel", False),
        ("car_rier-1.0.tar.gz", "wheel", False),
        ("car_rier-1.0.whl", "wheel", False),
        ("car-rier-1.0.tar.gz", "sdist", True),
        ("car_rier-1.0.zip", "sdist", True),
        ("car_rier-1.0.exe", "sdist", False),
        ("car_rier-11.0.tar.gz", "sdist", False),
    ],
)
def test_release_files_are_told_by_their_names(filename: str, archive: str, expected: bool) -> None:
    source = PyPISource.model_validate(
        {"kind": "pypi", "package": "car-rier", "version": "1.0", "archive": archive, "member": "m.onnx"}
    )
    assert pip_index.is_release_file(filename, source) is expected
