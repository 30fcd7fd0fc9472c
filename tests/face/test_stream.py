from __future__ import annotations

import threading
import time
from itertools import count, islice

import cv2
import numpy as np
import pytest

from samebody.face import embed_files
from samebody.face.stream import ordered


def test_results_come_in_order_whatever_finishes_first():
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item * item

    assert list(ordered(slow_first, range(20), workers=4)) == [item * item for item in range(20)]


def test_an_endless_iterable_is_read_only_a_little_ahead():
    drawn = []

    def items():
        for item in count():
            drawn.append(item)
            yield item

    assert list(islice(ordered(lambda item: item, items(), workers=2, ahead=2), 10)) == list(range(10))
    assert len(drawn) <= 10 + 2 * 2


def test_no_more_results_wait_in_memory_than_declared():
    alive, most, lock = 0, 0, threading.Lock()

    class Result:
        def __init__(self) -> None:
            nonlocal alive, most
            with lock:
                alive += 1
                most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            with lock:
                alive -= 1

    for _ in ordered(lambda item: Result(), range(60), workers=2, ahead=2):
        time.sleep(0.001)
    assert most <= 2 * 2 + 2


def test_a_fault_is_raised_at_its_turn():
    def work(item: int) -> int:
        if item == 3:
            raise ZeroDivisionError
        return item

    results = ordered(work, range(10), workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.weights
def test_a_bad_file_never_stops_the_run(analyser, portrait, tmp_path):
    good = tmp_path / "good.png"
    cv2.imwrite(str(good), np.ascontiguousarray(portrait.pixels[..., ::-1]))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), np.full((200, 200, 3), 128, np.uint8))
    paths = [good, tmp_path / "broken.jpg", tmp_path / "missing.png", good, tmp_path / "empty.png", blank]
    results = list(embed_files(paths, analyser))
    assert [result.path for result in results] == paths
    assert [result.error is None for result in results] == [True, False, False, True, False, True]
    assert all(result.error.code for result in results if result.error)
    assert np.array_equal(results[0].analysis.template.vector, results[3].analysis.template.vector)
    assert results[5].analysis.template is None
    assert results[5].analysis.findings[0].reasons[0].code == "face.none"
    alone = analyser.template(portrait).template
    assert np.abs(results[0].analysis.template.vector - alone.vector).max() < 1e-5
