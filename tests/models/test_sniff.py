"""What a file is, from its bytes: no pickle ever passes for weights."""

from __future__ import annotations

import io
import pickle
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.models.errors import UnsafeWeightsError
from samebody.models.record import FileFormat
from samebody.models.sniff import looks_like_pickle, matches, require_format

from .factory import tiny_embedder, wheel

FORMATS: tuple[FileFormat, ...] = ("onnx", "tflite", "zip", "ttf", "otf", "png", "jpeg")
ONNX, _ = tiny_embedder(16, 16, 8)


def torch_like() -> bytes:
    """A zip as torch writes it: a pickle beside raw storages."""
    return wheel({"archive/data.pkl": pickle.dumps({"a": 1}), "archive/data/0": b"\0" * 64})


def test_onnx_is_told_and_a_cut_or_longer_file_is_not() -> None:
    assert matches(ONNX, "onnx")
    assert not matches(ONNX[:-1], "onnx")
    assert not matches(ONNX + b"\0", "onnx")
    assert not matches(b"", "onnx")
    assert not any(matches(ONNX, other) for other in FORMATS if other != "onnx")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_pickle_of_any_protocol_is_refused_as_any_format(protocol: int, file_format: FileFormat) -> None:
    data = pickle.dumps({"weights": [0.5] * 10, "n": 1}, protocol=protocol)
    with pytest.raises(UnsafeWeightsError, match="pickle"):
        require_format(data, file_format, name="x")


def test_a_zip_with_a_pickle_in_it_is_refused() -> None:
    with pytest.raises(UnsafeWeightsError, match="pickle"):
        require_format(torch_like(), "zip", name="x")
    assert looks_like_pickle(torch_like())


def test_a_zip_of_models_passes_also_with_a_few_bytes_before_it() -> None:
    models = wheel({"a.tflite": b"0000TFL3", "b.binarypb": b"x"})
    buffer = io.BytesIO()
    buffer.write(b"\0\0")
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.tflite", b"0000TFL3")
    assert matches(models, "zip") and matches(buffer.getvalue(), "zip")
    assert not matches(wheel({"a.tflite": b"0000TFL3", "run.py": b"x"}), "zip")
    assert not matches(wheel({"readme.txt": b"x"}), "zip")


@given(st.binary(max_size=400), st.sampled_from(FORMATS))
def test_any_bytes_end_in_yes_or_a_typed_error(data: bytes, file_format: FileFormat) -> None:
    try:
        require_format(data, file_format, name="x")
    except UnsafeWeightsError:
        assert not matches(data, file_format)
    else:
        assert matches(data, file_format)


@given(st.recursive(st.none() | st.integers() | st.text() | st.floats(), lambda inner: st.lists(inner), max_leaves=8))
def test_no_pickled_value_is_onnx(value: object) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert not matches(pickle.dumps(value, protocol=protocol), "onnx")
