"""The page of what a tenant may set for itself, what the operator set, and the texts that people consent to."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from sqlalchemy import select

from samebody.errors import SamebodyError
from samebody.service.console.login import Visitor, needs, posts
from samebody.service.console.render import back, page
from samebody.service.state import Service, service_of
from samebody.store.errors import ExistsError, InvalidValueError
from samebody.store.schema import ConsentTextRow
from samebody.store.settings import TenantSettings

router = APIRouter(prefix="/console", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of the form.

    Attributes:
        value: what stands in it; empty where the tenant set nothing.
        counts: what holds now; empty where only the policy says.
    """

    name: str
    label: str
    unit: str
    help: str
    lowest: float
    highest: float
    value: str
    counts: str


@router.get("/settings")
def settings_page(request: Request, visitor: Annotated[Visitor, needs("settings:read")]) -> Response:
    """What is set, what counts, and what only the operator sets."""
    return _shown(service_of(request), visitor)


async def _filled(request: Request) -> dict[str, str]:
    """What stands in the fields of the form: one for each setting there is."""
    form = await request.form()
    return {each.name: str(form.get(each.name, "")).strip() for each in fields(TenantSettings)}


@router.post("/settings")
def change_settings(
    request: Request,
    visitor: Annotated[Visitor, posts("settings:write")],
    given: Annotated[dict[str, str], Depends(_filled)],
    version: Annotated[int, Form()],
) -> Response:
    """Take the form: an empty field gives the setting back to the operator or the policy."""
    service, caller = service_of(request), visitor.caller
    try:
        changes = {name: _number(name, text) for name, text in given.items()}
        with service.store.write() as tx:
            service.tenancy.change(tx, caller.tenant, changes, actor=caller.actor, expected=version)
    except SamebodyError as problem:
        return _shown(service, visitor, error=str(problem), given=given)
    return back("/console/settings")


@router.post("/settings/texts")
def add_text(
    request: Request,
    version: Annotated[str, Form(max_length=64)],
    language: Annotated[str, Form(max_length=16)],
    text: Annotated[str, Form(min_length=1, max_length=20_000)],
    visitor: Annotated[Visitor, posts("settings:write")],
) -> Response:
    """Add a version of the text that people consent to; one that is there is never changed."""
    service, caller = service_of(request), visitor.caller
    try:
        with service.store.write() as tx:
            if tx.get(ConsentTextRow, (caller.tenant, version, language)) is not None:
                raise ExistsError("there is a text of that version and language already.", hint="Name a new version.")
            service.store.consents.add_text(
                tx, caller.tenant, version, language, text.replace("\r\n", "\n"), actor=caller.actor
            )
    except SamebodyError as problem:
        return _shown(service, visitor, error=str(problem))
    return back("/console/settings#texts")


def _number(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise InvalidValueError(f"{name} is a number.") from None
    return int(value) if value.is_integer() else value


def _shown(service: Service, visitor: Visitor, *, error: str = "", given: dict[str, str] | None = None) -> Response:
    tenant = visitor.caller.tenant
    with service.store.read() as tx:
        found = service.tenancy.described(tx, tenant)
        query = select(ConsentTextRow).filter_by(tenant=tenant)
        texts = list(tx.scalars(query.order_by(ConsentTextRow.created.desc(), ConsentTextRow.language)))
    rows = []
    for each in fields(TenantSettings):
        about, held = each.metadata, found["settings"][each.name]
        value = _text(held) if given is None else given[each.name]
        rows.append(
            Setting(
                each.name, about["label"], about["unit"], about["help"], about["lowest"], about["highest"], value,
                _text(found["effective"].get(each.name)),
            )
        )  # fmt: skip
    return page(
        "settings.html", visitor, 422 if error else 200, rows=rows, found=found, texts=texts, error=error,
        limits=service.change_limits,
    )  # fmt: skip


def _text(value: Any) -> str:
    return "" if value is None else f"{value:g}"
