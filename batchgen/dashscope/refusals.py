"""What a refusal means for the jobs behind it: the service's error codes as a table.

Facts: Error codes (help.aliyun.com, 2026-05-30), Rate limits, Asynchronous task management.
A code is looked up whole, then by the part before its first dot; a code that is not listed is
judged by the HTTP status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum


class RefusalKind(StrEnum):
    """Who is stopped by a refusal, and for how long."""

    LATER = "later"  #: throttling: wait and send the same again
    FINAL = "final"  #: this job fails, with the service's words
    MODEL = "model"  #: not purchased or no access: this model stops, the others go on
    ACCOUNT = "account"  #: key refused, arrears, free tier used up: the account stops
    INPUT = "input"  #: the service could not fetch an input in time: a few more tries


_CODES: Mapping[str, RefusalKind] = {
    "Throttling": RefusalKind.LATER,
    "Throttling.AllocationQuota": RefusalKind.LATER,
    "InvalidParameter": RefusalKind.FINAL,
    "InvalidParameter.DataInspection": RefusalKind.INPUT,
    "InvalidURL": RefusalKind.FINAL,
    "InvalidURL.Timeout": RefusalKind.INPUT,
    "InvalidFile": RefusalKind.FINAL,
    "InvalidImage": RefusalKind.FINAL,
    "BadRequest": RefusalKind.FINAL,
    "DataInspectionFailed": RefusalKind.FINAL,
    "IPInfringementSuspect": RefusalKind.FINAL,
    "UnsupportedOperation": RefusalKind.FINAL,
    "ModelNotFound": RefusalKind.FINAL,
    "NotFound": RefusalKind.FINAL,
    # The message says that the model cannot be called this way at all, so no job of it can pass.
    "AccessDenied": RefusalKind.MODEL,
    "Model": RefusalKind.MODEL,
    "Workspace": RefusalKind.MODEL,
    "CommodityNotPurchased": RefusalKind.MODEL,
    "AllocationQuota": RefusalKind.ACCOUNT,
    "Arrearage": RefusalKind.ACCOUNT,
    "InvalidApiKey": RefusalKind.ACCOUNT,
    "PrepaidBillOverdue": RefusalKind.ACCOUNT,
    "PostpaidBillOverdue": RefusalKind.ACCOUNT,
    "WorkSpaceNotFound": RefusalKind.ACCOUNT,
}

# One code, two meanings: the per-minute quota recovers by itself, the weekly one of a token plan
# does not (seen by two public clients).
_USED_UP = {"Throttling.AllocationQuota": re.compile(r"\b(week|month)", re.IGNORECASE)}

_STATUSES: Mapping[int, RefusalKind] = {
    401: RefusalKind.ACCOUNT,
    403: RefusalKind.MODEL,
    408: RefusalKind.LATER,
    425: RefusalKind.LATER,
    429: RefusalKind.LATER,
}

# Without the service's JSON, something on the way to it has answered: a firewall, a portal, a
# wrong address. Failing each job in turn would burn the batch; stopping at the first does not.
_STATUSES_ON_THE_WAY: Mapping[int, RefusalKind] = {
    **_STATUSES,
    403: RefusalKind.ACCOUNT,
    404: RefusalKind.ACCOUNT,
    407: RefusalKind.ACCOUNT,
}


def kind_of(status: int | None, code: str, message: str) -> RefusalKind | None:
    """What a refusal means; ``code`` is empty where the answer was not the service's.

    ``status`` is the answered 4xx, or None where only a known code makes the answer a refusal.
    """
    pattern = _USED_UP.get(code)
    if pattern and pattern.search(message):
        return RefusalKind.ACCOUNT
    if kind := _CODES.get(code) or _CODES.get(code.partition(".")[0]):
        return kind
    if status is None:
        return None
    by_status = _STATUSES if code else _STATUSES_ON_THE_WAY
    return by_status.get(status, RefusalKind.FINAL)


def is_throttling(code: str) -> bool:
    """Whether the service itself says that there were too many requests."""
    return code.partition(".")[0] == "Throttling"
