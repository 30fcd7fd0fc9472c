"""Nothing that samebody installs without extras holds code under the GPL, and the look inside would notice it."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.packaging.wheel_licences import (
    Allowed,
    Hit,
    licence_hits,
    runtime_distributions,
    scan,
    shared_libraries,
)

_GCC = (
    "Run-time library of GCC, GPL-3.0-or-later WITH GCC-exception-3.1: the exception lets it be combined with code "
    "under any licence when it was compiled with GCC in the ordinary way, as wheels of compiled Fortran and C++ are."
)
ALLOWED = (
    Allowed("numpy", "libgfortran-*", "gcc runtime", "*", _GCC + " Needed by OpenBLAS."),
    Allowed("scipy", "libgfortran-*", "gcc runtime", "*", _GCC + " Needed by OpenBLAS and SciPy's own Fortran."),
    Allowed("opencv-python-headless", "libgfortran-*", "gcc runtime", "*", _GCC + " Needed by OpenBLAS."),
    Allowed(
        "*",
        "libquadmath-*",
        "gcc runtime",
        "*",
        "Run-time library of GCC under LGPL-2.1-or-later: a shared library that can be replaced.",
    ),
)

DISTRIBUTIONS = runtime_distributions()


def unexplained(hits: list[Hit]) -> list[str]:
    return [str(hit) for hit in hits if not any(entry.covers(hit) for entry in ALLOWED)]


def test_the_closure_is_what_pyproject_asks_for_and_more() -> None:
    assert {"samebody", "numpy", "opencv-python-headless", "pillow", "onnxruntime", "cryptography"} <= set(
        DISTRIBUTIONS
    )
    assert {"cffi", "pydantic-core"} <= set(DISTRIBUTIONS)  # what they need in turn
    assert not {"pillow-heif", "av", "pytest", "torch", "rapidocr"} & set(DISTRIBUTIONS)
    assert len(shared_libraries(DISTRIBUTIONS["opencv-python-headless"])) > 3


@pytest.mark.parametrize("name", sorted(DISTRIBUTIONS))
def test_no_wheel_holds_gpl_code(name: str) -> None:
    distribution = DISTRIBUTIONS[name]
    hits = [*licence_hits(name, distribution), *scan(name, shared_libraries(distribution))]
    assert unexplained(hits) == []


def test_every_allowance_has_a_reason() -> None:
    assert all(len(entry.reason) > 60 and entry.reason.endswith(".") for entry in ALLOWED)


PLANTED = {
    "libavcodec.so.61": b"\0--prefix=/x --enable-gpl --enable-shared\0",
    "libavutil-0123abcd.so.59.8.100": b"\0libavutil license: GPL version 3 or later\0",
    "libavcodec.so.62": b"\0--enable-version3 --enable-libx264 --enable-nvenc\0",
    "plain.abi3.so": b"\0x264 - core 164 - Copyleft - http://www.videolan.org/x264.html\0",
    "codec.pyd": b"\0x265 [info]: HEVC encoder version 3.5\0",
    "tool.dylib": b"\0under the terms of the GNU General Public License as published\0",
    "other.dll": b"\0License GPLv3+: GNU GPL version 3 or later\0",
    "another.so": b"\0SPDX-License-Identifier: AGPL-3.0-only\0",
    "libx265-4883ecb5.so.217": b"\0",
    "libpostproc.so.58": b"\0",
    "libreadline.so.8.2": b"\0",
    "libgdbm.so.6": b"\0",
    "libfftw3f.so.3": b"\0",
    "libgsl.27.dylib": b"\0",
    "libexiv2.dll": b"\0",
    "libgfortran-040039e1.so.5.0.0": b"\0",
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_gpl_code_is_noticed(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x7fELF" + bytes(5000) + PLANTED[name] + bytes(5000))
    assert unexplained(list(scan("planted", [path])))


HARMLESS = {
    "libssl.so.3": b"\0OpenSSL 3.0\0under the Apache License\0",
    "libavcodec.so.61": b"\0--enable-openssl --enable-libvpx\0libavcodec license: LGPL version 2.1 or later\0",
    "libheif.so.1": b"\0GNU Lesser General Public License\0GNU Library General Public License\0LGPL-3.0\0",
    "libfreetype.so.6": b"\0FTL\0xGPLx\0AGPLUS\0base64GPLk9=\0",
    "libgslice.so": b"\0",
    "libreadlines.so": b"\0",
    "empty.so": b"",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_other_licences_are_left_alone(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(HARMLESS[name])
    assert list(scan("harmless", [path])) == []


def installed(folder: Path, name: str, files: dict[str, bytes], needs: str = "", licence: str = "MIT") -> None:
    """A small installed distribution with a record of its files."""
    stem = name.replace("-", "_")
    info = folder / f"{stem}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\nLicense-Expression: {licence}\n"
        + "".join(f"Requires-Dist: {need}\n" for need in needs.split(",") if need)
    )
    record = [f"{stem}-1.0.dist-info/METADATA,,"]
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        record.append(f"{path},,")
    (info / "RECORD").write_text("\n".join(record) + "\n")


def test_a_planted_wheel_is_found_through_what_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "plain-top", {"plain_top.py": b""}, 'hidden_codec>=1,never-there; extra == "x"')
    installed(tmp_path, "hidden-codec", {"hidden.libs/libavcodec-1.so.61": b"\0--enable-gpl\0"}, licence="GPL-2.0-only")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    closure = runtime_distributions("plain-top")
    assert set(closure) == {"plain-top", "hidden-codec"}
    hits = list(scan("hidden-codec", shared_libraries(closure["hidden-codec"])))
    assert [hit.what for hit in hits] == ["--enable-gpl"]
    assert [hit.what for hit in licence_hits("hidden-codec", closure["hidden-codec"])] == ["licence"]
    assert list(licence_hits("plain-top", closure["plain-top"])) == []
