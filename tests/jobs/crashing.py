"""Child processes of the crash test: a worker, and a sender of webhooks to a receiver that fails half the time."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from datetime import timedelta
from pathlib import Path

from samebody.jobs import Claim, Deliveries, Delivery, Queue, Receipt, Worker
from samebody.store import LocalMasterKey, Store
from samebody.store.lifecycle import Limits
from samebody.store.verdicts import Conclusion, FindingSummary

LEASE = timedelta(seconds=1)
LIMITS = Limits(failures=10_000, backoff=timedelta())
"""A session here dies with its worker many times through no fault of its own."""
BACKOFF = (timedelta(seconds=0.01),) * 2000
DECISIONS = ("accept", "reject", "review")


def open_store(where: str, media: str) -> Store:
    return Store.open(where, media=media, master=[LocalMasterKey(bytes(range(32)))], limits=LIMITS)


def decide(claim: Claim) -> Conclusion:
    """A new draw each time: a session that was concluded twice would show two decisions sooner or later."""
    time.sleep(random.uniform(0, 0.2))
    decision = random.choice(DECISIONS)
    return Conclusion(decision, "default", 1, findings=(FindingSummary("x", "pass", 0.5),), body={"d": decision})


def receive(received: Path, delivery: Delivery) -> Receipt:
    """The endpoint: appends what it gets to a file (O_APPEND: whole lines), then may fail to say so."""
    data = json.loads(delivery.body)["data"]
    line = json.dumps([delivery.message_id, data["session"], data["state"]]) + "\n"
    handle = os.open(received, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line.encode())
    os.close(handle)
    return Receipt(random.random() < 0.5, 200)


def main(where: str, media: str, received: str) -> None:
    """Work until killed: sweep, work on one session, deliver."""
    with open_store(where, media) as store:
        queue = Queue(store, lease=LEASE)
        worker = Worker(queue, decide)
        deliveries = Deliveries(store, lambda delivery: receive(Path(received), delivery), backoff=BACKOFF, lease=LEASE)
        while True:
            queue.requeue_expired()
            worked = worker.run_once()
            deliveries.fan_out(10)
            tried = deliveries.deliver_due(5)
            if worked is None and not tried:
                time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:4])
