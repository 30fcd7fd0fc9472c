"""The near-duplicate search finds every pair within the radius, both ways; the hash survives saving anew."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from samebody.capture import perceptual
from samebody.capture.perceptual import RADIUS, distance, from_hex, pack, perceptual_hash, to_hex, unpack
from samebody.lab.data.near import BANDS, MAX_RADIUS, _flips, connected, near_between, near_pairs
from samebody.lab.data.perceptual import turned
from tests.lab.data.pictures import encoded, picture


def planted(seed: int, count: int, radius: int) -> NDArray[np.uint64]:
    """Random hashes with copies at distances around the radius."""
    random = np.random.default_rng(seed)
    hashes = random.integers(0, 2**63, (count, 4), dtype=np.uint64)
    for row in range(count // 2, count):
        bits = unpack(hashes[row - count // 2][None]).reshape(256)
        flipped = random.permutation(256)[: random.integers(0, radius + 6)]
        bits[flipped] ^= True
        hashes[row] = pack(bits.reshape(1, 16, 16))[0]
    return hashes


def naive(hashes: NDArray[np.uint64], radius: int) -> set[tuple[int, int, int]]:
    found = set()
    for one in range(len(hashes)):
        for two in range(one + 1, len(hashes)):
            apart = distance(hashes[one], hashes[two])
            if 0 < apart <= radius:
                found.add((one, two, apart))
    return found


@pytest.mark.parametrize("radius", [0, 7, 12, 23, 29, MAX_RADIUS])
def test_both_ways_find_what_comparing_all_finds(radius: int) -> None:
    hashes = planted(radius, 240, radius)
    expected = naive(hashes, radius)
    for brute in (0, 1000):
        near = near_pairs(hashes, radius, threads=2, brute=brute)
        found = set(zip(near.first.tolist(), near.second.tolist(), near.distances.tolist()))
        assert {entry for entry in found if entry[2]} == expected
        between = near_between(hashes, hashes, radius, threads=2, brute=brute)
        both = set(zip(between.first.tolist(), between.second.tolist(), between.distances.tolist()))
        assert {entry for entry in both if entry[0] < entry[1] and entry[2]} == expected


@given(st.integers(0, MAX_RADIUS))
def test_the_bands_leave_no_gap(radius: int) -> None:
    # the most bits that two hashes can differ in while no band is within its limit, plus one, is beyond the radius
    assert sum(_flips(band, radius) + 1 for band in range(BANDS)) > radius


def test_equal_hashes_are_a_star_and_groups_are_joined_once() -> None:
    base = planted(1, 4, 0)[:2]
    near_one = base[0] ^ np.array([1 << 5, 0, 0, 0], np.uint64)
    hashes = np.stack([base[0]] * 500 + [near_one] * 500 + [base[1]])
    for brute in (0, 1000):
        near = near_pairs(hashes, 3, brute=brute)
        assert len(near) == 499 + 499 + 1
        assert near.distances.tolist() == [0] * 998 + [1]
        root = connected(near.first, near.second, len(hashes))
        assert set(root[:1000].tolist()) == {0} and root[1000] == 1000


@pytest.mark.parametrize("radius", [-1, MAX_RADIUS + 1])
def test_radii_that_cannot_be_are_refused(radius: int) -> None:
    with pytest.raises(ValueError, match="radius"):
        near_pairs(planted(0, 4, 1), radius)
    with pytest.raises(ValueError, match="shape"):
        near_pairs(np.zeros((3, 2), np.uint64), 1)


def test_nothing_is_near_nothing() -> None:
    assert len(near_pairs(np.zeros((0, 4), np.uint64), 5)) == 0
    assert len(near_between(np.zeros((0, 4), np.uint64), planted(0, 4, 1), 5)) == 0


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(60, 95), st.sampled_from([0.6, 0.8, 1.6]))
def test_saving_and_scaling_stay_within_the_radius(seed: int, quality: int, scale: float) -> None:
    image = picture(seed, 160)
    side = round(160 * scale)
    again = Image.open(
        io.BytesIO(encoded(image.resize((side, side), Image.Resampling.LANCZOS), "JPEG", quality=quality))
    )
    one, two = perceptual_hash(np.asarray(image)), perceptual_hash(np.asarray(again))
    assert one is not None and two is not None and distance(one, two) <= RADIUS


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_different_pictures_are_beyond_it(one: int, two: int) -> None:
    first, second = perceptual_hash(np.asarray(picture(one))), perceptual_hash(np.asarray(picture(two)))
    assert first is not None and second is not None
    assert (distance(first, second) > RADIUS) == (one != two)


def test_hashes_of_turned_pictures_follow_from_the_hash() -> None:
    pixels = np.asarray(picture(3, 128))
    plain = perceptual_hash(pixels)
    assert plain is not None
    variants = turned(plain[None])
    expected = {
        "mirrored": pixels[:, ::-1],
        "flipped": pixels[::-1],
        "half turn": pixels[::-1, ::-1],
        "transposed": pixels.transpose(1, 0, 2),
        "quarter turn right": np.rot90(pixels, -1),
        "quarter turn left": np.rot90(pixels),
        "transposed half turn": pixels[::-1, ::-1].transpose(1, 0, 2),
    }
    assert set(variants) == set(expected)
    for name, turned_pixels in expected.items():
        made = perceptual_hash(np.ascontiguousarray(turned_pixels))
        assert made is not None and distance(made, variants[name][0]) <= 2, name


def test_flat_pictures_have_no_hash() -> None:
    assert perceptual_hash(np.full((40, 40, 3), 90, np.uint8)) is None


@given(st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=4))
def test_hex_and_bits_come_back(words: list[int]) -> None:
    value = np.array(words, np.uint64)
    assert (from_hex(to_hex(value)) == value).all()
    assert (pack(unpack(value[None]))[0] == value).all()
    assert distance(value, np.zeros(4, np.uint64)) == unpack(value[None]).sum()


def test_bit_0_the_mean_is_never_set() -> None:
    value = perceptual_hash(np.asarray(picture(5)))
    assert value is not None and not unpack(value[None])[0, 0, 0] and perceptual.BITS == 256
