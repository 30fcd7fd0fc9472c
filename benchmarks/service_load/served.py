"""``samebody serve`` as processes of its own, what can be seen of them from outside, and a receiver of webhooks."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from samebody.service.client import ApiError, Client, verify_webhook

READY_SECONDS = 300.0
STOP_SECONDS = 180.0
ROLES = ("api", "worker", "housekeeper")


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Served:
    """A service in ``folder``; a context manager that starts it and ends it.

    Attributes:
        settings: of the service, by name without ``SAMEBODY_SERVICE_``.
        key: the admin key of the first start.
    """

    folder: Path
    workers: int = 2
    settings: Mapping[str, Any] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    key: str = field(default="", repr=False)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Without ``/v1``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> Path:
        """Folder of the store."""
        return self.folder / "store"

    @property
    def log(self) -> str:
        """What its processes wrote."""
        return (self.folder / "serve.log").read_text("utf-8", "replace")

    def client(self, key: str | None = None, *, timeout: float = 30, **options: Any) -> Client:
        """The typed client, with the admin key unless another is given."""
        # reading the certificates of the world for each of many clients would be most of what they do
        http = httpx.Client(base_url=self.url, timeout=timeout, verify=False, trust_env=False)
        return Client(self.url, key or self.key, http=http, **options)

    def start(self) -> None:
        """Start the processes; they may not answer yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        output = self.folder / "serve.out"
        environment = {**os.environ, "SAMEBODY_SERVICE_PRIVATE_WEBHOOKS": "true", "PYTHONUNBUFFERED": "1"}
        environment |= {f"SAMEBODY_SERVICE_{name.upper()}": str(value) for name, value in self.settings.items()}
        command = [sys.executable, "-m", "samebody", "serve", "--store", str(self.store)]
        command += ["--port", str(self.port), "--workers", str(self.workers)]
        with output.open("wb") as out, (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=out, stderr=log)
        deadline = time.monotonic() + READY_SECONDS
        while "serves" not in (text := output.read_text("utf-8")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not start: {self.log}")
            time.sleep(0.05)
        if found := re.search(r"Admin key \(shown this once\): (\S+)", text):
            self.key = found[1]

    def wait_ready(self) -> float:
        """Seconds until it says that it is ready."""
        begun = time.monotonic()
        with self.client(retries=0, timeout=5) as api:
            while True:
                try:
                    if api.readyz()["ready"]:
                        return time.monotonic() - begun
                except ApiError:
                    if time.monotonic() - begun > READY_SECONDS:
                        raise RuntimeError(f"the service is not ready: {self.log}") from None
                time.sleep(0.1)

    def children(self, role: str = "") -> list[int]:
        """Process ids of its children, or of those with a role."""
        return [] if self.process is None else children(self.process.pid, role)

    def kill(self, role: str) -> int:
        """``kill -9`` one of its processes (``server`` is the parent); its id, or 0 when there is none now."""
        if role == "server":
            assert self.process is not None
            self.process.kill()
            self.process.wait()
            return self.process.pid
        for found in self.children(role)[:1]:
            try:
                os.kill(found, signal.SIGKILL)
            except ProcessLookupError:
                continue
            return found
        return 0

    def memory(self) -> dict[str, float]:
        """Resident MiB now: of the API, of all workers, of the rest."""
        return {role: sum(resident(each) for each in self.children(role)) for role in ROLES}

    def cpu(self) -> dict[str, float]:
        """Seconds computed so far: by the API, by all workers, by the housekeeper."""
        return {role: sum(cpu_seconds(each) for each in self.children(role)) for role in ROLES}

    def stop(self) -> int:
        """End it as an operator does; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            if self.process is not None:
                self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()


def children(parent: int, role: str = "") -> list[int]:
    """Process ids of the children of a process, or of those with ``role`` among their arguments."""
    return sorted(each for each, of, said in _running() if of == parent and (not role or role in said))


def working_on(store: Path) -> list[int]:
    """Process ids of everything that was started with this store, whoever its parent is now."""
    return sorted(each for each, _, said in _running() if str(store) in said)


def _running() -> Iterator[tuple[int, int, list[str]]]:
    """Id, parent and arguments of every process that can be seen."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            yield int(entry.name), parent, arguments


def cpu_seconds(process: int) -> float:
    """What a process has computed so far, all its threads, seconds; 0 when it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(process: int) -> float:
    """Resident MiB of a process; 0 when it has ended."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else 0.0


class Receiver:
    """An endpoint on this machine that refuses a share of what it is sent, by a seed; a context manager.

    Attributes:
        messages: contents that were verified and taken, by ``webhook-id``; a repeat must be the same.
        tries: how often anything came.
        wrong: what did not verify, or contradicted an earlier message of the same id.
    """

    def __init__(self, *, refuse: float = 0.0, seed: int = 0) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.tries, self.wrong = 0, list[str]()
        self.secret = ""
        self._lock, random_, outer = threading.Lock(), random.Random(seed), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with outer._lock:
                    outer.tries += 1
                    refused = random_.random() < refuse
                    if not refused:
                        outer._take(dict(self.headers), body)
                self.send_response(503 if refused else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def _take(self, headers: dict[str, str], body: bytes) -> None:
        named = next((value for name, value in headers.items() if name.lower() == "webhook-id"), "")
        try:
            message = verify_webhook(self.secret, headers, body)
        except Exception as error:  # whatever it is: what came is wrong, and the run says so
            self.wrong.append(f"{named}: {error}")
            return
        if self.messages.setdefault(named, message) != message:
            self.wrong.append(f"{named}: sent with two contents")

    def register(self, api: Client, kinds: list[str] | None = None) -> None:
        """Make it an endpoint of the service."""
        self.secret = api.create_endpoint(url=self.url, kinds=kinds)["secret"]

    def told(self) -> dict[str, list[dict[str, Any]]]:
        """What it knows of each session, in order of sequence."""
        known: dict[str, list[dict[str, Any]]] = {}
        with self._lock:
            for message in self.messages.values():
                known.setdefault(message["data"]["session"], []).append(message["data"])
        return {session: sorted(found, key=lambda each: each["sequence"]) for session, found in known.items()}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
