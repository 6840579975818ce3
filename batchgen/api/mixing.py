"""A rehearsal is never taken for the real batch, nor the other way round.

``--sandbox`` has a folder and a journal of its own. But a stand-in of the service can be asked like
the service itself, by its address: then only the address tells them apart. A stand-in's is private
(this machine, or an internal network), the service's is public.
"""

from __future__ import annotations

from batchgen.core.standing import Standing
from batchgen.errors import Mistake

_WORDS = {True: "a private address, as a stand-in of the service has", False: "a public address"}


def refuse_mixing(standing: Standing, *, private: bool) -> None:
    """Raise Mistake where the batch was begun at an address of the other kind.

    Neither may be continued at the other, not even to find that all is done.
    """
    if standing.private in {None, private}:
        return
    raise Mistake(
        f"this batch was begun at {_WORDS[not private]}, and is now asked to go on at"
        f" {_WORDS[private]}: what one of them has made is not what the other would sell",
        hint="use --output with another folder, or the base URL (DASHSCOPE_HTTP_BASE_URL, or"
        " --base-url) that it was begun with",
    )
