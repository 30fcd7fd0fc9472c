"""Galleries of every format that was ever written open, say what they said, and can be written on."""

from __future__ import annotations

import json
import shutil

import pytest

from samebody.search.gallery import Gallery
from samebody.search.gallery.sealing import FORMAT
from tests.search.golden.make import HERE, facts_of

from .material import KEY, VECTOR, vectors

OLD = sorted(each for each in HERE.glob("gallery-v*") if each.is_dir())


def test_there_is_a_gallery_of_every_format():
    assert {each.name for each in OLD} == {
        f"gallery-v{n}-{k}" for n in range(1, FORMAT + 1) for k in ("plain", "sealed")
    }


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.name)
def test_old_galleries_say_what_they_said(path, tmp_path):
    key = KEY if path.name.endswith("sealed") else None
    expected = json.loads((HERE / f"{path.name}.json").read_text())
    copy = tmp_path / "g"
    shutil.copytree(path, copy)
    assert facts_of(copy, key) == expected
    kinds = {each.name.split("-")[0] for each in path.iterdir()}
    assert kinds == {"MANIFEST", "segment", "state", "log"}
    with Gallery.open(copy, key=key, mode="w") as gallery:
        assert gallery.verify().sound
        again = gallery.enrol_arrays("vector", ["ünï"], vectors(1, 9), space=VECTOR.space, request_id="last")
        assert gallery.records_of("ünï")[0].record_id == int(again[0])
        gallery.compact()
    assert facts_of(copy, key) == expected
