"""Keys that take media: one, or a list. (``typed_media``: a list whose items say what each is for.)

A medium is a local path, a URL or a data URI. ``faults`` looks at what a job writes, before any
file is opened; ``measured_faults`` at what is in the local files.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeGuard

from batchgen.catalog.complaint import Path
from batchgen.catalog.keys.accepts import Accepts
from batchgen.catalog.keys.key import Fault, Key, Place, either, not_encodable, shown
from batchgen.catalog.request import Media, MediaKind

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
                for fault in accepts.faults(medium, result):
                    yield replace(fault, at=item.at)
            else:
                taken = either(
                    [name for one in item.accepts for name in one.formats or (one.kind,)]
                )
                yield Fault(f"must be {taken}, not {medium.media_type}", None, item.at)
        yield from self._faults_together(known, result)

    def _faults_together(
        self, known: Iterable[tuple[Item, Media]], result: object
    ) -> Iterator[Fault]:
        """Yield what media of one role and kind break, that are sound one by one."""
        groups: dict[tuple[str | None, MediaKind], tuple[Accepts, list[Media]]] = {}
        for item, medium in known:
            if accepts := item.accepted(medium):
                groups.setdefault((item.role, accepts.kind), (accepts, []))[1].append(medium)
        for accepts, media in groups.values():
            yield from self._faults_of_group(accepts, media, result)

    def _faults_of_group(
        self, accepts: Accepts, media: Sequence[Media], result: object
    ) -> Iterator[Fault]:
        return accepts.faults_together(media, result)

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
        return faults_of_source(value, (self.accepts,))

    def items(self, value: object) -> Iterator[Item]:
        if is_source(value):
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
            for fault in faults_of_source(source, self.accepts):
                yield replace(fault, at=(index,))

    def items(self, value: object) -> Iterator[Item]:
        sources = _listed(value)
        for index, source in enumerate(sources if isinstance(sources, list | tuple) else ()):
            if is_source(source):
                yield Item((index,), source, self.accepts)

    def _faults_of_group(
        self, accepts: Accepts, media: Sequence[Media], result: object
    ) -> Iterator[Fault]:
        # Where a kind may fill the whole list, `faults` tells that there are too many.
        if accepts.max is not None and accepts.max < min(self.max, len(media)):
            yield Fault(f"may hold {accepts.max} {accepts.kind}s at most, not {len(media)}")
        yield from accepts.faults_together(media, result)

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


def is_source(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value) and not value.isspace()


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def faults_of_source(value: object, accepts: Sequence[Accepts]) -> Iterator[Fault]:
    """Yield what is wrong with the value as the source of a medium; ``accepts`` is empty where it
    is not known what the medium is for.
    """
    if not isinstance(value, str):
        yield Fault(f"must be a path or a URL, not {shown(value)}")
        return
    if not is_source(value):
        yield Fault("is empty", "name a file or a URL")
        return
    start = value[:8].lower()
    if accepts and start.startswith("data:") and not any(one.data_uri for one in accepts):
        yield Fault("takes no data URI", "name a file, which is uploaded, or give a URL")
    is_link = any(one.kind is MediaKind.LINK for one in accepts)
    if is_link and not start.startswith(("http://", "https://")):
        yield Fault("must be the address of a public page", "it begins with https://")
    yield from not_encodable(value)
