"""Migrations of the database, run by :mod:`samebody.store.upgrade`. A released one is never changed."""
