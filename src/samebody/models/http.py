"""Read files over HTTP or from ``file:`` addresses: short timeouts, ranges, no credentials to another host."""

from __future__ import annotations

import base64
import io
import netrc
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from samebody.models.errors import MissingSourceError, NoNetworkError, OfflineError

CHUNK = 1 << 18
_MAX_PAGE_BYTES = 64 * 2**20
_TAIL_BYTES = 1 << 18
_TRIES = 3
_SILENCES = 2
_AGENT = "samebody-models-pull"


@dataclass(frozen=True, slots=True)
class Network:
    """How to reach the network: what pip, npm or the environment say, and our own limits.

    Attributes:
        offline: refuse everything that is not a local file.
        timeout: seconds to connect, and between two bytes.
        proxy: address of a proxy for http and https; None takes the environment's.
        certificate_bundle: file with trusted authorities; None takes the system's.
        trusted_hosts: hosts whose certificate is not verified (pip's ``trusted-host``).
        silences: how often in a row a host could not be reached; shared by everything that one pull asks, so that
            a host behind a closed firewall costs its timeout twice and not once a record.
    """

    offline: bool = False
    timeout: float = 10.0
    proxy: str | None = None
    certificate_bundle: str | None = None
    trusted_hosts: frozenset[str] = field(default_factory=frozenset)
    silences: dict[str, int] = field(default_factory=dict)

    def open(self, url: str, headers: dict[str, str] | None = None) -> Response:
        """Open ``url``; the answer must be closed.

        Raises:
            OfflineError, NoNetworkError, MissingSourceError: with the host, never with credentials.
        """
        parts = urlsplit(url)
        if parts.scheme == "file":
            return _open_file(url)
        if parts.scheme not in ("http", "https"):
            raise MissingSourceError(f"addresses of kind {parts.scheme or 'none'!r} are not read.")
        if self.offline:
            raise OfflineError(
                f"{parts.hostname} was not asked, because the setting offline is on.",
                hint="Set SAMEBODY_MIRROR_DIR to a folder filled by `samebody models pull --mirror`.",
            )
        host = parts.netloc.rpartition("@")[2]
        if self.silences.get(host, 0) >= _SILENCES:
            raise NoNetworkError(f"{parts.hostname} could not be reached before and was not asked again.")
        clean, authorization = _split_credentials(url)
        request = urllib.request.Request(clean, headers={"User-Agent": _AGENT, **(headers or {})})
        if authorization:
            request.add_unredirected_header("Authorization", authorization)
        try:
            answer = self._opener(parts.scheme, parts.hostname or "").open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            error.close()
            kind = MissingSourceError if error.code in (401, 403, 404, 410) else NoNetworkError
            raise kind(f"{parts.hostname} answered {error.code} {error.reason}.") from None
        except (OSError, HTTPException, ValueError) as error:
            self.silences[host] = self.silences.get(host, 0) + 1
            raise NoNetworkError(f"{parts.hostname} cannot be reached ({_why(error)}).") from None
        self.silences.pop(host, None)
        return Response(answer, answer.headers, answer.geturl(), answer.status)

    def page(self, url: str, accept: str = "*/*") -> tuple[str, str, str]:
        """A small text: its content type, its text, and the address it was finally read from."""
        last: NoNetworkError | None = None
        for _ in range(_TRIES):
            try:
                with self.open(url, {"Accept": accept}) as answer:
                    text = answer.read(_MAX_PAGE_BYTES).decode("utf-8", errors="replace")
                    return answer.headers.get_content_type(), text, answer.url
            except NoNetworkError as error:
                last = last or error  # the first says why, the last only that it was given up
        raise cast(NoNetworkError, last)

    def _opener(self, scheme: str, host: str) -> urllib.request.OpenerDirector:
        handlers: list[urllib.request.BaseHandler] = [_Redirects()]
        if scheme == "https":
            context = ssl.create_default_context(cafile=self.certificate_bundle)
            if host in self.trusted_hosts:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            handlers.append(urllib.request.HTTPSHandler(context=context))
        if self.proxy:
            handlers.append(urllib.request.ProxyHandler({"http": self.proxy, "https": self.proxy}))
        return urllib.request.build_opener(*handlers)


class Response:
    """An open answer: read it, then close it. A broken line is a NoNetworkError."""

    def __init__(self, stream: Any, headers: Message, url: str, status: int) -> None:
        self._stream, self.headers, self.url, self.status = stream, headers, url, status

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; empty at the end."""
        try:
            return cast(bytes, self._stream.read(size))
        except (OSError, HTTPException, ValueError) as error:
            raise NoNetworkError(f"{urlsplit(self.url).hostname} broke off ({_why(error)}).") from None

    @property
    def length(self) -> int | None:
        """Size of the answer in bytes, when it is told."""
        value = self.headers.get("Content-Length", "")
        return int(value) if value.isdigit() else None

    def close(self) -> None:
        """Close the line."""
        self._stream.close()

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class RangedFile(io.RawIOBase):
    """A remote file that can be sought in: only the parts that are read travel, and a broken line is taken up again.

    Args:
        network: how to reach it.
        url: of the file; the server must have answered a range before.
        size: of the whole file in bytes.
    """

    def __init__(self, network: Network, url: str, size: int) -> None:
        self._network, self._url, self._size = network, url, size
        self._position, self._stop = 0, size
        self._line: Response | None = None
        self._line_position = -1
        self._tail_start = max(0, size - _TAIL_BYTES)
        self._tail: bytes | None = None

    def expect(self, stop: int) -> None:
        """Say that nothing is wanted from byte ``stop`` on, so that no server sends on what is thrown away."""
        self._stop = min(stop, self._size)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; nothing travels."""
        base = {0: 0, 1: self._position, 2: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` from the position on; 0 at the end."""
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        if self._position >= self._tail_start:
            data = self._read_tail()[self._position - self._tail_start :][:wanted]
        else:
            data = self._read_line(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _read_tail(self) -> bytes:
        """The end of the file is read once and kept: a zip's directory is read in many small steps."""
        if self._tail is None:
            with self._range(self._tail_start, self._size) as answer:
                parts = []
                while part := answer.read(CHUNK):
                    parts.append(part)
            self._tail = b"".join(parts)
            if len(self._tail) != self._size - self._tail_start:
                raise NoNetworkError(f"{urlsplit(self._url).hostname} sent less than it announced.")
        return self._tail

    def _read_line(self, wanted: int) -> bytes:
        last: NoNetworkError | None = None
        for _ in range(_TRIES):
            try:
                if self._line is None or self._line_position != self._position:
                    self._hang_up()
                    stop = self._stop if self._position < self._stop else self._size
                    self._line, self._line_position = self._range(self._position, stop), self._position
                data = self._line.read(wanted)
                if not data and self._position == self._stop:  # more is wanted than was expected
                    self._stop = self._size
                    continue
                if data:
                    self._line_position += len(data)
                    return data
                last = last or NoNetworkError(f"{urlsplit(self._url).hostname} broke off.")
            except NoNetworkError as error:
                last = last or error
            self._hang_up()
        raise cast(NoNetworkError, last)

    def _range(self, start: int, stop: int) -> Response:
        answer = self._network.open(self._url, {"Range": f"bytes={start}-{stop - 1}"})
        if answer.status != 206 or not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            answer.close()
            raise NoNetworkError(f"{urlsplit(self._url).hostname} stopped serving ranges.")
        return answer

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line, self._line_position = None, -1

    def close(self) -> None:
        """Close the line."""
        self._hang_up()
        super().close()


def ranged_size(network: Network, url: str) -> int | None:
    """Size in bytes of the remote file when its server serves ranges, else None."""
    if urlsplit(url).scheme == "file":
        return None
    with network.open(url, {"Range": "bytes=0-0"}) as answer:
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        return int(total) if answer.status == 206 and total.isdigit() else None


def file_path(url: str) -> Path:
    """The local path of a ``file:`` address."""
    return Path(urllib.request.url2pathname(urlsplit(url).path))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never from https to http; credentials are not redirected at all."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse a step down to plain http."""
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise urllib.error.URLError("redirected from https to a plain address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open_file(url: str) -> Response:
    path = file_path(url)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise MissingSourceError(f"{path} cannot be read ({error.strerror}).") from None
    headers = Message()
    headers["Content-Length"] = str(path.stat().st_size)
    headers["Content-Type"] = "application/json" if path.suffix == ".json" else "text/html"
    return Response(stream, headers, url, 200)


def _split_credentials(url: str) -> tuple[str, str | None]:
    """The address without user and password, and the header for them; ``.netrc`` is asked when there are none."""
    parts = urlsplit(url)
    user, password = parts.username, parts.password
    if user is None:
        try:
            found = netrc.netrc().authenticators(parts.hostname or "")
        except (OSError, netrc.NetrcParseError):
            found = None
        if found is None:
            return url, None
        user, password = found[0], found[2]
    else:
        user, password = unquote(user), unquote(password or "")
    host = parts.netloc.rpartition("@")[2]
    token = base64.b64encode(f"{user}:{password or ''}".encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), f"Basic {token}"


def _why(error: BaseException) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "timed out"
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)
