"""The package's own data files, and the base of what is read from them."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict


class Data(BaseModel):
    """Facts read from a data file: checked once, never changed, and no word goes unread."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read(file: Traversable) -> Any:
    """A data file as plain Python."""
    return yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
