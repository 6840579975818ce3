"""What a run was stopped by, and what a person can do so that the next one is not.

The codes are the service's (Error codes, help.aliyun.com, 2026-05-30). Where something on the way
to it has answered in its place, the HTTP status stands for the code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from batchgen.api.summary import Summary

BUDGET = "Raise `budget:` in the manifest, or --budget, then run again."

_OTHERWISE = "Look into the service's console, then run again."

_ADVICE = {
    r"InvalidApiKey|KeyRefused|HTTP 401": "Look at DASHSCOPE_API_KEY, at the region and at the base"
    " URL: a key is known in one region only. Then run again.",
    r"Arrearage|PrepaidBillOverdue|PostpaidBillOverdue": "Look at the bill in the service's"
    " console, then run again.",
    r"AllocationQuota|Throttling\.AllocationQuota": "What the account may use is used up. Look at"
    " its plan and quota in the service's console, then run again.",
    r"WorkSpaceNotFound|Workspace": "Look at DASHSCOPE_WORKSPACE_ID and at what the workspace may"
    " use in the service's console, then run again.",
    r"CommodityNotPurchased|AccessDenied|Model": "Activate the model in the service's console, for"
    " the key's account and region, then run again.",
    r"HTTP 40[347]": "Something other than the service has answered. Look at the base URL, which"
    " should end in /api/v1, and at proxies on the way; then run again.",
}
"""By the code, or what it is before one of its dots."""

_TABLE = {re.compile(rf"(?:{codes})(?![^:.])"): words for codes, words in _ADVICE.items()}


def stops(summary: Summary) -> Mapping[str, list[str]]:
    """What to do, and the reasons that ask for it: why a run ended before its jobs did."""
    reasons: dict[str, list[str]] = {}
    for stop in dict.fromkeys(summary.stops):
        reasons.setdefault(_advice(stop.partition(": ")[2]), []).append(stop)
    if summary.budget_reached:
        told = f"what is left can cost {summary.missing} more than the budget of {summary.budget}"
        reasons[BUDGET] = [f"{told} allows"]
    return reasons


def _advice(said: str) -> str:
    """``said`` begins with the code."""
    return next((words for code, words in _TABLE.items() if code.match(said)), _OTHERWISE)
