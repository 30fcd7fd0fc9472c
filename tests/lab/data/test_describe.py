"""Balance, coverage, the data sheet and the difference of two versions say what is there."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.lab.data import DataSet, Manifest
from samebody.lab.data.balance import balance, left_out, weights
from samebody.lab.data.card import card
from samebody.lab.data.coverage import coverage, heat_map
from samebody.lab.data.diff import diff
from samebody.lab.data.errors import ManifestError, TooFewError
from samebody.lab.data.manifest import text
from samebody.lab.data.split import split


def made(cells: list[tuple[str, str]]) -> Manifest:
    return Manifest.from_rows(
        {"sample": f"{n:04d}", "sha256": f"{n:064x}", "gender": a, "race": b, "subject": f"s{n % 3}"}
        for n, (a, b) in enumerate(cells)
    )


CELLS = st.lists(st.tuples(st.sampled_from("fm"), st.sampled_from("xyz")), min_size=1, max_size=60)


@given(CELLS)
def test_weights_make_cells_count_alike_and_keep_the_sum(cells: list[tuple[str, str]]) -> None:
    manifest = made(cells)
    found = weights(manifest, ["gender", "race"])
    sums: Counter[tuple[str, str]] = Counter()
    for row in manifest.rows():
        sums[row["gender"], row["race"]] += found[row["sample"]]  # type: ignore[assignment]
    assert max(sums.values()) == pytest.approx(min(sums.values()))
    assert sum(found.values()) == pytest.approx(len(cells))


@given(CELLS, st.integers(0, 5), st.one_of(st.none(), st.integers(1, 5)))
def test_leaving_out_stops_at_the_limit_and_is_seeded(
    cells: list[tuple[str, str]], seed: int, limit: int | None
) -> None:
    manifest = made(cells)
    out = left_out(manifest, ["gender", "race"], seed, limit)
    before = Counter(cells)
    after = Counter((r["gender"], r["race"]) for r in manifest.rows() if r["sample"] not in out)
    assert after == {cell: min(count, limit or min(before.values())) for cell, count in before.items()}
    assert out == left_out(manifest, ["gender", "race"], seed, limit)


def test_balancing_commits_and_deletes_nothing(data_set: DataSet) -> None:
    with data_set.writing():
        data_set.commit(data_set.manifest().with_columns(gender=text(["f"] * 9 + ["m"] * 3)), "by hand")
    version, result = balance(data_set, ["gender"], "leave-out")
    assert result.before == {"f": 9, "m": 3} and result.after == {"f": 3, "m": 3} and result.effective == 6
    assert Counter(data_set.manifest(version)["quarantine"])["balance.left_out"] == 6
    _, even = balance(data_set, ["gender"], "weights", version=version.parents[0])
    assert even.effective == pytest.approx(12**2 / (9 * (6 / 9) ** 2 + 3 * 2**2))
    empty = data_set.manifest().with_columns(quarantine=text(["x"] * 12))
    with pytest.raises(TooFewError):
        weights(empty, ["gender"])
    with pytest.raises(ManifestError):
        balance(data_set, ["nothing"])


def test_coverage_counts_every_cell_and_names_missing_and_thin_ones() -> None:
    found = coverage(made([("f", "x")] * 5 + [("m", "y")] * 40 + [("m", "")] * 2), ["gender", "race"], 30)
    counts = {cell.values: (cell.samples, cell.subjects) for cell in found.cells}
    assert counts == {
        ("f", "x"): (5, 3), ("f", "y"): (0, 0), ("f", "unknown"): (0, 0),
        ("m", "x"): (0, 0), ("m", "y"): (40, 3), ("m", "unknown"): (2, 2),
    }  # fmt: skip
    assert [cell.values for cell in found.thin] == [("f", "x"), ("m", "unknown")]
    assert len(found.missing) == 3 and found.samples == 47
    with pytest.raises(ManifestError):
        coverage(made([("f", "x")]), [])


def test_the_heat_map_needs_nothing_from_outside_and_escapes_names() -> None:
    page = heat_map(coverage(made([("<script>f", "x"), ("m", "y")] * 3), ["gender", "race"], 30), "a <b> title")
    assert "<script" not in page and "&lt;script&gt;f" in page and "a &lt;b&gt; title" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "") and "https://" not in page
    assert page.count("<rect") == 4 and page.count('class="thin"') == 2 and page.count("<path") == 2
    assert "default-src 'none'" in page


def test_the_data_sheet_says_what_is_there_and_what_nobody_stated(data_set: DataSet) -> None:
    split(data_set, {"train": 0.5, "test": 0.5})
    held = data_set.describe(purpose="tests of the data sheet")
    page = card(held, held.version())
    for said in (
        "12 samples, 12 usable",
        "**Purpose.** tests of the data sheet",
        "**Consent.** Not stated.",
        "subjects: 4",
        "licences: CC0-1.0 12",
        "train: 6 samples, 2 subjects",
        "split: files 12, leaks 0",
        "ingest:",
    ):
        assert said in page, said
    assert DataSet.open(data_set.folder).about["purpose"] == "tests of the data sheet"


def test_a_difference_names_rows_and_cells() -> None:
    before = made([("f", "x"), ("m", "y"), ("m", "z")])
    rows = before.rows()[1:]
    rows[0]["race"] = "x"
    rows.append({"sample": "new", "sha256": "f" * 64})
    found = diff(before, Manifest.from_rows(rows))
    assert found.added == ("new",) and found.removed == ("0000",) and found.unchanged == 1
    assert found.changed == {"0001": {"race": ("y", "x")}} and found.columns == {"race": 1}
    same = diff(before, before)
    assert not same.added and not same.removed and not same.changed and same.unchanged == 3
