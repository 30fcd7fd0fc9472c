"""Identification and attack detection from tables and templates: against naive counts, and never pooled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from samebody.lab import evaluate
from samebody.lab.evaluate import (
    IdentificationOptions,
    IdentificationResult,
    PadResult,
    ProtocolError,
    ScoreTableError,
    SearchProtocol,
    SubjectLeakageError,
    TemplateSet,
)
from samebody.measure import BootstrapOptions
from tests.lab.evaluate.test_verification import templates

FEW = IdentificationOptions(targets=(0.2, 0.1), ranks=(1, 3), bootstrap=BootstrapOptions(replicates=40))


def protocol(chosen: TemplateSet, enrolled: int = 25) -> SearchProtocol:
    """First sample of the first people enrolled, second samples of everybody searched."""
    first, second = chosen.samples[::3], chosen.samples[1::3]
    people = chosen.subjects[::3].tolist()
    return SearchProtocol(
        tuple(first.tolist()[:enrolled]), tuple(people[:enrolled]), tuple(second.tolist()), tuple(people), "toy"
    )


def test_open_set_rates_agree_with_naive_counts() -> None:
    chosen = templates(40, 3)
    found = evaluate.identification(chosen, protocol(chosen), options=FEW)
    gallery, probes = chosen.vectors[::3][:25], chosen.vectors[1::3]
    scores = (probes.astype(np.float64) @ gallery.astype(np.float64).T).astype(np.float32).astype(np.float64)
    assert (found.enrolled, found.mated_searches, found.non_mated_searches) == (25, 25, 15)
    for point in found.points:
        rates = {entry.rank: entry for entry in point.rates}
        alarms = np.count_nonzero(scores[25:].max(axis=1) >= point.threshold)
        own = scores[np.arange(25), np.arange(25)]
        rank = np.count_nonzero(scores[:25] >= own[:, None], axis=1)
        for limit in (1, 3, 25):
            assert rates[limit].fpir is not None and rates[limit].fpir.errors == alarms
            missed = np.count_nonzero((rank > limit) | (own < point.threshold))
            assert rates[limit].fnir is not None and rates[limit].fnir.errors == missed
    assert found.cmc[0] == np.mean(np.argmax(scores[:25], axis=1) == np.arange(25))
    assert list(found.cmc) == sorted(found.cmc) and found.cmc[-1] == 1.0
    assert IdentificationResult.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_templates_and_a_full_table_of_candidates_agree(tmp_path: Path) -> None:
    chosen = templates(20, 3)
    asked = protocol(chosen, 12)
    from_templates = evaluate.identification(chosen, asked, options=FEW)
    gallery, probes = chosen.vectors[::3][:12], chosen.vectors[1::3]
    scores = (probes.astype(np.float64) @ gallery.astype(np.float64).T).astype(np.float32)
    rows = ["probe_id,probe_subject,reference_subject,score"]
    for row, probe in enumerate(asked.probes):
        for column, subject in enumerate(asked.enrolled_subjects):
            rows.append(f"{probe},{asked.probe_subjects[row]},{subject},{float(scores[row, column])!r}")
    (tmp_path / "candidates.csv").write_text("\n".join(rows))
    from_table = evaluate.identification(tmp_path / "candidates.csv", options=FEW)
    assert from_table.points == from_templates.points and from_table.cmc == from_templates.cmc


def test_searches_that_returned_nobody_count_as_searches() -> None:
    found = evaluate.identification(
        {
            "probe_id": ["1", "2", "3"],
            "probe_subject": ["a", "b", "z"],
            "reference_subject": ["a", "", ""],
            "score": [0.9, np.nan, np.nan],
        },
        enrolled=2,
        options=IdentificationOptions(
            targets=(), thresholds=(0.5,), ranks=(1,), bootstrap=BootstrapOptions(replicates=20)
        ),
    )
    (point,) = found.points
    assert found.mated_searches == 1 and found.non_mated_searches == 2
    assert point.rates[0].fpir is not None and point.rates[0].fpir.errors == 0


def test_probes_without_a_template_are_failures_not_misses() -> None:
    chosen = templates(10, 3)
    asked = protocol(chosen, 6)
    keep = np.ones(30, dtype=bool)
    keep[[1, 28]] = False
    lost = evaluate.template_set(
        {
            "vectors": chosen.vectors,
            "sample": chosen.samples,
            "subject": chosen.subjects,
            "acquired": keep,
        }
    )
    found = evaluate.identification(lost, asked, options=FEW)
    assert (found.failed_mated, found.failed_non_mated) == (1, 1)
    assert (found.mated_searches, found.non_mated_searches) == (5, 3)


def test_protocol_mistakes_are_named() -> None:
    chosen = templates(10, 3)
    asked = protocol(chosen, 6)
    with pytest.raises(ProtocolError, match="not in"):
        evaluate.identification(chosen, SearchProtocol(("x",), ("y",), asked.probes, asked.probe_subjects, "toy"))
    with pytest.raises(ProtocolError, match="another subject"):
        evaluate.identification(
            chosen,
            SearchProtocol(asked.enrolled, asked.enrolled_subjects[::-1], asked.probes, asked.probe_subjects, "t"),
        )
    with pytest.raises(ScoreTableError, match="need a protocol"):
        evaluate.identification(chosen)
    with pytest.raises(ScoreTableError, match="'probe_subject' is missing"):
        evaluate.identification({"score": [1.0], "probe_id": ["a"]})
    with pytest.raises(ScoreTableError, match="a probe of two subjects"):
        evaluate.identification(
            {"probe_id": [1, 1], "probe_subject": ["a", "b"], "reference_subject": ["a", "b"], "score": [0.1, 0.2]}
        )


# -------------------------------------------------------------------------------------------------------------- PAD


def presentations(seed: int = 0, people: int = 30) -> dict[str, list[object]]:
    generator = np.random.default_rng(seed)
    rows: dict[str, list[object]] = {"score": [], "pai_species": [], "subject": [], "attack_potential": []}
    for kind, mean, potential in (("", 0.8, ""), ("print", 0.2, "low"), ("replay", 0.4, "low"), ("mask", 0.7, "high")):
        for person in range(people):
            rows["score"].append(float(generator.normal(mean, 0.1)))
            rows["pai_species"].append(kind)
            rows["subject"].append(f"s{seed}.{person}")
            rows["attack_potential"].append(potential)
    return rows


def test_species_are_never_pooled() -> None:
    table = presentations()
    found = evaluate.pad(table, unit="presentation", options=evaluate.PadOptions((0.6,), BootstrapOptions(20)))
    rates = found.rates[0]
    scores, species = np.array(table["score"], dtype=float), np.array(table["pai_species"])
    for entry in rates.species:
        assert entry.apcer is not None
        assert entry.apcer.rate == np.mean(scores[species == entry.species] >= 0.6)
    high = next(entry for entry in rates.potentials if entry.attack_potential == "high")
    assert high.worst_species == "mask" and high.apcer == max(e.apcer.rate for e in rates.species if e.apcer)
    assert rates.bpcer is not None and rates.bpcer.rate == np.mean(scores[species == ""] < 0.6)
    assert [point.name for point in found.points] == ["BPCER20", "BPCER100", "BPCER1000"]
    assert any("BPCER1000: too few attacks" in warning for warning in found.warnings)
    assert PadResult.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_no_response_is_a_rate_of_its_own() -> None:
    table = presentations()
    table["score"][0] = table["score"][30] = float("nan")
    rates = evaluate.pad(table, unit="presentation", options=evaluate.PadOptions((0.6,), BootstrapOptions(20))).rates[0]
    prints = next(entry for entry in rates.species if entry.species == "print")
    assert prints.apnrr.errors == 1 and prints.apcer is not None and prints.apcer.trials == 29
    assert rates.bpnrr is not None and rates.bpnrr.errors == 1


def test_the_acer_takes_its_threshold_from_other_people() -> None:
    found = evaluate.pad(presentations(), unit="video", development=presentations(1))
    assert found.acer is not None and found.acer.label == "ACER (literature)"
    with pytest.raises(SubjectLeakageError):
        evaluate.pad(presentations(), unit="video", development=presentations())


def test_frames_become_presentations_by_the_named_aggregation() -> None:
    table = presentations(people=10)
    table["presentation"] = [f"{kind}{who}" for kind, who in zip(table["pai_species"], table["subject"])]
    doubled = {key: [*value, *value] for key, value in table.items()}
    doubled["score"] = [*table["score"], *[float(value) + 0.2 for value in table["score"]]]  # type: ignore[arg-type]
    found = evaluate.pad(doubled, unit="video", aggregation="mean", options=evaluate.PadOptions((0.6,)))
    rows = [index for index, kind in enumerate(table["pai_species"]) if kind == "print"]
    expected = np.mean([float(table["score"][row]) + 0.1 >= 0.6 for row in rows])  # type: ignore[arg-type]
    entry = next(entry for entry in found.rates[0].species if entry.species == "print")
    assert entry.apcer is not None and entry.apcer.trials == 10 and entry.apcer.rate == expected
    assert found.attacks == 30


def test_mistakes_of_a_pad_table_are_all_named() -> None:
    table = presentations(people=5)
    table["score"][3] = float("inf")
    table["attack_potential"][6] = "high"
    table["subject"][1] = ""
    with pytest.raises(ScoreTableError) as caught:
        evaluate.pad(table, unit="frame")
    text = "\n".join(caught.value.problems)
    for part in ("an infinite score", "two attack potentials", "an empty subject"):
        assert part in text
    with pytest.raises(ScoreTableError, match="no bona fide"):
        evaluate.pad({"score": [0.1], "pai_species": ["print"]}, unit="frame")
    with pytest.raises(ScoreTableError, match="'presentation' is missing"):
        evaluate.pad(presentations(), unit="video", aggregation="mean")
