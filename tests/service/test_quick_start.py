"""The quick start of the README, followed word by word in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.service_load.served import free_port

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="needs curl and bash"),
]
README = Path(__file__).parents[2] / "README.md"
INSTALL = "pip install 'samebody[service]'\n"


def blocks() -> list[tuple[str, str]]:
    """Language and text of each block of the quick start."""
    section = README.read_text("utf-8").partition("## The service in five minutes\n")[2].partition("\n## ")[0]
    return re.findall(r"^```(sh|python)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def on_free_ports(text: str) -> str:
    """The text as it is where its ports are free, which they are on a machine of one's own."""
    for port in ("8200", "9100"):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                other = str(free_port())
                text = text.replace(port, other)
                if port == "8200":
                    text = text.replace("samebody serve", f"samebody serve --port {other}")
    return text


@pytest.mark.timeout(300)
def test_the_quick_start_word_by_word(tmp_path: Path) -> None:
    found = json.loads(on_free_ports(json.dumps(blocks())))
    scripts = [text for language, text in found if language == "sh"]
    assert len(scripts) == 4 and scripts[0].startswith(INSTALL)  # this environment has it already
    for language, text in found:
        if language == "python":
            (tmp_path / text.splitlines()[0].removeprefix("# ")).write_text(text)
    script = "\n".join(["set -eu", "trap 'kill %1 %2; wait' EXIT", scripts[0].removeprefix(INSTALL), *scripts[1:]])
    folder = str(Path(sys.executable).parent)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SAMEBODY_S")}
    environment |= {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "SAMEBODY_SERVICE_LEASE_SECONDS": "5"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "serve.log").read_text()
    received = (tmp_path / "received.txt").read_text().splitlines()
    assert sorted(line for line in received if "order" in line) == [
        "session.accepted order 7",
        "session.accepted order 8",
    ]
    assert done.stdout.splitlines()[-2:] == ["accept", "session.accepted order 8"]


def test_the_client_and_the_receiver_need_only_the_extra() -> None:
    code = [text for language, text in blocks() if language == "python"]
    assert len(code) == 2
    for text in code:
        names = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))
        assert names <= {"http", "pathlib", "os", "samebody"}
        compile(text, "README.md", "exec")
