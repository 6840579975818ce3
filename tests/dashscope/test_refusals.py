from __future__ import annotations

import pytest

from batchgen.dashscope.refusals import RefusalKind, is_throttling, kind_of

LATER, FINAL, MODEL = RefusalKind.LATER, RefusalKind.FINAL, RefusalKind.MODEL
ACCOUNT, INPUT = RefusalKind.ACCOUNT, RefusalKind.INPUT


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "InvalidParameter", FINAL),
        (400, "InvalidParameter.DataInspection", INPUT),
        (400, "InvalidURL", FINAL),
        (400, "InvalidURL.ConnectionRefused", FINAL),
        (400, "InvalidURL.Timeout", INPUT),
        (400, "InvalidFile.Format", FINAL),
        (400, "InvalidImage.Size", FINAL),
        (400, "BadRequest.TooLarge", FINAL),
        (400, "DataInspectionFailed", FINAL),
        (400, "IPInfringementSuspect", FINAL),
        (400, "Arrearage", ACCOUNT),
        (400, "UnsupportedOperation", FINAL),
        (401, "InvalidApiKey", ACCOUNT),
        (403, "AccessDenied", MODEL),
        (403, "AccessDenied.Unpurchased", MODEL),
        (403, "Model.AccessDenied", MODEL),
        (403, "Workspace.AccessDenied", MODEL),
        (403, "AllocationQuota.FreeTierOnly", ACCOUNT),
        (404, "ModelNotFound", FINAL),
        (404, "WorkSpaceNotFound", ACCOUNT),
        (404, "NotFound", FINAL),
        (429, "Throttling", LATER),
        (429, "Throttling.RateQuota", LATER),
        (429, "Throttling.BurstRate", LATER),
        (429, "Throttling.Concurrency", LATER),
        (429, "CommodityNotPurchased", MODEL),
        (429, "PrepaidBillOverdue", ACCOUNT),
        (429, "PostpaidBillOverdue", ACCOUNT),
    ],
)
def test_the_documented_codes(status, code, kind):
    """Each documented code stops exactly whom it should."""
    assert kind_of(status, code, "") is kind


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Allocated quota exceeded, please increase your quota limit.", LATER),
        ("You exceeded your current requests per minute quota.", LATER),
        ("Your weekly quota of the token plan is used up.", ACCOUNT),
        ("Quota for this month exceeded.", ACCOUNT),
    ],
)
@pytest.mark.parametrize("status", [400, 429, None])
def test_an_allocation_quota_is_judged_by_its_message(status, message, kind):
    """A per-minute quota is waited for; a weekly one stops the account."""
    assert kind_of(status, "Throttling.AllocationQuota", message) is kind


@pytest.mark.parametrize(
    ("status", "with_code", "without"),
    [
        (400, FINAL, FINAL),
        (401, ACCOUNT, ACCOUNT),
        (403, MODEL, ACCOUNT),
        (404, FINAL, ACCOUNT),
        (405, FINAL, FINAL),
        (407, FINAL, ACCOUNT),
        (408, LATER, LATER),
        (429, LATER, LATER),
    ],
)
def test_unknown_codes_are_judged_by_the_status(status, with_code, without):
    """A new code has a sensible end; an answer that is not the service's burns no batch."""
    assert kind_of(status, "BrandNew", "") is with_code
    assert kind_of(status, "", "") is without


def test_only_a_known_code_refuses_without_a_4xx():
    """Outside 4xx, an unknown code proves nothing."""
    assert kind_of(None, "InternalError", "") is None
    assert kind_of(None, "", "") is None
    assert kind_of(None, "Arrearage", "") is ACCOUNT


def test_throttling_is_a_family_of_codes():
    """A code that merely begins alike is not of the family."""
    assert is_throttling("Throttling")
    assert is_throttling("Throttling.RateQuota")
    assert not is_throttling("ThrottlingOff")
    assert not is_throttling("")
