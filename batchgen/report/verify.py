"""What is no longer on disk as it was saved, what was mended, and what is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from batchgen.api.verifying import Fate, Finding, Verification
from batchgen.catalog import Money
from batchgen.report.errors import error_data
from batchgen.report.lines import indented
from batchgen.report.money import money_data, totals
from batchgen.report.text import clean, count, size

MOST_NAMED = 50
"""Files that are named one by one on a screen; a program gets all of them."""

_ADVICE: Mapping[Fate, str] = {
    Fate.EXPIRED: "Paid for, and the service no longer has it. Put a good copy back under its name,"
    " or buy the job anew: `batchgen retry --expired`, then `batchgen run`.",
    Fate.TO_FETCH: "`batchgen verify` or `batchgen collect` fetches it again, free of charge, while"
    " the service has it.",
    Fate.TO_WRITE: "`batchgen verify` writes it again from the journal.",
    Fate.IN_THE_WAY: "Move what stands there elsewhere, then verify again.",
}


def verify_view(verification: Verification) -> Group:
    """The look at the files for a person."""
    return Group(*_parts(verification))


def verify_data(verification: Verification) -> dict[str, Any]:
    """The look at the files for a program."""
    findings = verification.findings
    return {
        "name": verification.name,
        "folder": str(verification.folder),
        "exit_code": int(verification.exit_code),
        "jobs": verification.jobs,
        "files": verification.files,
        "bytes": verification.bytes,
        "expired": [money_data(total) for total in _costs(findings, Fate.EXPIRED)],
        "findings": [
            {
                "job": one.job,
                "file": one.file,
                "flaw": str(one.flaw),
                "fate": str(one.fate),
                "cost": money_data(one.cost),
            }
            for one in findings
        ],
        "error": error_data(verification.error) if verification.error else None,
    }


def _parts(verification: Verification) -> Iterator[RenderableType]:
    name = clean(verification.name)
    if not verification.files:
        yield Text(f"{name}: nothing was saved yet", style="bold")
        return
    looked = f"{count(verification.files, 'file')} of {count(verification.jobs, 'job')}"
    wrong = len(verification.findings)
    told = f"{count(wrong, 'file')} not as saved" if wrong else "all as they were saved"
    yield Text(f"{name}: {looked} looked at, {size(verification.bytes)}: {told}", style="bold")
    for fate in Fate:
        those = [one for one in verification.findings if one.fate is fate]
        if those:
            yield from _fate(fate, those)


def _fate(fate: Fate, findings: list[Finding]) -> Iterator[RenderableType]:
    costs = " and ".join(map(str, _costs(findings, Fate.EXPIRED)))
    style = "green" if fate is Fate.MENDED else "bold yellow"
    yield Text(f"{count(len(findings), 'file')} {fate}" + (f": {costs}" if costs else ""), style)
    for one in findings[:MOST_NAMED]:
        yield indented(f"{clean(one.file)} (job {clean(one.job)}): {one.flaw}")
    if (more := len(findings) - MOST_NAMED) > 0:
        yield indented(f"and {more:,} more; --json names them")
    if fate in _ADVICE:
        yield indented(_ADVICE[fate])


def _costs(findings: Iterable[Finding], fate: Fate) -> list[Money]:
    """Of each job once, however many of its files are meant."""
    by_job = {one.job: one.cost for one in findings if one.fate is fate}
    return totals(by_job.values())
