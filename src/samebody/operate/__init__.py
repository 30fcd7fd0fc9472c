"""Watching and changing what runs: drift, shadows, promotion and rollback, labels for the lab, cost.

Needs the extra ``samebody[service]``: everything is read from, and written to, a :class:`samebody.store.Store`.
"""

from __future__ import annotations
