"""Jobs as JSON data, as ``--json`` writes them, and how many there are in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from batchgen.api.standing import JobReport
from batchgen.errors import Problem
from batchgen.report.money import money_data
from batchgen.report.text import count


def job_data(job: JobReport) -> dict[str, Any]:
    """One job with all its keys, null where there is nothing."""
    return {
        "id": job.id,
        "state": str(job.state),
        "listed": job.listed,
        "model": job.model,
        "price": money_data(job.price),
        "spent": money_data(job.spent),
        "task_id": job.task_id,
        "files": list(job.files),
        "code": job.code,
        "message": job.message,
    }


def jobs_listed(jobs: Sequence[JobReport]) -> str:
    """``3 jobs (and 1 that the manifest no longer names)``."""
    others = sum(not job.listed for job in jobs)
    told = count(len(jobs) - others, "job")
    return f"{told} (and {others:,} that the manifest no longer names)" if others else told


def jobs_data(jobs: Sequence[JobReport]) -> dict[str, Any]:
    """How many jobs there are in each state, and each job."""
    return {
        "counts": dict(Counter(str(job.state) for job in jobs)),
        "jobs": [job_data(job) for job in jobs],
    }


def problems_data(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Mistakes or warnings, each with its place."""
    return [asdict(problem) for problem in problems]
