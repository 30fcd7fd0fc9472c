"""Task embed-distil: faces, split, views, network, figures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from samebody.lab.evaluate.evaluation_sets import EvaluationSet, Sample
from samebody.lab.train.embed import EmbedDistil, FaceSource, held_people, rank_correlation
from samebody.lab.train.embed_faces import MARGIN, AlignedFaces, NoFacesError, aligned_faces, cut
from samebody.lab.train.embed_network import EdgeNetwork, SpreadPReLU, spread
from samebody.lab.train.embed_targets import halfway, partners
from samebody.lab.train.embed_views import draw_view
from samebody.lab.train.recipe import load_recipe

SIDE = 112


def faces(count: int = 6) -> AlignedFaces:
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (count, SIDE + 2 * MARGIN, SIDE + 2 * MARGIN, 3)).astype(np.uint8)
    samples = tuple(Sample(f"f/{n}.jpg", f"{n:064d}", f"f/{n}.jpg", "A", "B", "20-29") for n in range(count))
    return AlignedFaces(crops, samples, 0, "d")


def source(strength: float | None = 1.0) -> FaceSource:
    targets = np.eye(6, 8, dtype=np.float32)
    return FaceSource(faces(), np.array([5, 0, 3]), targets, strength)


def test_a_batch_depends_on_places_and_seed_alone_and_brings_the_teachers_vectors() -> None:
    one, two = source().batch(np.array([0, 2, 0]), 7), source().batch(np.array([0, 2, 0]), 7)
    assert torch.equal(one["input"], two["input"]) and one["input"].shape == (3, 3, SIDE, SIDE)
    assert not torch.equal(one["input"], source().batch(np.array([0, 2, 0]), 8)["input"])
    assert not torch.equal(one["input"][0], one["input"][2])  # one face twice: two views
    assert one["teacher"].argmax(1).tolist() == [5, 3, 5]


def test_held_back_faces_are_the_middle_of_their_crops() -> None:
    found = source(None).batch(np.array([1]), 3)["input"][0].permute(1, 2, 0).numpy()
    assert np.array_equal(found, faces().crops[0][MARGIN:-MARGIN, MARGIN:-MARGIN])


def test_a_view_of_strength_zero_is_the_middle_mirrored_or_grey_at_most() -> None:
    wide = np.asarray(faces().crops[0])
    middle = wide[MARGIN:-MARGIN, MARGIN:-MARGIN]
    seen = set()
    for seed in range(60):
        view = draw_view(wide, np.random.default_rng(seed), 0.0)
        grey = bool((view == view[..., :1]).all())
        kinds = [name for name, one in (("plain", middle), ("mirrored", middle[:, ::-1])) if np.array_equal(view, one)]
        assert grey or kinds
        seen.add("grey" if grey else kinds[0])
    assert seen == {"plain", "mirrored", "grey"}


@given(st.integers(0, 2**32), st.floats(0, 2))
def test_views_have_the_size_of_the_embedders_crop(seed: int, strength: float) -> None:
    view = draw_view(np.asarray(faces(1).crops[0]), np.random.default_rng(seed), strength)
    assert view.shape == (SIDE, SIDE, 3) and view.dtype == np.uint8


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(0, 99))
def test_nobody_stands_on_both_sides_and_new_pictures_move_nobody(owners: list[int], seed: int) -> None:
    people = [f"p{owner}" for owner in owners]
    samples = tuple(Sample(str(n), "", people[n]) for n in range(len(people)))
    held = held_people(samples, people, 0.3, seed)
    assert not {p for p, h in zip(people, held) if h} & {p for p, h in zip(people, held) if not h}
    more = held_people((*samples, Sample("new", "", "p7")), [*people, "p7"], 0.3, seed)
    assert np.array_equal(more[:-1], held)


def test_the_share_held_back_is_about_what_was_asked_for() -> None:
    people = [f"p{n}" for n in range(4000)]
    samples = tuple(Sample(p, "", p) for p in people)
    assert abs(held_people(samples, people, 0.1, 1).mean() - 0.1) < 0.02


@given(st.integers(0, 1000), st.integers(3, 12))
def test_rank_correlation_is_spearmans(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(count, 5)), rng.normal(size=(count, 7))
    rows, columns = np.triu_indices(count, 1)
    naive = spearmanr((one @ one.T)[rows, columns], (two @ two.T)[rows, columns]).statistic
    assert rank_correlation(one, two) == pytest.approx(naive, abs=1e-9)


def test_the_shipped_network_has_at_most_a_million_and_a_half_parameters() -> None:
    assert sum(p.numel() for p in EdgeNetwork().parameters()) <= 1_500_000


def test_frozen_layers_keep_still_and_the_others_learn() -> None:
    network = EdgeNetwork(widths=(4,) * 14, ranks=(0,) * 13, reduced=4, dimensions=8, frozen=3)
    network(torch.rand(2, 3, 112, 112) * 255)["embedding"].sum().backward()
    learned = {name for name, p in network.named_parameters() if p.grad is not None}
    still = {f"blocks.{n}" for n in range(3)} | {"first", "active"}
    assert learned and not any(name.startswith(tuple(f"{s}." for s in still)) for name in learned)
    assert "blocks.3.depthwise.weight" in learned and "dense.weight" in learned


def test_in_bfloat16_a_stride_of_two_gives_what_float_gives_up_to_rounding() -> None:
    network = EdgeNetwork(widths=(8,) * 14, ranks=(0,) * 13, reduced=4, dimensions=8).eval()
    x = torch.rand(2, 3, 112, 112) * 255
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        rough = network(x)["embedding"]
    with torch.no_grad():
        exact = network(x)["embedding"]
    assert rough.dtype == torch.float32 and torch.allclose(rough, exact, atol=0.05)


def test_the_task_measures_a_perfect_student_as_perfect() -> None:
    held = source(None)

    class Copy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.p = torch.nn.Parameter(torch.zeros(1))
            self.known = {int(x["input"].sum()): x["teacher"] for x in (held.batch(np.array([n]), 0) for n in range(3))}

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"embedding": torch.cat([3.0 * self.known[int(one.sum())] for one in x])}

    found = EmbedDistil().measure(Copy(), held)
    assert found["cosine"] == pytest.approx(1) and found["ranks"] == pytest.approx(1)


def test_the_recipe_is_valid_and_is_that_of_the_task() -> None:
    recipe = load_recipe("edge").recipe
    assert recipe.task.name == "embed-distil"
    EmbedDistil(**recipe.task.parameters)


def test_a_set_without_faces_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from samebody.lab.train import embed_faces

    monkeypatch.setattr(embed_faces, "cut", lambda analyser, image, side: None)
    monkeypatch.setattr(EvaluationSet, "load", lambda *_: None)
    empty = EvaluationSet("none", tmp_path, (Sample("a.jpg", "0" * 64, "a.jpg"),))
    with pytest.raises(NoFacesError):
        aligned_faces(empty, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.weights
def test_faces_are_cut_once_and_their_middle_is_what_the_product_embeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samebody.capture import decode_image
    from samebody.face import FaceAnalyser
    from samebody.lab.train import embed_faces
    from samebody.lab.train.embed_targets import teacher_targets
    from samebody.models import catalogue, embed, weights_path
    from samebody.types import Image

    path = weights_path(catalogue()["example/person-b-1"])
    large = decode_image(path)
    face = FaceAnalyser().aligned(large).chosen
    assert face is not None
    scale = 50 / face.inter_eye_distance  # a face that shrinks by more than two is averaged down in blocks first
    image = Image(
        np.ascontiguousarray(cv2.resize(large.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    )
    monkeypatch.setattr(EvaluationSet, "load", lambda *_: image)
    chosen = EvaluationSet("one", tmp_path, (Sample("a.jpg", "0" * 64, "a.jpg"),))
    found = aligned_faces(chosen, tmp_path)
    product = FaceAnalyser().aligned(image).aligned
    assert product is not None
    assert (
        np.abs(found.middle(0).astype(int) - product).mean() < 1.5
    )  # large pictures are averaged down in blocks first
    monkeypatch.setattr(embed_faces, "_cut", lambda *_: pytest.fail("cut again"))
    assert np.array_equal(aligned_faces(chosen, tmp_path).crops, found.crops)
    targets = teacher_targets(found, tmp_path)
    assert np.allclose(
        targets[0], embed(catalogue()["face/sface"], np.ascontiguousarray(found.middle(0)))[0], atol=1e-5
    )
    assert np.array_equal(teacher_targets(found, tmp_path), targets)
    assert cut(FaceAnalyser(), image, SIDE) is not None


def test_halfway_faces_have_both_halves_on_their_side_and_the_teachers_answer_to_them() -> None:
    rows = np.array([0, 1, 2, 4])
    other, answers = partners(6, 1), np.eye(6, 8, k=1, dtype=np.float32)
    found = FaceSource(faces(), rows, np.eye(6, 8, dtype=np.float32), 0.0, [(other, answers)])
    mixed = [int(row) for mix, row in found.places if mix]
    assert mixed == [row for row in rows.tolist() if other[row] in rows] and len(found) == 4 + len(mixed)
    if mixed:
        batch = found.batch(np.array([4]), 0)
        assert batch["teacher"][0].argmax() == mixed[0] + 1


@given(st.integers(2, 50), st.integers(1, 9))
def test_nobody_is_their_own_partner_and_everybody_is_one_once(count: int, mix: int) -> None:
    found = partners(count, mix)
    assert sorted(found.tolist()) == list(range(count)) and not (found == np.arange(count)).any()


def test_a_halfway_face_is_the_mean_with_the_other_mirrored() -> None:
    one, two = np.asarray(faces().crops[0]), np.asarray(faces().crops[1])
    mean = (one.astype(float) + two[:, ::-1]) / 2
    assert np.abs(halfway(one, two) - mean).max() <= 0.5


def test_a_prelu_written_as_convolutions_answers_the_same() -> None:
    for low, high in ((-0.5, 1.0), (-0.5, 1.4)):
        layer = torch.nn.PReLU(6)
        with torch.no_grad():
            layer.weight.uniform_(low, high)
            layer.weight[0] = high
            x = torch.randn(3, 6, 5, 5)
            assert torch.allclose(SpreadPReLU(layer.weight)(x), layer(x), atol=1e-6)


def test_what_is_shipped_answers_as_the_network_does() -> None:
    network = EdgeNetwork(widths=(4,) * 14, ranks=(0, 2) + (0,) * 11, reduced=4, dimensions=8).eval()
    module, example = EmbedDistil().exported(network)
    x = torch.rand(2, 3, 112, 112) * 255
    with torch.no_grad():
        assert torch.allclose(module(x), network(x)["embedding"], atol=1e-5)
    assert example.input_name == "input" and not any(isinstance(m, torch.nn.PReLU) for m in module.modules())


def test_one_slope_a_layer_is_exported_as_a_leaky_relu_that_answers_the_same() -> None:
    torch.manual_seed(0)
    network = EdgeNetwork(shared=True).eval()
    with torch.no_grad():
        for number, part in enumerate(each for each in network.modules() if isinstance(each, torch.nn.PReLU)):
            part.weight.fill_(0.4 - 0.03 * number)
    flat = spread(network)
    assert not any(isinstance(each, torch.nn.PReLU) for each in flat.modules())
    assert sum(isinstance(each, torch.nn.LeakyReLU) for each in flat.modules()) == 27
    x = torch.rand(2, 3, 112, 112) * 255
    with torch.no_grad():
        assert torch.allclose(flat(x)["embedding"], network(x)["embedding"], atol=1e-5)
