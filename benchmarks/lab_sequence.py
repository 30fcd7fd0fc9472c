"""From a folder of raw pictures with planted faults to a shipped model, one command after the other.

    python -m benchmarks.lab_sequence [--faces FOLDER] [--seed 7] [--work DIR] [--quick] [--out PAGE.md]

FOLDER has one folder of pictures for each subject (ORL in ``SAMEBODY_DATA`` by default). `benchmarks.plant_faults` puts
faults into a copy, kinds and numbers drawn from the seed; then the commands of docs/how-to/first-model.md run as they
stand there, each as a process of its own, and only then the truth is read and what was found is scored. Commands that
are done are not run again when ``--work`` names the folder of an earlier run.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.plant_faults import plant, score
from samebody.lab.evaluate.files import write_text

GUIDE = Path(__file__).parents[1] / "docs" / "how-to" / "first-model.md"
MARK = "    $ "
"""Lines of the guide that are run."""


@dataclass(frozen=True, slots=True)
class Done:
    """One command that ran."""

    command: str
    code: int
    seconds: float
    said: str


def commands(guide: Path = GUIDE) -> list[str]:
    """The commands of the guide, in order."""
    lines = guide.read_text(encoding="utf-8").splitlines()
    return [line[len(MARK) :].strip() for line in lines if line.startswith(MARK)]


def release_file(guide: Path = GUIDE) -> str:
    """The release file of the guide."""
    return guide.read_text(encoding="utf-8").split("```yaml\n", 1)[1].split("```", 1)[0]


def allowed(command: str) -> tuple[int, ...]:
    """Exit codes that let the sequence go on: a check of raw data reports what it found with 65."""
    return (0, 65) if command.startswith("samebody data validate") and "--deep" not in command else (0,)


def smaller(command: str) -> str:
    """The same command for the quick run: fewer attacks, fewer steps."""
    if command.startswith("samebody synth attacks"):
        return command.replace("--count 40", "--count 3")
    if command.startswith("samebody train"):
        return f"{command} --set steps=6 --set evaluate_every=3 --set schedule.warmup=2"
    return command


def run(command: str, work: Path, environment: dict[str, str]) -> Done:
    """Run one command in ``work``; ``samebody`` is this interpreter's."""
    words = shlex.split(command)
    if words[0] == "samebody":
        words[:1] = [sys.executable, "-m", "samebody"]
    start = time.perf_counter()
    done = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True)
    said = (done.stdout if done.returncode in (0, 65) else done.stdout + done.stderr).strip()
    return Done(command, done.returncode, time.perf_counter() - start, said)


def sequence(work: Path, steps: Sequence[str], environment: dict[str, str]) -> list[Done]:
    """Run the commands in order, leaving out those that ``work`` says are done.

    Raises:
        SystemExit: a command failed; what it said is printed.
    """
    log = work / "done.json"
    kept = [Done(**entry) for entry in json.loads(log.read_text())] if log.is_file() else []
    done: list[Done] = []
    for number, command in enumerate(steps):
        if number < len(kept) and kept[number].command == command:
            done.append(kept[number])
            continue
        print(f"[{number + 1}/{len(steps)}] {command}", file=sys.stderr, flush=True)
        result = run(command, work, environment)
        if result.code not in allowed(command):
            raise SystemExit(f"{command}\nended with {result.code}:\n{result.said}")
        result = replace(result, said=result.said.replace(str(work), "."))
        done.append(result)
        write_text(log, json.dumps([asdict(entry) for entry in done], indent=1))
    return done


def page(figures: dict[str, Any], done: Sequence[Done], seed: int) -> str:
    """What was found of what was planted, and what each command took."""
    whole = figures["all"]
    lines = [
        "# From raw pictures to a shipped model",
        "",
        f"Made by `python -m benchmarks.lab_sequence --seed {seed}`: faults planted in a copy of ORL by a script whose "
        "notes no tool reads, then the commands of [the guide](../how-to/first-model.md) as they stand there.",
        "",
        "| kind of fault | planted | found | right | recall | precision |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind, one in figures.items():
        if kind != "all" and (one["planted"] or one["found"]):
            lines.append(
                f"| {kind.replace('_', ' ')} | {one['planted']} | {one['found']} | {one['right']} | "
                f"{share(one['recall'])} | {share(one['precision'])} |"
            )
    lines += [
        f"| all | {whole['planted']} | {whole['right'] + whole['false']} | {whole['right']} | "
        f"{share(whole['recall'])} | {share(whole['precision'])} |",
        "",
        f"Clean samples flagged as faulty: {whole['clean samples flagged']} of {whole['clean samples']} "
        f"({share(whole['false alarm rate'])}; at most 5 % are allowed).",
        "",
        "| command | seconds | last line |",
        "| --- | --- | --- |",
    ]
    for entry in done:
        lines.append(f"| `{entry.command}` | {entry.seconds:.1f} | {telling(entry.said)[:160].replace('|', ' ')} |")
    machine = "; ".join(f"{key} {value}" for key, value in describe_machine().items())
    lines += ["", f"Seconds beside other work on a busy machine. Machine: {machine}."]
    return "\n".join(lines) + "\n"


ASIDE = ("curves:", "skipped as", "signed by", "whoever", "run/", "left out")
"""Beginnings of lines that say where something lies, not what came of it."""


def telling(said: str) -> str:
    """The last line that says what came of a command."""
    lines = [line for line in said.splitlines() if line and not line.startswith(ASIDE)]
    return lines[-1] if lines else ""


def share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("SAMEBODY_DATA") or Path(__file__).parents[2] / "shared" / "data").resolve() / "orl"
    parser.add_argument("--faces", type=Path, default=default, help="folder with one folder for each subject")
    parser.add_argument("--seed", type=int, default=7, help="of the planted faults")
    parser.add_argument("--work", type=Path, default=Path("first-model"), help="folder to work in")
    parser.add_argument("--subjects", type=int, help="only so many of them")
    parser.add_argument("--quick", action="store_true", help="few attacks, few steps")
    parser.add_argument("--out", type=Path, help="page to write")
    parser.add_argument("--json", type=Path, help="figures to write")
    chosen = parser.parse_args(arguments)
    if not chosen.faces.is_dir():
        print(f"there is no {chosen.faces}; set SAMEBODY_DATA or give --faces", file=sys.stderr)
        return 66
    work = chosen.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    faces = chosen.faces
    if chosen.subjects:
        faces = work / "faces-raw"
        for folder in sorted(path for path in chosen.faces.iterdir() if path.is_dir())[: chosen.subjects]:
            if not (faces / folder.name).is_dir():
                shutil.copytree(folder, faces / folder.name)
    truth = work / "truth.json"
    hidden = work.with_name(f".{work.name}.truth.json")
    if hidden.is_file():  # of a run that was killed
        hidden.replace(truth)
    if not truth.is_file():
        plant(faces, work / "raw", truth, chosen.seed)
    environment = {
        **os.environ,
        "SAMEBODY_RECORDS_DIRS": json.dumps([str(work / "records")]),
        "SAMEBODY_TRUSTED_KEYS": json.dumps([str(work / "lab.pub")]),
    }
    write_text(work / "release.yaml", release_file())
    steps = [smaller(command) if chosen.quick else command for command in commands()]
    truth.rename(hidden)  # no command can have read it
    try:
        done = sequence(work, steps, environment)
    finally:
        hidden.rename(truth)
    figures = score(work / "faces", truth)
    if chosen.json:
        write_text(chosen.json, json.dumps({"faults": figures, "commands": [asdict(one) for one in done]}, indent=1))
    text = page(figures, done, chosen.seed)
    if chosen.out:
        write_text(chosen.out, text)
    print(text)
    return 0 if figures["all"]["false alarm rate"] <= 0.05 else 1


if __name__ == "__main__":
    raise SystemExit(main())
