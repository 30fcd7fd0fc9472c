"""Reviewers' labels and the samples they speak of, as a folder that ``samebody data ingest`` takes.

Only cases whose person consents to research take part. What is written is in plain: from then on the lab's rules hold
(``samebody data erase``), not the store's keys; the audit log names every case that left.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from samebody.operate.errors import NothingToDoError
from samebody.store.errors import BlobError, ConsentMissingError, ExistsError, KeyDestroyedError, NotFoundError
from samebody.store.files import written
from samebody.store.schema import CaseRow, LabelRow, SessionRow
from samebody.store.store import Store
from samebody.store.vault import MediaView

PURPOSE = "research"
"""The consent without which no sample leaves."""
UNCLEAR = "unclear"
COLUMNS = (
    "file", "subject", "session", "label", "pai_species", "match", "role", "consent", "retain_until", "source",
)  # fmt: skip
"""Of the list. ``match`` (same_person, other_person) and ``role`` are columns of ours, the others of the manifest."""
_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/heic": ".heic"}


@dataclass(frozen=True, slots=True)
class LabelExport:
    """What was written, and what was not.

    Attributes:
        samples, cases: in the list.
        without_consent, contradicted, purged: labelled cases that were left out: no consent to research that stands;
            people who do not agree about anything that was said; samples that are deleted, or no pictures.
    """

    folder: Path
    samples: int
    cases: int
    without_consent: int
    contradicted: int
    purged: int


def agreed(labels: Iterable[LabelRow]) -> tuple[dict[tuple[str, str | None], str], int]:
    """What people agree on, by label and sample (None: the case), and on how much they do not.

    Of each person the newest word counts. ``unclear`` is no opinion.

    Args:
        labels: oldest first.
    """
    said: dict[tuple[str, str | None], dict[str, str]] = {}
    for row in labels:
        said.setdefault((row.name, row.media_id), {})[row.author] = row.value
    found, contradicted = {}, 0
    for what, words in said.items():
        values = {value for value in words.values() if value != UNCLEAR}
        if len(values) == 1:
            found[what] = values.pop()
        elif values:
            contradicted += 1
    return found, contradicted


def row_of(media: MediaView, labels: Mapping[tuple[str, str | None], str]) -> dict[str, str]:
    """The labelled columns of one sample; empty when nothing was said about it.

    ``attack`` speaks of pictures of the person, ``document`` of pictures of the document, ``match`` of both; a word on
    the sample itself goes before one on the case.
    """

    def said(name: str) -> str:
        return labels.get((name, media.id)) or labels.get((name, None), "")

    document = media.role.startswith("document")
    match = said("match") if media.role in ("selfie", "reference", "document_front") else ""
    if document:
        columns = {"label": said("document"), "pai_species": ""}
    else:
        attack = said("attack") if media.role in ("selfie", "frame") else ""
        columns = {"label": "attack", "pai_species": attack} if attack else {"label": "", "pai_species": ""}
        if attack == "bona_fide":
            columns = {"label": attack, "pai_species": ""}
    return {**columns, "match": match} if columns["label"] or match else {}


def export_labels(store: Store, tenant: str, out: Path, *, actor: str) -> LabelExport:
    """Write labelled samples and their list ``samples.csv`` to a new folder, all or nothing.

    Subjects and sessions are pseudonyms under the tenant's key: the same person has the same one in every export, so
    that splits by subject hold, and nobody without the key can tell who it is.

    Args:
        out: must not exist.

    Raises:
        ExistsError: ``out`` is there.
        NothingToDoError: no labelled case has consent and samples.
        BlobError: the folder cannot be written.
    """
    if out.exists():
        raise ExistsError(f"{out} is there already.", hint="Name a new folder.")
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        (temporary / "files").mkdir(parents=True, mode=0o700)
        temporary.chmod(0o700)
        found, cases = _write(store, tenant, temporary)
        if not found:
            raise NothingToDoError("no labelled case has consent to research and samples that are kept.")
        with store.write() as tx:  # the log first: a crash leaves a word too many, never a sample too many
            for case_id, count in cases.items():
                store.audit.append(tx, tenant, actor, "labels.exported", "case", case_id, samples=count)
        temporary.replace(out)
    except OSError as error:
        raise BlobError(f"{out} cannot be written: {(error.strerror or 'error').lower()}.") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return LabelExport(out, *found)


def _write(store: Store, tenant: str, folder: Path) -> tuple[tuple[int, int, int, int, int] | None, dict[str, int]]:
    with store.read() as tx:
        key = store.keys.of(tx, tenant, "tenant", tenant).secret
        ids = list(tx.scalars(select(LabelRow.case_id).filter_by(tenant=tenant).distinct().order_by(LabelRow.case_id)))
    rows: list[dict[str, str]] = []
    cases: dict[str, int] = {}
    without_consent = contradicted = purged = 0
    for case_id in ids:
        with store.read() as tx:
            labels, open_questions = agreed(store.reviews.labels(tx, tenant, case_id))
            try:
                described = _described(store, tx, tenant, case_id, key)
            except ConsentMissingError:
                without_consent += 1
                continue
            media = store.vault.of_case(tx, tenant, case_id)
        if not labels:
            contradicted += bool(open_questions)
            continue
        made = 0
        for each in media:
            columns, suffix = row_of(each, labels), _SUFFIXES.get(each.content_type)
            if not columns or suffix is None:
                continue
            name = f"files/{_pseudonym(key, 'sample', each.id)}{suffix}"
            try:
                data = store.vault.read(tenant, each.id)
            except (KeyDestroyedError, NotFoundError):  # erased meanwhile
                continue
            with written(folder / name, "wb") as stream:
                stream.write(data)
            rows.append({"file": name, **described, **columns, "role": each.role})
            made += 1
        if made:
            cases[case_id] = made
        else:
            purged += 1
    if not rows:
        return None, {}
    with written(folder / "samples.csv") as stream:
        table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return (len(rows), len(cases), without_consent, contradicted, purged), cases


def _described(store: Store, tx: Session, tenant: str, case_id: str, key: bytes) -> dict[str, str]:
    """Columns that all samples of a case share; raises ConsentMissingError."""
    consent = store.consents.require(tx, tenant, PURPOSE, case_id=case_id)
    case = tx.get_one(CaseRow, (tenant, case_id))
    reference = tx.scalars(select(SessionRow.reference).filter_by(tenant=tenant, case_id=case_id)).first()
    person = case.subject_id or reference or case_id
    until = min(case.media_expires, consent.expires) if consent.expires else case.media_expires
    return {
        "subject": _pseudonym(key, "subject", person),
        "session": _pseudonym(key, "session", case_id),
        "consent": f"{consent.purpose} {consent.text_version}",
        "retain_until": f"{until:%Y-%m-%d}",
        "source": "reviewers",
    }


def _pseudonym(key: bytes, kind: str, name: str) -> str:
    return hmac.digest(key, f"lab/{kind}/{name}".encode(), hashlib.sha256).hex()[:20]
