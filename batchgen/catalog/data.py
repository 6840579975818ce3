"""The base of what is read from data files."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Data(BaseModel):
    """Facts read from a data file: checked once, never changed, and no word goes unread."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        # Most of these are parts of others, and never checked by themselves.
        defer_build=True,
    )
