"""An audit log as a file that can be checked without the database: JSON lines of events, then of checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import IO, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from samebody.store.audit.chain import Checkpoint, Event, canonical
from samebody.store.audit.log import AuditLog, checkpoint_of
from samebody.store.audit.verify import Problem, Report, stored_events, verify_chain
from samebody.store.errors import AuditError
from samebody.store.schema import AuditCheckpointRow

FORMAT = "samebody-audit/1"


@dataclass(frozen=True, slots=True)
class Export:
    """A log read from a file."""

    tenant: str
    public_key: str
    events: tuple[Event, ...]
    checkpoints: tuple[Checkpoint, ...]


def export_log(tx: Session, log: AuditLog, tenant: str, out: IO[str]) -> tuple[int, str]:
    """Write the log of a tenant; a checkpoint over all of it is signed first, so that no end can be cut off unseen.

    Returns:
        Events written, and the public key that they verify with: keep it apart from the file.
    """
    log.checkpoint(tx, tenant)
    public, count = log.public_key(tx, tenant), 0
    out.write(canonical({"format": FORMAT, "tenant": tenant, "public_key": public}) + "\n")
    for event in stored_events(tx, tenant):
        out.write(canonical({"event": asdict(event)}) + "\n")
        count += 1
    query = select(AuditCheckpointRow).filter_by(tenant=tenant).order_by(AuditCheckpointRow.number)
    for row in tx.scalars(query):
        out.write(canonical({"checkpoint": asdict(checkpoint_of(row))}) + "\n")
    return count, public


def read_export(lines: Iterable[str]) -> Export:
    """Read what :func:`export_log` wrote.

    Raises:
        AuditError: a line is not of that form; it is named.
    """
    events, checkpoints = list[Event](), list[Checkpoint]()
    head: dict[str, Any] | None = None
    for number, entry in _parsed(lines):
        try:
            if head is None:
                if entry["format"] != FORMAT:
                    raise AuditError(
                        f"the export has the format {str(entry['format'])[:40]!r}.", hint="Update samebody."
                    )
                head = {"tenant": str(entry["tenant"]), "public_key": str(entry["public_key"])}
            elif "event" in entry:
                events.append(_typed(Event, entry["event"]))
            else:
                checkpoints.append(_typed(Checkpoint, entry["checkpoint"]))
        except (KeyError, TypeError):
            raise AuditError(f"line {number} is not one of an audit export.") from None
    if head is None:
        raise AuditError("the audit export is empty.")
    return Export(events=tuple(events), checkpoints=tuple(checkpoints), **head)


def verify_export(export: Export, public_key: str | None = None) -> Report:
    """Check a log read from a file.

    Args:
        public_key: the key that was kept apart; without one, the file's own says only that it fits itself.
    """
    chain, problems = verify_chain(export.tenant, export.events, export.checkpoints, public_key or export.public_key)
    covered = export.checkpoints[-1].size if export.checkpoints else 0
    if covered < chain.events:
        message = "no checkpoint attests these events"
        problems.append(Problem(export.tenant, "events", covered + 1, chain.events, message))
    return Report(1, chain.events, len(export.checkpoints), tuple(problems))


def _parsed(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
        except ValueError:
            raise AuditError(f"line {number} of the audit export is not JSON.") from None
        if not isinstance(entry, dict):
            raise AuditError(f"line {number} is not one of an audit export.")
        yield number, entry


def _typed(kind: type[Any], fields: Any) -> Any:
    """``kind`` with fields of the types it declares, all of them and no others."""
    numbers = {"sequence", "number", "size"}
    if not isinstance(fields, dict):
        raise TypeError("not an object")
    for name, value in fields.items():
        if not isinstance(value, int if name in numbers else str) or isinstance(value, bool):
            raise TypeError(name)
    return kind(**fields)
