"""Reading over the network: ranges, timeouts, redirects."""

from __future__ import annotations

import io
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from email.message import Message
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.models.errors import MissingSourceError, NoNetworkError, OfflineError
from samebody.models.http import Network, RangedFile, _Redirects, ranged_size

from .factory import Served, serve

CONTENT = os.urandom(700_000)


@pytest.fixture(scope="module")
def ranged() -> Iterator[str]:
    with serve() as served:
        served.files["/file"] = CONTENT
        yield f"{served.address}/file"


@hypothesis.settings(max_examples=40)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([0, 1, 2]), st.integers(-800_000, 800_000), st.integers(0, 400_000)), max_size=6
    ),
    stop=st.integers(0, 900_000),
)
def test_a_ranged_file_reads_as_the_file_itself_does(ranged: str, steps: list[tuple[int, int, int]], stop: int) -> None:
    remote, local = RangedFile(Network(), ranged, len(CONTENT)), io.BytesIO(CONTENT)
    remote.expect(stop)
    with closing(io.BufferedReader(remote, 10_000)) as stream:
        for whence, offset, size in steps:
            target = max(0, {0: 0, 1: local.tell(), 2: len(CONTENT)}[whence] + offset)
            assert stream.seek(target) == local.seek(target)
            assert stream.read(size) == local.read(size)


def test_whether_a_server_serves_ranges_is_asked_and_not_assumed(server: Served) -> None:
    server.files["/file"] = CONTENT
    assert ranged_size(Network(), f"{server.address}/file") == len(CONTENT)
    server.ranges = False
    assert ranged_size(Network(), f"{server.address}/file") is None


def test_a_host_that_accepts_and_never_answers_costs_its_timeout_and_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        network = Network(timeout=0.3)
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/file"
        began = time.monotonic()
        with pytest.raises(NoNetworkError):
            network.page(url)
        with pytest.raises(NoNetworkError, match="not asked again"):
            network.open(url)
        assert time.monotonic() - began < 5


def test_a_host_that_answers_again_is_asked_again(server: Served) -> None:
    server.files["/file"] = b"x"
    network = Network()
    network.silences[server.address.removeprefix("http://")] = 1
    with network.open(f"{server.address}/file") as answer:
        assert answer.read(10) == b"x"
    assert network.silences == {}


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "data:text/plain,x", "/etc/hostname", ""])
def test_other_kinds_of_address_are_not_read(url: str) -> None:
    with pytest.raises(MissingSourceError):
        Network().open(url)


def test_offline_reads_local_files_only(tmp_path: Path) -> None:
    (tmp_path / "a file").write_bytes(b"content")
    with Network(offline=True).open((tmp_path / "a file").as_uri()) as answer:
        assert answer.read(100) == b"content" and answer.length == 7
    with pytest.raises(OfflineError):
        Network(offline=True).open("https://127.0.0.1/x")


def test_a_redirect_from_https_to_a_plain_address_is_refused() -> None:
    request = urllib.request.Request("https://a.example/x")
    with pytest.raises(urllib.error.URLError):
        _Redirects().redirect_request(request, io.BytesIO(), 302, "Found", Message(), "http://a.example/x")
    assert _Redirects().redirect_request(request, io.BytesIO(), 302, "Found", Message(), "https://b.example/x")
