"""Bits flip, files are cut, swapped, lost: it is named with file, part and offset, and never searched."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import random
import shutil
import struct
import zlib
from pathlib import Path

import pytest

from samebody.errors import SamebodyError
from samebody.search.engines import build
from samebody.search.gallery import Gallery, verify_gallery
from samebody.search.gallery.errors import GalleryCorruptError, GalleryKeyError, GalleryVersionError
from samebody.search.gallery.log import FRAME_BYTES
from samebody.search.gallery.sealing import HEADER_BYTES, canonical, pack_header
from samebody.search.types import Probes

from .material import IRIS, KEY, KEYS, SMALL, VECTOR, files, fill, holdings, irises, live, make, subjects, vectors

both = pytest.mark.parametrize("key", KEYS, ids=["plain", "sealed"])


@pytest.fixture(scope="module", params=KEYS, ids=["plain", "sealed"])
def written(request, tmp_path_factory):
    """A gallery with several segments, a state file, a log with records and deletions; closed."""
    path = tmp_path_factory.mktemp("written") / "g"
    with make(path, request.param) as gallery:
        held = fill(gallery, batches=6)
        gallery.delete(held[1])
        gallery.enrol_arrays("iris", subjects(30, 500), irises(30), space=IRIS.space, request_id="x")  # rolls
        gallery.enrol_arrays("vector", subjects(3, 600), vectors(3), space=VECTOR.space)
        gallery.delete(held[2])
        content = live(gallery, "vector"), live(gallery, "iris")
    names = {each.name.split("-")[0] for each in files(path)}
    assert names == {"MANIFEST", "segment", "state", "log"}
    return path, request.param, content


def _read_everything(path, key) -> tuple:
    with Gallery.open(path, key=key) as gallery:
        holdings(gallery)
        for name in subjects(3):
            gallery.records_of(name)
        return live(gallery, "vector"), live(gallery, "iris")


def _damage(path, key, content, target, change) -> str:
    """Do the damage; then verify names the file, and reading gives what was written or a typed error that names it."""
    before = target.read_bytes()
    target.write_bytes(change(before))
    try:
        report = verify_gallery(path, key)
        assert not report.sound
        assert {each.file for each in report.corruptions} == {target.name}
        assert all(0 <= each.offset <= len(before) for each in report.corruptions)
        seen: tuple | None = None
        try:
            seen = _read_everything(path, key)
        except GalleryCorruptError as error:
            assert error.file == target.name and error.block and target.name in str(error)
        assert seen is None or seen == content
        return report.corruptions[0].block
    finally:
        target.write_bytes(before)


def test_a_flipped_bit_in_any_file_is_named_and_never_searched(written):
    path, key, content = written
    chance, blocks = random.Random(5), set()
    for target in files(path):
        size = target.stat().st_size
        offsets = {0, 9, 13, 200, HEADER_BYTES - 1, size - 1} | {chance.randrange(size) for _ in range(2)}
        for offset in sorted(each for each in offsets if each < size):

            def flip(data: bytes, offset: int = offset) -> bytes:
                changed = bytearray(data)
                changed[offset] ^= 1 << chance.randrange(8)
                return bytes(changed)

            blocks.add(_damage(path, key, content, target, flip).split(" ")[0])
    assert {"manifest", "header", "directory", "payload", "frame", "state"} <= blocks
    assert verify_gallery(path, key).sound and _read_everything(path, key) == content


@pytest.mark.slow
def test_a_flipped_bit_at_thousands_of_places(written):
    path, key, content = written
    for target in files(path):
        for offset in range(target.stat().st_size % 89, target.stat().st_size, 89):
            _damage(
                path,
                key,
                content,
                target,
                lambda data, at=offset: data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :],
            )


def test_a_file_that_was_cut_or_grew_is_named(written):
    path, key, content = written
    chance = random.Random(6)
    for target in files(path):
        size = target.stat().st_size
        for end in {0, 1, size - 1, size // 2, chance.randrange(size), chance.randrange(size)}:
            _damage(path, key, content, target, lambda data, end=end: data[:end])
        if not target.name.startswith("log"):  # behind a log's last frame: a write that was never acknowledged
            _damage(path, key, content, target, lambda data: data + b"x")


def test_a_lost_file_is_named(written, tmp_path):
    path, key, _ = written
    for target in files(path):
        if target.name == "MANIFEST":
            continue
        folder = tmp_path / target.name
        shutil.copytree(path, folder)
        (folder / target.name).unlink()
        with pytest.raises(GalleryCorruptError, match="missing") as caught:
            Gallery.open(folder, key=key)
        assert caught.value.file == target.name
        (found,) = verify_gallery(folder, key).corruptions
        assert (found.file, found.reason) == (target.name, "the file is missing")


def test_files_and_blocks_of_another_place_are_refused(tmp_path):
    """Each file and block is whole in itself: only what binds it to its place gives it away."""
    for number in range(2):
        with make(tmp_path / str(number), KEY) as gallery:
            fill(gallery, seed=number)
            gallery.compact()
    first, second = tmp_path / "0", tmp_path / "1"
    segments = sorted(each.name for each in first.glob("segment-*"))
    with Gallery.open(first, key=KEY) as gallery:
        places = gallery._core.of("vector")[0].places
        one, other = places["payload", 0], places["payload", 1]
        file = first / gallery._core.of("vector")[0].file
    before = file.read_bytes()
    assert one.size == other.size
    swapped = bytearray(before)
    swapped[one.offset : one.offset + one.size], swapped[other.offset : other.offset + other.size] = (
        before[other.offset : other.offset + other.size],
        before[one.offset : one.offset + one.size],
    )
    file.write_bytes(swapped)
    with Gallery.open(first, key=KEY) as gallery, pytest.raises(GalleryCorruptError, match="payload 0"):
        list(gallery.source("vector").blocks())
    file.write_bytes(before)
    for name in segments:  # a whole file of another gallery with the same key
        if (second / name).exists():
            kept = (first / name).read_bytes()
            (first / name).write_bytes((second / name).read_bytes())
            with pytest.raises(GalleryCorruptError, match="another place or gallery"):
                Gallery.open(first, key=KEY)
            (first / name).write_bytes(kept)
    Gallery.open(first, key=KEY).close()


def test_a_manifest_written_without_the_key_is_refused(tmp_path):
    with make(tmp_path / "g", KEY) as gallery:
        fill(gallery)
    manifest = tmp_path / "g" / "MANIFEST"
    lines = manifest.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b'"next_record":', b'"next_record":1')
    head = b"\n".join(lines[:-2]) + b"\n"
    manifest.write_bytes(head + f"sha256 {hashlib.sha256(head).hexdigest()}\n".encode())
    with pytest.raises(GalleryKeyError):
        Gallery.open(tmp_path / "g", key=KEY)


def test_a_newer_format_is_refused_by_name(tmp_path):
    make(tmp_path / "g").close()
    manifest = tmp_path / "g" / "MANIFEST"
    head = (
        b"\n".join(manifest.read_bytes().replace(b"samebody-gallery 1", b"samebody-gallery 2").split(b"\n")[:-2])
        + b"\n"
    )
    manifest.write_bytes(head + f"sha256 {hashlib.sha256(head).hexdigest()}\n".encode())
    with pytest.raises(GalleryVersionError, match="format 2"):
        Gallery.open(tmp_path / "g")


def test_random_bytes_in_place_of_any_file_give_a_typed_error(written, tmp_path):
    path, key, _ = written
    chance = random.Random(8)
    folder = tmp_path / "g"
    shutil.copytree(path, folder)
    for target in files(folder):
        before = target.read_bytes()
        for size in (0, 3, 40, 5000):
            target.write_bytes(before[: chance.randrange(30)] + chance.randbytes(size))
            with pytest.raises(SamebodyError):
                _read_everything(folder, key)
            assert not verify_gallery(folder, key).sound
        target.write_bytes(before)


@both
def test_corrupt_acknowledged_frames_are_not_taken_for_a_torn_tail(tmp_path, key):
    gallery = make(tmp_path / "g", key)
    for number in range(3):
        gallery.enrol_arrays("vector", subjects(2, number), vectors(2, number), space=VECTOR.space)
    (log,) = (tmp_path / "g").glob("log-*")
    data = bytearray(log.read_bytes())
    data[HEADER_BYTES + 60] ^= 1  # the first frame; the gallery was not closed, the manifest knows of no frame
    log.write_bytes(data)
    with pytest.raises(GalleryCorruptError, match="good frames follow"):
        Gallery.open(tmp_path / "g", key=key)
    data[HEADER_BYTES + 60] ^= 1
    log.write_bytes(data)
    gallery.close()
    data[-1] ^= 1  # the last frame, acknowledged by the manifest that closing wrote
    log.write_bytes(data)
    with pytest.raises(GalleryCorruptError, match="frame 3"):
        Gallery.open(tmp_path / "g", key=key)


def test_a_corrupt_block_stops_compaction_and_loses_nothing(tmp_path):
    with make(tmp_path / "g") as gallery:
        fill(gallery)
        gallery.compact()
        held = holdings(gallery)
        place = gallery._core.of("vector")[0].places["payload", 2]
        file = tmp_path / "g" / gallery._core.of("vector")[0].file
    before = file.read_bytes()
    damaged = bytearray(before)
    damaged[place.offset] ^= 1
    file.write_bytes(damaged)
    with Gallery.open(tmp_path / "g", mode="w", tuning=SMALL) as gallery:
        gallery.delete(held[1])
        with pytest.raises(GalleryCorruptError, match="payload 2"):
            gallery.compact()
        with pytest.raises(GalleryCorruptError, match="payload 2"):
            gallery.snapshot(tmp_path / "s")
    assert not (tmp_path / "s").exists()
    file.write_bytes(before)
    with Gallery.open(tmp_path / "g", mode="w", tuning=SMALL) as gallery:
        assert gallery.compact().removed >= 0 and gallery.verify().sound
        assert holdings(gallery) == {record: name for record, name in held.items() if name != held[1]}


def test_checksums_can_be_checked_without_the_key(written):
    path, key, _ = written
    report = verify_gallery(path)
    assert report.sound and report.seals_checked == (key is None)
    target = next(each for each in files(path) if each.name.startswith("segment"))
    before = target.read_bytes()
    target.write_bytes(before[:5000] + bytes([before[5000] ^ 1]) + before[5001:])
    assert [each.file for each in verify_gallery(path).corruptions] == [target.name]
    target.write_bytes(before)


def test_a_file_cut_under_an_open_reader_is_named(tmp_path):
    with make(tmp_path / "g") as gallery:
        fill(gallery)
        gallery.compact()
    with Gallery.open(tmp_path / "g") as reader:
        segment = reader._core.of("vector")[0]
        with (tmp_path / "g" / segment.file).open("r+b") as stream:
            stream.truncate(HEADER_BYTES + 100)
        with pytest.raises(GalleryCorruptError, match="cut short"):
            list(reader.source("vector").blocks())


def _paths(value: object, path: tuple = ()) -> list[tuple]:
    """Every place inside a JSON value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in items:
        found += _paths(each, (*path, name))
    return found


def _put(value: object, path: tuple, junk: object) -> object:
    changed = copy.deepcopy(value)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    if junk is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = junk
    return changed


JUNK = (None, -1, 2**70, 3, "x", "../../etc/passwd", [], {}, True, 1.5, [[]])


def _sign(head: bytes) -> bytes:
    return head + f"sha256 {hashlib.sha256(head).hexdigest()}\n".encode()


def test_nonsense_with_a_good_checksum_gives_a_typed_error(tmp_path):
    """In a plain gallery anybody can make checksums: the values are checked too, and no number leaves the folder."""
    with make(tmp_path / "g") as gallery:
        fill(gallery, batches=2)
        gallery.delete("subject-00001")
        gallery.enrol_arrays("iris", subjects(30, 500), irises(30), space=IRIS.space)
        segment = gallery._core.of("vector")[0]
        header = {**segment.header.fields}
    manifest = tmp_path / "g" / "MANIFEST"
    before = manifest.read_bytes()
    first, second = before.split(b"\n")[:2]
    fields = json.loads(second)
    chance = random.Random(3)
    for path in _paths(fields):
        for junk in chance.sample(JUNK, 3):
            manifest.write_bytes(_sign(first + b"\n" + canonical(_put(fields, path, junk)) + b"\n"))
            _use_everything(tmp_path / "g")
    file = tmp_path / "g" / segment.file
    whole, place = file.read_bytes(), [each["number"] for each in fields["segments"]].index(segment.entry.number)
    refused, tried = 0, 0
    for path in _paths(header):
        for junk in chance.sample(JUNK, 6):
            changed = pack_header(_put(header, path, junk), None, None)
            file.write_bytes(changed + whole[HEADER_BYTES:])
            new = _put(fields, ("segments", place, "header"), hashlib.sha256(changed).hexdigest())
            manifest.write_bytes(_sign(first + b"\n" + canonical(new) + b"\n"))
            refused, tried = refused + _use_everything(tmp_path / "g"), tried + 1
    assert refused > 0.9 * tried


def _use_everything(path: Path) -> bool:
    """Whether anything was refused; what is refused is refused by a typed error."""
    refused = False
    try:
        with Gallery.open(path) as gallery:
            for modality in ("vector", "iris"):
                list(gallery.source(modality).blocks())
            gallery.subject_of(range(40))
            gallery.fetch(range(40))
            gallery.records_of("subject-00001")
            gallery.stats()
            list(gallery.subjects())
    except SamebodyError:
        refused = True
    with contextlib.suppress(SamebodyError):
        verify_gallery(path)
    return refused


def test_names_of_nonsense_with_a_good_checksum_give_a_typed_error(tmp_path):
    """The same for what stands in the blocks: subjects that are no text, attributes that are no JSON."""
    with make(tmp_path / "g") as gallery:
        gallery.enrol_arrays("vector", ["abc"], vectors(1), space=VECTOR.space, attributes=[{"k": 1}])
    (log,) = (tmp_path / "g").glob("log-*")
    before = log.read_bytes()
    for old, new in ((b"abc", b"\xff\xfe\xfd"), (b'{"k":1}', b"{{{{{{{"), (b'{"k":1}', b"[12345]")):
        data = bytearray(before.replace(old, new))
        size = struct.unpack_from("<Q", data, HEADER_BYTES + 16)[0]
        body = bytes(data[HEADER_BYTES + FRAME_BYTES : HEADER_BYTES + FRAME_BYTES + size])
        struct.pack_into("<I", data, HEADER_BYTES + 24, zlib.crc32(body))
        struct.pack_into("<I", data, HEADER_BYTES + 28, zlib.crc32(data[HEADER_BYTES : HEADER_BYTES + 28]))
        log.write_bytes(data)
        with Gallery.open(tmp_path / "g") as gallery, pytest.raises(GalleryCorruptError):
            assert gallery.subject_of([1]) == ["abc"]
            gallery.records_of("abc")


@both
@pytest.mark.parametrize("modality", ["vector", "iris"])
def test_an_engine_gives_no_score_of_a_corrupt_block(tmp_path, key, modality):
    with make(tmp_path / "g", key) as gallery:
        fill(gallery)
        gallery.compact()
        place = gallery._core.of(modality)[0].places["payload", 3]
        file = tmp_path / "g" / gallery._core.of(modality)[0].file
    data = bytearray(file.read_bytes())
    data[place.offset + 20] ^= 64
    file.write_bytes(data)
    with Gallery.open(tmp_path / "g", key=key) as gallery:
        source = gallery.source(modality)
        probes = Probes.of_vectors(vectors(1), VECTOR.space) if modality == "vector" else None
        if probes is None:
            probes = Probes.of_codes(*irises(1), IRIS.space)
        with pytest.raises(GalleryCorruptError, match="payload 3"):
            build(source).search(probes, 1)
