"""Readiness that tells the truth: each part is tried, not assumed."""

from __future__ import annotations

from sqlalchemy import text

from samebody.errors import SamebodyError
from samebody.models import catalogue, weights_path
from samebody.service.state import Service
from samebody.service.workers import SILENT, seen_workers
from samebody.store.ids import new_id

NEEDED = ("face/yunet", "face/landmarks", "face/blendshapes", "document/ppocr-rec", "document/mrz-cells")
"""Records without whose weights no verdict can be reached; the embedder of the settings comes with them."""

Part = tuple[bool, str]


def readiness(service: Service) -> dict[str, Part]:
    """Each part by name: whether it works, and what is wrong in a few words."""
    return {
        "process": (False, "shutting down") if service.draining else (True, "ok"),
        "store": _store(service),
        "media": _media(service),
        "models": _models(service),
        "workers": _workers(service),
        "queue": _queue(service),
        "hints": (True, service.store.wake.name or "none: workers look by themselves"),
    }


def _store(service: Service) -> Part:
    try:
        with service.store.read() as tx:
            tx.execute(text("SELECT 1"))
            names = service.store.tenants.names(tx)
            for tenant in names[:1]:
                service.store.keys.of(tx, tenant, "tenant", tenant)
    except SamebodyError as error:
        return False, error.code
    return (True, "ok") if names else (False, "there is no tenant")


def _media(service: Service) -> Part:
    name = f"ready/{new_id('try')}"
    try:
        service.store.blobs.put(name, b"ready")
        found = service.store.blobs.get(name)
        service.store.blobs.delete(name)
    except SamebodyError as error:
        return False, error.code
    return (True, "ok") if found == b"ready" else (False, "what is written is not what is read")


def _models(service: Service) -> Part:
    records = catalogue(service.runtime)
    try:
        with service.store.read() as tx:
            promoted = service.store.live_models.everywhere(tx)
    except SamebodyError as error:
        return False, error.code
    for identifier in [*NEEDED, *sorted(promoted | {service.runtime.embedder})]:
        try:
            weights_path(records[identifier], service.runtime)
        except SamebodyError as error:
            return False, f"{identifier}: {error.code}"
    return True, "ok"


def _workers(service: Service) -> Part:
    alive = seen_workers(service.store, SILENT)
    return (True, f"{alive} alive") if alive else (False, "no worker is alive")


def _queue(service: Service) -> Part:
    try:
        waiting = service.queue.waiting()["submitted"]
    except SamebodyError as error:
        return False, error.code
    if waiting >= service.settings.max_waiting:
        return False, f"full: {waiting} sessions wait"
    return True, f"{waiting} wait"
