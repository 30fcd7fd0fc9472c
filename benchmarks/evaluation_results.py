"""`make results`: the bundled recogniser on public sets, by the commands that the pages print; no picture.

SAMEBODY_DATA names the folder with orl/ and fairface/; without it the run says so and ends well.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from samebody.lab.evaluate import VerificationResult, load_run
from samebody.lab.evaluate.evaluation_sets import CREDITS, read_fairface, read_repeats
from samebody.measure import RateEstimate

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "results"
REPEATS = ROOT / "benchmarks" / "operating_points" / "fairface-repeats.csv"
GROUP_FMR = 1e-3
"""The threshold that groups are compared at: the strictest with enough false matches within every group."""


def main() -> None:
    data = Path(os.environ.get("SAMEBODY_DATA") or ROOT.parent / "shared" / "data").resolve()
    missing = [name for name in ("orl", "fairface") if not (data / name).is_dir()]
    if missing:
        print(f"skipped: no {' and no '.join(missing)} below {data}; set SAMEBODY_DATA", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(prefix="samebody-results-") as folder:
        work = Path(folder)
        _orl(data, work)
        _fairface(data, work)
        _report_and_card(data, work)


def _report_and_card(data: Path, work: Path) -> None:
    """The report of both sets, without pictures, and the record's model card, for people who look at them here."""
    runs = "runs/orl-record runs/fairface-race-gender"
    asked = " ".join(f"--run {run}" for run in runs.split())
    for command, made, page in (
        (f"samebody evaluate report {runs} --out report", "report/report.html", "sface-report.html"),
        (f"samebody models card face/sface {asked} --out card.md", "card.md", "sface-card.md"),
    ):
        _call(command, data, work)
        _write(PAGES / page, [(work / made).read_text("utf-8").replace(str(data), "$SAMEBODY_DATA").rstrip("\n")])


def _orl(data: Path, work: Path) -> None:
    own = "samebody evaluate verification --images $SAMEBODY_DATA/orl --out runs/orl"
    record = "samebody evaluate verification --images $SAMEBODY_DATA/orl --thresholds-from record --out runs/orl-record"
    runs = [_run(command, data, work) for command in (own, record)]
    parts = [
        "# SFace on ORL, all pairs",
        _made(runs),
        _counts(runs[0], CREDITS["orl"]),
        "## Thresholds from the record",
        "The thresholds were set on other people (matched adults of FairFace, see "
        "[operating points](sface-operating-points.md)) and are applied to ORL as they stand.",
        _thresholds(runs[1]),
        "## Thresholds set on the same data",
        "For comparison only: a threshold that was set on the data it is reported on flatters.",
        _thresholds(runs[0]),
        _eer(runs[0]),
        _notes(runs[1:]),
    ]
    _write(PAGES / "evaluate-orl.md", parts)


def _fairface(data: Path, work: Path) -> None:
    label_notes = write_labels(data, work / "labels.csv", work / "split.csv")
    made = "python -m benchmarks.evaluation_results labels labels.csv split.csv"
    base = "samebody evaluate verification --images $SAMEBODY_DATA/fairface --labels labels.csv"
    ends = "--no-mated --split split.csv --fmr 1e-2 --fmr 1e-3 --fmr 1e-4 --fmr 1e-5 --fmr 1e-6"
    race = f"{base} --group race {ends} --out runs/fairface-race"
    both = f"{base} --group race,gender --quality {ends} --out runs/fairface-race-gender"
    runs = [_run(command, data, work) for command in (race, both)]
    parts = [
        "# SFace on FairFace: false matches by group",
        _made(runs, before=made),
        _counts(runs[0], CREDITS["fairface"]),
        label_notes,
        "Thresholds are global and come from one half of the people (by the hash of their name); everything below is "
        "counted on the other half. Labels were given by annotators, not by the people shown. FNMR is not given: the "
        "set has no identity labels.",
        "## All pairs",
        _thresholds(runs[0]),
        f"## By race, at the threshold for FMR {GROUP_FMR:g} over all pairs",
        _groups(runs[0]),
        _matrix(runs[0]),
        _differences(runs[0]),
        f"## By race and gender, at the threshold for FMR {GROUP_FMR:g} over all pairs",
        _groups(runs[1]),
        _matrix(runs[1]),
        _differences(runs[1]),
        "## Quality by race and gender",
        _quality(runs[1]),
        _notes(runs),
    ]
    _write(PAGES / "evaluate-fairface.md", parts)


def write_labels(data: Path, labels: Path, split: Path) -> str:
    """Labels with one name for each person, repeats joined, and a split of the people into two halves.

    Returns what was done, for the page.
    """
    chosen = read_fairface(data)
    repeats = read_repeats(REPEATS, chosen.samples)
    people = repeats.people(chosen.samples)
    votes: dict[str, Counter[tuple[str, str]]] = {}
    for sample, person in zip(chosen.samples, people):
        votes.setdefault(person, Counter())[sample.race, sample.gender] += 1
    said = {person: max(sorted(found), key=lambda label: found[label]) for person, found in votes.items()}
    changed = 0
    with labels.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["file", "subject", "race", "gender"])
        for sample, person in zip(chosen.samples, people):
            changed += said[person] != (sample.race, sample.gender)
            writer.writerow([sample.file.removeprefix("fairface/"), person, *said[person]])
    with split.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["subject", "split"])
        for person in sorted(votes):
            half = hashlib.sha256(person.encode()).digest()[0] & 1
            writer.writerow([person, "test" if half else "dev"])
    return (
        f"{repeats.pairs:,} reviewed pairs that show one person twice join {sum(map(len, repeats.groups)):,} pictures "
        f"into {len(repeats.groups):,} people (docs/adr/0043); their comparisons are mated and left out, because only "
        f"those were found that the recogniser scores high. {changed} pictures whose label differs from the others of "
        "their person take the commonest one."
    )


def _call(command: str, data: Path, work: Path) -> list[str]:
    print(f"$ {command}", file=sys.stderr)
    words = [word.replace("$SAMEBODY_DATA", str(data)) for word in shlex.split(command)]
    subprocess.run(
        [sys.executable, "-m", *words],
        cwd=work,
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"NO_COLOR": "1"},
    )
    return words


def _run(command: str, data: Path, work: Path) -> tuple[str, VerificationResult]:
    words = _call(command, data, work)
    return command, load_run(work / words[words.index("--out") + 1]).result


Run = tuple[str, VerificationResult]


def _made(runs: Sequence[Run], before: str = "") -> str:
    commands = "\n".join(f"    {line}" for line in (*([before] if before else []), *(command for command, _ in runs)))
    result = runs[0][1]
    return (
        f"Made by `make results`, which runs\n\n{commands}\n\nwith samebody {result.provenance.version}. Scores are "
        f"cosines; a comparison is accepted when `score >= threshold`. Intervals are "
        f"{100 * result.provenance.level:g} %, over people ({result.provenance.replicates:,} replicates, seed "
        f"{result.provenance.seed}). The same figures come out again with the same pictures and weights."
    )


def _counts(run: Run, credit: str) -> str:
    result = run[1]
    counts, fta = result.counts, result.failures.fta
    lines = [
        f"- {result.algorithm.label}, embedding space `{result.algorithm.space}`",
        f"- {credit}",
        f"- SHA-256 over the sorted lines `sha256  file`: `{result.dataset.digest}`",
        f"- {counts.mated:,} mated comparisons of {counts.mated_subjects:,} people, {counts.non_mated:,} non-mated of "
        f"{counts.non_mated_subjects:,}",
    ]
    if fta is not None:
        reasons = ", ".join(f"{name} {count}" for name, count in result.failures.reasons.items())
        lines.append(
            f"- failures to acquire, in no rate below: {fta.errors} of {fta.trials:,} pictures ({_percent(fta.rate)} "
            f"[{_percent(fta.interval[0])}, {_percent(fta.interval[1])}]){': ' + reasons if reasons else ''}"
        )
    return "\n".join(lines)


def _thresholds(run: Run) -> str:
    rows = []
    for row in run[1].thresholds:
        mark = "not estimable" if not row.fmr.estimable else "indicative" if row.indicative else ""
        rows.append(
            [
                "-" if row.target is None else f"{row.target:g}",
                f"{row.value:.4f}",
                _rate(row.fmr),
                f"{row.fmr.errors:,}",
                f"{row.fmr.effective_errors:.1f}" if row.fmr.estimable else "-",
                "-" if row.fnmr is None else _share(row.fnmr),
                mark,
            ]
        )
    columns = ["FMR asked", "threshold", "FMR realised [95 %]", "errors", "effective errors", "FNMR [95 %]", "mark"]
    return _table(columns, rows)


def _eer(run: Run) -> str:
    eer = run[1].eer
    return "" if eer is None else f"EER {_percent(eer.value)} ({eer.convention}), for comparison with papers only."


def _place(result: VerificationResult) -> int:
    return next(place for place, row in enumerate(result.thresholds) if row.target == GROUP_FMR)


def _groups(run: Run) -> str:
    result, place = run[1], _place(run[1])
    rows = []
    for group in sorted(result.groups, key=lambda g: -(g.rates[place].fmr.rate if g.rates[place].fmr else 0)):
        rate = group.rates[place].fmr
        rows.append(
            [
                group.name,
                f"{group.subjects:,}",
                f"{group.non_mated:,}",
                "-" if rate is None else _rate(rate),
                "-" if rate is None else f"{rate.errors:,} ({rate.effective_errors:.1f})" if rate.estimable else "0",
                "-" if group.fta is None else f"{group.fta.errors} of {group.fta.trials:,}",
            ]
        )
    columns = ["group", "people", "comparisons within", "FMR [95 %]", "errors (effective)", "failures to acquire"]
    return _table(columns, rows)


def _matrix(run: Run) -> str:
    matrix = next(found for found in run[1].cross_groups if found.target == GROUP_FMR)
    short = [_short(name) for name in matrix.names]
    rows = []
    for one, name in enumerate(matrix.names):
        cells = []
        for two in range(len(matrix.names)):
            rate = matrix.rate(one, two)
            bound = matrix.bound(one, two)
            cells.append("-" if rate is None or bound is None else f"{rate:.1e}" if rate else f"< {bound:.0e}")
        rows.append([f"**{_short(name)}** {name}", *cells])
    legend = (
        "FMR between groups (within a group on the diagonal); `<` is the one-sided exact bound where no error was seen."
    )
    return f"{legend}\n\n{_table(['', *short], rows)}"


def _short(name: str) -> str:
    """Initials: `East Asian Female` is EA-F."""
    words = name.replace("_", " ").split()
    gender = words.pop()[0] if len(words) > 1 and words[-1] in ("Female", "Male") else ""
    letters = "".join(word[0] for word in words) if len(words) > 1 else words[0][:2]
    return f"{letters}-{gender}" if gender else letters


def _differences(run: Run) -> str:
    found = next((entry for entry in run[1].fairness if entry.target == GROUP_FMR), None)
    if found is None:
        return ""
    names = {
        "fmr_max_over_geometric_mean": "highest FMR over the geometric mean",
        "fmr_max_over_min": "highest over lowest",
        "fmr_gini": "Gini coefficient",
    }
    figures = ", ".join(
        f"{names.get(key, key)} {'not estimable' if value is None else f'{value:.3g}'}"
        for key, value in found.figures.items()
    )
    return f"Differences between groups: {figures}. {'; '.join(found.notes)}."


def _quality(run: Run) -> str:
    rows = [
        [entry.name, f"{entry.samples:,}", f"{entry.mean:.1f}", *(f"{value:.0f}" for value in entry.quantiles)]
        for entry in run[1].group_quality
    ]
    text = (
        "Unified quality of the product (0-100, higher is better; not the algorithm of ISO/IEC 29794-5) of pictures "
        "that gave a template. The pictures are 224 x 224 crops from the web, so the level says little; differences "
        "between groups say how evenly the measure treats them."
    )
    return f"{text}\n\n{_table(['group', 'pictures', 'mean', '5 %', '25 %', '50 %', '75 %', '95 %'], rows)}"


def _notes(runs: Sequence[Run]) -> str:
    lines = [f"- {line}" for line in dict.fromkeys(line for _, result in runs for line in result.warnings)]
    return "## What these figures do not say\n\n" + "\n".join(lines) if lines else ""


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _rate(estimate: RateEstimate) -> str:
    if not estimate.estimable:
        return f"none seen, below {estimate.interval[1]:.1e}"
    if not estimate.effective_trials:
        return f"{estimate.rate:.2e} [no interval]"
    return f"{estimate.rate:.2e} [{estimate.interval[0]:.1e}, {estimate.interval[1]:.1e}]"


def _share(estimate: RateEstimate) -> str:
    if not estimate.estimable:
        return f"none seen, below {_percent(estimate.interval[1])}"
    return f"{_percent(estimate.rate)} [{_percent(estimate.interval[0])}, {_percent(estimate.interval[1])}]"


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _write(path: Path, parts: Sequence[str]) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    temporary.replace(path)
    print(f"written: {path}", file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1:2] == ["labels"]:
        print(write_labels(Path(os.environ["SAMEBODY_DATA"]), Path(sys.argv[2]), Path(sys.argv[3])))
    else:
        main()
