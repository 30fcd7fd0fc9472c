"""Tuning: trials of a recipe with values put in, the hopeless given up early; a killed study goes on where it was.

The study's folder holds ``study.db`` (optuna's storage, SQLite), ``trials/<name>`` (a run folder each), ``best.yaml``
(the recipe of the best trial) and ``trials.html``.
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samebody.durable import try_lock
from samebody.lab.data.files import faults, write_bytes
from samebody.lab.evaluate.errors import optional
from samebody.lab.train.checkpoint import CHECKPOINT
from samebody.lab.train.environment import derived
from samebody.lab.train.errors import ClusterError, NotFiniteError, RunLockedError, StudyError
from samebody.lab.train.loop import Progress
from samebody.lab.train.metrics import read_metrics
from samebody.lab.train.objective import make_task
from samebody.lab.train.recipe import changed
from samebody.lab.train.run import RunResult, train
from samebody.lab.train.study import LoadedStudy, Range, load_study
from samebody.lab.train.tune_page import Shown, trials_page

STORAGE, BEST, PAGE, IDENTITY = "study.db", "best.yaml", "trials.html", "study.json"
NAME = "samebody"
_FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class TuneResult:
    """What a study came to.

    Attributes:
        folder: of the study.
        trials: trials that count: completed, given up early or failed.
        completed, pruned, failed: how many of each.
        monitor: figure that was made better.
        best: its value in the best trial; None when no trial was completed.
        values: what the best trial put into the recipe.
        recipe: the best recipe's file; None when no trial was completed.
    """

    folder: Path
    trials: int
    completed: int
    pruned: int
    failed: int
    monitor: str
    best: float | None
    values: Mapping[str, Any]
    recipe: Path | None


def tune(
    study: Path | str,
    out: Path | str,
    *,
    cache: Path | str | None = None,
    device: str = "auto",
    threads: int = 0,
    storage: str = "",
    workers: int = 1,
    engine: str = "local",
    address: str | None = None,
    report: Callable[[str, Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> TuneResult:
    """Run the trials of a study, one after the other; a study that was interrupted or killed goes on.

    Args:
        study: YAML file, see :class:`samebody.lab.train.study.Study`.
        out: the study's folder.
        cache, device, threads: as :func:`samebody.lab.train.run.train`.
        storage: URL of a database that several machines share; ``study.db`` in the folder otherwise.
        workers, engine, address: with ``ray``, so many trials at once on a cluster that sees the study's folder and
            the storage.
        report: told the name of the trial and where it stands; not with ``ray``.
        stop: asked after each step; True ends the session.

    Raises:
        RecipeNotFoundError, RecipeInvalidError: the study or its recipe cannot be used.
        StudyError: the folder holds another study.
        RunLockedError: another process works on it.
        Whatever a trial raises, except NotFiniteError: that trial has failed, and the study goes on.
    """
    folder = Path(out)
    loaded = load_study(study)
    with prepared(loaded, folder, storage):
        options: dict[str, Any] = {"device": device, "threads": threads, "storage": storage}
        if engine == "ray":
            options["cache"] = str(Path(cache).resolve()) if cache else None
            _on_ray(loaded, folder.resolve(), workers, address, options)
        else:
            run_trials(loaded, folder, cache=cache, report=report, stop=stop, **options)
        return summary(loaded, folder, storage)


@contextlib.contextmanager
def prepared(loaded: LoadedStudy, folder: Path, storage: str = "") -> Iterator[None]:
    """Hold the study's folder; trials that a killed process left behind are put in line again."""
    with faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not try_lock(descriptor):
            raise RunLockedError(f"Another process tunes in {folder}.", hint="Wait for it, or choose another --out.")
        identity = _identity(loaded)
        path = folder / IDENTITY
        if path.exists() and path.read_text(encoding="utf-8") != identity:
            raise StudyError(f"{folder} holds another study.", hint="Choose another --out.")
        write_bytes(path, identity.encode())
        _take_up(_opened(loaded, folder, storage))
        yield
    finally:
        os.close(descriptor)


def run_trials(
    loaded: LoadedStudy,
    folder: Path,
    *,
    cache: Path | str | None = None,
    device: str = "auto",
    threads: int = 0,
    storage: str = "",
    report: Callable[[str, Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Trials until the study has enough of them; several processes may do this at once on one storage."""
    optuna = _optuna()
    states = optuna.trial.TrialState
    study = _opened(loaded, folder, storage)
    while not (stop is not None and stop()):
        begun = study.get_trials(deepcopy=False)
        counted = [trial for trial in begun if trial.state != states.WAITING and not _given_back(trial)]
        if len(counted) >= loaded.study.trials:
            break
        study.sampler = _sampler(loaded, len(counted))
        trial = study.ask()
        values = {place: _suggest(trial, place, choice) for place, choice in loaded.study.space.items()}
        name = trial.user_attrs.get(_FOLDER) or f"{trial.number:04d}"
        trial.set_user_attr(_FOLDER, name)
        ended = _one(loaded, study, trial, values, folder / "trials" / name, cache, device, threads, report, stop)
        write_page(loaded, folder, study)
        if not ended:
            break


def _on_ray(loaded: LoadedStudy, folder: Path, workers: int, address: str | None, options: Mapping[str, Any]) -> None:
    """``workers`` processes of a Ray cluster that all take trials from the storage."""
    ray = optional("ray", "tuning on a cluster", "ray")
    started = not ray.is_initialized()
    if started:
        here = {} if address else {"num_cpus": workers, "include_dashboard": False}
        ray.init(address=address, ignore_reinit_error=True, **here)
    try:
        work = ray.remote(max_retries=0)(_ray_worker)
        ray.get([work.remote(loaded, str(folder), dict(options)) for _ in range(workers)])
    except ray.exceptions.RayError as error:
        text = str(error).strip().splitlines()
        raise ClusterError(
            f"Tuning on the cluster failed: {text[-1] if text else type(error).__name__}",
            hint="The study goes on when the same command is given again.",
        ) from None
    finally:
        if started:
            ray.shutdown()


def _ray_worker(loaded: LoadedStudy, folder: str, options: dict[str, Any]) -> None:
    run_trials(loaded, Path(folder), **options)


def _one(
    loaded: LoadedStudy,
    study: Any,
    trial: Any,
    values: Mapping[str, Any],
    folder: Path,
    cache: Path | str | None,
    device: str,
    threads: int,
    report: Callable[[str, Progress], None] | None,
    stop: Callable[[], bool] | None,
) -> bool:
    """Train one trial; False when it was asked to stop before it came to an end."""
    states = _optuna().trial.TrialState
    recipe = loaded.recipe_with(values)
    monitor = make_task(recipe.recipe).monitor
    told: set[int] = set()
    hopeless = False

    def note(step: int, held: Mapping[str, Any]) -> None:
        nonlocal hopeless
        value = held.get(monitor)
        if step in told or value is None or hopeless:
            return
        told.add(step)
        trial.report(float(value), step)
        hopeless = step < recipe.recipe.steps and trial.should_prune()

    def watch(at: Progress) -> None:
        if at.evaluated:
            note(at.step, at.held)
        if report is not None:
            report(folder.name, at)

    for line in read_metrics(folder):  # what an earlier session measured
        if "held" in line:
            note(line["step"], line["held"])
    try:
        result: RunResult = train(
            recipe,
            folder,
            cache=cache,
            device=device,
            threads=threads,
            report=watch,
            stop=lambda: hopeless or (stop is not None and stop()),
        )
    except NotFiniteError as error:
        trial.set_user_attr("error", error.message)
        study.tell(trial, state=states.FAIL)
        _drop_checkpoint(folder)
        return True
    if result.status == "interrupted" and not hopeless:
        study.tell(trial, state=states.FAIL)
        _again(study, trial)
        return False
    value = result.best.get(monitor)
    if hopeless:
        study.tell(trial, state=states.PRUNED)
    elif value is None:
        trial.set_user_attr("error", f"{monitor} was never a number")
        study.tell(trial, state=states.FAIL)
    else:
        study.tell(trial, float(value))
    _drop_checkpoint(folder)
    return True


def summary(loaded: LoadedStudy, folder: Path, storage: str = "") -> TuneResult:
    """What the study came to so far; writes the best recipe and the page."""
    states = _optuna().trial.TrialState
    study = _opened(loaded, folder, storage)
    trials = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished() and not _given_back(t)]
    of = {state: [t for t in trials if t.state == state] for state in (states.COMPLETE, states.PRUNED, states.FAIL)}
    best = study.best_trial if of[states.COMPLETE] else None
    path = None
    if best is not None:
        values = _plain(best.params)
        text = changed(loaded.recipe_with({}).text, values)
        head = f"# Best of {len(trials)} trials of the study {loaded.study.id}: {json.dumps(values)}\n"
        path = folder / BEST
        write_bytes(path, (head + text).encode())
    write_page(loaded, folder, study)
    return TuneResult(
        folder,
        len(trials),
        len(of[states.COMPLETE]),
        len(of[states.PRUNED]),
        len(of[states.FAIL]),
        _monitor(loaded)[0],
        best.value if best is not None else None,
        _plain(best.params) if best is not None else {},
        path,
    )


def write_page(loaded: LoadedStudy, folder: Path, study: Any) -> None:
    """``trials.html``: every trial with its values, its figure and its course."""
    shown = [
        Shown(
            str(trial.user_attrs.get(_FOLDER, trial.number)),
            trial.state.name.lower(),
            trial.value if trial.state.name == "COMPLETE" else None,
            _plain(trial.params),
            dict(sorted(trial.intermediate_values.items())),
            str(trial.user_attrs.get("error", "")),
        )
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name != "WAITING" and not _given_back(trial)
    ]
    monitor, larger = _monitor(loaded)
    text = trials_page(loaded.study.id, monitor, larger, shown, loaded.study.trials)
    write_bytes(folder / PAGE, text.encode(), sync=False)


# ------------------------------------------------------------------------------------------------------------ optuna


def _optuna() -> Any:
    optuna = optional("optuna", "tuning", "train")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _opened(loaded: LoadedStudy, folder: Path, storage: str) -> Any:
    optuna = _optuna()
    url = storage or f"sqlite:///{(folder / STORAGE).resolve()}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return optuna.create_study(
            storage=url,
            study_name=f"{NAME}/{loaded.study.id}",
            direction="maximize" if _monitor(loaded)[1] else "minimize",
            pruner=_pruner(loaded),
            load_if_exists=True,
        )


def _monitor(loaded: LoadedStudy) -> tuple[str, bool]:
    first = {place: choice.first for place, choice in loaded.study.space.items()}
    task = make_task(loaded.recipe_with(first).recipe)
    return task.monitor, task.larger_is_better


def _pruner(loaded: LoadedStudy) -> Any:
    pruners, chosen = _optuna().pruners, loaded.study.pruner
    if chosen.name == "median":
        return pruners.MedianPruner(n_startup_trials=chosen.trials, n_warmup_steps=chosen.steps)
    if chosen.name == "asha":
        return pruners.SuccessiveHalvingPruner(min_resource=max(chosen.steps, 1), reduction_factor=chosen.reduction)
    return pruners.NopPruner()


def _sampler(loaded: LoadedStudy, number: int) -> Any:
    """Seeded by the study and the trial, so that a killed study draws what it would have drawn."""
    samplers, seed = _optuna().samplers, derived(loaded.study.seed, "trial", number) % 2**32
    return samplers.TPESampler(seed=seed) if loaded.study.sampler == "tpe" else samplers.RandomSampler(seed=seed)


def _suggest(trial: Any, place: str, choice: Range) -> Any:
    if choice.choices is not None:
        # optuna keeps plain values; lists and mappings go in as text and come out as they were
        return json.loads(trial.suggest_categorical(place, [json.dumps(value) for value in choice.choices]))
    if isinstance(choice.low, int) and isinstance(choice.high, int):
        return trial.suggest_int(place, choice.low, choice.high, log=choice.log)
    return trial.suggest_float(place, float(choice.low or 0), float(choice.high or 0), log=choice.log)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a trial as they stand in the recipe."""
    return {place: json.loads(value) if isinstance(value, str) else value for place, value in values.items()}


def _take_up(study: Any) -> None:
    """Trials that were under way when a process died: they fail, and the same values wait for the next session."""
    states = _optuna().trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        study.tell(trial.number, state=states.FAIL)
        if trial.params:
            _again(study, trial)


def _again(study: Any, trial: Any) -> None:
    name = trial.user_attrs.get(_FOLDER) or f"{trial.number:04d}"
    study.enqueue_trial(dict(trial.params), user_attrs={_FOLDER: name, "continues": trial.number})


def _given_back(trial: Any) -> bool:
    """Whether a later trial continues this one, or it never had values: it does not count."""
    if trial.state.name != "FAIL":
        return False
    return "error" not in trial.user_attrs


def _drop_checkpoint(folder: Path) -> None:
    """Trials that came to an end never go on: their largest file goes."""
    with contextlib.suppress(OSError):
        (folder / CHECKPOINT).unlink()


def _identity(loaded: LoadedStudy) -> str:
    """What makes a study the same: all but the number of trials, and the recipe's content."""
    fields = loaded.study.model_dump(mode="json", exclude={"trials", "recipe"})
    first = {place: choice.first for place, choice in loaded.study.space.items()}
    fields["recipe_digest"] = loaded.recipe_with(first).recipe.digest
    return json.dumps(fields, indent=1, sort_keys=True) + "\n"
