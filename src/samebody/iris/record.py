"""Which model record speaks for a template: the one whose embedding space is the template's."""

from __future__ import annotations

from samebody.config import Settings
from samebody.errors import SamebodyError
from samebody.iris.compare import IrisComparison
from samebody.iris.errors import IrisNotMeasuredError
from samebody.iris.pipeline import IrisPipeline
from samebody.models import ModelRecord, catalogue
from samebody.models.check import CheckResult, check_record
from samebody.models.errors import RecordError
from samebody.types import Comparison, Modality


def record_of_space(space: str, settings: Settings | None = None) -> ModelRecord:
    """The iris record whose embedding space has the digest ``space``.

    Raises:
        IrisNotMeasuredError: no record speaks for it.
    """
    for record in catalogue(settings).of_task("iris-code"):
        if record.embedding_space().digest == space:
            return record
    raise IrisNotMeasuredError(
        f"no model record speaks for iris templates of the space {space or '(none)'}, so no error rate is known.",
        hint="Measure the encoder: samebody evaluate operating-points --model iris/... --data DIR --write",
    )


def as_comparison(found: IrisComparison, record: ModelRecord) -> Comparison:
    """The comparison as :func:`samebody.match.decide_match` takes it; the record must speak for its space."""
    space = record.embedding_space()
    if space.digest != found.space:
        raise IrisNotMeasuredError(f"{record.label} does not speak for the space {found.space}.")
    return Comparison(found.score, space, Modality.IRIS)


def check_iris_record(record: ModelRecord, settings: Settings | None = None) -> CheckResult:
    """Hold the installed pipeline against the record that pins it: same stages, same parameters, same version."""
    try:
        pipeline = IrisPipeline.load(record.filename)
        if pipeline.space != record.embedding_space():
            raise RecordError(
                f"{record.id} was written for another pipeline than the installed {record.filename!r} "
                f"(space {record.embedding_space().digest}, installed {pipeline.space.digest}).",
                hint=f"Measure it again: samebody evaluate operating-points --model {record.id} --data DIR --write",
            )
    except SamebodyError as error:
        return CheckResult(record.id, "failed", (), error)
    return CheckResult(record.id, "ok", (*check_record(record, settings).checks, "pipeline"))
