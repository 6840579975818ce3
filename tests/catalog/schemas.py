"""A small validator of JSON Schemas, for the words that the project's own schemas use.

No validator is among the project's dependencies. Another word than these (draft 2020-12) is a
KeyError.
"""

from __future__ import annotations

import re

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
NOTES = {"$schema", "$defs", "title", "description", "then"}


def fits(value, schema, root=None):
    """Whether the value is what the schema asks for; references are to ``$defs`` of the root."""
    root = schema if root is None else root
    if isinstance(schema, bool):
        return schema
    words = [word for word in schema if word not in NOTES]
    return all(WORDS[word](value, schema[word], schema, root) for word in words)


def is_type(value, name):
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


def listed(value):
    return value if isinstance(value, list) else []


def paired(value):
    return value if isinstance(value, dict) else {}


def same(value, option):
    return type(value) is type(option) and value == option


def additional(value, schema):
    """The members of an object that the schema beside the word does not speak of."""
    return [item for key, item in paired(value).items() if key not in schema["properties"]]


# What each word of a schema asks of a value: the value, what the word says, the schema it stands
# in, and the root.
WORDS = {
    "$ref": lambda value, says, _, root: fits(
        value, root["$defs"][says.removeprefix("#/$defs/")], root
    ),
    "type": lambda value, says, *_: any(
        is_type(value, name) for name in ([says] if isinstance(says, str) else says)
    ),
    "enum": lambda value, says, *_: any(same(value, option) for option in says),
    "anyOf": lambda value, says, _, root: any(fits(value, option, root) for option in says),
    "allOf": lambda value, says, _, root: all(fits(value, option, root) for option in says),
    "not": lambda value, says, _, root: not fits(value, says, root),
    "if": lambda value, says, schema, root: (
        not fits(value, says, root) or fits(value, schema["then"], root)
    ),
    "pattern": lambda value, says, *_: not isinstance(value, str) or re.search(says, value),
    "minLength": lambda value, says, *_: not isinstance(value, str) or len(value) >= says,
    "minimum": lambda value, says, *_: not is_type(value, "number") or value >= says,
    "maximum": lambda value, says, *_: not is_type(value, "number") or value <= says,
    "items": lambda value, says, _, root: all(fits(item, says, root) for item in listed(value)),
    "contains": lambda value, says, _, root: (
        not isinstance(value, list) or any(fits(item, says, root) for item in value)
    ),
    "minItems": lambda value, says, *_: not isinstance(value, list) or len(value) >= says,
    "maxItems": lambda value, says, *_: len(listed(value)) <= says,
    "required": lambda value, says, *_: not isinstance(value, dict) or set(says) <= set(value),
    "properties": lambda value, says, _, root: all(
        fits(paired(value)[key], part, root) for key, part in says.items() if key in paired(value)
    ),
    "additionalProperties": lambda value, says, schema, root: all(
        fits(item, says, root) for item in additional(value, schema)
    ),
}
