from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.lab.train.iris_segment import EyeSource, IrisMaps, IrisSegment, SegmentNetwork, visible  # noqa: E402
from samebody.lab.train.iris_segment_data import (  # noqa: E402
    EyePicturesError,
    classical_block,
    framed,
    half_of,
    load_blocks,
    synthetic_blocks,
)
from samebody.lab.train.iris_segment_pictures import EyePool, soft_polygon  # noqa: E402


@pytest.fixture(scope="module")
def pool() -> EyePool:
    return EyePool(5, 2)


def test_a_picture_is_a_function_of_its_number(pool: EyePool) -> None:
    one, again, other = pool.draw(3), pool.draw(3), pool.draw(4)
    assert np.array_equal(one.image, again.image) and np.array_equal(one.maps, again.maps)
    assert not np.array_equal(one.image, other.image)
    assert one.image.shape == (240, 320) and one.maps.shape == (4, 120, 160)


def test_masks_agree_with_the_contours(pool: EyePool) -> None:
    for number in range(8):
        eye = pool.draw(number)
        if not eye.maps[1].any():
            continue
        inside = (eye.pupil, eye.limbus)
        for layer, points in zip(eye.maps, inside, strict=False):
            x, y = points[:, 0], points[:, 1]
            if x.min() < 0 or y.min() < 0 or x.max() > 320 or y.max() > 240:
                continue
            area = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
            assert layer.sum() / 255 * 4 == pytest.approx(area, rel=0.03)


def test_a_soft_polygon_counts_parts_of_pixels() -> None:
    square = np.array([(11.0, 21.0), (41.0, 21.0), (41.0, 61.0), (11.0, 61.0)])
    found = soft_polygon(np.concatenate([np.linspace(a, b, 20) for a, b in zip(square, np.roll(square, -1, axis=0))]))
    assert found.shape == (120, 160)
    assert 1200 <= 4 * found.sum() <= 1200 + 0.27 * 140  # the outline itself belongs to it: a quarter of a pixel
    assert found[20, 10] == 1.0 and found[20, 5] == pytest.approx(0.5, abs=0.1) and found[5, 5] == 0.0


def test_blocks_are_kept_and_the_rest_is_drawn(tmp_path: Path) -> None:
    paths = synthetic_blocks(tmp_path, seed=9, count=3, identities=2)
    before = paths[0].stat().st_mtime_ns
    assert synthetic_blocks(tmp_path, seed=9, count=3, identities=2) == paths
    assert paths[0].stat().st_mtime_ns == before
    images, maps = load_blocks(paths)
    assert images.shape == (3, 240, 320) and maps.shape == (3, 4, 120, 160)
    paths[0].write_bytes(b"torn")
    with pytest.raises(EyePicturesError, match="Delete it"):
        load_blocks(paths)


def test_a_batch_is_a_function_of_indices_and_seed_and_turns_picture_and_mask_together(pool: EyePool) -> None:
    eyes = [pool.draw(number) for number in range(4)]
    part = (np.stack([eye.image for eye in eyes]), np.stack([eye.maps for eye in eyes]))
    source = EyeSource([part], augment=True)
    one, again = (source.batch(np.array([0, 1, 2, 3, 0]), 7) for _ in range(2))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["input"], source.batch(np.array([0, 1, 2, 3, 0]), 8)["input"])
    plain = EyeSource([part], augment=False).batch(np.arange(4), 0)
    for row, index in enumerate((0, 1, 2, 3, 0)):
        straight = torch.equal(one["mask"][row], plain["mask"][index])
        turned = torch.equal(one["mask"][row], plain["mask"][index].flip(-1))
        assert straight != turned or torch.equal(plain["mask"][index], plain["mask"][index].flip(-1))
        picture = plain["input"][index].flip(-1) if turned else plain["input"][index]
        pair = torch.stack((one["input"][row].flatten(), picture.flatten()))
        assert torch.corrcoef(pair)[0, 1] > 0.8


def test_the_loss_is_least_at_the_truth_and_ignores_lids_far_from_the_iris() -> None:
    mask = torch.zeros(2, 4, 40, 60)
    mask[:, 1, 10:30, 20:40], mask[:, 0, 16:24, 26:34], mask[:, 2, 8:32] = 1, 1, 1
    loss = IrisMaps()
    right = (mask * 2 - 1) * 8.0
    wrong = right.clone()
    wrong[0, 1] *= -1
    each = loss.each({"map": wrong}, {"mask": mask})
    assert each[0] > each[1]
    assert loss({"map": wrong}, {"mask": mask}) == pytest.approx(float(each.mean()))
    far = right.clone()
    far[:, 2:, :, :8] *= -1  # more than the reach away from the iris
    assert float(loss({"map": far}, {"mask": mask})) == pytest.approx(float(loss({"map": right}, {"mask": mask})))


def test_the_network_is_small_and_does_not_see_gain_or_offset() -> None:
    torch.manual_seed(1)
    network = SegmentNetwork().eval()
    assert sum(p.numel() for p in network.parameters()) <= 300_000
    picture = torch.rand(2, 1, 96, 128)
    with torch.no_grad():
        one, other = network(picture)["map"], network(0.5 * picture + 0.2)["map"]
    assert one.shape == (2, 4, 48, 64)
    assert torch.allclose(one, other, atol=2e-2)


def test_measuring_the_truth_gives_one_and_nothing_gives_zero(pool: EyePool) -> None:
    eyes = [pool.draw(number) for number in range(3)]
    source = EyeSource([(np.stack([e.image for e in eyes]), np.stack([e.maps for e in eyes]))], augment=False)
    truth = source.batch(np.arange(3), 0)["mask"]

    class Knows(torch.nn.Module):
        def __init__(self, answer: torch.Tensor) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.answer = answer

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"map": self.answer}

    task = IrisSegment(pictures=8, held=4)
    figures = task.measure(Knows((truth - 0.5) * 20), source)
    assert figures == pytest.approx({"iou": 1, "pupil_iou": 1, "limbus_iou": 1, "cover_iou": 1, "seen": 1})
    assert task.measure(Knows(torch.full_like(truth, -9.0)), source)["iou"] == 0.0


def test_visible_is_ring_between_lids_without_cover() -> None:
    maps = torch.zeros(4, 4, 4, dtype=torch.bool)
    maps[1] = maps[2] = True
    maps[0, 0], maps[2, 1], maps[3, 2] = True, False, True
    assert visible(maps).sum() == 4 and bool(visible(maps)[3].all())


def test_a_run_learns_the_same_weights_twice(tmp_path: Path) -> None:
    from samebody.lab.train.run import train

    changes = {
        **{"task.pictures": 8, "task.held": 4, "task.identities": 2, "network.widths": [4, 4, 4, 8]},
        **{"batch": 4, "steps": 3, "evaluate_every": 3, "checkpoint_every": 3, "schedule.warmup": 1},
        "precision": "float32",
    }
    results = [
        train("iris-segment", tmp_path / name, cache=tmp_path / "cache", threads=1, changes=changes)
        for name in ("one", "two")
    ]
    assert results[0].weights == results[1].weights
    assert 0.0 <= results[0].best["iou"] <= 1.0


def test_what_is_exported_gives_probabilities() -> None:
    task = IrisSegment(pictures=8, held=4)
    module, example = task.exported(task.network({"name": "small-u-net"}).eval())
    with torch.no_grad():
        maps = module(example.input)
    assert maps.shape == (1, 4, 120, 160) and float(maps.min()) >= 0 and float(maps.max()) <= 1
    assert (example.input_name, list(example.output_names)) == ("eye", ["maps"])
    grey = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 1), np.uint8).repeat(3, axis=3)
    entered = task.pictures(grey)
    assert entered.shape == (2, 1, 8, 8) and torch.equal(entered[:, 0] * 255, torch.from_numpy(grey[..., 0]).float())


def test_real_eyes_are_labelled_by_the_classical_segmenter_half_by_half(tmp_path: Path) -> None:
    import cv2

    from samebody.synth.iris import capture_eye, draw_identity

    for person in range(3):
        for eye in ("left", "right"):
            folder = tmp_path / "eyes" / f"p{person}" / eye
            folder.mkdir(parents=True)
            shot = capture_eye(draw_identity(3, person, eye), 0, width=320, height=240, difficulty=0.3)
            cv2.imwrite(str(folder / "1.png"), shot.image)
    path = classical_block(tmp_path / "cache", tmp_path / "eyes", "odd")
    assert classical_block(tmp_path / "cache", tmp_path / "eyes", "odd") == path
    images, maps = load_blocks([path])
    assert len(images) == 2  # both eyes of p1
    assert 0.002 < (maps[:, 0] > 127).mean() < (maps[:, 1] > 127).mean() < 0.5


def test_halves_share_no_person_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    from samebody.lab.evaluate.iris_sets import EyeSample

    samples = [EyeSample(f"{p}/left/1.png", "0" * 64, p, "left") for p in "abcde"]
    even, odd = half_of(samples, "even"), half_of(samples, "odd")
    assert {s.person for s in even} == {"a", "c", "e"} and {s.person for s in odd} == {"b", "d"}
    with pytest.raises(EyePicturesError, match="even or odd"):
        half_of(samples, "left")
    with pytest.raises(EyePicturesError, match="there is no folder"):
        IrisSegment(pictures=8, held=4, identities=2, eyes=str(tmp_path / "none")).data(tmp_path, seed=0)


@pytest.mark.parametrize("shape", [(240, 320), (480, 640), (100, 400), (400, 100), (60, 80)])
def test_framing_keeps_the_shape_of_the_eye(shape: tuple[int, int]) -> None:
    grey = np.zeros(shape, dtype=np.uint8)
    side = min(shape) // 2
    grey[:side, :side] = 255
    found = framed(grey)
    assert found.shape == (240, 320)
    height, width = (found > 127).any(axis=1).sum(), (found > 127).any(axis=0).sum()
    assert abs(int(height) - int(width)) <= 2
