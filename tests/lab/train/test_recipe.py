from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

import torch

from samebody.lab.train.errors import RecipeInvalidError, RecipeNotFoundError
from samebody.lab.train.recipe import Recipe, Schedule, bundled_recipes, changed, load_recipe, parse_recipe
from samebody.lab.train.study import load_study
from samebody.located_yaml import read_located
from tests.lab.train.toy import RECIPE, recipe


def mistakes(text: str) -> tuple[str, ...]:
    with pytest.raises(RecipeInvalidError) as caught:
        parse_recipe(text)
    return caught.value.mistakes


def test_every_mistake_is_named_at_once_with_its_line() -> None:
    found = mistakes(
        """\
recipe: 1
id: Bad Name
task: {name: classify, data_set: x, classes: [a, b], sise: [64, 64]}
network: {name: minifas}
losses: [{name: cross-entropi}, {name: cross-entropy, weight: -1}]
sampler: {name: balanced, by: []}
optimiser: {name: adam}
batsh: 16
steps: 0
"""
    )
    lines = {int(mistake.split(":")[0].removeprefix("line ")): mistake for mistake in found if "line" in mistake}
    assert set(lines) == {2, 3, 5, 6, 7, 8, 9}
    assert "sise" in lines[3]
    assert sum("line 5" in mistake for mistake in found) == 2
    assert "did you mean batch" in lines[8]
    assert any(mistake.startswith("batch") and "missing" in mistake for mistake in found)


def test_names_that_no_registry_holds_say_which_there_are() -> None:
    found = mistakes(RECIPE.replace("task: {name: toy}", "task: {name: toi}"))
    assert len(found) == 1
    assert "line 4" in found[0] and "classify" in found[0]


def test_a_key_that_stands_twice_is_a_mistake() -> None:
    assert any("stands twice" in mistake for mistake in mistakes(RECIPE + "batch: 32\n"))


def test_no_yaml_and_no_mapping_are_mistakes() -> None:
    assert mistakes("a: [")
    assert mistakes("- 1\n")
    assert mistakes("")


def test_a_file_that_is_not_there_names_the_bundled_recipes(tmp_path: Path) -> None:
    with pytest.raises(RecipeNotFoundError, match="bundled"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(RecipeNotFoundError, match="no text"):
        (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
        load_recipe(tmp_path / "bytes.yaml")


@pytest.mark.parametrize("name", bundled_recipes() or [pytest.param("none", marks=pytest.mark.skip("none yet"))])
def test_every_bundled_recipe_holds(name: str) -> None:
    assert isinstance(load_recipe(name).recipe, Recipe)


def test_the_digest_does_not_know_order_comments_or_defaults() -> None:
    lines = RECIPE.splitlines()
    other = "\n".join(["# a comment", *reversed(lines), "ema: 0.0", "precision: float32"])
    assert parse_recipe(other).digest == parse_recipe(RECIPE).digest
    assert recipe(batch=17).digest != parse_recipe(RECIPE).digest


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(["seed", "batch", "steps", "evaluate_every"]), st.integers(1, 60_000))
def test_changes_arrive_at_their_place_and_nowhere_else(place: str, value: int) -> None:
    before, after = parse_recipe(RECIPE).to_dict(), parse_recipe(RECIPE, changes={place: value}).to_dict()
    assert after.pop(place) == value
    before.pop(place)
    assert before == after


def test_changes_reach_into_lists_and_make_what_is_not_there() -> None:
    text = changed(RECIPE, {"losses.0.weight": 2.5, "optimiser.lr": 0.1, "early_stopping.patience": 3})
    values: Any = read_located(text).values
    assert values["losses"][0]["weight"] == 2.5
    found = parse_recipe(text)
    assert found.optimiser.lr == 0.1 and found.early_stopping is not None and found.early_stopping.patience == 3


@pytest.mark.parametrize("place", ["losses.1.weight", "losses.x", "batch.size"])
def test_a_place_that_is_not_there_is_refused(place: str) -> None:
    with pytest.raises(RecipeInvalidError, match="no such place"):
        changed(RECIPE, {place: 1})


def test_the_schedule_is_that_of_torch() -> None:
    steps, warmup = 50, 7
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    rise = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: (step + 1) / warmup)
    optimiser_cosine = torch.optim.SGD([weight], lr=1.0)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser_cosine, steps - warmup, eta_min=0.05)
    ours = Schedule(name="cosine", warmup=warmup, final=0.05)
    for step in range(steps):
        if step < warmup:
            expected = rise.get_last_lr()[0]
            optimiser.step()
            rise.step()
        else:
            expected = cosine.get_last_lr()[0]
            optimiser_cosine.step()
            cosine.step()
        assert ours.factor(step, steps) == pytest.approx(expected, abs=1e-12)
    stepwise = Schedule(name="step", milestones=(0.5, 0.8), gamma=0.1)
    assert [stepwise.factor(step, 10) for step in (0, 4, 5, 7, 8)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert Schedule(name="constant").factor(3, 10) == 1


def indented(text: str, first: str) -> str:
    """The indented block of a page that begins with the line ``first``."""
    lines = text.splitlines()
    start = lines.index(f"    {first}")
    end = next(n for n in range(start, len(lines)) if lines[n] and not lines[n].startswith("    "))
    return "\n".join(line[4:] for line in lines[start:end])


def test_the_recipe_and_the_study_of_the_how_to_hold(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "how-to" / "train.md").read_text()
    (tmp_path / "recipe.yaml").write_text(indented(text, "recipe: 1"))
    (tmp_path / "study.yaml").write_text(indented(text, "study: 1"))
    assert load_recipe(tmp_path / "recipe.yaml").recipe.early_stopping is not None
    assert load_study(tmp_path / "study.yaml").study.trials == 30
