"""Facts about what jobs need before they are sent. See ``facts``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from batchgen.core.facts.run import Fact
from batchgen.core.facts.shape import fact

UPLOAD, CHECK = "upload", "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that must be had before a request may leave; one that many jobs have is met once.

    ``kind`` is UPLOAD (a local file lies at the service) or CHECK (the service has inspected an
    input). Either holds for one account and one ``model`` alone, which for a check is the model
    that inspects. ``content`` is a SHA-256 in hexadecimal: of the file, or of what is inspected.
    """

    kind: str
    model: str
    content: str
    price: int = field(default=0, compare=False)
    """The most that meeting it once can cost."""


@fact
class NeedFact(Fact):
    """A fact about what jobs need."""

    kind: ClassVar[str]
    model: str
    content: str

    @property
    def subject(self) -> str:
        return f"{self.kind}/{self.account}/{self.model}/{self.content}"


@fact
class UploadFact(NeedFact):
    """A fact about a file's way to the service."""

    kind: ClassVar[str] = UPLOAD


@fact
class Uploaded(UploadFact):
    """The file lies at the service until ``ends``; requests name it by its ``url`` (``oss://``)."""

    url: str
    ends: float


@fact
class UploadDeferred(UploadFact):
    """The upload broke, or had to wait; it is made anew after ``until``.

    ``code`` is empty where nobody answered.
    """

    until: float
    reason: str
    code: str = ""


@fact
class UploadRefused(UploadFact):
    """The service does not take this file, or has not for so often that this run gives it up."""

    code: str
    message: str


@fact
class CheckFact(NeedFact):
    """A fact about the inspection of an input, which costs a little."""

    kind: ClassVar[str] = CHECK


@fact
class CheckStarted(CheckFact):
    """The question is about to leave; from here on it may cost ``price``."""

    price: int


@fact
class CheckPassed(CheckFact):
    """The service says that the input is good, for ``cost``.

    ``final`` says that the content itself is known: then the answer holds for ever, else for the
    run, because what lies at an address may be another next time.
    """

    cost: int
    final: bool = True


@fact
class CheckFailed(CheckFact):
    """The service says that the input is not good, for ``cost``; ``final`` as in CheckPassed."""

    cost: int
    code: str
    message: str
    final: bool = True


@fact
class CheckDeferred(CheckFact):
    """The service surely did not take the question; it is asked anew after ``until``.

    ``code`` is empty where nobody answered.
    """

    until: float
    reason: str
    code: str = ""


@fact
class CheckLost(CheckFact):
    """No answer came: it may have been billed, and is asked anew after ``until``."""

    until: float
    reason: str


@fact
class CheckRefused(CheckFact):
    """The service does not inspect this input; nothing was billed for the refusal."""

    code: str
    message: str
