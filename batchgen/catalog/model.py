"""One model: what it takes, what it costs, and how a job becomes a request and a body."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from batchgen.catalog import checks, regions
from batchgen.catalog.cases import Case, Terms, defaults_of, settle
from batchgen.catalog.checks import CUT, LONG_PROMPT
from batchgen.catalog.complaint import Complaint, Path, Severity
from batchgen.catalog.consistency import Contradiction, check_facts
from batchgen.catalog.data import Data
from batchgen.catalog.facts import Limits, ResultShape, Retirement
from batchgen.catalog.inspection import Inspection
from batchgen.catalog.keys import Address, AnyKey, MediaFile, MediaKey, Parameter, Place, Text
from batchgen.catalog.keys.key import either
from batchgen.catalog.money import Money
from batchgen.catalog.prices import Prices
from batchgen.catalog.request import NOTHING, Answer, Media, Request
from batchgen.catalog.routes import INLINE_LIMIT, MediaSlot, Route, Way
from batchgen.catalog.weights import picture_bytes, video_bytes

PROVEN = object()
"""The context of facts that a test has held against each other: the package's own."""
_ALIKE = 1000
"""Kinds of parameters that are remembered: where every job has others, none are worth it."""
_LONGEST = 60
"""Seconds of a video that nothing tells the length of: twice what any model makes."""


class Model(Data):
    """One model of the service, under its own name."""

    name: str
    title: str
    family: str
    source: str
    kind: Literal["video", "image"]
    routes: Mapping[Answer, Route]
    """Where to submit, by the answer that is wanted."""
    regions: tuple[str, ...]
    elsewhere: Mapping[str, str] = {}
    """What the model is called in regions that do not know it by this name."""
    suffix: Annotated[str, Field(pattern=r"^\.[a-z0-9]{1,5}$")]
    """Of a result's file name."""
    result_shape: ResultShape
    limits: Limits
    keys: Mapping[str, AnyKey]
    cases: tuple[Case, ...] = ()
    prices: Prices | None
    """None: not known, so that no budget can hold the model."""
    check_model: Inspection | None = None
    """The check that the job key ``detect`` asks for."""
    retiring: Retirement | None = None
    example: Mapping[str, Any] = {}
    """The keys of a job that the model takes as it stands."""

    def __repr__(self) -> str:
        return f"<Model {self.name}>"

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        if info.context is PROVEN:
            return self
        check_facts(self.keys, self.cases, self.prices)
        if Answer.TASK not in self.routes:
            raise Contradiction("there is no route to a task", "routes")
        if not self.regions:
            raise Contradiction("no region serves it", "regions")
        for fact, names in (("regions", self.regions), ("elsewhere", self.elsewhere)):
            for name in names:
                if regions.find(name) is None:
                    raise Contradiction(f"there is no region {name}", fact)
        look = self.check_model
        if look and not isinstance(self.keys.get(look.key), MediaFile):
            raise Contradiction(f"{look.key} is no key that names a medium", "check_model", "key")
        return self

    @cached_property
    def text_keys(self) -> frozenset[str]:
        """Keys whose scalars in a manifest are text even where they look like something else."""
        return frozenset(key for key, takes in self.keys.items() if takes.raw_text)

    @cached_property
    def media_keys(self) -> tuple[str, ...]:
        return tuple(key for key, takes in self.keys.items() if isinstance(takes, MediaKey))

    # -- a job's values ------------------------------------------------------------------------

    @cached_property
    def _defaults(self) -> Mapping[str, Any]:
        return defaults_of(self.keys)

    @cached_property
    def _settled(self) -> dict[tuple[int, ...], Terms]:
        """The terms of each combination of cases that was met so far."""
        return {}

    def terms(self, values: Mapping[str, object]) -> Terms:
        """What the model takes from a job of these values."""
        holding = tuple(
            number for number, case in enumerate(self.cases) if case.holds(values, self._defaults)
        )
        terms = self._settled.get(holding)
        if terms is None:
            terms = settle(self.keys, [self.cases[number] for number in holding])
            self._settled[holding] = terms
        return terms

    def check(
        self,
        values: Mapping[str, object],
        *,
        region: str | None,
        known: Collection[str] = frozenset(),
    ) -> list[Complaint]:
        """Everything that is wrong with a job of these values; no errors: it can be submitted.

        ``values`` are the job's keys with its defaults; None counts as not given. ``region`` is a
        region in either spelling, or None where it is not known; ``known`` are the keys of all
        models, which tell another model's key from a typing error. Local files are not looked at.
        """
        return [
            *self._check_region(region),
            *self._check_retirement(),
            *checks.check_values(self.name, self.terms(values), values, known),
        ]

    def _check_region(self, name: str | None) -> Iterator[Complaint]:
        if name is None:
            return
        region = regions.named(name)
        if region.name in self.regions:
            return
        if other := self.elsewhere.get(region.name):
            hint = f"its name there is {other}"
        else:
            titles = [regions.named(name).title for name in self.regions]
            hint = f"it is served in {either(titles, 'and')}"
        yield Complaint(("model",), f"{self.name} is not served in {region.title}", hint)

    def _check_retirement(self) -> Iterator[Complaint]:
        if self.retiring:
            message = f"{self.name} {self.retiring.phrase}"
            yield Complaint(("model",), message, severity=Severity.WARNING)

    def slots(self, values: Mapping[str, object]) -> tuple[MediaSlot, ...]:
        """Every place where a job names a medium; what is no text is for ``check`` to tell."""
        return tuple(
            MediaSlot(
                (key, *item.at),
                item.source,
                frozenset(accepts.kind for accepts in item.accepts),
                item.role,
            )
            for key in self.media_keys
            for item in self._media_key(key).items(values.get(key))
        )

    def check_media(
        self, values: Mapping[str, object], found: Mapping[Path, Media]
    ) -> list[Complaint]:
        """Everything that measuring the job's local files shows to be wrong, and warnings.

        ``found`` are the media of ``slots``, by their paths. What is not measured is not checked.
        """
        return [*checks.check_files(self.name, self.terms(values), values, found)]

    # -- the request ---------------------------------------------------------------------------

    def request(self, values: Mapping[str, Any], found: Mapping[Path, Media]) -> Request:
        """The request of values that the checks found sound, complete with every default.

        ``found`` are the media of ``slots``, by their paths.
        """
        given = {key: value for key, value in values.items() if value is not None}
        settings = {key: given[key] for key in given if key in self._settings}
        settings = {**self.terms(values).defaults, **settings}
        texts = {key: given[key] for key in given if key in self._texts}
        media = {key: self._gathered(key, given, found) for key in self.media_keys if key in given}
        return Request(
            model=self.name,
            inputs=texts,
            media=media or NOTHING,
            parameters=self._shared(
                {key: value for key, value in settings.items() if key not in self._unsent}
            ),
            extra_input=given.get("extra_input") or NOTHING,
            extra_parameters=given.get("extra_parameters") or NOTHING,
            cut=self._cut(texts) if given.get(LONG_PROMPT) == CUT else NOTHING,
            answer=Answer(settings.get("answer", Answer.TASK)),
            detect=bool(settings.get("detect", False)),
        )

    @cached_property
    def _settings(self) -> frozenset[str]:
        return frozenset(key for key, takes in self.keys.items() if isinstance(takes, Parameter))

    @cached_property
    def _texts(self) -> frozenset[str]:
        return frozenset(key for key, takes in self.keys.items() if isinstance(takes, Text))

    @cached_property
    def _unsent(self) -> frozenset[str]:
        return frozenset(key for key, takes in self.keys.items() if takes.at is Place.JOB)

    @cached_property
    def _alike(self) -> dict[tuple[object, ...], Mapping[str, Any]]:
        """The parameters of the first requests."""
        return {}

    def _shared(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Equal parameters, of another request if there is one: thousands of jobs have the same."""
        try:
            alike = tuple((key, type(value), value) for key, value in parameters.items())
            if len(self._alike) < _ALIKE:
                return self._alike.setdefault(alike, parameters)
            return self._alike.get(alike, parameters)
        except TypeError:  # a list cannot be looked up
            return parameters

    def _gathered(
        self, key: str, given: Mapping[str, Any], found: Mapping[Path, Media]
    ) -> tuple[Media, ...]:
        mine = {path[1:]: medium for path, medium in found.items() if path[0] == key}
        return self._media_key(key).gather(given[key], mine)

    def _cut(self, texts: Mapping[str, str]) -> dict[str, str]:
        too_long = {
            key: takes.excess(texts[key])
            for key, takes in self.keys.items()
            if isinstance(takes, Text) and key in texts
        }
        return {key: texts[key][:-excess] for key, excess in too_long.items() if excess}

    def _media_key(self, key: str) -> MediaKey:
        takes = self.keys[key]
        assert isinstance(takes, MediaKey)
        return takes

    # -- the wire ------------------------------------------------------------------------------

    def way(self, key: str, medium: Media) -> Way:
        """How a medium of ``key`` gets to the service.

        Only what the reference says about a field is relied on: where it does not speak of data
        URIs, a local file is uploaded, which every field takes (Upload a local file, 2026-05-30).
        """
        if medium.sha256 is None:
            return Way.AS_IS
        inlined = any(accepts.data_uri for accepts in self._media_key(key).accepted(medium.role))
        if inlined and medium.measured and medium.measured.size <= INLINE_LIMIT:
            return Way.INLINE
        return Way.UPLOAD

    def route(self, answer: Answer) -> Route:
        """Where to submit for this answer; KeyError where the model does not give it."""
        return self.routes[answer]

    def body(self, request: Request, address: Address) -> dict[str, Any]:
        """The JSON to POST; ``address`` gives what stands on the wire for a medium: the caller has
        inlined or uploaded it.
        """
        files = {
            key: self._media_key(key).wire(media, address) for key, media in request.media.items()
        }
        values = {**request.inputs, **request.cut, **files, **request.parameters}
        placed: dict[Place, dict[str, Any]] = {place: {} for place in Place}
        for key, takes in self.keys.items():
            if key in values:
                placed[takes.at][key] = values[key]
        if content := [*_content(placed[Place.MESSAGE])]:
            placed[Place.INPUT]["messages"] = [{"role": "user", "content": content}]
        return {
            "model": self.name,
            "input": {**placed[Place.INPUT], **request.extra_input},
            "parameters": {
                **placed[Place.PARAMETERS],
                **self.routes[request.answer].parameters,
                **request.extra_parameters,
            },
        }

    def inspection(self, request: Request) -> Inspection | None:
        """The check to make before the request is sent; None: there is none, or none is wanted."""
        return self.check_model if request.detect else None

    # -- disk ----------------------------------------------------------------------------------

    def bytes(self, request: Request) -> int:
        """The most that all results of the request can take on a disk; ``weights`` assumes it."""
        if self.kind == "image":
            return request.results * picture_bytes(request.parameters.get("size"))
        seconds = self.prices.made(request) if self.prices else _LONGEST
        return video_bytes(seconds, self._tier(request))

    # -- money ---------------------------------------------------------------------------------

    def price(self, request: Request, region: str | None) -> Money | None:
        """The most that the request can cost, by the region's price list (None: the default's).

        None where no price is known.
        """
        if self.prices is None:
            return None
        currency = regions.named(region).currency
        worst = self.prices.worst(request, self._tier(request), currency)
        return self._with_inspection(worst, request)

    def cost(self, request: Request, usage: Mapping[str, Any], region: str | None) -> Money | None:
        """What the returned ``usage`` is billed; None where it does not say, or has no price."""
        if self.prices is None:
            return None
        currency = regions.named(region).currency
        billed = self.prices.billed(request.parameters, self._tier(request), usage, currency)
        return self._with_inspection(billed, request)

    def _with_inspection(self, amount: Money | None, request: Request) -> Money | None:
        inspection = self.inspection(request)
        if amount is None or inspection is None:
            return amount
        price = inspection.price(amount.currency)
        return None if price is None else amount + price

    def _tier(self, request: Request) -> str | None:
        tiers = (self.keys[key].tier(value) for key, value in request.parameters.items())
        return next(filter(None, tiers), None)


def _content(parts: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the parts of the one message: words, then pictures (Wan image API reference)."""
    for part in parts.values():
        if isinstance(part, str):
            yield {"text": part}
        else:
            yield from ({"image": picture} for picture in part)
