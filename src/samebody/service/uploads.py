"""Uploads in parts, for lines that break: parts are sealed files, what they belong to stands in a signed text.

No table keeps them: parts of an upload that is never completed are files that no row names, and the sweep deletes those
after an hour. A part may be sent again; the last one counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from samebody.service.errors import IncompleteUploadError, LinkError
from samebody.service.tokens import Signer
from samebody.store.errors import BlobError, IllegalTransitionError
from samebody.store.ids import new_id
from samebody.store.keys import DataKey
from samebody.store.lifecycle import State
from samebody.store.sessions import SessionView
from samebody.store.store import Store
from samebody.store.vault import ORPHAN_AGE

FOLDER = "uploads"
LIFE = ORPHAN_AGE - timedelta(minutes=5)
"""Until an upload must be completed: the sweep takes parts soon after."""
MOST_PARTS = 1000


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that was begun: which session, what for, how many parts."""

    id: str
    session_id: str
    role: str
    content_type: str
    parts: int


class Uploads:
    """The uploads of all tenants."""

    def __init__(self, store: Store) -> None:
        self._store, self._signer = store, Signer(store, "upload")

    def begin(self, tenant: str, session_id: str, role: str, content_type: str, parts: int) -> str:
        """A text that names the upload, for :meth:`open`.

        Raises:
            NotFoundError, IllegalTransitionError: no such session, or it does not collect.
        """
        with self._store.read() as tx:
            self._collecting(self._store.sessions.get(tx, tenant, session_id))
            until = int((self._store.clock() + LIFE).timestamp())
            content: dict[str, Any] = {"u": new_id("upl"), "s": session_id, "r": role, "c": content_type}
            return self._signer.sign(tx, tenant, {**content, "n": parts, "e": until})

    def open(self, tenant: str, text: str) -> Upload:
        """The upload that a text names.

        Raises:
            LinkError: changed, of another tenant, or too old.
        """
        with self._store.read() as tx:
            opened = self._signer.open(tx, text)
        if opened is None or opened[0] != tenant:
            raise LinkError("there is no such upload.", hint="Begin it again.")
        content = opened[1]
        if content["e"] <= self._store.clock().timestamp():
            raise LinkError("the upload has expired.", hint="Begin it again.")
        return Upload(content["u"], content["s"], content["r"], content["c"], content["n"])

    def put(self, tenant: str, upload: Upload, number: int, data: bytes) -> None:
        """Keep part ``number``, from 1; sealed with the case's key.

        Raises:
            IllegalTransitionError: the session does not collect any more.
        """
        key = self._key(tenant, upload)
        self._store.blobs.put(_blob(upload, number), key.seal(data, _context(tenant, upload, number)))

    def joined(self, tenant: str, upload: Upload) -> bytes:
        """All parts, in order.

        Raises:
            IncompleteUploadError: parts are missing.
        """
        key, found, missing = self._key(tenant, upload), [], []
        for number in range(1, upload.parts + 1):
            try:
                sealed = self._store.blobs.get(_blob(upload, number))
            except BlobError:
                missing.append(number)
                continue
            found.append(key.unseal(sealed, _context(tenant, upload, number)))
        if missing:
            shown = ", ".join(map(str, missing[:10])) + (" ..." if len(missing) > 10 else "")
            raise IncompleteUploadError(f"parts are missing: {shown}.", hint="Send them, then complete it again.")
        return b"".join(found)

    def discard(self, upload: Upload) -> None:
        """Delete the parts."""
        for number in range(1, upload.parts + 1):
            self._store.blobs.delete(_blob(upload, number))

    def _key(self, tenant: str, upload: Upload) -> DataKey:
        with self._store.read() as tx:
            session = self._store.sessions.get(tx, tenant, upload.session_id)
            self._collecting(session)
            return self._store.keys.of(tx, tenant, "case", session.case_id)

    @staticmethod
    def _collecting(session: SessionView) -> None:
        if session.state is not State.COLLECTING:
            raise IllegalTransitionError(
                f"a session that is {session.state.value!r} takes no samples.", hint="Consent comes first."
            )


def _blob(upload: Upload, number: int) -> str:
    return f"{FOLDER}/{upload.id}-{number:04d}"


def _context(tenant: str, upload: Upload, number: int) -> str:
    return f"{tenant}/uploads/{upload.id}/{number}"
