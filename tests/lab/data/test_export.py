from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from samebody.cli.main import main
from samebody.errors import UsageError
from samebody.lab.data import DataSet, SourceOptions, ingest
from samebody.lab.data.export import export
from samebody.lab.data.split import split
from tests.lab.data.pictures import encoded, picture


def written(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_usable_samples_lie_below_split_and_subject_under_their_hash(data_set: DataSet, tmp_path: Path) -> None:
    split(data_set, {"train": 0.5, "test": 0.5})
    result = export(data_set, tmp_path / "out")
    files = written(tmp_path / "out")
    assert result.files == len(files) == 12 and result.left_out == 0 and result.kept == 0
    manifest = data_set.manifest()
    expected = {f"{row['split']}/{row['subject']}/{row['sha256']}.png": row["sha256"] for row in manifest.rows()}
    assert files == expected


def test_one_split_alone_and_what_was_cut_off_goes_on(data_set: DataSet, tmp_path: Path) -> None:
    split(data_set, {"train": 0.5, "test": 0.5})
    export(data_set, tmp_path / "out", split="train")
    files = written(tmp_path / "out")
    assert files and all(name.count("/") == 1 for name in files)
    first = next(iter(files))
    (tmp_path / "out" / first).write_bytes(b"cut")
    again = export(data_set, tmp_path / "out", split="train")
    assert again.kept == again.files - 1 and written(tmp_path / "out") == files


def test_quarantined_samples_and_copies_stay_behind(data_set: DataSet, tmp_path: Path) -> None:
    manifest = data_set.manifest()
    cells = ["clean.blurred"] + [""] * (len(manifest) - 1)
    copies = ["", "", manifest["sample"][0]] + [""] * (len(manifest) - 3)
    data_set.commit(manifest.with_columns(quarantine=cells, duplicate_of=copies), {"name": "mark"})
    result = export(data_set, tmp_path / "out")
    assert (result.files, result.left_out) == (10, 2)
    assert not any(name.endswith(f"{manifest['sha256'][0]}.png") for name in written(tmp_path / "out"))


@pytest.mark.parametrize("subject", ["..", "a/../../b", "/etc", "c:\\x", ""])
def test_a_subject_never_leads_out_of_the_folder(tmp_path: Path, subject: str) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "1.png").write_bytes(encoded(picture(1)))
    ingest([str(raw)], tmp_path / "set", options=SourceOptions(constants={"subject": subject}), workers=1)
    out = tmp_path / "deep" / "out"
    export(DataSet.open(tmp_path / "set"), out)
    assert len(written(out)) == 1 and len(written(tmp_path / "deep")) == 1


def test_a_split_that_is_not_there_is_named(data_set: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no usable sample in the split 'dev'"):
        export(data_set, tmp_path / "out", split="dev")
    assert not (tmp_path / "out").exists()


def test_the_command_says_how_many(data_set: DataSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["data", "export", str(data_set.folder), "--out", str(tmp_path / "out")])
    assert left.value.code == 0 and "12 samples" in capsys.readouterr().out
