"""Checking an audit log: every event, every link, every checkpoint, the end; what was tampered with is named.

What cannot be seen from inside: somebody who can write to the database and puts back an older state of the whole of it,
checkpoints and head included. A checkpoint that was exported and kept elsewhere (``trusted``) shows that too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from samebody import crypto
from samebody.errors import SamebodyError
from samebody.store.audit.chain import Checkpoint, Event, digest_of, genesis
from samebody.store.audit.log import AuditLog, checkpoint_of, event_of, head_mac
from samebody.store.audit.merkle import Peaks
from samebody.store.schema import AuditCheckpointRow, AuditEventRow, AuditHeadRow


@dataclass(frozen=True, slots=True)
class Problem:
    """One place where the log is not what was written.

    Attributes:
        table: ``events``, ``checkpoints`` or ``head``.
        first, last: sequence numbers (or checkpoint numbers) between which the fault lies; equal when it is exact.
    """

    tenant: str
    table: str
    first: int
    last: int
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was read, and every problem found."""

    tenants: int
    events: int
    checkpoints: int
    problems: tuple[Problem, ...]

    @property
    def sound(self) -> bool:
        """No problem was found."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Chain:
    """What walking the events gave: how many, the digest of the last, the roots at the sizes asked for."""

    events: int
    digest: str
    tree: Peaks
    roots: dict[int, str]
    problems: tuple[Problem, ...]


def walk(tenant: str, events: Iterable[Event], sizes: Iterable[int] = ()) -> Chain:
    """Check events in order of their sequence: content against digest, link against the event before, no gaps."""
    wanted, roots, problems = set(sizes), dict[int, str](), list[Problem]()
    tree, expected, previous, count = Peaks(), 1, genesis(tenant), 0

    def problem(first: int, last: int, message: str) -> None:
        problems.append(Problem(tenant, "events", first, last, message))

    for event in events:
        count += 1
        if event.sequence != expected:
            if event.sequence > expected:
                problem(expected, event.sequence - 1, "missing: deleted, or moved away")
            else:
                problem(event.sequence, event.sequence, "there twice, or out of order")
        found = digest_of(event)
        if event.tenant != tenant or found != event.digest:
            problem(event.sequence, event.sequence, "changed: its content does not give its digest")
        elif event.sequence == expected and event.previous != previous:
            problem(max(1, event.sequence - 1), event.sequence, "the link between these two was changed")
        tree.add(bytes.fromhex(found))
        expected, previous = event.sequence + 1, event.digest
        if event.sequence in wanted:
            roots[event.sequence] = tree.root().hex()
    return Chain(count, previous, tree, roots, tuple(problems))


def verify_chain(
    tenant: str,
    events: Iterable[Event],
    checkpoints: Sequence[Checkpoint],
    public_key: str,
    trusted: Sequence[Checkpoint] = (),
) -> tuple[Chain, list[Problem]]:
    """Check events and checkpoints of one tenant.

    Args:
        public_key: what checkpoints must be signed with.
        trusted: checkpoints kept elsewhere; the log must still contain what they attest.
    """
    chain = walk(tenant, events, [each.size for each in (*checkpoints, *trusted)])
    problems, broken = list(chain.problems), bool(chain.problems)
    previous, size = genesis(tenant), 0
    for expected, checkpoint in enumerate(checkpoints, start=1):
        number = checkpoint.number

        def problem(message: str, number: int = number) -> None:
            problems.append(Problem(tenant, "checkpoints", number, number, message))

        if number != expected:
            problem(f"found where number {expected} should be")
        if checkpoint.previous != previous or checkpoint.size <= size or checkpoint.tenant != tenant:
            problem("does not follow from the one before")
        if not _signed(checkpoint, public_key):
            problem("the signature does not fit")
        elif not broken and chain.roots.get(checkpoint.size) != checkpoint.root:
            broken = True  # what follows is no news
            problems.append(_attested(checkpoint, size + 1, chain))
        previous, size = checkpoint.digest, checkpoint.size
    for checkpoint in trusted:
        if checkpoint.tenant == tenant and not _signed(checkpoint, public_key):
            problems.append(
                Problem(tenant, "checkpoints", checkpoint.number, checkpoint.number, "not signed by this log")
            )
        elif checkpoint.tenant == tenant and chain.roots.get(checkpoint.size) != checkpoint.root:
            problems.append(_attested(checkpoint, 1, chain))
    return chain, problems


def verify_log(tx: Session, log: AuditLog, tenant: str | None = None, trusted: Sequence[Checkpoint] = ()) -> Report:
    """Check the log of a tenant, or of all. Needs the master key: no MAC can be checked without."""
    everyone = union(
        select(AuditEventRow.tenant),
        select(AuditHeadRow.tenant),
        select(AuditCheckpointRow.tenant),
    )
    tenants = [tenant] if tenant is not None else sorted(tx.scalars(everyone))
    problems, events, marks = list[Problem](), 0, 0
    for name in tenants:
        try:
            public, mac = log.public_key(tx, name), log.mac_key(tx, name)
        except SamebodyError as error:
            problems.append(Problem(name, "head", 0, 0, f"the keys of the log cannot be opened: {error.code}"))
            continue
        checkpoints = [
            checkpoint_of(row)
            for row in tx.scalars(select(AuditCheckpointRow).filter_by(tenant=name).order_by(AuditCheckpointRow.number))
        ]
        chain, found = verify_chain(name, stored_events(tx, name), checkpoints, public, trusted)
        problems += found
        problems += _check_head(tx.get(AuditHeadRow, name), chain, name, mac, len(checkpoints))
        events, marks = events + chain.events, marks + len(checkpoints)
    return Report(len(tenants), events, marks, tuple(problems))


def stored_events(tx: Session, tenant: str) -> Iterator[Event]:
    """The events of a tenant in order, a thousand at a time in memory."""
    query = select(AuditEventRow).filter_by(tenant=tenant).order_by(AuditEventRow.sequence)
    for rows in tx.scalars(query.execution_options(yield_per=1000)).partitions():
        for row in rows:
            yield event_of(row)
            tx.expunge(row)


def _check_head(head: AuditHeadRow | None, chain: Chain, tenant: str, mac: bytes, checkpoints: int) -> list[Problem]:
    if head is None:
        return [Problem(tenant, "head", 0, chain.events, "the head of the log is missing")]
    end = head.sequence
    if not crypto.equal(head.mac, head_mac(mac, tenant, end, head.digest, head.checkpoints)):
        return [Problem(tenant, "head", end, end, "the head was changed: its MAC does not fit")]
    found = []
    if chain.tree.size < end:
        found.append(Problem(tenant, "events", chain.tree.size + 1, end, "missing at the end, or in between"))
    elif chain.tree.size > end:
        found.append(Problem(tenant, "events", end + 1, chain.tree.size, "added after the head, or in between"))
    elif chain.digest != head.digest and not chain.problems:
        found.append(Problem(tenant, "events", end, end, "changed: it is not the event that the head names"))
    elif chain.tree.to_text() != head.peaks and not chain.problems:
        found.append(Problem(tenant, "head", end, end, "its subtrees are not those of the events"))
    if head.checkpoints != checkpoints:
        first = min(head.checkpoints, checkpoints) + 1
        last = max(head.checkpoints, checkpoints)
        found.append(Problem(tenant, "checkpoints", first, last, "missing, or added by somebody else"))
    return found


def _attested(checkpoint: Checkpoint, first: int, chain: Chain) -> Problem:
    """A root that differs: somewhere since the checkpoint before."""
    if checkpoint.size not in chain.roots:
        message = f"missing: checkpoint {checkpoint.number} attests {checkpoint.size} events"
        return Problem(checkpoint.tenant, "events", chain.tree.size + 1, checkpoint.size, message)
    message = f"changed, and what follows made to fit: checkpoint {checkpoint.number} attests other events"
    return Problem(checkpoint.tenant, "events", first, checkpoint.size, message)


def _signed(checkpoint: Checkpoint, public_key: str) -> bool:
    try:
        signature = bytes.fromhex(checkpoint.signature)
        crypto.verify(bytes.fromhex(public_key), checkpoint.statement, signature)
    except (crypto.CryptoError, ValueError):
        return False
    return checkpoint.public_key == public_key
