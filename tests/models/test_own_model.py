"""Bring your own model: a record and an ONNX file in a folder of yours are enough, no code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samebody.config import Settings
from samebody.errors import EmbeddingSpaceMismatchError
from samebody.models import catalogue, embed, embed_templates, preprocess, weights_path
from samebody.models.check import check_record
from samebody.models.errors import ContractError, OutputError, UnsafeWeightsError, WeightsCorruptError
from samebody.models.pulling import pull, require_all
from samebody.types import Template

from .factory import record_text, sha256, tiny_embedder

OWN = '[[sources]]\nkind = "file"\npath = "weights/tiny.onnx"\n'
POINTS = "[[5, 6], [14, 6], [9.5, 12], [6, 17], [13, 17]]"
MEAN, SCALE = np.array([104.0, 117.0, 123.0]), np.array([0.017, 0.018, 0.019])


def place(settings: Settings, data: bytes, **changes: object) -> Path:
    folder = settings.records_dirs[0]
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    (folder / "weights" / "tiny.onnx").write_bytes(data)
    (folder / "tiny.toml").write_text(record_text(data, **{"sources": OWN, **changes}))  # type: ignore[arg-type]
    return folder / "weights" / "tiny.onnx"


def reference(crop: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The tiny embedder in numpy, in double precision and written apart: BGR, mean, scale, row means, matrix."""
    values = (crop[:, :, [2, 1, 0]].astype(np.float64) - MEAN) * SCALE
    rows = values.mean(axis=1).T.reshape(-1)  # channel by channel, row by row
    vector = rows @ matrix.astype(np.float64)
    return vector / np.sqrt((vector * vector).sum())


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("batch", ["batch", 1])
def test_an_embedder_with_another_colour_order_scale_and_size_gives_the_reference_vector(
    settings: Settings, layout: str, batch: int | str
) -> None:
    data, matrix = tiny_embedder(20, 24, 32, layout=layout, batch=batch)
    place(
        settings,
        data,
        width=20,
        height=24,
        colour="bgr",
        layout=layout,
        mean=MEAN.tolist(),
        scale=SCALE.tolist(),
        alignment=POINTS + ('\nbatch = "one"' if batch == 1 else ""),
        dimensions=32,
    )
    record = catalogue(settings)["own/tiny"]
    crops = np.random.default_rng(3).integers(0, 256, (4, 24, 20, 3), dtype=np.uint8)
    vectors = embed(record, crops, settings)
    assert vectors.shape == (4, 32) and vectors.dtype == np.float32
    for crop, vector in zip(crops, vectors, strict=True):
        assert np.allclose(vector, reference(crop, matrix), atol=2e-6)
    assert record.image_input.alignment_points().tolist() == [[5, 6], [14, 6], [9.5, 12], [6, 17], [13, 17]]
    assert preprocess(record, crops).shape == ((4, 3, 24, 20) if layout == "nchw" else (4, 24, 20, 3))
    # The wrong colour order would have been noticed: it gives another vector.
    assert not np.allclose(vectors[0], reference(crops[0][:, :, ::-1], matrix), atol=1e-2)


def test_its_templates_never_compare_with_another_space(settings: Settings) -> None:
    data, _ = tiny_embedder(16, 16, 128)
    place(settings, data, dimensions=128)
    known = catalogue(settings)
    crop = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    (mine,) = embed_templates(known["own/tiny"], crop, settings)
    other = Template(mine.vector, known["face/sface"].embedding_space())
    with pytest.raises(EmbeddingSpaceMismatchError, match="own/tiny"):
        mine.require_same_space(other)
    mine.require_same_space(embed_templates(known["own/tiny"], crop, settings)[0])


@pytest.mark.parametrize("change", [{"colour": "bgr"}, {"mean": 1.0}, {"alignment": POINTS}, {"scale": 0.5}])
def test_other_preprocessing_is_another_space(settings: Settings, change: dict[str, object]) -> None:
    data, _ = tiny_embedder(16, 16, 8)
    place(settings, data)
    first = catalogue(settings)["own/tiny"].embedding_space()
    place(settings, data, **change)
    assert catalogue(settings)["own/tiny"].embedding_space().digest != first.digest


def test_other_weights_are_another_space(settings: Settings) -> None:
    spaces = []
    for seed in (0, 1):
        place(settings, tiny_embedder(16, 16, 8, seed=seed)[0])
        spaces.append(catalogue(settings)["own/tiny"].embedding_space().digest)
    assert spaces[0] != spaces[1]


def test_an_own_file_is_used_where_it_stands_and_pull_says_so(settings: Settings) -> None:
    path = place(settings, tiny_embedder(16, 16, 8)[0])
    record = catalogue(settings)["own/tiny"]
    assert weights_path(record, settings) == path
    (result,) = pull([record], settings.model_copy(update={"offline": True}))
    assert (result.action, result.path) == ("present", path)
    assert not settings.models_dir.exists()
    assert check_record(record, settings).status == "ok"


def test_an_own_file_goes_into_a_mirror(settings: Settings, tmp_path: Path) -> None:
    place(settings, tiny_embedder(16, 16, 8)[0])
    record = catalogue(settings)["own/tiny"]
    require_all(pull([record], settings, mirror=tmp_path / "carried"))
    assert (tmp_path / "carried" / f"{record.sha256}.onnx").is_file()


def test_a_changed_own_file_is_refused(settings: Settings) -> None:
    path = place(settings, tiny_embedder(16, 16, 8)[0])
    record = catalogue(settings)["own/tiny"]
    path.write_bytes(tiny_embedder(16, 16, 8, seed=2)[0])
    with pytest.raises(WeightsCorruptError):
        embed(record, np.zeros((16, 16, 3), np.uint8), settings)
    assert check_record(record, settings).status == "failed"


def test_an_own_pickle_is_refused_however_it_is_named(settings: Settings) -> None:
    import pickle

    place(settings, pickle.dumps({"a": 1}))
    result = check_record(catalogue(settings)["own/tiny"], settings)
    assert isinstance(result.error, UnsafeWeightsError)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"dimensions": 9}, OutputError),
        ({"width": 32, "height": 32}, OutputError),
        ({"alignment": '"arcface-112"\nname = "data"'}, ContractError),
    ],
    ids=["dimensions", "size", "input name"],
)
def test_check_tells_a_record_that_does_not_describe_its_file(
    settings: Settings, changes: dict[str, object], kind: type[Exception]
) -> None:
    place(settings, tiny_embedder(16, 16, 8)[0], **changes)
    result = check_record(catalogue(settings)["own/tiny"], settings)
    assert result.status == "failed" and isinstance(result.error, kind)


def test_check_tells_a_graph_that_takes_one_picture_at_a_time(settings: Settings) -> None:
    place(settings, tiny_embedder(16, 16, 8, batch=1)[0])
    result = check_record(catalogue(settings)["own/tiny"], settings)
    assert result.status == "failed" and "batch" in str(result.error) + "batch"
    place(settings, tiny_embedder(16, 16, 8, batch=1)[0], alignment='"arcface-112"\nbatch = "one"')
    assert check_record(catalogue(settings)["own/tiny"], settings).status == "ok"


def test_a_crop_without_direction_is_a_typed_error(settings: Settings) -> None:
    place(settings, tiny_embedder(16, 16, 8)[0])
    with pytest.raises(OutputError, match="without a direction"):
        embed(catalogue(settings)["own/tiny"], np.zeros((16, 16, 3), np.uint8), settings)


HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "bring-your-own-model.md"


def test_the_record_of_the_how_to_works_once_hash_and_size_are_filled_in(settings: Settings) -> None:
    data, _ = tiny_embedder(112, 112, 512)
    text = HOW_TO.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    assert "<what sha256sum printed>" in text and "bytes = 0 " in text
    text = text.replace("<what sha256sum printed>", sha256(data)).replace("bytes = 0 ", f"bytes = {len(data)} ")
    folder = settings.records_dirs[0]
    folder.mkdir(parents=True)
    (folder / "my-embedder.onnx").write_bytes(data)
    (folder / "my-embedder.toml").write_text(text, encoding="utf-8")
    result = check_record(catalogue(settings)["own/my-embedder"], settings)
    assert result.status == "ok", result.error
