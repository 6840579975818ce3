"""The policy of a form upload: what may be stored where, until when; given out as base64 JSON with
its signature (Object Storage Service, PostObject).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from batchgen.sandbox.storage.signer import ACCESS_KEY_ID, Signer

FIXED = {"x-oss-object-acl": "private", "x-oss-forbid-overwrite": "true"}
"""What every upload has to say of itself."""


class FormRefused(Exception):
    """A form that is not accepted: HTTP status, code and message of the object store."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def issue(directory: str, expires: float, most_bytes: int) -> str:
    """A policy for files in a directory, of at most so many bytes, until a Unix time."""
    conditions: list[object] = [
        ["content-length-range", 0, most_bytes],
        ["starts-with", "$key", directory],
        *({name: value} for name, value in FIXED.items()),
    ]
    document = {"expiration": _iso(expires), "conditions": conditions}
    return base64.b64encode(json.dumps(document, separators=(",", ":")).encode()).decode()


@dataclass(frozen=True, slots=True)
class Policy:
    expires: float
    conditions: Sequence[Any]

    @classmethod
    def of(cls, fields: Mapping[str, str], signer: Signer) -> Self:
        """The policy that the fields of a form hold. Raises FormRefused for one that the sandbox
        did not give out.
        """
        for name in ("key", "OSSAccessKeyId", "policy", "Signature"):
            if not fields.get(name):
                raise FormRefused(
                    400, "InvalidArgument", f"Bucket POST must contain a field named '{name}'."
                )
        if fields["OSSAccessKeyId"] != ACCESS_KEY_ID:
            raise FormRefused(
                403,
                "InvalidAccessKeyId",
                "The OSS Access Key Id you provided does not exist in our records.",
            )
        if not signer.is_right(fields["Signature"], fields["policy"]):
            raise FormRefused(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            )
        return cls._decoded(fields["policy"])

    @classmethod
    def _decoded(cls, policy: str) -> Self:
        try:
            document = json.loads(base64.b64decode(policy, validate=True))
            expires = datetime.fromisoformat(document["expiration"]).timestamp()
            return cls(expires, document["conditions"])
        except (binascii.Error, ValueError, KeyError, TypeError):
            raise FormRefused(400, "InvalidPolicyDocument", "Invalid Policy.") from None

    def check(self, fields: Mapping[str, str], now: float) -> None:
        """Raises FormRefused for what the policy does not allow."""
        if now > self.expires:
            raise FormRefused(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        for condition in self.conditions:
            if not _holds(condition, fields):
                words = json.dumps(condition)
                raise FormRefused(
                    403,
                    "AccessDenied",
                    f"Invalid according to Policy: Policy Condition failed: {words}",
                )

    @property
    def most_bytes(self) -> int:
        for condition in self.conditions:
            match condition:
                case ["content-length-range", int(), int(most)]:
                    return most
        return 0


def _holds(condition: Any, fields: Mapping[str, str]) -> bool:
    match condition:
        case dict():
            return all(fields.get(name) == value for name, value in condition.items())
        case ["starts-with", str(name), str(start)]:
            return fields.get(name.removeprefix("$"), "").startswith(start)
        case ["content-length-range", *_]:
            return True  # told from the file, when it has come
    return False


def _iso(time: float) -> str:
    moment = datetime.fromtimestamp(time, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
