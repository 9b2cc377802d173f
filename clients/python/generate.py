#!/usr/bin/env python3
"""Makes the types of the Python client from the OpenAPI document.

clients/python/generate.py [--check]

With --check, it changes nothing and fails if the file is not what the document says.
"""

import json
import keyword
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "webapp/openapi.json"
TYPES = ROOT / "clients/python/src/cartwheel_client/schema.py"
HEAD = '''"""The shapes of the API. Made by clients/python/generate.py from webapp/openapi.json."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

'''
SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def type_of(schema: dict[str, Any]) -> str:
    """Returns the Python type of a schema."""
    if reference := schema.get("$ref"):
        return reference.rsplit("/", 1)[1]
    if values := schema.get("enum"):
        return f"Literal[{', '.join(repr(value) for value in values)}]"
    for choice in ("oneOf", "anyOf"):
        if choice in schema:
            return union(type_of(one) for one in schema[choice])
    kinds = schema.get("type", [])
    if isinstance(kinds, list):
        return union(type_of({**schema, "type": kind}) for kind in kinds) if kinds else "Any"
    if kinds == "array":
        return f"list[{type_of(schema.get('items', {}))}]"
    if kinds == "object":
        values = schema.get("additionalProperties")
        return f"dict[str, {type_of(values) if isinstance(values, dict) else 'Any'}]"
    return SIMPLE[kinds]


def union(types: Any) -> str:
    return " | ".join(dict.fromkeys(types))


def fields(schema: dict[str, Any], schemas: dict[str, Any]) -> tuple[dict[str, Any], set[str]] | None:
    """Returns the properties of an object and those that it always has; None if it is none."""
    if "$ref" in schema:
        return fields(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if parts := schema.get("allOf"):
        all_fields, required = {}, set()
        for part in parts:
            of_part = fields(part, schemas)
            if of_part is None:
                return None
            all_fields.update(of_part[0])
            required |= of_part[1]
        return all_fields, required
    if schema.get("type") == "object" and "properties" in schema:
        return schema["properties"], set(schema.get("required", []))
    return None


def definition(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Returns the Python code that defines a shape."""
    found = fields(schema, schemas)
    about = " ".join(schema.get("description", "").split("\n\n")[0].split())
    if found is None:
        comment = f"# {about}\n" if about else ""
        return f"{comment}{name}: TypeAlias = {type_of(schema)}\n"
    properties, required = found
    types = {
        field: type_of(one) if field in required else f"NotRequired[{type_of(one)}]"
        for field, one in properties.items()
    }
    if all(field.isidentifier() and not keyword.iskeyword(field) for field in types):
        doc = f'    """{about}"""\n\n' if about else ""
        body = "".join(f"    {field}: {kind}\n" for field, kind in types.items()) or "    pass\n"
        return f"class {name}(TypedDict):\n{doc}{body}"
    body = "".join(f"    {field!r}: {kind!r},\n" for field, kind in types.items())
    return f"{name} = TypedDict({name!r}, {{\n{body}}})\n"


def main() -> int:
    schemas = json.loads(DOCUMENT.read_text())["components"]["schemas"]
    # Aliases are evaluated at once, after the classes and the aliases that they name.
    aliases: dict[str, str] = {}

    def add_alias(name: str) -> None:
        for other in re.findall(r"\w+", type_of(schemas[name])):
            if other in schemas and other != name and fields(schemas[other], schemas) is None:
                add_alias(other)
        aliases.setdefault(name, definition(name, schemas[name], schemas))

    classes = []
    for name, schema in schemas.items():
        if fields(schema, schemas) is None:
            add_alias(name)
        else:
            classes.append(definition(name, schema, schemas))
    made = HEAD + "\n" + "\n\n".join([*classes, *aliases.values()])
    if "--check" not in sys.argv[1:]:
        TYPES.write_text(made)
    elif not TYPES.exists() or TYPES.read_text() != made:
        print(f"{TYPES.relative_to(ROOT)} is not what the API says: run clients/python/generate.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
