"""A server of the tests' own that speaks enough of S3: signed requests checked, objects in memory, faults on order.

It keeps what S3 promises where the store relies on it: an object is seen when all of its bytes are there and their
checksum agrees, and not before; a list is in pages; a bucket may keep versions.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest

ACCESS, SECRET, REGION = "tests", "a secret of the tests", "eu-test-1"
PAGE = 3
"""Names in one answer to a list."""


@dataclass
class Bucket:
    """What a test sees of the server: the objects as they lie there, requests, and faults to order.

    Attributes:
        fault: asked with method and key before a request is served: an HTTP status to answer with, ``drop`` to close
            the connection without an answer, ``truncate`` to send half of the body, None to go on.
        versioned: keep what is overwritten or deleted, as a bucket with versions does.
    """

    name: str = "samebody"
    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    old: list[tuple[str, bytes]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    fault: Callable[[str, str], int | str | None] = lambda method, key: None
    versioned: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def put(self, key: str, data: bytes) -> str | None:
        with self.lock:
            if self.versioned and key in self.objects:
                self.old.append((key, self.objects[key][0]))
            self.objects[key] = (data, datetime.now(UTC))
            return hashlib.md5(data).hexdigest() if self.versioned else None

    def delete(self, key: str) -> None:
        with self.lock:
            found = self.objects.pop(key, None)
            if self.versioned and found is not None:
                self.old.append((key, found[0]))


class Handler(BaseHTTPRequestHandler):
    bucket: Bucket
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        _, bucket, *rest = unquote(parts.path).split("/", 2)
        key, query = rest[0] if rest else "", parse_qsl(parts.query, keep_blank_values=True)
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        self.bucket.requests.append((self.command, key))
        fault = self.bucket.fault(self.command, key)
        if fault == "drop" or len(body) != length:
            self.close_connection = True
            return
        if isinstance(fault, int):
            return self._answer(fault, _error("InternalError" if fault >= 500 else "AccessDenied"))
        if not self._signed(parts.path, query, body):
            return self._answer(403, _error("SignatureDoesNotMatch"))
        if bucket != self.bucket.name:
            return self._answer(404, _error("NoSuchBucket"))
        if self.command == "PUT":
            version = self.bucket.put(key, body)
            self._answer(200, b"", {"ETag": _etag(body), **({"x-amz-version-id": version} if version else {})})
        elif self.command == "DELETE":
            self.bucket.delete(key)
            self._answer(204, b"")
        elif self.command == "POST" and ("delete", "") in query:
            self._delete_many(body)
        elif self.command == "GET" and not key:
            self._list(dict(query))
        elif key not in self.bucket.objects:
            self._answer(404, _error("NoSuchKey"))
        else:
            data, changed = self.bucket.objects[key]
            headers = {"ETag": _etag(data), "Last-Modified": changed.strftime("%a, %d %b %Y %H:%M:%S GMT")}
            self._answer(200, data, headers, half=fault == "truncate")

    do_GET = do_PUT = do_DELETE = do_POST = do_HEAD = _serve  # noqa: N815 - names of the base class

    def _delete_many(self, body: bytes) -> None:
        space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
        root = ElementTree.fromstring(body)
        answer = ElementTree.Element("DeleteResult", xmlns=space[1:-1])
        for found in [*root.iter(f"{space}Key"), *root.iter("Key")]:
            self.bucket.delete(found.text or "")
            ElementTree.SubElement(ElementTree.SubElement(answer, "Deleted"), "Key").text = found.text
        self._answer(200, ElementTree.tostring(answer))

    def _list(self, query: dict[str, str]) -> None:
        with self.bucket.lock:
            names = sorted(name for name in self.bucket.objects if name.startswith(query.get("prefix", "")))
            names = [name for name in names if name > query.get("continuation-token", "")]
            answer = ElementTree.Element("ListBucketResult", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
            facts = {"Name": self.bucket.name, "Prefix": query.get("prefix", ""), "KeyCount": str(len(names[:PAGE]))}
            facts |= {"MaxKeys": str(PAGE), "IsTruncated": str(len(names) > PAGE).lower()}
            if len(names) > PAGE:
                facts["NextContinuationToken"] = names[PAGE - 1]
            for name, value in facts.items():
                ElementTree.SubElement(answer, name).text = value
            for name in names[:PAGE]:
                data, changed = self.bucket.objects[name]
                entry = ElementTree.SubElement(answer, "Contents")
                for fact, value in (
                    ("Key", name),
                    ("LastModified", changed.strftime("%Y-%m-%dT%H:%M:%S.000Z")),
                    ("ETag", _etag(data)),
                    ("Size", str(len(data))),
                    ("StorageClass", "STANDARD"),
                ):
                    ElementTree.SubElement(entry, fact).text = value
        self._answer(200, ElementTree.tostring(answer))

    def _signed(self, path: str, query: list[tuple[str, str]], body: bytes) -> bool:
        """Signature version 4, as the AWS general reference writes it down, made again and compared."""
        given = self.headers.get("Authorization", "")
        if not given.startswith("AWS4-HMAC-SHA256 "):
            return False
        fields = dict(part.strip().split("=", 1) for part in given.removeprefix("AWS4-HMAC-SHA256 ").split(","))
        user, day, region, service, _ = fields["Credential"].split("/")
        sent = self.headers["x-amz-content-sha256"]
        if user != ACCESS or sent not in (hashlib.sha256(body).hexdigest(), "UNSIGNED-PAYLOAD"):
            return False
        names = fields["SignedHeaders"].split(";")
        headers = "".join(f"{name}:{' '.join(self.headers.get(name, '').split())}\n" for name in names)
        asked = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(query))
        request = "\n".join([self.command, path, asked, headers, fields["SignedHeaders"], sent])
        scope = f"{day}/{region}/{service}/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], scope, digest])
        key = f"AWS4{SECRET}".encode()
        for part in (day, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), fields["Signature"])

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, half: bool = False) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        return


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket on a server of its own, the environment set to it; its URL is ``bucket.url``."""
    made = Bucket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"bucket": made}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    made.url = f"s3://{made.name}/sealed"
    for name, value in {
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
    }.items():
        monkeypatch.setenv(name, value)
    yield made
    server.shutdown()
    server.server_close()
