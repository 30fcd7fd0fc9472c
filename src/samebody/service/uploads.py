"""Uploads in parts, for lines that break: parts are sealed files, what they belong to stands in a signed text.

No table keeps them: parts of an upload that is never completed are files that no row names, and the sweep deletes those
after an hour. A part may be sent again; the last one counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from samebody.service.errors import BodyTooLargeError, IncompleteUploadError, LinkError
from samebody.service.tokens import Signer
from samebody.store.errors import BlobError, IllegalTransitionError, TooManySamplesError
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
MOST_UPLOADS = 20
"""Uploads of one attempt: with the size of their parts it bounds what a person can put on the disk within the hour."""
BEGUN = "upload.begun"


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that was begun: which session, what for, how many parts."""

    id: str
    session_id: str
    role: str
    content_type: str
    parts: int


class Uploads:
    """The uploads of all tenants.

    Args:
        most: bytes of a joined sample.
    """

    def __init__(self, store: Store, most: int) -> None:
        self._store, self._signer, self._most = store, Signer(store, "upload"), most

    def begin(
        self, tx: Session, tenant: str, session_id: str, role: str, content_type: str, parts: int, *, actor: str
    ) -> str:
        """A text that names the upload, for :meth:`open`.

        Raises:
            NotFoundError, IllegalTransitionError: no such session, or it does not collect.
            TooManySamplesError: the attempt has had :data:`MOST_UPLOADS`.
        """
        session = self._store.sessions.get(tx, tenant, session_id)
        self._collecting(session)
        begun = self._store.audit.details(tx, tenant, BEGUN, "session", session_id)
        if sum(each["attempt"] == session.attempt for each in begun) >= MOST_UPLOADS:
            raise TooManySamplesError(f"this attempt has had {MOST_UPLOADS} uploads in parts.", hint="Send it whole.")
        upload_id = new_id("upl")
        self._store.audit.append(
            tx, tenant, actor, BEGUN, "session", session_id, upload=upload_id, attempt=session.attempt
        )
        until = int((self._store.clock() + LIFE).timestamp())
        content: dict[str, Any] = {"u": upload_id, "s": session_id, "r": role, "c": content_type}
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
            BodyTooLargeError: the part has more than twice its share of the largest sample.
        """
        most = 2 * -(-self._most // upload.parts)
        if len(data) > most:
            raise BodyTooLargeError(
                f"a part of {upload.parts} has at most {most} bytes.", hint="Make the parts of one size."
            )
        key = self._key(tenant, upload)
        self._store.blobs.put(_blob(upload, number), key.seal(data, _context(tenant, upload, number)))

    def joined(self, tenant: str, upload: Upload) -> bytes:
        """All parts, in order.

        Raises:
            IncompleteUploadError: parts are missing.
            BodyTooLargeError: together they have more bytes than a sample may have; no more of them are read.
        """
        key, found, missing, size = self._key(tenant, upload), list[bytes](), list[int](), 0
        for number in range(1, upload.parts + 1):
            try:
                sealed = self._store.blobs.get(_blob(upload, number))
            except BlobError:
                missing.append(number)
                continue
            found.append(key.unseal(sealed, _context(tenant, upload, number)))
            size += len(found[-1])
            if size > self._most:
                raise BodyTooLargeError(f"the sample has more than {self._most} bytes.", hint="Send a smaller picture.")
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
