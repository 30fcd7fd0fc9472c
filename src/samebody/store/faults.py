"""What a database says went wrong, by its code and never by its words.

PostgreSQL puts values into its messages ("Key (reference)=(order 7) ...", "Failing row contains (...)"), and the
driver, pg8000, raises one class for nearly all of them. Here the SQLSTATE (PostgreSQL manual, appendix A) says which
error it is, and the words are dropped before anybody can log or print them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

UNIQUE = "23505"
_KEPT = ("C", "t", "n", "c")  # code, table, constraint, column
_AGAIN = ("40001", "40P01", "55P03")  # not serialisable, deadlock, lock not available: the same may work next time
_AWAY = ("08", "28", "3D", "53", "55", "57", "58")  # connection, login, no database, resources, state, operator, system
_CLOSING = ("57P01", "57P02", "57P03")


class DatabaseFaultError(Exception):
    """Stands in for the driver's exception: a code, and the names of table and constraint."""

    def __init__(self, code: str, table: str = "", constraint: str = "") -> None:
        super().__init__(" ".join(part for part in (f"SQLSTATE {code}", table, constraint) if part))
        self.code = code


def install(engine: Engine) -> None:
    """Sort and silence the errors of an engine's connections."""
    event.listen(engine, "handle_error", _sorted, retval=True)


def code_of(error: BaseException) -> str:
    """The SQLSTATE of an error of SQLAlchemy; "" when it has none (SQLite)."""
    found = getattr(error, "orig", None)
    return found.code if isinstance(found, DatabaseFaultError) else ""


def _sorted(context: ExceptionContext) -> BaseException | None:
    original = context.original_exception
    if isinstance(original, OverflowError | UnicodeEncodeError):  # of a parameter, before it was sent
        # pg8000 has asked half of its question then: the next one on this connection would get this one's answer
        context.is_disconnect, context.invalidate_pool_on_disconnect = True, False
        return _made(DataError, context, DatabaseFaultError("22000"))
    if isinstance(original, OSError):  # pg8000 lets some errors of the socket through as they are
        context.is_disconnect = True
        return _made(OperationalError, context, DatabaseFaultError("08006"))
    facts = _facts(original)
    if facts is None:
        return None
    _silence(original)
    code = facts.get("C", "")
    fault = DatabaseFaultError(code, facts.get("t", ""), facts.get("n", ""))
    if code in _CLOSING:
        context.is_disconnect = True
    if code.startswith("23"):
        return _made(IntegrityError, context, fault)
    if code.startswith("22"):
        return _made(DataError, context, fault)
    if code in _AGAIN or code.startswith(_AWAY):
        return _made(OperationalError, context, fault)
    return None


def _made(kind: type[DBAPIError], context: ExceptionContext, fault: DatabaseFaultError) -> DBAPIError:
    # the constructor takes no None for what its base class does; hidden parameters are counted, not shown
    return kind(context.statement, context.parameters, fault, hide_parameters=True)


def _facts(error: BaseException | None) -> dict[str, Any] | None:
    arguments = getattr(error, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], dict) and "C" in arguments[0] else None


def _silence(error: BaseException | None) -> None:
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if (facts := _facts(error)) is not None:
            error.args = ({name: facts[name] for name in _KEPT if name in facts},)
        error = error.__cause__ or error.__context__
