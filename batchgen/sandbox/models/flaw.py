"""What the service complains about only after it has accepted a request."""

from __future__ import annotations


class Flaw(Exception):
    """A request the service accepts and then fails: `code` and `message` stand in the task's
    `output`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def invalid(message: str) -> Flaw:
    """The flaw most requests have: a parameter that the model does not take."""
    return Flaw("InvalidParameter", message)
