"""Records become score functions, shuffled networks lose their maps, and the commands say why in words."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from samebody.capture import decode_image
from samebody.cli.main import main
from samebody.explain import CorrRise, Occlusion, Rise, embedder_pair, record_score
from samebody.explain.errors import UnsupportedModelError
from samebody.explain.sanity import randomisation_test, randomised, session_pair
from samebody.models import ModelRecord, catalogue, embed, weights_path
from samebody.models.catalogue import read_records
from samebody.models.errors import ContractError
from samebody.types import Pixels
from tests.models.detectors import LICENCE, PROVENANCE, detector_record
from tests.models.factory import record_text, sha256, tiny_embedder


def embedder(folder: Path, side: int = 24) -> ModelRecord:
    data, _ = tiny_embedder(side, side, 16)
    (folder / "tiny.onnx").write_bytes(data)
    text = record_text(
        data,
        sources='[[sources]]\nkind = "file"\npath = "tiny.onnx"\n',
        width=side,
        height=side,
        dimensions=16,
        mean=127.5,
        scale=0.01,
    )
    (folder / "own").mkdir(exist_ok=True)
    (folder / "own" / "tiny.onnx").write_bytes(data)
    (folder / "own" / "tiny.toml").write_text(text)
    return read_records(folder)["own/tiny"]


def crop(seed: int, side: int = 24) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def corner_detector(folder: Path, *, bona_fide: str = "high") -> ModelRecord:
    """A detector that knows one thing: how bright the upper left quarter of its 16x16 input is."""
    weights = np.zeros((16 * 16 * 3, 1), np.float32)
    weights.reshape(3, 16, 16)[:, :8, :8] = 4 / (3 * 64)
    nodes = [
        helper.make_node("Flatten", ["picture"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["odds"]),
        helper.make_node("Sigmoid", ["odds"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "corner",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["batch", 3, 16, 16])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(weights, "weights")],
    )
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    (folder / "corner.onnx").write_bytes(data)
    record = ModelRecord.model_validate(
        {
            "id": "own/corner",
            "task": "presentation-attack-detection",
            "version": "1",
            "title": "A corner detector",
            "sha256": sha256(data),
            "bytes": len(data),
            "format": "onnx",
            "filename": "corner.onnx",
            "sources": ({"kind": "file", "path": "corner.onnx"},),
            "input": {
                "kind": "image",
                "colour": "rgb",
                "layout": "nchw",
                "width": 16,
                "height": 16,
                "mean": 127.5,
                "scale": 1 / 127.5,
            },
            "output": {"kind": "score", "meaning": "likelihood of bona fide", "bona_fide": bona_fide},
            "detection": {"unsure": (0.4, 0.6)},
            "licence": LICENCE,
            "provenance": PROVENANCE,
        }
    )
    return record.located(folder / "corner.toml", bundled=False)


# ------------------------------------------------------------------------------------------------------------ adapters


def test_a_pair_of_an_embedder_is_the_cosine_of_both(tmp_path: Path) -> None:
    record, first, second = embedder(tmp_path), crop(1), crop(2)
    pair = embedder_pair(record, first, second)
    vectors = embed(record, np.stack([first, second])).astype(np.float64)
    assert pair.score == pytest.approx(float(vectors[0] @ vectors[1]))
    assert pair.first(first[None])[0] == pytest.approx(pair.score)
    assert pair.second(np.stack([second, first])) == pytest.approx([pair.score, 1.0], abs=1e-6)
    with pytest.raises(ContractError):
        embedder_pair(record, crop(1, 20), crop(2, 20))


@pytest.mark.parametrize("bona_fide", ["high", "low"])
def test_a_detector_is_explained_by_what_it_looks_at(tmp_path: Path, bona_fide: str) -> None:
    record = corner_detector(tmp_path, bona_fide=bona_fide)
    picture = np.full((32, 40, 3), 60, np.uint8)
    picture[:16, :20] = 240
    score = record_score(record)
    assert score(picture[None])[0] == pytest.approx(
        1 / (1 + np.exp(-3.53)) if bona_fide == "high" else 0.0285, abs=0.01
    )
    for method in (Rise(masks=200, cells=4), CorrRise(masks=200, cells=4), Occlusion()):
        saliency = method.explain(score, picture)
        inside = saliency.values[:16, :20].mean()
        outside = np.abs(saliency.values[22:, 26:]).mean()
        assert inside > 4 * outside if bona_fide == "high" else inside < -4 * outside


def test_records_that_do_not_answer_with_one_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="explain pair"):
        record_score(embedder(tmp_path))
    with pytest.raises(UnsupportedModelError, match="one colour picture"):
        record_score(detector_record(tmp_path))


@pytest.mark.weights
def test_one_number_of_a_tensor_must_be_named() -> None:
    record = catalogue()["face/yunet"]
    with pytest.raises(UnsupportedModelError, match="numbers"):
        record_score(record)(np.zeros((1, 64, 64, 3), np.uint8))
    assert record_score(record, index=0)(np.zeros((2, 64, 64, 3), np.uint8)).shape == (2,)
    with pytest.raises(UnsupportedModelError, match="no number"):
        record_score(record, index=10**7)(np.zeros((1, 64, 64, 3), np.uint8))


@pytest.mark.weights
def test_a_pad_detector_is_explained_where_it_looks(tmp_path: Path) -> None:
    from samebody.lab.evaluate.explained import LIMIT, log_odds, seen_by

    record = corner_detector(tmp_path)
    path = weights_path(catalogue()["example/person-a-1"])
    seen = seen_by(record, path)
    assert seen.what == "log odds of bona fide" and seen.landmarks is not None
    height, width = seen.pixels.shape[:2]
    assert height == width and ((seen.landmarks > 0) & (seen.landmarks < width)).all()
    image = decode_image(path)
    assert width < max(image.width, image.height)
    saliency = Occlusion(sizes=(0.3,), step=1.0, fill="black").explain(seen.score, seen.pixels)
    assert saliency.values[: height // 3, : width // 3].mean() > 0  # its evidence is how bright the corner is
    assert abs(float(saliency.values[-height // 6 :, -width // 6 :].mean())) < 1e-6
    odds = log_odds(np.array([0.0, 0.5, 1.0, 1 / (1 + np.exp(-2.0))]))
    assert odds == pytest.approx([-LIMIT, 0.0, LIMIT, 2.0])


# ----------------------------------------------------------------------------------------------------------- shuffling


def test_shuffling_keeps_the_numbers_and_moves_them(tmp_path: Path) -> None:
    embedder(tmp_path)
    data = (tmp_path / "tiny.onnx").read_bytes()
    one, two, again = (randomised(data, 1.0, seed) for seed in (0, 1, 0))
    assert one == again != two and randomised(data, 0.0, 0) == onnx.load_from_string(data).SerializeToString()

    def matrix(model: bytes) -> NDArray[np.float32]:
        return numpy_helper.to_array(onnx.load_from_string(model).graph.initializer[0])

    assert not np.array_equal(matrix(one), matrix(data))
    np.testing.assert_array_equal(np.sort(matrix(one).ravel()), np.sort(matrix(data).ravel()))


def test_the_intact_network_answers_as_the_record_does(tmp_path: Path) -> None:
    record = embedder(tmp_path)
    data = (tmp_path / "tiny.onnx").read_bytes()
    own, other = session_pair(record, data, crop(1), crop(2)), embedder_pair(record, crop(1), crop(2))
    assert own.score == pytest.approx(other.score, abs=1e-6)


def test_maps_change_when_the_weights_are_shuffled(tmp_path: Path) -> None:
    steps = randomisation_test(embedder(tmp_path), crop(1), crop(2), CorrRise(masks=150, cells=6), shares=(1.0,))
    assert [step.share for step in steps] == [0.0, 1.0] and steps[0].correlation == 1.0
    assert abs(steps[1].correlation) < 0.6


# ------------------------------------------------------------------------------------------------------------ commands


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leave:
        main(["explain", *map(str, arguments)])
    streams = capsys.readouterr()
    return int(leave.value.code or 0), streams.out, streams.err


@pytest.mark.weights
def test_a_pair_is_explained_with_page_overlays_and_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (weights_path(catalogue()[f"example/person-b-{number}"]) for number in (1, 2))
    out = tmp_path / "out"
    code, text, err = run(capsys, "pair", first, second, "--masks", 16, "--json", "--out", out)
    assert code == 0 and "explanation.html" in err
    found = json.loads(text)
    assert len(found["pictures"]) == 2 and found["score"] == pytest.approx(found["pictures"][0]["score"], abs=1e-5)
    assert sum(part["area"] for part in found["pictures"][0]["parts"]) == pytest.approx(1)
    assert "values" not in text and "vector" not in text
    assert {path.name for path in out.iterdir()} == {
        "explanation.html", "map-1.json", "map-2.json", "map-1.png", "map-2.png"
    }  # fmt: skip
    assert {oct(path.stat().st_mode & 0o777) for path in out.iterdir()} == {"0o600"}
    blurred = decode_image(out / "map-1.png").pixels
    code, text, _ = run(capsys, "pair", first, second, "--masks", 16, "--show-pictures", "--out", out)
    assert code == 0 and text.startswith("First picture: The similarity is 0.7")
    sharp = decode_image(out / "map-1.png").pixels
    assert np.abs(np.diff(sharp.astype(int), axis=1)).mean() > 1.3 * np.abs(np.diff(blurred.astype(int), axis=1)).mean()


@pytest.mark.weights
def test_no_face_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "flat.png"), np.full((200, 200, 3), 127, np.uint8))
    code, _, err = run(capsys, "pair", tmp_path / "flat.png", tmp_path / "flat.png")
    assert code == 65 and "explain.no_face" in err and "Traceback" not in err


def test_a_folder_without_two_people_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = run(capsys, "judge", tmp_path / "empty", "--model", "face/sface")
    assert code == 65 and "no picture" in err


def test_an_unknown_model_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    code, _, err = run(capsys, "picture", tmp_path / "a.png", "--model", "face/none")
    assert code == 64 and "face/none" in err


def test_an_embedder_does_not_explain_one_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    code, _, err = run(capsys, "picture", tmp_path / "a.png", "--model", "face/sface")
    assert code == 64 and "compares two pictures" in err


def test_without_torch_the_extra_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "a.png").write_bytes(b"x")
    code, _, err = run(capsys, "run", tmp_path, tmp_path / "a.png")
    assert code == 69 and "samebody[train]" in err


def test_sanity_fails_a_method_that_sees_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from samebody.explain import sanity

    monkeypatch.setattr(sanity, "pointing_score", lambda method, pictures, seed: 0)
    monkeypatch.setattr(sanity, "randomisation_test", lambda *a, **k: (sanity.RandomisationStep(1.0, 0.1, 0.2),))
    monkeypatch.setattr("samebody.explain.aligned_face", lambda image, analyser: type("F", (), {"pixels": crop(1)}))
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), crop(1, 64))
    code, out, _ = run(capsys, "sanity", tmp_path / "a.png", tmp_path / "a.png")
    assert code == 1 and "FAILED" in out
    monkeypatch.setattr(sanity, "pointing_score", lambda method, pictures, seed: pictures)
    code, out, _ = run(capsys, "sanity", tmp_path / "a.png", tmp_path / "a.png", "--json")
    assert code == 0 and json.loads(out)["passed"] is True
