"""A PostgreSQL of the tests' own, started when its binaries are there; a fresh database for each test.

With ``SAMEBODY_TEST_DATABASE=postgresql`` every store that a test makes by :func:`place` is on it too.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BINARIES = ("initdb", "postgres")
SWITCH = "SAMEBODY_TEST_DATABASE"
NewDatabase = Callable[[], str]


def _binary(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) if Path("/usr/lib/postgresql").is_dir() else []
    return shutil.which(name) or (str(found[-1]) if found else None)


def _user() -> str | None:
    """Whom to run it as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a running server, without a database's name."""
    paths = {name: _binary(name) for name in BINARIES}
    initdb, server = paths["initdb"], paths["postgres"]
    if initdb is None or server is None:
        pytest.skip("PostgreSQL's binaries initdb and postgres are not here")
    user = _user()
    folder = Path(f"/tmp/samebody-pg-{os.getpid()}-{secrets.token_hex(4)}")  # readable for the other user
    folder.mkdir(mode=0o700)
    try:
        if user is not None:
            shutil.chown(folder, user)
        make = [initdb, "-D", str(folder / "data"), "-U", "samebody", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(make, check=True, capture_output=True, user=user, cwd="/")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = {"listen_addresses": "127.0.0.1", "port": port, "fsync": "off", "unix_socket_directories": ""}
        start = [server, "-D", str(folder / "data"), *(f"--{name}={value}" for name, value in options.items())]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(start, stdout=log, stderr=log, user=user, cwd="/")
        try:
            _wait(port, process)
            yield f"postgresql+pg8000://samebody@127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError

    engine = create_engine(f"postgresql+pg8000://samebody@127.0.0.1:{port}/postgres")
    for _ in range(300):
        assert process.poll() is None, "PostgreSQL did not start"
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            engine.dispose()
            return
        except DBAPIError:
            time.sleep(0.1)
    raise AssertionError("PostgreSQL did not answer in 30 seconds")


@contextmanager
def _databases(server: str) -> Iterator[NewDatabase]:
    from sqlalchemy import create_engine, text

    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    names: list[str] = []

    def make() -> str:
        names.append(f"test_{secrets.token_hex(6)}")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {names[-1]}"))
        return f"{server}/{names[-1]}"

    yield make
    with engine.connect() as connection:
        for name in names:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def new_database(postgresql_server: str) -> Iterator[NewDatabase]:
    """Makes an empty database; its URL."""
    with _databases(postgresql_server) as make:
        yield make


@pytest.fixture
def postgresql_database(postgresql_server: str) -> Iterator[str]:
    """URL of an empty database."""
    with _databases(postgresql_server) as make:
        yield make()


def place(request: pytest.FixtureRequest, folder: Path) -> tuple[str | Path, Path]:
    """Where a store of a test lies, and its sealed files: in ``folder``, or on PostgreSQL when that is asked for."""
    if os.environ.get(SWITCH) != "postgresql":
        return folder, folder / "media"
    return request.getfixturevalue("new_database")(), folder / "media"
