"""A key that takes a list of media whose items say what each is for.

What is wrong with one item hides nothing about the others, nor about the list; of the list, only
that is told which stays wrong whatever a misspelt item is meant to be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

from pydantic import model_validator

from batchgen.catalog.complaint import Path, nearest
from batchgen.catalog.data import Data
from batchgen.catalog.keys.accepts import Accepts
from batchgen.catalog.keys.key import Fault, either, shown
from batchgen.catalog.keys.media import (
    Address,
    Found,
    Item,
    MediaKey,
    faults_of_source,
    is_source,
)
from batchgen.catalog.request import Media

VOICE = "reference_voice"


class Count(Data):
    """How many items of a few types a list must hold, taken together."""

    of: tuple[str, ...]
    min: int
    max: int


class TypedMedia(MediaKey):
    """A list of ``{type, url}``, some with a ``reference_voice``: each item says its purpose."""

    type: Literal["typed_media"]
    types: Mapping[str, Accepts]
    sets: tuple[tuple[str, ...], ...] = ()
    """The combinations of types that are taken; empty: any."""
    apart: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    """Groups of types that do not go together."""
    counts: tuple[Count, ...] = ()
    follows: Mapping[str, str] = {}
    """Types, and the one without which each means nothing."""

    @model_validator(mode="after")
    def _knows_its_types(self) -> Self:
        groups = [*self.sets, *(group for pair in self.apart for group in pair)]
        named = [
            name for group in (*groups, *(count.of for count in self.counts)) for name in group
        ]
        for name in (*named, *self.follows, *self.follows.values()):
            if name not in self.types:
                raise ValueError(f"{name} is none of {', '.join(self.types)}")
        return self

    def faults(self, value: object) -> Iterator[Fault]:
        if not isinstance(value, list | tuple) or not value:
            yield Fault(f"must be a list of {{type, url}}, not {shown(value)}")
            return
        for index, item in enumerate(value):
            for fault in self._faults_of_item(item):
                yield replace(fault, at=(index, *fault.at))
        counted = Counter(kind for item in value if (kind := self._kind_of(item)))
        yield from self._faults_of_too_many(counted)
        yield from self._faults_of_sets(counted, whole=counted.total() == len(value))

    def _kind_of(self, item: object) -> str | None:
        kind = item.get("type") if isinstance(item, Mapping) else None
        return kind if isinstance(kind, str) and kind in self.types else None

    def _faults_of_item(self, item: object) -> Iterator[Fault]:
        if not isinstance(item, Mapping):
            yield Fault(f"must be {{type, url}}, not {shown(item)}")
            return
        accepts = None
        kind = item.get("type")
        if kind is None:
            yield Fault("has no type", f"it is one of {', '.join(self.types)}")
        elif not isinstance(kind, str) or (accepts := self.types.get(kind)) is None:
            meant = nearest(str(kind), tuple(self.types))
            hint = f"did you mean {meant}?" if meant else None
            yield Fault(f"must be {either(list(self.types))}, not {shown(kind)}", hint, ("type",))
        if item.get("url") is None:
            yield Fault("has no url")
        yield from self._faults_of_fields(item, accepts)

    def _faults_of_fields(
        self, item: Mapping[Any, object], accepts: Accepts | None
    ) -> Iterator[Fault]:
        for name, content in item.items():
            if name == "type" or content is None:
                continue
            if name not in ("url", VOICE):
                meant = nearest(str(name), ("type", "url", VOICE))
                hint = f"did you mean {meant}?" if meant else None
                yield Fault(f"has an unknown key {shown(name)}", hint, _step(name))
            elif accepts and name == VOICE and accepts.voice is None:
                yield Fault(f"is not taken with {item['type']}", None, (name,))
            else:
                taken = accepts.voice if accepts and name == VOICE else accepts
                for fault in faults_of_source(content, (taken,) if taken else ()):
                    yield replace(fault, at=(name,))

    def _faults_of_too_many(self, counted: Counter[str]) -> Iterator[Fault]:
        """Yield what is wrong already, whatever the items are whose type is not known."""
        for kind, number in counted.items():
            accepts = self.types[kind]
            if accepts.max is not None and number > accepts.max:
                yield Fault(f"may hold {accepts.max} {kind} at most, not {number}")
        for these, those in self.apart:
            if not counted.keys().isdisjoint(these) and not counted.keys().isdisjoint(those):
                yield Fault(f"may not hold both {either(these)} and {either(those)}")

    def _faults_of_sets(self, counted: Counter[str], *, whole: bool) -> Iterator[Fault]:
        """Yield what the types are not together; not ``whole``: there are items of other types,
        which may be what is missing.
        """
        given = set(counted)
        fits = set.__eq__ if whole else set.issubset
        if self.sets and not any(fits(given, set(allowed)) for allowed in self.sets):
            taken = "; ".join(" + ".join(allowed) for allowed in self.sets)
            yield Fault(f"holds {' + '.join(counted)}, which is not taken", f"it takes {taken}")
        for kind, needed in self.follows.items():
            if whole and kind in counted and needed not in counted:
                yield Fault(f"may hold a {kind} only with a {needed}")
        for count in self.counts:
            number = sum(counted[kind] for kind in count.of)
            if number > count.max or (whole and number < count.min):
                bounds = f"{count.min} to {count.max}" if count.max > count.min else f"{count.max}"
                yield Fault(f"must hold {bounds} of {either(count.of)}, not {number}")

    def items(self, value: object) -> Iterator[Item]:
        for index, item in enumerate(value if isinstance(value, list | tuple) else ()):
            if not isinstance(item, Mapping) or not isinstance(item.get("type"), str):
                continue
            accepts = self.types.get(item["type"])
            if accepts and is_source(item.get("url")):
                yield Item((index, "url"), item["url"], (accepts,), item["type"])
            if accepts and accepts.voice and is_source(item.get(VOICE)):
                yield Item((index, VOICE), item[VOICE], (accepts.voice,), VOICE)

    def gather(self, value: Any, found: Found) -> tuple[Media, ...]:
        media = {item.at: replace(found[item.at], role=item.role) for item in self.items(value)}
        return tuple(
            replace(medium, voice=media.get((at[0], VOICE)))
            for at, medium in media.items()
            if at[1] == "url"
        )

    def wire(self, media: Sequence[Media], address: Address) -> Any:
        return [
            {"type": medium.role, "url": address(medium)}
            | ({VOICE: address(medium.voice)} if medium.voice else {})
            for medium in media
        ]

    def accepted(self, role: str | None) -> tuple[Accepts, ...]:
        if role == VOICE:
            return tuple(accepts.voice for accepts in self.types.values() if accepts.voice)
        accepts = self.types.get(role or "")
        return (accepts,) if accepts else ()

    def describe(self) -> str:
        kinds = [f"{kind} ({_described(accepts)})" for kind, accepts in self.types.items()]
        return "a list of {type, url}: " + "; ".join([*kinds, *self._rules()])

    def _rules(self) -> Iterator[str]:
        """What holds for the list as a whole."""
        if self.sets:
            yield "taken together: " + ", or ".join(" + ".join(allowed) for allowed in self.sets)
        for count in self.counts:
            bounds = f"{count.min} to {count.max}" if count.max > count.min else f"{count.max}"
            yield f"{bounds} of {either(count.of)}"
        for these, those in self.apart:
            yield f"no {either(these)} with {either(those)}"
        for kind, needed in self.follows.items():
            yield f"a {kind} only with a {needed}"

    def json_schema(self) -> dict[str, Any]:
        voiced = [kind for kind, accepts in self.types.items() if accepts.voice]
        item: dict[str, Any] = {
            "type": "object",
            "properties": {
                "type": {"enum": list(self.types)},
                "url": {"type": "string", "minLength": 1},
            },
            "required": ["type", "url"],
            "additionalProperties": False,
        }
        if voiced:
            described = f"of {either(voiced)}"
            item["properties"][VOICE] = {"type": ["string", "null"], "description": described}
        return {"type": "array", "items": item, "minItems": 1, "description": self.describe()}


def _step(name: object) -> Path:
    return (name,) if isinstance(name, str | int) else ()


def _described(accepts: Accepts) -> str:
    words = [accepts.describe()]
    if accepts.max is not None:
        words.append("once" if accepts.max == 1 else f"up to {accepts.max} of it")
    if accepts.total_seconds is not None:
        words.append(f"{accepts.total_seconds:g} seconds together")
    if accepts.with_result is not None:
        words.append(f"{accepts.with_result:g} seconds together with the result")
    if accepts.voice is not None:
        words.append(f"may have a {VOICE}: {accepts.voice.describe()}")
    return ", ".join(words)
