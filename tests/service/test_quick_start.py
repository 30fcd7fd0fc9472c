"""The quick start of the README, followed word by word in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import venv
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def follow(folder: Path, programs: Path) -> None:
    """Run the blocks in ``folder`` with the commands of ``programs``; what the text promises must happen."""
    found = json.loads(on_free_ports(json.dumps(blocks())))
    scripts = [text for language, text in found if language == "sh"]
    assert len(scripts) == 4 and scripts[0].startswith(INSTALL)  # done already, by whoever made ``programs``
    for language, text in found:
        if language == "python":
            (folder / text.splitlines()[0].removeprefix("# ")).write_text(text)
    script = "\n".join(["set -eu", "trap 'kill %1 %2; wait' EXIT", scripts[0].removeprefix(INSTALL), *scripts[1:]])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SAMEBODY_S", "PYTHON"))}
    environment["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=550, check=False
    )
    log = (folder / "serve.log").read_text() if (folder / "serve.log").exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr + log
    received = [line for line in (folder / "received.txt").read_text().splitlines() if "order" in line]
    assert sorted(received) == ["session.accepted order 7", "session.accepted order 8"]
    assert done.stdout.splitlines()[-2:] == ["accept", "session.accepted order 8"]


@pytest.mark.timeout(600)
def test_the_quick_start_word_by_word(tmp_path: Path) -> None:
    follow(tmp_path, Path(sys.executable).parent)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_quick_start_on_a_fresh_machine(tmp_path: Path) -> None:
    """A new environment with the wheel of this checkout and what the extra asks for, and nothing else."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    pip = [str(programs / "pip"), "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(README.parent)], check=True)
    (wheel,) = tmp_path.glob("samebody-*.whl")
    subprocess.run([*pip, "install", f"{wheel}[service]"], check=True)
    names = subprocess.run([*pip, "list", "--format=freeze"], capture_output=True, text=True, check=True).stdout
    assert "pytest" not in names and "torch" not in names
    (tmp_path / "empty").mkdir()
    follow(tmp_path / "empty", programs)


def test_the_client_and_the_receiver_need_only_the_extra() -> None:
    code = [text for language, text in blocks() if language == "python"]
    assert len(code) == 2
    for text in code:
        names = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))
        assert names <= {"http", "pathlib", "os", "samebody"}
        compile(text, "README.md", "exec")


def needed(requirement: str, seen: dict[str, set[str]]) -> None:
    """Every distribution that pip would install for a requirement, with the extras it is asked for."""
    wanted = Requirement(requirement)
    name, extras = canonicalize_name(wanted.name), {"", *wanted.extras}
    if extras <= seen.get(name, set()):
        return
    seen.setdefault(name, set()).update(extras)
    try:
        requires = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return  # for another system
    for text in requires:
        each = Requirement(text)
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
            needed(f"{each.name}[{','.join(each.extras)}]", seen)


IMPORTS = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import samebody.cli.serve, samebody.cli.models, samebody.cli.demo
import samebody.service.app, samebody.service.processes, samebody.service.server, samebody.service.client
from samebody.pipeline import Verifier
Verifier()
"""


def test_the_service_starts_where_only_the_extra_is_installed() -> None:
    project = tomllib.loads((README.parent / "pyproject.toml").read_text("utf-8"))["project"]
    there: dict[str, set[str]] = {"samebody": {"", "service"}}
    for each in (*project["dependencies"], *project["optional-dependencies"]["service"]):
        needed(each, there)
    owners = metadata.packages_distributions().items()
    absent = [name for name, by in owners if not {canonicalize_name(each) for each in by} & set(there)]
    assert {"pytest", "hypothesis"} <= set(absent) and not {"fastapi", "sqlalchemy", "onnxruntime"} & set(absent)
    done = subprocess.run([sys.executable, "-c", IMPORTS, *absent], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
