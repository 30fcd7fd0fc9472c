"""A page to label with the keyboard, served to this machine only, behind a token."""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2

from samebody.errors import InputError, SamebodyError
from samebody.lab.data.facts import load_sample
from samebody.lab.data.labelling.project import Label, LabelProject, Task

MAX_BODY = 10_000
MAX_SIDE = 900


class LabelServer(ThreadingHTTPServer):
    """Serves one project on 127.0.0.1. Every request must carry the token and name this host.

    Args:
        project: what is labelled.
        port: 0 takes a free one.
        token: secret of the address; drawn when not given.
    """

    daemon_threads = True

    def __init__(self, project: LabelProject, port: int = 0, token: str = "") -> None:
        self.project, self.token = project, token or secrets.token_urlsafe(24)
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        """What to open in a browser; whoever has it can label."""
        return f"http://127.0.0.1:{self.server_port}/?token={self.token}"

    @property
    def hosts(self) -> frozenset[str]:
        """Names under which a browser of this machine asks; any other came through somebody's name server."""
        return frozenset({f"127.0.0.1:{self.server_port}", f"localhost:{self.server_port}"})


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: requests hold the token."""

    def do_GET(self) -> None:
        """The page, a task, a picture."""
        target = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        if not self._allowed(query.get("token", "")):
            return
        if target.path == "/":
            self._page()
        elif target.path == "/task":
            self._task(query)
        elif target.path.startswith("/picture/"):
            self._picture(target.path.removeprefix("/picture/"))
        else:
            self._json({"error": "there is nothing here"}, HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """An answer."""
        if not self._allowed(self.headers.get("X-Token", "")):
            return
        try:
            length = int(self.headers.get("Content-Length", ""))
            if not 0 < length <= MAX_BODY or self.path != "/label":
                raise ValueError
            content = json.loads(self.rfile.read(length))
            label = Label(
                str(content["sample"]),
                str(content["labeller"]),
                str(content["label"]),
                content.get("role", "label"),
                float(content.get("seconds", 0.0)),
            )
            if label.role not in ("label", "adjudication", "undo"):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError):
            self.close_connection = True
            self._json({"error": "this is no answer"}, HTTPStatus.BAD_REQUEST)
            return
        try:
            self.server.project.add(label)
        except SamebodyError as error:
            self._json({"error": str(error)}, HTTPStatus.CONFLICT)
            return
        self._json({"done": True})

    def _allowed(self, token: str) -> bool:
        host = self.headers.get("Host", "")
        if host in self.server.hosts and hmac.compare_digest(token.encode(), self.server.token.encode()):
            return True
        self.close_connection = True
        self._json({"error": "open the address that `samebody data label page` printed"}, HTTPStatus.FORBIDDEN)
        return False

    def _page(self) -> None:
        nonce = secrets.token_urlsafe(12)
        schema = self.server.project.schema
        told = {
            "name": schema.name,
            "question": schema.question,
            "rules": schema.rules,
            "classes": [
                {"name": entry.name, "key": schema.keys()[entry.name], "definition": entry.definition}
                for entry in schema.classes
            ],
        }
        html = resources.files("samebody.lab.data.labelling").joinpath("page.html").read_text(encoding="utf-8")
        # "<" inside JSON would end the script
        content = html.replace("{{schema}}", json.dumps(told).replace("<", "\\u003c")).replace("{{nonce}}", nonce)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; "
            "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        self._send(content.encode(), "text/html; charset=utf-8", {"Content-Security-Policy": policy})

    def _task(self, query: dict[str, str]) -> None:
        who = query.get("labeller", "").strip()
        if not who:
            self._json({"error": "say who you are"}, HTTPStatus.BAD_REQUEST)
            return
        adjudicate = query.get("adjudicate") == "1"
        project = self.server.project
        task = project.next_task(who, adjudicate)
        mine = sum(who in project.answers(name) for name in project.tasks)
        self._json({"task": self._told(task, adjudicate), "done": mine, "tasks": len(project.tasks)})

    def _told(self, task: Task | None, adjudicate: bool) -> dict[str, Any] | None:
        """What a labeller may know of a task: neither the gold answer nor what others said, unless adjudicating."""
        if task is None:
            return None
        shown = {name: value for name, value in asdict(task).items() if name in ("sample", "sha256")}
        answers = sorted(self.server.project.answers(task.sample).values()) if adjudicate else []
        return {**shown, "answers": [label for label in answers if label]}

    def _picture(self, sha256: str) -> None:
        project = self.server.project
        if sha256 not in {task.sha256 for task in project.tasks.values()}:
            self._json({"error": "no such picture"}, HTTPStatus.NOT_FOUND)
            return
        try:
            pixels = load_sample(project.data_set.object_path(sha256)).pixels
        except (InputError, OSError):
            self._json({"error": "the picture cannot be decoded"}, HTTPStatus.UNPROCESSABLE_ENTITY)
            return
        # encoded anew: what the browser decodes is ours, not a stranger's file
        scale = min(1.0, MAX_SIDE / max(pixels.shape[:2]))
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        shown = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
        _, data = cv2.imencode(".png", shown[:, :, ::-1])
        self._send(data.tobytes(), "image/png")

    def _json(self, content: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(content).encode(), "application/json", status=status)

    def _send(
        self, data: bytes, kind: str, headers: dict[str, str] | None = None, status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        self.send_response(status)
        fixed = {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        for name, value in {**fixed, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
