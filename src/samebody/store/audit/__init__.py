"""The audit log: append-only, hash-chained by tenant, with signed Merkle checkpoints."""

from samebody.store.audit.chain import Checkpoint, Event, canonical, digest_of, genesis
from samebody.store.audit.export import Export, export_log, read_export, verify_export
from samebody.store.audit.log import AuditLog, last_checkpoint
from samebody.store.audit.verify import Problem, Report, verify_chain, verify_log

__all__ = [
    "AuditLog",
    "Checkpoint",
    "Event",
    "Export",
    "Problem",
    "Report",
    "canonical",
    "digest_of",
    "export_log",
    "genesis",
    "last_checkpoint",
    "read_export",
    "verify_chain",
    "verify_export",
    "verify_log",
]
