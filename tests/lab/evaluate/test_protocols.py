"""Protocols: LFW's list of pairs, tables of pairs, enrolment and probes, splits; every mistake at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from samebody.lab.evaluate import ProtocolError, SubjectLeakageError, read_pairs, read_search_protocol, read_split

LFW = "2\t2\nAnn\t1\t4\nBob\t2\t3\nAnn\t1\tBob\t1\nCy\t1\tBob\t2\nCy\t1\t2\nDee\t1\t2\nAnn\t2\tDee\t1\nCy\t2\tDee\t2\n"


def test_lfws_pairs_are_read_with_their_folds(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text(LFW)
    pairs = read_pairs(tmp_path / "pairs.txt")
    assert pairs.probe[0] == "Ann/Ann_0001" and pairs.reference[0] == "Ann/Ann_0004"
    assert pairs.reference[3] == "Bob/Bob_0002"
    assert pairs.mated is not None and pairs.mated.tolist() == [True, True, False, False] * 2
    assert pairs.fold is not None and pairs.fold.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert "2 folds" in pairs.description


def test_a_development_list_has_no_folds(tmp_path: Path) -> None:
    (tmp_path / "pairsDevTrain.txt").write_text("1\nAnn\t1\t2\nAnn\t1\tBob\t2\n")
    assert read_pairs(tmp_path / "pairsDevTrain.txt").fold is None


def test_every_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("1\t2\nAnn\t1\tone\nBob\t2\t2\nAnn\t1\tAnn\t2\n")
    with pytest.raises(ProtocolError) as caught:
        read_pairs(tmp_path / "pairs.txt")
    for part in ("3 pairs instead of", "line 2 is neither", "line 3 compares a sample with itself", "line 4 names one"):
        assert part in caught.value.message
    (tmp_path / "pairs.txt").write_text("Ann 1 2\n")
    with pytest.raises(ProtocolError, match="must begin with"):
        read_pairs(tmp_path / "pairs.txt")
    (tmp_path / "pairs.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProtocolError, match="no text"):
        read_pairs(tmp_path / "pairs.txt")


def test_a_table_of_pairs_is_read(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("probe_id,reference_id,mated,fold\na,b,1,x\na,c,no,y\n")
    pairs = read_pairs(tmp_path / "pairs.csv")
    assert pairs.mated is not None and pairs.mated.tolist() == [True, False]
    assert pairs.fold is not None and pairs.fold.tolist() == [0, 1]


def test_mistakes_of_a_table_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("probe_id,reference_id,mated\na,a,1\n,c,perhaps\na,b,0\na,b,0\n")
    with pytest.raises(ProtocolError) as caught:
        read_pairs(tmp_path / "pairs.csv")
    for part in (
        "with itself in row 1",
        "empty probe_id in row 2",
        "neither true nor false in row 2",
        "1 pairs are named twice",
    ):
        assert part in caught.value.message
    (tmp_path / "pairs.csv").write_text("probe,ref\na,b\n")
    with pytest.raises(ProtocolError, match="no column probe_id and no column reference_id"):
        read_pairs(tmp_path / "pairs.csv")


def test_open_and_closed_sets_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "enrol.csv").write_text("sample,subject\na1,a\nb1,b\n")
    (tmp_path / "closed.csv").write_text("sample,subject\na2,a\nb2,b\n")
    (tmp_path / "open.csv").write_text("sample,subject\na2,a\nz1,z\n")
    closed = read_search_protocol(tmp_path / "enrol.csv", tmp_path / "closed.csv")
    opened = read_search_protocol(tmp_path / "enrol.csv", tmp_path / "open.csv")
    assert closed.closed and not opened.closed
    assert "N = 2" in closed.description and "1 non-mated" in opened.description


def test_a_sample_enrolled_and_searched_is_refused(tmp_path: Path) -> None:
    (tmp_path / "enrol.csv").write_text("sample,subject\na1,a\na1,a\n")
    (tmp_path / "probes.csv").write_text("sample,subject\na1,a\nb1,\n")
    with pytest.raises(ProtocolError) as caught:
        read_search_protocol(tmp_path / "enrol.csv", tmp_path / "probes.csv")
    for part in ("1 samples twice", "empty cells", "enrolled and searched (a1)"):
        assert part in caught.value.message


def test_a_subject_in_both_parts_of_a_split_is_leakage(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("subject,split\na,dev\nb,test\na,dev\n")
    assert read_split(tmp_path / "split.csv").development == ("a",)
    (tmp_path / "split.csv").write_text("subject,split\na,dev\na,test\nb,test\n")
    with pytest.raises(SubjectLeakageError, match="stand in dev and in test"):
        read_split(tmp_path / "split.csv")
    (tmp_path / "split.csv").write_text("subject,split\na,holdout\n")
    with pytest.raises(ProtocolError, match="holdout"):
        read_split(tmp_path / "split.csv")
    (tmp_path / "split.csv").write_text("subject,split\na,dev\n")
    with pytest.raises(ProtocolError, match="no subject in test"):
        read_split(tmp_path / "split.csv")
