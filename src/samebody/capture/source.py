"""Read what a caller hands over, bounded, and only from regular files."""

from __future__ import annotations

import stat
from pathlib import Path

from samebody.capture import errors


def checked_path(path: Path, max_bytes: int) -> int:
    """Size of the regular file at ``path`` in bytes.

    Raises:
        NoSuchFileError, UnreadableFileError, EmptyInputError, TooManyBytesError.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise errors.NoSuchFileError(f"There is no file {str(path)!r}.", hint="Check the path.") from None
    except (OSError, ValueError) as error:
        raise errors.UnreadableFileError(f"{str(path)!r} cannot be read: {_why(error)}.") from None
    # a pipe or device could block for ever or never end
    if not stat.S_ISREG(status.st_mode):
        raise errors.NoSuchFileError(f"{str(path)!r} is no regular file.", hint="Give the path of a file.")
    _check_size(status.st_size, max_bytes)
    return status.st_size


def read_bytes(source: bytes | bytearray | memoryview | Path | str, max_bytes: int) -> bytes:
    """The bytes of ``source``; text is a path.

    Raises:
        EmptyInputError, TooManyBytesError, NoSuchFileError, UnreadableFileError.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        _check_size(len(source), max_bytes)
        return bytes(source)
    path = Path(source)
    checked_path(path, max_bytes)
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)  # the file may have grown since
    except OSError as error:
        raise errors.UnreadableFileError(f"{str(path)!r} cannot be read: {_why(error)}.") from None
    _check_size(len(data), max_bytes)
    return data


def _check_size(size: int, max_bytes: int) -> None:
    if size == 0:
        raise errors.EmptyInputError("The input is empty.", hint="Send the file again.")
    if size > max_bytes:
        raise errors.TooManyBytesError(
            f"The input has {size:,} bytes, the limit is {max_bytes:,}.", hint="Send a smaller file."
        )


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or type(error).__name__).lower()
