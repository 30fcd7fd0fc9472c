"""The capture page: built from ``web/`` into the folder ``page`` of this package, served under ``/capture/``."""
