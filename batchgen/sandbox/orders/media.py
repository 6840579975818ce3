"""The media a request gives: found, named and counted, but not fetched yet.

What a model forbids is a `Flaw`. How long and how large the files are shows only later, when they
are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from batchgen.sandbox.models import Form, InputKind, MediaRule, Model, Slot, invalid
from batchgen.sandbox.orders.requests import message_parts, present, section, variant

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A medium to be fetched, and what it has to be."""

    role: str
    url: str
    rule: MediaRule
    name: str = ""
    """What the prompt calls it."""

    @property
    def kind(self) -> InputKind:
        return self.rule.kind


def media_in(model: Model, body: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """The media in the order of the request. Raises Flaw for what the model forbids."""
    model = variant(model, body)
    for path in model.needed:
        if not any(present(alternative, body) for alternative in path.split("|")):
            raise invalid(f"Field required: {path.replace('|', ' or ')}")
    given = section(body, "input")
    match model.media.form:
        case Form.MEDIA:
            wanted = _listed(model, given.get("media") or [])
        case Form.MESSAGES:
            wanted = _in_messages(model, given.get("messages"))
        case Form.FIELDS:
            wanted = _in_fields(model, given)
    _check_counts(model, wanted)
    return tuple(wanted)


def _rule_for(url: str, slot: Slot) -> MediaRule:
    """The rule for what a URL seems to hold, by its name alone: a slot of several kinds takes a
    picture or a video.
    """
    suffix = PurePosixPath(url.partition("?")[0]).suffix.lower()
    video = url.startswith("data:video/") or suffix in VIDEO_SUFFIXES
    kind = InputKind.VIDEO if video else InputKind.IMAGE
    return next((rule for rule in slot.takes if rule.kind is kind), slot.takes[0])


class _Names:
    """Numbers media by what a prompt calls them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def of(self, slot: Slot) -> str:
        self._counts[slot.called] += 1
        return slot.called.format(self._counts[slot.called])


def _in_fields(model: Model, given: Mapping[str, Any]) -> list[Wanted]:
    names = _Names()
    wanted: list[Wanted] = []
    for field, slot in model.media.slots.items():
        value = given.get(field)
        urls = [url for url in (value if isinstance(value, list) else [value]) if url]
        _check_most(field, len(urls), slot)
        wanted += [_wanted(slot, url, names.of(slot), f"input.{field}") for url in urls]
    return wanted


def _in_messages(model: Model, messages: Any) -> list[Wanted]:
    texts = message_parts(messages, "text")
    if not texts or (model.media.one_text and len(texts) > 1):
        raise invalid("input.messages must hold one user message with one text")
    urls, slot = message_parts(messages, "image"), model.media.slots.get("image")
    if slot is None:
        if urls:
            raise invalid("the number of images must be in [0, 0]")
        return []
    _check_most("image", len(urls), slot)
    names = _Names()
    return [_wanted(slot, url, names.of(slot), "input.messages") for url in urls]


def _listed(model: Model, media: Any) -> list[Wanted]:
    items = [item for item in media if isinstance(item, dict)] if isinstance(media, list) else []
    kinds = Counter(str(item.get("type")) for item in items)
    _check_groups(model, tuple(kinds))
    for kind, count in kinds.items():
        slot = model.media.slots[kind]
        _check_most(kind, count, slot)
        if slot.follows and slot.follows not in kinds:
            raise invalid(f"{kind} needs a {slot.follows}")
    names = _Names()
    wanted: list[Wanted] = []
    for place, item in enumerate(items):
        slot = model.media.slots[str(item["type"])]
        name, where = names.of(slot), f"input.media[{place}]"
        wanted.append(_wanted(slot, item.get("url"), name, f"{where}.url"))
        wanted += _voice(model, item, name, where)
    return wanted


def _voice(model: Model, item: Mapping[str, Any], name: str, where: str) -> Iterator[Wanted]:
    """The voice of a person, which an item carries along."""
    rule, url = model.media.voices, item.get("reference_voice")
    if rule and url:
        slot = Slot("reference_voice", (rule,))
        yield _wanted(slot, url, name, f"{where}.reference_voice")


def _wanted(slot: Slot, url: Any, name: str, where: str) -> Wanted:
    if not isinstance(url, str) or not url:
        raise invalid(f"Field required: {where}")
    rule = _rule_for(url, slot)
    return Wanted(slot.role.format(rule.kind), url, rule, name)


def _check_groups(model: Model, kinds: Sequence[str]) -> None:
    slots, groups = model.media.slots, model.media.groups
    for kind in kinds:
        if kind not in slots:
            raise invalid(f"media type must be one of {', '.join(slots)}, not {kind[:40]}")
    if groups and not any(group.issuperset(kinds) for group in groups):
        raise invalid(
            f"The two modes are mutually exclusive. media must not hold {', '.join(kinds)} together"
        )


def _check_most(name: str, count: int, slot: Slot) -> None:
    if count > slot.most:
        raise invalid(f"too many media of the type {name}: {count}, at most {slot.most}")


def _check_counts(model: Model, wanted: Sequence[Wanted]) -> None:
    for total in model.media.sums:
        count = sum(medium.role in total.roles for medium in wanted)
        if count < total.least:
            raise invalid(f"media needs {total.least} or more of {', '.join(total.roles)}")
        if count > total.most:
            raise invalid(f"too many media: {count} of {', '.join(total.roles)}")
