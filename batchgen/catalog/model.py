"""One model: what it takes, what it costs, and how a job becomes a request and a body."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import model_validator

from batchgen.catalog import regions
from batchgen.catalog.complaint import Complaint, nearest
from batchgen.catalog.data import Data
from batchgen.catalog.keys import AnyKey, MediaFile, Parameter, Place, Text
from batchgen.catalog.money import Money
from batchgen.catalog.prices import Prices
from batchgen.catalog.request import Media, Request

COMMON_KEYS = frozenset({"model", "extra_input", "extra_parameters"})
"""Keys of every job, whatever its model."""


class ResultShape(StrEnum):
    """Where the results stand in a finished task's ``output``."""

    VIDEO_URL = "video_url"
    """``video_url``: one video."""
    RESULTS = "results"
    """``results[]``: an item an image, each with a ``url`` or with its own ``code`` and
    ``message``."""
    CHOICES = "choices"
    """``choices[].message.content[]``: an ``image`` (a URL) in each choice."""


class Limits(Data):
    """What the service allows one account for one model, and the cadence of looking."""

    source: str
    submits_per_second: float
    running: int
    """Tasks that render at once; more are accepted and queue."""
    poll_seconds: float
    """The advised time between two looks at a task."""

    @property
    def max_in_flight(self) -> int:
        """How many tasks to have at the service: those that run and as many that queue.

        Between two looks all that run may end together; each needs a successor already in the
        queue, or its slot idles until the next look. A deeper queue would not render faster, and
        its tasks are paid for in an order that can no longer be changed.
        """
        return 2 * self.running


class Model(Data):
    """One model of the service, under its own name."""

    name: str
    title: str
    family: str
    source: str
    kind: Literal["video", "image"]
    path: str
    """Of the submit, below the base URL."""
    headers: Mapping[str, str]
    """That the submit needs besides those of every request."""
    regions: tuple[str, ...]
    elsewhere: Mapping[str, str] = {}
    """What the model is called in regions that do not know it by this name."""
    suffix: str
    """Of a result's file name."""
    result_shape: ResultShape
    echoes_prompt: bool
    """Whether a finished task tells the prompt it was given (``orig_prompt``)."""
    limits: Limits
    keys: Mapping[str, AnyKey]
    prices: Prices
    known_keys: tuple[str, ...]
    """The keys of all models, to tell another model's key from a typing error."""

    def __repr__(self) -> str:
        return f"<Model {self.name}>"

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for key, default in self._defaults.items():
            if fault := self.keys[key].fault(default):
                raise ValueError(f"the default of {key} {fault.message}")
        if self.prices.rates[-1].when or self.prices.unit.asked not in self._defaults:
            raise ValueError("some request would have no price")
        return self

    @cached_property
    def text_keys(self) -> frozenset[str]:
        """Keys whose scalars in a manifest are text even where they look like something else."""
        return frozenset(key for key, takes in self.keys.items() if takes.raw_text)

    @cached_property
    def media_keys(self) -> tuple[str, ...]:
        return tuple(key for key, takes in self.keys.items() if isinstance(takes, MediaFile))

    @property
    def prompt_limit(self) -> int | None:
        """In characters; None where no limit is known."""
        prompt = self.keys.get("prompt")
        return prompt.max_length if isinstance(prompt, Text) else None

    @cached_property
    def _defaults(self) -> Mapping[str, Any]:
        return {
            key: takes.default
            for key, takes in self.keys.items()
            if isinstance(takes, Parameter) and takes.default is not None
        }

    @cached_property
    def _required(self) -> tuple[str, ...]:
        return tuple(key for key, takes in self.keys.items() if takes.required)

    # -- a job's values ------------------------------------------------------------------------

    def check(self, values: Mapping[str, object], *, region: str | None) -> list[Complaint]:
        """Everything that is wrong with a job of these values; nothing: it can be submitted.

        ``values`` are the job's keys with its defaults; None counts as not given. ``region`` is a
        region in either spelling, or None where it is not known.
        """
        complaints = [*self._check_region(region)]
        for key, value in values.items():
            takes = self.keys.get(key)
            if takes is None:
                complaints += self._check_other(key, value)
            elif value is not None and (fault := takes.fault(value)):
                message = f"{key} of {self.name} {fault.message}"
                complaints.append(Complaint(key, message, fault.hint))
            elif value is not None and (takes.needs or takes.overrules):
                complaints += self._check_company(key, values)
        for key in self._required:
            if values.get(key) is None:
                complaints.append(Complaint(None, f"{key} is missing: {self.name} needs it"))
        return complaints

    def _check_region(self, name: str | None) -> Iterator[Complaint]:
        if name is None:
            return
        region = regions.named(name)
        if region.name in self.regions:
            return
        if other := self.elsewhere.get(region.name):
            hint = f"its name there is {other}"
        else:
            served = " and ".join(regions.named(name).title for name in self.regions)
            hint = f"it is served in {served}"
        yield Complaint("model", f"{self.name} is not served in {region.title}", hint)

    def _check_other(self, key: str, value: object) -> Iterator[Complaint]:
        """A key that is not the model's own."""
        if key == "model":
            return
        if key in COMMON_KEYS:
            yield from self._check_extra(key, value)
        elif key in self.known_keys:
            yield Complaint(
                key, f"{self.name} does not take {key}", f"it takes {', '.join(self.keys)}"
            )
        else:
            meant = nearest(key, (*self.keys, *sorted(COMMON_KEYS)))
            yield Complaint(
                key, f"unknown key {reprlib.repr(key)}", f"did you mean {meant}?" if meant else None
            )

    def _check_extra(self, key: str, value: object) -> Iterator[Complaint]:
        if value is None:
            return
        if not isinstance(value, Mapping):
            yield Complaint(key, f"{key} must be a mapping of names to values")
            return
        for name in value:
            if name in self.keys or name == "messages":
                yield Complaint(
                    key,
                    f"{key} may not set {name}",
                    "the job's own keys say it",
                )
        try:
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError) as error:
            yield Complaint(key, f"{key} cannot be sent as JSON: {error}")

    def _check_company(self, key: str, values: Mapping[str, object]) -> Iterator[Complaint]:
        """A key that another one deprives of its effect, or the other way round."""
        takes = self.keys[key]
        for other, needed in takes.needs.items():
            if _given(values, other, self._defaults.get(other)) != needed:
                state = str(needed).lower()
                yield Complaint(
                    key,
                    f"the service ignores {key} unless {other} is {state}",
                    "drop one of the two",
                )
        for other in takes.overrules:
            if values.get(other) is not None:
                yield Complaint(
                    key, f"the service ignores {other} when {key} is given", "drop one of the two"
                )

    # -- the request ---------------------------------------------------------------------------

    def request(self, values: Mapping[str, Any], media: Mapping[str, tuple[Media, ...]]) -> Request:
        """The request of values that ``check`` found sound, complete with every default.

        ``media`` holds what the media keys among the values name.
        """
        given = {key: value for key, value in values.items() if value is not None}
        texts = {key: given[key] for key in given if isinstance(self.keys.get(key), Text)}
        settings = {key: given[key] for key in given if isinstance(self.keys.get(key), Parameter)}
        return Request(
            model=self.name,
            inputs=texts,
            media=dict(media),
            parameters={**self._defaults, **settings},
            extra_input=given.get("extra_input", {}),
            extra_parameters=given.get("extra_parameters", {}),
        )

    def body(self, request: Request, media: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
        """The JSON to POST; ``media`` are the URLs or data URIs of the request's media keys."""
        files = {key: urls[0] for key, urls in media.items()}
        values = {**request.inputs, **files, **request.parameters}
        placed: dict[Place, dict[str, Any]] = {place: {} for place in Place}
        for key, takes in self.keys.items():
            if key in values:
                placed[takes.at][key] = values[key]
        if content := [{"text": text} for text in placed[Place.MESSAGE].values()]:
            placed[Place.INPUT]["messages"] = [{"role": "user", "content": content}]
        return {
            "model": self.name,
            "input": {**placed[Place.INPUT], **request.extra_input},
            "parameters": {**placed[Place.PARAMETERS], **request.extra_parameters},
        }

    # -- money ---------------------------------------------------------------------------------

    def price(self, request: Request, region: str | None) -> Money | None:
        """The most that the request can cost, by the region's price list (None: the default's)."""
        currency = regions.named(region).currency
        return self.prices.worst(request.parameters, self._tier(request), currency)

    def cost(self, request: Request, usage: Mapping[str, Any], region: str | None) -> Money | None:
        """What the returned ``usage`` is billed; None where it does not say."""
        currency = regions.named(region).currency
        return self.prices.billed(request.parameters, self._tier(request), usage, currency)

    def _tier(self, request: Request) -> str | None:
        tiers = (self.keys[key].tier(value) for key, value in request.parameters.items())
        return next(filter(None, tiers), None)


def _given(values: Mapping[str, object], key: str, default: object) -> object:
    value = values.get(key)
    return default if value is None else value
