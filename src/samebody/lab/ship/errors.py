"""The typed errors of shipping: what stands between a trained network and a signed bundle, and what to do."""

from __future__ import annotations

from samebody.errors import InputError, ResourceError, StorageError, UsageError


class ShipError(InputError):
    """What was handed over cannot be shipped."""

    code = "ship.input"


class SamplesError(ShipError):
    """Samples to check, calibrate or measure with are missing, too few, or do not fit the graph."""

    code = "ship.samples"


class ParityError(ShipError):
    """An exported graph does not answer as the network it was made from."""

    code = "ship.parity"


class QuantiseError(ShipError):
    """A graph cannot be quantised as asked."""

    code = "ship.quantise"


class GateFailedError(ShipError):
    """A gate is broken, or could not be judged and may not be passed unjudged; the message says which."""

    code = "ship.gate"


class KeyFileError(UsageError):
    """A signing key is not there, is no key, or would be overwritten."""

    code = "ship.key"


class KeyExposedError(ResourceError):
    """A private key can be read by others than its owner."""

    code = "ship.key_exposed"


class ShipFolderError(StorageError):
    """A folder of shipping cannot be written, or holds something else."""

    code = "ship.folder"
