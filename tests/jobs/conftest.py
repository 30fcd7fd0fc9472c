"""The fixtures of the store."""

from tests.store.conftest import clock, either, store, unfurnished
from tests.store.postgresql import new_database, postgresql_database, postgresql_server

__all__ = ["clock", "either", "new_database", "postgresql_database", "postgresql_server", "store", "unfurnished"]
