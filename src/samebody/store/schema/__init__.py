"""The tables, as SQLAlchemy 2 models. Every row belongs to a tenant; keys are (tenant, id), so no row refers across."""

from samebody.store.schema.audit import AuditCheckpointRow, AuditEventRow, AuditHeadRow
from samebody.store.schema.base import Base, UtcDateTime
from samebody.store.schema.cases import (
    CaseRow,
    ConsentRow,
    ConsentTextRow,
    FindingRow,
    LabelRow,
    MediaRow,
    ReviewRow,
    SessionRow,
    VerdictRow,
)
from samebody.store.schema.delivery import GarbageRow, OutboxRow, WebhookDeliveryRow, WebhookEndpointRow
from samebody.store.schema.people import GalleryRow, ReferenceRow, SubjectRow
from samebody.store.schema.tasks import TaskRow
from samebody.store.schema.tenancy import (
    ApiKeyRow,
    ConsoleLoginRow,
    IdempotencyRow,
    KeyRow,
    ModelChangeRow,
    PolicyRow,
    TenantRow,
    TenantSettingsRow,
)

__all__ = [
    "ApiKeyRow",
    "AuditCheckpointRow",
    "AuditEventRow",
    "AuditHeadRow",
    "Base",
    "CaseRow",
    "ConsentRow",
    "ConsentTextRow",
    "ConsoleLoginRow",
    "FindingRow",
    "GalleryRow",
    "GarbageRow",
    "IdempotencyRow",
    "KeyRow",
    "LabelRow",
    "MediaRow",
    "ModelChangeRow",
    "OutboxRow",
    "PolicyRow",
    "ReferenceRow",
    "ReviewRow",
    "SessionRow",
    "SubjectRow",
    "TaskRow",
    "TenantRow",
    "TenantSettingsRow",
    "UtcDateTime",
    "VerdictRow",
    "WebhookDeliveryRow",
    "WebhookEndpointRow",
]
