"""Batches of work that is no session, under the same leases: bulk enrolment, duplicates, re-embedding.

An item is added once however often its batch is sent, and its result is written once; a worker that dies leaves its
item to the next. A handler may run twice on one item (the first died before it could say so): it must be repeatable.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session

from samebody.errors import SamebodyError
from samebody.jobs.queue import LEASE, LeaseLostError, lost_lease
from samebody.store.database import changed_rows
from samebody.store.errors import InvalidValueError, NotFoundError
from samebody.store.ids import new_id, require_name
from samebody.store.schema import TaskRow
from samebody.store.store import Store

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """An item held by a worker. ``repr`` prints neither its input nor its token."""

    tenant: str
    id: str
    kind: str
    batch: str
    name: str
    failures: int
    input: dict[str, Any] = field(repr=False)
    token: str = field(repr=False)


Handler = Callable[[Task], Mapping[str, Any]]
"""Works on an item; returns its JSON-ready result."""


class Tasks:
    """The tasks of one store.

    Args:
        lease: how long an item is held without a heartbeat.
        failures: leases lost and faults before an item is given up.
    """

    def __init__(self, store: Store, *, lease: timedelta = LEASE, failures: int = 5) -> None:
        self.store, self._lease, self._failures = store, lease, failures

    def add(
        self, tx: Session, tenant: str, kind: str, batch: str, items: Mapping[str, Mapping[str, Any]], *, actor: str
    ) -> int:
        """Add items to a batch by name; those that are in it already are left as they are. Returns how many are new.

        Raises:
            InvalidValueError: a name is not allowed, or an input is not JSON.
        """
        require_name(kind, "the kind of a task")
        require_name(batch, "the name of a batch")
        known = set(tx.scalars(select(TaskRow.name).filter_by(tenant=tenant, batch=batch)))
        key, now, rows = self.store.keys.of(tx, tenant, "tenant", tenant), self.store.clock(), []
        for name, value in items.items():
            if require_name(name, "the name of an item") in known:
                continue
            task_id = new_id("tsk")
            row: dict[str, object] = {
                "tenant": tenant,
                "id": task_id,
                "kind": kind,
                "batch": batch,
                "name": name,
                "state": WAITING,
            }
            row["sealed_input"] = key.seal(_json(value), f"{tenant}/tasks/{task_id}/input")
            rows.append({**row, "created": now, "failures": 0})
        if rows:
            tx.execute(insert(TaskRow), rows)
            self.store.wake.tell(tx)
            self.store.audit.append(tx, tenant, actor, "batch.added", "batch", batch, kind=kind, items=len(rows))
        return len(rows)

    def claim(self, worker: str, kind: str) -> Task | None:
        """Take the oldest item of a kind that is due, or one whose lease has ended; None when there is none."""
        store, now = self.store, self.store.clock()
        due = (
            select(TaskRow)
            .where(
                TaskRow.kind == kind,
                or_(
                    (TaskRow.state == WAITING) & or_(TaskRow.not_before.is_(None), TaskRow.not_before <= now),
                    (TaskRow.state == RUNNING) & (TaskRow.lease_until <= now),
                ),
            )
            .order_by(TaskRow.created, TaskRow.id)
            .limit(1)
        )
        with store.read() as tx:
            if tx.scalars(due).one_or_none() is None:
                return None
        with store.write() as tx:
            row = tx.scalars(due.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            failures = row.failures + (row.state == RUNNING)  # whoever held it is gone
            if failures >= self._failures:
                self._set(tx, row.tenant, row.id, state=FAILED, code="jobs.lease_lost", finished=now, failures=failures)
                return None
            token = secrets.token_hex(16)
            held = {"lease_owner": worker, "lease_token": token, "lease_until": now + self._lease}
            self._set(tx, row.tenant, row.id, state=RUNNING, failures=failures, **held)
            key = store.keys.of(tx, row.tenant, "tenant", row.tenant)
            value = json.loads(key.unseal(row.sealed_input, f"{row.tenant}/tasks/{row.id}/input"))
            return Task(row.tenant, row.id, row.kind, row.batch, row.name, failures, value, token)

    def heartbeat(self, task: Task) -> None:
        """Hold an item for another lease.

        Raises:
            LeaseLostError.
        """
        with self.store.write() as tx:
            self._held(tx, task, lease_until=self.store.clock() + self._lease)

    def finish(self, task: Task, result: Mapping[str, Any]) -> None:
        """Write the result of an item.

        Raises:
            LeaseLostError: nothing was written.
        """
        with self.store.write() as tx:
            key = self.store.keys.of(tx, task.tenant, "tenant", task.tenant)
            sealed = key.seal(_json(result), f"{task.tenant}/tasks/{task.id}/result")
            self._held(
                tx,
                task,
                state=DONE,
                sealed_result=sealed,
                finished=self.store.clock(),
                lease_token=None,
                lease_until=None,
            )

    def fault(self, task: Task, code: str) -> None:
        """Record that the work failed: it is tried again later, or given up.

        Raises:
            LeaseLostError.
        """
        now, failures = self.store.clock(), task.failures + 1
        values: dict[str, Any] = {"failures": failures, "code": code, "lease_token": None, "lease_until": None}
        if failures >= self._failures:
            values |= {"state": FAILED, "finished": now}
        else:
            wait = self.store.limits.backoff * float(2 ** (failures - 1))
            values |= {"state": WAITING, "not_before": now + wait}
        with self.store.write() as tx:
            self._held(tx, task, **values)

    def run_once(self, worker: str, kind: str, handler: Handler) -> bool | None:
        """Work on one item: True when done, False when it failed or was lost, None when none is due."""
        task = self.claim(worker, kind)
        if task is None:
            return None
        try:
            try:
                result = handler(task)
            except Exception as error:  # kept by its code only
                self.fault(task, error.code if isinstance(error, SamebodyError) else "internal")
                return False
            self.finish(task, result)
        except LeaseLostError:
            return False
        return True

    def progress(self, tx: Session, tenant: str, batch: str) -> dict[str, int]:
        """How many items of a batch are in which state.

        Raises:
            NotFoundError.
        """
        query = select(TaskRow.state, func.count()).filter_by(tenant=tenant, batch=batch).group_by(TaskRow.state)
        found = {row[0]: row[1] for row in tx.execute(query)}
        if not found:
            raise NotFoundError("there is no such batch.")
        return {state: found.get(state, 0) for state in (WAITING, RUNNING, DONE, FAILED)}

    def results(self, tx: Session, tenant: str, batch: str) -> dict[str, dict[str, Any]]:
        """Results of the items that are done, by name."""
        key = self.store.keys.of(tx, tenant, "tenant", tenant)
        query = select(TaskRow).filter_by(tenant=tenant, batch=batch, state=DONE).order_by(TaskRow.name)
        return {
            row.name: json.loads(key.unseal(row.sealed_result, f"{tenant}/tasks/{row.id}/result"))
            for row in tx.scalars(query)
            if row.sealed_result is not None
        }

    @staticmethod
    def _set(tx: Session, tenant: str, task_id: str, **values: Any) -> None:
        tx.execute(update(TaskRow).where(TaskRow.tenant == tenant, TaskRow.id == task_id).values(**values))

    @staticmethod
    def _held(tx: Session, task: Task, **values: Any) -> None:
        done = tx.execute(
            update(TaskRow)
            .where(
                TaskRow.tenant == task.tenant,
                TaskRow.id == task.id,
                TaskRow.state == RUNNING,
                TaskRow.lease_token == task.token,
            )
            .values(**values)
        )
        if changed_rows(done) != 1:
            raise lost_lease()


def _json(value: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(dict(value), separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError):
        raise InvalidValueError("the input or result of a task is not JSON.") from None
