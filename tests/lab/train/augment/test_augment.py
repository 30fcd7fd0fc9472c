"""Augmentations: the same seed gives the same bits, what is not chosen stays, and each does what it says."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.errors import ConfigError, UsageError  # noqa: E402
from samebody.lab.train.augment.mix import beta  # noqa: E402
from samebody.lab.train.parts import augmentations, losses  # noqa: E402

EXACT = {"colour": {"gamma": 0.5, "balance": 0.2, "hue": 0.1, "grey": 0.3}}


def made(name, **more):
    return augmentations[name](**{**EXACT.get(name, {}), **more})


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_of(n=6, size=24, white=1.0):
    pictures = torch.rand(n, 3, size, size, generator=generator(9))
    smooth = torch.nn.functional.avg_pool2d(pictures, 5, 1, 2, count_include_pad=False)
    return {"input": smooth * white, "label": torch.arange(n) % 2, "mask": (smooth[:, :1] > 0.5).float()}


@pytest.mark.parametrize("name", sorted(augmentations))
def test_the_same_seed_gives_the_same_bits_and_torch_s_own_generator_stands_still(name):
    augment, state = made(name, share=0.7), torch.random.get_rng_state()
    first, second = augment(batch_of(), generator(5)), augment(batch_of(), generator(5))
    other = augment(batch_of(), generator(6))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["input"], other["input"])
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("name", sorted(augmentations))
def test_nothing_chosen_changes_nothing_and_the_batch_is_never_written_to(name):
    batch, before = batch_of(), batch_of()
    same = made(name, share=0.0)(batch, generator())
    changed = made(name, share=1.0)(batch, generator())
    for key in before:
        torch.testing.assert_close(same[key], before[key], rtol=0, atol=1e-6)
        assert torch.equal(batch[key], before[key])
    assert not torch.equal(changed["input"], before["input"])


@pytest.mark.parametrize("name", sorted(set(augmentations) - {"mixup", "cutmix"}))
def test_some_samples_are_changed_and_others_are_not(name):
    batch = batch_of(24)
    found = made(name, share=0.5)(batch, generator(1))["input"]
    moved = (found != batch["input"]).flatten(1).any(1)
    assert 4 <= int(moved.sum()) <= 20


@pytest.mark.parametrize("name", sorted(augmentations))
@pytest.mark.parametrize("white", [1.0, 255.0])
def test_values_stay_between_black_and_white(name, white):
    found = made(name, share=1.0, white=white)(batch_of(white=white), generator())["input"]
    assert found.dtype == torch.float32
    assert found.min() >= -1e-5 * white
    assert found.max() <= white * (1 + 1e-5)
    assert found.max() > 0.3 * white


def test_a_flip_moves_the_mask_too():
    batch = batch_of()
    found = augmentations["flip"](share=1)(batch, generator())
    assert torch.equal(found["input"], batch["input"].flip(3))
    assert torch.equal(found["mask"], batch["mask"].flip(3))
    assert torch.equal(found["label"], batch["label"])


def test_a_quarter_turn_by_affine_is_a_quarter_turn():
    augment = augmentations["affine"](share=1, scale=0, shift=0, degrees=180)
    batch = batch_of(1)
    matrix = torch.tensor([[[0.0, -1.0, 23.0], [1.0, 0.0, 0.0]]])  # (x, y) to (23 - y, x): clockwise as seen
    augment.matrices = lambda *_: matrix
    found = augment(batch, generator())
    torch.testing.assert_close(found["input"], torch.rot90(batch["input"], -1, (2, 3)), atol=1e-4, rtol=0)
    assert torch.equal(found["mask"], torch.rot90(batch["mask"], -1, (2, 3)))


def test_affine_turns_about_the_middle_and_keeps_masks_binary():
    augment = augmentations["affine"](share=1, degrees=30, scale=0.2, shift=0, shear=0.1)
    matrices = augment.matrices(torch.ones(8, dtype=torch.bool), (24, 24), generator())
    middle = torch.tensor([11.5, 11.5, 1.0])
    torch.testing.assert_close(matrices @ middle, middle[:2].expand(8, 2), atol=1e-4, rtol=0)
    assert set(augment(batch_of(), generator())["mask"].unique().tolist()) <= {0.0, 1.0}


def test_grey_takes_all_colour():
    found = augmentations["colour"](share=1, grey=1)(batch_of(), generator())["input"]
    torch.testing.assert_close(found[:, 0], found[:, 2])


def test_pictures_of_one_channel_can_be_lit_otherwise():
    batch = {"input": torch.rand(3, 1, 16, 16)}
    for name in ("colour", "noise", "jpeg", "blur"):
        assert augmentations[name](share=1)(batch, generator())["input"].shape == (3, 1, 16, 16)


def test_noise_has_the_variance_of_its_model():
    grey = torch.full((1, 1, 400, 400), 0.5)
    augment = augmentations["noise"](share=1, read=0.05, shot=0.01)
    draws = generator(3)
    torch.rand(1, generator=draws)  # which samples
    read = 0.05 * torch.rand(1, generator=draws)
    shot = 0.01 * torch.rand(1, generator=draws)
    found = augment({"input": grey}, generator(3))["input"]
    assert found.std().item() == pytest.approx((read**2 + shot * 0.5).sqrt().item(), rel=0.01)


def test_jpeg_is_what_a_file_of_that_quality_would_be():
    import cv2

    picture = (batch_of(1)["input"] * 255).round() / 255
    found = augmentations["jpeg"](share=1, low=40, high=40)({"input": picture}, generator())["input"][0]
    rows = (picture[0] * 255).round().byte().permute(1, 2, 0).numpy()
    _, data = cv2.imencode(".jpg", rows[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 40])
    expected = cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1].astype(np.float32) / 255
    np.testing.assert_allclose(found.permute(1, 2, 0).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(("name", "more"), [("blur", {}), ("motion-blur", {}), ("downscale", {"up": "bilinear"})])
def test_detail_is_lost_and_the_mean_is_kept(name, more):
    batch = {"input": torch.rand(4, 3, 32, 32, generator=generator(2))}
    found = augmentations[name](share=1, **more)(batch, generator())["input"]
    assert (found.var((2, 3)) < batch["input"].var((2, 3))).all()
    torch.testing.assert_close(found.mean((2, 3)), batch["input"].mean((2, 3)), atol=0.03, rtol=0)


def test_an_erased_rectangle_has_the_area_asked_for():
    batch = {"input": torch.rand(64, 3, 40, 40, generator=generator(2)) + 0.01}
    found = augmentations["erase"](share=1, least=0.1, most=0.1, fill="black")(batch, generator())["input"]
    black = (found == 0).all(1)
    assert black.float().mean((1, 2)).mean().item() == pytest.approx(0.1, abs=0.01)
    for inside in black:
        rows, columns = inside.any(1).sum(), inside.any(0).sum()
        assert inside.sum() == rows * columns  # one whole rectangle


def test_mixup_is_a_weighted_mean_with_the_same_weights_for_labels():
    batch = batch_of(8)
    found = augmentations["mixup"](share=1)(batch, generator())
    share = found["label_share"]
    assert ((share >= 0.5) & (share <= 1)).all()
    for i in range(8):
        rest = (found["input"][i] - share[i] * batch["input"][i]) / max(1 - share[i].item(), 1e-9)
        if share[i] < 0.99:
            partner = int(((batch["input"] - rest).abs().amax((1, 2, 3))).argmin())
            torch.testing.assert_close(batch["input"][partner], rest, atol=1e-3, rtol=0)
            assert found["label_other"][i] == batch["label"][partner]
    logits = torch.randn(8, 2)
    assert torch.isfinite(losses["cross-entropy"]()({"logits": logits}, found))


def test_cutmix_shares_are_areas():
    batch = {"input": torch.arange(6.0)[:, None, None, None].expand(6, 1, 20, 20).clone(), "label": torch.arange(6)}
    found = augmentations["cutmix"](share=1, white=5.0)(batch, generator(4))
    for i in range(6):
        own = (found["input"][i] == i).float().mean()
        other = found["label_other"][i].item()
        if other != i:
            torch.testing.assert_close(own, found["label_share"][i])
            assert set(found["input"][i].unique().tolist()) == {float(i), float(other)}


def test_a_batch_is_mixed_once_only():
    once = augmentations["mixup"](share=1)(batch_of(), generator())
    with pytest.raises(UsageError, match="only one"):
        augmentations["cutmix"](share=1)(once, generator())


def test_shares_follow_beta():
    values = beta(0.4, 20_000, generator()).numpy()
    assert values.mean() == pytest.approx(0.5, abs=0.01)
    assert values.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.03)


@pytest.mark.parametrize("name", sorted(augmentations))
def test_mistakes_are_named(name):
    with pytest.raises(ConfigError, match="share"):
        augmentations[name](share=1.5)
    with pytest.raises(ConfigError, match="surprise"):
        augmentations[name](surprise=1)


def test_jpeg_refuses_what_it_cannot_write():
    with pytest.raises(UsageError, match="three channels"):
        augmentations["jpeg"](share=1)({"input": torch.rand(1, 5, 8, 8)}, generator())
    with pytest.raises(ConfigError, match="low is above high"):
        augmentations["jpeg"](low=90, high=10)
