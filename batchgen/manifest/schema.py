"""The manifest's own keys, all but the jobs: what they are, and what is wrong with them.

Every field says in words what it must be; a value that is something else is told by these words,
so that there is no second list of messages to keep.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, ValidationError
from pydantic_core import ErrorDetails

from batchgen.catalog import Money
from batchgen.core.policy import RetryPolicy
from batchgen.manifest.nodes import MappingNode, Node, ScalarNode, SequenceNode, place_at, value_of
from batchgen.manifest.problems import Place, Problems, did_you_mean, quoted

_TREES = ("defaults", "jobs")
"""Keys whose value goes on as a tree, with its places."""
_TYPED = ("exclusive_account", "limits", "retry")
"""Keys whose unquoted words may be numbers or truth values; elsewhere they are text as written."""
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True
    )


class Limits(_Section):
    """``limits:``"""

    max_in_flight: Annotated[
        int | None,
        Field(ge=1, description="a whole number of tasks, at least 1"),
    ] = None
    """Of tasks at the service over the whole batch; replaces what is known of each model."""
    queries_per_second: Annotated[
        float | None,
        Field(ge=0.1, description="a number of questions a second, at least 0.1"),
    ] = None
    """About tasks that were made: less than the service allows, where others use the account."""
    settle: Annotated[
        float | None,
        Field(ge=0, description="a number of seconds, at least 0"),
    ] = None
    """Seconds over which a request in doubt is looked for before it is sent again."""
    stop_after_failures: Annotated[
        int | None,
        Field(ge=1, description="a whole number of failed jobs in a row, at least 1"),
    ] = None
    """After so many jobs have failed without a success between, a run submits nothing more."""


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


CODE = r"^[A-Za-z][A-Za-z0-9._-]*$"
"""A code of the service's: `InternalError.Timeout`."""
_Code = Annotated[str, Field(pattern=CODE)]
_DEFAULT = RetryPolicy()


class Retry(_Section):
    """``retry:``"""

    attempts: Annotated[
        int | None,
        Field(
            ge=1,
            le=10,
            description="a whole number of attempts that a job may have, the first included, from"
            f" 1 to 10; {_DEFAULT.attempts} unless given",
        ),
    ] = None
    codes: Annotated[
        list[_Code] | None,
        BeforeValidator(_as_list),
        Field(
            description="a list of codes of failed tasks that are worth another attempt, such as"
            " InternalError, which stands for InternalError.Timeout as well;"
            f" {', '.join(_DEFAULT.codes)} unless given"
        ),
    ] = None

    @property
    def policy(self) -> RetryPolicy:
        attempts = _DEFAULT.attempts if self.attempts is None else self.attempts
        codes = _DEFAULT.codes if self.codes is None else tuple(self.codes)
        return RetryPolicy(attempts=attempts, codes=codes)


def _exact(amount: object) -> Decimal:
    if isinstance(amount, str) and _AMOUNT.fullmatch(amount):
        return Decimal(amount)
    raise ValueError


class Budget(_Section):
    """``budget:``"""

    amount: Annotated[
        Decimal,
        BeforeValidator(_exact),
        Field(description="an amount of money such as 25 or 25.50, with at most 6 decimals"),
    ]
    currency: Annotated[
        str,
        Field(pattern="^[A-Z]{3}$", description="a currency in three letters such as USD"),
    ]

    @property
    def money(self) -> Money:
        return Money.of(self.amount, self.currency)


_Path = Annotated[str, Field(min_length=1)]


class Header(_Section):
    """All keys of a manifest."""

    name: Annotated[
        str | None,
        Field(description="a text that can name a folder"),
    ] = None
    output: Annotated[
        str | None,
        Field(min_length=1, description="the path of a folder"),
    ] = None
    region: Annotated[
        str | None,
        Field(description="the name of a region"),
    ] = None
    limits: Annotated[
        Limits | None,
        Field(
            description="a mapping with `max_in_flight`, `queries_per_second`, `settle` or"
            " `stop_after_failures`"
        ),
    ] = None
    retry: Annotated[
        Retry | None,
        Field(description="a mapping with `attempts` or `codes`"),
    ] = None
    exclusive_account: Annotated[
        bool | None,
        Field(
            description="true or false; true where nobody else uses the account: then a task whose"
            " prompt cannot be compared may be adopted for a request whose answer was lost"
        ),
    ] = None
    budget: Annotated[
        Budget | None,
        Field(description="a mapping with `amount` and `currency`"),
    ] = None
    defaults: Annotated[
        InstanceOf[MappingNode] | None,
        Field(description="a mapping of keys that jobs share"),
    ] = None
    jobs: Annotated[
        InstanceOf[SequenceNode] | None,
        Field(description="a list of jobs, each beginning with `- `"),
    ] = None
    jobs_from: Annotated[
        list[_Path] | None,
        BeforeValidator(_as_list),
        Field(description="the path of a .jsonl, .csv or .txt file, or a list of such paths"),
    ] = None
    catalog: Annotated[
        list[_Path] | None,
        BeforeValidator(_as_list),
        Field(description="the path of a catalog file, or a list of such paths"),
    ] = None


_SECTIONS: Mapping[Any, type[_Section]] = {
    "limits": Limits,
    "retry": Retry,
    "budget": Budget,
}


def header_of(root: Node, file: str, problems: Problems) -> Header:
    """Check a manifest's own keys; a key that is wrong is told and counts as not given."""
    if not isinstance(root, MappingNode):
        message = "a manifest is a mapping with keys such as `jobs:`"
        problems.add(Place(file, root.line, root.column), message)
        return Header()
    values = {key: _value(key, pair.value) for key, pair in root.pairs.items()}
    try:
        return Header.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
    for fault in faults:
        problems.add(Place(file, *place_at(root, fault["loc"])), *_words(fault))
    wrong = {fault["loc"][0] for fault in faults}
    return Header.model_validate({key: values[key] for key in values if key not in wrong})


def _value(key: str, node: Node) -> Any:
    if key in _TREES and not (isinstance(node, ScalarNode) and value_of(node) is None):
        return node
    return value_of(node, text=key not in _TYPED)


def _words(fault: ErrorDetails) -> tuple[str, str | None]:
    section, key = _section_and_key(fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"unknown key {quoted(key)}", did_you_mean(key, section.model_fields)
    if fault["type"] == "missing":
        return f"`{key}` is missing", f"it must be {section.model_fields[key].description}"
    return f"`{key}` must be {section.model_fields[key].description}", None


def _section_and_key(steps: Sequence[int | str]) -> tuple[type[_Section], str]:
    match steps:
        case [parent, str(key), *_]:
            return _SECTIONS[parent], key
        case _:
            return Header, str(steps[0])
