"""Galleries of the service: sealed by a key of their own, read at will, written by one process at a time for moments.

The table says which galleries there are; their records lie in folders, in the search room's format. A process keeps a
gallery open for reading and takes the writer's lock for one step only, so that several processes of the API and the
housekeeper, who erases people, get at it. Plain galleries are never opened here.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from samebody.errors import EmbeddingSpaceMismatchError
from samebody.models import ModelRecord
from samebody.search.gallery import Enrolment, Gallery, Tuning
from samebody.search.gallery.errors import GalleryLockedError, GalleryNotFoundError
from samebody.search.identify import Identification, SearchPolicy
from samebody.search.session import Session as SearchSession
from samebody.search.types import Layout, Probes
from samebody.service.errors import BusyError
from samebody.store.database import put_row
from samebody.store.errors import ExistsError, KeyDestroyedError, NotFoundError, StoreConfigError
from samebody.store.ids import new_id, require_name
from samebody.store.schema import GalleryRow, MediaRow, ReferenceRow
from samebody.store.store import Store
from samebody.types import Template

Vector = NDArray[np.float32]
LOCK_SECONDS = 5.0
"""How long to wait for another writer; a writer holds a gallery for one step, or while it is compacted."""
TUNING = Tuning(log_bytes=8 << 20)
"""A short log: it is read whenever a writer opens the gallery."""


@dataclass(slots=True)
class _Open:
    gallery: Gallery
    key_id: str
    lock: threading.Lock = field(default_factory=threading.Lock)


class Galleries:
    """The galleries of all tenants. Once made, every erasure of the store reaches them.

    Args:
        folder: where their files lie; None when the service was given none (a store in a database elsewhere).
    """

    def __init__(self, store: Store, folder: Path | None) -> None:
        self._store, self._folder = store, folder
        store.elsewhere[:] = [*(each for each in store.elsewhere if not isinstance(each, Galleries)), self]
        self._open: dict[tuple[str, str], _Open] = {}
        self._lock = threading.Lock()

    def create(self, tenant: str, gallery_id: str, record: ModelRecord, *, actor: str) -> GalleryRow:
        """A new, empty gallery for the templates of ``record``.

        Raises:
            ExistsError, InvalidValueError, StoreConfigError: no folder for galleries is named.
        """
        require_name(gallery_id, "the name of a gallery")
        store, space = self._store, record.embedding_space().digest
        path = self._path(tenant, gallery_id)
        with store.write() as tx:
            if tx.get(GalleryRow, (tenant, gallery_id)) is not None:
                raise ExistsError("there is a gallery of that name already.")
            # not by the name: that may be taken again after this key was destroyed
            key = store.keys.create(tx, tenant, "gallery", new_id("gal"))
            layout = Layout("vector", space, record.embedding_output.dimensions)
            if path.exists():  # the row of an earlier try was never committed, and its key is gone
                shutil.rmtree(path)
            Gallery.create(path, layouts=[layout], key=key.secret, tenant=tenant, tuning=TUNING).close()
            row = {"tenant": tenant, "id": gallery_id, "modality": "face", "space": space, "location": path.name}
            put_row(tx, GalleryRow, **row, key_id=key.id, created=store.clock())
            store.audit.append(tx, tenant, actor, "gallery.created", "gallery", gallery_id, space=space)
        with store.read() as tx:
            return self.row(tx, tenant, gallery_id)

    def delete(self, tenant: str, gallery_id: str, *, actor: str) -> None:
        """Destroy a gallery: its key first, so that every copy of its files is unreadable, then the files.

        Raises:
            NotFoundError.
        """
        store = self._store
        with self._lock:
            held = self._open.pop((tenant, gallery_id), None)
            if held is not None:
                with held.lock:
                    held.gallery.close()
            with store.write() as tx:
                row = self.row(tx, tenant, gallery_id)
                references = tx.scalars(select(ReferenceRow).filter_by(tenant=tenant, gallery_id=gallery_id)).all()
                for reference in references:
                    reference.gallery_id = None
                key_id = row.key_id
                tx.execute(delete(GalleryRow).filter_by(tenant=tenant, id=gallery_id))
                store.keys.destroy(tx, tenant, key_id)
                store.audit.append(tx, tenant, actor, "gallery.deleted", "gallery", gallery_id)
            store.vault.mark_erased(tenant, key_id)
            shutil.rmtree(self._path(tenant, gallery_id), ignore_errors=True)

    def rebuild(self, tenant: str, gallery_id: str, dimensions: Mapping[str, int], *, actor: str) -> int:
        """Make the files of a gallery anew from the references that the store keeps sealed; how many there are.

        For a restored store, and for a gallery whose files are lost or damaged. Nobody may write to it meanwhile; what
        was there is replaced when the new one is whole.

        Args:
            dimensions: of the vectors, by the digest of their embedding space.

        Raises:
            NotFoundError, StoreConfigError.
            EmbeddingSpaceMismatchError: this release has no model of its embedding space.
        """
        store, path = self._store, self._path(tenant, gallery_id)
        with store.read() as tx:
            row = self.row(tx, tenant, gallery_id)
            space, key = row.space, store.keys.open(tx, tenant, row.key_id).secret
            query = select(ReferenceRow.subject_id).filter_by(tenant=tenant, gallery_id=gallery_id).distinct()
            subjects = list(tx.scalars(query.order_by(ReferenceRow.subject_id)))
        if space not in dimensions:
            raise EmbeddingSpaceMismatchError("the gallery's model is not known here.", hint="Add its record first.")
        fresh, count = path.with_name(f"{path.name}=new"), 0
        shutil.rmtree(fresh, ignore_errors=True)
        layout = Layout("vector", space, dimensions[space])
        with Gallery.create(fresh, layouts=[layout], key=key, tenant=tenant, tuning=TUNING) as made:
            for subject in subjects:
                for vector, request in self._references(tenant, gallery_id, subject):
                    made.enrol([Enrolment(subject, vector, space=space)], request_id=request)
                    count += 1
        with self._lock:
            held = self._open.pop((tenant, gallery_id), None)
            if held is not None:
                with held.lock:
                    held.gallery.close()
            shutil.rmtree(path, ignore_errors=True)
            fresh.rename(path)
        with store.write() as tx:
            store.audit.append(tx, tenant, actor, "gallery.rebuilt", "gallery", gallery_id, references=count)
        return count

    def _references(self, tenant: str, gallery_id: str, subject_id: str) -> list[tuple[Vector, str | None]]:
        """A subject's vectors in a gallery, with the case that each was enrolled from; none of an erased subject."""
        with self._store.read() as tx:
            try:
                kept = self._store.people.references(tx, tenant, subject_id)
            except KeyDestroyedError:
                return []
            found: list[tuple[Vector, str | None]] = []
            for each in kept:
                if each.gallery_id == gallery_id:
                    media = None if each.media_id is None else tx.get(MediaRow, (tenant, each.media_id))
                    vector = np.frombuffer(each.data, dtype="<f4").astype(np.float32)
                    found.append((vector, None if media is None else media.case_id))
            return found

    def row(self, tx: Session, tenant: str, gallery_id: str) -> GalleryRow:
        """The row of a gallery.

        Raises:
            NotFoundError.
        """
        row = tx.get(GalleryRow, (tenant, gallery_id), populate_existing=True)
        if row is None:
            raise NotFoundError("there is no such gallery.")
        return row

    def of_tenant(self, tx: Session, tenant: str) -> list[GalleryRow]:
        """The galleries of a tenant, by name."""
        return list(tx.scalars(select(GalleryRow).filter_by(tenant=tenant).order_by(GalleryRow.id)))

    def size(self, tenant: str, gallery_id: str) -> int:
        """How many references it holds."""
        with self._reading(tenant, gallery_id) as gallery:
            return sum(each.records for each in gallery.stats().modalities)

    @contextlib.contextmanager
    def enrolling(self, tenant: str, gallery_id: str) -> Iterator[Callable[[str, Template, str], object]]:
        """Enrol and nobody else meanwhile: of two who look the same, the second finds the first when it searches.

        Yields:
            what adds a reference: subject, template, request; the same request again adds nothing. It raises
            EmbeddingSpaceMismatchError when the template is of another space than the gallery.

        Raises:
            NotFoundError.
            BusyError: another writer holds it for longer than :data:`LOCK_SECONDS`.
        """
        with self._writing(tenant, gallery_id) as gallery:
            yield lambda subject, template, request: gallery.enrol([Enrolment(subject, template)], request_id=request)

    def remove(self, tenant: str, gallery_id: str, subject_id: str) -> int:
        """Delete the references of a subject for good; returns how many there were. :meth:`tidy` takes the bytes."""
        with self._writing(tenant, gallery_id) as gallery:
            return gallery.delete(subject_id)

    def forget(self, tenant: str, subject_id: str) -> int:
        """Delete the references of a subject in every gallery of the tenant; part of every erasure.

        Raises:
            BusyError: one is being written to.
            StoreConfigError, GalleryNotFoundError, GalleryCorruptError: one cannot be reached; nothing is erased then.
        """
        with self._store.read() as tx:
            names = [row.id for row in self.of_tenant(tx, tenant)]
        count = 0
        for name in names:
            with contextlib.suppress(NotFoundError):  # deleted meanwhile
                count += self.remove(tenant, name, subject_id)
        return count

    def tidy(self) -> int:
        """Remove the bytes of deleted references from every gallery; how many references. One in use waits."""
        with self._store.read() as tx:
            rows = [(row.tenant, row.id) for row in tx.scalars(select(GalleryRow))]
        count = 0
        for tenant, name in rows:
            with contextlib.suppress(NotFoundError, GalleryNotFoundError, BusyError):
                with self._reading(tenant, name) as gallery:
                    dead = sum(each.dead for each in gallery.stats().modalities)
                if dead:
                    with self._writing(tenant, name) as gallery:
                        count += gallery.compact().removed
        return count

    def identify(
        self, tenant: str, gallery_id: str, template: Template, policy: SearchPolicy, *, threads: int | None = None
    ) -> Identification:
        """Who of the gallery this is, if anybody, at the false positive identification rate of ``policy``.

        Raises:
            EmbeddingSpaceMismatchError.
        """
        with self._reading(tenant, gallery_id) as gallery:
            (layout,) = gallery.layouts
            if layout.space != template.space.digest:
                raise EmbeddingSpaceMismatchError("the gallery was made with another model.", hint="Re-embed it first.")
            search = SearchSession(gallery, threads=threads).identifier(policy)
            vector = np.ascontiguousarray(template.vector, dtype=np.float32)[None]
            probes = Probes(template.space.digest, vectors=vector)
            (found,) = search.identify({"vector": probes})
            return found

    def close(self) -> None:
        """Give all galleries back."""
        with self._lock:
            for held in self._open.values():
                held.gallery.close()
            self._open.clear()

    @contextlib.contextmanager
    def _reading(self, tenant: str, gallery_id: str) -> Iterator[Gallery]:
        """The gallery as it is now, for one caller at a time.

        Raises:
            NotFoundError.
        """
        with self._lock:
            key_id, key = self._key(tenant, gallery_id)
            held = self._open.get((tenant, gallery_id))
            if held is not None and held.key_id != key_id:  # another gallery took the name
                held.gallery.close()
                held = None
            if held is None:
                path = self._path(tenant, gallery_id)
                held = _Open(Gallery.open(path, key=key, mode="r", tuning=TUNING), key_id)
                self._open[(tenant, gallery_id)] = held
        with held.lock:
            held.gallery.refresh()
            yield held.gallery

    @contextlib.contextmanager
    def _writing(self, tenant: str, gallery_id: str) -> Iterator[Gallery]:
        """The gallery, for the one writer of all processes.

        Raises:
            NotFoundError.
            BusyError: another writer holds it for longer than :data:`LOCK_SECONDS`.
        """
        _, key = self._key(tenant, gallery_id)
        path, deadline = self._path(tenant, gallery_id), time.monotonic() + LOCK_SECONDS
        while True:
            try:
                gallery = Gallery.open(path, key=key, mode="w", tuning=TUNING)
                break
            except GalleryLockedError:
                if time.monotonic() >= deadline:
                    raise BusyError("the gallery is being written to.", hint="Try again in a moment.") from None
                time.sleep(0.02)
        with gallery:
            yield gallery

    def _key(self, tenant: str, gallery_id: str) -> tuple[str, bytes]:
        with self._store.read() as tx:
            row = self.row(tx, tenant, gallery_id)
            return row.key_id, self._store.keys.open(tx, tenant, row.key_id).secret

    def _path(self, tenant: str, gallery_id: str) -> Path:
        if self._folder is None:
            raise StoreConfigError("no folder for galleries is named.", hint="Set SAMEBODY_SERVICE_GALLERIES.")
        return self._folder / _file_name(tenant) / _file_name(gallery_id)


def _file_name(name: str) -> str:
    """A name of ours as that of a folder: ``:`` is not allowed everywhere, and ``=`` stands in no name."""
    return name.replace(":", "=")


def identification_to_dict(found: Identification, names: dict[str, str | None]) -> dict[str, Any]:
    """What the API tells of a search; ``names`` are the integrator's names of the subjects."""
    return {
        "answer": found.answer,
        "comparisons": found.comparisons,
        "fpir": found.fpir,
        "extrapolated": found.extrapolated,
        "candidates": [
            {
                "rank": each.rank,
                "subject_id": each.subject,
                "external_id": names.get(each.subject),
                "place": each.place,
                "score": each.scores.get("vector"),
                "fpir": each.fpir,
                "reasons": [{"code": reason.code, "message": reason.message} for reason in each.reasons],
            }
            for each in found.candidates
        ],
    }
