"""The checks of a job against what its model takes: first what it says, then its local files."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Collection, Iterator, Mapping

from batchgen.catalog.cases import Case, Terms
from batchgen.catalog.complaint import Complaint, Path, Severity, nearest
from batchgen.catalog.keys import Boxes, Key, MediaKey, Text, Words
from batchgen.catalog.request import Media

LONG_PROMPT = "long_prompt"
CUT = "cut"
"""The value of ``long_prompt`` that accepts that a text is cut."""

EXTRA = ("extra_input", "extra_parameters")
"""What goes into the body as it is, for what the catalog does not know yet."""

COMMON_KEYS = frozenset({"model", LONG_PROMPT, *EXTRA})
"""Keys of every job, whatever its model."""

_NOT_EXTRA = frozenset({"messages", "stream"})
"""Parts of a body that are no keys of a job, and that batchgen writes itself."""


def check_values(
    model: str, terms: Terms, values: Mapping[str, object], known: Collection[str]
) -> Iterator[Complaint]:
    """Yield all that is wrong with what the job says; ``known`` are the keys of all models."""
    for key, value in values.items():
        takes = terms.keys.get(key)
        if takes is not None and value is not None:
            yield from _check_value(model, terms, key, takes, values)
        elif takes is None and (case := terms.refused.get(key)):
            if value is not None:
                message = f"{model} does not take {key} {case.phrase}"
                yield Complaint((key,), message, case.why or "drop one of the two")
        elif takes is None:
            yield from _check_other(model, terms, key, value, known)
    yield from _check_missing(model, terms, values)


def _check_value(
    model: str, terms: Terms, key: str, takes: Key, values: Mapping[str, object]
) -> Iterator[Complaint]:
    value = values[key]
    case = terms.changed.get(key)
    found = [*takes.faults(value)]
    for fault in found:
        yield Complaint(
            (key, *fault.at), f"{_subject(model, key, fault.at, case)} {fault.message}", fault.hint
        )
    if not found and isinstance(takes, Text):
        yield from _check_length(model, key, takes, value, values.get(LONG_PROMPT) == CUT)
    if not found and isinstance(takes, Boxes | Words):
        yield from _check_along(model, key, takes, value, values.get(takes.along))


def _check_length(
    model: str, key: str, takes: Text, value: object, may_be_cut: bool
) -> Iterator[Complaint]:
    excess = takes.excess(value)
    if not excess or not isinstance(value, str):
        return
    count = f"{key} of {model} has {len(value):,} characters"
    limit = f"{excess:,} more than its limit of {takes.max_length:,}"
    if may_be_cut:
        message = f"{count}, {limit}: the end is cut off and not sent"
        yield Complaint((key,), message, severity=Severity.WARNING)
    else:
        hint = "shorten it, or accept that its end is lost: `long_prompt: cut`"
        yield Complaint((key,), f"{count}, {limit}", hint)


def _check_along(
    model: str, key: str, takes: Boxes | Words, value: object, other: object
) -> Iterator[Complaint]:
    items = len(other) if isinstance(other, list | tuple) else int(isinstance(other, str))
    if isinstance(value, list | tuple) and len(value) != items:
        message = f"{key} of {model} must have an item for each of {takes.along}"
        yield Complaint((key,), f"{message}: {items}, not {len(value)}")


def _check_missing(model: str, terms: Terms, values: Mapping[str, object]) -> Iterator[Complaint]:
    for key in terms.required:
        if values.get(key) is None:
            case = terms.changed.get(key)
            when = f" {case.phrase}" if case and case.phrase else ""
            message = f"{key} is missing: {model} needs it{when}"
            yield Complaint((), message, case.why if case else None)
    for choice in terms.choices:
        if all(values.get(key) is None for key in choice.keys):
            when = f" {choice.case.phrase}" if choice.case.phrase else ""
            message = f"{model} needs one of {', '.join(choice.keys)}{when}"
            yield Complaint((), message, choice.case.why)


# -- what is not the model's own --------------------------------------------------------------


def _check_other(
    model: str, terms: Terms, key: str, value: object, known: Collection[str]
) -> Iterator[Complaint]:
    if key == "model" or (value is None and key in COMMON_KEYS):
        return
    if key == LONG_PROMPT:
        if value != CUT:
            yield Complaint((key,), f"{key} must be {CUT}, not {reprlib.repr(value)}")
    elif key in EXTRA:
        yield from _check_extra(model, terms, key, value, known)
    elif key in known:
        taken = f"it takes {', '.join(terms.keys)}"
        yield Complaint((key,), f"{model} does not take {key}", taken)
    else:
        meant = nearest(key, (*terms.keys, *sorted(COMMON_KEYS)))
        hint = f"did you mean {meant}?" if meant else None
        yield Complaint((key,), f"unknown key {reprlib.repr(key)}", hint)


def _check_extra(
    model: str, terms: Terms, key: str, value: object, known: Collection[str]
) -> Iterator[Complaint]:
    """What the catalog knows may change what is billed: it does not pass unchecked."""
    if not isinstance(value, Mapping):
        yield Complaint((key,), f"{key} must be a mapping of names to values")
        return
    own = {*terms.keys, *terms.refused, *_NOT_EXTRA}
    taken = [name for name in value if name in own or name in known]
    for name in taken:
        hint = "the job's own keys say it" if name in own else f"{model} does not take it"
        yield Complaint((key, name), f"{key} may not set {name}", hint)
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        yield Complaint((key,), f"{key} cannot be sent as JSON: {error}")
        return
    if value and not taken:
        message = (
            f"nothing checks {key}: it is sent as it is, billed as the service reads it,"
            " and beyond what a budget covers"
        )
        yield Complaint((key,), message, severity=Severity.WARNING)


# -- local files ------------------------------------------------------------------------------


def check_files(
    model: str, terms: Terms, values: Mapping[str, object], found: Mapping[Path, Media]
) -> Iterator[Complaint]:
    """Yield what is wrong with the measured media among ``found``, and what will be lost."""
    result = values.get("duration", terms.defaults.get("duration"))
    for key, takes in terms.keys.items():
        if not isinstance(takes, MediaKey) or values.get(key) is None:
            continue
        mine = {path[1:]: medium for path, medium in found.items() if path and path[0] == key}
        case = terms.changed.get(key)
        for fault in takes.measured_faults(values[key], mine, result):
            message = f"{_subject(model, key, fault.at, case)} {fault.message}"
            yield Complaint((key, *fault.at), message, fault.hint)
        for fault in takes.warnings(values[key], mine, result):
            message = f"{_subject(model, key, fault.at, None)} {fault.message}"
            yield Complaint((key, *fault.at), message, fault.hint, Severity.WARNING)


def _subject(model: str, key: str, at: Path, case: Case | None) -> str:
    """``media[1].url of m``, and the case that is the reason for its terms."""
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at)
    when = f" {case.phrase}" if case and case.phrase else ""
    return f"{key}{steps} of {model}{when}"
