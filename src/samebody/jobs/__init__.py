"""Work that survives a kill: leases on sessions, an outbox, deliveries, workers.

The session table is the truth; whatever wakes a worker is only a hint.
"""

from samebody.jobs.outbox import Deliveries, Delivery, Receipt, new_endpoint
from samebody.jobs.queue import Claim, LeaseLostError, Queue
from samebody.jobs.tasks import Task, Tasks
from samebody.jobs.worker import Worker

__all__ = [
    "Claim",
    "Deliveries",
    "Delivery",
    "LeaseLostError",
    "Queue",
    "Receipt",
    "Task",
    "Tasks",
    "Worker",
    "new_endpoint",
]
