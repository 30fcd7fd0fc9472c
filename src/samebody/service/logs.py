"""Logs of the service: one JSON object a line, with the fields a search needs and nothing about a person.

What may be a message is decided where it is logged: codes, names of exceptions and ids, never contents. This module
adds the time, the level, and the fields of ``extra`` that are listed here; others are dropped.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

FIELDS = ("request_id", "session", "operation", "status", "milliseconds", "worker", "role")
"""Fields of ``extra`` that are written."""


class JsonLines(logging.Formatter):
    """A record as one line of JSON. Tracebacks are reduced to the names and places of their frames."""

    def format(self, record: logging.LogRecord) -> str:
        """See :class:`logging.Formatter`."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # its text and its locals may hold what must not be kept
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up(style: str, level: int = logging.INFO) -> None:
    """Log to standard error: ``json`` lines, or ``text`` for people."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonLines() if style == "json" else logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("alembic", "httpx", "httpcore"):  # they would tell addresses of endpoints
        logging.getLogger(noisy).setLevel(logging.WARNING)
