"""What a request needs before it may leave, as the core is told it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from batchgen.catalog import Inspection, Media, Model, Request, Way
from batchgen.core.facts import CHECK, UPLOAD, Need


def needs_of(model: Model, request: Request, currency: str) -> tuple[Need, ...]:
    """The uploads and the check of a request. ``currency`` is that of the region's price list.

    An upload holds for one model alone, so what is inspected is uploaded for the model that
    inspects as well.
    """
    uploads = [
        Need(kind=UPLOAD, model=model.name, content=medium.sha256)
        for medium, way in ways(model, request).items()
        if way is Way.UPLOAD and medium.sha256
    ]
    inspection = model.inspection(request)
    checks = _checks(inspection, request, currency) if inspection else ()
    return tuple(dict.fromkeys((*uploads, *checks)))


def ways(model: Model, request: Request) -> dict[Media, Way]:
    """How each medium of a request travels.

    A file that one field wants uploaded is uploaded for all of them, so that it is sent once.
    """
    found: dict[Media, Way] = {}
    for key, items in request.media.items():
        for medium in (part for item in items for part in item.with_voice()):
            way = model.way(key, medium)
            if found.get(medium) is not Way.UPLOAD:
                found[medium] = way
    return found


def inspected(inspection: Inspection, request: Request) -> Media:
    """The medium that an inspection of the request looks at."""
    return request.media[inspection.key][0]


def _checks(inspection: Inspection, request: Request, currency: str) -> Iterator[Need]:
    medium, price = inspected(inspection, request), inspection.price(currency)
    if medium.sha256:
        yield Need(kind=UPLOAD, model=inspection.model, content=medium.sha256)
    yield Need(
        kind=CHECK,
        model=inspection.model,
        # Hashed, since a URL may be signed.
        content=hashlib.sha256(str(medium.identity).encode()).hexdigest(),
        price=price.micro if price else 0,
    )
