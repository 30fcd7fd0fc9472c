"""Past cases and enrolled people whose face is like that of a case: looked for when a reviewer asks, within the tenant.

A template is made from the kept selfie of a case when it is first needed, sealed with the case's key beside its samples
and deleted with them: no template outlives the picture it came from.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from samebody.capture import decode_image
from samebody.config import Settings
from samebody.errors import EmbeddingSpaceMismatchError, InputError, SamebodyError
from samebody.pipeline import Verifier
from samebody.search.identify import SearchPolicy
from samebody.service.galleries import Galleries
from samebody.store.errors import BlobError, KeyDestroyedError, NotFoundError
from samebody.store.schema import CaseRow, MediaRow
from samebody.store.store import Store
from samebody.types import Image as Picture
from samebody.types import OperatingPoint, Template

SELFIE = "selfie"
TEMPLATE = "template"
"""Name under which a template is kept with a case."""
MOST_CASES = 200
"""Newest cases that are compared with."""
MOST_SHOWN = 20
FPIR = 0.01
"""False positive identification rate at which galleries are searched."""


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """Past cases like one.

    Attributes:
        compared, left_out: cases that were, and those without a usable face, or for which the time ran out.
        point: similarity from which a case counts, and the false match rate it stands for.
        found: (case, similarity), the most similar first, at most :data:`MOST_SHOWN`.
    """

    compared: int
    left_out: int
    point: OperatingPoint
    found: tuple[tuple[str, float], ...]

    @property
    def expected(self) -> float:
        """Cases of strangers that chance alone would let through."""
        return self.compared * self.point.fmr


def template_of(
    store: Store, tenant: str, case_id: str, attempt: int, verifier: Verifier, settings: Settings
) -> NDArray[np.float32] | None:
    """The template of a case's selfie in the verifier's embedding space; None where it shows no usable face.

    Returns:
        (dimensions,) float32, unit length.

    Raises:
        NotFoundError: its selfie is not kept.
        KeyDestroyedError, BlobError.
    """
    space = verifier.record.embedding_space().digest
    with store.read() as tx:
        derived = store.vault.of_case(tx, tenant, case_id, attempt, derived=True)
        samples = store.vault.of_case(tx, tenant, case_id, attempt)
    kept = [each.id for each in derived if each.role.endswith(f":{TEMPLATE}")]
    if kept:
        found = json.loads(store.vault.read(tenant, kept[-1]))
        if found["space"] == space:
            return None if found["vector"] is None else _vector(found["vector"])
    selfies = [each.id for each in samples if each.role == SELFIE]
    if not selfies:
        raise NotFoundError("the selfie of the case is not kept.")
    vector = _embedded(verifier, decode_image(store.vault.read(tenant, selfies[-1]), limits=settings.limits))
    text = None if vector is None else base64.b64encode(vector.astype("<f4").tobytes()).decode()
    store.vault.derive(tenant, case_id, attempt, TEMPLATE, json.dumps({"space": space, "vector": text}).encode())
    return vector


def similar_cases(
    store: Store,
    tenant: str,
    case_id: str,
    attempt: int,
    verifier: Verifier,
    settings: Settings,
    point: OperatingPoint,
    *,
    hurry: Callable[[], bool],
    most: int = MOST_CASES,
) -> Lookalikes:
    """Compare a case with the tenant's newest ones whose selfie is kept.

    Args:
        point: of the verifier's model: from its threshold on a case counts.
        hurry: True when the time is over; what was not compared then is told.

    Raises:
        InputError: the case itself shows no usable face.
        NotFoundError: its selfie is not kept.
    """
    own = template_of(store, tenant, case_id, attempt, verifier, settings)
    if own is None:
        raise InputError("there is no usable face on the selfie.", hint="Look at the pictures.")
    with store.read() as tx:
        others = _others(tx, tenant, case_id, most)
    scores: list[tuple[str, float]] = []
    left_out = 0
    for number, (other, newest) in enumerate(others):
        if hurry():
            left_out += len(others) - number
            break
        try:
            vector = template_of(store, tenant, other, newest, verifier, settings)
        except (NotFoundError, KeyDestroyedError, BlobError, InputError):  # deleted meanwhile, or unreadable
            vector = None
        if vector is None:
            left_out += 1
        else:
            scores.append((other, float(own @ vector)))
    found = sorted((each for each in scores if each[1] >= point.threshold), key=lambda each: (-each[1], each[0]))
    return Lookalikes(len(scores), left_out, point, tuple(found[:MOST_SHOWN]))


def in_galleries(
    store: Store, galleries: Galleries, tenant: str, vector: NDArray[np.float32], verifier: Verifier
) -> list[dict[str, Any]]:
    """Enrolled people of the tenant's galleries who look the same at :data:`FPIR`; only galleries of the same space.

    Returns:
        Gallery, subject and similarity of each candidate; gallery and error code where it could not be searched.
    """
    probe = Template(vector, verifier.record.embedding_space())
    policy = SearchPolicy(fpir=FPIR, review_fpir=0.1, undecided="list")
    with store.read() as tx:
        names = [row.id for row in galleries.of_tenant(tx, tenant)]
    rows: list[dict[str, Any]] = []
    for name in names:
        try:
            found = galleries.identify(tenant, name, probe, policy, threads=1)
        except EmbeddingSpaceMismatchError:
            continue
        except SamebodyError as error:
            rows.append({"gallery": name, "error": error.code})
            continue
        rows += [
            {"gallery": name, "subject": each.subject, "score": each.scores.get("vector"), "fpir": each.fpir}
            for each in found.candidates
            if each.fpir <= policy.review_fpir
        ]
    return rows


def _others(tx: Session, tenant: str, case_id: str, most: int) -> list[tuple[str, int]]:
    query = (
        select(MediaRow.case_id, func.max(MediaRow.attempt))
        .join(CaseRow, (CaseRow.tenant == MediaRow.tenant) & (CaseRow.id == MediaRow.case_id))
        .where(
            MediaRow.tenant == tenant,
            MediaRow.role == SELFIE,
            MediaRow.case_id != case_id,
            CaseRow.redacted.is_(None),
            CaseRow.media_deleted.is_(None),
        )
        .group_by(MediaRow.case_id)
        .order_by(MediaRow.case_id.desc())  # ids sort by time
        .limit(most)
    )
    return [(other, attempt) for other, attempt in tx.execute(query) if other is not None]


def _embedded(verifier: Verifier, image: Picture) -> NDArray[np.float32] | None:
    template = verifier.faces.template(image).template
    return None if template is None else np.asarray(template.vector, np.float32)


def _vector(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)
