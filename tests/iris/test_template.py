from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.errors import StorageError
from samebody.iris import IrisTemplate
from samebody.iris.errors import InvalidIrisTemplateError, IrisTemplateFormatError, IrisTemplateVersionError
from samebody.iris.template import EYES, pack_bits, popcount, unpack_words
from tests.iris.codes import random_template


@given(st.integers(0, 2**32 - 1), st.integers(1, 64))
@settings(max_examples=40, deadline=None)
def test_bits_and_words_are_one_thing(seed: int, columns: int) -> None:
    bits = np.random.default_rng(seed).random((16, columns, 2, 2)) < 0.5
    words = pack_bits(bits)
    assert words.dtype == np.uint64 and words.shape == (columns,)
    assert np.array_equal(unpack_words(words), bits)
    assert int(popcount(words).sum()) == int(bits.sum())


def test_bit_order_in_a_word_is_the_agreed_one() -> None:
    for row, filter_, part in ((0, 0, 0), (0, 1, 0), (5, 1, 1), (15, 1, 1)):
        bits = np.zeros((16, 4, 2, 2), dtype=bool)
        bits[row, 2, filter_, part] = True
        assert pack_bits(bits).tolist() == [0, 0, 1 << ((row * 2 + filter_) * 2 + part), 0]


def test_a_rotation_of_the_bits_is_a_rotation_of_the_words() -> None:
    template = random_template(1, 20)
    code, _ = template.to_bits()
    assert np.array_equal(pack_bits(np.roll(code, 7, axis=1)), np.roll(template.code, 7))


def test_popcount_without_numpy_2_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.random.default_rng(3).integers(0, 2**64, size=(5, 11), dtype=np.uint64)
    expected = [[int(word).bit_count() for word in row] for row in words]
    assert popcount(words).tolist() == expected
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert popcount(words).tolist() == expected


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([8, 200, 256]),
    st.sampled_from(EYES),
    st.text(max_size=40),
    st.text(max_size=40),
)
@settings(max_examples=40, deadline=None)
def test_bytes_round_trip(seed: int, columns: int, eye: str, space: str, version: str) -> None:
    template = random_template(seed, columns, eye=eye, space=space, version=version)
    again = IrisTemplate.from_bytes(template.to_bytes())
    assert np.array_equal(again.code, template.code) and np.array_equal(again.mask, template.mask)
    assert (again.eye, again.space, again.version) == (eye, space, version)
    assert again.to_bytes() == template.to_bytes()


def test_every_flipped_bit_and_every_cut_is_noticed() -> None:
    data = random_template(5, 8, eye="left", space="abc", version="1").to_bytes()
    for position in range(len(data)):
        for bit in (0, 7):
            altered = bytearray(data)
            altered[position] ^= 1 << bit
            with pytest.raises((IrisTemplateFormatError, IrisTemplateVersionError)):
                IrisTemplate.from_bytes(bytes(altered))
    for length in range(len(data)):
        with pytest.raises(IrisTemplateFormatError):
            IrisTemplate.from_bytes(data[:length])
    with pytest.raises(IrisTemplateFormatError):
        IrisTemplate.from_bytes(data + b"\0")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_by_type(data: bytes) -> None:
    with pytest.raises(IrisTemplateFormatError):
        IrisTemplate.from_bytes(data)


def test_an_old_file_is_still_read() -> None:
    """Bytes of format 1, frozen: code words 1..8, mask words all ones."""
    head = bytes.fromhex("894952540d0a1a0a01000100080003000200") + b"abcv1"
    words = np.arange(1, 9, dtype="<u8").tobytes() + b"\xff" * 64
    import hashlib

    data = head + words
    template = IrisTemplate.from_bytes(data + hashlib.sha256(data).digest()[:16])
    assert template.code.tolist() == list(range(1, 9)) and template.usable_bits == 512
    assert (template.eye, template.space, template.version) == ("right", "abc", "v1")


def test_wrong_arrays_and_labels_are_refused() -> None:
    words = np.zeros(8, dtype=np.uint64)
    with pytest.raises(InvalidIrisTemplateError, match="uint64"):
        IrisTemplate(words.astype(np.int64), words)  # type: ignore[arg-type]
    with pytest.raises(InvalidIrisTemplateError, match="same"):
        IrisTemplate(words, words[:4])
    with pytest.raises(InvalidIrisTemplateError, match="no eye"):
        IrisTemplate(words, words, eye="middle")  # type: ignore[arg-type]
    with pytest.raises(InvalidIrisTemplateError, match="bytes"):
        IrisTemplate(words, words, space="x" * 2000)
    with pytest.raises(InvalidIrisTemplateError, match=r"\(16, columns, 2, 2\)"):
        IrisTemplate.from_bits(np.zeros((8, 20, 2, 2), dtype=bool), np.zeros((8, 20, 2, 2), dtype=bool))


def test_a_template_does_not_follow_the_array_it_was_made_of_and_does_not_print_it() -> None:
    words = np.full(8, 12345678901, dtype=np.uint64)
    template = IrisTemplate(words, words)
    words[:] = 0
    assert template.code[0] == 12345678901
    assert "12345678901" not in repr(template)
    with pytest.raises(ValueError, match="read-only"):
        template.code[0] = 1


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    template = random_template(9, 200, eye="right", space="s", version="1")
    path = template.save(tmp_path / "a.irt")
    assert IrisTemplate.load(path).to_bytes() == template.to_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.irt"]
    with pytest.raises(StorageError, match="cannot be written"):
        template.save(tmp_path / "missing" / "a.irt")
    with pytest.raises(IrisTemplateFormatError, match="cannot be read"):
        IrisTemplate.load(tmp_path / "missing.irt")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = random_template(1, 200).save(tmp_path / "a.irt")
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("samebody.iris.template.os.fsync", full)
    with pytest.raises(StorageError, match="No space"):
        random_template(2, 200).save(path)
    assert path.read_bytes() == before and [entry.name for entry in tmp_path.iterdir()] == ["a.irt"]
