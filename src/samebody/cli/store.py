"""``samebody store``: make, upgrade, back up and clean the database of the service; keys, export, erasure."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samebody.cli.store_common import StorePlace, actor, opened_galleries, store_options, with_galleries

if TYPE_CHECKING:
    from samebody.store.store import Store

FOLDER = click.Path(file_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("store", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """The database of the service and its sealed samples."""


@command.command("new-key")
@click.argument("path", type=NEW_FILE)
def new_key(path: Path) -> None:
    """Make a master key in a new file that only its owner may read. Without it nothing sealed can be read again."""
    from samebody.store import LocalMasterKey

    click.echo(f"{LocalMasterKey.create_file(path).id} written to {path}: keep a copy apart from the store")


@command.command()
@store_options
@click.option("--tenant", default="local", show_default=True, help="A tenant to make unless it is there.")
def upgrade(place: StorePlace, tenant: str) -> None:
    """Make a store, or bring one to this release's tables."""
    from samebody.store.upgrade import newest_version

    with place.open(create=True) as store:
        with store.write() as tx:
            store.tenants.ensure(tx, tenant)
        click.echo(f"the store is of version {newest_version()}")


@command.command("rotate-keys")
@store_options
def rotate_keys(place: StorePlace) -> None:
    """Re-wrap all keys with the master key of --key-file; the older one is given by --old-key-file.

    The service goes on meanwhile if it knows both. Stopped at any moment, the next call goes on.
    """
    with place.open() as store:
        count = store.rotate_master()
        click.echo(
            f"{count} keys re-wrapped by {store.keys.keyring.current}; older master keys are not needed any more"
        )


@command.command()
@store_options
def sweep(place: StorePlace) -> None:
    """Delete everything whose time has come, now."""
    with place.open() as store:
        for name, count in dataclasses.asdict(with_galleries(store, place.where).janitor.sweep()).items():
            click.echo(f"{name.replace('_', ' ')}: {count}")


@command.command("export-person")
@store_options
@click.option("--tenant", default="local", show_default=True)
@click.option("--out", type=NEW_FILE, required=True, help="ZIP file to write: in plain, so keep it safe.")
@click.argument("person")
def export_person(place: StorePlace, tenant: str, out: Path, person: str) -> None:
    """Write everything held about PERSON (the integrator's name for them, or the id of the subject)."""
    from samebody.store.files import written

    with place.open() as store:
        subject = _subject(store, tenant, person)
        with written(out, "wb") as stream:
            count = store.people.export(tenant, subject, stream, actor=actor())
    click.echo(f"{count} files written to {out}")


@command.command("erase-person")
@store_options
@click.option("--tenant", default="local", show_default=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("person")
def erase_person(place: StorePlace, tenant: str, yes: bool, person: str) -> None:
    """Erase PERSON: their key destroyed, their samples deleted, their cases redacted. Cannot be undone."""
    with place.open() as store:
        subject = _subject(store, tenant, person)
        if not yes:
            click.confirm(f"Erase {subject} for good?", abort=True)
        with_galleries(store, place.where).people.erase(tenant, subject, actor=actor())
    click.echo(f"{subject} erased")


@command.command("rebuild-galleries")
@store_options
@click.option("--tenant", help="Only this tenant's; by default all.")
def rebuild_galleries(place: StorePlace, tenant: str | None) -> None:
    """Make the galleries anew from the sealed references: after a restore, or when their files are lost or damaged.

    Not while the service runs.
    """
    with place.open() as store:
        _rebuild(store, place.where, tenant)


@command.command()
@store_options
@click.argument("target", type=FOLDER)
def backup(place: StorePlace, target: Path) -> None:
    """Copy the store to a new folder while it is in use."""
    from samebody.store.backup import backup as take

    with place.open() as store:
        made = take(store, target)
    click.echo(f"{made['files']} files, {made['bytes']} bytes copied to {target}; the master key is not in it")


@command.command()
@store_options
@click.option("--marks", help="Sealed files that were in use last, folder or URL: erasures since are repeated.")
@click.argument("source", type=FOLDER)
def restore(place: StorePlace, marks: str | None, source: Path) -> None:
    """Make the store --store from a backup, every file checked, and erase again who was erased since.

    --store is a new folder, or the URL of an empty database; --media says where sealed files go, if not in the folder.
    A backup of SQLite may be restored to PostgreSQL, and the other way round.
    """
    from samebody.store.backup import restore as bring_back
    from samebody.store.blobs import open_blobs
    from samebody.store.errors import BackupError, StoreConfigError

    media = place.media or os.environ.get("SAMEBODY_MEDIA")
    if marks is not None and "://" not in marks and not Path(marks).is_dir():
        raise BackupError(f"there is no folder {marks}.", hint="Name the media folder that was in use last.")
    bring_back(source, place.where, media=media, marks=None if marks is None else open_blobs(marks))
    with place.open(create=True) as store:
        count = store.vault.erase_again()
        click.echo(f"restored to {_shown(place.where)}; {count} keys destroyed again")
        try:
            _rebuild(store, place.where)
        except StoreConfigError:  # a database elsewhere, and no folder was named for them
            click.echo("galleries: set SAMEBODY_SERVICE_GALLERIES, then: samebody store rebuild-galleries")


def _rebuild(store: Store, where: str, tenant: str | None = None) -> None:
    from samebody.config import load_settings
    from samebody.models import catalogue

    records = [each for each in catalogue(load_settings()).values() if each.task == "face-embedding"]
    dimensions = {each.embedding_space().digest: each.embedding_output.dimensions for each in records}
    galleries = opened_galleries(store, where)
    with store.read() as tx:
        tenants = store.tenants.names(tx) if tenant is None else [tenant]
        rows = [(name, row.id) for name in tenants for row in galleries.of_tenant(tx, name)]
    for name, gallery_id in rows:
        count = galleries.rebuild(name, gallery_id, dimensions, actor=actor())
        click.echo(f"gallery {gallery_id} of {name}: {count} references")


def _shown(where: str) -> str:
    """A folder, or the URL of a database without its password."""
    from sqlalchemy.engine import make_url

    return make_url(where).render_as_string(hide_password=True) if "://" in where else where


def _subject(store: object, tenant: str, person: str) -> str:
    from samebody.store.errors import NotFoundError
    from samebody.store.store import Store

    assert isinstance(store, Store)
    with store.read() as tx:
        try:
            return store.people.find(tx, tenant, person).id
        except NotFoundError:
            return store.people.get(tx, tenant, person).id
