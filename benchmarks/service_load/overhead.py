"""What the API itself takes of a request, on an otherwise idle service: seen by a client on the same machine."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import spread
from benchmarks.service_load.pictures import POLICY, Pictures
from benchmarks.service_load.served import Served

ASKED_MS = 10.0
PICTURES = ("upload_selfie", "upload_document")
"""Requests that decode a picture, which is work on the person's data and no overhead; shown apart."""


def measure(pictures: Pictures, *, sessions: int) -> dict[str, Any]:
    """Milliseconds of every request of ``sessions`` sessions, one after the other, over one kept connection each."""
    times: dict[str, list[float]] = {}
    verdicts: list[float] = []

    def timed(name: str, call: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        answer = call()
        times.setdefault(name, []).append((time.perf_counter() - begun) * 1000)
        return answer

    with tempfile.TemporaryDirectory() as name:
        served = Served(Path(name), workers=1, settings={"rate": 1e6})
        with served, served.client(retries=0) as api:
            for number in range(sessions + 2):
                if number == 2:  # the first two load what is loaded late
                    times.clear()
                    verdicts.clear()
                made = timed("create_session", lambda: api.create_session(policy=POLICY, reference="a"))
                session = made["id"]
                with served.client(made["client_token"], retries=0) as person:
                    person.list_consent_texts(session)  # opens the connection
                    timed("list_consent_texts", lambda s=session, p=person: p.list_consent_texts(s))
                    timed(
                        "give_consent", lambda s=session, p=person: p.give_consent(s, version="2026-1", language="en")
                    )
                    for role, picture in (("selfie", pictures.selfie), ("document_front", pictures.document)):
                        timed(
                            f"upload_{role.removesuffix('_front')}",
                            lambda s=session, p=person, r=role, d=picture: p.upload_media(
                                s, d, role=r, content_type="image/jpeg"
                            ),
                        )
                    timed("submit_session", lambda s=session, p=person: p.submit_session(s))
                begun = time.perf_counter()
                while api.get_session(session)["state"] in ("submitted", "processing"):
                    time.sleep(0.01)
                verdicts.append(time.perf_counter() - begun)
                timed("get_session", lambda s=session: api.get_session(s))
                timed("get_verdict", lambda s=session: api.get_verdict(s))
                timed("list_sessions", lambda: api.list_sessions(limit=10))
                timed("healthz", api.healthz)
    own = [value for name, values in times.items() if name not in PICTURES for value in values]
    middle = statistics.median(own)
    return {
        "requests": {name: spread(values) for name, values in sorted(times.items())},
        "median_ms": middle,
        "count": len(own),
        "with_uploads_median_ms": statistics.median([value for values in times.values() for value in values]),
        "submit_to_verdict_seconds": spread(verdicts),
        "asked_ms": ASKED_MS,
        "met": middle < ASKED_MS,
    }
