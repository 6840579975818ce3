"""Signed URLs of results, as OSS makes them: the path names the file, `Expires` is in Unix seconds,
and `Signature` is an HMAC-SHA1 over both (Object Storage Service, Include signatures in URLs).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import urlencode

from batchgen.sandbox.tasks.scheduler import RETENTION
from batchgen.sandbox.tasks.task import Status, Task

ACCESS_KEY_ID = "LTAI5tSandboxSandboxSand"
BUCKET = "dashscope-result-sandbox"


class Signer:
    """Makes and checks signatures, and the URLs of results; `origin` is `http://host:port` of the
    object store.
    """

    def __init__(self, secret: bytes, origin: str) -> None:
        self._secret = secret
        self.origin = origin

    def urls(self, task: Task) -> list[str]:
        """One URL for each result of a task that succeeded, the same at every query; for each image
        that was asked for, the failed among them.
        """
        if task.status is not Status.SUCCEEDED or task.work is None or task.ended is None:
            return []
        # Published answers expire 1 to 4 seconds before their full day.
        expires = int(task.ended + RETENTION) - 1 - task.number % 4
        return [self._signed(path, expires) for path in self.paths(task)]

    def paths(self, task: Task) -> list[str]:
        """The paths of these URLs."""
        assert task.work is not None
        assert task.ended is not None
        day = datetime.fromtimestamp(task.ended, UTC).strftime("%Y%m%d")
        folder = f"/1d/{task.id[:2]}/{day}/{task.id[:8]}"
        places = [f"-{place}.png" for place in range(1, task.work.images + 1)] or [".mp4"]
        return [f"{folder}/{task.id}{place}" for place in places]

    def result_text(self, path: str, expires: str, method: str = "GET") -> str:
        """What the signature of a URL is over."""
        return f"{method}\n\n\n{expires}\n/{BUCKET}{path}"

    def sign(self, text: str) -> str:
        return base64.b64encode(hmac.digest(self._secret, text.encode(), hashlib.sha1)).decode()

    def is_right(self, signature: str, text: str) -> bool:
        """Compares in a time that tells nothing."""
        return hmac.compare_digest(self.sign(text).encode(), signature.encode())

    def _signed(self, path: str, expires: int) -> str:
        query = {
            "Expires": str(expires),
            "OSSAccessKeyId": ACCESS_KEY_ID,
            "Signature": self.sign(self.result_text(path, str(expires))),
        }
        return f"{self.origin}{path}?{urlencode(query)}"
