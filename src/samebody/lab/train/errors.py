"""The typed errors of training: recipes that do not parse, runs that do not fit, losses that are no numbers."""

from __future__ import annotations

from collections.abc import Sequence

from samebody.errors import InputError, ResourceError, SamebodyError, StorageError, UsageError
from samebody.lab.data.errors import ListedProblemsError


class RecipeNotFoundError(UsageError):
    """There is no recipe of that name, and no such file."""

    code = "train.no_recipe"


class RecipeInvalidError(InputError):
    """A recipe (or a study) has mistakes; ``mistakes`` holds every one of them, with its line."""

    code = "train.recipe_invalid"

    def __init__(self, name: str, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = "one mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        super().__init__(f"{name} has {count}:" + "".join(f"\n  - {mistake}" for mistake in self.mistakes))


class TrainingDataError(ListedProblemsError):
    """The samples cannot be trained on (an empty class, a subject on both sides); ``problems`` holds every reason."""

    code = "train.data"


class RunFolderError(InputError):
    """A folder is no run of training, or a file in it is damaged."""

    code = "train.run_folder"


class OtherRunError(UsageError):
    """A run folder was made by another recipe, or from other data."""

    code = "train.other_run"


class RunLockedError(ResourceError):
    """Another process trains in the same folder."""

    code = "train.locked"


class CheckpointError(StorageError):
    """A checkpoint cannot be written or read; the one before it is untouched."""

    code = "train.checkpoint"


class InitialWeightsError(InputError):
    """The weights to start from are missing or do not fit the network."""

    code = "train.initial_weights"


class NotFiniteError(SamebodyError):
    """A loss or a gradient is no number; the batch that caused it was saved.

    Attributes:
        step: of the batch, from 1.
        batch: file with its tensors and indices.
    """

    code = "train.not_finite"

    def __init__(self, message: str, *, step: int, batch: str, hint: str = "") -> None:
        self.step, self.batch = step, batch
        super().__init__(message, hint=hint)


class LoaderError(ResourceError):
    """A process that prepares batches died, again and again."""

    code = "train.loader"


class ClusterError(ResourceError):
    """Several processes cannot train together: one died, or they cannot reach each other."""

    code = "train.cluster"


class DeviceError(ResourceError):
    """The device asked for is not there."""

    code = "train.device"


class StudyError(UsageError):
    """A study folder belongs to another study, or its trials cannot go on."""

    code = "train.study"
