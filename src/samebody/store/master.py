"""Master keys: what wraps every data key. From a file, the environment, or a key management service.

A service plugs in as a :class:`MasterKey`: two methods that send a key of 32 bytes and its context there and back
(every such service has them, and calls the context "encryption context" or "additional authenticated data").
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from samebody import crypto
from samebody.store.errors import MasterKeyError

ENVIRONMENT = "SAMEBODY_MASTER_KEY"
"""Variable with the master key, 64 hexadecimal digits; older ones follow after commas."""


class MasterKey(Protocol):
    """One version of a master key, wherever it is kept."""

    @property
    def id(self) -> str:
        """Stable name of this version, at most 128 characters; it is stored beside what was wrapped."""
        ...

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """``key`` encrypted and bound to ``context``."""
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key again.

        Raises:
            MasterKeyError: another master key, another context, or changed bytes.
        """
        ...


class LocalMasterKey:
    """A master key held in this process: AES-256-GCM with the context as associated data.

    Args:
        key: 32 bytes.

    Raises:
        MasterKeyError: another size.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != crypto.KEY_BYTES:
            raise MasterKeyError("a master key has 32 bytes.", hint="Make one with: openssl rand -hex 32")
        self._key = key
        self._id = "local:" + hmac.digest(key, b"samebody master key id", hashlib.sha256).hex()[:16]

    def __repr__(self) -> str:
        return f"LocalMasterKey({self._id})"

    @property
    def id(self) -> str:
        """A name computed from the key, that tells nothing about it."""
        return self._id

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """See :class:`MasterKey`."""
        return crypto.seal(self._key, key, associated_data=b"samebody/master/1/" + context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """See :class:`MasterKey`."""
        try:
            return crypto.unseal(self._key, wrapped, associated_data=b"samebody/master/1/" + context)
        except crypto.CryptoError:
            raise MasterKeyError(
                f"the master key {self._id} does not open a key that names it.",
                hint="The row was changed or moved; restore it from a backup.",
            ) from None

    @classmethod
    def from_text(cls, text: str, source: str) -> LocalMasterKey:
        """From 64 hexadecimal digits; ``source`` is named when they are not.

        Raises:
            MasterKeyError.
        """
        try:
            return cls(binascii.unhexlify(text.strip()))
        except (binascii.Error, ValueError, MasterKeyError):
            raise MasterKeyError(
                f"{source} holds no master key of 64 hexadecimal digits.", hint="Make one with: openssl rand -hex 32"
            ) from None

    @classmethod
    def from_file(cls, path: Path | str) -> LocalMasterKey:
        """From a file with 32 bytes or 64 hexadecimal digits.

        Raises:
            MasterKeyError: it cannot be read, holds something else, or others may read it.
        """
        path = Path(path)
        try:
            data, mode = path.read_bytes(), path.stat().st_mode
        except OSError as error:
            raise MasterKeyError(
                f"the master key file {path} cannot be read: {(error.strerror or 'unknown').lower()}."
            ) from None
        if mode & 0o077:
            raise MasterKeyError(f"others than its owner may read {path}.", hint=f"Run: chmod 600 {path}")
        return cls(data) if len(data) == crypto.KEY_BYTES else cls.from_text(data.decode("latin-1"), str(path))

    @classmethod
    def create_file(cls, path: Path | str) -> LocalMasterKey:
        """A new random master key in a new file that only its owner may read.

        Raises:
            MasterKeyError: the file exists or cannot be written.
        """
        key = crypto.generate_key()
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(key.hex().encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise MasterKeyError(
                f"the master key file {path} cannot be made: {(error.strerror or 'unknown').lower()}."
            ) from None
        return cls(key)


def from_environment(variable: str = ENVIRONMENT) -> list[LocalMasterKey]:
    """The current master key and older ones, in the order of the variable; empty when it is not set.

    Raises:
        MasterKeyError.
    """
    text = os.environ.get(variable, "").strip()
    return [LocalMasterKey.from_text(part, f"the variable {variable}") for part in text.split(",")] if text else []


class Keyring:
    """The master keys in use: the first wraps, all unwrap, so that both are accepted while keys are re-wrapped.

    Raises:
        MasterKeyError: there is none, or one is named twice.
    """

    def __init__(self, keys: Sequence[MasterKey]) -> None:
        if not keys:
            raise MasterKeyError(
                "no master key is given.", hint=f"Name a key file, or set {ENVIRONMENT} to 64 hexadecimal digits."
            )
        self._keys = {key.id: key for key in keys}
        if len(self._keys) != len(keys):
            raise MasterKeyError("a master key is given twice.", hint="Name the current one and older ones once each.")
        self._current = keys[0]

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    @property
    def current(self) -> str:
        """Id of the master key that wraps."""
        return self._current.id

    def wrap(self, key: bytes, context: bytes) -> tuple[str, bytes]:
        """The current master key's id, and ``key`` wrapped by it."""
        return self._current.id, self._current.wrap(key, context)

    def unwrap(self, master: str, wrapped: bytes, context: bytes) -> bytes:
        """The key that the master key named ``master`` wrapped.

        Raises:
            MasterKeyError.
        """
        if master not in self._keys:
            raise MasterKeyError(
                f"the master key {master} is not given, and keys wrapped by it are still in use.",
                hint="Give it as an older key until `samebody store rotate-keys` has finished.",
            )
        return self._keys[master].unwrap(wrapped, context)
