"""Threads take turns in the order they came, and nobody's turn is lost when somebody gives up."""

from __future__ import annotations

import threading
import time

from samebody.store.database import Turns


def waiting(turns: Turns, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(turns._waiting) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_turns_come_in_order() -> None:
    turns, order = Turns(), list[int]()
    assert turns.acquire(1)

    def work(number: int) -> None:
        assert turns.acquire(30)
        order.append(number)
        turns.release()

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=work, args=(number,)))
        threads[-1].start()
        waiting(turns, number + 1)
    turns.release()
    for thread in threads:
        thread.join(30)
    assert order == list(range(8))


def test_who_gives_up_takes_no_turn() -> None:
    turns = Turns()
    assert turns.acquire(1)
    assert not turns.acquire(0.01)
    turns.release()
    assert turns.acquire(0.01)


def test_never_two_at_once() -> None:
    turns, inside, most = Turns(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(200):
            if not turns.acquire(0.0005):
                continue
            inside += 1
            time.sleep(0)  # so that another could come in
            most = max(most, inside)
            inside -= 1
            turns.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1 and turns.acquire(0)
