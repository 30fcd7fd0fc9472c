"""Writes ``calls.py`` from the OpenAPI document; a test keeps both equal.

Run it as ``python -m samebody.service.client.generate docs/reference/openapi.json``.
"""

from __future__ import annotations

import json
import keyword
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HEAD = '''"""The calls of the API, one method a route. Generated from the OpenAPI document: do not edit.

`python -m samebody.service.client.generate docs/reference/openapi.json` writes both again.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from samebody.service.client.transport import AsyncTransport, Call, SyncTransport
'''
Schema = Mapping[str, Any]
_PLAIN = {
    "string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None", "object": "dict[str, Any]",
}  # fmt: skip


def source(document: Mapping[str, Any]) -> str:
    """The module for an OpenAPI document."""
    schemas = document["components"]["schemas"]
    parts = [HEAD]
    answers = sorted({name for operation in _operations(document) if (name := _answer(operation[2]))})
    wanted = _closure(answers, schemas)
    for name in sorted(wanted):
        parts.append(_typed_dict(name, schemas[name]))
    for kind, base, asynchronous in (("Client", "SyncTransport", False), ("AsyncClient", "AsyncTransport", True)):
        text = "blocking" if not asynchronous else "for asyncio"
        parts.append(f'class {kind}({base}):\n    """Every route of the API, {text}; see :class:`{base}`."""\n')
        for path, method, operation in _operations(document):
            parts.append(_method(path, method, operation, schemas, asynchronous))
    return "\n\n".join(parts) + "\n"


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _success(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    status = min(code for code in operation["responses"] if code.startswith("2"))
    found: Mapping[str, Any] = operation["responses"][status].get("content", {})
    return found


def _answer(operation: Mapping[str, Any]) -> str | None:
    schema = _success(operation).get("application/json", {}).get("schema", {})
    schema = schema.get("items", schema)
    return _name(schema) if "$ref" in schema else None


def _name(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _closure(names: list[str], schemas: Mapping[str, Schema]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _refs(schemas[name])
    return found


def _refs(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        own = [_name(value)] if isinstance(value.get("$ref"), str) else []
        return own + [name for each in value.values() for name in _refs(each)]
    return [name for each in value for name in _refs(each)] if isinstance(value, list) else []


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return _name(schema)
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if schema.get("type") == "array":
        return f"list[{_type(schema['items'])}]"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"dict[str, {_type(schema['additionalProperties'])}]"
    return _PLAIN.get(str(schema.get("type")), "Any")


def _inlined(schema: Schema, schemas: Mapping[str, Schema]) -> str:
    """The type of an argument: enums are written out and objects are plain, so that plain values can be given."""
    if "$ref" in schema:
        return _type(schemas[_name(schema)])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_inlined(each, schemas) for each in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list[{_inlined(schema['items'], schemas)}]"
    return _type(schema)


def _typed_dict(name: str, schema: Schema) -> str:
    if "enum" in schema:
        return f"{name} = {_type(schema)}"
    lines = [f"class {name}(TypedDict):", f'    """{_sentence(schema.get("description", name))}"""', ""]
    lines += [f"    {field}: {_type(each)}" for field, each in schema["properties"].items()]
    return "\n".join(lines)


def _method(
    path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Schema], asynchronous: bool
) -> str:
    first, named, query = [], [], []
    for each in operation.get("parameters", ()):
        if each["in"] == "path":
            first.append(f"{each['name']}: {_inlined(each['schema'], schemas)}")
        elif each["in"] == "query":
            required = each.get("required", False)
            default = "" if required else f" = {each['schema'].get('default')!r}"
            named.append(f"{_safe(each['name'])}: {_inlined(each['schema'], schemas)}{default}")
            query.append(f"{each['name']!r}: {_safe(each['name'])}")
    content = operation.get("requestBody", {}).get("content", {})
    call = [f"{method.upper()!r}", f'f"{path}"' if first else repr(path)]
    if query:
        call.append(f"query={{{', '.join(query)}}}")
    if "application/json" in content:
        body = schemas[_name(content["application/json"]["schema"])]
        fields = body["properties"]
        required = body.get("required", ())
        order = [*(name for name in fields if name in required), *(name for name in fields if name not in required)]
        for name in order:
            kind, default = (
                _inlined(fields[name], schemas),
                "" if name in required else f" = {fields[name].get('default')!r}",
            )
            if default == " = None" and "None" not in kind:
                kind += " | None"  # left out when not given: the service then takes its own default
            named.append(f"{_safe(name)}: {kind}{default}")
        call.append("body={" + ", ".join(f"{name!r}: {_safe(name)}" for name in fields) + "}")
    elif content:
        first.append("content: bytes")
        named.append('content_type: str = "application/octet-stream"')
        call += ["content=content", "content_type=content_type"]
    if method == "post":
        named.append("idempotency_key: str | None = None")
        call.append("idempotency_key=idempotency_key")
    success = _success(operation)
    if "application/json" in success:
        result = _type(success["application/json"]["schema"])
    else:
        result = "bytes"
        call.append("raw=True")
    named.sort(key=lambda text: " = " in text)
    arguments = ", ".join(["self", *first, *(["*", *named] if named else [])])
    begin, wait = ("async def", "await ") if asynchronous else ("def", "")
    return (
        f"    {begin} {operation['operationId']}({arguments}) -> {result}:\n"
        f'        """{_sentence(operation.get("description") or operation["summary"])}"""\n'
        f"        found: {result} = {wait}self._send(Call({', '.join(call)}))\n"
        f"        return found\n"
    )


def _safe(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) or name == "idempotency_key" else name


def _sentence(text: str) -> str:
    return " ".join(text.split())


def formatted(text: str) -> str:
    """The module as the project's formatter writes it.

    Raises:
        RuntimeError: ruff is not installed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--line-length", "120", "-"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"ruff format failed: {done.stderr}")
    return done.stdout


def main() -> None:
    """Write ``calls.py`` beside this file."""
    from samebody.service.openapi import document

    found = document()
    (Path(__file__).parent / "calls.py").write_text(formatted(source(found)), encoding="utf-8")
    if len(sys.argv) > 1:  # where to keep the document itself
        Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
