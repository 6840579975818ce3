"""Media a request gives: fetched, measured and kept in the folder of inputs."""

from __future__ import annotations

from batchgen.sandbox.inputs.inputs import Inputs, Resolve

__all__ = ["Inputs", "Resolve"]
