"""The typed errors of the data room: what is wrong with a source, a data set, a version or a rule, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from samebody.errors import InputError, ResourceError, StorageError, UsageError

SHOWN = 20
"""Problems spelled out in a message; the rest is counted."""


class ListedProblemsError(InputError):
    """Base of errors that name every problem found at once, in ``problems``."""

    def __init__(self, source: str, problems: Sequence[str], *, hint: str = "") -> None:
        self.problems = tuple(problems)
        shown = "".join(f"\n  - {problem}" for problem in self.problems[:SHOWN])
        more = f"\n  ... and {len(self.problems) - SHOWN} more" if len(self.problems) > SHOWN else ""
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        super().__init__(f"{source} has {count}:{shown}{more}", hint=f"\n{hint}" if hint else "")


class DataSetError(InputError):
    """A folder is no data set, or one of another format version."""

    code = "data.data_set"


class DataSetDamagedError(StorageError):
    """A file of a data set is not what its name promises."""

    code = "data.damaged"


class DataSetLockedError(ResourceError):
    """Another process is writing to the data set."""

    code = "data.locked"


class UnknownVersionError(UsageError):
    """There is no such version, or the name is short for several."""

    code = "data.unknown_version"


class UnknownSubjectError(UsageError):
    """No version of the data set holds the subject."""

    code = "data.unknown_subject"


class ManifestError(ListedProblemsError):
    """A manifest or a list of samples breaks its schema; every problem found is in ``problems``."""

    code = "data.manifest"


class SourceError(ListedProblemsError):
    """Places to take samples from cannot be read; every problem found is in ``problems``."""

    code = "data.source"


class RulesError(ListedProblemsError):
    """A file of rules or a labelling schema cannot be used; every problem found is in ``problems``."""

    code = "data.rules"


class SplitError(InputError):
    """The samples cannot be divided as asked."""

    code = "data.split"


class LeakageError(ListedProblemsError):
    """Something stands on both sides of a split: a subject, the same bytes, or near duplicates."""

    code = "data.leakage"


class TooFewError(InputError):
    """There are too few samples, subjects or classes for what was asked."""

    code = "data.too_few"


class LabelError(InputError):
    """A label, task or labeller is not what the labelling project holds."""

    code = "data.label"


class WorkerError(ResourceError):
    """A worker process died or the cluster cannot be reached; what was finished is kept."""

    code = "data.worker"
