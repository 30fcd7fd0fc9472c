"""Seal, wrap, sign and hash, on the `cryptography` package; nothing here is an invention of our own.

Keys and sealed data are plain bytes; where they are kept is the caller's business. Messages of errors never hold keys,
plaintext or sealed data.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from samebody.errors import SamebodyError, StorageError

KEY_BYTES = 32
"""Size of every symmetric key: AES-256."""

SIGNATURE_BYTES = 64
"""Size of an Ed25519 signature (RFC 8032)."""

_VERSION = 1
_NONCE_BYTES = 12  # the only size for which GCM needs no extra hashing (NIST SP 800-38D, 8.2)
_TAG_BYTES = 16
_CHUNK = 1 << 20
MAX_SEALED_BYTES = 2**31 - 1
"""Largest plaintext of one call; AES-GCM itself ends at 64 GiB, the library at 2 GiB."""


class CryptoError(SamebodyError):
    """Base of what goes wrong with keys, seals and signatures."""

    code = "crypto"


class KeyInvalidError(CryptoError):
    """A key has a size or form that its algorithm does not have."""

    code = "crypto.key_invalid"


class UnsealError(CryptoError):
    """Sealed data was changed, cut, sealed with another key, or belongs to another purpose."""

    code = "crypto.unseal_failed"


class SealVersionError(CryptoError):
    """Sealed data begins with a version byte that this release does not know."""

    code = "crypto.seal_version_unknown"


class TooLargeError(CryptoError):
    """More data than one seal may hold."""

    code = "crypto.too_large"


class UnwrapError(CryptoError):
    """A wrapped key was changed or wrapped with another key."""

    code = "crypto.unwrap_failed"


class SignatureInvalidError(CryptoError):
    """A signature does not fit its message and key."""

    code = "crypto.signature_invalid"


class HashingError(StorageError):
    """A file cannot be read to its end."""

    code = "crypto.file_unreadable"


def generate_key() -> bytes:
    """A random AES-256 key from the system's generator, 32 bytes."""
    return AESGCM.generate_key(bit_length=8 * KEY_BYTES)


def seal(key: bytes, plaintext: bytes, *, associated_data: bytes = b"") -> bytes:
    """Encrypt and authenticate with AES-256-GCM (NIST SP 800-38D).

    Args:
        key: 32 bytes. With random nonces one key may seal 2**32 messages (SP 800-38D, 8.3); give every case its own.
        plaintext: up to 2 GiB.
        associated_data: what the seal is bound to (tenant, case, role ...); not stored, has to be given again.

    Returns:
        One version byte, a random nonce of 12 bytes, the ciphertext, a tag of 16 bytes.

    Raises:
        KeyInvalidError, TooLargeError.
    """
    cipher = _cipher(key)
    if len(plaintext) > MAX_SEALED_BYTES - _TAG_BYTES or len(associated_data) > MAX_SEALED_BYTES:
        raise TooLargeError(f"At most {MAX_SEALED_BYTES} bytes can be sealed at once.", hint="Seal it in parts.")
    nonce = os.urandom(_NONCE_BYTES)
    return bytes([_VERSION]) + nonce + cipher.encrypt(nonce, plaintext, associated_data)


def unseal(key: bytes, sealed: bytes, *, associated_data: bytes = b"") -> bytes:
    """The plaintext that :func:`seal` was given.

    Raises:
        KeyInvalidError.
        SealVersionError: the first byte names a version that is not known.
        UnsealError: anything else; which part was wrong is not told.
    """
    cipher = _cipher(key)
    failed = UnsealError("The sealed data cannot be opened.", hint="Check the key and what the data is bound to.")
    if len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES:
        raise failed
    if sealed[0] != _VERSION:
        raise SealVersionError(
            f"The sealed data is of version {sealed[0]}, known is {_VERSION}.", hint="Update samebody."
        )
    try:
        return cipher.decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], associated_data)
    except InvalidTag:
        raise failed from None


def wrap_key(wrapping_key: bytes, key: bytes) -> bytes:
    """``key`` (16 bytes or more, a multiple of 8) wrapped with AES key wrap (RFC 3394); 8 bytes longer.

    Raises:
        KeyInvalidError.
    """
    _require_aes_key(wrapping_key)
    if len(key) < 16 or len(key) % 8:
        raise KeyInvalidError("Only keys of 16 bytes or more, in steps of 8, can be wrapped.")
    return aes_key_wrap(wrapping_key, key)


def unwrap_key(wrapping_key: bytes, wrapped: bytes) -> bytes:
    """The key that :func:`wrap_key` was given.

    Raises:
        KeyInvalidError, UnwrapError.
    """
    _require_aes_key(wrapping_key)
    try:
        return aes_key_unwrap(wrapping_key, wrapped)
    except (InvalidUnwrap, ValueError):
        raise UnwrapError("The wrapped key cannot be opened.", hint="Check the wrapping key.") from None


def generate_signing_key() -> tuple[bytes, bytes]:
    """A new Ed25519 pair: private seed and public key, 32 bytes each (RFC 8032)."""
    private = Ed25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def public_key(private_key: bytes) -> bytes:
    """The public key, 32 bytes, of an Ed25519 seed.

    Raises:
        KeyInvalidError.
    """
    return _private(private_key).public_key().public_bytes_raw()


def sign(private_key: bytes, message: bytes) -> bytes:
    """The Ed25519 signature of ``message``, 64 bytes (RFC 8032).

    Raises:
        KeyInvalidError.
    """
    return _private(private_key).sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Return when ``signature`` is that of ``message``; there is no false to overlook.

    Raises:
        KeyInvalidError.
        SignatureInvalidError.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(public)
    except (ValueError, TypeError):
        raise KeyInvalidError("An Ed25519 public key has 32 bytes.") from None
    try:
        key.verify(signature, message)
    except InvalidSignature:
        raise SignatureInvalidError("The signature does not fit the message.", hint="Do not use the data.") from None


def sha256_file(path: Path | str) -> str:
    """SHA-256 of a file as 64 hexadecimal digits, read in pieces of 1 MiB.

    Raises:
        HashingError: the file cannot be read.
    """
    digest = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    try:
        with Path(path).open("rb", buffering=0) as stream:
            while count := stream.readinto(buffer):
                digest.update(view[:count])
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise HashingError(f"{str(path)!r} cannot be read: {reason}.", hint="Check the path.") from None
    return digest.hexdigest()


def equal(one: bytes | str, other: bytes | str) -> bool:
    """Whether both are equal, in a time that does not depend on where they differ. Text is compared as UTF-8."""
    first, second = (value.encode() if isinstance(value, str) else value for value in (one, other))
    return hmac.compare_digest(first, second)


def _cipher(key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise KeyInvalidError(f"A sealing key has {KEY_BYTES} bytes, not {len(key)}.")
    return AESGCM(key)


def _require_aes_key(key: bytes) -> None:
    if len(key) not in (16, 24, 32):
        raise KeyInvalidError(f"A wrapping key has 16, 24 or 32 bytes, not {len(key)}.")


def _private(key: bytes) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(key)
    except (ValueError, TypeError):
        raise KeyInvalidError("An Ed25519 private key has 32 bytes.") from None
