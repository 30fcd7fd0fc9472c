"""Bundles: what is signed is installed and opened, and nothing else."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from samebody import crypto
from samebody.cli.main import cli
from samebody.config import Settings
from samebody.errors import SamebodyError
from samebody.lab.ship.errors import KeyExposedError, KeyFileError, ShipError
from samebody.lab.ship.sign import make_key, read_key, sign_folder, write_archive
from samebody.lab.ship.toml import record_toml
from samebody.models import bona_fide_scores, catalogue, close_sessions, embed, write_operating_points
from samebody.models.bundle import MANIFEST, SIGNATURE, manifest_bytes, read_bundle, signature_bytes
from samebody.models.bundle_install import add_bundle
from samebody.models.errors import (
    BundleChangedError,
    BundleError,
    ModelExistsError,
    OutputError,
    SignatureError,
    UnsafeWeightsError,
    UntrustedKeyError,
)
from samebody.types import OperatingPoint
from tests.models.detectors import detector_record

KEY = bytes(range(32))
PUBLIC = crypto.public_key(KEY).hex()


def bundle(folder: Path, *, key: bytes = KEY, **output: object) -> Path:
    """A signed bundle of the tiny detector in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    record = detector_record(folder, **output)  # type: ignore[arg-type]
    (folder / "record.toml").write_text(record_toml(record))
    (folder / "card.md").write_text("# card\n")
    sign_folder(folder, key)
    return folder


def machine(tmp_path: Path, **changes: object) -> Settings:
    fields: dict[str, object] = {
        "models_dir": tmp_path / "models",
        "records_dirs": (tmp_path / "own",),
        "trusted_keys": (PUBLIC,),
        "threads": 1,
    }
    return Settings(**{**fields, **changes})  # type: ignore[arg-type]


def nothing_left(tmp_path: Path) -> bool:
    own = tmp_path / "own"
    return not own.is_dir() or {path.name for path in own.rglob("*")} <= {".lock"}


def test_a_signed_bundle_is_installed_and_runs(tmp_path: Path) -> None:
    settings = machine(tmp_path, require_signed_models=True)
    added = add_bundle(bundle(tmp_path / "b"), settings)
    assert added.action == "added" and added.signer == PUBLIC
    assert {"sha256", "runs", "batch equals single"} <= set(added.checks)
    record = catalogue(settings)["own/detector"]
    face, patches = np.zeros((1, 16, 16, 3), np.uint8), np.zeros((1, 8, 24, 3), np.uint8)
    assert bona_fide_scores(record, {"face": face, "patches": patches}, settings)[0] == pytest.approx(0.5)
    assert add_bundle(tmp_path / "b", settings).action == "there"


@pytest.mark.parametrize("name", ["b.zip", "b.tar", "b.tar.gz"])
def test_archives_are_the_same_bytes_every_time_and_install(tmp_path: Path, name: str) -> None:
    made = bundle(tmp_path / "b")
    write_archive(made, tmp_path / name, KEY)
    first = (tmp_path / name).read_bytes()
    write_archive(made, tmp_path / name, KEY)
    assert (tmp_path / name).read_bytes() == first
    assert add_bundle(tmp_path / name, machine(tmp_path)).action == "added"
    with pytest.raises(ShipError, match=r"neither \.zip nor"):
        write_archive(made, tmp_path / "b.rar", KEY)


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    bundle(tmp_path / "b")
    with pytest.raises(UntrustedKeyError, match=PUBLIC):
        add_bundle(tmp_path / "b", machine(tmp_path, trusted_keys=()))
    with pytest.raises(UntrustedKeyError):
        add_bundle(tmp_path / "b", machine(tmp_path, trusted_keys=("0" * 64,)), signed=False)
    with pytest.raises(UntrustedKeyError, match="neither 64 hex digits"):
        add_bundle(tmp_path / "b", machine(tmp_path, trusted_keys=("abc",)))
    assert nothing_left(tmp_path)


def test_a_trusted_key_may_stand_in_a_file(tmp_path: Path) -> None:
    pair = make_key(tmp_path / "keys" / "mine")
    assert (pair.private_path.stat().st_mode & 0o777) == 0o600
    bundle(tmp_path / "b", key=read_key(pair.private_path))
    settings = machine(tmp_path, trusted_keys=(str(pair.public_path),))
    assert add_bundle(tmp_path / "b", settings).signer == pair.public


def test_keys_are_not_overwritten_nor_taken_when_others_may_read_them(tmp_path: Path) -> None:
    pair = make_key(tmp_path / "mine")
    with pytest.raises(KeyFileError, match="never overwritten"):
        make_key(tmp_path / "mine")
    pair.private_path.chmod(0o644)
    with pytest.raises(KeyExposedError, match="chmod 600"):
        read_key(pair.private_path)
    with pytest.raises(KeyFileError, match="holds no private key"):
        read_key(tmp_path / "b") if (tmp_path / "b").write_text("secret") else None
    with pytest.raises(KeyFileError, match="keygen"):
        read_key(tmp_path / "nowhere")


def test_an_unsigned_bundle_is_taken_only_when_allowed(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b")
    (made / SIGNATURE).unlink()
    with pytest.raises(SignatureError, match="is not signed"):
        add_bundle(made, machine(tmp_path))
    with pytest.raises(SignatureError, match="is not signed"):
        add_bundle(made, machine(tmp_path, require_signed_models=True), signed=False)
    assert nothing_left(tmp_path)
    added = add_bundle(made, machine(tmp_path), signed=False)
    assert added.signer == ""
    close_sessions()
    with pytest.raises(SignatureError):
        run(tmp_path, require_signed_models=True)


def run(tmp_path: Path, **changes: object) -> float:
    settings = machine(tmp_path, **changes)
    face, patches = np.zeros((1, 16, 16, 3), np.uint8), np.zeros((1, 8, 24, 3), np.uint8)
    inputs = {"face": face, "patches": patches}
    return float(bona_fide_scores(catalogue(settings)["own/detector"], inputs, settings)[0])


def test_what_was_changed_after_installation_is_not_opened_when_signatures_are_asked_for(tmp_path: Path) -> None:
    added = add_bundle(bundle(tmp_path / "b"), machine(tmp_path))
    text = (added.folder / "record.toml").read_text()
    (added.folder / "record.toml").write_text(text.replace("unsure = [0.4, 0.6]", "unsure = [0.0, 0.0]"))
    assert run(tmp_path) == pytest.approx(0.5)  # nobody asked
    with pytest.raises(BundleChangedError, match="not the file that was signed"):
        run(tmp_path, require_signed_models=True)
    (added.folder / "record.toml").write_text(text)
    assert run(tmp_path, require_signed_models=True) == pytest.approx(0.5)
    with pytest.raises(UntrustedKeyError):
        run(tmp_path, require_signed_models=True, trusted_keys=())


def test_a_record_in_hand_that_is_not_the_signed_one_is_not_opened(tmp_path: Path) -> None:
    settings = machine(tmp_path, require_signed_models=True)
    add_bundle(bundle(tmp_path / "b"), settings)
    record = catalogue(settings)["own/detector"]
    other = record.model_copy(update={"title": "Another title"})
    face, patches = np.zeros((1, 16, 16, 3), np.uint8), np.zeros((1, 8, 24, 3), np.uint8)
    with pytest.raises(BundleChangedError, match="not the record that was signed"):
        bona_fide_scores(other, {"face": face, "patches": patches}, settings)


def test_own_records_without_a_bundle_open_only_where_no_signature_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    record = detector_record(tmp_path / "own")
    (tmp_path / "own" / "detector.toml").write_text(record_toml(record))
    assert run(tmp_path) == pytest.approx(0.5)
    with pytest.raises(SignatureError, match="samebody ship sign"):
        run(tmp_path, require_signed_models=True)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_found_and_nothing_is_installed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    tmp_path = tmp_path_factory.mktemp("changed")
    made = bundle(tmp_path / "b")
    name = data.draw(st.sampled_from(sorted(path.name for path in made.iterdir())))
    content = bytearray((made / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    flipped = content[place] ^ data.draw(st.integers(1, 255))
    if name == SIGNATURE and chr(flipped).lower() == chr(content[place]).lower():
        return  # hexadecimal digits mean the same in both cases
    if name == SIGNATURE and chr(content[place]).isspace() and chr(flipped).isspace():
        return  # white space of JSON
    content[place] = flipped
    (made / name).write_bytes(bytes(content))
    with pytest.raises((BundleError, UnsafeWeightsError)):
        add_bundle(made, machine(tmp_path))
    assert nothing_left(tmp_path)


def test_weights_exchanged_under_a_new_manifest_need_the_key(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b")
    other = bundle(tmp_path / "other", key=bytes(32))
    for name in (MANIFEST, SIGNATURE):
        (made / name).write_bytes((other / name).read_bytes())
    with pytest.raises(UntrustedKeyError):
        add_bundle(made, machine(tmp_path))


def test_a_signature_of_something_else_does_not_fit(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b")
    manifest = (made / MANIFEST).read_bytes()
    fields = json.loads((made / SIGNATURE).read_text())
    fields["signature"] = crypto.sign(KEY, manifest).hex()  # without the context
    (made / SIGNATURE).write_text(json.dumps(fields))
    with pytest.raises(SignatureError, match="does not fit"):
        add_bundle(made, machine(tmp_path))


def resigned(made: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change files and sign the result as a publisher without our tools would."""
    from samebody.models.bundle import BundleManifest, entry_of

    files = {p.name: p.read_bytes() for p in made.iterdir() if p.name not in (MANIFEST, SIGNATURE)}
    old = BundleManifest.model_validate_json((made / MANIFEST).read_bytes())
    change(files)
    for path in made.iterdir():
        path.unlink()
    for name, data in files.items():
        (made / name).write_bytes(data)
    manifest = manifest_bytes(old.model_copy(update={"files": {n: entry_of(d) for n, d in files.items()}}))
    (made / MANIFEST).write_bytes(manifest)
    (made / SIGNATURE).write_bytes(signature_bytes(KEY, manifest))


def test_a_pickle_is_refused_by_name_and_by_content(tmp_path: Path) -> None:
    evil = pickle.dumps({"a": 1})
    for name in ("weights.pt", "weights.npz", "notes.md"):
        made = bundle(tmp_path / name)
        resigned(made, lambda files, name=name: files.update({name: evil}))  # type: ignore[misc]
        with pytest.raises(UnsafeWeightsError, match="pickle"):
            add_bundle(made, machine(tmp_path))
    made = bundle(tmp_path / "weights")
    resigned(made, lambda files: files.update({"detector.onnx": evil}))
    with pytest.raises(UnsafeWeightsError, match="pickle"):
        add_bundle(made, machine(tmp_path))
    assert nothing_left(tmp_path)


def test_a_signed_bundle_whose_model_does_not_do_what_its_record_says_is_not_installed(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b", high=0.4)
    with pytest.raises(OutputError, match="its record says 0 to"):
        add_bundle(made, machine(tmp_path))
    made = bundle(tmp_path / "c")
    resigned(made, lambda files: files.update({"detector.onnx": b"\x08\x08" + files["detector.onnx"]}))
    with pytest.raises(BundleError, match="not the file that the record names"):
        add_bundle(made, machine(tmp_path))
    made = bundle(tmp_path / "d")
    resigned(made, lambda files: files.update({"record.toml": files["record.toml"].replace(b'"1"', b'"2"', 1)}))
    with pytest.raises(BundleError, match="the manifest of own/detector@1"):
        add_bundle(made, machine(tmp_path))
    assert nothing_left(tmp_path)


def archive(files: dict[str, bytes], kind: str, target: Path, *, link: str = "") -> Path:
    if kind == "zip":
        with zipfile.ZipFile(target, "w") as opened:
            for name, data in files.items():
                information = zipfile.ZipInfo(name)
                information.external_attr = (0o120777 if name == link else 0o100644) << 16
                opened.writestr(information, data)
    else:
        with tarfile.open(target, "w") as tape:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                if name == link:
                    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/hostname"
                    tape.addfile(entry)
                else:
                    entry.size = len(data)
                    tape.addfile(entry, io.BytesIO(data))
    return target


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    "name", ["../../escape.md", "/tmp/escape.md", "a/b.md", ".hidden.md", "C:\\x.md", "..", "run.sh", "no-suffix"]
)
def test_names_that_lead_elsewhere_or_do_not_belong_are_refused(tmp_path: Path, kind: str, name: str) -> None:
    made = bundle(tmp_path / "b")
    files = {path.name: path.read_bytes() for path in made.iterdir()}
    before = sorted(path.name for path in tmp_path.rglob("*"))
    place = archive({**files, name: b"x"}, kind, tmp_path / "made")
    with pytest.raises(BundleError, match=r"plain file names|belongs into"):
        add_bundle(place, machine(tmp_path))
    assert sorted({path.name for path in tmp_path.rglob("*")} - {"made", "own", ".lock"}) == sorted(set(before))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_links_are_refused(tmp_path: Path, kind: str) -> None:
    made = bundle(tmp_path / "b")
    files = {path.name: path.read_bytes() for path in made.iterdir()}
    with pytest.raises(BundleError, match="no plain file"):
        add_bundle(archive(files, kind, tmp_path / "made", link="card.md"), machine(tmp_path))
    (made / "card.md").unlink()
    (made / "card.md").symlink_to("/etc/hostname")
    with pytest.raises(BundleError, match="no plain file"):
        add_bundle(made, machine(tmp_path))


def test_what_is_not_listed_missing_or_too_much_is_refused(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b")
    (made / "extra.md").write_text("x")
    with pytest.raises(BundleChangedError, match=r"extra\.md is not listed"):
        add_bundle(made, machine(tmp_path))
    (made / "extra.md").unlink()
    (made / "card.md").unlink()
    with pytest.raises(BundleChangedError, match=r"card\.md is missing"):
        add_bundle(made, machine(tmp_path))
    for number in range(50):
        (made / f"{number}.md").write_text("x")
    with pytest.raises(BundleError, match="more than"):
        add_bundle(made, machine(tmp_path))
    with pytest.raises(BundleError, match="is not there"):
        add_bundle(tmp_path / "nowhere", machine(tmp_path))
    (tmp_path / "file").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(BundleError, match="neither a folder nor"):
        add_bundle(tmp_path / "file", machine(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"no manifest\.json"):
        add_bundle(tmp_path / "empty", machine(tmp_path))


def test_a_truncated_archive_is_refused_unless_only_padding_is_gone(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b")
    whole = read_bundle(made, machine(tmp_path)).files
    for name in ("b.zip", "b.tar", "b.tar.gz"):
        data = write_archive(made, tmp_path / name, KEY).read_bytes()
        refused = 0
        for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
            (tmp_path / "cut").write_bytes(data[: int(share * len(data))])
            try:
                assert read_bundle(tmp_path / "cut", machine(tmp_path)).files == whole
            except BundleError:
                refused += 1
        assert refused >= 2


def test_another_model_of_the_same_id_is_refused_or_replaced_when_asked(tmp_path: Path) -> None:
    settings = machine(tmp_path)
    add_bundle(bundle(tmp_path / "b"), settings)
    other = bundle(tmp_path / "c", low=-1.0)
    with pytest.raises(ModelExistsError, match="--replace"):
        add_bundle(other, settings)
    assert catalogue(settings)["own/detector"].score_output.low == 0.0
    assert add_bundle(other, settings, replace=True).action == "replaced"
    assert catalogue(settings)["own/detector"].score_output.low == -1.0
    assert [path.name for path in (tmp_path / "own").iterdir() if path.name != ".lock"] == ["own"]


def test_a_folder_that_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "own" / "own" / "detector"
    mine.mkdir(parents=True)
    (mine / "notes.txt").write_text("mine")
    for replace in (False, True):
        with pytest.raises(ModelExistsError, match="left alone"):
            add_bundle(bundle(tmp_path / "b"), machine(tmp_path), replace=replace)
    assert (mine / "notes.txt").read_text() == "mine"


def test_nothing_large_is_read_before_a_trusted_manifest_names_its_size(tmp_path: Path) -> None:
    """A member of a gigabyte of zeros packs into a megabyte."""
    made = bundle(tmp_path / "b")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in made.iterdir():
            if path.name != "detector.onnx":
                archive.write(path, path.name)
        with archive.open("detector.onnx", "w", force_zip64=True) as stream:
            for _ in range(64):
                stream.write(bytes(1 << 24))
    import tracemalloc

    tracemalloc.start()
    with pytest.raises(BundleChangedError):
        add_bundle(tmp_path / "bomb.zip", machine(tmp_path))
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_model_that_stands_beside_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    record = detector_record(tmp_path / "own")
    (tmp_path / "own" / "detector.toml").write_text(record_toml(record))
    with pytest.raises(ModelExistsError, match="the same weights"):
        add_bundle(bundle(tmp_path / "b"), machine(tmp_path), replace=True)


def test_a_failed_installation_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = machine(tmp_path)
    add_bundle(bundle(tmp_path / "b"), settings)
    other = bundle(tmp_path / "c", low=-1.0)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SamebodyError, match="no room") as caught:
        add_bundle(other, settings, replace=True)
    assert caught.value.code == "models.disk_full"
    monkeypatch.undo()
    assert catalogue(settings)["own/detector"].score_output.low == 0.0
    assert not list((tmp_path / "own").glob(".adding-*"))


def test_what_a_killed_installation_left_is_not_read_and_is_removed(tmp_path: Path) -> None:
    settings = machine(tmp_path)
    half = tmp_path / "own" / ".adding-dead"
    half.mkdir(parents=True)
    (half / "record.toml").write_text("half a rec")
    assert "own/detector" not in catalogue(settings)
    add_bundle(bundle(tmp_path / "b"), settings)
    assert not half.exists()


def embedder(folder: Path) -> Path:
    """The unsigned folder of a tiny embedder."""
    from tests.models.factory import record_text, tiny_embedder

    folder.mkdir()
    data, _ = tiny_embedder(24, 24, 16)
    (folder / "tiny.onnx").write_bytes(data)
    sources = '[[sources]]\nkind = "file"\npath = "tiny.onnx"\n'
    (folder / "record.toml").write_text(record_text(data, sources=sources, width=24, height=24, dimensions=16))
    return folder


def test_measured_operating_points_are_signed_with_the_record(tmp_path: Path) -> None:
    folder = embedder(tmp_path / "b")
    point = OperatingPoint(
        fmr=0.01, threshold=0.5, realised_fmr=0.009, population="matched-adults", dataset="tests", pairs=10_000,
        subjects=200, errors=90, effective_errors=60.0, fmr_interval=(0.007, 0.012),
    )  # fmt: skip
    write_operating_points(folder / "record.toml", [point], settings=machine(tmp_path))
    sign_folder(folder, KEY)
    settings = machine(tmp_path, require_signed_models=True)
    added = add_bundle(folder, settings)
    record = catalogue(settings)["own/tiny"]
    assert record.operating_point(0.01).threshold == 0.5
    crop = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    assert embed(record, crop, settings).shape == (1, 16)
    sidecar = added.folder / "record.points.json"
    sidecar.write_text(sidecar.read_text().replace('"threshold": 0.5', '"threshold": 0.1'))
    lowered = catalogue(settings)["own/tiny"]
    assert lowered.operating_point(0.01).threshold == 0.1
    with pytest.raises(BundleChangedError, match=r"record\.points\.json is not the file that was signed"):
        embed(lowered, crop, settings)
    sidecar.unlink()
    with pytest.raises(BundleChangedError):
        embed(catalogue(settings)["own/tiny"], crop, settings)


def test_a_policy_may_ask_for_signed_models(tmp_path: Path) -> None:
    """Before any work: the embedder's record is unsigned, signed, changed."""
    from samebody.decide import load_policy
    from samebody.errors import NotMeasuredError
    from samebody.pipeline import Verifier

    folder = embedder(tmp_path / "b")
    sign_folder(folder, KEY)
    settings = machine(tmp_path)
    asking = load_policy("selfie-to-selfie").model_copy(update={"require_signed_models": True})
    picture = np.zeros((32, 32, 3), np.uint8)

    def verify(policy: object) -> None:
        Verifier(settings, embedder="own/tiny").verify(selfie=picture, reference=picture, policy=policy)  # type: ignore[arg-type]

    added = add_bundle(folder, settings)
    with pytest.raises(NotMeasuredError):  # the signature holds, and the next question is asked
        verify(asking)
    (added.folder / SIGNATURE).unlink()
    with pytest.raises(SignatureError):
        verify(asking)
    with pytest.raises(NotMeasuredError):
        verify("selfie-to-selfie")


def test_signing_what_is_no_bundle_leaves_no_signature(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b")
    signed = (made / SIGNATURE).read_bytes()
    (made / "weights.bin").write_bytes(b"x")
    with pytest.raises(UnsafeWeightsError):
        sign_folder(made, KEY)
    assert (made / SIGNATURE).read_bytes() == signed
    with pytest.raises(ShipError, match=r"has no record\.toml"):
        sign_folder(tmp_path, KEY)
    (made / "weights.bin").unlink()
    assert read_bundle(made, machine(tmp_path)).weights == "detector.onnx"


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bundle(tmp_path / "b")
    monkeypatch.setenv("SAMEBODY_RECORDS_DIRS", f'["{tmp_path / "own"}"]')
    monkeypatch.setenv("SAMEBODY_TRUSTED_KEYS", f'["{PUBLIC}"]')
    result = CliRunner().invoke(cli, ["models", "add", str(made), "--json"], catch_exceptions=False)
    assert json.loads(result.output)["action"] == "added"
    listed = CliRunner().invoke(cli, ["models", "list", "--json"], catch_exceptions=False)
    assert "own/detector" in [row["id"] for row in json.loads(listed.output)["records"]]
    with pytest.raises(BundleError):
        CliRunner().invoke(cli, ["models", "add", str(tmp_path)], catch_exceptions=False)
