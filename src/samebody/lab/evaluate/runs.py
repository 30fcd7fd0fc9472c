"""The run folder: figures and scores of one evaluation side by side, written whole or not at all.

``run.json`` holds the figures, ``scores.npz`` the scores (numbers and names, no pickle). Comparing, gating, criteria,
report and model card read run folders and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.errors import StorageError
from samebody.lab.evaluate.errors import RunFolderError
from samebody.lab.evaluate.non_mated import CountedNonMated, GraphOfPairs, ListedNonMated
from samebody.lab.evaluate.results import VerificationResult
from samebody.lab.evaluate.scores import Attempts, Failures, MatedScores, ScoreSet

RUN, SCORES = "run.json", "scores.npz"
SCORES_VERSION = 1

_GRAPH = ("template_subject", "template_cell", "compatible", "first", "second", "count", "degree")
_ATTEMPTS = ("transaction", "attempt", "score", "mated", "subject")
_TAIL = ("counts", "group_pairs", "tail", "first", "second", "first_sample", "second_sample")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A run folder that was read.

    Attributes:
        folder: where it stands.
        result: the figures.
        scores: what they were made from.
    """

    folder: Path
    result: VerificationResult
    scores: ScoreSet


def save_run(folder: Path | str, result: VerificationResult, scores: ScoreSet) -> Path:
    """Write a run folder; an older run under the same name is replaced at the end, in one rename.

    Raises:
        RunFolderError: ``folder`` exists and is no run folder: it is left alone.
        StorageError: it cannot be written; nothing half-written is left.
    """
    return write_folder(
        folder,
        {RUN: (json.dumps(result.to_dict(), indent=1, ensure_ascii=False) + "\n").encode()},
        {SCORES: pack(scores)},
    )


def load_run(folder: Path | str) -> Run:
    """Read a run folder of a verification.

    Raises:
        RunFolderError: there is none, it is damaged, or of another version or kind.
    """
    where = Path(folder)
    result = VerificationResult.from_dict(load_figures(where))
    return Run(where, result, load_scores(where / SCORES))


def load_figures(folder: Path | str) -> dict[str, Any]:
    """The content of ``run.json`` of a run of any kind (``kind`` says which).

    Raises:
        RunFolderError: there is none, or it is damaged.
    """
    path = Path(folder) / RUN
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunFolderError(
            f"{folder} is no run folder: {RUN} cannot be read ({error.strerror}).",
            hint="Make one with `samebody evaluate verification ... --out DIR`.",
        ) from None
    except ValueError:
        raise RunFolderError(f"{path} is damaged: it is no JSON.", hint="Run the evaluation again.") from None
    if not isinstance(data, dict):
        raise RunFolderError(f"{path} is damaged: it holds no object.", hint="Run the evaluation again.")
    return data


def write_folder(
    folder: Path | str, files: Mapping[str, bytes], arrays: Mapping[str, Mapping[str, NDArray[Any]]]
) -> Path:
    """Write files and ``.npz`` archives into a new folder beside ``folder``, then rename it.

    Raises:
        RunFolderError, StorageError: as :func:`save_run`.
    """
    target = Path(folder)
    if target.exists() and not (target.is_dir() and ((target / RUN).is_file() or not any(target.iterdir()))):
        raise RunFolderError(f"{target} exists and is no run folder.", hint="Choose another --out.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror}.") from None
    try:
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        for name, content_arrays in arrays.items():
            with (fresh / name).open("wb") as stream:
                np.savez(stream, **content_arrays)  # type: ignore[arg-type]
        fresh.chmod(0o755 & ~_umask())
        if target.exists():
            # what is not ours to make again (a report beside the figures) moves along
            for extra in target.iterdir():
                if extra.name not in files and extra.name not in arrays:
                    extra.rename(fresh / extra.name)
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
            target.rename(old / "run")
            fresh.rename(target)
            shutil.rmtree(old)
        else:
            fresh.rename(target)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise StorageError(
            f"{target} cannot be written: {error.strerror}.", hint="Free some space or choose another --out."
        ) from None
    return target


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def pack(scores: ScoreSet) -> dict[str, NDArray[Any]]:
    """A score set as named arrays without Python objects."""
    meta: dict[str, Any] = {
        "scores_version": SCORES_VERSION,
        "kind": "listed" if isinstance(scores.non_mated, ListedNonMated) else "counted",
        "group_names": list(scores.group_names),
        "dropped": dict(scores.dropped),
        "notes": list(scores.notes),
        "independent": scores.independent,
        "engine": dict(scores.engine),
    }
    arrays: dict[str, NDArray[Any]] = {
        "subjects": scores.subjects,
        "samples": scores.samples,
        "subject_group": scores.subject_group,
        "mated_scores": scores.mated.scores,
        "mated_subject": scores.mated.subject,
        "mated_probe": scores.mated.probe,
        "mated_reference": scores.mated.reference,
    }
    if scores.mated.quality is not None:
        arrays["mated_quality"] = scores.mated.quality
    if scores.folds is not None:
        arrays["mated_fold"], arrays["non_mated_fold"] = scores.folds
    if scores.attempts is not None:
        for name in _ATTEMPTS:
            arrays[f"attempts_{name}"] = getattr(scores.attempts, name)
    for name in ("sample_subject", "sample_quality"):
        if (known := getattr(scores, name)) is not None:
            arrays[name] = known
    other = scores.non_mated
    if isinstance(other, ListedNonMated):
        for name in ("scores", "first", "second", "probe", "reference"):
            arrays[f"non_mated_{name}"] = getattr(other, name)
        if other.quality is not None:
            arrays["non_mated_quality"] = other.quality
    else:
        meta["bounds"] = [other.low, other.high]
        meta["floor"] = other.floor
        meta["graph_pairs"] = other.pair_graph.pairs
        for name in _TAIL:
            arrays[f"counted_{name}"] = getattr(other, name)
        for name in _GRAPH:
            if (value := getattr(other.pair_graph, name)) is not None:
                arrays[f"graph_{name}"] = value
    if scores.failures is not None:
        failures = scores.failures
        arrays["failures_attempts"], arrays["failures_failed"] = failures.attempts, failures.failed
        arrays["failures_samples"] = np.asarray(failures.samples, dtype=np.str_)
        meta["failures"] = {
            "enrolments": failures.enrolments,
            "not_enrolled": failures.not_enrolled,
            "reasons": dict(failures.reasons),
            "lost_mated": failures.lost_mated,
            "lost_non_mated": failures.lost_non_mated,
        }
    arrays["meta"] = np.asarray(json.dumps(meta), dtype=np.str_)
    return arrays


def load_scores(path: Path | str) -> ScoreSet:
    """Read a ``scores.npz``.

    Raises:
        RunFolderError: missing, damaged, or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _unpack(arrays)
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise RunFolderError(f"{path} is damaged ({type(error).__name__}).", hint="Run the evaluation again.") from None


def _unpack(arrays: Mapping[str, NDArray[Any]]) -> ScoreSet:
    meta = json.loads(str(arrays["meta"]))
    if meta["scores_version"] != SCORES_VERSION:
        raise RunFolderError(
            f"these scores have version {meta['scores_version']}; this samebody reads {SCORES_VERSION}."
        )
    mated = MatedScores(
        arrays["mated_scores"],
        arrays["mated_subject"],
        arrays["mated_probe"],
        arrays["mated_reference"],
        arrays.get("mated_quality"),
    )
    other: ListedNonMated | CountedNonMated
    if meta["kind"] == "listed":
        other = ListedNonMated(
            arrays["non_mated_scores"],
            arrays["non_mated_first"],
            arrays["non_mated_second"],
            arrays["non_mated_probe"],
            arrays["non_mated_reference"],
            arrays.get("non_mated_quality"),
        )
    else:
        graph = GraphOfPairs(**{name: arrays.get(f"graph_{name}") for name in _GRAPH}, pairs=meta["graph_pairs"])
        other = CountedNonMated(
            low=meta["bounds"][0],
            high=meta["bounds"][1],
            floor=meta["floor"],
            pair_graph=graph,
            **{name: arrays[f"counted_{name}"] for name in _TAIL},
        )
    failures = None
    if "failures" in meta:
        names = tuple(str(name) for name in arrays["failures_samples"])
        failures = Failures(arrays["failures_attempts"], arrays["failures_failed"], samples=names, **meta["failures"])
    folds = (arrays["mated_fold"], arrays["non_mated_fold"]) if "mated_fold" in arrays else None
    return ScoreSet(
        mated,
        other,
        arrays["subjects"],
        arrays["samples"],
        arrays["subject_group"],
        tuple(meta["group_names"]),
        failures,
        meta["dropped"],
        tuple(meta["notes"]),
        folds,
        Attempts(**{name: arrays[f"attempts_{name}"] for name in _ATTEMPTS}) if "attempts_score" in arrays else None,
        meta["independent"],
        arrays.get("sample_subject"),
        arrays.get("sample_quality"),
        meta.get("engine", {}),
    )
