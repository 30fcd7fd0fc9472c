"""Find a package file where npm would find it: npm's own configuration; no host is named here, nothing is run."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from typing import Any

from samebody.models.errors import MissingSourceError, NoNetworkError, OfflineError
from samebody.models.http import Network
from samebody.models.sources import NpmSource

_NPM_SECONDS = 60


@dataclass(frozen=True, slots=True)
class NpmTarball:
    """Where the package file is, what npm says its content hashes to (``sha512-...``), and how to reach it."""

    url: str
    integrity: str
    network: Network


def find_tarball(source: NpmSource, base: Network) -> NpmTarball:
    """The address of the package's file, as ``npm view`` tells it.

    Raises:
        MissingSourceError: when npm is not installed or does not know the release.
        OfflineError, NoNetworkError: when the registry must not or cannot be asked.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise MissingSourceError("npm is not installed, so npm packages were not looked at.")
    if base.offline:
        raise OfflineError("the npm registry was not asked, because the setting offline is on.")
    config = _ask([npm, "config", "list", "--json"])
    view = _ask([npm, "view", f"{source.package}@{source.version}", "dist", "--json", "--loglevel=error"])
    tarball = view.get("tarball")
    if not isinstance(tarball, str):
        raise MissingSourceError(f"npm does not know {source.package} {source.version}.")
    network = replace(
        base,
        proxy=config.get("https-proxy") or config.get("proxy") or None,
        certificate_bundle=config.get("cafile") or None,
    )
    return NpmTarball(tarball, str(view.get("integrity") or ""), network)


def _ask(command: list[str]) -> dict[str, Any]:
    try:
        # A neutral folder: a .npmrc or package.json where the user happens to stand is no configuration of ours.
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_NPM_SECONDS, check=False, cwd=tempfile.gettempdir()
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoNetworkError(f"npm does not answer ({type(error).__name__}).") from None
    if done.returncode != 0:
        text = f"{done.stdout}{done.stderr}"
        if "E404" in text or "ETARGET" in text:
            raise MissingSourceError(f"npm does not know {command[2]}.")
        raise NoNetworkError("npm cannot reach its registry.")
    try:
        answer = json.loads(done.stdout or "{}")
    except ValueError:
        answer = {}
    return answer if isinstance(answer, dict) else {}
