"""A typed client of the API, sync and async, and a verifier of its webhooks. Needs httpx only.

from samebody.service.client import Client

with Client("http://127.0.0.1:8200", key) as api:
    session = api.create_session(policy="no-liveness", reference="order 7")
"""

from samebody.service.client.calls import AsyncClient, Client
from samebody.service.client.errors import ApiError, WebhookError
from samebody.service.client.webhook import verify_webhook

__all__ = ["ApiError", "AsyncClient", "Client", "WebhookError", "verify_webhook"]
