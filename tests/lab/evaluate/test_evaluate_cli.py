"""`samebody evaluate` from end to end: tables, templates, protocols, run folders, exit codes, one line for a fault."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from samebody.cli.main import main
from samebody.lab.evaluate import load_run
from samebody.lab.evaluate.non_mated import CountedNonMated
from tests.lab.evaluate.test_identification_pad import presentations
from tests.lab.evaluate.test_score_tables import table, write_csv
from tests.lab.evaluate.test_verification import templates


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leave:
        main(["evaluate", *map(str, arguments)])
    streams = capsys.readouterr()
    return int(leave.value.code or 0), streams.out, streams.err


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "scores.csv", table(20, 3))


@pytest.fixture
def template_file(tmp_path: Path) -> Path:
    chosen = templates(24, 3)
    np.savez(
        tmp_path / "set.npz",
        vectors=chosen.vectors,
        sample=chosen.samples,
        subject=chosen.subjects,
        group=chosen.groups,
    )
    return tmp_path / "set.npz"


def test_a_table_becomes_a_run_folder(scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(
        capsys, "verification", "--scores", scores, "--out", tmp_path / "run", "--replicates", 40, "--algorithm", "toy"
    )
    assert code == 0 and "FNMR" in out and "groups at the threshold" in out and "written" in err
    found = load_run(tmp_path / "run").result
    assert found.algorithm.id == "toy" and found.dataset.name == "scores.csv" and len(found.dataset.digest) == 64
    assert found.provenance.replicates == 40 and found.groups


def test_json_and_csv_are_printed(scores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "verification", "--scores", scores, "--replicates", 20, "--fmr", 0.01, "--json")
    assert code == 0 and json.loads(out)["thresholds"][0]["target"] == 0.01
    code, out, _ = run(capsys, "verification", "--scores", scores, "--replicates", 20, "--fmr", 0.01, "--csv")
    rows = list(csv.DictReader(out.splitlines()))
    assert code == 0 and [row["group"] for row in rows] == ["all", "blue", "red"]


def test_the_same_command_gives_the_same_figures(
    scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        run(capsys, "verification", "--scores", scores, "--replicates", 30, "--out", tmp_path / name, "--seed", 7)
    one, two = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("one", "two"))
    for found in (one, two):
        found["provenance"].pop("created")
        found["provenance"].pop("command")
    assert one == two


def test_a_broken_table_is_one_message_with_every_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = table()
    columns["score"][2], columns["reference_id"][5] = np.nan, columns["reference_id"][4]
    path = write_csv(tmp_path / "bad.csv", columns)
    code, _, err = run(capsys, "verification", "--scores", path, "--out", tmp_path / "run")
    assert code == 65 and "missing or NaN" in err and "stands in the table before" in err and "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_distances_are_refused_until_they_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = table()
    path = write_csv(tmp_path / "far.csv", {**columns, "score": 1 - columns["score"]})
    assert run(capsys, "verification", "--scores", path, "--replicates", 20)[0] == 65
    code, _, _ = run(capsys, "verification", "--scores", path, "--replicates", 20, "--distance")
    assert code == 0


def test_templates_are_compared_all_with_all(
    template_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("verification", "--templates", template_file, "--all-pairs", "--replicates", 30)
    assert run(capsys, *arguments, "--out", tmp_path / "listed")[0] == 0
    assert run(capsys, *arguments, "--listed", 10, "--keep", 0.2, "--out", tmp_path / "counted")[0] == 0
    listed, counted = load_run(tmp_path / "listed"), load_run(tmp_path / "counted")
    assert isinstance(counted.scores.non_mated, CountedNonMated)
    for one, two in zip(listed.result.thresholds, counted.result.thresholds):
        assert (one.value, one.fmr.errors, one.fnmr) == (two.value, two.fmr.errors, two.fnmr)
        assert one.fmr.interval == pytest.approx(two.fmr.interval)
    assert listed.result.groups[0].rates[0].fmr == counted.result.groups[0].rates[0].fmr


def test_pairs_with_folds_are_a_protocol(
    template_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = templates(24, 3)
    names, rows = chosen.samples.tolist(), ["probe_id,reference_id,fold"]
    for person in range(24):
        rows.append(f"{names[3 * person]},{names[3 * person + 1]},{person % 4}")
        rows.append(f"{names[3 * person]},{names[(3 * person + 3) % 72]},{person % 4}")
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    code, out, _ = run(
        capsys, "verification", "--templates", template_file, "--pairs", tmp_path / "pairs.csv", "--fmr", 0.1, "--json",
        "--replicates", 20,
    )  # fmt: skip
    found = json.loads(out)
    assert code == 0 and found["counts"]["mated"] == 24 and {fold["fold"] for fold in found["folds"]} == {0, 1, 2, 3}


def test_thresholds_of_another_run_and_of_a_split(
    template_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = sorted(set(templates(24, 3).subjects.tolist()))
    lines = ["subject,split", *(f"{name},{'dev' if index < 12 else 'test'}" for index, name in enumerate(people))]
    (tmp_path / "split.csv").write_text("\n".join(lines))
    code, out, _ = run(
        capsys, "verification", "--templates", template_file, "--split", tmp_path / "split.csv", "--json",
        "--replicates", 20,
    )  # fmt: skip
    found = json.loads(out)
    assert code == 0 and found["counts"]["subjects"] == 12 and "split.csv" in found["thresholds"][0]["source"]
    run(capsys, "verification", "--templates", template_file, "--out", tmp_path / "dev", "--replicates", 20)
    code, _, err = run(
        capsys, "verification", "--templates", template_file, "--thresholds-from", tmp_path / "dev", "--replicates", 20
    )
    assert code == 65 and "measure.subject_leakage" in err


def test_usage_mistakes_say_what_to_do(scores: Path, template_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "verification")[0] == 64
    assert run(capsys, "verification", "--scores", scores, "--templates", template_file)[0] == 64
    code, _, err = run(capsys, "verification", "--scores", scores, "--threshold", 0.5, "--thresholds-from", "x")
    assert code == 64 and "one of --thresholds-from" in err
    code, _, err = run(capsys, "verification", "--scores", scores, "--column", "score")
    assert code == 64 and "NAME=ITS_NAME" in err
    assert run(capsys, "identification", "--templates", template_file)[0] == 64


def test_identification_prints_n(template_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = templates(24, 3)
    for name, start, people in (("enrol", 0, 16), ("probes", 1, 24)):
        lines = ["sample,subject"]
        lines += [f"{chosen.samples[3 * row + start]},{chosen.subjects[3 * row]}" for row in range(people)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    code, out, _ = run(
        capsys, "identification", "--templates", template_file, "--enrol", tmp_path / "enrol.csv", "--probes",
        tmp_path / "probes.csv", "--out", tmp_path / "run", "--fpir", 0.2, "--replicates", 20,
    )  # fmt: skip
    assert code == 0 and "N = 16" in out and "8 non-mated searches" in out
    assert json.loads((tmp_path / "run" / "run.json").read_text())["kind"] == "identification"


def test_pad_names_the_worst_species(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = presentations()
    path = write_csv(tmp_path / "pad.csv", {key: np.array(value) for key, value in rows.items()})
    code, out, _ = run(
        capsys, "pad", "--scores", path, "--unit", "presentation", "--threshold", 0.6, "--out", tmp_path / "run",
        "--replicates", 20,
    )  # fmt: skip
    assert code == 0 and "worst species: mask" in out and "BPCER20" in out
    assert json.loads((tmp_path / "run" / "run.json").read_text())["kind"] == "pad"


def test_help_lists_the_commands_without_importing_numpy(capsys: pytest.CaptureFixture[str]) -> None:
    import subprocess
    import sys

    code = "import sys; from samebody.cli.evaluate import command; command.main(['--help'], standalone_mode=False); "
    code += "assert 'numpy' not in sys.modules"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "verification" in found.stdout and "pad" in found.stdout


def test_the_old_name_of_operating_points_answers_with_the_new_one(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["match"], ["match", "operating-points", "--data", "x", "--help"]):
        with pytest.raises(SystemExit) as leave:
            main(arguments)
        assert leave.value.code == 64
        assert "samebody evaluate operating-points" in capsys.readouterr().err
