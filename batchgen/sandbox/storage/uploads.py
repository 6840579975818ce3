"""Files that clients put into the temporary storage (Get a temporary file URL, 2026).

Rules.
1. A file is bound to the account and the model it was uploaded for. Nothing has to remember that:
   the directory's name holds a tag over both, which only the sandbox can make.
2. It lives for 48 hours of the clock, over restarts too. The leave to upload it counts the clients'
   seconds, as they hurry no more at a higher speed.
3. A key is used once; a second file of its name is refused.
4. A file is on the disk before its row is. One that a kill left without a row goes at the next
   start.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.database import Database
from batchgen.sandbox.models import Flaw
from batchgen.sandbox.storage import policy
from batchgen.sandbox.storage.policy import FIXED, FormRefused
from batchgen.sandbox.storage.signer import ACCESS_KEY_ID, Signer

LIFETIME = 48 * 3600.0
"""Seconds."""

POLICY_SECONDS = 300
FORM_PATH = "/dashscope-file-sandbox"
"""Where the object store takes forms."""

_DIRECTORY = re.compile(r"dashscope-instant/[0-9a-f]{32}/\d{4}-\d\d-\d\d/(?P<place>[0-9a-f]{32})")
_NONCE = 12
"""Hexadecimal digits of a directory's name that tell it from the others; the rest is its tag."""


class Uploads:
    def __init__(self, database: Database, folder: Path, signer: Signer, clock: Clock) -> None:
        self._database = database
        self._folder = folder
        self._signer = signer
        self._clock = clock
        folder.mkdir(parents=True, exist_ok=True)
        self._forget_old()
        self._remove_unknown()

    def policy(self, account: str, model: str, megabytes: int) -> dict[str, Any]:
        """What an account needs to upload files for a model."""
        directory = self._directory(account, model, self._clock.now())
        document = policy.issue(directory, self._clock.later(POLICY_SECONDS), megabytes << 20)
        return {
            "policy": document,
            "signature": self._signer.sign(document),
            "upload_dir": directory,
            "upload_host": self._signer.origin + FORM_PATH,
            "expire_in_seconds": POLICY_SECONDS,
            "max_file_size_mb": megabytes,
            "capacity_limit_mb": 999_999_999,
            "oss_access_key_id": ACCESS_KEY_ID,
            **{name.replace("-", "_"): value for name, value in FIXED.items()},
        }

    def has(self, key: str) -> bool:
        return self._created(key) is not None

    def part(self) -> Path:
        """Where to write a file that is on its way."""
        self._forget_old()
        return self._folder / f"{uuid4()}.part"

    def keep(self, part: Path, key: str) -> None:
        """The file is whole. Raises FormRefused when another one has taken the key meanwhile."""
        if self.has(key):
            raise FormRefused(
                409,
                "FileAlreadyExists",
                "The object you specified already exists and can not be overwritten.",
            )
        part.replace(self._path(key))
        with self._database.synced():
            now = self._clock.now()
            self._database.write("INSERT OR REPLACE INTO upload VALUES (?, ?)", (key, now))

    def resolve(self, account: str, model: str, key: str) -> Path:
        """The file. Raises Flaw when there is none for this account and model, or none any more."""
        path = self._path(key)
        if not self.has(key) or not self._is_for(account, model, key) or not path.exists():
            raise Flaw(
                "InvalidParameter.DataInspection",
                "Unable to download the media resource during the data inspection process.",
            )
        return path

    def _created(self, key: str) -> float | None:
        """None as well for what is too old."""
        created: float | None = self._database.value(
            "SELECT created FROM upload WHERE key = ? AND created > ?",
            (key, self._clock.now() - LIFETIME),
        )
        return created

    def _forget_old(self) -> None:
        horizon = (self._clock.now() - LIFETIME,)
        old = self._database.rows("SELECT key FROM upload WHERE created <= ?", horizon)
        for (key,) in old:
            self._path(key).unlink(missing_ok=True)
        if old:
            self._database.write("DELETE FROM upload WHERE created <= ?", horizon)

    def _remove_unknown(self) -> None:
        known = {self._path(key) for (key,) in self._database.rows("SELECT key FROM upload")}
        for path in self._folder.iterdir():
            if path not in known:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        """A key is a client's words, and no name for a file."""
        return self._folder / hashlib.sha256(key.encode()).hexdigest()

    def _directory(self, account: str, model: str, now: float) -> str:
        owner = hashlib.md5(account.encode(), usedforsecurity=False).hexdigest()
        day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
        nonce = uuid4().hex[:_NONCE]
        return f"dashscope-instant/{owner}/{day}/{nonce}{self._tag(account, model, nonce)}"

    def _is_for(self, account: str, model: str, key: str) -> bool:
        directory = _DIRECTORY.match(key)
        if directory is None:
            return False
        nonce, tag = directory["place"][:_NONCE], directory["place"][_NONCE:]
        return tag == self._tag(account, model, nonce)

    def _tag(self, account: str, model: str, nonce: str) -> str:
        signature = self._signer.sign(f"{account}\n{model}\n{nonce}")
        return hashlib.sha256(signature.encode()).hexdigest()[: 32 - _NONCE]
