"""Connections to endpoints: their time is over when it is over, and each is made for the host it was judged for."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from samebody.errors import ConfigError
from samebody.jobs import Delivery
from samebody.service.webhooks import Sender
from tests.service.conftest import Running


def delivery(url: str) -> Delivery:
    return Delivery("local", "del_1", "msg_1", "whe_1", url, b"{}", 0, (bytes(32),))


@contextlib.contextmanager
def dripping(tls: bool = False) -> Iterator[str]:
    """An endpoint that sends a byte of its headers (or of its half of the handshake) every tenth of a second."""
    over = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.1)

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(1024)
            # 22 and a length: a TLS record of 16,384 bytes that takes half an hour
            start = b"\x16\x03\x03\x40\x00" if tls else b"HTTP/1.1 200 OK\r\nx: "
            connection.sendall(start)
            while not over.wait(0.1):
                connection.sendall(b"\x02" if tls else b"a")

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                threading.Thread(target=one, args=(listening.accept()[0],)).start()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listening.getsockname()[1]}/hook"
    finally:
        over.set()
        thread.join()
        listening.close()


@pytest.mark.parametrize("tls", [False, True], ids=["headers", "handshake"])
def test_an_endpoint_that_never_quite_answers_is_left_in_time(tls: bool) -> None:
    with dripping(tls) as url, contextlib.closing(Sender(private=True, timeout=0.5)) as send:
        begun = time.monotonic()
        receipt = send(delivery(url))
        assert (receipt.accepted, receipt.error) == (False, "webhook.timeout")
        assert 0.4 < time.monotonic() - begun < 5


class Hook(http.server.BaseHTTPRequestHandler):
    """Takes whatever comes, and keeps which host it was for and which connection it came on."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, int]] = []  # noqa: RUF012 - one list for all requests of a server, which a test replaces

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.seen.append((self.headers["host"], self.client_address[1]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate of ``host`` that signs itself, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{host}.pem", folder / f"{host}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return paths


@contextlib.contextmanager
def over_tls(chain: tuple[Path, Path]) -> Iterator[tuple[int, list[tuple[str, int]]]]:
    """An endpoint with a certificate; its port, and what it saw."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*chain)
    hook = type("OneHook", (Hook,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), hook)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # refused handshakes, told on stderr
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1], hook.seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_certificate_is_that_of_the_host_each_time(tmp_path: Path) -> None:
    chain = certificate(tmp_path, "shop.test")
    with over_tls(chain) as (port, seen):
        sender = Sender(private=True, timeout=5, ca_file=chain[0], resolve=lambda *_: ["127.0.0.1"])
        with contextlib.closing(sender) as send:
            assert send(delivery(f"https://shop.test:{port}/hook")).accepted
            # the same address: a connection that is kept would let this one through
            assert send(delivery(f"https://other.test:{port}/hook")).error == "webhook.unreachable"
            assert send(delivery(f"https://shop.test:{port}/hook")).accepted
        assert [host for host, _ in seen] == [f"shop.test:{port}"] * 2
        assert len({client for _, client in seen}) == 2


def test_certificates_of_ones_own_are_trusted_only_when_named(tmp_path: Path) -> None:
    chain = certificate(tmp_path, "shop.test")
    with (
        over_tls(chain) as (port, seen),
        contextlib.closing(Sender(private=True, resolve=lambda *_: ["127.0.0.1"])) as send,
    ):
        assert send(delivery(f"https://shop.test:{port}/hook")).error == "webhook.unreachable"
        assert seen == []


def test_certificates_that_cannot_be_read_are_told_at_the_start(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("not a certificate")
    for path in (broken, tmp_path / "none.pem"):
        with pytest.raises(ConfigError, match="webhook_ca_file"):
            Sender(ca_file=path)


def test_trying_slow_endpoints_takes_few_of_the_threads_that_answer(start: Callable[..., Running]) -> None:
    service = start(private_webhooks=True, webhook_seconds=3)
    with dripping() as url, service.http(service.admin_key) as http:
        endpoint = http.post("/v1/webhook-endpoints", json={"url": url}).json()["id"]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: http.post(f"/v1/webhook-endpoints/{endpoint}/test"), range(4)))
    done = [answer.json() for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert done == [{"accepted": False, "status": None, "error": "webhook.timeout"}] * 2
    assert len(refused) == 2 and all(int(answer.headers["retry-after"]) > 0 for answer in refused)
