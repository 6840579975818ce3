"""Keys that take media: one, a list, or a list whose items say what each is for.

A medium is a local path, a URL or a data URI. ``faults`` looks at what a job writes, before any
file is opened; ``measured_faults`` at what is in the local files.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeGuard

from batchgen.catalog.complaint import Path, nearest
from batchgen.catalog.data import Data
from batchgen.catalog.keys.accepts import PADDING, Accepts
from batchgen.catalog.keys.key import Fault, Key, Place, either, not_encodable, shown
from batchgen.catalog.request import Media, MediaKind

VOICE = "reference_voice"

Address = Callable[[Media], str]
"""What stands on the wire for a medium."""
Found = Mapping[Path, Media]
"""The media of one key, by their place in its value."""


class Item(NamedTuple):
    """One medium in a key's value."""

    at: Path
    source: str
    accepts: tuple[Accepts, ...]
    """The one of them that fits the medium's kind counts."""
    role: str | None = None

    def accepted(self, medium: Media) -> Accepts | None:
        """What is asked of the medium; None where it is of no kind that is taken."""
        return next((one for one in self.accepts if one.takes(medium.media_type)), None)


class MediaKey(Key):
    """A key whose value names media."""

    raw_text = True
    at: Place = Place.INPUT

    @abstractmethod
    def items(self, value: object) -> Iterator[Item]:
        """Yield every medium that the value names; what is no text is passed over."""

    @abstractmethod
    def gather(self, value: Any, found: Found) -> tuple[Media, ...]:
        """The media of a sound value, each with its role and voice."""

    @abstractmethod
    def wire(self, media: Sequence[Media], address: Address) -> Any:
        """What goes into the body."""

    @abstractmethod
    def accepted(self, role: str | None) -> tuple[Accepts, ...]:
        """What a medium of this role may be."""

    def measured_faults(self, value: object, found: Found, result: object) -> Iterator[Fault]:
        """Yield what is wrong with the local files; ``result`` is the job's duration."""
        known = [
            (item, found[item.at])
            for item in self.items(value)
            if item.at in found and found[item.at].measured
        ]
        for item, medium in known:
            if accepts := item.accepted(medium):
                for fault in accepts.faults(medium):
                    yield replace(fault, at=item.at)
            else:
                taken = either(
                    [name for one in item.accepts for name in one.formats or (one.kind,)]
                )
                yield Fault(f"must be {taken}, not {medium.media_type}", None, item.at)
        for accepts in dict.fromkeys(one for item, _ in known for one in item.accepts):
            mine = [medium for item, medium in known if item.accepted(medium) is accepts]
            yield from _faults_together(accepts, mine, result)

    def warnings(self, value: object, found: Found, result: object) -> Iterator[Fault]:
        """Yield what will be lost although nothing is wrong."""
        for item in self.items(value):
            medium = found.get(item.at)
            if medium and (accepts := item.accepted(medium)):
                for fault in accepts.warnings(medium, result):
                    yield replace(fault, at=item.at)


class MediaFile(MediaKey):
    """One medium."""

    type: Literal["media"]
    accepts: Accepts

    def faults(self, value: object) -> Iterator[Fault]:
        return _faults_of_source(value, (self.accepts,))

    def items(self, value: object) -> Iterator[Item]:
        if _is_source(value):
            yield Item((), value, (self.accepts,))

    def gather(self, value: Any, found: Found) -> tuple[Media, ...]:  # noqa: ARG002  # is one
        return (found[()],)

    def wire(self, media: Sequence[Media], address: Address) -> Any:
        return address(media[0])

    def accepted(self, role: str | None) -> tuple[Accepts, ...]:  # noqa: ARG002  # has none
        return (self.accepts,)

    def describe(self) -> str:
        return self.accepts.describe()

    def json_schema(self) -> dict[str, Any]:
        return self.accepts.json_schema()


class MediaList(MediaKey):
    """Several media, in order; one alone may stand without a list around it."""

    type: Literal["media_list"]
    accepts: tuple[Accepts, ...]
    """One for each kind."""
    min: int = 1
    max: int

    def faults(self, value: object) -> Iterator[Fault]:
        sources = _listed(value)
        if not isinstance(sources, list | tuple):
            yield Fault(f"must be a list of paths or URLs, not {shown(value)}")
            return
        if not self.min <= len(sources) <= self.max:
            yield Fault(f"must hold {self._count()}, not {len(sources)}")
        for index, source in enumerate(sources):
            for fault in _faults_of_source(source, self.accepts):
                yield replace(fault, at=(index,))

    def items(self, value: object) -> Iterator[Item]:
        sources = _listed(value)
        for index, source in enumerate(sources if isinstance(sources, list | tuple) else ()):
            if _is_source(source):
                yield Item((index,), source, self.accepts)

    def gather(self, value: Any, found: Found) -> tuple[Media, ...]:
        return tuple(found[item.at] for item in self.items(value))

    def wire(self, media: Sequence[Media], address: Address) -> Any:
        return [address(medium) for medium in media]

    def accepted(self, role: str | None) -> tuple[Accepts, ...]:  # noqa: ARG002  # has none
        return self.accepts

    def _count(self) -> str:
        return f"{self.max}" if self.min == self.max else f"{self.min} to {self.max}"

    def describe(self) -> str:
        each = "; ".join(
            one.describe() + ("" if one.max is None else f" ({one.max} at most)")
            for one in self.accepts
        )
        return f"a list of {self._count()}: {each}"

    def json_schema(self) -> dict[str, Any]:
        source: dict[str, Any] = {"type": "string", "minLength": 1}
        items = {"type": "array", "items": source, "minItems": self.min, "maxItems": self.max}
        return {"anyOf": [source, items], "description": self.describe()}


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

    def faults(self, value: object) -> Iterator[Fault]:
        if not isinstance(value, list | tuple) or not value:
            yield Fault(f"must be a list of {{type, url}}, not {shown(value)}")
            return
        broken = False
        for index, item in enumerate(value):
            for fault in self._faults_of_item(item):
                broken = True
                yield replace(fault, at=(index, *fault.at))
        if not broken:
            yield from self._faults_together(Counter(item["type"] for item in value))

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
            elif accepts:
                taken = accepts.voice if name == VOICE else accepts
                for fault in _faults_of_source(content, (taken,) if taken else ()):
                    yield replace(fault, at=(name,))

    def _faults_together(self, counted: Counter[str]) -> Iterator[Fault]:
        for kind, number in counted.items():
            accepts = self.types[kind]
            if accepts.max is not None and number > accepts.max:
                yield Fault(f"may hold {accepts.max} {kind} at most, not {number}")
        if self.sets and not any(set(counted) == set(allowed) for allowed in self.sets):
            taken = "; ".join(" + ".join(allowed) for allowed in self.sets)
            yield Fault(f"holds {' + '.join(counted)}, which is not taken", f"it takes {taken}")
        for these, those in self.apart:
            if not counted.keys().isdisjoint(these) and not counted.keys().isdisjoint(those):
                yield Fault(f"may not hold both {either(these)} and {either(those)}")
        for kind, needed in self.follows.items():
            if kind in counted and needed not in counted:
                yield Fault(f"may hold a {kind} only with a {needed}")
        for count in self.counts:
            number = sum(counted[kind] for kind in count.of)
            if not count.min <= number <= count.max:
                bounds = f"{count.min} to {count.max}" if count.max > count.min else f"{count.max}"
                yield Fault(f"must hold {bounds} of {either(count.of)}, not {number}")

    def items(self, value: object) -> Iterator[Item]:
        for index, item in enumerate(value if isinstance(value, list | tuple) else ()):
            if not isinstance(item, Mapping) or not isinstance(item.get("type"), str):
                continue
            accepts = self.types.get(item["type"])
            if accepts and _is_source(item.get("url")):
                yield Item((index, "url"), item["url"], (accepts,), item["type"])
            if accepts and accepts.voice and _is_source(item.get(VOICE)):
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
        return "a list of {type, url}: " + "; ".join(
            f"{kind} ({accepts.describe()})" for kind, accepts in self.types.items()
        )

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
            item["properties"][VOICE] = {"type": "string", "description": f"of {either(voiced)}"}
        return {"type": "array", "items": item, "minItems": 1, "description": self.describe()}


def _is_source(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value) and not value.isspace()


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _step(name: object) -> Path:
    return (name,) if isinstance(name, str | int) else ()


def _faults_of_source(value: object, accepts: Sequence[Accepts]) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(f"must be a path or a URL, not {shown(value)}")
        return
    if not _is_source(value):
        yield Fault("is empty", "name a file or a URL")
        return
    start = value[:8].lower()
    if start.startswith("data:") and not any(one.data_uri for one in accepts):
        yield Fault("takes no data URI", "name a file, which is uploaded, or give a URL")
    is_link = any(one.kind is MediaKind.LINK for one in accepts)
    if is_link and not start.startswith(("http://", "https://")):
        yield Fault("must be the address of a public page", "it begins with https://")
    yield from not_encodable(value)


def _faults_together(accepts: Accepts, media: list[Media], result: object) -> Iterator[Fault]:
    """Yield what files that are sound one by one break together."""
    if accepts.max is not None and len(media) > accepts.max:
        yield Fault(f"may hold {accepts.max} {accepts.kind}s at most, not {len(media)}")
    seconds = sum(medium.measured.seconds or 0.0 for medium in media if medium.measured)
    total = accepts.total_seconds
    # A lone file that has a limit of its own has been held against it.
    adds_up = len(media) > 1 or accepts.max_seconds is None
    if total is not None and adds_up and seconds > total + PADDING:
        yield Fault(f"may hold {accepts.kind}s of {total:g} seconds together, not {seconds:.2f}")
    if accepts.with_result is not None and media and type(result) is int:
        whole = seconds + max(result, 0)
        if whole > accepts.with_result:
            limit = f"{accepts.with_result:g} seconds together"
            message = f"and the result may last {limit}, not {seconds:.2f} + {max(result, 0)}"
            yield Fault(message, "ask for a shorter duration or cut the videos")
