"""Mistakes for the person who made them, and bugs for those who mend them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict

from batchgen.errors import BatchgenError, ExitCode, ManifestError, Problem
from batchgen.report.text import clean

_PACKAGES = ("aiohttp", "anyio", "apsw", "click", "pydantic", "pyyaml", "rich")

_SECRETS = (
    (re.compile(r"(https?://[^\s?'\"<>]+)\?[^\s'\"<>]*"), r"\1?..."),
    (re.compile(r"(?i)\b(bearer )\S+"), r"\1..."),
    (re.compile(r"\bsk-[\w-]+"), "sk-..."),
)
"""Errors of other libraries quote URLs and headers: signatures and keys are cut from them."""


def error_lines(error: BatchgenError) -> list[str]:
    """What is wrong, each problem on a line of its own, and what to do about it."""
    if isinstance(error, ManifestError):
        lines = [clean(str(problem)) for problem in error.problems]
        lines += warning_lines(error.warnings)
        lines.append(f"{clean(error.message)}; nothing was sent.")
    else:
        lines = [f"batchgen: {clean(error.message)}"]
    return [*lines, f"  {clean(error.hint)}"] if error.hint else lines


_MOST_WARNINGS = 20
"""On a screen; a program gets them all."""


def warning_lines(warnings: Sequence[Problem]) -> list[str]:
    """What a person should know before paying, each on a line of its own."""
    lines = [f"warning: {clean(str(warning))}" for warning in warnings[:_MOST_WARNINGS]]
    if (more := len(warnings) - _MOST_WARNINGS) > 0:
        lines.append(f"warning: and {more:,} more; batchgen plan --json lists them")
    return lines


def error_data(error: BatchgenError) -> dict[str, object]:
    """The error for a program."""
    return {"exit_code": int(error.exit_code), "message": error.message, "hint": error.hint}


def bug_data(bug: BaseException) -> dict[str, object]:
    """A bug for a program. It keeps its values for itself: an error of a library may quote a
    signed URL.
    """
    message = f"a bug of batchgen: {type(bug).__name__}"
    return {"exit_code": int(ExitCode.BUG), "message": message, "hint": None}


def refusal_data(error: BatchgenError, name: str | None = None) -> dict[str, object]:
    """What was refused before it began, for a program; ``name`` is the batch's, where it is one."""
    problems, warnings = (
        (error.problems, error.warnings) if isinstance(error, ManifestError) else ((), ())
    )
    return {
        "name": name,
        "exit_code": int(error.exit_code),
        "error": error_data(error),
        "problems": [asdict(problem) for problem in problems],
        "warnings": [asdict(warning) for warning in warnings],
    }


def bug_report(error: BaseException) -> list[str]:
    """A report to paste: where it happened, in which versions, without values and secrets."""
    import traceback  # noqa: PLC0415 - as in _versions: of use to a bug alone

    trace = "".join(traceback.format_exception(error))
    for secret, instead in _SECRETS:
        trace = secret.sub(instead, trace)
    return [
        "This is a bug of batchgen, not a mistake of yours. Please report it with these lines.",
        "What was paid for is in the journal: running again goes on with it.",
        "",
        *(clean(line) for line in trace.splitlines()),
        "",
        ", ".join(_versions()),
    ]


def _versions() -> list[str]:
    import platform  # noqa: PLC0415

    own = f"batchgen {_version('batchgen')} on Python {platform.python_version()}"
    return [own, platform.platform(), *(f"{name} {_version(name)}" for name in _PACKAGES)]


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
