"""A YAML file as entries whose keys remember their places, so that a complaint can name them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

LARGEST = 1 << 20
"""Bytes of a file; a script of thousands of rules is far smaller."""


class FaultScriptError(ValueError):
    """A script that cannot be used: every mistake in it, as `file:line:column: what is wrong`."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Problems:
    """What is wrong with one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[tuple[int, int, str]] = []

    def tell(self, mark: yaml.Mark | None, message: str) -> None:
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self._found.append((line, column, message))

    def raise_any(self) -> None:
        """Raises FaultScriptError where anything was told."""
        if self._found:
            raise FaultScriptError(
                f"{self._file}:{line}:{column}: {message}"
                for line, column, message in sorted(self._found)
            )


class Entry:
    """A mapping whose keys know where they stand."""

    def __init__(self, node: MappingNode, problems: Problems) -> None:
        self._problems = problems
        self._mark = node.start_mark
        self._keys: dict[str, Node] = {}
        self._nodes: dict[str, Node] = {}
        for key, value in node.value:
            self._take(key, value)

    def tell(self, key: str, message: str) -> None:
        """Complain about a key's value; about the entry where it does not have the key."""
        node = self._nodes.get(key)
        self._problems.tell(node.start_mark if node else self._mark, message)

    def values(self, keys: Container[str]) -> dict[str, Any] | None:
        """The values of those keys that are there; None, and told, where one cannot be read."""
        values: dict[str, Any] = {}
        try:
            for key, node in self._nodes.items():
                if key in keys:
                    values[key] = SafeConstructor().construct_object(node, deep=True)
        except yaml.MarkedYAMLError as error:
            self._problems.tell(error.problem_mark, str(error.problem))
        except (ValueError, RecursionError) as error:
            self.tell(key, f"this cannot be read: {error}")
        else:
            return values
        return None

    def refuse_all_but(self, known: Iterable[str]) -> None:
        """Tell every key that is not known, with the one that was probably meant."""
        words = sorted(known)
        for key, node in self._keys.items():
            if key not in words:
                self._problems.tell(
                    node.start_mark, f"there is no key `{key[:40]}` here" + meant(key, words)
                )

    def entries(self, key: str) -> Iterator[Entry]:
        """The mappings of a list."""
        node = self._nodes.get(key)
        if not isinstance(node, SequenceNode) or not node.value:
            self.tell(key, f"`{key}` must be a list of rules")
            return
        for item in node.value:
            if isinstance(item, MappingNode):
                yield Entry(item, self._problems)
            else:
                self._problems.tell(item.start_mark, "a rule is a mapping of keys")

    def _take(self, key: Node, value: Node) -> None:
        if not isinstance(key, ScalarNode):
            self._problems.tell(key.start_mark, "a key must be a word")
            return
        if key.value in self._nodes:
            self._problems.tell(key.start_mark, f"`{key.value}` is here twice")
            return
        self._keys[key.value], self._nodes[key.value] = key, value


def document(path: Path, problems: Problems) -> Entry | None:
    """The one mapping of a file; None, and told, where it is not to be had."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            problems.tell(None, "the file is larger than a megabyte")
            return None
        root = yaml.compose(content.decode(), Loader=yaml.SafeLoader)
    except OSError as error:
        problems.tell(None, f"the file cannot be read: {error.strerror or error}")
    except UnicodeDecodeError as error:
        problems.tell(None, f"byte {error.start} of the file is not UTF-8")
    except RecursionError:
        problems.tell(None, "the file is nested too deeply")
    except yaml.MarkedYAMLError as error:
        problems.tell(error.problem_mark or error.context_mark, str(error.problem or error.context))
    except yaml.YAMLError as error:
        problems.tell(None, str(error).splitlines()[0])
    else:
        if isinstance(root, MappingNode):
            return Entry(root, problems)
        problems.tell(None, "the file must be a mapping with the key `faults`")
    return None


def meant(word: str, words: Iterable[str]) -> str:
    """What was probably meant, as the end of a sentence."""
    close = get_close_matches(word, words, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
