"""Sealed files as objects: a bucket of anything that speaks S3, of Google Cloud or of Azure, named by a URL.

An object is there whole or not at all: stores of objects show what was put once all of it has arrived and its checksum
agrees. Addresses and credentials come from the environment, in the names that the store's own tools use
(``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, ``AWS_REGION``, a role of the machine, ...), never from the URL.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from samebody.store.blobs import checked_name
from samebody.store.errors import BlobError, BlobsAwayError, StoreConfigError, StoreExtraMissingError

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_TIMEOUTS = {"connect_timeout": "5s", "timeout": "30s"}
_RETRIES: dict[str, Any] = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
"""Server errors and broken lines are tried again for this long; then the caller is told."""


class ObjectBlobs:
    """Objects under a prefix of a bucket; see :class:`samebody.store.blobs.Blobs`.

    Attributes:
        keeps_versions: the bucket answered a write with the id of a version: what is deleted stays there as an older
            version until a rule of the bucket removes it. None before the first write.

    Raises:
        StoreExtraMissingError: obstore is not installed.
        StoreConfigError: the URL or a setting in the environment cannot be used.
    """

    def __init__(self, url: str) -> None:
        try:
            import obstore
            from obstore.exceptions import BaseError, NotFoundError
            from obstore.store import from_url
        except ImportError:
            raise StoreExtraMissingError(
                "object storage needs obstore, which is not installed.", hint="pip install 'samebody[objects]'"
            ) from None
        self._api = obstore
        self._error, self._gone = (BaseError, OSError), (NotFoundError, FileNotFoundError)
        self.keeps_versions: bool | None = None
        options: dict[str, Any] = dict(_TIMEOUTS)
        if any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS):
            options["allow_http"] = True  # somebody wrote it out; the bytes are sealed and requests are signed
        try:
            opening: Any = from_url  # its overloads are by the kind of storage, which the URL says
            self._store = opening(url, client_options=options, retry_config=_RETRIES)
        except (BaseError, ValueError, TypeError) as error:
            raise StoreConfigError(
                f"the media URL cannot be used: {type(error).__name__}.",
                hint="Write s3://bucket/prefix, and set AWS_REGION or AWS_ENDPOINT_URL and credentials.",
            ) from None

    def put(self, name: str, data: bytes) -> None:
        """See :class:`samebody.store.blobs.Blobs`."""
        checked_name(name)
        try:
            result = self._api.put(self._store, name, data, use_multipart=False)
        except self._error as error:
            raise self._failed("written", error) from None
        self.keeps_versions = bool(result["version"]) and result["version"] != "null"

    def get(self, name: str) -> bytes:
        """See :class:`samebody.store.blobs.Blobs`."""
        checked_name(name)
        try:
            return bytes(self._api.get(self._store, name).bytes())
        except self._error as error:
            raise self._failed("read", error) from None

    def delete(self, name: str) -> None:
        """See :class:`samebody.store.blobs.Blobs`."""
        checked_name(name)
        try:
            self._api.delete(self._store, name)
        except self._gone:
            return
        except self._error as error:
            raise self._failed("deleted", error) from None

    def names(self, folder: str = "") -> Iterator[tuple[str, datetime]]:
        """See :class:`samebody.store.blobs.Blobs`; a thousand names a request."""
        try:
            for page in self._api.list(self._store, folder or None):
                for found in page:
                    yield found["path"], found["last_modified"].astimezone(UTC)
        except self._error as error:
            raise self._failed("listed", error) from None

    def _failed(self, what: str, error: Exception) -> BlobError:
        """By its kind only: the store's own text may hold names of buckets and accounts."""
        if isinstance(error, self._gone):
            return BlobError(f"a sealed file cannot be {what}: no such object.", hint="Restore it from a backup.")
        kind = type(error).__name__.removesuffix("Error").lower()
        return BlobsAwayError(
            f"a sealed file cannot be {what}: the object storage refused or did not answer ({kind}).",
            hint="Check the bucket, the credentials and the network.",
        )
