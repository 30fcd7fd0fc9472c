"""Text files written whole: under another name, flushed, renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from samebody.durable import sync_folder
from samebody.store.errors import BlobError


@contextmanager
def written(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """A stream whose content stands at ``path`` once the block ends well, readable by its owner only; else nothing.

    Raises:
        BlobError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise _failed(path, error) from None
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _failed(path, error) from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _failed(path: Path, error: OSError) -> BlobError:
    reason = (error.strerror or type(error).__name__).lower()
    return BlobError(f"{path} cannot be written: {reason}.", hint="Check the folder and its disk.")
