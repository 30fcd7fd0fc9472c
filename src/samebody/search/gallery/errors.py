"""The typed errors of the gallery: each names the file and says what to do next; none holds a subject or a template."""

from __future__ import annotations

from samebody.errors import InputError, ResourceError, StorageError, UsageError


class GalleryNotFoundError(ResourceError):
    """There is no gallery in the folder."""

    code = "gallery.not_found"


class GalleryExistsError(UsageError):
    """A gallery is to be made where something stands already."""

    code = "gallery.exists"


class GalleryClosedError(UsageError):
    """The gallery was closed, or is open for reading only."""

    code = "gallery.closed"


class GalleryLockedError(StorageError):
    """Another writer has the gallery open; a gallery has one writer at a time."""

    code = "gallery.locked"


class GalleryVersionError(ResourceError):
    """A file was written by a newer format than this release knows."""

    code = "gallery.version"


class GalleryKeyError(UsageError):
    """The key is missing, not needed, or not the one of this gallery."""

    code = "gallery.key"


class GalleryCorruptError(StorageError):
    """Bytes on disk are not what was written; they are never searched.

    Attributes:
        file: name of the file inside the gallery's folder.
        block: which part of it (``header``, ``payload 3``, ``frame 12`` ...).
        offset: where that part begins, bytes from the start of the file.
        reason: what is wrong with it.
    """

    code = "gallery.corrupt"

    def __init__(self, file: str, block: str, offset: int, reason: str) -> None:
        super().__init__(
            f"{file}, {block} at offset {offset}: {reason}.",
            hint="Run `samebody gallery verify` for the whole extent, then restore from a snapshot.",
        )
        self.file, self.block, self.offset, self.reason = file, block, offset, reason


class GalleryDiskFullError(StorageError):
    """No room on the disk; the batch was not enrolled and what was enrolled before stands."""

    code = "gallery.disk_full"


class GalleryWriteError(StorageError):
    """The folder cannot be written to, or a write failed in a way after which only opening again is safe."""

    code = "gallery.write"


class InvalidEnrolmentError(InputError):
    """A record cannot be enrolled: bad subject id, attributes too long, payload of another shape or type."""

    code = "gallery.invalid_enrolment"


class UnknownModalityError(UsageError):
    """The gallery was not made for this kind of template."""

    code = "gallery.unknown_modality"


class SnapshotError(UsageError):
    """A snapshot cannot be used as asked: opened for writing, expired, or not a snapshot."""

    code = "gallery.snapshot"
