from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.errors import EmbeddingSpaceMismatchError
from samebody.iris import IrisTemplate, compare_irises, from_open_iris, to_open_iris
from samebody.iris.compare import ComparisonParameters
from samebody.iris.errors import InvalidIrisTemplateError, OpenIrisFormatError, TooFewBitsError
from samebody.iris.openiris import open_iris_distance
from tests.iris.codes import random_template

ORACLES = Path(__file__).parent / "oracles"
CASES = json.loads((ORACLES / "cases.json").read_text())["groups"]
VALUES = json.loads((ORACLES / "open_iris.json").read_text())
OPEN_IRIS_KEYS = ("iris_codes", "mask_codes", "iris_code_version")


@pytest.mark.parametrize("group", range(len(CASES)))
def test_its_matchers_give_the_same_distances(group: int) -> None:
    assert VALUES["versions"]["open-iris"] == "1.11.2"
    templates = [from_open_iris(item) for item in CASES[group]["templates"]]
    expected = VALUES["groups"][group]
    assert expected["columns"] == CASES[group]["columns"] and len(expected["matchers"]) >= 7
    for entry in expected["matchers"]:
        for (i, j), value in zip(expected["pairs"], entry["distances"]):
            try:
                found = open_iris_distance(templates[i], templates[j], entry["matcher"], **entry["settings"]).distance
            except TooFewBitsError:
                found = 1.0
            assert found == pytest.approx(value, abs=1e-6), (entry["matcher"], entry["settings"], i, j)


def test_our_plain_distance_is_that_of_its_simple_matcher() -> None:
    plain = ComparisonParameters(normalisation="none", minimum_bits=1)
    for cases, expected in zip(CASES, VALUES["groups"]):
        templates = [from_open_iris(item) for item in cases["templates"]]
        simple = next(e for e in expected["matchers"] if e["matcher"].startswith("Simple") and not e["settings"])
        compared = 0
        for (i, j), value in zip(expected["pairs"], simple["distances"]):
            try:
                found = compare_irises(templates[i], templates[j], plain)
            except TooFewBitsError:
                continue
            compared += 1
            assert found.distance == pytest.approx(value, abs=1e-6)
        assert compared > 60


def test_what_open_iris_wrote_comes_back_as_it_was() -> None:
    for cases in CASES:
        for item in cases["templates"]:
            theirs = {key: item[key] for key in OPEN_IRIS_KEYS}
            template = from_open_iris(json.dumps(theirs), eye="right")
            again = to_open_iris(template)
            assert {key: again[key] for key in OPEN_IRIS_KEYS} == theirs
            assert template.eye == "right" and template.version == item["iris_code_version"]
    assert from_open_iris({"error": None, "iris_template": theirs}).usable_bits == template.usable_bits


@given(st.integers(0, 2**32 - 1), st.sampled_from([200, 256]), st.sampled_from(["left", "right", "unknown"]))
@settings(max_examples=20, deadline=None)
def test_ours_comes_back_with_eye_space_and_version(seed: int, columns: int, eye: str) -> None:
    template = random_template(seed, columns, eye=eye, space="0123456789abcdef", version="default-3")
    document = to_open_iris(template)
    assert document["iris_code_version"] == "v0.0"
    again = from_open_iris(json.dumps(document))
    assert again.to_bytes() == template.to_bytes()


def test_bits_lie_where_open_iris_looks_for_them() -> None:
    """Its first bit is row 0, column 0, wavelet 0, real; its last is row 15, last column, wavelet 1, imaginary."""
    import base64

    bits = np.zeros((16, 256, 2, 2), dtype=bool)
    bits[0, 0, 0, 0] = bits[15, 255, 1, 1] = bits[0, 1, 0, 0] = True
    raw = base64.b64decode(to_open_iris(IrisTemplate.from_bits(bits, bits))["iris_codes"])
    assert (raw[0], raw[-1], len(raw)) == (0b10001000, 1, 2048)


def test_templates_of_open_iris_and_ours_do_not_compare() -> None:
    item = {key: CASES[1]["templates"][0][key] for key in OPEN_IRIS_KEYS}
    theirs = from_open_iris(item)
    other = from_open_iris({**item, "iris_code_version": "v3.0"})
    ours = IrisTemplate(theirs.code, theirs.mask, space="ours")
    for reference in (other, ours):
        with pytest.raises(EmbeddingSpaceMismatchError):
            compare_irises(theirs, reference)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iris_codes": None}, "iris_codes: a base64 text"),
        ({"mask_codes": "%%%"}, "mask_codes: not base64"),
        ({"mask_codes": "AAAA"}, "mask_codes: 3 bytes"),
        ({"iris_code_version": "2"}, "iris_code_version"),
        ({"iris_code_version": 2}, "iris_code_version"),
        ({"samebody": {"eye": "middle"}}, "samebody.eye"),
        ({"samebody": {"eye": 3}}, "samebody: an object"),
        ({"samebody": []}, "samebody: an object"),
    ],
)
def test_mistakes_are_named(change: dict[str, Any], message: str) -> None:
    good = CASES[1]["templates"][0]
    with pytest.raises(OpenIrisFormatError, match=message):
        from_open_iris({**good, **change})


def test_all_mistakes_are_named_at_once_and_junk_is_refused() -> None:
    with pytest.raises(OpenIrisFormatError, match=r"iris_codes.*mask_codes.*iris_code_version"):
        from_open_iris({})
    for junk in ("", "[1]", "{", b"\xff\xfe", "[" * 100_000, '"text"', "null"):
        with pytest.raises(OpenIrisFormatError):
            from_open_iris(junk)


def test_code_and_mask_of_different_size_are_refused() -> None:
    mixed = {**CASES[1]["templates"][0], "mask_codes": CASES[0]["templates"][0]["mask_codes"]}
    with pytest.raises(OpenIrisFormatError, match="256 and 200"):
        from_open_iris(mixed)


def test_halves_need_an_even_number_of_columns() -> None:
    a, b = random_template(1, 9), random_template(2, 9)
    with pytest.raises(InvalidIrisTemplateError, match="even"):
        open_iris_distance(a, b)
    assert 0 < open_iris_distance(a, b, separate_half_matching=False).distance < 0.6
