"""What every model record must hold, bundled or your own: one suite over all of them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from samebody.config import Settings, load_settings
from samebody.models import ModelRecord, catalogue, read_records
from samebody.models.catalogue import BUNDLED_RECORDS
from samebody.models.check import check_record, takes_batches
from samebody.models.errors import WeightsMissingError
from samebody.models.record import FILE_TASKS, MASK_TASKS, SCORE_TASKS
from samebody.models.sources import PICKLE_SUFFIXES, NpmSource, PyPISource, UrlSource
from tests.models.factory import record_text, tiny_embedder

BUNDLED = sorted(path.relative_to(BUNDLED_RECORDS).as_posix() for path in BUNDLED_RECORDS.rglob("*.toml"))


@pytest.fixture(scope="session")
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of one's own, as docs/how-to/bring-your-own-model.md makes it."""
    folder = tmp_path_factory.mktemp("records")
    data, _ = tiny_embedder(24, 24, 16)
    (folder / "tiny.onnx").write_bytes(data)
    sources = '[[sources]]\nkind = "file"\npath = "tiny.onnx"\n'
    (folder / "tiny.toml").write_text(
        record_text(data, sources=sources, width=24, height=24, colour="bgr", mean=127.5, scale=0.0078, dimensions=16)
    )
    return folder


@pytest.fixture(params=[*BUNDLED, "own"])
def record(request: pytest.FixtureRequest, own_folder: Path) -> ModelRecord:
    if request.param == "own":
        return read_records(own_folder)["own/tiny"]
    records = [r for r in catalogue(Settings(records_dirs=())).values() if r.path == BUNDLED_RECORDS / request.param]
    assert len(records) == 1, f"{request.param} is not in the catalogue"
    return records[0]


@pytest.fixture(scope="session")
def registry_hosts() -> set[str]:
    """Hosts of the package registries, asked of pip itself: no file of ours names them."""
    code = "from pip._internal.models.index import PyPI as p; print(p.netloc, p.file_storage_domain)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("this pip does not tell its default index")
    return set(done.stdout.split())


def test_there_are_records_for_the_main_job() -> None:
    known = catalogue(Settings(records_dirs=()))
    for identifier in ("face/yunet", "face/sface", "face/landmarks", "face/blendshapes", "document/ppocr-rec"):
        assert identifier in known
    people = [r.credit.person for r in known.of_task("example") if r.credit]
    assert sum(people.count(person) >= 2 for person in set(people)) >= 2, "two people must be shown twice"


def test_the_id_is_the_path_of_the_record(record: ModelRecord) -> None:
    assert record.path is not None
    if record.bundled:
        assert record.path.relative_to(BUNDLED_RECORDS).with_suffix("").as_posix() == record.id


def test_licence_and_provenance_are_stated(record: ModelRecord) -> None:
    assert record.licence.commercial_use in ("yes", "no", "unclear")
    for text in (
        record.licence.spdx,
        record.licence.why,
        record.licence.notice,
        record.provenance.origin,
        record.provenance.training_data,
        record.provenance.intended_use,
        *record.provenance.known_limits,
    ):
        assert text.strip() and not re.search(r"\b(todo|tbd|fixme|xxx)\b", text, re.IGNORECASE)
    if record.task == "example":
        assert record.credit is not None and record.credit.author in record.licence.notice


def test_no_copyleft_comes_with_a_model(record: ModelRecord) -> None:
    assert "GPL" not in record.licence.spdx.upper()


def test_hashes_and_sizes_are_those_of_two_files_when_one_is_derived(record: ModelRecord) -> None:
    for digest in (record.sha256, record.run_sha256):
        assert re.fullmatch(r"[0-9a-f]{64}", digest) and len(set(digest)) > 4
    assert (record.run_sha256 == record.sha256) == (record.derived is None)


def test_every_source_is_pinned_and_none_is_a_pickle(record: ModelRecord) -> None:
    for source in record.sources:
        text = getattr(source, "path", None) or getattr(source, "member", None) or getattr(source, "url", "")
        assert Path(urlsplit(text).path).suffix.lower() not in PICKLE_SUFFIXES
        if isinstance(source, PyPISource | NpmSource):
            assert re.match(r"\d", source.version), "a package source names one exact release"


def test_no_record_names_a_host_of_a_package_registry(record: ModelRecord, registry_hosts: set[str]) -> None:
    assert record.path is not None
    text = record.path.read_text(encoding="utf-8")
    for host in registry_hosts:
        assert host not in text
    for source in record.sources:
        if isinstance(source, UrlSource):
            assert "npm" not in (urlsplit(source.url).hostname or "")


def test_the_file_says_nothing_that_the_record_does_not_read(record: ModelRecord) -> None:
    assert record.path is not None
    raw = tomllib.loads(record.path.read_text(encoding="utf-8"))
    assert raw["id"] == record.id
    again = ModelRecord.model_validate(record.model_dump())
    assert again.model_dump() == record.model_dump()


def test_an_embedder_names_its_space_and_its_alignment(record: ModelRecord) -> None:
    if not record.makes_templates:
        assert record.operating_points == ()
        return
    if record.task == "face-embedding":
        assert record.image_input.alignment_points().shape == (5, 2)
    space = record.embedding_space()
    assert space.weights_sha256 == record.run_sha256 and re.fullmatch(r"[0-9a-f]{16}", space.digest)
    bare = record.with_points((), None)
    assert bare.embedding_space() == space


def test_a_detector_says_where_it_abstains_and_that_real_attacks_are_missing(record: ModelRecord) -> None:
    if record.task not in SCORE_TASKS:
        assert record.detection is None
        return
    assert record.score_output.meaning
    assert record.detection is not None, "a detector needs [detection] with its unsure band"
    low, high = record.detection.unsure
    assert record.detection.outcome(low) != "fail" and record.detection.outcome(high) == "pass"
    if not record.detection.validated:
        limits = " ".join(record.provenance.known_limits).lower()
        assert "not validated" in limits, "known_limits must say that it is not validated on real attacks"


def test_a_segmenter_names_its_classes(record: ModelRecord) -> None:
    if record.task in MASK_TASKS:
        assert record.image_input.width and record.mask_output.classes


@pytest.mark.weights
def test_pulled_weights_run_repeat_themselves_and_batch_as_they_run_alone(record: ModelRecord) -> None:
    result = check_record(record, load_settings())
    if isinstance(result.error, WeightsMissingError):
        pytest.skip(f"{record.id} is not pulled")
    assert result.status == "ok", result.error
    if record.weightless:
        assert result.checks == ("no weights",)
        return
    assert result.checks[:2] == ("sha256", "format")
    if record.task not in FILE_TASKS:
        assert {"contract", "runs", "deterministic"} <= set(result.checks)
        assert ("batch equals single" in result.checks) == takes_batches(record)
