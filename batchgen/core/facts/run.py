"""Facts about the run, and about what an account may do with a model. See ``facts``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What every fact says."""

    at: float
    account: str

    @property
    def subject(self) -> str:
        """The stream this fact belongs to."""
        raise TypeError(f"{type(self).__name__} has no subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Fact):
    """A process took the batch up; whatever stopped the one before is tried anew."""

    version: str

    @property
    def subject(self) -> str:
        return "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Fact):
    """The run asks the service at an ``endpoint``: a fingerprint of the host and the key.

    What was uploaded to another endpoint, or with another key, is not there. ``private`` says that
    the host is this machine or an internal one, as a stand-in's is; None where nobody noted it.
    """

    endpoint: str
    private: bool | None = None

    @property
    def subject(self) -> str:
        return "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFact(Fact):
    """A fact about an account and a model, or about the whole account (``model`` is None)."""

    model: str | None

    @property
    def subject(self) -> str:
        return f"lane/{self.account}/{self.model or ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePaused(LaneFact):
    """The service, or the way to it, asked for patience: nothing is submitted until then."""

    until: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStopped(LaneFact):
    """The service will take nothing more from this account or model until a person has acted."""

    code: str
    message: str
