"""The documented refusals: HTTP status and message of each code, so that a script needs to name the
code alone (Error messages; Manage asynchronous tasks; Rate limits, 2026; Object Storage Service,
Error codes).

A code that is documented with two statuses stands under the more usual one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Refusal(NamedTuple):
    status: int
    message: str


_INTERNAL = "An internal error has occured, please try again later or contact service support."
_OVERDUE = "Access denied, please make sure your account is in good standing."
_INAPPROPRIATE = "Input data may contain inappropriate content."

SERVICE: Mapping[str, Refusal] = {
    "InvalidParameter": Refusal(400, "The request parameter is invalid, please check."),
    "InvalidParameter.DataInspection": Refusal(
        400, "Download the media resource timed out during the data inspection process."
    ),
    "InvalidURL": Refusal(400, "Required URL is missing or invalid, please check the request URL."),
    "InvalidURL.ConnectionRefused": Refusal(400, "Connection to the URL was refused."),
    "InvalidURL.Timeout": Refusal(400, "The download of the URL timed out."),
    "InvalidFile.Format": Refusal(400, "The file format is not supported."),
    "InvalidFile.Size": Refusal(400, "The file size is out of range."),
    "InvalidFile.Duration": Refusal(400, "The duration of the file is out of range."),
    "InvalidImage.Format": Refusal(400, "The image format is not supported."),
    "InvalidImage.Resolution": Refusal(400, "The resolution of the image is out of range."),
    "DataInspectionFailed": Refusal(400, _INAPPROPRIATE),
    "IPInfringementSuspect": Refusal(400, "Input data is suspected of IP infringement."),
    "Arrearage": Refusal(400, _OVERDUE),
    "UnsupportedOperation": Refusal(
        400, "Failed to cancel the task, please confirm if the task is in PENDING status."
    ),
    "InvalidApiKey": Refusal(401, "Invalid API-key provided."),
    "AccessDenied": Refusal(403, "Access denied."),
    "AccessDenied.Unpurchased": Refusal(403, "Access to model denied."),
    "Model.AccessDenied": Refusal(403, "Model access denied."),
    "Workspace.AccessDenied": Refusal(403, "Workspace access denied."),
    "AllocationQuota.FreeTierOnly": Refusal(403, "The free tier of the model has been exhausted."),
    "ModelNotFound": Refusal(404, "Model can not be found."),
    "WorkSpaceNotFound": Refusal(404, "WorkSpace can not be found."),
    "NotFound": Refusal(404, "Not found."),
    "Throttling": Refusal(429, "Requests throttling triggered."),
    "Throttling.RateQuota": Refusal(429, "Requests rate limit exceeded, please try again later."),
    "Throttling.BurstRate": Refusal(
        429, "Request rate increased too quickly, please scale up more smoothly over time."
    ),
    "Throttling.AllocationQuota": Refusal(
        429, "Allocated quota exceeded, please increase your quota limit."
    ),
    "Throttling.Concurrency": Refusal(429, "Too many requests at once, please try again later."),
    "CommodityNotPurchased": Refusal(429, "Commodity has not purchased yet."),
    "PrepaidBillOverdue": Refusal(429, "The prepaid bill is overdue."),
    "PostpaidBillOverdue": Refusal(429, "The postpaid bill is overdue."),
    "InternalError": Refusal(500, _INTERNAL),
    "InternalError.Algo": Refusal(500, _INTERNAL),
    "InternalError.FileUpload": Refusal(500, _INTERNAL),
    "InternalError.Upload": Refusal(500, _INTERNAL),
    "InternalError.Timeout": Refusal(500, "The task did not end within 3 hours."),
    "SystemError": Refusal(500, _INTERNAL),
    "ModelServiceFailed": Refusal(500, "Failed to request the model service."),
    "RewriteFailed": Refusal(500, "Failed to rewrite the prompt."),
    "RequestTimeOut": Refusal(500, "Request timed out, please try again later."),
    "ModelServingError": Refusal(503, "Too many requests, the service is being scaled up."),
    "ModelUnavailable": Refusal(503, "Model is unavailable, please try again later."),
}
"""What the API answers, and what a task that failed says."""

STORE: Mapping[str, Refusal] = {
    "AccessDenied": Refusal(403, "Request has expired."),
    "SignatureDoesNotMatch": Refusal(
        403, "The request signature we calculated does not match the signature you provided."
    ),
    "NoSuchKey": Refusal(404, "The specified key does not exist."),
    "FileAlreadyExists": Refusal(409, "The object you specified already exists."),
    "Gone": Refusal(410, "The object has been removed."),
    "InvalidRange": Refusal(416, "The requested range cannot be satisfied."),
    "InternalError": Refusal(500, "We encountered an internal error. Please try again."),
    "ServiceUnavailable": Refusal(503, "The server is busy. Please try again later."),
    "SlowDown": Refusal(503, "Please reduce your request rate."),
}
"""What the object store answers."""
