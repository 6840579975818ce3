"""Rules from a YAML file.

    seed: 7                       # of every chance; 0 unless given
    faults:
      - at: submit                # where: a point of a request's way
        calls: [2, 5-8, 20-]      # which of the calls that match
        do: answer                # what, and below it what this kind takes
        code: Throttling.RateQuota
        retry_after: 3
      - name: the gateway is tired
        at: query
        chance: 5%
        after: 10m                # of the sandbox's clock, since it was opened
        for: 2h
        do: page
        content: html
        status: 502
      - at: task
        prompt: storm             # the word in the prompt
        do: fail

The points are those of `Point`, the kinds and what they take those of `actions.KINDS`. A rule may
name `calls`, `every` and `chance`, and be narrowed by `model` (with `*`), `prompt`, `account` and
`task_status`; what is named must all be true. A documented error code brings its status and message
along.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from batchgen.sandbox.faults import refusals
from batchgen.sandbox.faults.actions import KINDS, Action, Answer, Fail, Line, Partial, Seconds
from batchgen.sandbox.faults.calls import AllOf, Chance, every, numbered
from batchgen.sandbox.faults.entries import Entry, Problems, document, meant
from batchgen.sandbox.faults.faults import Faults
from batchgen.sandbox.faults.rules import POSSIBLE, Point, Rule

_STORE = {Point.RESULT, Point.UPLOAD, Point.UPLOADED}
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def _probability(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _PERCENT.fullmatch(value)
    if match is None:
        raise ValueError("write 0.05, or 5%")
    return float(match[1]) / 100


def _numbered(value: Any) -> Container[int]:
    return numbered(str(word) for word in (value if isinstance(value, list) else [value]))


_PLAIN = {
    "string_type": "it must be text: put it in quotes",
    "tuple_type": "it must be a list, such as [1, 3]",
    "int_type": "it must be a whole number",
    "float_type": "it must be a number",
    "bool_type": "it must be true or false",
}
"""What people are told instead of pydantic's words, by its kinds of mistake."""


class _Which(BaseModel):
    """What every rule may say, whatever its kind."""

    model_config = ConfigDict(extra="forbid")

    name: Line = ""
    calls: Annotated[Any, BeforeValidator(_numbered)] = None
    every: Annotated[int, Field(ge=1)] | None = None
    chance: Annotated[float, BeforeValidator(_probability), Field(ge=0, le=1)] | None = None
    model: str = ""
    prompt: str = ""
    account: str = ""
    task_status: Literal["", "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED"] = ""
    after: Seconds = 0.0
    during: Seconds = Field(default=float("inf"), alias="for")

    def rule(self, point: Point, action: Action, seed: str) -> Rule:
        """Raises TypeError where the action cannot be narrowed so."""
        return Rule(
            point,
            action,
            calls=self._choice(seed),
            model=self.model,
            prompt=self.prompt,
            account=self.account,
            status=self.task_status,
            after=self.after,
            during=self.during,
            name=self.name,
        )

    def _choice(self, seed: str) -> Container[int] | None:
        choices: list[Container[int]] = []
        if self.calls is not None:
            choices.append(self.calls)
        if self.every is not None:
            choices.append(every(self.every))
        if self.chance is not None:
            choices.append(Chance(self.chance, seed))
        return AllOf(tuple(choices)) if choices else None


_WHICH = {field.alias or name for name, field in _Which.model_fields.items()}


def load(path: Path) -> Faults:
    """The rules of a file. Raises FaultScriptError with everything that is wrong with it."""
    problems = Problems(str(path))
    rules: list[Rule | None] = []
    root = document(path, problems)
    if root is not None:
        root.refuse_all_but({"seed", "faults"})
        seed = (root.values({"seed"}) or {}).get("seed", 0)
        rules = [_rule(each, f"{seed}|{n}") for n, each in enumerate(root.entries("faults"))]
    problems.raise_any()
    return Faults(*(rule for rule in rules if rule is not None))


def _rule(entry: Entry, seed: str) -> Rule | None:
    """None, and told, where the entry is wrong."""
    at_and_do = entry.values({"at", "do"})
    if at_and_do is None:
        return None
    point, kind = _point(at_and_do.get("at"), entry), _kind(at_and_do.get("do"), entry)
    if point is None or kind is None:
        return None
    fields = {each.name for each in dataclasses.fields(kind)}
    entry.refuse_all_but({"at", "do"} | _WHICH | fields)
    if not issubclass(kind, POSSIBLE[point]):
        entry.tell("do", _impossible(point, kind))
        return None
    which = _checked(_Which, entry.values(_WHICH), entry)
    action = _checked(kind, _documented(kind, point, entry.values(fields)), entry)
    if which is None or action is None:
        return None
    try:
        return which.rule(point, action, seed)
    except TypeError as error:
        entry.tell("do", str(error))
    return None


def _point(given: object, entry: Entry) -> Point | None:
    if str(given) not in set(Point):
        told = "`at` is needed" if given is None else f"there is no point `{str(given)[:40]}`"
        entry.tell("at", told + (meant(str(given), list(Point)) or f": {_listed(Point)}"))
        return None
    return Point(str(given))


def _kind(given: object, entry: Entry) -> type[Action] | None:
    if str(given) not in KINDS:
        told = "`do` is needed" if given is None else f"there is no kind `{str(given)[:40]}`"
        entry.tell("do", told + (meant(str(given), KINDS) or f": {_listed(KINDS)}"))
        return None
    return KINDS[str(given)]


def _impossible(point: Point, kind: type[Action]) -> str:
    name = next(name for name, each in KINDS.items() if each is kind)
    there = [each for each in Point if kind in POSSIBLE[each]]
    return f"`{name}` cannot happen at `{point}`, but at {_listed(there)}"


def _documented(
    kind: type[Action], point: Point, given: dict[str, Any] | None
) -> dict[str, Any] | None:
    """What was given, with what the documentation has for its code."""
    if kind not in {Answer, Fail, Partial} or given is None or "code" not in given:
        return given
    known = (refusals.STORE if point in _STORE else refusals.SERVICE).get(str(given["code"]))
    if known is None:
        return {"message": ""} | given
    status = {"status": known.status} if kind is Answer else {}
    return {**status, "message": known.message, **given}


_Checked = TypeVar("_Checked")


def _checked(
    kind: type[_Checked], values: Mapping[str, Any] | None, entry: Entry
) -> _Checked | None:
    if values is None:
        return None
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            key = str(each["loc"][0]) if each["loc"] else "do"
            entry.tell(key, _words(key, each, values))
    return None


def _words(key: str, error: ErrorDetails, values: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        code = str(values.get("code", ""))
        if key == "status" and code:
            codes = {**refusals.SERVICE, **refusals.STORE}
            return f"no documented code is `{code[:60]}`: give its `status` too" + meant(
                code, codes
            )
        return f"`{key}` is needed"
    told = _PLAIN.get(error["type"]) or error.get("ctx", {}).get("error") or error["msg"]
    message = str(told)
    return f"`{key}`: {message.removeprefix('Input ')}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
