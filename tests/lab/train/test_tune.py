from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.lab.train import tune as tuning
from samebody.lab.train.errors import NotFiniteError, RecipeInvalidError, RecipeNotFoundError, StudyError
from samebody.lab.train.recipe import load_recipe
from samebody.lab.train.study import load_study
from samebody.lab.train.tune import tune
from tests.lab.train.toy import RECIPE

STUDY = """\
study: 1
id: toy
recipe: toy.yaml
trials: 4
seed: 3
space:
  optimiser.lr: {low: 1e-5, high: 0.1, log: true}
  batch: {low: 8, high: 24}
  optimiser.name: {choices: [adamw, sgd]}
sampler: random
pruner: {name: none}
"""


def written(folder: Path, study: str = STUDY) -> Path:
    (folder / "toy.yaml").write_text(RECIPE.replace("steps: 30", "steps: 20"))
    (folder / "study.yaml").write_text(study)
    return folder / "study.yaml"


def values(folder: Path) -> list[dict[str, Any]]:
    """What each trial put into the recipe, in order, by its run folder."""
    found = []
    for path in sorted((folder / "trials").iterdir()):
        recipe = json.loads((path / "run.json").read_text())["recipe"]
        found.append({"lr": recipe["optimiser"]["lr"], "batch": recipe["batch"], "name": recipe["optimiser"]["name"]})
    return found


def test_the_best_of_the_trials_is_written_as_a_recipe(tmp_path: Path) -> None:
    result = tune(written(tmp_path), tmp_path / "out", cache=tmp_path, threads=1)
    assert (result.trials, result.completed, result.monitor) == (4, 4, "loss")
    stored = [json.loads(p.read_text())["best"]["loss"] for p in (tmp_path / "out").glob("trials/*/result.json")]
    assert result.best == min(stored) and len(stored) == 4
    assert result.recipe is not None
    best = load_recipe(result.recipe).recipe
    assert best.optimiser.lr == result.values["optimiser.lr"] and best.batch == result.values["batch"]
    drawn = values(tmp_path / "out")
    assert all(1e-5 <= one["lr"] <= 0.1 and 8 <= one["batch"] <= 24 for one in drawn)
    assert len({one["lr"] for one in drawn}) == 4
    page = (tmp_path / "out" / "trials.html").read_text()
    assert "4 of 4 trials" in page and page.count("<polyline") + page.count("<circle") >= 4 and "src=" not in page
    assert not list((tmp_path / "out").rglob("checkpoint.pt"))


class Killed(BaseException):
    """Stands for kill -9."""


def test_a_study_that_was_killed_draws_and_finds_what_it_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written(tmp_path)
    whole = tune(study, tmp_path / "whole", cache=tmp_path, threads=1)
    steps = 0

    def killing(*arguments: Any, **options: Any) -> Any:
        watch = options["report"]

        def report(at: Any) -> None:
            nonlocal steps
            steps += 1
            watch(at)
            if steps in (13, 40):
                raise Killed

        return tuning_train(*arguments, **{**options, "report": report})

    tuning_train = tuning.train
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "train", killing)
        for _ in range(2):
            with pytest.raises(Killed):
                tune(study, tmp_path / "killed", cache=tmp_path, threads=1)
    result = tune(study, tmp_path / "killed", cache=tmp_path, threads=1)
    assert (result.trials, result.completed, result.failed) == (4, 4, 0)
    assert (result.best, result.values) == (whole.best, whole.values)
    assert values(tmp_path / "killed") == values(tmp_path / "whole")


def test_hopeless_trials_are_given_up(tmp_path: Path) -> None:
    text = STUDY.replace("trials: 4", "trials: 5").replace("{name: none}", "{name: asha, steps: 5, reduction: 2}")
    recipe = written(tmp_path, text).parent / "toy.yaml"
    recipe.write_text(recipe.read_text().replace("evaluate_every: 10", "evaluate_every: 5"))
    result = tune(tmp_path / "study.yaml", tmp_path / "out", cache=tmp_path, threads=1)
    assert result.trials == 5 and result.pruned >= 1 and result.completed >= 1
    runs = [json.loads(p.read_text()) for p in (tmp_path / "out").glob("trials/*/result.json")]
    assert sum(run["step"] < run["steps"] for run in runs) == result.pruned


def test_a_trial_whose_loss_is_no_number_has_failed_and_the_study_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = tuning.train
    calls = 0

    def failing(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise NotFiniteError("The loss of step 3 is no number.", step=3, batch="none")
        return train(*arguments, **options)

    monkeypatch.setattr(tuning, "train", failing)
    result = tune(written(tmp_path), tmp_path / "out", cache=tmp_path, threads=1)
    assert (result.trials, result.completed, result.failed) == (4, 3, 1)
    assert "is no number" in (tmp_path / "out" / "trials.html").read_text()


def test_a_stopped_study_goes_on_in_the_middle_of_its_trial(tmp_path: Path) -> None:
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 30

    first = tune(written(tmp_path), tmp_path / "out", cache=tmp_path, threads=1, stop=stop)
    assert first.completed == 1 and first.failed == 0
    assert (tmp_path / "out" / "trials" / "0001" / "checkpoint.pt").exists()
    result = tune(tmp_path / "study.yaml", tmp_path / "out", cache=tmp_path, threads=1)
    assert (result.trials, result.completed) == (4, 4)
    assert len(json.loads((tmp_path / "out" / "trials" / "0001" / "run.json").read_text())["sessions"]) == 2


def test_another_study_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    tune(written(tmp_path, STUDY.replace("trials: 4", "trials: 1")), tmp_path / "out", cache=tmp_path, threads=1)
    with pytest.raises(StudyError):
        tune(written(tmp_path, STUDY.replace("seed: 3", "seed: 4")), tmp_path / "out", cache=tmp_path)
    more = written(tmp_path, STUDY.replace("trials: 4", "trials: 2"))  # more trials are the same study
    assert tune(more, tmp_path / "out", cache=tmp_path, threads=1).trials == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("trials: 4", "trials: 0", 4, "greater than 0"),
        ("{low: 8, high: 24}", "{low: 8}", 8, "choices, or low and high"),
        ("{low: 8, high: 24}", "{low: 24, high: 8}", 8, "low must be below high"),
        ("{low: 1e-5, high: 0.1, log: true}", "{low: 0, high: 0.1, log: true}", 7, "above 0"),
        ("{choices: [adamw, sgd]}", "{choices: []}", 9, "at least one"),
        ("sampler: random", "sampler: rondom", 10, "tpe"),
    ],
)
def test_mistakes_in_a_study_are_named_by_line(tmp_path: Path, old: str, new: str, line: int, word: str) -> None:
    with pytest.raises(RecipeInvalidError) as caught:
        load_study(written(tmp_path, STUDY.replace(old, new)))
    assert f"line {line}:" in str(caught.value) and word in str(caught.value)


def test_a_place_that_the_recipe_does_not_have_is_refused_before_any_trial(tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalidError, match="lrr"):
        load_study(written(tmp_path, STUDY.replace("optimiser.lr", "optimiser.lrr")))
    with pytest.raises(RecipeNotFoundError):
        load_study(tmp_path / "none.yaml")
    with pytest.raises(RecipeNotFoundError):
        load_study(written(tmp_path, STUDY.replace("toy.yaml", "other.yaml")))
