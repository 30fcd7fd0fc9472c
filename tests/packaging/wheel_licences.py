"""Look inside installed wheels for code under the GPL: by library names, build configurations and licence texts.

What it cannot see: GPL code that was linked statically and left neither a name nor a text. It looks at what is
installed here, that is at the wheels of this platform.
"""

from __future__ import annotations

import fnmatch
import mmap
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SHARED_LIBRARY = re.compile(r"\.(?:so|dylib|dll|pyd)(?:\.[0-9.]+)?$", re.IGNORECASE)

# Libraries that are under the GPL whatever they are built with.
GPL_LIBRARY = re.compile(
    r"^(?:lib)?(?:x264|x265|xvidcore|postproc|vidstab|rubberband|davs2|xavs2?|dvdread|dvdnav|dvdcss|cdio|readline|gdbm"
    r"|fftw3?[fl]?|gsl|gslcblas|exiv2|poppler|ghostscript|gs|aribb24|frei0r|smbclient|umfpack|spqr|bfd|opcodes)(?:[-_.0-9]|$)",
    re.IGNORECASE,
)

# Run-time libraries of GCC: GPL-3.0-or-later with the GCC Runtime Library Exception (each one needs a written reason).
GCC_RUNTIME = re.compile(r"^lib(?:gfortran|gcc_s|gomp|stdc\+\+|quadmath|atomic|objc|ssp)(?:[-_.0-9]|$)", re.IGNORECASE)

_SHORTEST_TEXT = 8

# Fixed texts (fast to find) and the pattern that has to hold around one for it to count.
NEEDLES: tuple[tuple[bytes, re.Pattern[bytes]], ...] = (
    (b"--enable-gpl", re.compile(rb"--enable-gpl\b")),
    (b"--enable-nonfree", re.compile(rb"--enable-nonfree\b")),
    (b"--enable-libx26", re.compile(rb"--enable-libx26[45]\b")),
    (b"license: GPL", re.compile(rb"license: GPL")),
    (b"videolan.org/x264", re.compile(rb"videolan\.org/x264")),
    (b"HEVC encoder version", re.compile(rb"x265[^\0]{0,40}HEVC encoder version|HEVC encoder version")),
    (b"General Public License", re.compile(rb"(?<!Lesser )(?<!Library )(?<!LESSER )General Public License")),
    (b"GENERAL PUBLIC LICENSE", re.compile(rb"(?<!LESSER )(?<!LIBRARY )GENERAL PUBLIC LICENSE")),
    (
        b"GPL",
        re.compile(rb"(?<![A-Za-z0-9_+/=$@-])A?GPL(?:[ -]?v?[23](?:\.0)?(?:-or-later|-only|\+)?)?(?=[ \0\n.,;)/\"'])"),
    ),
)


@dataclass(frozen=True, slots=True)
class Hit:
    """Something in a file that points at the GPL."""

    distribution: str
    file: str
    what: str
    context: str

    def __str__(self) -> str:
        return f"{self.distribution}: {self.file}: {self.what}: {self.context!r}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """A hit that was looked into: which, and why it is none."""

    distribution: str
    file: str
    what: str
    context: str
    reason: str

    def covers(self, hit: Hit) -> bool:
        """Whether ``hit`` is the one that was looked into; all parts are wildcards."""
        return (
            fnmatch.fnmatchcase(hit.distribution, self.distribution)
            and fnmatch.fnmatchcase(hit.file, self.file)
            and fnmatch.fnmatchcase(hit.what, self.what)
            and fnmatch.fnmatchcase(hit.context, self.context)
        )


def runtime_distributions(name: str = "samebody") -> dict[str, metadata.Distribution]:
    """``name`` and everything it needs without extras, by what the installed packages themselves require."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [name]
    while waiting:
        wanted = waiting.pop()
        if (key := canonicalize_name(wanted)) in found:
            continue
        found[key] = metadata.distribution(wanted)
        for text in found[key].requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def shared_libraries(distribution: metadata.Distribution) -> list[Path]:
    """The shared libraries of an installed distribution, those of its ``*.libs`` folders included."""
    paths = [Path(str(distribution.locate_file(file))) for file in distribution.files or []]
    return sorted(path for path in paths if SHARED_LIBRARY.search(path.name) and path.is_file())


def scan(distribution: str, paths: Iterable[Path]) -> Iterator[Hit]:
    """Every hit in the files at ``paths``."""
    for path in paths:
        if GPL_LIBRARY.match(path.name):
            yield Hit(distribution, path.name, "name", path.name)
        if GCC_RUNTIME.match(path.name):
            yield Hit(distribution, path.name, "gcc runtime", path.name)
        yield from _scan_content(distribution, path)


def licence_hits(name: str, distribution: metadata.Distribution) -> Iterator[Hit]:
    """Hits in what a distribution says of its own code: expression, classifiers, first line of the licence field."""
    fields = distribution.metadata
    said = [
        fields.get("License-Expression") or "",
        (fields.get("License") or "").strip().partition("\n")[0],
        *(text for text in fields.get_all("Classifier") or [] if text.startswith("License ::")),
    ]
    for text in said:
        if re.search(r"(?<![A-Za-z])A?GPL|(?<!Lesser )General Public License", text):
            yield Hit(name, "METADATA", "licence", text)


def _scan_content(distribution: str, path: Path) -> Iterator[Hit]:
    if path.stat().st_size == 0:
        return
    seen: set[tuple[bytes, str]] = set()
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for needle, pattern in NEEDLES:
            at = data.find(needle)
            while at >= 0:
                start = max(0, at - 40)
                window = data[start : at + 120]
                match = pattern.search(window)
                if match and match.start() <= at - start + len(needle) and match.end() > at - start:
                    line = _line_around(window, at - start)
                    # three letters alone are machine code more often than a text ("mov rax, [r15+50h]" ends in GPL)
                    is_text = needle != b"GPL" or len(line) >= _SHORTEST_TEXT
                    if is_text and (needle, line) not in seen:
                        seen.add((needle, line))
                        yield Hit(distribution, path.name, needle.decode(), line)
                at = data.find(needle, at + len(needle))


def _line_around(window: bytes, at: int) -> str:
    """The printable text around ``at``, for a reader to judge by."""
    start = max((match.end() for match in re.finditer(rb"[^\x20-\x7e]", window[:at])), default=0)
    stop = next((match.start() for match in re.finditer(rb"[^\x20-\x7e]", window[at:])), len(window) - at)
    return window[start : at + stop].decode("ascii", "replace")
