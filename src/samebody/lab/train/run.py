"""One training run from recipe to weights, in a folder that says everything that decided it.

The folder holds ``run.json`` (recipe, data, code, seed, environment), ``metrics.jsonl``, ``curves.html``,
``checkpoint.pt``, ``best.pt`` and ``last.pt`` (state dictionaries, each with its SHA-256 beside it), ``result.json``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from samebody.config import load_settings
from samebody.durable import try_lock
from samebody.errors import UsageError
from samebody.lab.data.files import faults, write_bytes
from samebody.lab.train.checkpoint import (
    BEST,
    LAST,
    load_checkpoint,
    load_tensors,
    load_weights,
    save_weights,
    weights_digest,
)
from samebody.lab.train.checks import check_data
from samebody.lab.train.curves import CurvesPage
from samebody.lab.train.environment import choose_device, code_version, environment, repeatable
from samebody.lab.train.errors import InitialWeightsError, OtherRunError, RunFolderError, RunLockedError
from samebody.lab.train.loop import Ending, Group, Loop, Progress
from samebody.lab.train.metrics import finite
from samebody.lab.train.objective import Objective, make_network, make_objective, make_task
from samebody.lab.train.recipe import Initial, LoadedRecipe, Recipe, load_recipe, parse_recipe
from samebody.lab.train.task import Data, Task

RUN, RESULT = "run.json", "result.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to.

    Attributes:
        folder: of the run.
        status: ``finished``, ``stopped early`` or ``interrupted``; an interrupted run goes on when it is called again.
        step, steps: done, and in the recipe.
        monitor: name of the figure that the best weights were chosen by.
        best_step: step of the best evaluation; 0 when there was none.
        best, held: figures of the best and of the last evaluation.
        weights: SHA-256 of ``best.pt`` and ``last.pt``, by name; empty while interrupted.
        digests: of their tensors alone: equal if and only if the weights are.
        seconds: of training, over all sessions.
        rate: samples a second over all of it.
    """

    folder: Path
    status: Ending
    step: int
    steps: int
    monitor: str
    best_step: int
    best: Mapping[str, float]
    held: Mapping[str, float]
    weights: Mapping[str, str]
    digests: Mapping[str, str]
    seconds: float
    rate: float

    def to_dict(self) -> dict[str, Any]:
        """As it stands in ``result.json``, which does not name its folder."""
        found = {key: value for key, value in dataclasses.asdict(self).items() if key != "folder"}
        return {"result": FORMAT, **found}


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A trained network with what made it.

    Attributes:
        folder: of the run.
        recipe: as it was trained.
        task: that brings data, network and export.
        network: in evaluation mode, with the weights asked for.
        record: the content of ``run.json``.
        weights_sha256: of the file that was loaded.
    """

    folder: Path
    recipe: Recipe
    task: Task
    network: nn.Module
    record: Mapping[str, Any]
    weights_sha256: str


def train(
    recipe: LoadedRecipe | Recipe | str | Path,
    out: Path | str,
    *,
    cache: Path | str | None = None,
    device: str = "auto",
    threads: int = 0,
    report: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    group: Group | None = None,
    changes: Mapping[str, Any] | None = None,
) -> RunResult:
    """Train a recipe in the folder ``out``; a run that was interrupted or killed there goes on.

    Args:
        recipe: path, bundled name, or one that was loaded.
        out: the run's folder; made if need be.
        cache: where tasks keep what is costly to prepare; a folder of the user's otherwise.
        device: ``auto``, ``cpu``, ``cuda:0`` ...
        threads: of the processor, where the recipe leaves it open; 0 = what torch chooses.
        report: told where the run stands.
        stop: asked after each step; True ends the session with a checkpoint. Control-C does the same.
        group: of processes that train together; see :mod:`samebody.lab.train.cluster`.
        changes: values put into the recipe at dotted places first.

    Raises:
        RecipeNotFoundError, RecipeInvalidError, UsageError, ConfigError: the recipe cannot be used.
        TrainingDataError: the samples cannot be trained on; every reason.
        OtherRunError: the folder holds a run of another recipe or of other data.
        RunLockedError: another process trains there.
        NotFiniteError: a loss or gradient is no number.
        CheckpointError, StorageError, LoaderError, DeviceError, InitialWeightsError.
    """
    loaded = _loaded(recipe, changes)
    folder = Path(out)
    first = group is None or group.rank == 0
    with contextlib.ExitStack() as stack:
        if first:
            stack.enter_context(_locked(folder))
        done = _done(folder, loaded.recipe) if first else None
        if (done := _shared(group, done)) is not None:
            return replace(done, folder=folder)
        used = stack.enter_context(repeatable(loaded.recipe.threads or threads, loaded.recipe.deterministic))
        chosen = choose_device(device)
        task = make_task(loaded.recipe)
        data = task.data(_cache(cache), seed=loaded.recipe.seed)
        check_data(data)
        if group is not None and loaded.recipe.batch % group.world:
            raise UsageError(
                f"a batch of {loaded.recipe.batch} cannot be divided among {group.world} processes.",
                hint="Let `batch` be a multiple of the processes.",
            )
        objective = make_objective(task, loaded.recipe, data)
        begun = _begin(folder, loaded, data, objective, environment(chosen, used), first=first)
        page = CurvesPage(folder, loaded.recipe, begun) if first else None
        asked = stack.enter_context(asked_to_end())

        def told(progress: Progress) -> None:
            if page is not None:
                page.refresh()
            if report is not None:
                report(progress)

        loop = Loop(
            loaded.recipe,
            task,
            data,
            objective,
            folder,
            chosen,
            group=group,
            report=told,
            stop=lambda: asked() or (stop is not None and stop()),
        )
        loop.digest = begun.get("recipe_digest", loop.digest)
        state = _shared(group, load_checkpoint(folder, torch.device("cpu")) if first else None)
        if state is not None:
            if first and state["recipe"] != begun["recipe_digest"]:
                raise _other_recipe(folder)
            loop.restore(state)
        else:
            loop.metrics.cut(0)
        try:
            ending = loop.run()
            result = _finish(loop, ending, folder, write=first)
        finally:
            if page is not None:
                page.close()
    return result


def open_run(folder: Path | str, *, weights: str = "best", device: str = "cpu") -> OpenedRun:
    """The network of a run, in evaluation mode.

    Args:
        folder: of the run.
        weights: ``best`` or ``last``.
        device: where to put it.

    Raises:
        RunFolderError: the folder is no run, is not done, or its weights are not those that were written.
        CheckpointError: the weights cannot be read.
    """
    root = Path(folder)
    record = read_record(root)
    recipe = parse_recipe(str(record["recipe_text"]), f"the recipe in {root / RUN}")
    path = root / {"best": BEST, "last": LAST}.get(weights, BEST)
    if not path.exists():
        raise RunFolderError(f"{root} has no {path.name} yet.", hint="Let the run finish first.")
    task = make_task(recipe)
    identity = dict(record["data"]["identity"])
    shape = Data(_Nothing(), _Nothing(), identity, int(record["data"]["classes"]), int(record["data"]["domains"]))
    network = make_network(task, recipe, shape)
    network.load_state_dict(load_weights(path))
    return OpenedRun(
        root,
        recipe,
        task,
        network.to(device).eval(),
        record,
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def read_record(folder: Path) -> dict[str, Any]:
    """The content of ``run.json``.

    Raises:
        RunFolderError: there is none, or it is damaged.
    """
    return _read_json(folder / RUN, "run", "Make one with `samebody train RECIPE --out DIR`.")


def read_result(folder: Path) -> RunResult | None:
    """What a run, or its last session, came to; None before the first came to an end.

    Raises:
        RunFolderError: it is damaged.
    """
    path = folder / RESULT
    if not path.exists():
        return None
    fields = _read_json(path, "result", "Delete it and train again.")
    try:
        names = [field.name for field in dataclasses.fields(RunResult) if field.name != "folder"]
        return RunResult(folder, **{name: fields[name] for name in names})
    except KeyError as error:
        raise RunFolderError(f"{path} lacks {error}.", hint="Delete it and train again.") from None


# --------------------------------------------------------------------------------------------------------- beginning


class _Nothing:
    """No samples: what an opened run has."""

    columns: Mapping[str, Any] = {}

    def __len__(self) -> int:
        return 0

    def batch(self, indices: Any, seed: int) -> dict[str, Tensor]:
        """There is none."""
        raise RunFolderError("an opened run has no samples.", hint="Ask its task for the data.")


def _loaded(recipe: LoadedRecipe | Recipe | str | Path, changes: Mapping[str, Any] | None) -> LoadedRecipe:
    if isinstance(recipe, LoadedRecipe):
        return recipe
    if isinstance(recipe, Recipe):
        text = json.dumps(recipe.to_dict(), indent=1, ensure_ascii=False)
        return LoadedRecipe(parse_recipe(text, recipe.id, changes), text, Path.cwd())
    return load_recipe(recipe, changes)


T = TypeVar("T")


def _shared(group: Group | None, value: T) -> T:
    """What the first process of the group has; the value itself for a run of one process."""
    return value if group is None else cast(T, group.share(value))


def _cache(cache: Path | str | None) -> Path:
    folder = Path(cache) if cache else load_settings().models_dir.parent / "train"
    with faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _done(folder: Path, recipe: Recipe) -> RunResult | None:
    """The result of a run of the same recipe that is done."""
    if not (folder / RUN).exists():
        return None
    try:
        # not by the digest that stands there: a later release may know more fields, at their defaults
        before = Recipe.model_validate(read_record(folder)["recipe"]).digest
    except ValidationError:
        before = ""
    if before != recipe.digest:
        raise _other_recipe(folder)
    found = read_result(folder)
    return None if found is None or found.status == "interrupted" else found


def _other_recipe(folder: Path) -> OtherRunError:
    return OtherRunError(
        f"{folder} holds a run of another recipe.", hint="Choose another --out, or the recipe in its run.json."
    )


def _begin(
    folder: Path,
    loaded: LoadedRecipe,
    data: Data,
    objective: Objective,
    machine: Mapping[str, Any],
    *,
    first: bool,
) -> dict[str, Any]:
    """Write ``run.json``, or hold the one that is there against this session; put in the weights to start from."""
    identity = json.loads(json.dumps(dict(data.identity)))
    path = folder / RUN
    if not first:
        if loaded.recipe.init is not None:  # the first process hands its weights to all when the group is made
            put_initial_weights(objective.network, loaded.recipe.init, loaded.folder)
        return {}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if path.exists():
        record = read_record(folder)
        if record["data"]["identity"] != identity:
            raise OtherRunError(
                f"{folder} was begun on other data.",
                hint="Choose another --out, or bring back the version of the data that its run.json names.",
            )
        session: dict[str, Any] = {"at": now}
        for name, value in (("environment", dict(machine)), ("code", code_version())):
            if value != record[name]:
                session[name] = value
        record["sessions"].append(session)
    else:
        if folder.exists() and any(entry.name != ".lock" for entry in folder.iterdir()):
            raise RunFolderError(f"{folder} exists and is no run of training.", hint="Choose another --out.")
        record = {
            "run": FORMAT,
            "kind": "train",
            "recipe": loaded.recipe.to_dict(),
            "recipe_digest": loaded.recipe.digest,
            "recipe_text": _recipe_text(loaded),
            "seed": loaded.recipe.seed,
            "data": {
                "identity": identity,
                "train": len(data.train),
                "held": len(data.held),
                "classes": data.classes,
                "domains": data.domains,
            },
            "parameters": sum(p.numel() for p in objective.network.parameters()),
            "initial_weights": {},
            "code": code_version(),
            "environment": dict(machine),
            "sessions": [{"at": now}],
        }
    if loaded.recipe.init is not None and load_checkpoint(folder, torch.device("cpu")) is None:
        sha256 = put_initial_weights(objective.network, loaded.recipe.init, loaded.folder)
        known = record["initial_weights"].get("sha256", sha256)
        if known != sha256:
            raise OtherRunError(f"{folder} was begun from other weights.", hint="Choose another --out.")
        record["initial_weights"] = {"sha256": sha256}
    write_bytes(path, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    return record


def _recipe_text(loaded: LoadedRecipe) -> str:
    """The text, where it says what was trained; the recipe's fields otherwise (values were put in)."""
    with contextlib.suppress(Exception):
        if parse_recipe(loaded.text).digest == loaded.recipe.digest:
            return loaded.text
    return json.dumps(loaded.recipe.to_dict(), indent=1, ensure_ascii=False)


def put_initial_weights(network: nn.Module, initial: Initial, folder: Path) -> str:
    """Load the weights that a recipe starts from; returns the SHA-256 of their file.

    Raises:
        InitialWeightsError: missing, another file than the recipe names, or not fitting the network.
    """
    path = (folder / initial.weights).expanduser()
    path = path / BEST if path.is_dir() else path
    if not path.is_file():
        raise InitialWeightsError(f"There are no weights {path}.", hint="Train them first, or correct `init.weights`.")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    if initial.sha256 and initial.sha256 != sha256:
        raise InitialWeightsError(f"{path} is another file than `init.sha256` names.", hint=f"It has {sha256}.")
    found, own = load_tensors(path), network.state_dict()
    if not isinstance(found, dict) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise InitialWeightsError(f"{path} holds no state dictionary.", hint="Give a run folder or its best.pt.")
    fitting = {name: t for name, t in found.items() if name in own and own[name].shape == t.shape}
    if not fitting or (not initial.partial and (len(fitting) != len(own) or len(fitting) != len(found))):
        odd = sorted(set(own) ^ set(fitting))[:5] or sorted(set(found) - set(own))[:5]
        raise InitialWeightsError(
            f"{path} does not fit the network: {len(fitting)} of {len(own)} tensors do; {', '.join(odd)} ... do not.",
            hint="Set `init.partial: true` to take what fits.",
        )
    network.load_state_dict({**own, **fitting})
    return sha256


# ---------------------------------------------------------------------------------------------------------- finishing


def _finish(loop: Loop, ending: Ending, folder: Path, *, write: bool) -> RunResult:
    standing = loop.standing
    weights: dict[str, str] = {}
    digests: dict[str, str] = {}
    if ending != "interrupted" and write:
        last = loop.weights()
        weights[LAST], digests[LAST] = save_weights(folder / LAST, last), weights_digest(last)
        if standing.best_step == 0:  # no evaluation gave a number
            save_weights(folder / BEST, last)
        best = load_weights(folder / BEST)
        weights[BEST] = hashlib.sha256((folder / BEST).read_bytes()).hexdigest()
        digests[BEST] = weights_digest(best)
    rate = standing.step * loop.recipe.batch / standing.seconds if standing.seconds else 0.0
    result = RunResult(
        folder,
        ending,
        standing.step,
        loop.recipe.steps,
        loop.task.monitor,
        standing.best_step,
        standing.best_figures,
        standing.held,
        weights,
        digests,
        round(standing.seconds, 2),
        round(rate, 2),
    )
    if write:
        text = json.dumps(finite(result.to_dict()), indent=1, ensure_ascii=False, allow_nan=False)
        write_bytes(folder / RESULT, (text + "\n").encode())
    return result


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not try_lock(descriptor):
            raise RunLockedError(f"Another process trains in {folder}.", hint="Wait for it, or choose another --out.")
        yield
    finally:
        os.close(descriptor)


_ours: list[Any] = []
"""The handlers of :func:`asked_to_end` that are in force."""


@contextlib.contextmanager
def asked_to_end() -> Iterator[Callable[[], bool]]:
    """Control-C or SIGTERM once: the run ends with a checkpoint; a second time: it ends at once.

    Within another of its kind (a trial of a study) both are told.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def note(number: int, frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        if before[number] in _ours:
            before[number](number, frame)

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    _ours.append(note)
    for number in before:
        signal.signal(number, note)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _ours.remove(note)


def _read_json(path: Path, kind: str, hint: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunFolderError(
            f"{path.parent} is no run of training: {path.name}: {error.strerror}.", hint=hint
        ) from None
    except ValueError:
        raise RunFolderError(f"{path} is damaged: it is no JSON.", hint=hint) from None
    if not isinstance(found, dict) or found.get(kind) != FORMAT:
        raise RunFolderError(f"{path} is of another version, or no {kind} of training.", hint=hint)
    return found


__all__ = ["OpenedRun", "RunResult", "open_run", "read_record", "read_result", "train"]
