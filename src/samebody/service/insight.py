"""What a reviewer may ask about a case, and how a worker answers: why a score is what it is, which cases look alike.

An answer is made by a worker when somebody asks, within a time limit, and kept with the case: sealed with its key,
deleted with its samples. Asking stands in the audit log.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from samebody.capture import decode_image
from samebody.config import Settings
from samebody.errors import ResourceError
from samebody.explain import AlignedFace, describe, embedder_pair, face_regions, methods, region_shares
from samebody.explain.draw import overlay, png
from samebody.explain.saliency import Saliency
from samebody.face import FaceAnalyser, FaceAnalysis
from samebody.jobs.tasks import FAILED, RUNNING, WAITING, Task, Tasks
from samebody.models import ModelRecord
from samebody.pipeline import Verifier, pictures_for
from samebody.pipeline.explained import seen_on
from samebody.service.lookalikes import similar_cases
from samebody.service.work import SELFIE, case_policy, needed_roles
from samebody.store.errors import InvalidValueError, NotFoundError
from samebody.store.ids import new_id
from samebody.store.schema import TaskRow
from samebody.store.store import Store
from samebody.types import Pixels

KIND = "case.insight"
Asked = Literal["match", "liveness", "similar"]
METHOD, MASKS = "corrrise", 240
"""How maps are made: their noise falls with the square root of the masks; 240 take a few seconds."""
SECONDS = 30.0
"""After which an answer is given up: a worker that explains verifies nobody meanwhile."""


class TooLongError(ResourceError):
    """The answer took longer than it may."""

    code = "insight.too_long"


def ask(store: Store, tx: Session, tenant: str, session_id: str, what: str, *, actor: str) -> None:
    """Let a worker find out; nothing happens where it is being found out already.

    Raises:
        NotFoundError: no such session, or it has no verdict.
        InvalidValueError: an unknown question.
    """
    if what not in get_args(Asked):
        raise InvalidValueError(f"a reviewer asks for one of {', '.join(get_args(Asked))}.")
    session = store.sessions.get(tx, tenant, session_id)
    verdicts = store.verdicts.of_case(tx, tenant, session.case_id)
    if not verdicts:
        raise NotFoundError("there is no verdict yet.", hint="Wait for it.")
    if state_of(store, tx, tenant, session_id, what) == WAITING:
        return
    value = {"session": session_id, "attempt": verdicts[-1].attempt, "what": what, "actor": actor}
    Tasks(store).add(tx, tenant, KIND, _batch(session_id, what), {new_id("ask"): value}, actor=actor)
    store.audit.append(tx, tenant, actor, "case.asked", "session", session_id, what=what)


def state_of(store: Store, tx: Session, tenant: str, session_id: str, what: str) -> str:
    """``waiting`` while a worker has to answer, the code of the fault where the last try failed, else empty."""
    query = select(TaskRow).filter_by(tenant=tenant, kind=KIND, batch=_batch(session_id, what))
    row = tx.scalars(query.order_by(TaskRow.created.desc(), TaskRow.id.desc()).limit(1)).one_or_none()
    if row is None:
        return ""
    if row.state in (WAITING, RUNNING):
        return WAITING
    return (row.code or "internal") if row.state == FAILED else ""


def answers(store: Store, tx: Session, tenant: str, case_id: str) -> dict[str, str]:
    """What is kept of a case beside its samples: name to the id under which the vault reads it; newest attempt."""
    found = store.vault.of_case(tx, tenant, case_id, derived=True)
    return {each.role.partition(":")[2]: each.id for each in found}


class Insight:
    """Answers what reviewers ask, in a worker, between sessions.

    Args:
        verifier_of: the verifier with a tenant's live model; see :class:`samebody.service.verifiers.Verifiers`.
    """

    def __init__(self, store: Store, settings: Settings, verifier_of: Callable[[str], Verifier]) -> None:
        self._store, self._settings, self._verifier_of = store, settings, verifier_of
        self._tasks = Tasks(store, failures=2)

    def run_once(self, worker: str) -> bool | None:
        """Answer one question: True when it was, False when it failed, None when nobody asks."""
        return self._tasks.run_once(worker, KIND, self)

    def __call__(self, task: Task) -> Mapping[str, Any]:
        """The handler of :class:`samebody.jobs.tasks.Tasks`; the answer goes to the vault, not to the task.

        Raises:
            TooLongError, and what the pictures and models raise.
        """
        what, until = task.input["what"], time.monotonic() + SECONDS
        if what == "similar":
            return self._similar(task, until)
        panels = self._match(task, until) if what == "match" else self._liveness(task, until)
        return {"panels": panels}

    def _match(self, task: Task, until: float) -> int:
        store, tenant = self._store, task.tenant
        verifier, started = self._verifier_of(tenant), time.monotonic()
        with store.read() as tx:
            session = store.sessions.get(tx, tenant, task.input["session"])
            _, policy = case_policy(store, tx, tenant, session.case_id)
        selfie, other = (self._sample(task, session.case_id, role) for role in needed_roles(policy))
        case = verifier.verify(**pictures_for(policy, selfie, other), policy=policy, depth="mrz")
        second = "document" if policy.needs_document else "reference"
        faces = [_face(case.trace[f"{name}.face"], verifier.faces, name) for name in (SELFIE, second)]
        pair = embedder_pair(verifier.record, faces[0].pixels, faces[1].pixels, self._settings, threads=1)
        method = methods[METHOD](masks=MASKS)
        found = method.explain_pair(pair, faces[0].pixels, faces[1].pixels, _hurry(until))
        panels = [
            self._panel(task, session.case_id, f"match.{name}", title, face.pixels, face.landmarks, each, "similarity")
            for name, title, face, each in (
                ("selfie", "Selfie", faces[0], found.first),
                ("other", second.capitalize(), faces[1], found.second),
            )
        ]
        self._words(task, session.case_id, "match", pair.score, verifier.record, panels, started)
        return len(panels)

    def _liveness(self, task: Task, until: float) -> int:
        from samebody.attacks.pad import PassivePad

        store, tenant, started = self._store, task.tenant, time.monotonic()
        with store.read() as tx:
            session = store.sessions.get(tx, tenant, task.input["session"])
        data = self._sample(task, session.case_id, SELFIE)
        image = decode_image(data, limits=self._settings.limits, role=SELFIE)
        found = self._verifier_of(tenant).faces.aligned(image, SELFIE)
        record = PassivePad(self._settings).record
        seen = seen_on(record, image, self._settings, face=found.chosen)
        map_of = methods[METHOD](masks=MASKS).explain(seen.score, seen.pixels, _hurry(until))
        panel = self._panel(
            task, session.case_id, "liveness.selfie", seen.title, seen.pixels, seen.landmarks, map_of, seen.what
        )
        self._words(task, session.case_id, "liveness", map_of.score, record, [panel], started)
        return 1

    def _similar(self, task: Task, until: float) -> Mapping[str, Any]:
        store, tenant, attempt = self._store, task.tenant, task.input["attempt"]
        verifier = self._verifier_of(tenant)
        with store.read() as tx:
            session = store.sessions.get(tx, tenant, task.input["session"])
            _, policy = case_policy(store, tx, tenant, session.case_id)
        demand = policy.face_match
        point = verifier.record.operating_point(
            demand.fmr, population=demand.population, allow_extrapolated=demand.allow_extrapolated
        )
        found = similar_cases(
            store, tenant, session.case_id, attempt, verifier, self._settings, point,
            hurry=lambda: time.monotonic() > until,
        )  # fmt: skip
        answer = {
            "at": store.clock().isoformat(), "compared": found.compared, "left_out": found.left_out,
            "threshold": found.point.threshold, "fmr": found.point.fmr, "expected": found.expected,
            "model": verifier.record.label, "cases": [list(each) for each in found.found],
        }  # fmt: skip
        store.vault.derive(tenant, session.case_id, attempt, "similar", json.dumps(answer).encode())
        with store.write() as tx:
            store.audit.append(
                tx, tenant, str(task.input["actor"]), "cases.compared", "session", session.id,
                compared=found.compared, found=len(found.found), model=verifier.record.label,
            )  # fmt: skip
        return {"found": len(found.found)}

    def _sample(self, task: Task, case_id: str, role: str) -> bytes:
        with self._store.read() as tx:
            media = self._store.vault.of_case(tx, task.tenant, case_id, task.input["attempt"])
        held = [each.id for each in media if each.role == role]
        if not held:
            raise NotFoundError(f"the {role} of the case is not kept.")
        return self._store.vault.read(task.tenant, held[-1])

    def _panel(
        self,
        task: Task,
        case_id: str,
        name: str,
        title: str,
        pixels: Pixels,
        landmarks: np.ndarray[Any, Any] | None,
        found: Saliency,
        what: str,
    ) -> dict[str, Any]:
        """Keep the picture of a map, and say what it shows."""
        regions = {} if landmarks is None else face_regions(found.values.shape, landmarks)
        shares = region_shares(found, regions)
        drawn = png(overlay(pixels, found.values, regions=regions))
        self._store.vault.derive(task.tenant, case_id, task.input["attempt"], name, drawn, content_type="image/png")
        return {
            "name": name,
            "title": title,
            "sentences": list(describe(found, shares, what=what)),
            "shares": [[each.name, each.area, each.support, each.oppose] for each in shares],
        }

    def _words(
        self, task: Task, case_id: str, what: str, score: float, record: ModelRecord, panels: list[dict[str, Any]],
        started: float,
    ) -> None:  # fmt: skip
        told = {
            "at": self._store.clock().isoformat(), "score": score, "model": record.label, "method": METHOD,
            "masks": MASKS, "licence": record.licence.spdx, "commercial_use": record.licence.commercial_use,
            "seconds": round(time.monotonic() - started, 1), "panels": panels,
        }  # fmt: skip
        self._store.vault.derive(
            task.tenant, case_id, task.input["attempt"], f"{what}.words", json.dumps(told).encode()
        )


def _face(found: FaceAnalysis, analyser: FaceAnalyser, name: str) -> AlignedFace:
    if found.aligned is None:
        raise NotFoundError(f"there is no usable face on the {name}.")
    # the template counts from the centre of the first pixel, pictures here from its corner
    points = analyser.embedder.image_input.alignment_points().astype(np.float64) + 0.5
    return AlignedFace(found.aligned, points)


def _hurry(until: float) -> Callable[[int, int], None]:
    def told(done: int, whole: int) -> None:
        if time.monotonic() > until:
            raise TooLongError(f"after {SECONDS:.0f} seconds {done} of {whole} variants were scored.")

    return told


def _batch(session_id: str, what: str) -> str:
    return f"{session_id}:{what}"
