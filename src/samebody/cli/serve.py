"""``samebody serve``: the API, workers and the housekeeper on one machine, or one of them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samebody.cli.store_common import StorePlace, galleries_of, key_file_of, store_options

if TYPE_CHECKING:
    from samebody.store.store import Store

ROLES = ("all", "api", "worker", "housekeeper", "prepare")


@click.command("serve", context_settings={"help_option_names": ["-h", "--help"]})
@store_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8200, show_default=True)
@click.option("--workers", type=click.IntRange(0, 256), help="Worker processes; by default the cores, at least one.")
@click.option("--public-url", help="How people reach the service; by default http://HOST:PORT.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="all",
    show_default=True,
    help="What this process is; `prepare` makes what is missing and ends.",
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--tenant", default="local", show_default=True, help="A tenant to make unless it is there.")
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input does.")
def command(
    place: StorePlace,
    host: str,
    port: int,
    workers: int | None,
    public_url: str | None,
    role: str,
    tenant: str,
    log_format: str,
    with_parent: bool,
) -> None:
    """Run the service: REST API under /v1, workers, webhooks, retention.

    On the first start it makes the store, a master key beside it when none is given, and an admin key, shown once.
    """
    from samebody.service.logs import set_up

    set_up(log_format)
    public_url = public_url or os.environ.get("SAMEBODY_SERVICE_PUBLIC_URL") or f"http://{host}:{port}"
    if with_parent:
        from samebody.service.processes import end_with_parent

        end_with_parent()
    if role not in ("all", "prepare"):
        with place.open() as store:
            _run_role(store, place.where, role, host, port, public_url)
        return
    from samebody.service.processes import Supervisor, on_signals
    from samebody.service.settings import load_service_settings
    from samebody.service.setup import prepare

    load_service_settings(public_url=public_url)
    place = replace(place, key_file=_key_file(place))
    with place.open(create=True) as store:
        made = prepare(store, tenant)
    if made.admin_key is not None:
        click.echo(f"Admin key (shown this once): {made.admin_key}")
    if role == "prepare":
        return
    count = workers if workers is not None else max(1, len(os.sched_getaffinity(0)))
    commands, environment = children(
        place, log_format=log_format, host=host, port=port, public_url=public_url, workers=count
    )
    supervisor = Supervisor(commands, environment)
    click.echo(f"samebody serves {public_url}/v1 with {count} workers; Ctrl-C ends it.")
    with on_signals(supervisor.stop):
        supervisor.run()


def children(
    place: StorePlace, *, log_format: str, host: str,
    port: int, public_url: str, workers: int,
) -> tuple[dict[str, list[str]], dict[str, str]]:  # fmt: skip
    """The command line of each child by name, and their environment.

    Store and media travel in the environment: their addresses may hold passwords, and command lines are public on the
    machine.
    """
    from samebody.service.processes import child_command

    options = ["--key-file", str(place.key_file)] if place.key_file else []
    options += [part for path in place.old_keys for part in ("--old-key-file", str(path))]
    options += ["--log-format", log_format, "--host", host, "--port", str(port), "--public-url", public_url]
    commands = {"api": child_command("api", options), "housekeeper": child_command("housekeeper", options)}
    commands |= {f"worker {number}": child_command("worker", options) for number in range(1, workers + 1)}
    media = {"SAMEBODY_MEDIA": place.media} if place.media else {}
    environment = {**os.environ, "SAMEBODY_STORE": place.where, **media}
    return commands, environment


def _key_file(place: StorePlace) -> Path | None:
    """The master key's file: the one given, else the environment's, else one beside the store, made when missing."""
    if place.key_file or os.environ.get("SAMEBODY_MASTER_KEY_FILE") or os.environ.get("SAMEBODY_MASTER_KEY"):
        return place.key_file
    if "://" in place.where:
        return None  # a database elsewhere needs a key that is kept elsewhere too; the store says so
    from samebody.store import LocalMasterKey

    path = key_file_of(Path(place.where))
    if not path.exists():
        LocalMasterKey.create_file(path)
        click.echo(f"New master key: {path}. Keep a copy apart from the store; without it nothing can be read again.")
    return path


def _run_role(store: Store, where: str, role: str, host: str, port: int, public_url: str) -> None:
    from samebody.config import load_settings
    from samebody.service.processes import give_way, run_housekeeper, run_worker
    from samebody.service.settings import load_service_settings

    settings = load_service_settings(public_url=public_url, galleries=galleries_of(where))
    if settings.traces:
        from samebody import tracing

        tracing.start(f"samebody-{role}")
    if role == "worker":
        give_way()
        run_worker(store, settings, load_settings(threads=1))
    elif role == "housekeeper":
        run_housekeeper(store, settings)
    else:
        from samebody.service.app import create_app
        from samebody.service.server import serve

        serve(create_app(store, settings, load_settings()), settings, host=host, port=port)
