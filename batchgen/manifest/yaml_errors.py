"""libyaml's complaints in plain words: what is wrong, and what would be right."""

from __future__ import annotations

from typing import NamedTuple

import yaml

from batchgen.manifest.problems import Refused


class _Words(NamedTuple):
    message: str
    hint: str | None = None
    at_opening: bool = False
    """Tell it where the quote or bracket was opened, not where the file ended."""


_QUOTE_IT = "put the value in quotes"
_INDENT = "keys of one mapping begin in one column, below their parent"
_PLAIN_WORDS = {
    "mapping values are not allowed in this context": _Words(
        "a `:` that begins no value here", "put a text that holds `: ` in quotes, or indent the key"
    ),
    "found character that cannot start any token": _Words(
        "a value cannot begin with {character}", _QUOTE_IT
    ),
    "found a tab character where an indentation space is expected": _Words(
        "a tab cannot indent a line", "use spaces"
    ),
    "did not find expected ',' or ']'": _Words(
        "the list opened here is not closed", "write `]`, or a comma between items", True
    ),
    "did not find expected ',' or '}'": _Words(
        "the mapping opened here is not closed", "write `}`, or a comma between keys", True
    ),
    "found unexpected end of stream": _Words("the quote opened here is not closed", None, True),
    "could not find expected ':'": _Words("a key without `:` and a value"),
    "did not find expected key": _Words("this line is not indented like its neighbours", _INDENT),
    "did not find expected '-' indicator": _Words(
        "this line is no item of the list above", "begin it with `- ` in the column of the others"
    ),
    "found unknown escape character": _Words(
        "an unknown `\\` escape", "write `\\\\` for a backslash, or use single quotes"
    ),
    "found invalid Unicode character escape code": _Words("an escape that is no character"),
    "did not find expected alphabetic or numeric character": _Words(
        "`*` and `&` begin an alias or an anchor, and its name is missing", _QUOTE_IT
    ),
    "found incompatible YAML document": _Words("not a version of YAML that can be read"),
}


def in_plain_words(error: yaml.YAMLError, data: bytes) -> Refused:
    """Translate what libyaml raised over ``data`` (UTF-8 without a mark)."""
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return Refused(0, 0, "this is not YAML")
    character = data.decode()[mark.index : mark.index + 1]
    if character == "\t":
        return Refused(mark.line + 1, mark.column + 1, "a tab cannot stand here", "use spaces")
    problem = error.problem or "something unexpected"
    words = _PLAIN_WORDS.get(problem, _Words(f"YAML: {problem}"))
    if words.at_opening and error.context_mark is not None:
        mark = error.context_mark
    message = words.message.replace("{character}", repr(character))
    return Refused(mark.line + 1, mark.column + 1, message, words.hint)
