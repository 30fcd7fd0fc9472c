"""A run shown in MLflow beside its own page: parameters, figures by step, recipe and page. Never needed to train."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from samebody.errors import ResourceError
from samebody.lab.data.files import write_bytes
from samebody.lab.evaluate.errors import optional
from samebody.lab.train.curves import CURVES
from samebody.lab.train.metrics import read_metrics
from samebody.lab.train.run import RESULT, RUN, read_record, read_result

NOTE = "mlflow.json"
EXPERIMENT = "samebody"
_BATCH = 500
"""Figures handed over at once; MLflow takes at most 1,000."""
_LONGEST = 500
"""Characters of a parameter that MLflow keeps."""


class MlflowError(ResourceError):
    """MLflow cannot be reached, or refuses what it is given."""

    code = "train.mlflow"


def export_run(folder: Path, uri: str, experiment: str = EXPERIMENT) -> str:
    """Hand a run over to MLflow; what was handed over before is not repeated.

    Args:
        folder: of the run.
        uri: MLflow's tracking URI.
        experiment: made if it is not there.

    Returns:
        MLflow's id of the run; kept in ``mlflow.json`` in the folder.

    Raises:
        MissingExtraError: MLflow is not installed.
        MlflowError: it cannot be reached, or refuses.
        RunFolderError: the folder is no run.
    """
    tracking = optional("mlflow.tracking", "the export to MLflow", "mlflow")
    entities = optional("mlflow.entities", "the export to MLflow", "mlflow")
    record = read_record(folder)
    try:
        client = tracking.MlflowClient(tracking_uri=uri)
        note = _note(folder, uri)
        if note is None:
            known = client.get_experiment_by_name(experiment)
            number = known.experiment_id if known is not None else client.create_experiment(experiment)
            run = client.create_run(number, run_name=str(record["recipe"]["id"])).info.run_id
            note = {"uri": uri, "run": run, "lines": 0}
            _describe(client, entities, run, record)
        lines = read_metrics(folder)
        _figures(client, entities, note["run"], lines[note["lines"] :])
        for name in (CURVES, RUN, RESULT):
            if (folder / name).exists():
                client.log_artifact(note["run"], str(folder / name))
        result = read_result(folder)
        if result is not None and result.status != "interrupted":
            client.set_terminated(note["run"], status="FINISHED")
    except Exception as error:  # MLflow raises types of its own, and those of its transport
        raise MlflowError(
            f"MLflow at {uri} does not take the run: {str(error).splitlines()[0] if str(error) else type(error)}",
            hint="The run itself is whole; give the same command again when MLflow is there.",
        ) from None
    write_bytes(folder / NOTE, (json.dumps({**note, "lines": len(lines)}) + "\n").encode())
    return str(note["run"])


def _note(folder: Path, uri: str) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("uri") == uri else None


def _describe(client: Any, entities: Any, run: str, record: Mapping[str, Any]) -> None:
    parameters = [entities.Param(place, text[:_LONGEST]) for place, text in flattened(record["recipe"])]
    for start in range(0, len(parameters), 100):
        client.log_batch(run, params=parameters[start : start + 100])
    tags = {
        "recipe_digest": record["recipe_digest"],
        "data": json.dumps(record["data"]["identity"], sort_keys=True),
        **{f"code.{name}": value for name, value in record["code"].items()},
        **{f"environment.{name}": value for name, value in record["environment"].items()},
    }
    client.log_batch(run, tags=[entities.RunTag(name, str(value)[:5000]) for name, value in tags.items()])


def _figures(client: Any, entities: Any, run: str, lines: list[dict[str, Any]]) -> None:
    now = int(time.time() * 1000)
    found = [
        entities.Metric(name, value, now, line["step"])
        for line in lines
        for name, value in _named(line)
        if value is not None
    ]
    for start in range(0, len(found), _BATCH):
        client.log_batch(run, metrics=found[start : start + _BATCH])


def _named(line: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    if "held" in line:
        yield from ((f"held/{name}", value) for name, value in line["held"].items())
        return
    yield from ((f"train/{name}", value) for name, value in line.get("losses", {}).items())
    for name in ("loss", "lr", "gradient_norm", "samples_per_second"):
        yield f"train/{name}" if name != "loss" else "train/total", line.get(name)


def flattened(values: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Dotted places and values as text of nested fields; lists by number."""
    entries = values.items() if isinstance(values, Mapping) else enumerate(values) if isinstance(values, list) else None
    if entries is None:
        yield place, str(values)
        return
    for key, value in entries:
        yield from flattened(value, f"{place}.{key}" if place else str(key))
