"""The documents say what is true: links resolve, commands exist, figures come from result files, nothing is leaked."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from samebody.cli.main import cli

ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout
    if not listed:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


PAGES = sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [t for t in targets if "://" not in t and not (ROOT / page.parent / t).exists()]
    assert not missing


def test_python_in_the_readme_parses_and_names_what_exists() -> None:
    import samebody

    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "samebody":
                assert hasattr(samebody, node.attr)


def test_every_command_in_the_readme_exists_with_its_options() -> None:
    lines = re.findall(r"^    (samebody .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(lines) >= 8
    for line in lines:
        command: click.Command = cli
        words = shlex.split(line)[1:]
        while words and isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, line
            command = found
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_figures_in_the_documents_are_those_of_the_result_files() -> None:
    from benchmarks.readme import BLOCKS, updated

    for name, marker, content in BLOCKS:
        text = (ROOT / name).read_text()
        assert updated(text, marker, content()) == text, f"{name} is stale: run `python -m benchmarks.readme`"


def test_no_registry_host_and_no_private_path_is_named() -> None:
    # assembled here, so that this file does not name them either
    forbidden = [
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "npmjs" + ".org",
        "npmjs" + ".com",
        "/wo" + "rk/",
        "/tmp/" + "car",
    ]
    hits = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        hits += [f"{path.relative_to(ROOT)}: {word}" for word in forbidden if word in text]
    assert not hits


def test_no_photograph_and_no_large_file_is_committed() -> None:
    pictures = {".jpg", ".jpeg", ".bmp", ".webp", ".heic", ".mp4", ".webm", ".pgm", ".tif", ".tiff"}
    assert not [p for p in tracked() if p.suffix.lower() in pictures]
    assert not [p for p in tracked() if p.stat().st_size > 3_000_000]


def test_every_room_of_the_runtime_has_its_page_and_its_line_in_the_architecture() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    for folder in sorted((ROOT / "src" / "samebody").iterdir()):
        if folder.is_dir() and (folder / "__init__.py").exists() and folder.name != "cli":
            assert f"`{folder.name}`" in architecture
            assert (ROOT / "docs" / "rooms" / f"{folder.name}.md").exists()


def test_first_files_named_in_the_architecture_exist() -> None:
    rows = re.findall(
        r"^\| (`[^|]+`) \| [^|]+ \| ([^|]*) \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE
    )
    for rooms, files in rows:
        room = re.findall(r"`(\w+)`", rooms)
        for name in re.findall(r"`([\w/.]+)`", files):
            folder = ROOT / "src" / "samebody"
            assert (folder / room[0] / name).exists() or (folder / name).exists(), f"{room}: {name}"


def test_decisions_are_numbered_once() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "adr").glob("[0-9]*.md")]
    assert len(numbers) == len(set(numbers))
