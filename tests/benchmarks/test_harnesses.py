"""The accuracy harnesses count right, go on after a kill, and never pool forgery species."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import calibrate_forgery, cameras, forgery_rates, mrz_accuracy, specimens


def _mrz_record(seed: int, *, exact: bool, silent: bool = False, format: str = "TD3") -> dict[str, Any]:
    return {
        "case": ["second", format, "moderate", seed],
        "milliseconds": 100.0 + seed,
        "parameters": dict.fromkeys(mrz_accuracy.QUARTILED, float(seed)),
        "located": True,
        "exact": exact,
        "silent": ["name"] if silent else [],
        "wrong_fields": [] if exact else ["name"],
        "characters": [88 if exact else 87, 88],
        "confusions": [] if exact else ["O0"],
        "cause": None if exact else "wrong characters",
    }


def test_mrz_figures_count_photographs_characters_and_quartiles() -> None:
    records = [_mrz_record(seed, exact=seed >= 4, silent=seed == 0) for seed in range(16)]
    figures = mrz_accuracy.summarise(records)
    assert figures["exact"]["hits"] == 12 and figures["exact"]["trials"] == 16
    assert figures["silent"]["hits"] == 1
    assert figures["character_accuracy"] == pytest.approx(1 - 4 / (16 * 88))
    assert figures["confusions"] == {"O read as 0": 4}
    assert [cell["exact"]["rate"] for cell in figures["quartiles"]["tilt_degrees"]] == [0.0, 1.0, 1.0, 1.0]
    assert figures["causes"] == {"wrong characters": 4}


def test_a_killed_run_goes_on_without_measuring_twice(tmp_path: Path) -> None:
    cases = [("second", "TD3", "moderate", seed) for seed in range(5)]
    journal = tmp_path / "run.jsonl"
    lines = [json.dumps(_mrz_record(seed, exact=True)) for seed in (0, 1)]
    journal.write_text("\n".join([*lines, lines[0][: len(lines[0]) // 2]]), "utf-8")  # the third line was cut off
    measured: list[int] = []

    def fake(missing: Sequence[mrz_accuracy.Case]) -> Iterator[dict[str, Any]]:
        for case in missing:
            measured.append(case[3])
            yield _mrz_record(case[3], exact=False)

    records = specimens.collect(cases, fake, journal, progress=False)
    assert measured == [2, 3, 4]
    assert [record["exact"] for record in records] == [True, True, False, False, False]
    measured.clear()
    assert specimens.collect(cases, fake, journal, progress=False) == records
    assert measured == []


def _forgery_record(species: str, seed: int, **outcomes: str) -> dict[str, Any]:
    return {
        "case": ["second", species, "TD3", "moderate", seed],
        "milliseconds": 1.0,
        "outcomes": {f"document.forgery.{name}": outcome for name, outcome in outcomes.items()},
        "scores": {},
    }


def test_forgery_rates_stand_by_species_and_name_the_weakest() -> None:
    records = [_forgery_record("bona-fide", seed, noise="pass") for seed in range(10)]
    records += [_forgery_record("reprint", seed, noise="fail" if seed < 9 else "unsure") for seed in range(10)]
    records += [
        _forgery_record("date_plain", seed) if seed else _forgery_record("date_plain", 0, noise="fail")
        for seed in range(10)
    ]
    figures = forgery_rates.summarise(records)
    noise = figures["checks"]["document.forgery.noise"]
    assert noise["reprint"]["fail"]["hits"] == 9 and noise["reprint"]["unsure"]["hits"] == 1
    assert noise["date_plain"]["not_run"]["hits"] == 9 and noise["date_plain"]["fail"]["trials"] == 10
    assert noise["bona-fide"]["fail"]["rate"] == 0.0
    assert figures["weakest_species"] == "date_plain"
    assert figures["together"]["reprint"]["any_fail_or_unsure"]["hits"] == 10


def test_pages_show_every_species_apart() -> None:
    records = [
        _forgery_record(kind, seed, noise="fail") for kind in ("bona-fide", *forgery_rates.SPECIES) for seed in range(3)
    ]
    figures = {
        "photographs_per_species": 3,
        "difficulty": "moderate",
        "formats": ["TD3"],
        "portraits": "drawn",
        **specimens.circumstances(),
        "results": {"second": {"version": "x", **forgery_rates.summarise(records)}},
    }
    text = forgery_rates.markdown(figures)
    assert all(species in text for species in forgery_rates.SPECIES)
    assert "100 % (29-100)" in text


def test_the_mrz_page_says_whether_targets_are_met() -> None:
    good = [_mrz_record(seed, exact=True) for seed in range(8)]
    bad = [_mrz_record(seed, exact=False, format="TD1") for seed in range(8)]
    figures = {
        "renderer": "second",
        "renderer_version": "x",
        "first_seed": 1000,
        "photographs_per_cell": 8,
        "workers": 1,
        **specimens.circumstances(),
        "results": [
            {"format": "TD3", "difficulty": "moderate", **mrz_accuracy.summarise(good)},
            {"format": "TD1", "difficulty": "moderate", **mrz_accuracy.summarise(bad)},
        ],
        "totals": [{"difficulty": "moderate", **mrz_accuracy.summarise(good + bad)}],
    }
    rows = [line for line in mrz_accuracy.markdown(figures).splitlines() if line.startswith("| moderate")]
    assert rows[0].endswith("| yes |") and rows[1].endswith("| no |")


def test_pictures_are_rendered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    jpeg, truth = specimens.cached("second", "TD1", "hard", 3)

    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr(specimens, "make", never)
    again, same = specimens.cached("second", "TD1", "hard", 3)
    assert again == jpeg and same == truth


def test_a_limit_expects_a_new_camera_to_differ_as_the_known_ones_do() -> None:
    alike = [(kind, 1.0 + 0.01 * index) for index, kind in enumerate("abcd" * 5)]
    apart = [(kind, 1.0 + "abcd".index(kind)) for kind in "abcd" * 5]
    near, _ = calibrate_forgery.limit_of(alike, 0.01, 0.1)
    far, doubt = calibrate_forgery.limit_of(apart, 0.01, 0.1)
    assert near < 1.3 and far > 5  # one camera in twenty is expected above
    assert doubt <= 4 < far
    alone, _ = calibrate_forgery.limit_of([("a", 1.0), ("a", 1.2)], 0.01, 0.1)
    assert alone > 1.2


def test_no_camera_or_seed_both_sets_limits_and_counts_alarms() -> None:
    cases = calibrate_forgery.bona_fide_cases(40)
    halves: dict[bool, set[tuple[str, int]]] = {True: set(), False: set()}
    for case in cases:
        halves[calibrate_forgery.is_tuning({"case": case})].add((case[2], case[4]))
    for tuning, held_out in zip(*(map(list, zip(*halves[side], strict=True)) for side in (True, False)), strict=True):
        assert not set(tuning) & set(held_out)
    assert {case[2] for case in cases} == set(cameras.KINDS)


@pytest.mark.parametrize("kind", list(cameras.KINDS))
def test_every_camera_develops_the_same_picture_twice(kind: str) -> None:
    picture = np.full((64, 96, 3), 140, np.float32)
    picture[20:40, 30:60] = 60
    first, again = (cameras.developer(kind, 3)(picture.copy(), np.random.default_rng(1)) for _ in range(2))
    assert first == again
    assert first[0] != cameras.developer(kind, 4)(picture.copy(), np.random.default_rng(1))[0]
    for way in cameras.WAYS:
        assert cameras.sent(first[0], way, 2) == cameras.sent(first[0], way, 2)
