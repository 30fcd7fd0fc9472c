"""What the tests of the models room are made of: tiny ONNX embedders, record files, package files, a local server."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from samebody.models.record import ModelRecord


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tiny_embedder(
    width: int, height: int, dimensions: int, *, layout: str = "nchw", batch: int | str = "batch", seed: int = 0
) -> tuple[bytes, NDArray[np.float32]]:
    """An ONNX graph that pools its picture to one number a channel and row block, then multiplies by a matrix.

    Returns the file and the matrix (height * 3, dimensions), so that a test can do the same with numpy alone.
    """
    matrix = np.random.default_rng(seed).normal(size=(height * 3, dimensions)).astype(np.float32)
    shape = [batch, 3, height, width] if layout == "nchw" else [batch, height, width, 3]
    nodes = []
    name = "picture"
    if layout == "nhwc":
        nodes.append(helper.make_node("Transpose", [name], ["chw"], perm=[0, 3, 1, 2]))
        name = "chw"
    nodes += [
        helper.make_node("ReduceMean", [name], ["rows"], axes=[3], keepdims=0),
        helper.make_node("Flatten", ["rows"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "matrix"], ["feature"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("feature", TensorProto.FLOAT, [batch, dimensions])],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString(), matrix


FIELDS = """
id = "own/tiny"
task = "face-embedding"
version = "1"
title = "A tiny embedder"
sha256 = "{sha256}"
bytes = {bytes}
format = "onnx"
filename = "tiny.onnx"
{sources}
[input]
kind = "image"
width = {width}
height = {height}
colour = "{colour}"
layout = "{layout}"
mean = {mean}
scale = {scale}
alignment = {alignment}
[output]
kind = "embedding"
dimensions = {dimensions}
normalised = false
[licence]
spdx = "Apache-2.0"
commercial_use = "yes"
why = "made by the tests of samebody"
notice = "the samebody authors"
[provenance]
origin = "tests"
training_data = "none at all"
intended_use = "tests"
known_limits = ["knows nothing"]
"""


def record_text(
    data: bytes,
    *,
    sources: str,
    width: int = 16,
    height: int = 16,
    colour: str = "rgb",
    layout: str = "nchw",
    mean: object = 0.0,
    scale: object = 1.0,
    alignment: str = '"arcface-112"',
    dimensions: int = 8,
) -> str:
    return FIELDS.format(
        sha256=sha256(data),
        bytes=len(data),
        sources=sources,
        width=width,
        height=height,
        colour=colour,
        layout=layout,
        mean=mean,
        scale=scale,
        alignment=alignment,
        dimensions=dimensions,
    )


def picture_record(data: bytes, identifier: str = "example/square", **changes: object) -> ModelRecord:
    """A record of a small PNG: the cheapest file that a pull can bring."""
    fields = {
        "id": identifier,
        "task": "example",
        "version": "1",
        "title": "A square",
        "sha256": sha256(data),
        "bytes": len(data),
        "format": "png",
        "filename": "square.png",
        "sources": [{"kind": "url", "url": "http://127.0.0.1:9/square.png"}],
        "licence": {"spdx": "CC0-1.0", "commercial_use": "yes", "why": "made by the tests", "notice": "nobody"},
        "provenance": {
            "origin": "tests",
            "training_data": "none",
            "intended_use": "tests",
            "known_limits": ["a square"],
        },
        "credit": {"subject": "a square", "author": "tests", "source": "tests", "person": "nobody"},
    }
    return ModelRecord.model_validate({**fields, **changes})


def picture(size: int = 4000, seed: int = 0) -> bytes:
    """Bytes that begin as a PNG does; a pull looks no deeper."""
    return b"\x89PNG\r\n\x1a\n" + np.random.default_rng(seed).bytes(size)


def wheel(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarball(members: dict[str, bytes | None]) -> bytes:
    """A .tar.gz; a member whose data is None becomes a symbolic link to /etc/hostname."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            information = tarfile.TarInfo(name)
            if data is None:
                information.type, information.linkname = tarfile.SYMTYPE, "/etc/hostname"
                archive.addfile(information)
            else:
                information.size = len(data)
                archive.addfile(information, io.BytesIO(data))
    return buffer.getvalue()


@dataclass
class Served:
    """What the server answers, and what it was asked.

    Attributes:
        files: content by path.
        ranges: whether it serves ranges.
        break_after: it hangs up after so many bytes of a body, once for each entry.
        redirects: path to another address.
        asked: (path, headers) of every request.
        sent: bytes of bodies sent.
        slow_chunks: bodies trickle, so that a test can end a process in their middle.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    break_after: list[int] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: int = 0
    slow_chunks: bool = False


@contextmanager
def serve() -> Iterator[Served]:
    """A server on the loopback address, gone at the end of the block."""
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append((self.path, dict(self.headers)))
            if self.path in served.redirects:
                self.send_response(302)
                self.send_header("Location", served.redirects[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            data = served.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            asked = self.headers.get("Range", "")
            start, stop, status = 0, len(data), 200
            if served.ranges and asked.startswith("bytes="):
                first, _, last = asked.removeprefix("bytes=").partition("-")
                start, stop, status = int(first), min(int(last) + 1, len(data)), 206
            self.send_response(status)
            kind = "application/vnd.pypi.simple.v1+json" if data[:2] == b'{"' else "text/html"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(stop - start))
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
            self.end_headers()
            body = data[start:stop]
            if len(body) > 2000 and served.break_after:
                body = body[: served.break_after.pop(0)]
            try:
                if served.slow_chunks and len(body) > 2000:
                    import time

                    for position in range(0, len(body), 1000):
                        self.wfile.write(body[position : position + 1000])
                        self.wfile.flush()
                        time.sleep(0.05)
                else:
                    self.wfile.write(body)
                served.sent += len(body)
            except (BrokenPipeError, ConnectionResetError):
                pass

        def log_message(self, *arguments: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def files_in(folder: Path) -> set[str]:
    """Names in a store's folder without its lock."""
    return {path.name for path in folder.iterdir()} - {".lock"}
