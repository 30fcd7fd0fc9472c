"""A store that can serve: its tenant, the bundled policies, a consent text, and on the first day an admin key."""

from __future__ import annotations

from dataclasses import dataclass, field

from samebody.decide.load import bundled_policies, policy_text
from samebody.service.access import scopes_for
from samebody.store.errors import NotFoundError
from samebody.store.schema import ConsentTextRow
from samebody.store.store import Store
from samebody.store.tenants import LOCAL

CONSENT_VERSION = "2026-1"
CONSENT_TEXTS = {
    "en": (
        "I agree that pictures of my face and of my identity document are processed to check my identity. "
        "They are kept encrypted, deleted when the period named by the service ends, and I may withdraw at any time."
    ),
    "de": (
        "Ich willige ein, dass Bilder meines Gesichts und meines Ausweises verarbeitet werden, um meine Identität "
        "zu prüfen. Sie werden verschlüsselt aufbewahrt und nach der genannten Frist gelöscht. Ich kann "
        "jederzeit widerrufen."
    ),
    "es": (
        "Acepto que se traten imágenes de mi cara y de mi documento para comprobar mi identidad. Se guardan "
        "cifradas, se borran al terminar el plazo indicado y puedo retirar mi consentimiento en cualquier momento."
    ),
    "fr": (
        "J'accepte que des images de mon visage et de mon document soient traitées pour vérifier mon identité. Elles "
        "sont conservées chiffrées et effacées au terme du délai indiqué. Je peux retirer mon accord à tout moment."
    ),
}
"""Texts to begin with; a deployment replaces them with its own, as a new version."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was made. ``admin_key`` is None when the tenant had keys already; ``repr`` does not print it."""

    tenant: str
    policies: tuple[str, ...]
    admin_key: str | None = field(default=None, repr=False)


def prepare(store: Store, tenant: str = LOCAL) -> Prepared:
    """Make what is missing; a second time changes nothing."""
    actor, added = "system", []
    with store.write() as tx:
        store.tenants.ensure(tx, tenant)
        for name in bundled_policies():
            try:
                store.policies.get(tx, tenant, name)
            except NotFoundError:
                store.policies.put(tx, tenant, name, policy_text(name)[0], actor=actor)
                added.append(name)
        for language, text in CONSENT_TEXTS.items():
            if tx.get(ConsentTextRow, (tenant, CONSENT_VERSION, language)) is None:
                store.consents.add_text(tx, tenant, CONSENT_VERSION, language, text, actor=actor)
        secret = None
        if not store.api_keys.of_tenant(tx, tenant):
            _, secret = store.api_keys.create(
                tx, tenant, "first admin", "admin", scopes_for("admin", None), actor=actor
            )
    return Prepared(tenant, tuple(added), secret)
