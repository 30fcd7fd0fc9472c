"""``samebody doctor``: is everything here that this installation needs?"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samebody.cli.store_common import StorePlace, key_file_of, store_options

if TYPE_CHECKING:
    from samebody.store.store import Store

Line = tuple[str, str, str]
"""What was looked at, ``ok``, ``note`` or ``fault``, and what to do."""
LEAST_FREE = 2 * 2**30
"""Bytes of disk below which a note is given."""


@click.command("doctor", context_settings={"help_option_names": ["-h", "--help"]})
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, place: StorePlace, as_json: bool) -> None:
    """Look at what is needed: Python, settings, weights, decoders, disk, and the store when there is one.

    Exits with 0 when nothing is at fault, 1 otherwise. Nothing is changed.
    """
    lines = [*_python(), *_settings(), *_models(), *_extras(), *_providers()]
    if "://" in place.where or Path(place.where).exists():
        beside = replace(place, key_file=place.key_file or _beside(place.where))
        lines += _store(beside.open)
    else:
        lines.append(("store", "note", f"there is none at {place.where}; `samebody serve` makes it"))
    if as_json:
        click.echo(json.dumps([dict(zip(("part", "state", "detail"), line, strict=True)) for line in lines], indent=2))
    else:
        width = max(len(part) for part, _, _ in lines)
        for part, state, detail in lines:
            click.echo(f"{state:5}  {part:{width}}  {detail}")
    context.exit(1 if any(state == "fault" for _, state, _ in lines) else 0)


def _python() -> Iterator[Line]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield "python", "ok" if sys.version_info >= (3, 11) else "fault", version
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield "cores", "ok", str(cores)


def _settings() -> Iterator[Line]:
    from samebody.config import load_settings
    from samebody.errors import SamebodyError

    try:
        settings = load_settings()
    except SamebodyError as error:
        yield "settings", "fault", str(error)
        return
    yield "settings", "ok", f"weights in {settings.models_dir}"
    folder = settings.models_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    yield "disk", "ok" if free >= LEAST_FREE else "note", f"{free / 2**30:.1f} GiB free beside the weights"


def _models() -> Iterator[Line]:
    from samebody.errors import SamebodyError
    from samebody.models import catalogue, weights_path

    try:
        records = catalogue().models()
    except SamebodyError as error:
        yield "records", "fault", str(error)
        return
    for record in records:
        if record.weightless:
            continue
        try:
            weights_path(record)
            yield record.id, "ok", "weights verified"
        except SamebodyError as error:
            yield record.id, "fault", str(error)


def _extras() -> Iterator[Line]:
    for extra, module, what in (
        ("service", "fastapi", "the REST API"),
        ("lab", "pandas", "data sets and evaluation"),
        ("train", "torch", "training"),
        ("heic", "pillow_heif", "HEIC pictures"),
        ("video", "av", "more video codecs"),
        ("postgresql", "pg8000", "PostgreSQL"),
        ("objects", "obstore", "object storage"),
        ("redis", "redis", "hints by Redis"),
    ):
        there = find_spec(module) is not None
        yield f"extra {extra}", "ok" if there else "note", what if there else f"not installed: no {what}"


def _providers() -> Iterator[Line]:
    """The identity providers of the console's logins: each is asked, as a login would."""
    if not os.environ.get("SAMEBODY_SERVICE_OIDC") or find_spec("jwt") is None:
        return
    from samebody.errors import SamebodyError
    from samebody.service.sso.discovery import ProviderClient
    from samebody.service.sso.providers import load_providers

    try:
        providers = load_providers(Path(os.environ["SAMEBODY_SERVICE_OIDC"]))
    except SamebodyError as error:
        yield "logins", "fault", str(error)
        return
    for name, provider in providers.items():
        try:
            provider.secret()
            client = ProviderClient(provider)
            keys = client.keys(None)
            client.close()
        except SamebodyError as error:
            yield f"login {name}", "fault", str(error)
            continue
        yield f"login {name}", "ok" if keys else "fault", f"{provider.issuer} answers and has {len(keys)} keys"


def _store(opening: Callable[[], Store]) -> Iterator[Line]:
    from samebody.errors import SamebodyError

    try:
        store = opening()
    except SamebodyError as error:
        yield "store", "fault", str(error)
        return
    with store:
        from sqlalchemy import func, select

        from samebody.jobs import Queue
        from samebody.store.ids import new_id
        from samebody.store.schema import AuditEventRow

        with store.read() as tx:
            tenants = store.tenants.names(tx)
            events = tx.scalar(select(func.count()).select_from(AuditEventRow))
        yield "store", "ok" if tenants else "note", f"{len(tenants)} tenants, {events} audit events"
        try:
            with store.read() as tx:
                for tenant in tenants:
                    store.keys.of(tx, tenant, "tenant", tenant)
            yield "master key", "ok", store.keys.keyring.current
        except SamebodyError as error:
            yield "master key", "fault", str(error)
        name = f"ready/{new_id('try')}"
        try:
            store.blobs.put(name, b"x")
            same = store.blobs.get(name) == b"x"
            store.blobs.delete(name)
            said = "can be written, read and deleted" if same else "what was written is not what is read back"
            yield "sealed files", "ok" if same else "fault", said
        except SamebodyError as error:
            yield "sealed files", "fault", str(error)
        if getattr(store.blobs, "keeps_versions", False):
            yield "bucket", "note", "keeps versions: what is deleted stays, sealed, until a rule of the bucket ends it"
        yield from _database(store)
        yield from _hints(store)
        waiting = Queue(store).waiting()
        yield "queue", "ok", f"{waiting['submitted']} wait, {waiting['processing']} are worked on"


def _database(store: Store) -> Iterator[Line]:
    """Which database it is, and whether a commit is on its disk when it says so."""
    from sqlalchemy import text

    if store.database.is_sqlite:
        yield "database", "ok", "SQLite, for one machine"
        return
    with store.read() as tx:
        version = tx.scalar(text("SHOW server_version"))
        safety = {name: tx.scalar(text(f"SHOW {name}")) for name in ("fsync", "synchronous_commit", "full_page_writes")}
    yield "database", "ok", f"PostgreSQL {version}"
    for name, value in safety.items():
        if value == "off":
            yield "database", "fault", f"{name} is off: a power cut loses what was accepted; set it to on"


def _hints(store: Store) -> Iterator[Line]:
    """What wakes workers; nothing rests on it, so that its absence is no fault."""
    from samebody.store.wake_redis import RedisWake

    if isinstance(store.wake, RedisWake) and not store.wake.ping():
        yield "hints", "note", "Redis does not answer: workers look by themselves"
    else:
        yield "hints", "ok", store.wake.name or "none: workers look by themselves"


def _beside(where: str) -> Path | None:
    """The key file that ``samebody serve`` made beside the store."""
    if os.environ.get("SAMEBODY_MASTER_KEY_FILE") or os.environ.get("SAMEBODY_MASTER_KEY") or "://" in where:
        return None
    path = key_file_of(Path(where))
    return path if path.is_file() else None
