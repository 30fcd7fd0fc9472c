"""Logs of the service: one JSON object a line, with the fields a search needs and nothing about a person.

What may be a message is decided where it is logged: codes, names of exceptions and ids, never contents. This module
adds the time, the level, and the fields of ``extra`` that are listed here; others are dropped.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

FIELDS = ("request_id", "session", "operation", "status", "milliseconds", "worker", "role")
"""Fields of ``extra`` that are written."""


MOST_FRAMES = 12
"""Of a traceback: the innermost ones."""


def places(error: BaseException | None) -> str:
    """An exception by its type and the places it came through; never its text, nor a line of source or a value."""
    if error is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
    way = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    after = f"; after {type(before).__name__}" if before is not None else ""
    return f"{type(error).__name__} at {way or 'no frame'}{after}"


class TextLines(logging.Formatter):
    """A record as a line for people. Of an exception only :func:`places`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """See :class:`logging.Formatter`."""
        record.exc_text = None  # another formatter may have left the whole text here
        return super().format(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """See :class:`logging.Formatter`."""
        return places(ei[1])


class JsonLines(logging.Formatter):
    """A record as one line of JSON. Of an exception only its type and :func:`places`."""

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
            line["places"] = places(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up(style: str, level: int = logging.INFO) -> None:
    """Log to standard error: ``json`` lines, or ``text`` for people."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # whoever gave them handlers of their own would have them write texts
    for server in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logging.getLogger(server).handlers.clear()
        logging.getLogger(server).propagate = True
    for noisy in ("alembic", "httpx", "httpcore"):  # they would tell addresses of endpoints
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # what no handler catches would be printed with its text
    sys.excepthook = _uncaught
    threading.excepthook = lambda each: _uncaught(each.exc_type, each.exc_value, each.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        logging.getLogger(__name__).critical("ended by %s", places(error) or kind.__name__)
