"""The models: a line each, or all that one of them takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from batchgen.catalog import Catalog, Model, Money, Region
from batchgen.catalog.cases import Case, settle
from batchgen.catalog.keys import Key, MediaKey, Parameter, Pixels, Place, Size
from batchgen.report.lines import indented
from batchgen.report.money import money_data
from batchgen.report.text import clean, duration

_UNKNOWN = "unknown"


# -- the list -------------------------------------------------------------------------------------


def models_view(catalog: Catalog, models: Iterable[Model], region: Region) -> Table:
    """The models for a person, in the order of the catalog."""
    table = _table("model", "family", "regions", "sizes", "seconds", f"price in {region.title}")
    for model in models:
        regions = [where.title for name in model.regions if (where := catalog.region(name))]
        cells = (model.name, model.family, ", ".join(regions))
        price = _price_in_words(catalog, model, region)
        table.add_row(*map(clean, cells), _sizes(model), _seconds(model), price)
    return table


def models_data(models: Iterable[Model], region: Region) -> dict[str, Any]:
    """The models for a program."""
    return {"region": region.name, "models": [model_data(model, region) for model in models]}


def _sizes(model: Model) -> str:
    """``720P, 1080P``, or ``1K, 2K, W*H`` where width and height are free within bounds."""
    match model.keys.get("resolution") or model.keys.get("size"):
        case None:
            return ""
        case Size(tiers=tiers):
            return ", ".join(tiers)
        case Pixels(names=names):
            return ", ".join([*names, "W*H"])
        case takes:
            return takes.describe()


def _seconds(model: Model) -> str:
    """``2 to 30, or -1``; what a special number means is shown with the model."""
    takes = model.keys.get("duration")
    return re.sub(r" \(.*?\)", "", takes.describe()) if takes else ""


def _price_in_words(catalog: Catalog, model: Model, region: Region) -> str:
    """``USD 0.10 to 0.15 a second``, of another region where this one does not serve the model."""
    where = _serving(catalog, model, region)
    amounts = sorted({money.micro for _, _, money in _prices(model, where)})
    if not amounts:
        return _UNKNOWN
    least, most = Money(amounts[0], where.currency), Money(amounts[-1], where.currency)
    span = str(least) if least == most else f"{least} to {str(most).split()[1]}"
    elsewhere = "" if where == region else f" in {where.title}"
    return f"{span} {_per(model)}{elsewhere}"


def _serving(catalog: Catalog, model: Model, region: Region) -> Region:
    """The region itself or, where it does not serve the model, the first that does."""
    served = [where for name in model.regions if (where := catalog.region(name))]
    return region if region in served or not served else served[0]


def _prices(model: Model, region: Region) -> Iterator[tuple[str, str, Money]]:
    """Yield each price of a unit: for which settings, in which tier, and how much."""
    for rate in model.prices.rates if model.prices else ():
        when = ", ".join(f"{key}: {_spelled(value)}" for key, value in rate.when.items())
        amounts = rate.amounts.get(region.currency)
        if amounts is None:
            continue
        tiers = amounts if isinstance(amounts, Mapping) else {"": amounts}
        for tier, amount in tiers.items():
            yield when, tier, Money.of(amount, region.currency)


def _per(model: Model) -> str:
    unit = model.prices.unit if model.prices else ""
    return "an image" if unit == "image" else f"a {unit}"


# -- one of them ----------------------------------------------------------------------------------


def model_view(catalog: Catalog, model: Model, region: Region) -> Group:
    """All that a model takes, for a person."""
    return Group(*_parts(catalog, model, region))


def _parts(catalog: Catalog, model: Model, region: Region) -> Iterator[RenderableType]:
    yield Text(f"{clean(model.name)}: {clean(model.title)}", style="bold")
    yield Text(f"family {clean(model.family)}; {clean(model.source)}")
    served = [where.title for name in model.regions if (where := catalog.region(name))]
    yield Text(f"served in {', '.join(served)}")
    for name, other in model.elsewhere.items():
        where = catalog.region(name)
        yield Text(f"called {clean(other)} in {where.title if where else clean(name)}")
    if model.retiring:
        yield Text(clean(f"{model.name} {model.retiring.phrase}"), style="yellow")
    yield from (Text(), _keys_table(model))
    yield from _rules(model)
    where = _serving(catalog, model, region)
    yield from (Text(), *_limits(model), *_routes(model), *_price_lines(model, where))
    yield from (Text(), Text("An example job:", style="bold"), Text(example(model), no_wrap=True))


def _keys_table(model: Model) -> Table:
    table = _table("key", "takes", "default")
    for key, takes in model.keys.items():
        default = _default(model, key)
        needed = "(required)" if takes.required else ""
        # A list that takes several kinds of media has a line for each.
        told = "\n".join(clean(part) for part in takes.describe().split("; "))
        table.add_row(clean(key), told, clean(default or needed))
    return table


def _default(model: Model, key: str) -> str:
    takes = model.keys[key]
    if not isinstance(takes, Parameter) or takes.default is None:
        return ""
    return _spelled(takes.default)


def _rules(model: Model) -> Iterator[RenderableType]:
    """What depends on what a job says."""
    lines = [
        f"{case.phrase or 'always'}: {rule}" for case in model.cases for rule in _of(model, case)
    ]
    if lines:
        yield from (Text(), Text("Rules:", style="bold"))
        yield from (indented(clean(line)) for line in lines)


def _of(model: Model, case: Case) -> Iterator[str]:
    """What a case changes, in words that follow its condition."""
    if case.any_of:
        yield f"at least one of {', '.join(case.any_of)}"
    if refused := [key for key, overlay in case.keys.items() if overlay is None]:
        yield f"no {', '.join(refused)}"
    for key, takes in settle(model.keys, (case,)).keys.items():
        if case.keys.get(key) is not None:
            yield f"{key} takes {takes.describe()}{' (required)' if takes.required else ''}"


def _limits(model: Model) -> Iterator[Text]:
    limits = model.limits
    told = f"{limits.running} at once, {limits.submits_per_second:g} submits a second"
    if limits.typical_seconds is not None:
        told += f", about {duration(limits.typical_seconds)} each"
    yield Text(f"limits: {told} ({clean(limits.source)})")


def _routes(model: Model) -> Iterator[Text]:
    for answer, route in model.routes.items():
        yield Text(f"{answer}: POST {clean(route.path)}")


def _price_lines(model: Model, region: Region) -> Iterator[RenderableType]:
    prices = [*_prices(model, region)]
    if model.prices is None or not prices:
        yield Text(f"price in {region.title}: unknown")
        return
    yield Text(f"price in {region.title} {_per(model)} ({clean(model.prices.source)}):")
    for when, tier, money in prices:
        told = " ".join(filter(None, (str(money), tier, f"({when})" if when else "")))
        yield indented(clean(told))
    if model.prices.sources:
        yield indented("the seconds of videos that go in are billed as well")
    check = model.check_model
    if check and (look := check.price(region.currency)):
        yield indented(clean(f"{look} for a look by {check.model}, with `detect: true`"))


def example(model: Model) -> str:
    """A job as YAML that plans cleanly under ``jobs:`` of a manifest."""
    job = {"id": "example", "model": model.name, **model.example}
    plain = json.loads(json.dumps(job))  # lists for tuples, and no aliases
    text = yaml.safe_dump([plain], sort_keys=False, allow_unicode=True, width=90)
    return "".join(f"  {line}\n" for line in text.splitlines()).rstrip("\n")


def model_data(model: Model, region: Region) -> dict[str, Any]:
    """All that a model takes, for a program."""
    limits = model.limits
    return {
        "model": model.name,
        "title": model.title,
        "family": model.family,
        "kind": model.kind,
        "source": model.source,
        "regions": list(model.regions),
        "elsewhere": dict(model.elsewhere),
        "retiring": model.retiring.model_dump(mode="json") if model.retiring else None,
        "answers": {str(answer): route.path for answer, route in model.routes.items()},
        "keys": {key: _key_data(model, key) for key in model.keys},
        "cases": [_case_data(model, case) for case in model.cases],
        "limits": limits.model_dump(mode="json"),
        "prices": _prices_data(model, region),
        "example": dict(model.example),
    }


def _key_data(model: Model, key: str) -> dict[str, Any]:
    takes = model.keys[key]
    return {
        **_taken_data(takes),
        "media": isinstance(takes, MediaKey),
        "sent_in": None if takes.at is Place.JOB else str(takes.at),
    }


def _taken_data(takes: Key) -> dict[str, Any]:
    return {
        "takes": takes.describe(),
        "required": takes.required,
        "default": takes.default if isinstance(takes, Parameter) else None,
        "schema": takes.json_schema(),
    }


def _case_data(model: Model, case: Case) -> dict[str, Any]:
    """What is different when a job meets the conditions; a key that is None is not taken then."""
    taken = settle(model.keys, (case,)).keys
    return {
        "when": case.phrase or None,
        "rules": [*_of(model, case)],
        "conditions": {
            key: condition.model_dump(mode="json", exclude_unset=True)
            for key, condition in case.when.items()
        },
        "keys": {key: _taken_data(taken[key]) if key in taken else None for key in case.keys},
        "any_of": list(case.any_of),
        "why": case.why,
    }


def _prices_data(model: Model, region: Region) -> dict[str, Any] | None:
    """By the region's price list; None where there is no price."""
    if model.prices is None:
        return None
    return {
        "source": model.prices.source,
        "unit": str(model.prices.unit),
        "rates": [
            {"when": when or None, "tier": tier or None, "price": money_data(money)}
            for when, tier, money in _prices(model, region)
        ],
        "sources_billed": model.prices.sources is not None,
        "check": _check_data(model, region),
    }


def _check_data(model: Model, region: Region) -> dict[str, Any] | None:
    """The look at a picture that ``detect`` asks for; None where there is none."""
    check = model.check_model
    look = check.price(region.currency) if check else None
    return {"model": check.model, "price": money_data(look)} if check and look else None


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
