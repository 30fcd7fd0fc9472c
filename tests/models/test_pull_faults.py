"""Pulling with the worst luck: killed in the middle, two at once, a full disk, a closed folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from samebody.config import Settings
from samebody.models import weights_path
from samebody.models.errors import DiskFullError, LockTimeoutError, NotWritableError
from samebody.models.pulling import pull, require_all
from samebody.models.store import Store

from .factory import Served, files_in, picture, picture_record, sha256

DATA = picture(40_000)
CHILD = """
import sys
from pathlib import Path
from samebody.config import Settings
from samebody.models.pulling import pull, require_all
from samebody.models.record import ModelRecord
settings = Settings(models_dir=Path(sys.argv[1]), network_timeout=20)
results = pull([ModelRecord.model_validate_json(Path(sys.argv[2]).read_text())], settings)
require_all(results)
print(results[0].action)
"""


@pytest.fixture
def child(server: Served, settings: Settings, tmp_path: Path) -> Iterator[list[str]]:
    """The command of a process that pulls one picture from a server that trickles."""
    server.files["/square.png"] = DATA
    server.slow_chunks = True
    record = picture_record(DATA, sources=[{"kind": "url", "url": f"{server.address}/square.png"}])
    (tmp_path / "record.json").write_text(record.model_dump_json())
    yield [sys.executable, "-c", CHILD, str(settings.models_dir), str(tmp_path / "record.json")]


def wait_for_partial(folder: Path) -> Path:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = list(folder.glob(".part-*"))
        if found:
            return found[0]
        time.sleep(0.02)
    raise AssertionError("the pull did not begin to write")


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX")
def test_the_next_pull_repairs_what_kill_9_left(server: Served, settings: Settings, child: list[str]) -> None:
    process = subprocess.Popen(child)
    wait_for_partial(settings.models_dir)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert any(name.startswith(".part-") for name in files_in(settings.models_dir))
    record = picture_record(DATA, sources=[{"kind": "url", "url": f"{server.address}/square.png"}])
    server.slow_chunks = False
    require_all(pull([record], settings))
    assert files_in(settings.models_dir) == {f"{sha256(DATA)}.png"}
    assert weights_path(record, settings).read_bytes() == DATA


def test_two_processes_at_once_fetch_the_file_once(server: Served, settings: Settings, child: list[str]) -> None:
    processes = [subprocess.Popen(child, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=120)[0].strip() for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert said == ["present", "pulled"]
    assert [path for path, _ in server.asked] == ["/square.png"]
    assert files_in(settings.models_dir) == {f"{sha256(DATA)}.png"}


def test_a_lock_that_stays_taken_is_its_own_error(tmp_path: Path) -> None:
    waited: list[bool] = []
    with (
        Store(tmp_path).locked(),
        pytest.raises(LockTimeoutError),
        Store(tmp_path).locked(lambda: waited.append(True), timeout=0.2),
    ):
        pass
    assert waited == [True]


def test_only_the_holder_of_the_lock_removes_leftovers(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.locked(), store.writing(tmp_path / "whole") as stream:
        stream.write(b"data")
        with pytest.raises(LockTimeoutError), store.locked(timeout=0.15):
            pass
    assert (tmp_path / "whole").read_bytes() == b"data"


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A memory disk, or a skip where the tests may not mount one."""
    folder.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    except OSError:
        pytest.skip("there is no mount command here")
    if done.returncode != 0:
        pytest.skip("mounting a memory disk needs rights that the tests do not have here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_nothing_is_left(
    server: Served, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = picture(100_000)
    server.files["/square.png"] = large
    record = picture_record(large, sources=[{"kind": "url", "url": f"{server.address}/square.png"}])
    with mounted(tmp_path / "disk", "size=64k") as disk:
        small = settings.model_copy(update={"models_dir": disk / "models"})
        with pytest.raises(DiskFullError, match="has room for"):
            pull([record], small)
        # The same when the disk fills up after the look at its room.
        roomy = type("usage", (), {"free": 1 << 40})
        monkeypatch.setattr("samebody.models.pulling.shutil.disk_usage", lambda folder: roomy)
        with pytest.raises(DiskFullError, match="nothing was left behind"):
            pull([record], small)
        assert files_in(small.models_dir) == set()


def test_a_closed_folder_serves_what_it_holds_and_says_what_it_cannot_take(
    server: Served, settings: Settings, tmp_path: Path
) -> None:
    server.files["/square.png"] = DATA
    source = [{"kind": "url", "url": f"{server.address}/square.png"}]
    record, other = picture_record(DATA, sources=source), picture_record(picture(seed=4), "example/b", sources=source)
    with mounted(tmp_path / "disk", "size=4m") as disk:
        closed = settings.model_copy(update={"models_dir": disk})
        require_all(pull([record], closed))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert weights_path(record, closed).read_bytes() == DATA
        assert pull([record], closed)[0].action == "present"
        with pytest.raises(NotWritableError, match="cannot be written to"):
            pull([other], closed)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_not_writable(server: Served, settings: Settings) -> None:
    settings.models_dir.mkdir(parents=True)
    settings.models_dir.chmod(0o500)
    record = picture_record(DATA, sources=[{"kind": "url", "url": f"{server.address}/square.png"}])
    with pytest.raises(NotWritableError):
        pull([record], settings)
