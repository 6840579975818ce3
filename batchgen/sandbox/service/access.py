"""Who asks: keys, the accounts they belong to, and temporary keys (Generate a temporary API key,
2026).

A temporary key is as good as the one it was made with until it expires. It is never stored: a
sandbox that was closed has forgotten it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.orders import Refusal


@dataclass(frozen=True, slots=True)
class Caller:
    account: str
    key_id: str
    """Names the key without giving it away."""
    temporary: bool = False


class Access:
    """`keys` maps API keys to accounts."""

    def __init__(self, keys: Mapping[str, str], clock: Clock) -> None:
        self._callers = {
            key: Caller(account, str(number))
            for number, (key, account) in enumerate(keys.items(), 1)
        }
        self._clock = clock
        self._temporary: dict[str, tuple[Caller, float]] = {}

    def caller(self, authorization: str) -> Caller:
        """Raises Refusal (401)."""
        scheme, _, key = authorization.partition(" ")
        key = key.strip()
        if scheme != "Bearer" or not key:
            raise Refusal(401, "InvalidApiKey", "No API-key provided.")
        caller = self._callers.get(key) or self._of_temporary(key)
        if caller is None:
            raise Refusal(401, "InvalidApiKey", "Invalid API-key provided.")
        return caller

    def temporary(self, caller: Caller, seconds: int) -> tuple[str, int]:
        """A key for so many of the clients' seconds, and when it expires, in Unix seconds of the
        clock. Raises Refusal (403): a temporary key makes no other (*chosen*, or none would ever
        expire).
        """
        if caller.temporary:
            raise Refusal(403, "AccessDenied", "A temporary API key cannot create another one.")
        now = self._clock.now()
        self._temporary = {key: entry for key, entry in self._temporary.items() if entry[1] > now}
        key, expires = f"st-{secrets.token_hex(16)}", int(self._clock.later(seconds))
        self._temporary[key] = (replace(caller, temporary=True), expires)
        return key, expires

    def _of_temporary(self, key: str) -> Caller | None:
        caller, expires = self._temporary.get(key, (None, 0.0))
        return caller if expires > self._clock.now() else None
