"""From a request body to an `Order`: what will be rendered, billed and echoed.

Two kinds of complaint. A missing required field is a `Refusal` at submit; everything that needs a
closer look (sizes, lengths, media) is a `Flaw`: the service accepts the request and fails the task
a moment later. A flaw becomes a refusal where nothing could fail later (`Refusal.of`).

A request is read in three steps: `media_in` finds its media, `inputs.Inputs` fetches and measures
them, and `read` makes the order.
"""

from __future__ import annotations

from batchgen.sandbox.models import InputKind
from batchgen.sandbox.orders.media import Wanted, media_in
from batchgen.sandbox.orders.order import Input, Order
from batchgen.sandbox.orders.reading import MOST_SEED, read
from batchgen.sandbox.orders.refusal import Refusal
from batchgen.sandbox.orders.requests import (
    check_required,
    check_uploads,
    prompt_of,
    section,
    variant,
)

__all__ = [
    "MOST_SEED",
    "Input",
    "InputKind",
    "Order",
    "Refusal",
    "Wanted",
    "check_required",
    "check_uploads",
    "media_in",
    "prompt_of",
    "read",
    "section",
    "variant",
]
