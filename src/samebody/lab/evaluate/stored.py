"""Figures of one evaluation as a dictionary with a kind and a version, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Self

from samebody.lab.evaluate.errors import RunFolderError

SCHEMA_VERSION = 1


class StoredResult:
    """Base of the results that are written into run folders: frozen dataclasses of plain values.

    Attributes:
        KIND: what the figures are of, as written beside them.
    """

    __slots__ = ()
    KIND: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with ``schema_version`` and ``kind``; :meth:`from_dict` reads it back unchanged."""
        fields = asdict(self)  # type: ignore[call-overload]  # every subclass is a dataclass
        return {"schema_version": SCHEMA_VERSION, "kind": self.KIND, **plain(fields)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read back what :meth:`to_dict` wrote.

        Raises:
            RunFolderError: another version or kind, or fields that do not fit; all of them are named.
        """
        from pydantic import TypeAdapter, ValidationError

        written = data.get("schema_version")
        if written != SCHEMA_VERSION:
            raise RunFolderError(
                f"these figures have schema version {written!r}; this samebody reads {SCHEMA_VERSION}.",
                hint="Run the evaluation again with this version.",
            )
        if data.get("kind") != cls.KIND:
            raise RunFolderError(f"these figures are of the kind {data.get('kind')!r}, not {cls.KIND!r}.")
        fields = {key: value for key, value in data.items() if key not in ("schema_version", "kind")}
        try:
            return TypeAdapter(cls).validate_python(fields)
        except ValidationError as error:
            found = "; ".join(
                f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}"
                for entry in error.errors(include_url=False, include_input=False)
            )
            raise RunFolderError(f"these figures cannot be read: {found}.") from None


def plain(value: Any) -> Any:
    """Tuples as lists and mappings as dictionaries, all the way down; numbers stay as they are."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
