"""Jobs from tables: ``.jsonl`` (an object a line), ``.csv`` (keys in the first row), ``.txt``.

Read line by line, so that a file may be of any size. Rules:

- Text is UTF-8; a mark at the start is skipped.
- A wrong line is told and skipped; what makes the rest unreadable (another encoding, a line
  without end) ends the file.
- JSON is strict: no repeated key, no NaN, no number beyond what a float can hold.
- A CSV cell means what the same word means in YAML without quotes; an empty one is not given. Where
  a key takes a list, a cell that begins with ``[`` is that list in JSON.
"""

from __future__ import annotations

import codecs
import csv
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from batchgen.catalog.complaint import Path as Steps
from batchgen.manifest.entries import Entry, nowhere
from batchgen.manifest.files import NotAFile, open_regular
from batchgen.manifest.problems import Place, Problems, Refused, quoted
from batchgen.manifest.scalars import control_in, control_words, typed
from batchgen.manifest.yaml_tree import MAX_DEPTH

MAX_LINE = 1_000_000
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Table:
    """One open file of jobs; ``file`` is its name in problems."""

    stream: BinaryIO
    file: str
    text_keys: frozenset[str]
    list_keys: frozenset[str]
    problems: Problems

    def complain(self, line: int, column: int, message: str, hint: str | None = None) -> None:
        self.problems.add(Place(self.file, line, column), message, hint)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield the lines with their numbers; raise `Refused` where the file stops being text."""
        number = 0
        while line := self.stream.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise Refused(number, 0, f"a line of more than {MAX_LINE:,} bytes")
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            yield number, _decoded(number, line)


def entries(
    path: Path,
    text_keys: frozenset[str],
    problems: Problems,
    *,
    list_keys: frozenset[str] = frozenset(),
) -> Iterator[Entry]:
    """Yield the jobs of a table, its kind told by the suffix.

    In a CSV, the keys in ``text_keys`` keep words as text, those in ``list_keys`` may hold lists.

    Raises `NotAFile` where there is no regular file of such a kind.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise NotAFile(f"jobs are read from {', '.join(_READERS)} files")
    with open_regular(path) as stream:
        table = Table(stream, str(path), text_keys, list_keys, problems)
        try:
            yield from read(table)
        except Refused as refused:
            problems.add_refused(table.file, refused)
        except OSError as error:
            table.complain(0, 0, f"it cannot be read: {error.strerror}")


def _decoded(number: int, line: bytes) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode()) + 1
        message = f"byte {error.start + 1} of the line (0x{line[error.start]:02X}) is not UTF-8"
        raise Refused(number, column, message, "save the file as UTF-8") from None
    if (index := control_in(text)) is not None:
        raise Refused(number, index + 1, control_words(text[index]))
    return text


# -- a prompt a line ------------------------------------------------------------------------------


def _prompts(table: Table) -> Iterator[Entry]:
    for number, line in table.lines():
        prompt = line.strip()
        if prompt and not prompt.startswith("#"):
            yield Entry(table.file, number, 1, {"prompt": prompt}, nowhere)


# -- an object a line -----------------------------------------------------------------------------

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:]')
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u([0-9a-fA-F]{4})|\\."
)
"""A pair of surrogates, another character by its number (captured), or another escape."""


class _NotStrict(Exception):
    """JSON that Python would read, and another reader would read differently or not at all."""


def _objects(table: Table) -> Iterator[Entry]:
    for number, line in table.lines():
        if not line.strip():
            continue
        try:
            values = _strict(number, line, "this line")
        except Refused as refused:
            table.problems.add_refused(table.file, refused)
            continue
        if not isinstance(values, dict):
            table.complain(number, 1, "a line must be an object, with keys such as `prompt`")
        else:
            yield Entry(table.file, number, 1, values, partial(_place_in_object, number, line))


def _strict(number: int, text: str, what: str) -> Any:
    """Read JSON that every reader reads the same way. Raises `Refused`."""
    if "\\" in text:
        _check_escapes(number, text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Refused(number, error.pos + 1, f"{what} is not JSON: {error.msg}") from None
    except _NotStrict as error:
        raise Refused(number, 1, str(error)) from None
    except RecursionError:
        raise Refused(number, 1, f"nested more than {MAX_DEPTH} levels deep") from None
    except ValueError:
        # Python's own limit, against conversions that take quadratic time.
        raise Refused(number, 1, "a number of too many digits") from None
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(number, text)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise _NotStrict(f"{quoted(repeated)} is given twice")
    return values


def _finite(word: str) -> float:
    if math.isfinite(value := float(word)):
        return value
    raise _NotStrict(f"{quoted(word)} is beyond all numbers")


def _no_constant(word: str) -> float:
    raise _NotStrict(f"{word} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant
)


def _check_escapes(number: int, line: str) -> None:
    """Refuse what an escape would smuggle past the check of the line itself."""
    for escape in _ESCAPE.finditer(line):
        written = escape.group()
        if escape.group(1) is None and written not in (r"\b", r"\f"):
            continue
        character = json.loads(f'"{written}"')
        if control_in(character) is not None:
            raise Refused(number, escape.start() + 1, control_words(character))


def _tokens(line: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield strings, brackets and colons of a JSON line, each with the depth it stands at."""
    depth = 0
    for token in _TOKEN.finditer(line):
        depth -= token.group() in "]}"
        yield depth, token
        depth += token.group() in "[{"


def _check_depth(number: int, line: str) -> None:
    for depth, token in _tokens(line):
        if depth >= MAX_DEPTH and token.group() in "[{":
            raise Refused(number, token.start() + 1, f"nested more than {MAX_DEPTH} levels deep")


def _place_in_object(number: int, line: str, path: Steps) -> tuple[int, int] | None:
    found, value = None, len(line) - len(line.lstrip())
    for step in path:
        member = next((member for member in _members(line, value) if member.name == step), None)
        if member is None:
            break
        found, value = (number, member.begin + 1), member.value
    return found


class _Member(NamedTuple):
    """A member of an object, or an item of an array, and where it begins, and its value does."""

    name: str | int
    begin: int
    value: int


_BETWEEN = re.compile(r"[\s,:]*")


def _members(line: str, at: int) -> Iterator[_Member]:
    """Yield what is in the object or array that begins at ``at``, in a line that is sound JSON."""
    opening, index = line[at], 0
    at = _skipped(line, at + 1)
    while opening in "[{" and line[at] not in "]}":
        begin, name = at, index
        if opening == "{":
            name, end = _DECODER.raw_decode(line, at)
            at = _skipped(line, end)
        yield _Member(name, begin, at)
        _, end = _DECODER.raw_decode(line, at)
        at, index = _skipped(line, end), index + 1


def _skipped(line: str, at: int) -> int:
    """The position behind spaces, commas and colons."""
    between = _BETWEEN.match(line, at)
    return between.end() if between else at


# -- keys in the first row ------------------------------------------------------------------------


def _rows(table: Table) -> Iterator[Entry]:
    reader = csv.reader((line for _, line in table.lines()), strict=True)
    try:
        header = _header(table, next(reader, []))
        line = reader.line_num + 1
        for cells in reader:
            if header and any(cells):
                yield from _row(table, line, header, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        table.complain(reader.line_num, 0, f"this is not CSV: {error}")


def _header(table: Table, cells: list[str]) -> list[str]:
    keys = [cell.strip() for cell in cells]
    if len(keys) == 1 and (";" in keys[0] or "\t" in keys[0]):
        table.complain(1, 1, "the columns must be separated by commas")
        return []
    for index, key in enumerate(keys):
        if not key:
            table.complain(1, 0, f"column {index + 1} has no key in the first row")
        elif key in keys[:index]:
            table.complain(1, 0, f"{quoted(key)} heads two columns")
    return keys if all(keys) and len(set(keys)) == len(keys) else []


def _row(table: Table, line: int, header: list[str], cells: list[str]) -> Iterator[Entry]:
    if len(cells) > len(header):
        message = f"{len(cells)} cells, but the first row names {len(header)} keys"
        table.complain(line, 0, message, "put a text that holds commas in double quotes")
        return
    # A spreadsheet leaves out empty cells at the end of a row.
    given = {key: cell for key, cell in zip(header, cells, strict=False) if cell}
    try:
        values = {key: _value(table, line, key, cell) for key, cell in given.items()}
    except Refused as refused:
        table.complain(line, 0, refused.message)
    else:
        yield Entry(table.file, line, 0, values, nowhere)


def _value(table: Table, line: int, key: str, cell: str) -> Any:
    if key in table.list_keys and cell.lstrip().startswith("["):
        return _strict(line, cell, f"the list in `{key}`")
    return cell if key in table.text_keys else typed(cell)


_READERS: Mapping[str, Callable[[Table], Iterator[Entry]]] = {
    ".jsonl": _objects,
    ".csv": _rows,
    ".txt": _prompts,
}
