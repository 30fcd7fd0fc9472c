"""Write text files so that each is there whole or as it was before."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from samebody.errors import StorageError


def write_text(path: Path | str, text: str) -> Path:
    """Write ``text`` (UTF-8) to ``path`` through a temporary name beside it; folders above it are made.

    Raises:
        StorageError: it cannot be written; what stood there before is untouched.
    """
    target = Path(path)
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(target)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise StorageError(
            f"{target} cannot be written: {error.strerror}.", hint="Free some space or choose another place."
        ) from None
    return target


def write_texts(folder: Path | str, files: Mapping[str, str]) -> Path:
    """Write several files into ``folder``, each as :func:`write_text`.

    Raises:
        StorageError: one of them cannot be written.
    """
    for name, text in files.items():
        write_text(Path(folder) / name, text)
    return Path(folder)
