"""The cache of evaluation templates survives being killed, damaged and made read-only."""

from __future__ import annotations

import numpy as np
import pytest

from samebody.lab.evaluate.template_cache import CacheNotWritableError, TemplateCache


def vector(number: int) -> np.ndarray:
    return np.full(4, number, dtype=np.float32)


def name(number: int) -> str:
    return f"{number:064x}"


def test_templates_and_failures_come_back(tmp_path):
    cache = TemplateCache(tmp_path, 4)
    cache.put(name(1), vector(1))
    cache.put(name(2), "face.none")
    cache.flush()
    again = TemplateCache(tmp_path, 4)
    assert len(again) == 2
    np.testing.assert_array_equal(again[name(1)], vector(1))
    assert again[name(2)] == "face.none"
    assert name(3) not in again
    with pytest.raises(KeyError):
        again[name(3)]


def test_a_killed_run_loses_only_the_unfinished_shard(tmp_path):
    cache = TemplateCache(tmp_path, 4, shard_size=3)
    for number in range(8):
        cache.put(name(number), vector(number))
    del cache  # killed before the last flush
    again = TemplateCache(tmp_path, 4)
    assert [number for number in range(8) if name(number) in again] == [0, 1, 2, 3, 4, 5]


def test_a_damaged_shard_is_dropped_and_made_again(tmp_path):
    cache = TemplateCache(tmp_path, 4, shard_size=1)
    for number in range(3):
        cache.put(name(number), vector(number))
    (tmp_path / f"{name(0)}.npz").write_bytes(b"PK\x03\x04 half a file")
    whole = (tmp_path / f"{name(1)}.npz").read_bytes()
    (tmp_path / f"{name(1)}.npz").write_bytes(whole[: len(whole) // 2])
    again = TemplateCache(tmp_path, 4)
    assert [number for number in range(3) if name(number) in again] == [2]
    again.put(name(0), vector(0))
    again.flush()
    assert name(0) in TemplateCache(tmp_path, 4)


def test_templates_of_another_length_are_not_taken(tmp_path):
    cache = TemplateCache(tmp_path, 4)
    cache.put(name(1), vector(1))
    cache.flush()
    assert len(TemplateCache(tmp_path, 5)) == 0


def test_clearing_forgets_on_disk_too(tmp_path):
    cache = TemplateCache(tmp_path, 4, shard_size=1)
    cache.put(name(1), vector(1))
    cache.clear()
    assert len(cache) == len(TemplateCache(tmp_path, 4)) == 0


def test_a_folder_that_cannot_be_written_is_a_typed_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    cache = TemplateCache(blocked / "cache", 4)
    cache.put(name(1), vector(1))
    with pytest.raises(CacheNotWritableError):
        cache.flush()


def test_other_users_cannot_read_the_folder(tmp_path):
    cache = TemplateCache(tmp_path / "new", 4)
    cache.put(name(1), vector(1))
    cache.flush()
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
