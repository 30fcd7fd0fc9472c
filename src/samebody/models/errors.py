"""The typed errors of the models room: one stable code for each way in which weights can be missing or wrong."""

from __future__ import annotations

from samebody.errors import ConfigError, InputError, ResourceError, StorageError, UsageError


class RecordError(ConfigError):
    """A model record cannot be used; the message names every file and field at once."""

    code = "models.bad_record"


class UnknownModelError(UsageError):
    """No record has the id that was asked for."""

    code = "models.unknown"


class ContractError(UsageError):
    """Input does not have the shape or type that the record's input contract states."""

    code = "models.contract"


class OutputError(InputError):
    """A model returned something that its record's output contract excludes (not finite, zero length, wrong size)."""

    code = "models.output"


class WeightsMissingError(ResourceError):
    """The weights of a record are not on this machine."""

    code = "models.not_pulled"


class WeightsCorruptError(StorageError):
    """A file in the models folder is not the one that the record names."""

    code = "models.corrupt"


class UnsafeWeightsError(InputError):
    """The file is a pickle, or not of the format that the record states."""

    code = "models.unsafe_format"


class DerivationError(ResourceError):
    """A derived graph did not come out as the record says."""

    code = "models.derivation"


class BundleError(InputError):
    """A bundle does not hold together: files missing, unknown, changed, outside of it, or too large."""

    code = "models.bundle"


class BundleChangedError(BundleError):
    """A file of a bundle, or of a record that was installed from one, is not the one that was signed."""

    code = "models.bundle_changed"


class SignatureError(BundleError):
    """A bundle is not signed, or its signature does not fit."""

    code = "models.signature"


class UntrustedKeyError(SignatureError):
    """A bundle is signed by a key that the settings do not trust."""

    code = "models.untrusted_key"


class ModelExistsError(UsageError):
    """There is a record of that id with other weights, or a bundled one."""

    code = "models.exists"


class PullError(ResourceError):
    """No source of a record gave its file; subclasses say what stood in the way."""

    code = "models.pull"


class MissingSourceError(PullError):
    """Every source answered, and none of them holds the file."""

    code = "models.missing_source"


class NoNetworkError(PullError):
    """A source could not be reached."""

    code = "models.no_network"


class OfflineError(PullError):
    """The setting ``offline`` forbids the network, and no local source holds the file."""

    code = "models.offline"


class WrongHashError(PullError):
    """A source gave a file with another SHA-256 than the record's; it was thrown away."""

    code = "models.wrong_hash"


class TruncatedError(PullError):
    """A source gave fewer bytes than the record says; they were thrown away."""

    code = "models.truncated"


class DiskFullError(StorageError):
    """There is no room for the file; nothing was left behind."""

    code = "models.disk_full"


class NotWritableError(StorageError):
    """The folder cannot be written to."""

    code = "models.not_writable"


class LockTimeoutError(StorageError):
    """Another process holds the folder's lock for too long."""

    code = "models.locked"
