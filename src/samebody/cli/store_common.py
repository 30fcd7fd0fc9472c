"""What the commands on a store share: where it is, its master keys, who asks."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from samebody.service.galleries import Galleries
    from samebody.store.store import Store

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class StorePlace:
    """Where a store is and what opens it: what :func:`store_options` reads.

    Attributes:
        where: a folder, or a database's URL.
        media: folder or URL of the sealed files; None where the environment or ``where`` says it.
        key_file: the master key; None for the environment's.
        old_keys: older master keys that are accepted too.
    """

    where: str
    media: str | None = None
    key_file: Path | None = None
    old_keys: tuple[Path, ...] = ()

    def open(self, *, create: bool = False) -> Store:
        """The store; with ``create`` made or upgraded."""
        from samebody.store import LocalMasterKey, Store

        named = self.key_file or (Path(path) if (path := os.environ.get("SAMEBODY_MASTER_KEY_FILE")) else None)
        master = [LocalMasterKey.from_file(path) for path in ([named] if named else [])]
        if self.old_keys:
            from samebody.store.master import from_environment

            master = [*(master or from_environment()), *(LocalMasterKey.from_file(path) for path in self.old_keys)]
        media = self.media or os.environ.get("SAMEBODY_MEDIA")
        return Store.open(self.where, media=media, master=master, create=create, wake=os.environ.get("SAMEBODY_WAKE"))


def store_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--store``, ``--media``, ``--key-file``, ``--old-key-file``, handed to the command as ``place``."""

    @functools.wraps(command)
    def placed(
        *args: Any, where: str, media: str | None, key_file: Path | None, old_keys: tuple[Path, ...], **options: Any
    ) -> Any:
        return command(*args, place=StorePlace(where, media, key_file, old_keys), **options)

    found: Callable[..., Any] = placed
    for option in (
        click.option("--old-key-file", "old_keys", type=FILE, multiple=True, help="An older master key, accepted too."),
        click.option(
            "--key-file", type=FILE, help="The master key (64 hexadecimal digits); else SAMEBODY_MASTER_KEY_FILE, "
            "else SAMEBODY_MASTER_KEY with the key itself."
        ),
        click.option("--media", help="Folder or bucket's URL of the sealed files; needed with a database's URL."),
        click.option(
            "--store", "where", envvar="SAMEBODY_STORE", default="samebody-store", show_default=True,
            help="Folder, or a database's URL; else SAMEBODY_STORE.",
        ),
    ):  # fmt: skip
        found = option(found)
    return found


def key_file_of(folder: Path) -> Path:
    """Where the master key of a store in a folder lies when nothing else is said: beside it, not in it.

    A copy of the folder alone (a backup, a stolen disk image of the volume) then opens nothing.
    """
    return folder.with_name(folder.name + ".key")


def galleries_of(where: str) -> Path | None:
    """Where the galleries of a store lie when no setting names them: in its folder; None for a database elsewhere."""
    return None if "://" in where or os.environ.get("SAMEBODY_SERVICE_GALLERIES") else Path(where) / "galleries"


def opened_galleries(store: Store, where: str) -> Galleries:
    """The galleries of a store, whose erasures reach them from now on."""
    from samebody.service.galleries import Galleries
    from samebody.service.settings import load_service_settings

    return Galleries(store, load_service_settings(galleries=galleries_of(where)).galleries)


def with_galleries(store: Store, where: str) -> Store:
    """The store, whose erasures reach its galleries."""
    opened_galleries(store, where)
    return store


def actor() -> str:
    """Who asks, for the audit log: the account of the operating system."""
    import getpass

    try:
        return f"operator:{getpass.getuser()[:100]}"
    except (KeyError, OSError):
        return f"operator:{os.getuid()}"
