"""The typed errors of the store. No message holds a biometric byte, a name or a key."""

from __future__ import annotations

from samebody.errors import ConfigError, InputError, ResourceError, SamebodyError, StorageError, UsageError


class StoreExtraMissingError(ResourceError):
    """The packages of the extra ``samebody[service]`` (or ``postgresql``) are not installed."""

    code = "store.extra_missing"


class StoreConfigError(ConfigError):
    """The database, the folder of sealed files or the master key is not named, or named wrongly."""

    code = "store.config"


class StoreUnavailableError(StorageError):
    """The database cannot be reached, is locked for too long, or its disk is full."""

    code = "store.unavailable"


class SchemaError(StorageError):
    """The database is of a newer release, or is not one of ours."""

    code = "store.schema"


class NotFoundError(UsageError):
    """The tenant has no such thing (or another tenant has it, which is the same to the caller)."""

    code = "store.not_found"


class ExistsError(UsageError):
    """Something of that name is there already."""

    code = "store.exists"


class ConflictError(UsageError):
    """Somebody else changed the row since it was read; read it again and decide again."""

    code = "store.conflict"


class InvalidValueError(InputError):
    """A value cannot be stored: too long, of the wrong form, or not allowed here."""

    code = "store.invalid_value"


class IllegalTransitionError(UsageError):
    """The session is in a state in which this cannot happen."""

    code = "session.illegal_transition"


class TooManySamplesError(UsageError):
    """The attempt has all the samples, or bytes of them, that it may have."""

    code = "session.full"


class ConsentMissingError(UsageError):
    """No consent, or a withdrawn one, stands behind what was asked."""

    code = "consent.missing"


class KeyDestroyedError(SamebodyError):
    """The key of the data was destroyed: what it sealed is erased and cannot be read again."""

    code = "keys.destroyed"
    exit_code = 65


class MasterKeyError(ConfigError):
    """A master key is missing, malformed, or not the one that wrapped the key."""

    code = "keys.master"


class BlobError(StorageError):
    """A sealed file is missing, damaged, or cannot be written."""

    code = "store.blob"


class BlobsAwayError(BlobError):
    """The place of the sealed files does not answer, refuses, or has no room: nothing is said about the file itself."""

    code = "store.blobs_away"


class AuditError(StorageError):
    """The audit log cannot be read as one, or an export is not one of ours."""

    code = "audit.unreadable"


class BackupError(StorageError):
    """A backup is incomplete or damaged, or its target is in use."""

    code = "store.backup"


class IdempotencyConflictError(UsageError):
    """An idempotency key was used before with other parameters, or its first request still runs."""

    code = "idempotency.conflict"


class StillRunningError(IdempotencyConflictError):
    """The first request of an idempotency key has not answered yet; or its process died, and the key is free soon.

    Attributes:
        wait: seconds until it is free at the latest.
    """

    code = "idempotency.running"

    def __init__(self, wait: float) -> None:
        super().__init__("the first request still runs.", hint="Send it again as Retry-After says.")
        self.wait = wait


class AccessDeniedError(UsageError):
    """An API key is unknown, revoked or expired, or lacks the scope."""

    code = "access.denied"


class ModelChangedError(ConfigError):
    """The record of a live model names other weights than those that were promoted."""

    code = "store.model_changed"
