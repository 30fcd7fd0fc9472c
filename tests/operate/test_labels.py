"""Labels leave with consent only, under pseudonyms, all or nothing, and the lab takes them as a new version."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from sqlalchemy import select

from samebody.cli.main import cli
from samebody.operate.errors import NothingToDoError
from samebody.operate.labels import agreed, export_labels, row_of
from samebody.store import Store
from samebody.store.audit import verify_log
from samebody.store.errors import BlobError, ExistsError
from samebody.store.schema import AuditEventRow, LabelRow
from samebody.store.vault import MediaView
from tests.store.conftest import START, SetClock, begin


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def labelled(store: Store, seed: int, *said: tuple[str, str, str], consent: bool = True, **options: Any) -> str:
    """A case with a selfie and a document; ``said``: author, label, value."""
    session_id, case_id = begin(store, **options)
    for role in ("selfie", "document_front"):
        data = picture(seed + 1000 * (role != "selfie"))
        store.vault.add("local", session_id, role, data, actor="c", content_type="image/png")
    with store.write() as tx:
        if consent:
            store.consents.give(tx, "local", session_id, "2026-01", "en", actor="c", purpose="research")
        for author, name, value in said:
            store.reviews.label(tx, "local", case_id, name, value, author=author)
    return case_id


def listed(folder: Path) -> list[dict[str, str]]:
    with (folder / "samples.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_what_people_agree_on_leaves_and_nothing_else(store: Store, tmp_path: Path, clock: SetClock) -> None:
    attack = labelled(store, 1, ("a", "attack", "print"), ("b", "attack", "print"), reference="anna")
    labelled(store, 2, ("a", "attack", "bona_fide"), reference="anna")
    labelled(store, 3, ("a", "attack", "print"), ("b", "attack", "mask"))
    labelled(store, 4, ("a", "attack", "unclear"))
    refused = labelled(store, 5, ("a", "attack", "mask"), consent=False)
    both = labelled(store, 6, ("a", "match", "other_person"), ("a", "document", "forged"))
    made = export_labels(store, "local", tmp_path / "out", actor="operator:t")
    rows = listed(made.folder)
    assert (made.samples, made.cases, made.without_consent, made.contradicted) == (4, 3, 1, 1)
    assert sorted((row["role"], row["label"], row["pai_species"], row["match"]) for row in rows) == [
        ("document_front", "forged", "", "other_person"),
        ("selfie", "", "", "other_person"),
        ("selfie", "attack", "print", ""),
        ("selfie", "bona_fide", "", ""),
    ]
    by_label = {row["label"]: row for row in rows if row["role"] == "selfie"}
    assert by_label["attack"]["subject"] == by_label["bona_fide"]["subject"]  # one person, two cases
    assert by_label["attack"]["session"] != by_label["bona_fide"]["session"]
    assert (made.folder / by_label["attack"]["file"]).read_bytes() == picture(1)
    assert by_label["attack"]["retain_until"] == f"{START + timedelta(days=30):%Y-%m-%d}"
    written = (made.folder / "samples.csv").read_text()
    assert "anna" not in written and attack not in written and refused not in written
    assert {path.stat().st_mode & 0o077 for path in made.folder.rglob("*") if path.is_file()} == {0}
    with store.read() as tx:
        rows_of_log = tx.scalars(select(AuditEventRow).filter_by(action="labels.exported")).all()
        assert {row.object for row in rows_of_log} >= {attack, both} and refused not in {r.object for r in rows_of_log}
        assert verify_log(tx, store.audit).sound


def test_a_consent_that_was_withdrawn_keeps_the_samples_in(store: Store, tmp_path: Path) -> None:
    case_id = labelled(store, 1, ("a", "attack", "print"))
    with store.write() as tx:
        consent = store.consents.require(tx, "local", "research", case_id=case_id)
        store.consents.withdraw(tx, "local", consent.id, actor="c")
    with pytest.raises(NothingToDoError):
        export_labels(store, "local", tmp_path / "out", actor="t")
    assert list(tmp_path.glob(".out*")) == [] and not (tmp_path / "out").exists()


def test_a_fault_on_the_way_leaves_no_sample(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled(store, 1, ("a", "attack", "print"))
    (tmp_path / "there").mkdir()
    with pytest.raises(ExistsError):
        export_labels(store, "local", tmp_path / "there", actor="t")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(BlobError, match="no space"):
        export_labels(store, "local", tmp_path / "out", actor="t")
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "there"]


def test_the_newest_word_of_each_person_counts() -> None:
    def row(author: str, value: str, media: str | None = None) -> LabelRow:
        return LabelRow(name="attack", value=value, author=author, media_id=media)

    assert agreed([row("a", "print"), row("a", "mask"), row("b", "mask")]) == ({("attack", None): "mask"}, 0)
    assert agreed([row("a", "print"), row("b", "mask")]) == ({}, 1)
    assert agreed([row("a", "print"), row("b", "unclear")]) == ({("attack", None): "print"}, 0)


def test_a_word_on_the_sample_goes_before_one_on_the_case() -> None:
    media = MediaView("local", "med_1", "case", None, 1, "selfie", "image/png", 1, START)
    found = row_of(media, {("attack", None): "print", ("attack", "med_1"): "bona_fide"})
    assert (found["label"], found["pai_species"]) == ("bona_fide", "")
    assert row_of(media, {("document", None): "forged"}) == {}


def test_the_lab_takes_an_export_as_a_new_version(store: Store, tmp_path: Path, where: list[str]) -> None:
    pytest.importorskip("pyarrow", reason="the extra samebody[lab] is not installed")
    data_set = tmp_path / "set"
    versions = []
    for number in range(2):
        labelled(store, number, ("a", "attack", "print" if number else "bona_fide"), reference=f"person-{number}")
        out = tmp_path / f"out{number}"
        told = CliRunner().invoke(cli, ["operate", "export-labels", *where, "--out", str(out)])
        assert told.exit_code == 0, told.output
        assert "samebody data ingest" in told.output
        taken = CliRunner().invoke(
            cli,
            ["data", "ingest", str(out / "samples.csv"), "--root", str(out), "--into", str(data_set), "--workers", "1"],
        )
        assert taken.exit_code == 0, (taken.output, taken.exception)
        log = CliRunner().invoke(cli, ["data", "log", str(data_set)])
        assert log.exit_code == 0
        versions.append(log.output)
    from samebody.lab.data import DataSet

    rows = DataSet.open(data_set).manifest()
    assert versions[0] != versions[1]
    assert {"attack", "bona_fide"} <= set(rows.columns["label"])
    assert "print" in set(rows.columns["pai_species"]) and len(set(rows.columns["subject"])) == 2
