"""What a manifest comes to: jobs that can be paid for as they stand."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from batchgen.catalog import Catalog, Model, Money, Request
from batchgen.core.policy import RetryPolicy
from batchgen.errors import Problem

SANDBOX = "sandbox"
"""The folder of rehearsals in an output folder; no manifest may be called so."""


@dataclass(frozen=True, slots=True)
class Job:
    """One entry of a manifest, resolved and checked."""

    id: str
    request: Request
    model: Model
    price: Money | None
    """The most it can cost, by the region's price list."""
    file: str
    line: int
    identity: str
    """Of the request, see `Request.identity`."""
    order: int
    """Its place in the batch, from 0."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest without a mistake."""

    path: Path
    """As it was given."""
    folder: Path
    """That relative paths in the manifest start from, absolute."""
    name: str
    region: str | None
    """As written; None where the manifest names none."""
    output: str | None
    """As written; None where the manifest names none."""
    max_in_flight: int | None
    """Tasks at the service over the whole batch; None leaves it to what is known of
    each model."""
    queries_per_second: float | None
    """Questions to the service about tasks; None leaves it to the policy."""
    settle: float | None
    """Seconds over which a request in doubt is looked for; None leaves it to the policy."""
    budget: Money | None
    jobs: tuple[Job, ...]
    catalog: Catalog = field(repr=False)
    """The package's, with what the manifest's and the caller's own files add to it."""
    exclusive_account: bool = False
    """Nobody else makes tasks on the account."""
    retry: RetryPolicy | None = None
    """Which failed tasks are worth another attempt; None leaves it to the policy."""
    stop_after_failures: int | None = None
    """Failed jobs in a row after which a run submits nothing more; None for no such limit."""
    warnings: tuple[Problem, ...] = ()
    """What a person should know before paying, and what stops nothing."""


def folder_of(path: Path) -> Path:
    """Return the folder of a manifest, absolute, by the path it was named with.

    Links are not followed: who calls it through a link in ``jobs/`` sees it there.
    """
    return Path(os.path.abspath(path)).parent  # noqa: PTH100  (Path.absolute keeps "..")


def output_folder(manifest: Manifest, override: Path | None, *, sandbox: bool) -> Path:
    """Return the folder of the manifest's batch, absolute; it need not exist.

    ``override`` (from the current folder) wins over the manifest's ``output:`` (from its folder),
    and that over ``output/`` beside the manifest, or beside the folder called ``jobs`` it lies in.
    So nothing but ``override`` depends on the current folder.
    """
    if override is not None:
        parent = override
    elif manifest.output is not None:
        parent = manifest.folder / manifest.output
    else:
        in_jobs = manifest.folder.name == "jobs"
        parent = (manifest.folder.parent if in_jobs else manifest.folder) / "output"
    if sandbox:
        parent /= SANDBOX
    return Path(os.path.abspath(parent)) / manifest.name  # noqa: PTH100  (as above)
