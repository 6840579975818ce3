"""batchgen: a manifest of Wan prompts in, a tree of finished results out.

    import batchgen

    manifest = batchgen.load(Path("jobs/detective.yaml"))   # checked, or every mistake at once
    report = batchgen.plan(manifest)                        # what a run would buy, and its price
    summary = await batchgen.run(manifest, on_progress=print)
    summary.exit_code, summary.spent, summary.failed

``Run`` is the same with a ``stop``; ``Settings`` holds what may be chosen; ``Endpoint`` and
``Sandbox`` name another service than the environment's. Everything works inside a running event
loop, and nothing here reads the command line, installs a signal handler or prints.

The tour. The **core** decides, the **journal** remembers, the **runner** does, **dashscope** talks,
the **artifacts** keep, the **report** tells, the **sandbox** pretends; **manifest** and **catalog**
know what is asked for and what that means; the **api** puts them together, and the **cli**
introduces them to a terminal.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchgen.api import (
        BatchReport,
        Endpoint,
        JobReport,
        Run,
        Settings,
        Summary,
        load,
        plan,
        run,
    )
    from batchgen.dashscope.endpoint import Secret
    from batchgen.errors import BatchgenError, ExitCode, ManifestError
    from batchgen.manifest import Manifest
    from batchgen.runner.progress import Progress
    from batchgen.sandbox import Sandbox

_HOMES = {
    "BatchReport": "batchgen.api",
    "BatchgenError": "batchgen.errors",
    "Endpoint": "batchgen.api",
    "ExitCode": "batchgen.errors",
    "JobReport": "batchgen.api",
    "Manifest": "batchgen.manifest",
    "ManifestError": "batchgen.errors",
    "Progress": "batchgen.runner.progress",
    "Run": "batchgen.api",
    "Sandbox": "batchgen.sandbox",
    "Secret": "batchgen.dashscope.endpoint",
    "Settings": "batchgen.api",
    "Summary": "batchgen.api",
    "load": "batchgen.api",
    "plan": "batchgen.api",
    "run": "batchgen.api",
}

__all__ = [
    "BatchReport",
    "BatchgenError",
    "Endpoint",
    "ExitCode",
    "JobReport",
    "Manifest",
    "ManifestError",
    "Progress",
    "Run",
    "Sandbox",
    "Secret",
    "Settings",
    "Summary",
    "load",
    "plan",
    "run",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: the command line must start fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'batchgen' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
