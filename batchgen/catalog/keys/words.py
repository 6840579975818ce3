"""Keys that take words: free text, or one of a few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from batchgen.catalog.keys.key import Fault, Key, Place, not_among, not_encodable, shown


class Text(Key):
    """Words for the model. The service cuts what is too long without a word, and bills it."""

    raw_text = True
    type: Literal["text"]
    at: Place = Place.INPUT
    max_length: int | None = None
    """In characters (Unicode code points): a Chinese one counts as much as a Latin one."""

    def faults(self, value: object) -> Iterator[Fault]:
        if not isinstance(value, str):
            yield Fault(f"must be text, not {shown(value)}", "put it in quotes")
        elif not value or value.isspace():
            yield Fault("is empty", None if self.required else "leave the key out")
        else:
            yield from not_encodable(value)

    def excess(self, value: object) -> int:
        """How many characters the value is too long."""
        if self.max_length is None or not isinstance(value, str):
            return 0
        return max(0, len(value) - self.max_length)

    def describe(self) -> str:
        limit = self.max_length
        return "text" if limit is None else f"text of at most {limit:,} characters"

    def json_schema(self) -> dict[str, Any]:
        # A number or a truth value stands for its own spelling; the length is left to the check,
        # because `long_prompt: cut` lifts it.
        return {"type": ["string", "number", "boolean"], "description": self.describe()}


class Word(Key):
    """One of a few words."""

    raw_text = True
    at: Place = Place.PARAMETERS
    one_of: tuple[str, ...]
    default: str | None = None

    def faults(self, value: object) -> Iterator[Fault]:
        return not_among(self.one_of, value)

    def describe(self) -> str:
        return ", ".join(self.one_of)

    def json_schema(self) -> dict[str, Any]:
        return {"enum": list(self.one_of)}


class Choice(Word):
    """A word that has nothing to do with the price."""

    type: Literal["choice"]


class Tier(Word):
    """A word that names the price tier itself (``720P``)."""

    type: Literal["tier"]

    def tier(self, value: object) -> str | None:
        return str(value)


class Words(Key):
    """A list of words, each one of a few."""

    raw_text = True
    type: Literal["words"]
    at: Place = Place.PARAMETERS
    one_of: tuple[str, ...]
    along: str
    """The key that holds a list of the same length: a word for each of its items."""
    at_most: Mapping[str, int] = {}
    """How often a word may stand there."""
    default: None = None

    def faults(self, value: object) -> Iterator[Fault]:
        if not isinstance(value, list | tuple) or not value:
            yield Fault(f"must be a list of words, not {shown(value)}")
            return
        for index, word in enumerate(value):
            for fault in not_among(self.one_of, word):
                yield Fault(fault.message, fault.hint, (index,))
        for word, most in self.at_most.items():
            if value.count(word) > most:
                yield Fault(f"may say {word} {most} time{'s' * (most > 1)} at most")

    def describe(self) -> str:
        return f"a list of {', '.join(self.one_of)}: one for each of {self.along}"

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"enum": list(self.one_of)}, "minItems": 1}
