from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.lab.train.checkpoint import CHECKPOINT, load_checkpoint, load_tensors
from samebody.lab.train.errors import OtherRunError
from samebody.lab.train.loop import Loop
from samebody.lab.train.metrics import METRICS, read_metrics
from samebody.lab.train.run import RunResult, read_record, train
from tests.lab.train.toy import recipe

PARTS: dict[str, Any] = {
    "steps": 40,
    "ema": 0.9,
    "sampler.name": "toy-hard",
    "augment": [{"name": "toy-noise"}],
    "loader.ahead": 2,
    "checkpoint_every": 4,
}
ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from pathlib import Path
import torch
from tests.lab.train.toy import recipe
from samebody.lab.train.run import train
import json
changes = json.loads(sys.argv[2])
def note(at):
    print(at.step, flush=True)
out = Path(sys.argv[1])
result = train(recipe(**changes), out, cache=out.parent, device="cpu", report=note)
print(result.status, json.dumps(dict(result.digests)), flush=True)
"""


def figures(folder: Path) -> list[dict[str, Any]]:
    """The lines without what depends on the clock."""
    return [
        {name: value for name, value in line.items() if name not in ("seconds", "samples_per_second")}
        for line in read_metrics(folder)
    ]


class Killed(BaseException):
    """Stands for kill -9: nothing in the program catches it."""


def killed_at(
    folder: Path, step: int, monkeypatch: pytest.MonkeyPatch, where: str, parts: dict[str, Any] = PARTS
) -> None:
    """Run until ``step`` and leave without another word: before its checkpoint, in it, or after."""
    done = getattr(Loop, where)

    def leave(self: Loop, *arguments: Any) -> Any:
        if self.standing.step >= step:
            raise Killed
        return done(self, *arguments)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Loop, where, leave)
        train(recipe(**parts), folder, cache=folder.parent)


@pytest.mark.parametrize("where", ["_step", "_log", "_evaluate", "_checkpoint"])
def test_a_run_that_broke_off_ends_with_the_same_weights_and_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    whole = train(recipe(**PARTS), tmp_path / "whole", cache=tmp_path)
    for step in (3, 10, 20, 33):
        killed_at(tmp_path / "broken", step, monkeypatch, where)
    result = train(recipe(**PARTS), tmp_path / "broken", cache=tmp_path)
    assert result.digests == whole.digests
    assert (result.best, result.best_step) == (whole.best, whole.best_step)
    assert figures(tmp_path / "broken") == figures(tmp_path / "whole")
    assert len(read_record(tmp_path / "broken")["sessions"]) == 5


def test_the_best_weights_are_those_that_the_checkpoint_speaks_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after better weights were written and before the checkpoint that knows of them."""
    from samebody.lab.train.checkpoint import load_weights, weights_digest

    parts = {**PARTS, "task.figures": [3.0, 2.0, 5.0, 5.0]}
    killed_at(tmp_path / "run", 20, monkeypatch, "_checkpoint", parts)
    assert (tmp_path / "run" / "best-next.pt").exists()
    at_ten = weights_digest(load_weights(tmp_path / "run" / "best.pt"))
    changed = {**PARTS, "task.figures": [5.0, 5.0, 5.0]}  # as on another machine, where step 20 is no better
    monkeypatch.setattr("samebody.lab.train.run.parse_recipe", lambda *_: recipe(**changed))
    monkeypatch.setattr("samebody.lab.train.recipe.Recipe.digest", recipe(**parts).digest)
    result = train(recipe(**changed), tmp_path / "run", cache=tmp_path)
    assert result.best_step == 10 and result.digests["best.pt"] == at_ten
    assert not (tmp_path / "run" / "best-next.pt").exists()


def test_asking_for_an_end_leaves_a_checkpoint_at_that_step(tmp_path: Path) -> None:
    whole = train(recipe(**PARTS), tmp_path / "whole", cache=tmp_path)
    steps = 0

    def stop() -> bool:
        nonlocal steps
        steps += 1
        return steps == 7

    first = train(recipe(**PARTS), tmp_path / "run", cache=tmp_path, stop=stop)
    assert (first.status, first.step, first.weights) == ("interrupted", 7, {})
    assert load_checkpoint(tmp_path / "run", "cpu")["standing"]["step"] == 7
    assert train(recipe(**PARTS), tmp_path / "run", cache=tmp_path).digests == whole.digests


def started(folder: Path, changes: dict[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(folder), json.dumps(changes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def after(process: subprocess.Popen[str], step: int) -> None:
    """Wait until the process reports ``step``."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.split()[0].isdigit() and int(line) >= step:
            return
    raise AssertionError("the process ended before that step")


@pytest.mark.slow
def test_control_c_leaves_a_checkpoint_and_the_run_goes_on(tmp_path: Path) -> None:
    changes = {**PARTS, "task.slow": 0.02, "steps": 200, "checkpoint_every": 200}
    process = started(tmp_path / "run", changes)
    after(process, 3)
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0 and "interrupted" in rest
    step = load_checkpoint(tmp_path / "run", "cpu")["standing"]["step"]
    assert 3 <= step < 200


@pytest.mark.slow
def test_kill_minus_nine_at_random_moments_does_not_change_the_weights(tmp_path: Path) -> None:
    changes = {**PARTS, "task.slow": 0.01, "steps": 120, "evaluate_every": 15, "checkpoint_every": 5}
    whole = train(recipe(**changes), tmp_path / "whole", cache=tmp_path)
    chance = random.Random(1)
    kills = 0
    while kills < 8:
        process = started(tmp_path / "run", changes)
        last = read_metrics(tmp_path / "run")[-1]["step"] if (tmp_path / "run" / METRICS).exists() else 0
        try:
            after(process, last + chance.randrange(1, 12))
        except AssertionError:
            break  # it had little left to do and finished
        time.sleep(chance.random() * 0.05)
        process.kill()
        process.communicate()
        kills += 1
    result = train(recipe(**changes), tmp_path / "run", cache=tmp_path)
    assert kills >= 5
    assert result.digests == whole.digests
    assert figures(tmp_path / "run") == figures(tmp_path / "whole")


def broken_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> RunResult | None:
    return killed_at(folder, 20, monkeypatch, "_step")


def test_another_recipe_or_other_data_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_off(tmp_path / "run", monkeypatch)
    before = (tmp_path / "run" / CHECKPOINT).read_bytes()
    with pytest.raises(OtherRunError, match="another recipe"):
        train(recipe(**PARTS, batch=8), tmp_path / "run", cache=tmp_path)
    record = tmp_path / "run" / "run.json"
    record.write_text(record.read_text().replace('"generator": "toy"', '"generator": "another"'))
    with pytest.raises(OtherRunError, match="other data"):
        train(recipe(**PARTS), tmp_path / "run", cache=tmp_path)
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == before


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when files of two runs were copied together."""
    broken_off(tmp_path / "run", monkeypatch)
    train(recipe(), tmp_path / "other", cache=tmp_path)
    (tmp_path / "run" / CHECKPOINT).write_bytes((tmp_path / "other" / CHECKPOINT).read_bytes())
    with pytest.raises(OtherRunError, match="another recipe"):
        train(recipe(**PARTS), tmp_path / "run", cache=tmp_path)


def test_a_run_of_an_earlier_release_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its recipe lacks a field that this release knows at its default, so its digest is another."""
    whole = train(recipe(**PARTS), tmp_path / "whole", cache=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("samebody.lab.train.recipe.Recipe.digest", "0" * 64)
        broken_off(tmp_path / "run", monkeypatch)
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text())
    assert record["recipe_digest"] == "0" * 64
    del record["recipe"]["compile"]
    path.write_text(json.dumps(record))
    assert train(recipe(**PARTS), tmp_path / "run", cache=tmp_path).digests == whole.digests
    record["recipe"]["batch"] = 8
    path.write_text(json.dumps(record))
    with pytest.raises(OtherRunError):
        train(recipe(**PARTS), tmp_path / "run", cache=tmp_path)


def test_a_checkpoint_holds_tensors_and_plain_values_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_off(tmp_path / "run", monkeypatch)
    state = load_tensors(tmp_path / "run" / CHECKPOINT)  # weights_only
    assert state["standing"]["step"] == 20 and len(state["pending"]) == 2


def test_what_changed_between_sessions_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_off(tmp_path / "run", monkeypatch)
    monkeypatch.setattr("samebody.lab.train.run.code_version", lambda: {"samebody": "9", "sources": "f" * 64})
    train(recipe(**PARTS), tmp_path / "run", cache=tmp_path)
    sessions = read_record(tmp_path / "run")["sessions"]
    assert "code" not in sessions[0] and sessions[1]["code"]["samebody"] == "9"
