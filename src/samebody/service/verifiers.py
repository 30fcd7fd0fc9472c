"""The pipeline with each model that a tenant made live, or pinned a gallery to: loaded when first asked for."""

from __future__ import annotations

import threading

from samebody.config import Settings
from samebody.errors import EmbeddingSpaceMismatchError
from samebody.models import catalogue
from samebody.pipeline import Verifier
from samebody.store.live_models import FACE_EMBEDDER, LiveModel
from samebody.store.store import Store


class Verifiers:
    """Verifiers by their embedder. Which one is live for a tenant is read each time, so that a promotion or rollback
    holds from the next request or session on, without a restart. Safe to use from several threads.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._made: dict[str, Verifier] = {}
        self._lock = threading.Lock()

    def of_tenant(self, tenant: str) -> Verifier:
        """The one with the model that is live for a tenant.

        Raises:
            ModelChangedError.
        """
        with self._store.read() as tx:
            live = self._store.live_models.current(tx, tenant, FACE_EMBEDDER)
        return self.of_live(live)

    def of_live(self, live: LiveModel | None) -> Verifier:
        """The one with a live model; None is the model that the release names.

        Raises:
            ModelChangedError: the record of that name is not the one that was promoted.
        """
        if live is None:
            return self.of_model(self._settings.embedder)
        verifier = self.of_model(live.model_id)
        live.require_same(verifier.record.run_sha256)
        return verifier

    def of_space(self, digest: str) -> Verifier:
        """The one that makes templates of an embedding space.

        Raises:
            EmbeddingSpaceMismatchError: no model here does.
        """
        for record in catalogue(self._settings).values():
            if record.task == "face-embedding" and record.embedding_space().digest == digest:
                return self.of_model(record.id)
        raise EmbeddingSpaceMismatchError("the gallery's model is not known here.", hint="Add its record first.")

    def of_model(self, model_id: str) -> Verifier:
        """The one with an embedder; the first caller waits until it is made.

        Raises:
            UnknownModelError.
        """
        with self._lock:
            if model_id not in self._made:
                self._made[model_id] = Verifier(self._settings, embedder=model_id)
            return self._made[model_id]
