"""The database of the service: who, which case, which sealed sample, who did what, and until when.

Needs the extra ``samebody[service]``. Start at :class:`samebody.store.store.Store`::

    from samebody.store import Store, LocalMasterKey

    with Store.open("state", master=[LocalMasterKey.from_file("master.key")]) as store:
        store.tenants.create("local")
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from samebody.store.errors import StoreExtraMissingError

if TYPE_CHECKING:
    from samebody.store.lifecycle import Event as Event
    from samebody.store.lifecycle import State as State
    from samebody.store.master import LocalMasterKey as LocalMasterKey
    from samebody.store.master import MasterKey as MasterKey
    from samebody.store.store import Store as Store

_LAZY = {
    "Store": "samebody.store.store",
    "LocalMasterKey": "samebody.store.master",
    "MasterKey": "samebody.store.master",
    "State": "samebody.store.lifecycle",
    "Event": "samebody.store.lifecycle",
}

__all__ = ["Event", "LocalMasterKey", "MasterKey", "State", "Store"]

if importlib.util.find_spec("sqlalchemy") is None or importlib.util.find_spec("alembic") is None:
    raise StoreExtraMissingError(
        "the database needs SQLAlchemy and alembic, which are not installed.",
        hint="Install them with: pip install 'samebody[service]'",
    )


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'samebody.store' has no attribute {name!r}")
