"""The labelling page answers only to its token on this machine, and a browser labels with the keyboard."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from samebody.lab.data import DataSet
from samebody.lab.data.labelling import LabelProject, load_schema
from samebody.lab.data.labelling.page import LabelServer
from samebody.lab.data.labelling.project import Label
from samebody.lab.data.labelling.schema import EXAMPLE


@pytest.fixture
def server(data_set: DataSet, tmp_path: Path) -> Iterator[LabelServer]:
    (tmp_path / "schema.yaml").write_text(EXAMPLE)
    schema = load_schema(tmp_path / "schema.yaml")
    names = data_set.manifest()["sample"].tolist()[:3]
    gold = {names[1]: "attack"}
    project = LabelProject.create(tmp_path / "project", data_set, data_set.version(), schema, names, gold=gold)
    with LabelServer(project) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(
    server: LabelServer, path: str, body: object = None, token: str | None = None, host: str | None = None
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    headers = {"Host": host or f"127.0.0.1:{server.server_port}", "X-Token": server.token if token is None else token}
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("GET" if body is None else "POST", path, data, headers)
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply.status, content, dict(reply.getheaders())


def test_only_the_token_and_this_host_are_answered(server: LabelServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server, f"/?token={server.token}")[0] == 200
    for path in ("/", "/?token=", "/?token=wrong", "/task?labeller=a", "/picture/" + "0" * 64):
        assert ask(server, path)[0] == 403
    assert ask(server, f"/?token={server.token}", host="evil.example")[0] == 403
    answer = {"sample": "raw/s0/0.png", "labeller": "a", "label": "attack"}
    assert ask(server, "/label", answer, token="wrong")[0] == 403
    assert not server.project.labels()


def test_the_page_has_a_policy_and_its_schema_cannot_end_the_script(server: LabelServer) -> None:
    status, content, headers = ask(server, f"/?token={server.token}")
    policy = headers["Content-Security-Policy"]
    assert status == 200 and "default-src 'none'" in policy and "unsafe" not in policy
    assert b"{{" not in content and server.token.encode() not in content
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"


def test_a_task_shows_neither_gold_nor_others_answers(server: LabelServer) -> None:
    for _ in range(3):
        status, content, _ = ask(server, f"/task?token={server.token}&labeller=ann")
        task = json.loads(content)["task"]
        assert status == 200 and set(task) == {"sample", "sha256", "answers"} and task["answers"] == []
        body = {"sample": task["sample"], "labeller": "ann", "label": "attack", "seconds": 1.5}
        assert ask(server, "/label", body)[0] == 200
    assert json.loads(ask(server, f"/task?token={server.token}&labeller=ann")[1])["task"] is None
    assert [label.seconds for label in server.project.labels()] == [1.5] * 3


def test_pictures_are_encoded_anew_and_only_those_of_tasks(server: LabelServer) -> None:
    sha256 = next(iter(server.project.tasks.values())).sha256
    status, content, headers = ask(server, f"/picture/{sha256}?token={server.token}")
    assert status == 200 and headers["Content-Type"] == "image/png"
    shown = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None and shown.shape == (96, 96, 3)
    other = server.project.data_set.manifest()["sha256"][-1]
    for name in (other, "../../etc/passwd", "0" * 64):
        assert ask(server, f"/picture/{name}?token={server.token}")[0] == 404
    server.project.data_set.object_path(sha256).write_bytes(b"no picture")
    assert ask(server, f"/picture/{sha256}?token={server.token}")[0] == 422


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"3", b'{"sample": 1}', b"x" * 20_000,
     {"sample": "raw/s0/0.png", "labeller": "a", "label": "attack", "role": "king"}],
)  # fmt: skip
def test_bodies_that_are_no_answer_are_refused(server: LabelServer, body: object) -> None:
    assert ask(server, "/label", body)[0] == 400
    assert ask(server, f"/task?token={server.token}")[0] == 400
    assert ask(server, f"/nothing?token={server.token}")[0] == 404
    status, content, _ = ask(server, "/label", {"sample": "none", "labeller": "a", "label": "attack"})
    assert status == 409 and "no task" in json.loads(content)["error"]


class Browser:
    """Drives a headless browser over its debugging pipe: JSON messages that end in a zero byte."""

    def __init__(self, program: str, profile: Path) -> None:
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        # the browser reads from descriptor 3 and writes to 4
        shell = f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}'
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe",
                   "--disable-background-networking", "--disable-sync", f"--user-data-dir={profile}"]  # fmt: skip
        self._process = subprocess.Popen(
            ["bash", "-c", shell, program, *options, "about:blank"],
            pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self._number, self._buffer, self._session = 0, b"", ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._buffer:
                part = os.read(self._read, 65_536)
                assert part, "the browser has gone"
                self._buffer += part
            line, _, self._buffer = self._buffer.partition(b"\0")
            reply = json.loads(line)
            if reply.get("id") == self._number:
                assert "error" not in reply, reply
                return dict(reply["result"])

    def value(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            extra = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **extra)

    def close(self) -> None:
        os.close(self._write)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)


def until(what: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.browser
def test_a_browser_labels_with_the_keyboard(server: LabelServer, tmp_path: Path, chromium: str) -> None:
    project = server.project
    browser = Browser(chromium, tmp_path / "profile")
    try:
        browser.call("Page.navigate", url=server.address)
        until(lambda: browser.value("document.readyState") == "complete" and browser.value("!!schema"))
        assert "living person" in browser.value("document.getElementById('question').textContent")
        browser.value("document.getElementById('who').focus()")
        for key in "ann":
            browser.press(key)
        assert not project.labels()  # keys typed into the name are no answers
        browser.press("Tab")
        until(lambda: browser.value("task && !document.getElementById('picture').hidden"))
        until(lambda: browser.value("document.getElementById('picture').naturalWidth") == 96)
        first = browser.value("task.sample")
        browser.press("2")
        until(lambda: browser.value("task && task.sample") != first)
        assert project.answers(first) == {"ann": "attack"}
        browser.press("u")
        until(lambda: project.answers(first) == {})
        until(lambda: browser.value("task.sample") == first)
        browser.press("1")
        until(lambda: project.answers(first) == {"ann": "bona_fide"})
        until(lambda: browser.value("!busy && task && task.sample") not in (first, False))
        second = browser.value("task.sample")
        browser.press("s")
        until(lambda: project.answers(second) == {"ann": ""})
        until(lambda: browser.value("!busy && task && task.sample") not in (first, second, False))
        third = browser.value("task.sample")
        browser.press("2")
        until(lambda: browser.value("!document.getElementById('done').hidden"))
        project.add(Label(third, "bob", "bona_fide"))
        browser.value("document.getElementById('who').value = 'eve'; document.getElementById('adjudicate').click()")
        until(lambda: browser.value("document.getElementById('answers').textContent") == "answers: attack, bona_fide")
        browser.press("1")
        until(lambda: project.state(third) == "adjudicated")
        assert project.final(third) == "bona_fide"
    finally:
        browser.close()
